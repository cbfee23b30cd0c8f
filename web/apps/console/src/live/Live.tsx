import { useMemo } from "react";
import type uPlot from "uplot";
import type { TallyOutputBody } from "../api/console.ts";
import { useLive } from "../api/live.ts";
import { useAsk } from "../api/useAsk.ts";
import { addressOf } from "../frame/route.ts";
import { add, none } from "../parts/money.ts";
import { Money } from "../parts/Money.tsx";
import { Notice, Problem } from "../parts/Notice.tsx";
import { dayStart, queryOf } from "../payments/filter.ts";
import { useWords } from "../words/use.ts";
import { Chart } from "./Chart.tsx";
import { answered, rate, times, total } from "./series.ts";

const TALLY_MS = 15_000;

/** The last five minutes, second by second, and today in figures. */
export function Live({ theme }: { theme: string }) {
  const { t } = useWords();
  const { samples, link } = useLive();
  const data = useMemo(() => {
    const x = times(samples), of = (...f: ((s: (typeof samples)[number]) => number | null)[]) => [x, ...f.map((g) => samples.map(g))] as uPlot.AlignedData;
    const ms = (v: number) => (v === 0 ? null : v); // nobody was answered in that second
    return {
      pace: of((s) => s.answered),
      split: of((s) => s.approved, (s) => s.declined),
      wait: of((s) => ms(s.p50_ms), (s) => ms(s.p95_ms), (s) => ms(s.p99_ms)),
      open: of((s) => s.open),
    };
  }, [samples]);
  const last = answered(samples);
  const open = samples.at(-1)?.open ?? 0;
  const yes = total(samples, (s) => s.approved), no = total(samples, (s) => s.declined);
  const share = yes + no === 0 ? "–" : `${((100 * yes) / (yes + no)).toFixed(1)} %`;
  const pace = rate(samples, (s) => s.answered);
  const full = total(samples, (s) => s.full);
  return (
    <section className="page">
      <header className="head"><h1>{t("live")}</h1></header>
      {link === "down" && <Notice tone="look" title={t("liveLost")}><p>{t("liveLostHint")}</p></Notice>}
      {full > 0 && <Notice tone="look" title={t("liveFull", full)}><p>{t("liveFullHint")}</p></Notice>}
      <Today />
      <div className="charts">
        <Chart theme={theme} question={t("chartPace")} now={<>{pace} <small>{t("perSecond")}</small></>} says={`${pace} ${t("perSecond")}`} data={data.pace} series={[{ label: t("answered"), ink: "go", area: true }]} />
        <Chart theme={theme} question={t("chartSplit")} now={<>{share} <small>{t("approvedShare")}</small></>} says={t("chartSplitSays", yes, no)} data={data.split} series={[{ label: t("approved"), ink: "go" }, { label: t("declined"), ink: "look", dash: true }]} />
        <Chart theme={theme} question={t("chartWait")} now={last ? <>≤ {last.p95_ms} ms <small>{t("chartWaitNow")}</small></> : <>– <small>{t("nobodyYet")}</small></>} says={last ? t("chartWaitSays", last.p50_ms, last.p95_ms, last.p99_ms) : t("nobodyYet")} data={data.wait} unit=" ms" sparse
          series={[{ label: "p50", ink: "go" }, { label: "p95", ink: "look", dash: true }, { label: "p99", ink: "line-strong", dash: true }]} />
        <Chart theme={theme} question={t("chartOpen")} now={<a href={addressOf(["payments"], queryOf({ state: ["admitted", "reversing", "forwarding"] }))}>{open} <small>{t("openNow")}</small></a>} says={`${open} ${t("openNow")}`} data={data.open} series={[{ label: t("openWork"), ink: "look" }]} />
      </div>
      <p className="foot">{t("liveFoot", samples.length)}</p>
    </section>
  );
}

/** What the day added up to. */
function Today() {
  const { t } = useWords();
  const { answer, problem, again } = useAsk<TallyOutputBody>(`/api/v1/tally?${new URLSearchParams({ from: dayStart(0), to: dayStart(1), step: "hour" })}`, TALLY_MS);
  if (problem) return <Problem problem={problem} again={again} />;
  const rows = answer?.rows ?? [];
  const currencies = [...new Set(rows.map((r) => r.sum.currency))];
  const sums = currencies.map((c) => add(none({ amount: rows.find((r) => r.sum.currency === c)?.sum.amount ?? "0", currency: c }), ...rows.filter((r) => r.sum.currency === c).map((r) => r.sum)));
  const count = (of: (r: (typeof rows)[number]) => number) => rows.reduce((n, r) => n + of(r), 0);
  return (
    <dl className="sums today" aria-label={t("today")}>
      <div><dt>{t("todayTaken")}</dt><dd className="big">{sums.length ? sums.map((m) => <Money key={m.currency} value={m} />) : <Money value={{ amount: "0.00", currency: "CNY" }} />}</dd></div>
      <div><dt>{t("approved")}</dt><dd className="num">{count((r) => r.approved)}</dd></div>
      <div><dt>{t("declined")}</dt><dd className="num">{count((r) => r.declined)}</dd></div>
      <div><dt>{t("undone")}</dt><dd className="num">{count((r) => r.undone)}</dd></div>
    </dl>
  );
}
