/** Words of the page alone. The panel in a chat is small and carries none of them. */
import { computed } from "@preact/signals";
import { language } from "./language.ts";
import { en, type PageWords } from "./page-en.ts";
import { ko } from "./page-ko.ts";
import { serverText } from "./server-text.ts";
import { toKorean } from "./server-text-ko.ts";

export const pageLanguages: Readonly<Record<string, PageWords>> = { en, ko };
const words = computed(() => pageLanguages[language.value]!);

serverText.translate = (...text) => (language.value === "ko" ? toKorean(...text) : undefined);

export const usePageWords = (): PageWords => words.value;
