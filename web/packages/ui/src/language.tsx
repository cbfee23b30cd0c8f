import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";

/** The languages of every screen. zh is written first. */
export type Language = "zh" | "en";

const KEY = "huika.language";

/** The language chosen before, else the browser's, else Chinese. */
export function initialLanguage(stored: string | null, browser: readonly string[]): Language {
  if (stored === "zh" || stored === "en") return stored;
  const first = browser[0]?.toLowerCase() ?? "zh";
  return first.startsWith("en") ? "en" : "zh";
}

const Context = createContext<{ language: Language; choose: (l: Language) => void }>({ language: "zh", choose: () => {} });

/** Holds the language for everything below it, and marks the document with it. */
export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, choose] = useState<Language>(() => initialLanguage(localStorage.getItem(KEY), navigator.languages));
  useEffect(() => {
    localStorage.setItem(KEY, language);
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }, [language]);
  const value = useMemo(() => ({ language, choose }), [language]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

/** The language now, and how to choose another. */
export const useLanguage = () => useContext(Context);
