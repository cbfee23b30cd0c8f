import type { Status } from "../api/console.ts";
import { useAsk } from "../api/useAsk.ts";
import { addressOf } from "../frame/route.ts";
import { Problem } from "../parts/Notice.tsx";
import { Mark } from "../parts/State.tsx";
import { Waiting } from "../parts/Table.tsx";
import { queryOf } from "../payments/filter.ts";
import { useWords } from "../words/use.ts";

const EVERY_MS = 3000;

/** Lanes, scheme links and open work of this host. */
export function Host() {
  const { t } = useWords();
  const { answer: s, problem, loading, again } = useAsk<Status>("/api/v1/status", EVERY_MS);
  const owned = s?.lanes.filter((l) => l.owned).length ?? 0;
  return (
    <section className="page">
      <header className="head"><h1>{t("host")}</h1></header>
      {problem && <Problem problem={problem} again={again} />}
      {!s && loading && <Waiting what={t("reading")} rows={4} />}
      {s && (
        <>
          <dl className="sums">
            <div><dt>{t("openWork")}</dt><dd className="big num"><a href={addressOf(["payments"], queryOf({ state: ["admitted", "reversing", "forwarding"] }))}>{s.open}</a></dd></div>
            <div><dt>{t("deadLetters")}</dt><dd className="num"><a href={addressOf(["dead-letters"])}>{s.dead_letters}</a></dd></div>
            <div><dt>{t("failingHooks")}</dt><dd className="num"><a href={addressOf(["webhooks"])}>{s.failing_webhooks}</a></dd></div>
            <div><dt>{t("mode")}</dt><dd>{t(s.mode === "demo" ? "modeDemo" : "modeLive")}</dd></div>
          </dl>
          <h2>{t("schemeLinks")}</h2>
          <ul className="links">
            {s.schemes.map((l) => (
              <li key={l.name}>
                <strong>{l.name}</strong>
                {l.up ? <Mark tone="go">{t("linkUp")}</Mark> : <Mark tone="fail">{t("linkDown")}</Mark>}
                <span className="quiet-ink">{l.open > 0 ? t("linkOwes", l.open) : t("linkOwesNone")}</span>
              </li>
            ))}
            {s.schemes.length === 0 && <li>{t("noSchemes")}</li>}
          </ul>
          <h2>{t("lanes", owned, s.lanes.length)}</h2>
          <ol className="lanes" aria-label={t("lane")}>
            {s.lanes.map((l) => (
              <li key={l.lane} data-owned={l.owned} title={l.owned ? t("laneOurs", l.lane, l.epoch) : t("laneOther", l.lane)}>
                <span className="num">{l.lane}</span>
                <span className="quiet-for-eyes">{l.owned ? t("laneOurs", l.lane, l.epoch) : t("laneOther", l.lane)}</span>
              </li>
            ))}
          </ol>
          <p className="foot">{t("lanesHint")}</p>
        </>
      )}
    </section>
  );
}
