import { IconMoon, IconNet, IconNoNet, IconReader, IconSun, IconUndo, useLanguage, useTheme } from "@huika/ui";
import type { Link } from "../api/live.ts";
import type { View } from "../api/pos.ts";
import { useWords } from "../words/use.ts";
import { condition } from "../words/words.ts";

/** One line: network, reader, shift, what is owed; language and theme. */
export function Status({ view, link }: { view: View; link: Link }) {
  const { t, language } = useWords();
  const { choose: chooseLanguage } = useLanguage();
  const { theme, choose } = useTheme();
  const net = link === "down" ? t("lost") : view.host.signed_in ? t("online") : view.host.online ? t("signing") : t("offline");
  const good = link === "up" && view.host.signed_in;
  const reader = view.reader.condition;
  const readerGood = reader === "ready" || reader === "busy";
  return (
    <header className="status">
      <span className={good ? "chip" : "chip look"} role="status">
        {good ? <IconNet size={16} /> : <IconNoNet size={16} />} {net}
      </span>
      {!readerGood && (
        <span className="chip look" role="status">
          <IconReader size={16} /> {condition(language, reader)}
        </span>
      )}
      {view.host.pending_reversals > 0 && (
        <span className="chip look" role="status">
          <IconUndo size={16} /> {view.host.pending_reversals} {t("owed")}
        </span>
      )}
      <span className="shift num">
        {t("shift")} ¥{view.shift.sum}
        <span className="sales"> · {view.shift.count} {t("count")}</span>
      </span>
      <button className="tool" type="button" onClick={() => chooseLanguage(language === "zh" ? "en" : "zh")} lang={language === "zh" ? "en" : "zh-CN"}>
        {t("language")}
      </button>
      <button className="tool" type="button" aria-label={t("theme")} onClick={() => choose(theme === "dark" ? "light" : "dark")}>
        {theme === "dark" ? <IconSun size={20} /> : <IconMoon size={20} />}
      </button>
    </header>
  );
}
