import { Button, Drawer, Input } from "antd";
import { useMemo, useRef, useState } from "react";
import type { Refused } from "@huika/ui";
import { act, forget, pending, uncertain } from "../api/act.ts";
import type { FollowOutputBody, MerchantDetail, Payment, RefundInputBody, Story } from "../api/console.ts";
import { refusedOf, useAsk } from "../api/useAsk.ts";
import { add, effectOf, inWords, isZero, none, typed } from "../parts/money.ts";
import { Money } from "../parts/Money.tsx";
import { Problem } from "../parts/Notice.tsx";
import { kindWord } from "../words/terms.ts";
import { useWords } from "../words/use.ts";

const PATIENCE_MS = 60_000; // the scheme is asked meanwhile

/** Asks for a refund or a void: how much, why, and what it will do to the money before it does it. */
export function GiveBack({ what, story, url, close }: { what: "refund" | "void"; story: Story; url: string; close: (made?: Payment) => void }) {
  const { t, language } = useWords();
  const p = story.payment;
  const had = useMemo(() => pending<RefundInputBody>(url), [url]);
  const [text, setText] = useState(had?.amount ?? story.left.amount);
  const [reason, setReason] = useState(had?.reason ?? "");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Refused | null>(null);
  const [locked, setLocked] = useState(had !== null); // its answer is not certain: only the same may be asked
  const pressed = useRef(false);
  const { answer: merchant } = useAsk<MerchantDetail>(`/api/v1/merchants/${encodeURIComponent(p.merchant)}`);

  const hold = p.kind === "preauth";
  const whole = what === "void" ? p.amount : story.left;
  const amount = what === "void" ? p.amount : locked && had?.amount ? { amount: had.amount, currency: p.amount.currency } : typed(text, story.left);
  const returned = story.follow_ups.filter((f) => f.state === "approved");
  const feeBack = returned.length ? add(...returned.map((f) => f.fee)) : none(p.amount);
  const effect = amount && !hold ? effectOf(p, amount, whole, feeBack) : null;
  const balance = merchant?.balances.find((b) => b.account === `merchant:${p.merchant}` && b.amount.currency === p.amount.currency)?.amount;
  const title = what === "refund" ? t("refund") : hold ? t("cancelPreauth") : t("void");
  const ready = amount !== null && reason.trim() !== "";

  const send = async () => {
    if (pressed.current || !ready) return; // the second click of two is the first one
    pressed.current = true;
    setBusy(true);
    setProblem(null);
    try {
      const body: RefundInputBody = what === "void" ? { reason: reason.trim() } : { amount: amount.amount, reason: reason.trim() };
      const made = await act<FollowOutputBody>(url, body, PATIENCE_MS);
      close(made.payment);
      return;
    } catch (err) {
      const r = refusedOf(err);
      setProblem(r);
      setLocked(uncertain(r));
    }
    pressed.current = false;
    setBusy(false);
  };
  const narrow = innerWidth < 720;
  return (
    <Drawer open title={title} onClose={() => !busy && close()} placement={narrow ? "bottom" : "right"} size={narrow ? "100%" : 460} mask={{ closable: false }} rootClassName="giveback"
      footer={
        <div className="row">
          <Button onClick={() => close()} disabled={busy}>{t("notNow")}</Button>
          <Button type="primary" size="large" htmlType="submit" form="give-back" loading={busy} disabled={!ready}>
            {amount ? `${title} ${inWords(amount)}` : title}
          </Button>
        </div>
      }>
      <form id="give-back" onSubmit={(e) => { e.preventDefault(); void send(); }}>
        <p className="of">{kindWord(language, p.kind)} <Money value={p.amount} /> · <span className="code">{p.card}</span></p>
        {what === "refund" && (
          <label className="field">
            <span>{t("howMuch", inWords(story.left))}</span>
            <Input size="large" className="num" inputMode="decimal" prefix={p.amount.currency === "CNY" ? "¥" : p.amount.currency} value={text} disabled={locked || busy} autoFocus
              status={amount ? "" : "error"} onChange={(e) => setText(e.target.value)} aria-invalid={amount === null} aria-describedby="how-much-says" />
            <span id="how-much-says" className="says" data-look={amount === null}>{amount === null ? t("howMuchNot", inWords(story.left)) : ""}</span>
          </label>
        )}
        <section className="effect" aria-live="polite">
          <h2>{t("effect")}</h2>
          {!amount && <p>{t("effectNone")}</p>}
          {amount && hold && <dl><dt>{t("effectHold")}</dt><dd><Money value={p.hold} /></dd></dl>}
          {effect && (
            <dl>
              <dt>{t("effectCustomer")}</dt><dd className="go-ink">+<Money value={effect.customer} /></dd>
              {!isZero(effect.fee) && <><dt>{t("effectFee")}</dt><dd>+<Money value={effect.fee} /></dd></>}
              <dt>{t("effectMerchant")}</dt><dd className="look-ink"><Money value={effect.merchant} /></dd>
              {balance && <><dt>{t("effectBalance")}</dt><dd><Money value={balance} /> → <Money value={add(balance, effect.merchant)} /></dd></>}
              <dt>{t("effectLeft")}</dt><dd><Money value={whole} /> → <Money value={effect.left} /></dd>
            </dl>
          )}
          {!isZero(p.pending_back) && <p>{t("effectPending")}</p>}
        </section>
        <label className="field">
          <span>{t("why")}</span>
          <Input.TextArea rows={3} maxLength={500} value={reason} disabled={locked || busy} autoFocus={what === "void"} onChange={(e) => setReason(e.target.value)} placeholder={t("whyHint")} />
        </label>
        {!locked && (
          <p className="reasons">
            {(["whyReturned", "whyTwice", "whyWrong", "whyUnserved"] as const).map((w) => (
              <button key={w} type="button" className="chip" onClick={() => setReason(t(w))}>{t(w)}</button>
            ))}
          </p>
        )}
        {busy && <p role="status" className="lead">{t("askingScheme", PATIENCE_MS / 1000)}</p>}
        {problem && <Problem problem={problem} />}
        {locked && !busy && (
          <p className="lead">
            {t("sameAgain")} <button type="button" className="plain" onClick={() => { forget(url); close(); }}>{t("lookedAndForget")}</button>
          </p>
        )}
      </form>
    </Drawer>
  );
}
