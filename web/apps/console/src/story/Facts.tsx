import type { ReactNode } from "react";
import type { Payment, Story } from "../api/console.ts";
import { queryOf } from "../payments/filter.ts";
import { addressOf } from "../frame/route.ts";
import { goesBack, isZero } from "../parts/money.ts";
import { Money } from "../parts/Money.tsx";
import { State } from "../parts/State.tsx";
import { When } from "../parts/When.tsx";
import { cvmWord, entryWord, kindWord, responseWord } from "../words/terms.ts";
import { useWords } from "../words/use.ts";
import { atAcquirer } from "./line.ts";

/** What is known of the payment, each with the way to more of its kind. */
export function Facts({ story }: { story: Story }) {
  const { t, language } = useWords();
  const p = story.payment;
  const rows: [string, ReactNode][] = [
    [t("card"), p.card && <a className="code" href={addressOf(["payments"], queryOf({ last4: p.card.slice(-4) }))}>{p.card}</a>],
    [t("entry"), p.entry && entryWord(language, p.entry)],
    [t("cvm"), p.cvm && cvmWord(language, p.cvm)],
    [t("response"), p.response && <><span className="code">{p.response}</span> {responseWord(language, p.response)}</>],
    [t("authCode"), p.auth_code && <span className="code">{p.auth_code}</span>],
    [t("rrn"), p.rrn && <span className="code">{p.rrn}</span>],
    [t("scheme"), p.scheme && <a href={addressOf(["payments"], queryOf({ scheme: p.scheme }))}>{p.scheme}</a>],
    [t("merchant"), <a key="m" className="code" href={addressOf(["merchants", p.merchant])}>{p.merchant}</a>],
    [t("terminal"), <a key="t" className="code" href={addressOf(["payments"], queryOf({ terminal: p.terminal }))}>{p.terminal}</a>],
    [t("batch"), atAcquirer(p) ? <span className="code">{p.batch}</span> : <a className="code" href={addressOf(["batches", p.merchant, p.terminal, p.batch])}>{p.batch}</a>],
    [t("stan"), <span key="s" className="code">{p.stan}</span>],
    [t("fee"), !isZero(p.fee) && <><Money value={p.fee} />{p.fee_rule && <small> {p.fee_rule}</small>}</>],
    [t("hold"), !isZero(p.hold) && <Money value={p.hold} />],
    [t("pendingBack"), !isZero(p.pending_back) && <Money value={p.pending_back} />],
    [t("updated"), <When key="u" at={p.updated} />],
    [t("paymentID"), p.id && <span className="code wrap">{p.id}</span>],
  ];
  return (
    <aside className="facts" aria-label={t("facts")}>
      {story.original && <Other title={t("original")} p={story.original} />}
      {story.follow_ups.length > 0 && (
        <section>
          <h2>{t("followUps")}</h2>
          {story.follow_ups.map((f) => <Other key={f.ref} p={f} />)}
        </section>
      )}
      <section>
        <h2>{t("facts")}</h2>
        <dl>
          {rows.filter(([, v]) => v).map(([name, v]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{v}</dd>
            </div>
          ))}
        </dl>
      </section>
    </aside>
  );
}

/** Another payment of the same story. */
function Other({ title, p }: { title?: string; p: Payment }) {
  const { language } = useWords();
  return (
    <section className="other">
      {title && <h2>{title}</h2>}
      <a href={addressOf(["payments", p.ref])}>
        <strong>{kindWord(language, p.kind)} <Money value={p.amount} back={goesBack(p.kind)} /></strong>
        <span><State state={p.state} /> <When at={p.admitted} /></span>
      </a>
    </section>
  );
}
