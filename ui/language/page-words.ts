/** What the page alone says: the panel in a chat is small, and carries none of it. */
import { computed } from "@preact/signals";
import { language } from "./language.ts";
import { en, type PageWords } from "./page-en.ts";
import { ko } from "./page-ko.ts";
import { said } from "./server-text.ts";
import { inKorean } from "./server-text-ko.ts";

const languages: Readonly<Record<string, PageWords>> = { en, ko };
const words = computed(() => languages[language.value]!);

said.inOwnWords = (...what) => (language.value === "ko" ? inKorean(...what) : undefined);

export const usePageWords = (): PageWords => words.value;
