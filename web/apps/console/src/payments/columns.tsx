import type { Language } from "@huika/ui";
import type { Payment } from "../api/console.ts";
import { goesBack, isZero } from "../parts/money.ts";
import { Money } from "../parts/Money.tsx";
import { State } from "../parts/State.tsx";
import type { Column } from "../parts/Table.tsx";
import { When } from "../parts/When.tsx";
import { cvmWord, entryWord, kindWord, responseWord } from "../words/terms.ts";
import type { Word } from "../words/words.ts";

/** Every column of the list of payments, in the order in which they stand. The first always shows. */
export function columns(language: Language, t: (w: Word) => string): Column<Payment>[] {
  return [
    { name: "amount", head: t("amount"), end: true, lead: true, cell: (p) => <Money value={p.amount} back={goesBack(p.kind)} /> },
    { name: "state", head: t("state"), cell: (p) => <State state={p.state} /> },
    { name: "kind", head: t("kind"), cell: (p) => kindWord(language, p.kind) },
    { name: "admitted", head: t("time"), cell: (p) => <When at={p.admitted} /> },
    { name: "card", head: t("card"), cell: (p) => p.card && <span className="code">{p.card.slice(0, 6)}<span className="faint">***</span>{p.card.slice(-4)}</span> },
    { name: "response", head: t("response"), cell: (p) => p.response && <span><span className="code">{p.response}</span> {p.response !== "00" && <span className="quiet-ink">{responseWord(language, p.response)}</span>}</span> },
    { name: "merchant", head: t("merchant"), cell: (p) => <span className="code">{p.merchant}</span> },
    { name: "terminal", head: t("terminal"), cell: (p) => <span className="code">{p.terminal}</span> },
    { name: "batch", head: t("batch"), cell: (p) => <span className="code">{p.batch}</span> },
    { name: "stan", head: t("stan"), cell: (p) => <span className="code">{p.stan}</span> },
    { name: "rrn", head: t("rrn"), cell: (p) => p.rrn && <span className="code">{p.rrn}</span> },
    { name: "scheme", head: t("scheme"), cell: (p) => p.scheme },
    { name: "given_back", head: t("givenBack"), end: true, cell: (p) => !isZero(p.given_back) && <Money value={p.given_back} /> },
    { name: "fee", head: t("fee"), end: true, cell: (p) => !isZero(p.fee) && <Money value={p.fee} /> },
    { name: "auth_code", head: t("authCode"), cell: (p) => p.auth_code && <span className="code">{p.auth_code}</span> },
    { name: "entry", head: t("entry"), cell: (p) => p.entry && entryWord(language, p.entry) },
    { name: "cvm", head: t("cvm"), cell: (p) => p.cvm && cvmWord(language, p.cvm) },
  ];
}

/** The columns that show until a person chooses others. */
export const firstColumns = ["amount", "state", "kind", "admitted", "card", "response", "merchant", "terminal", "rrn"];
