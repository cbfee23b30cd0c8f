import { Button, Dropdown } from "antd";
import { useCallback, useEffect, useRef, useState } from "react";
import { ask, IconDownload, IconUndo, type Refused } from "@huika/ui";
import type { Payment, SearchOutputBody } from "../api/console.ts";
import { useLiveValue } from "../api/live.ts";
import { refusedOf } from "../api/useAsk.ts";
import { MOST_ROWS, usePages } from "../api/usePages.ts";
import { addressOf, go, replace } from "../frame/route.ts";
import { Nothing, Notice, Problem } from "../parts/Notice.tsx";
import { Table, Waiting } from "../parts/Table.tsx";
import { useKeys } from "../parts/useKeys.ts";
import { clock, zone } from "../parts/When.tsx";
import { useWords } from "../words/use.ts";
import { Choose, useColumns } from "./Choose.tsx";
import { columns } from "./columns.tsx";
import { filterOf, queryOf, type Filter } from "./filter.ts";
import { Filters } from "./Filters.tsx";
import { Views } from "./Views.tsx";

const PAGE = 50;
const EXPORT_MS = 90_000;

// The row that was opened last, so that the way back finds it.
let opened: string | null = null;

/** Payments: filters in the address, the newest first, each row the way to its story. */
export function Payments({ query }: { query: URLSearchParams }) {
  const { t, language } = useWords();
  const filter = filterOf(query);
  const q = queryOf(filter);
  const url = `/api/v1/payments?${new URLSearchParams([...q, ["limit", String(PAGE)]])}`;
  const list = usePages<SearchOutputBody, Payment>(url, (b) => b.payments);
  const [chosen, choose] = useColumns();
  const search = useRef<HTMLInputElement | null>(null);
  const [exporting, setExporting] = useState(false);
  const [failed, setFailed] = useState<Refused | null>(null);
  const all = columns(language, t);
  const set = (f: Filter, typing = false) => (typing ? replace : go)(["payments"], queryOf(f));

  const again = list.again;
  useKeys(
    useCallback(
      (key) => {
        if (key === "/") search.current?.focus();
        else if (key === "r") again();
        else if (key === "ArrowDown" && !document.activeElement?.closest("tbody")) document.querySelector<HTMLElement>("tbody a")?.focus();
        else return false;
        return true;
      },
      [again],
    ),
  );

  const save = async (format: "csv" | "xlsx") => {
    setExporting(true);
    setFailed(null);
    try {
      const answer = await ask(`/api/v1/payments/export?${new URLSearchParams([...q, ["format", format]])}`, undefined, { patience: EXPORT_MS });
      const address = URL.createObjectURL(await answer.blob());
      const a = document.createElement("a");
      a.href = address;
      a.download = `huika-payments.${format}`;
      a.click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000); // by then the browser has it
    } catch (err) {
      setFailed(refusedOf(err));
    }
    setExporting(false);
  };

  return (
    <section className="page">
      <header className="head">
        <h1>{t("payments")}</h1>
        <Newer since={list.at} again={list.again} />
        <div className="tools">
          <Button onClick={list.again} loading={list.loading && list.rows.length > 0} icon={<IconUndo size={16} />}>{t("refresh")}</Button>
          <Choose all={all} chosen={chosen} choose={choose} />
          <Dropdown trigger={["click"]} menu={{ items: [{ key: "csv", label: t("exportCSV") }, { key: "xlsx", label: t("exportXLSX") }], onClick: ({ key }) => void save(key as "csv" | "xlsx") }}>
            <Button loading={exporting} icon={<IconDownload size={16} />} aria-haspopup="menu">{t("export")}</Button>
          </Dropdown>
        </div>
      </header>
      <Views filter={filter} set={set} />
      <Filters filter={filter} set={set} search={search} />
      {failed && <Problem problem={failed} />}
      {list.problem && <Problem problem={list.problem} again={list.rows.length ? list.more : list.again} />}
      {list.rows.length > 0 && (
        <Table label={t("payments")} columns={all.filter((c) => c.lead || chosen.includes(c.name))} rows={list.rows} id={(p) => p.ref}
          open={(p) => addressOf(["payments", p.ref])} last={opened} onMark={(id) => (opened = id)}>
          {list.next && !list.full && <More list={list} />}
        </Table>
      )}
      {list.loading && list.rows.length === 0 && <Waiting what={t("searching")} />}
      {!list.loading && !list.problem && list.rows.length === 0 && !list.next && (
        <Nothing title={q.size ? t("noneFound") : t("noPayments")}>
          {q.size ? <Button onClick={() => set({})}>{t("allPayments")}</Button> : <p>{t("noPaymentsHint")}</p>}
        </Nothing>
      )}
      {list.rows.length === 0 && list.next && <More list={list} />}
      {list.full && list.next && <Notice tone="look" title={t("fullList", MOST_ROWS)}><p>{t("fullListHint")}</p></Notice>}
      {list.rows.length > 0 && (
        <p className="foot">
          <span role="status">{list.next ? t("shown", list.rows.length) : t("shownAll", list.rows.length)}</span> · {t("asOf", clock(language, list.at))} · {t("zone", zone(language))}
          <span className="keys"> · {t("keys")}</span>
        </p>
      )}
    </section>
  );
}

/** Goes on when its place comes into sight, and by its button. */
function More({ list }: { list: { more: () => void; loading: boolean; rows: readonly unknown[] } }) {
  const { t } = useWords();
  const place = useRef<HTMLDivElement>(null);
  const more = useRef(list.more);
  more.current = list.more;
  useEffect(() => {
    const seen = new IntersectionObserver((e) => e.some((x) => x.isIntersecting) && more.current(), { rootMargin: "400px" });
    if (place.current && list.rows.length > 0) seen.observe(place.current);
    return () => seen.disconnect();
  }, [list.rows.length]);
  return (
    <div ref={place} className="more">
      <Button onClick={list.more} loading={list.loading}>{list.rows.length ? t("more") : t("searchOn")}</Button>
    </div>
  );
}

/** How many payments came since the list was read. The list itself stands still under the hand. */
function Newer({ since, again }: { since: number; again: () => void }) {
  const { t } = useWords();
  const n = useLiveValue((l) => l.samples.reduce((sum, s) => (Date.parse(s.at) > since + 1000 ? sum + s.admitted : sum), 0));
  if (!since || n === 0) return null;
  return (
    <button type="button" className="chip newer" onClick={again}>
      {t("newer", n)}
    </button>
  );
}
