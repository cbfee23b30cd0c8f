import { Button } from "antd";
import type { Terminal, TerminalsOutputBody } from "../api/console.ts";
import { usePages } from "../api/usePages.ts";
import { addressOf } from "../frame/route.ts";
import { goesBack } from "../parts/money.ts";
import { Money } from "../parts/Money.tsx";
import { Nothing, Problem } from "../parts/Notice.tsx";
import { Mark, State } from "../parts/State.tsx";
import { Table, Waiting, type Column } from "../parts/Table.tsx";
import { When } from "../parts/When.tsx";
import { queryOf } from "../payments/filter.ts";
import { useWords } from "../words/use.ts";

/** Terminals in a table: whether they are signed in, and what they did last. */
export function TerminalTable({ terminals }: { terminals: readonly Terminal[] }) {
  const { t } = useWords();
  const columns: Column<Terminal>[] = [
    { name: "id", head: t("terminal"), lead: true, cell: (x) => <span className="code">{x.id}</span> },
    { name: "signed_in", head: t("state"), cell: (x) => (x.signed_in ? <Mark tone="go">{t("signedIn")}</Mark> : <Mark tone="plain">{t("signedOut")}</Mark>) },
    { name: "seen", head: t("seen"), cell: (x) => x.seen && <When at={x.seen} /> },
    { name: "merchant", head: t("merchant"), cell: (x) => <a className="code" href={addressOf(["merchants", x.merchant])}>{x.merchant}</a> },
    { name: "batch", head: t("batch"), cell: (x) => x.batch && <a className="code" href={addressOf(["batches", x.merchant, x.id, x.batch])}>{x.batch}</a> },
    { name: "last", head: t("lastPayment"), cell: (x) => x.last && <a href={addressOf(["payments", x.last.ref])}><Money value={x.last.amount} back={goesBack(x.last.kind)} /> <State state={x.last.state} /></a> },
  ];
  return <Table label={t("terminals")} columns={columns.filter((c) => terminals.some((x) => c.cell(x)))} rows={terminals} id={(x) => `${x.merchant} ${x.id}`} open={(x) => addressOf(["payments"], queryOf({ merchant: x.merchant, terminal: x.id }))} />;
}

/** Terminals that the host knows. */
export function Terminals() {
  const { t } = useWords();
  const list = usePages<TerminalsOutputBody, Terminal>("/api/v1/terminals?limit=100", (b) => b.terminals);
  return (
    <section className="page">
      <header className="head"><h1>{t("terminals")}</h1><div className="tools"><Button onClick={list.again}>{t("refresh")}</Button></div></header>
      {list.problem && <Problem problem={list.problem} again={list.again} />}
      {list.loading && list.rows.length === 0 && <Waiting what={t("reading")} />}
      {list.rows.length > 0 && <TerminalTable terminals={list.rows} />}
      {!list.loading && !list.problem && list.rows.length === 0 && <Nothing title={t("noTerminals")}><p>{t("noTerminalsHint")}</p></Nothing>}
      {list.next && <div className="more"><Button onClick={list.more} loading={list.loading}>{t("more")}</Button></div>}
    </section>
  );
}
