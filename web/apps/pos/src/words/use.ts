import { useLanguage } from "@huika/ui";
import { say, type Word } from "./words.ts";

/** The sentences in the language chosen. */
export function useWords() {
  const { language } = useLanguage();
  return { language, t: (w: Word) => say(language, w) };
}
