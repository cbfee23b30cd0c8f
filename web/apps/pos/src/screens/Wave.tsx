import { useCallback, useEffect, useState } from "react";
import { call, IconWave, play, Refused } from "@huika/ui";
import type { CancelOutputBody, PaymentView, ReaderView, Words } from "../api/pos.ts";
import { Amount } from "../parts/Amount.tsx";
import { useKeys } from "../parts/useKeys.ts";
import { useLeft } from "../parts/useLeft.ts";
import { Trace } from "./Trace.tsx";
import { useWords } from "../words/use.ts";
import { condition, message } from "../words/words.ts";

let sounded = 0; // number of the last request whose tone was played: a tone sounds once

/** Plays the tone of each new user interface request. */
export function useTone(ui: PaymentView["ui"]): void {
  const seq = ui?.seq ?? 0;
  const tone = ui?.tone;
  useEffect(() => {
    if (seq === sounded) return;
    sounded = seq;
    if (tone === "success" || tone === "alert") play(tone);
  }, [seq, tone]);
}

/** The tap: lights on top, where to hold the card, what the reader says, a way out. */
export function Wave({ payment, reader, reasons }: { payment: PaymentView; reader: ReaderView; reasons: Words[] }) {
  const { t, language } = useWords();
  const left = useLeft(payment.until);
  const [answer, setAnswer] = useState<string | null>(null);
  useTone(payment.ui);
  const asking = payment.phase === "host";

  const cancel = useCallback(async () => {
    setAnswer(t("cancelling"));
    try {
      const r = await call<CancelOutputBody>(`/api/pos/payments/${payment.id}/cancel`, {});
      setAnswer(r.cancelled ? t("cancelled") : t(r.why === "ended" ? "cancelEnded" : "cancelLate"));
    } catch (err) {
      setAnswer(err instanceof Refused ? `${err.message} — ${err.advice}` : String(err));
    }
  }, [payment.id, t]);
  useKeys(useCallback((key: string) => key === "Escape" && (void cancel(), true), [cancel]));

  const lights = payment.ui?.lights ?? ["off", "off", "off", "off"];
  const broken = reader.condition !== "ready" && reader.condition !== "busy";
  const notice = reasons.find((r) => r.reason === payment.notice);
  const words = broken ? condition(language, reader.condition) : asking ? t("authorising") : message(language, payment.ui?.message_id ?? "15");
  return (
    <section className="wave" data-phase={payment.phase} data-status={payment.ui?.status}>
      <div className="lights" role="img" aria-label={words}>
        {lights.map((l, i) => (
          <span key={i} className="light" data-light={l} style={{ animationDelay: `${i * 90}ms` }} />
        ))}
      </div>
      <Amount value={payment.amount} label={t("amount")} />
      <div className="field" aria-hidden="true">
        <span className="ring" />
        <span className="ring" />
        <span className="ring" />
        <span className="spot">
          <IconWave size={48} />
        </span>
      </div>
      <p className="says" role="status" aria-live="assertive" data-look={broken || payment.ui?.tone === "alert"}>
        {words}
      </p>
      {notice && <p className="hint">{language === "zh" ? `${notice.zh} ${notice.next_zh}` : `${notice.en} ${notice.next_en}`}</p>}
      <p className="hint num">
        {t("until")} {left} {t("seconds")}
      </p>
      <Trace rows={payment.trace ?? []} />
      <p className="hint" role="status" aria-live="polite">
        {answer ?? (payment.cancellable ? "" : t("cancelLate"))}
      </p>
      <button type="button" className="quiet big" disabled={!payment.cancellable} onClick={() => void cancel()}>
        {t("cancel")}
      </button>
    </section>
  );
}
