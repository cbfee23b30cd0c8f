import { useLanguage } from "@huika/ui";
import { say, type Word } from "./words.ts";

/** The sentences in the language chosen. n puts values in place of {0}, {1}. */
export function useWords() {
  const { language, choose } = useLanguage();
  return { language, choose, t: (w: Word, ...n: (string | number)[]) => say(language, w, ...n) };
}
