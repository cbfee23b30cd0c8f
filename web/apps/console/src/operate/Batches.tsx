import { Button } from "antd";
import { IconBack } from "@huika/ui";
import type { Batch, BatchesOutputBody } from "../api/console.ts";
import { useAsk } from "../api/useAsk.ts";
import { usePages } from "../api/usePages.ts";
import { addressOf } from "../frame/route.ts";
import { add, negative } from "../parts/money.ts";
import { Money } from "../parts/Money.tsx";
import { Nothing, Notice, Problem } from "../parts/Notice.tsx";
import { Mark } from "../parts/State.tsx";
import { Table, Waiting, type Column } from "../parts/Table.tsx";
import { When } from "../parts/When.tsx";
import { queryOf } from "../payments/filter.ts";
import { useWords } from "../words/use.ts";

/** A batch's state in a word. */
function BatchState({ b }: { b: Batch }) {
  const { t } = useWords();
  if (b.state === "open") return <Mark tone="plain">{t("batchOpen")}</Mark>;
  if (b.state === "settling") return <Mark tone="look">{t("batchSettling")}</Mark>;
  return b.balanced ? <Mark tone="go">{t("batchBalanced")}</Mark> : <Mark tone="look">{t("batchUnbalanced")}</Mark>;
}

/** Batches that were settled, the newest first. */
export function Batches({ query }: { query: URLSearchParams }) {
  const { t } = useWords();
  const ask = new URLSearchParams({ limit: "50" });
  for (const name of ["merchant", "terminal"]) {
    const v = query.get(name);
    if (v) ask.set(name, v);
  }
  const list = usePages<BatchesOutputBody, Batch>(`/api/v1/batches?${ask}`, (b) => b.batches);
  const columns: Column<Batch>[] = [
    { name: "batch", head: t("batch"), lead: true, cell: (b) => <span className="code">{b.batch}</span> },
    { name: "net", head: t("net"), end: true, cell: (b) => <Money value={add(b.debits, negative(b.credits))} /> },
    { name: "state", head: t("state"), cell: (b) => <BatchState b={b} /> },
    { name: "settled", head: t("settled"), cell: (b) => b.settled && <When at={b.settled} /> },
    { name: "merchant", head: t("merchant"), cell: (b) => <span className="code">{b.merchant}</span> },
    { name: "terminal", head: t("terminal"), cell: (b) => <span className="code">{b.terminal}</span> },
    { name: "debits", head: t("debits"), end: true, cell: (b) => <>{t("times", b.debit_count)} <Money value={b.debits} /></> },
    { name: "credits", head: t("credits"), end: true, cell: (b) => b.credit_count > 0 && <>{t("times", b.credit_count)} <Money value={b.credits} /></> },
  ];
  return (
    <section className="page">
      <header className="head"><h1>{t("batches")}</h1></header>
      {list.problem && <Problem problem={list.problem} again={list.again} />}
      {list.loading && list.rows.length === 0 && <Waiting what={t("reading")} />}
      {list.rows.length > 0 && <Table label={t("batches")} columns={columns} rows={list.rows} id={(b) => `${b.merchant} ${b.terminal} ${b.batch}`} open={(b) => addressOf(["batches", b.merchant, b.terminal, b.batch])} />}
      {!list.loading && !list.problem && list.rows.length === 0 && <Nothing title={t("noBatches")}><p>{t("noBatchesHint")}</p><a href={addressOf(["terminals"])}>{t("terminals")}</a></Nothing>}
      {list.next && <div className="more"><Button onClick={list.more} loading={list.loading}>{t("more")}</Button></div>}
    </section>
  );
}

/** What one batch comes to. */
export function BatchOf({ merchant, terminal, batch }: { merchant: string; terminal: string; batch: string }) {
  const { t } = useWords();
  const { answer: b, problem, loading, again } = useAsk<Batch>(`/api/v1/batches/${[merchant, terminal, batch].map(encodeURIComponent).join("/")}`);
  return (
    <section className="page">
      <a className="back" href={addressOf(["batches"])}><IconBack size={16} /> {t("batches")}</a>
      <header className="head"><h1>{t("batch")} <span className="code">{batch}</span></h1></header>
      {problem && <Problem problem={problem} again={again} />}
      {!b && loading && <Waiting what={t("reading")} rows={3} />}
      {b && (
        <>
          <dl className="sums">
            <div><dt>{t("net")}</dt><dd className="big"><Money value={add(b.debits, negative(b.credits))} /></dd></div>
            <div><dt>{t("debits")}</dt><dd><Money value={b.debits} /> · {t("times", b.debit_count)}</dd></div>
            <div><dt>{t("credits")}</dt><dd><Money value={b.credits} /> · {t("times", b.credit_count)}</dd></div>
            <div><dt>{t("state")}</dt><dd><BatchState b={b} /></dd></div>
            {b.settled && <div><dt>{t("settled")}</dt><dd><When at={b.settled} /></dd></div>}
            <div><dt>{t("merchant")}</dt><dd><a className="code" href={addressOf(["merchants", b.merchant])}>{b.merchant}</a></dd></div>
            <div><dt>{t("terminal")}</dt><dd className="code">{b.terminal}</dd></div>
          </dl>
          {b.open > 0 && <Notice tone="look" title={t("batchHasOpen", b.open)}><p>{t("batchHasOpenHint")}</p></Notice>}
          {b.state === "settling" && <Notice tone="look" title={t("batchDiffers")}><p>{t("batchDiffersHint")}</p></Notice>}
          <p><a href={addressOf(["payments"], queryOf({ merchant, terminal, batch }))}>{t("itsPayments")}</a></p>
        </>
      )}
    </section>
  );
}
