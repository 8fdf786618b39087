/** Which language the page speaks, and how numbers and times look in it. */
import { computed, signal } from "@preact/signals";
import { en, type Words } from "./en.ts";
import { ko } from "./ko.ts";

export const languages: Readonly<Record<string, Words>> = { en, ko };
export type Language = string;

const KEY = "bootwright-language";

/** A sandboxed frame has no storage, and asking for it throws. */
function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
const store = (key: string, value: string) => {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Then it is chosen again next time.
  }
};

const wanted = [stored(KEY), ...navigator.languages].map((tag) => tag?.slice(0, 2).toLowerCase() ?? "");
export const language = signal<Language>(wanted.find((tag) => tag in languages) ?? "en");
const words = computed(() => languages[language.value]!);

/** What the page says, in the language that is chosen now. */
export const useWords = (): Words => words.value;

export function chooseLanguage(next: Language): void {
  if (!(next in languages)) return;
  language.value = next;
  store(KEY, next);
  document.documentElement.lang = next;
}
document.documentElement.lang = language.value;

const number = computed(() => new Intl.NumberFormat(language.value, { maximumFractionDigits: 1 }));
const time = computed(() => new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "medium" }));

export const timeOf = (iso: string): string => time.value.format(new Date(iso));

const units = ["B", "KiB", "MiB", "GiB", "TiB"];
export function sizeOf(bytes: number): string {
  const step = Math.min(units.length - 1, bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${number.value.format(bytes / 1024 ** step)} ${units[step]}`;
}
export const gibOf = (gib: number): string => `${number.value.format(gib)} GiB`;

/** The last part of a path: what people call a file. */
export const fileOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

export { store, stored };
