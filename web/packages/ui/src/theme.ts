import { useEffect, useState } from "react";

export type Theme = "light" | "dark";

const KEY = "huika.theme";

/** The theme: the system's until the person chooses one. */
export function useTheme(): { theme: Theme; choose: (t: Theme) => void } {
  const [chosen, setChosen] = useState<string | null>(() => localStorage.getItem(KEY));
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => setDark(query.matches);
    query.addEventListener("change", follow);
    return () => query.removeEventListener("change", follow);
  }, []);
  const theme: Theme = chosen === "light" || chosen === "dark" ? chosen : dark ? "dark" : "light";
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--ground").trim();
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", colour);
  }, [theme]);
  const choose = (t: Theme) => {
    localStorage.setItem(KEY, t);
    setChosen(t);
  };
  return { theme, choose };
}
