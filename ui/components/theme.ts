/** Light or dark, as the system says or as somebody chose. */
import { signal } from "@preact/signals";
import { stored } from "../language/language.ts";

export const THEME_KEY = "bootwright-theme";
export type Theme = "auto" | "light" | "dark";
export const theme = signal<Theme>((stored(THEME_KEY) as Theme | null) ?? "auto");

export function applyTheme(next: Theme): void {
  theme.value = next;
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
}
applyTheme(theme.value);
