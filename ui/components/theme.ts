/** The theme: light or dark, by the system's setting or by choice. */
import { signal } from "@preact/signals";
import { readPreference } from "../language/language.ts";

export const THEME_KEY = "bootwright-theme";
export type Theme = "auto" | "light" | "dark";
export const theme = signal<Theme>((readPreference(THEME_KEY) as Theme | null) ?? "auto");

export function applyTheme(next: Theme): void {
  theme.value = next;
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
}
applyTheme(theme.value);
