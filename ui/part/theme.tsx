/** Light or dark, as the system says or as somebody chose. */
import { signal } from "@preact/signals";
import { chooseLanguage, language, languages, store, stored, useWords } from "../language/language.ts";

const KEY = "bootwright-theme";
type Theme = "auto" | "light" | "dark";
const theme = signal<Theme>((stored(KEY) as Theme | null) ?? "auto");

/** `host`: what the program says that the panel is shown in. */
export function applyTheme(next: Theme): void {
  theme.value = next;
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
}
applyTheme(theme.value);

export function ThemeChoice() {
  const t = useWords();
  return (
    <label class="choice">
      <span class="hidden">{t.theme.label}</span>
      <select
        value={theme.value}
        onChange={(event) => {
          const chosen = event.currentTarget.value as Theme;
          applyTheme(chosen);
          store(KEY, chosen);
        }}
      >
        {(["auto", "light", "dark"] as const).map((one) => (
          <option key={one} value={one}>
            {t.theme[one]}
          </option>
        ))}
      </select>
    </label>
  );
}

export function LanguageChoice() {
  const t = useWords();
  return (
    <label class="choice">
      <span class="hidden">{t.language}</span>
      <select value={language.value} onChange={(event) => chooseLanguage(event.currentTarget.value)}>
        {Object.entries(languages).map(([tag, words]) => (
          <option key={tag} value={tag} lang={tag}>
            {words.name}
          </option>
        ))}
      </select>
    </label>
  );
}
