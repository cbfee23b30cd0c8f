import { Button } from "antd";
import { IconBack } from "@huika/ui";
import type { Merchant, MerchantDetail, MerchantsOutputBody } from "../api/console.ts";
import { useAsk } from "../api/useAsk.ts";
import { usePages } from "../api/usePages.ts";
import { addressOf } from "../frame/route.ts";
import { Money } from "../parts/Money.tsx";
import { Nothing, Problem } from "../parts/Notice.tsx";
import { Table, Waiting, type Column } from "../parts/Table.tsx";
import { queryOf } from "../payments/filter.ts";
import { accountWord } from "../words/terms.ts";
import { useWords } from "../words/use.ts";
import { TerminalTable } from "./Terminals.tsx";

/** Merchants in the books. */
export function Merchants() {
  const { t } = useWords();
  const list = usePages<MerchantsOutputBody, Merchant>("/api/v1/merchants?limit=100", (b) => b.merchants);
  const columns: Column<Merchant>[] = [
    { name: "id", head: t("merchant"), lead: true, cell: (m) => <span className="code">{m.id}</span> },
    { name: "terminals", head: t("terminals"), end: true, cell: (m) => <span className="num">{m.terminals}</span> },
    { name: "lane", head: t("lane"), end: true, cell: (m) => <span className="num">{m.lane}</span> },
  ];
  return (
    <section className="page">
      <header className="head"><h1>{t("merchants")}</h1></header>
      {list.problem && <Problem problem={list.problem} again={list.again} />}
      {list.loading && list.rows.length === 0 && <Waiting what={t("reading")} />}
      {list.rows.length > 0 && <Table label={t("merchants")} columns={columns} rows={list.rows} id={(m) => m.id} open={(m) => addressOf(["merchants", m.id])} />}
      {!list.loading && !list.problem && list.rows.length === 0 && <Nothing title={t("noMerchants")}><p>{t("noPaymentsHint")}</p></Nothing>}
      {list.next && <div className="more"><Button onClick={list.more} loading={list.loading}>{t("more")}</Button></div>}
    </section>
  );
}

/** One merchant: what is owed to it, and its terminals. */
export function MerchantOf({ id }: { id: string }) {
  const { t, language } = useWords();
  const { answer: m, problem, loading, again } = useAsk<MerchantDetail>(`/api/v1/merchants/${encodeURIComponent(id)}`);
  return (
    <section className="page">
      <a className="back" href={addressOf(["merchants"])}><IconBack size={16} /> {t("merchants")}</a>
      <header className="head"><h1>{t("merchant")} <span className="code">{id}</span></h1></header>
      {problem && <Problem problem={problem} again={again} />}
      {!m && loading && <Waiting what={t("reading")} rows={3} />}
      {m && (
        <>
          <p className="go-on"><a href={addressOf(["payments"], queryOf({ merchant: id }))}>{t("itsPayments")}</a> <a href={addressOf(["batches"], new URLSearchParams({ merchant: id }))}>{t("itsBatches")}</a></p>
          <h2>{t("balances")}</h2>
          {m.balances.length === 0 && <p>{t("noBalances")}</p>}
          <dl className="sums">
            {[...m.balances].sort((a) => (a.account === `merchant:${id}` ? -1 : 1)).map((b) => (
              <div key={b.account + b.amount.currency}>
                <dt>{b.account === `merchant:${id}` ? t("owedToMerchant") : accountWord(language, b.account)}</dt>
                <dd className={b.account === `merchant:${id}` ? "big" : undefined}><Money value={b.amount} /></dd>
              </div>
            ))}
          </dl>
          <h2>{t("terminals")}</h2>
          {m.terminals.length > 0 ? <TerminalTable terminals={m.terminals} /> : <p>{t("noTerminalsHere")}</p>}
        </>
      )}
    </section>
  );
}
