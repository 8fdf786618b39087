/** The chosen language, and numbers and times in it. */
import { computed, signal } from "@preact/signals";
import { en, type Words } from "./en.ts";
import { ko } from "./ko.ts";

const languages: Readonly<Record<string, Words>> = { en, ko };
export type Language = string;

const KEY = "bootwright-language";

/** Returns null in a sandboxed frame, where there is no storage and access to it throws. */
export function readPreference(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
export function savePreference(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Without storage it is chosen again next time.
  }
}

const preferred = [readPreference(KEY), ...navigator.languages].map((tag) => tag?.slice(0, 2).toLowerCase() ?? "");
export const language = signal<Language>(preferred.find((tag) => tag in languages) ?? "en");
const words = computed(() => languages[language.value]!);

/** The words of every view, in the chosen language. */
export const useWords = (): Words => words.value;

export function chooseLanguage(next: Language): void {
  if (!(next in languages)) return;
  language.value = next;
  savePreference(KEY, next);
  document.documentElement.lang = next;
}
document.documentElement.lang = language.value;

const number = computed(() => new Intl.NumberFormat(language.value, { maximumFractionDigits: 1 }));
const time = computed(() => new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "medium" }));

/** `percent` is 0 to 100. */
export const formatPercent = (percent: number): string =>
  new Intl.NumberFormat(language.value, { style: "percent" }).format(percent / 100);

export const formatTime = (iso: string): string => time.value.format(new Date(iso));

const units = ["B", "KiB", "MiB", "GiB", "TiB"];
export function formatSize(bytes: number): string {
  const step = Math.min(units.length - 1, bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${number.value.format(bytes / 1024 ** step)} ${units[step]}`;
}
export const formatGib = (gib: number): string => `${number.value.format(gib)} GiB`;

/** The last part of a path. */
export const fileName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
