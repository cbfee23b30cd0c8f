import { Drawer } from "antd";
import { lazy, Suspense, useEffect, useState, type ReactNode } from "react";
import { IconCards, IconClock, IconHand, IconLock, IconMoon, IconNet, IconReader, IconReceipt, IconSun, IconTrace, IconWave, type Theme } from "@huika/ui";
import type { Status } from "./api/console.ts";
import { useLiveValue } from "./api/live.ts";
import { useAsk } from "./api/useAsk.ts";
import { addressOf, parseRoute, useHash, type Route } from "./frame/route.ts";
import { Mistake } from "./frame/Mistake.tsx";
import { Nothing } from "./parts/Notice.tsx";
import { Waiting } from "./parts/Table.tsx";
import type { Word } from "./words/words.ts";
import { useWords } from "./words/use.ts";

const Payments = lazy(() => import("./payments/Payments.tsx").then((m) => ({ default: m.Payments })));
const Story = lazy(() => import("./story/Story.tsx").then((m) => ({ default: m.Story })));
const Live = lazy(() => import("./live/Live.tsx").then((m) => ({ default: m.Live })));
const Batches = lazy(() => import("./operate/Batches.tsx").then((m) => ({ default: m.Batches })));
const BatchOf = lazy(() => import("./operate/Batches.tsx").then((m) => ({ default: m.BatchOf })));
const Merchants = lazy(() => import("./operate/Merchants.tsx").then((m) => ({ default: m.Merchants })));
const MerchantOf = lazy(() => import("./operate/Merchants.tsx").then((m) => ({ default: m.MerchantOf })));
const Terminals = lazy(() => import("./operate/Terminals.tsx").then((m) => ({ default: m.Terminals })));
const DeadLetters = lazy(() => import("./operate/DeadLetters.tsx").then((m) => ({ default: m.DeadLetters })));
const Host = lazy(() => import("./operate/Host.tsx").then((m) => ({ default: m.Host })));
const Keys = lazy(() => import("./access/Keys.tsx").then((m) => ({ default: m.Keys })));
const Hooks = lazy(() => import("./access/Hooks.tsx").then((m) => ({ default: m.Hooks })));

const places: { path: string; word: Word; icon: typeof IconWave; bell?: "dead_letters" | "failing_webhooks" }[] = [
  { path: "payments", word: "payments", icon: IconReceipt },
  { path: "live", word: "live", icon: IconWave },
  { path: "dead-letters", word: "deadLetters", icon: IconHand, bell: "dead_letters" },
  { path: "batches", word: "batches", icon: IconCards },
  { path: "merchants", word: "merchants", icon: IconTrace },
  { path: "terminals", word: "terminals", icon: IconReader },
  { path: "host", word: "host", icon: IconNet },
  { path: "keys", word: "keys_", icon: IconLock },
  { path: "webhooks", word: "hooks", icon: IconClock, bell: "failing_webhooks" },
];

const STATUS_MS = 10_000;

/** The console: where one can go on the left, what one looks at beside it. */
export function App({ theme, chooseTheme }: { theme: Theme; chooseTheme: (t: Theme) => void }) {
  const { t, language, choose } = useWords();
  const hash = useHash();
  const route = parseRoute(hash);
  const link = useLiveValue((l) => l.link);
  const { answer: status, again: lookAgain } = useAsk<Status>("/api/v1/status", STATUS_MS);
  const [menu, setMenu] = useState(false);
  const here = route.path[0] ?? "payments";
  const place = places.find((p) => p.path === here);
  const title = place ? t(place.word) : t("console");
  useEffect(() => {
    document.title = `${title} · Huika ${t("console")}`;
  }, [title, t]);
  useEffect(() => {
    setMenu(false);
    lookAgain(); // what was done on the page before may have changed it
    if (route.path.length !== 1) scrollTo(0, 0);
  }, [hash, route.path.length, lookAgain]);

  const nav = (
    <nav aria-label={t("places")}>
      <ul>
        {places.map((p) => {
          const n = p.bell ? (status?.[p.bell] ?? 0) : 0;
          return (
            <li key={p.path}>
              <a href={addressOf([p.path])} aria-current={p.path === here ? "page" : undefined}>
                <p.icon size={20} /> <span>{t(p.word)}</span> {n > 0 && <b className="bell num">{n}<span className="quiet-for-eyes"> {t("wantPerson")}</span></b>}
              </a>
            </li>
          );
        })}
      </ul>
    </nav>
  );
  const tools = (
    <div className="tools-of">
      <button className="tool" type="button" onClick={() => choose(language === "zh" ? "en" : "zh")} lang={language === "zh" ? "en" : "zh-CN"}>{t("language")}</button>
      <button className="tool" type="button" aria-label={t("theme")} onClick={() => chooseTheme(theme === "dark" ? "light" : "dark")}>
        {theme === "dark" ? <IconSun size={20} /> : <IconMoon size={20} />}
      </button>
    </div>
  );
  if (link === "not_signed_in") {
    return (
      <main className="alone">
        <Nothing title={t("unpaired")}><p>{t("unpairedHint")}</p></Nothing>
        {tools}
      </main>
    );
  }
  return (
    <div className="frame">
      <a className="skip" href={hash || "#/payments"} onClick={(e) => { e.preventDefault(); document.getElementById("main")?.focus(); }}>{t("skip")}</a>
      <header className="side">
        <p className="brand"><IconWave size={20} /> Huika <span>{t("console")}</span></p>
        <button type="button" className="tool menu" aria-expanded={menu} onClick={() => setMenu(true)}><IconTrace size={20} /> {t("menu")}</button>
        <div className="wide">{nav}</div>
        {status?.mode === "demo" && <p className="simulation">{t("simulation")}</p>}
        {tools}
      </header>
      <Drawer open={menu} onClose={() => setMenu(false)} placement="left" size={280} title={t("menu")} rootClassName="menu-drawer">{nav}</Drawer>
      <main id="main" tabIndex={-1}>
        {link === "down" && <p className="lost" role="status">{t("lost")}</p>}
        <Mistake key={route.path.join("/")} words={[t("mistake"), t("mistakeHint"), t("again")]}>
          <Suspense fallback={<section className="page"><Waiting what={t("reading")} /></section>}>{screen(route, theme, t)}</Suspense>
        </Mistake>
      </main>
    </div>
  );
}

function screen({ path, query }: Route, theme: Theme, t: (w: Word) => string): ReactNode {
  const [place = "payments", a, b, c] = path;
  switch (place) {
    case "payments": return a ? <Story key={a} paymentRef={a} /> : <Payments query={query} />;
    case "live": return <Live theme={theme} />;
    case "dead-letters": return <DeadLetters />;
    case "batches": return a && b && c ? <BatchOf merchant={a} terminal={b} batch={c} /> : <Batches query={query} />;
    case "merchants": return a ? <MerchantOf id={a} /> : <Merchants />;
    case "terminals": return <Terminals />;
    case "host": return <Host />;
    case "keys": return <Keys />;
    case "webhooks": return <Hooks />;
    default: return <section className="page"><Nothing title={t("noPage")}><a href={addressOf(["payments"])}>{t("payments")}</a></Nothing></section>;
  }
}
