/** The choices of colours and of language. */
import { chooseLanguage, language, savePreference } from "../language/language.ts";
import { pageLanguages, usePageWords } from "../language/page-words.ts";
import { applyTheme, THEME_KEY, type Theme, theme } from "./theme.ts";

export function ThemeChoice() {
  const p = usePageWords();
  return (
    <label class="choice">
      <span class="hidden">{p.theme.label}</span>
      <select
        value={theme.value}
        onChange={(event) => {
          const chosen = event.currentTarget.value as Theme;
          applyTheme(chosen);
          savePreference(THEME_KEY, chosen);
        }}
      >
        {(["auto", "light", "dark"] as const).map((one) => (
          <option key={one} value={one}>
            {p.theme[one]}
          </option>
        ))}
      </select>
    </label>
  );
}

export function LanguageChoice() {
  const p = usePageWords();
  return (
    <label class="choice">
      <span class="hidden">{p.language}</span>
      <select value={language.value} onChange={(event) => chooseLanguage(event.currentTarget.value)}>
        {Object.entries(pageLanguages).map(([tag, words]) => (
          <option key={tag} value={tag} lang={tag}>
            {words.name}
          </option>
        ))}
      </select>
    </label>
  );
}
