import type { ReactNode } from "react";
import { IconBack, IconCards, IconCheck, IconClock, IconCross, IconHand, IconLook, IconReceipt, IconTrace, IconUndo, IconWave } from "@huika/ui";
import type { Payment, Story, Transfer } from "../api/console.ts";
import { addressOf } from "../frame/route.ts";
import { goesBack } from "../parts/money.ts";
import { Money } from "../parts/Money.tsx";
import { State } from "../parts/State.tsx";
import { When } from "../parts/When.tsx";
import { accountWord, byWord, cvmWord, entryWord, kindWord, moveWord, responseWord } from "../words/terms.ts";
import type { Word } from "../words/words.ts";
import { useWords } from "../words/use.ts";
import { atAcquirer, lineOf, type Item } from "./line.ts";
import { Tap } from "./Tap.tsx";

const icons: Record<Item["what"], typeof IconCheck> = {
  tap: IconWave, admitted: IconReceipt, approved: IconCheck, declined: IconCross, reversal_owed: IconClock, reversed: IconUndo,
  booked: IconCheck, taken_back: IconUndo, followed: IconTrace, asked: IconHand, ended_by_hand: IconLook,
};

const titles: Record<Item["what"], Word> = {
  tap: "stepTap", admitted: "stepAdmitted", approved: "stepApproved", declined: "stepDeclined", reversal_owed: "stepReversalOwed", reversed: "stepReversed",
  booked: "stepBooked", taken_back: "stepTakenBack", followed: "stepFollowed", asked: "stepAsked", ended_by_hand: "stepEnded",
};

/** One vertical line of what happened, when, by whom. Each step opens to what it holds. */
export function Line({ story }: { story: Story }) {
  const { t } = useWords();
  return (
    <section className="line-of" aria-labelledby="line-title">
      <h2 id="line-title">{t("whatHappened")}</h2>
      <ol className="line">
        {lineOf(story).map((item) => <Point key={item.key} item={item} story={story} />)}
        {story.payment.open && <li className="point waits"><span className="dot" aria-hidden="true"><IconClock size={16} /></span><p>{t("waitsHere")}</p></li>}
      </ol>
      {story.partial && <p className="foot">{t("partial")}</p>}
    </section>
  );
}

function Point({ item, story }: { item: Item; story: Story }) {
  const { t, language } = useWords();
  const p = story.payment;
  const Icon = icons[item.what];
  const title = item.what === "followed" && item.follow ? t("stepFollowedBy", kindWord(language, item.follow.kind))
    : item.what === "asked" && item.act ? t(item.act.what === "refund" ? "askedRefund" : item.act.what === "void" ? "askedVoid" : "askedEnd")
    : item.what === "admitted" && p.state === "tombstone" ? t("stepTombstone")
    : item.what === "booked" && p.kind === "completion_advice" ? t("stepAccepted")
    : t(titles[item.what]);
  return (
    <li className="point" data-tone={item.tone}>
      <span className="dot" aria-hidden="true"><Icon size={16} /></span>
      <details open={item.what === "asked" || undefined}>
        <summary>
          <strong>{title}</strong>
          {item.follow && <span> <Money value={item.follow.amount} back={goesBack(item.follow.kind)} /></span>}
          {item.moved?.[0] && <span> <Money value={item.moved[0].amount} /></span>}
          <small>
            {item.at ? <When at={item.at} exact /> : <span>{t("tapTook", tapTook(story))}</span>} · {who(item, story, language, t)}
          </small>
        </summary>
        <div className="inside">{inside(item, story, t, language)}</div>
      </details>
    </li>
  );
}

const tapTook = (s: Story): string => {
  const last = s.trace.at(-1);
  return last ? String(Math.round(last.at_ms + last.took_ms)) : "0";
};

function who(item: Item, s: Story, language: "zh" | "en", t: (w: Word, ...n: (string | number)[]) => string): string {
  const p = item.follow ?? s.payment;
  switch (item.who) {
    case "card": return t("whoCard", s.payment.card ?? "");
    case "terminal": return t("whoTerminal", p.terminal);
    case "host": return t("whoHost");
    case "scheme": return p.scheme ? t("whoScheme", p.scheme) : t("whoHost");
    case "person": return item.act ? byWord(language, item.act.by) : t("whoPerson");
  }
}

function inside(item: Item, s: Story, t: (w: Word, ...n: (string | number)[]) => string, language: "zh" | "en"): ReactNode {
  const p = s.payment;
  switch (item.what) {
    case "tap": return <Tap rows={s.trace} />;
    case "admitted": return <><p>{t(p.state === "tombstone" ? "sayTombstone" : "sayAdmitted")}</p><Fields p={p} of="request" /></>;
    case "approved": return <><p>{t("sayApproved")}</p><Fields p={p} of="answer" /></>;
    case "declined": return <><p>{t("sayDeclined")}</p><Fields p={p} of="answer" /></>;
    case "booked": return <><Fields p={p} of="answer" /><Postings moved={item.moved ?? []} /></>;
    case "taken_back": return <><p>{t("sayTakenBack")}</p><Postings moved={item.moved ?? []} /></>;
    case "reversal_owed": return <><p>{t("sayReversalOwed")}</p><Fields p={p} of="reversal" /></>;
    case "reversed": return <><p>{t(item.act ? "sayReversedByHand" : "sayReversed")}</p><Fields p={p} of="reversal" /></>;
    case "ended_by_hand": return <p>{t("sayEnded")}</p>;
    case "followed": return item.follow ? <p><State state={item.follow.state} /> · <a href={addressOf(["payments", item.follow.ref])}>{t("openIt", kindWord(language, item.follow.kind))} <IconBack size={16} /></a></p> : <p>{item.text}</p>;
    case "asked": return item.act ? <blockquote>{item.act.reason}</blockquote> : <p>{item.text}</p>;
  }
}

/** The message's fields that the books keep, by their ISO 8583 names, decoded. */
function Fields({ p, of }: { p: Payment; of: "request" | "answer" | "reversal" }) {
  const { t, language } = useWords();
  const rows: [string, string, ReactNode][] =
    of === "request"
      ? [
          ["F2", t("card"), p.card && <span className="code">{p.card}</span>],
          ["F4", t("amount"), <Money key="a" value={p.amount} />],
          ["F11", t("stan"), <span key="s" className="code">{p.stan}</span>],
          ["F22", t("entry"), p.entry && <><span className="code">{p.entry}</span> {entryWord(language, p.entry)}</>],
          ["F41", t("terminal"), <span key="t" className="code">{p.terminal}</span>],
          ["F42", t("merchant"), <span key="m" className="code">{p.merchant}</span>],
          ["F60.2", t("batch"), <><span className="code">{p.batch}</span>{atAcquirer(p) && <> {t("batchAtAcquirer")}</>}</>],
          ["", t("cvm"), p.cvm && cvmWord(language, p.cvm)],
          ["", t("paymentID"), p.id && <span className="code">{p.id}</span>],
        ]
      : of === "answer"
        ? [
            ["F39", t("response"), p.response && <><span className="code">{p.response}</span> {responseWord(language, p.response)}</>],
            ["F37", t("rrn"), p.rrn && <span className="code">{p.rrn}</span>],
            ["F38", t("authCode"), p.auth_code && <span className="code">{p.auth_code}</span>],
          ]
        : [["F39", t("reversalReason"), p.reversal_reason && <><span className="code">{p.reversal_reason}</span> {responseWord(language, p.reversal_reason)}</>]];
  const there = rows.filter(([, , v]) => v);
  if (there.length === 0) return null;
  return (
    <dl className="fields">
      {there.map(([f, name, v]) => (
        <div key={f + name}>
          <dt>{f && <span className="code tag">{f}</span>} {name}</dt>
          <dd>{v}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What moved in the books: from which account to which, at its place in the merchant's chain. */
function Postings({ moved }: { moved: Transfer[] }) {
  const { t, language } = useWords();
  if (moved.length === 0) return null;
  return (
    <ul className="postings" aria-label={t("postings")}>
      {moved.map((m) => (
        <li key={m.seq}>
          <strong>{moveWord(language, m.what)}</strong> <Money value={m.amount} />
          <p><span className="code">{accountWord(language, m.debit)}</span> <span aria-hidden="true">→</span><span className="quiet-for-eyes">{t("to")}</span> <span className="code">{accountWord(language, m.credit)}</span></p>
          <p className="faint-line"><IconCards size={16} /> {t("chain", m.seq)} <span className="code" title={m.hash}>{m.hash.slice(0, 16)}…</span></p>
        </li>
      ))}
    </ul>
  );
}
