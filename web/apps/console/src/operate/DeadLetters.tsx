import { Button, Drawer, Input } from "antd";
import { useRef, useState } from "react";
import type { Refused } from "@huika/ui";
import { act } from "../api/act.ts";
import type { DeadLettersOutputBody, EndOutputBody, Letter } from "../api/console.ts";
import { refusedOf, useAsk } from "../api/useAsk.ts";
import { addressOf } from "../frame/route.ts";
import { inWords } from "../parts/money.ts";
import { Money } from "../parts/Money.tsx";
import { Nothing, Notice, Problem } from "../parts/Notice.tsx";
import { Waiting } from "../parts/Table.tsx";
import { When } from "../parts/When.tsx";
import { kindWord, responseWord } from "../words/terms.ts";
import { useWords } from "../words/use.ts";

const EVERY_MS = 5000;

/** What schemes keep refusing: a person puts it right outside, says so here with a reason, and the host stops trying. */
export function DeadLetters() {
  const { t, language } = useWords();
  const { answer, problem, loading, again } = useAsk<DeadLettersOutputBody>("/api/v1/dead-letters", EVERY_MS);
  const [ending, setEnding] = useState<Letter | null>(null);
  const [ended, setEnded] = useState<string | null>(null);
  return (
    <section className="page">
      <header className="head"><h1>{t("deadLetters")}</h1></header>
      <p className="lead">{t("deadLettersHint")}</p>
      {ended && <Notice tone="go" title={t("endedNow")}><p><a href={addressOf(["payments", ended])}>{t("itsStory")}</a></p></Notice>}
      {problem && <Problem problem={problem} again={again} />}
      {!answer && loading && <Waiting what={t("reading")} rows={3} />}
      {answer && answer.letters.length === 0 && <Nothing title={t("noLetters")}><p>{t("noLettersHint")}</p></Nothing>}
      <ul className="letters">
        {answer?.letters.map((l) => (
          <li key={l.payment.ref} className="letter">
            <p className="lead"><Money value={l.payment.amount} /></p>
            <div>
              <p><strong>{t(l.owed === "reversal" ? "owesReversal" : "owesAdvice", l.payment.scheme ?? "")}</strong> {kindWord(language, l.payment.kind)} <span className="code">{l.payment.card}</span></p>
              <p className="quiet-ink">{t("triedTimes", l.tries)} · {t("lastTry")} <When at={l.last} /> · {l.code ? `${l.code} ${responseWord(language, l.code)}` : t("noAnswer")} · {t("owedSince")} <When at={l.since} /></p>
              <p className="go-on"><a href={addressOf(["payments", l.payment.ref])}>{t("itsStory")}</a> <Button onClick={() => setEnding(l)}>{t("endIt")}</Button></p>
            </div>
          </li>
        ))}
      </ul>
      {ending && <End letter={ending} close={(ref) => { setEnding(null); if (ref) setEnded(ref); again(); }} />}
    </section>
  );
}

/** Ends one on a person's word, after saying what that means for the money. */
export function End({ letter, close }: { letter: Letter; close: (ref?: string) => void }) {
  const { t } = useWords();
  const p = letter.payment;
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Refused | null>(null);
  const pressed = useRef(false);
  const send = async () => {
    if (pressed.current || !reason.trim()) return;
    pressed.current = true;
    setBusy(true);
    setProblem(null);
    try {
      await act<EndOutputBody>(`/api/v1/dead-letters/${encodeURIComponent(p.ref)}/end`, { reason: reason.trim() });
      close(p.ref);
      return;
    } catch (err) {
      setProblem(refusedOf(err));
    }
    pressed.current = false;
    setBusy(false);
  };
  const narrow = innerWidth < 720;
  return (
    <Drawer open title={t("endIt")} onClose={() => !busy && close()} placement={narrow ? "bottom" : "right"} size={narrow ? "100%" : 460} mask={{ closable: false }}
      footer={
        <div className="row">
          <Button onClick={() => close()} disabled={busy}>{t("notNow")}</Button>
          <Button type="primary" danger size="large" htmlType="submit" form="end" loading={busy} disabled={!reason.trim()}>{t("endIt")}</Button>
        </div>
      }>
      <form id="end" onSubmit={(e) => { e.preventDefault(); void send(); }}>
        <section className="effect">
          <h2>{t("effect")}</h2>
          <p>{t(letter.owed === "reversal" ? "endEffectReversal" : "endEffectAdvice", inWords(p.amount))}</p>
        </section>
        <label className="field">
          <span>{t("endWhy")}</span>
          <Input.TextArea rows={4} maxLength={500} value={reason} autoFocus disabled={busy} onChange={(e) => setReason(e.target.value)} placeholder={t("endWhyHint")} />
        </label>
        {problem && <Problem problem={problem} />}
      </form>
    </Drawer>
  );
}
