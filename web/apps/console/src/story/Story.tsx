import { useCallback, useState } from "react";
import { IconBack, IconUndo } from "@huika/ui";
import { Button } from "antd";
import { pending } from "../api/act.ts";
import type { RefundInputBody, Story as Told, VoidInputBody } from "../api/console.ts";
import { useAsk } from "../api/useAsk.ts";
import { addressOf, back, go } from "../frame/route.ts";
import { goesBack, isZero } from "../parts/money.ts";
import { Money } from "../parts/Money.tsx";
import { Notice, Problem } from "../parts/Notice.tsx";
import { State } from "../parts/State.tsx";
import { Waiting } from "../parts/Table.tsx";
import { useKeys } from "../parts/useKeys.ts";
import { When } from "../parts/When.tsx";
import { kindWord, responseWord } from "../words/terms.ts";
import { useWords } from "../words/use.ts";
import { GiveBack } from "./GiveBack.tsx";
import { Facts } from "./Facts.tsx";
import { Line } from "./Line.tsx";

const OPEN_MS = 2000; // a payment that is still being finished is read again after this

/** One payment's whole story. */
export function Story({ paymentRef }: { paymentRef: string }) {
  const { t, language } = useWords();
  const url = `/api/v1/payments/${encodeURIComponent(paymentRef)}`;
  const [open, setOpen] = useState(false);
  const { answer: story, problem, loading, again } = useAsk<Told>(url, open ? OPEN_MS : 0);
  const [asking, setAsking] = useState<"refund" | "void" | null>(null);
  const [done, setDone] = useState<Told["payment"] | null>(null);
  const still = story?.payment.open === true || story?.follow_ups.some((f) => f.open) === true;
  if (still !== open) setOpen(still);

  useKeys(
    useCallback((key) => {
      if (key !== "Escape" && key !== "Backspace") return false;
      back(["payments"]);
      return true;
    }, []),
  );

  const way = (
    <a className="back" href={addressOf(["payments"])} onClick={(e) => { e.preventDefault(); back(["payments"]); }}>
      <IconBack size={16} /> {t("backToPayments")}
    </a>
  );
  if (!story) {
    return (
      <section className="page">
        {way}
        {problem ? <Problem problem={problem} again={again} /> : loading && <Waiting what={t("reading")} />}
      </section>
    );
  }
  const p = story.payment;
  const unsure = (["refund", "void"] as const).find((what) => pending<RefundInputBody | VoidInputBody>(`${url}/${what}`) !== null);
  const acts = story.may.filter((m, i, all) => all.indexOf(m) === i);
  return (
    <section className="page story">
      {way}
      <header className="told">
        <h1>
          <Money value={p.amount} back={goesBack(p.kind)} size="big" />
          <span className="quiet-for-eyes">{kindWord(language, p.kind)}</span>
        </h1>
        <p className="what">
          <State state={p.state} /> <span>{kindWord(language, p.kind)}</span> <When at={p.admitted} />
        </p>
        {p.state === "declined" && p.response && <p className="lead">{t("declinedAs", p.response, responseWord(language, p.response))}</p>}
        {!isZero(p.given_back) && <p className="lead">{t("givenBackOf")} <Money value={p.given_back} />{!isZero(story.left) && <>, {t("leftOf")} <Money value={story.left} /></>}</p>}
        {acts.length > 0 && (
          <p className="acts">
            {acts.includes("refund") && <Button size="large" onClick={() => setAsking("refund")} icon={<IconUndo size={16} />}>{t("refund")}</Button>}
            {acts.includes("void") && <Button size="large" onClick={() => setAsking("void")}>{p.kind === "preauth" ? t("cancelPreauth") : t("void")}</Button>}
          </p>
        )}
      </header>
      {problem && <Problem problem={problem} again={again} />}
      {done && <Outcome payment={done} />}
      {unsure && !asking && (
        <Notice tone="look" title={t("unsure", t(unsure))}>
          <p>{t("unsureHint")}</p>
          <button type="button" className="plain" onClick={() => setAsking(unsure)}>{t("askAgain")}</button>
        </Notice>
      )}
      {story.letter && (
        <Notice tone="look" title={t("letterHere", story.letter.tries)}>
          <p><a href={addressOf(["dead-letters"])}>{t("letterGo")}</a></p>
        </Notice>
      )}
      {p.open && !story.letter && <Notice tone="look" title={t("stillOpen")}><p>{t("stillOpenHint")}</p></Notice>}
      <div className="two">
        <Line story={story} />
        <Facts story={story} />
      </div>
      {asking && (
        <GiveBack what={asking} story={story} url={`${url}/${asking}`} close={(made) => {
          setAsking(null);
          if (made) setDone(made);
          again();
        }} />
      )}
    </section>
  );
}

/** What became of the refund or void that was asked for on this page. */
function Outcome({ payment: p }: { payment: Told["payment"] }) {
  const { t, language } = useWords();
  const word = kindWord(language, p.kind);
  const to = <p><button type="button" className="plain" onClick={() => go(["payments", p.ref])}>{t("openIt", word)}</button></p>;
  if (p.state === "approved") return <Notice tone="go" title={t("outcomeDone", word)}>{to}</Notice>;
  if (p.state === "declined") return <Notice tone="look" title={t("outcomeDeclined", word, p.response ? responseWord(language, p.response) : "")}>{to}</Notice>;
  return <Notice tone="look" title={t("outcomeOpen", word)}>{to}</Notice>;
}
