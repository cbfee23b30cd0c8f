import { useCallback, useState } from "react";
import { call, IconCheck, IconCross, IconLook, IconPrint, IconReceipt, Refused } from "@huika/ui";
import type { PaymentView, Result, Words } from "../api/pos.ts";
import { Amount } from "../parts/Amount.tsx";
import { useKeys } from "../parts/useKeys.ts";
import { Receipt } from "./Receipt.tsx";
import { Trace } from "./Trace.tsx";
import { useTone } from "./Wave.tsx";
import { useWords } from "../words/use.ts";
import { message, type Word } from "../words/words.ts";

const words: Record<string, Word> = { approved: "approved", declined: "failed", reversed: "reversed", cancelled: "cancelled", try_again: "again", other_interface: "failed" };

type Props = { payment: PaymentView; result: Result; reasons: Words[]; next: (digit: string) => Promise<void> };

/** The result: one word, the amount, why and what next; any digit starts the next sale. */
export function Done({ payment, result, reasons, next }: Props) {
  const { t, language } = useWords();
  const [receipt, setReceipt] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useTone(payment.ui);
  const good = result.outcome === "approved";
  const calm = result.outcome === "cancelled" || result.outcome === "reversed" || result.outcome === "try_again";
  const why = reasons.find((r) => r.reason === result.reason);
  useKeys(
    useCallback(
      (key: string) => {
        if (/^[0-9]$/.test(key)) void next(key);
        else if (key === "Enter" || key === "Escape") void next("");
        else return false;
        return true;
      },
      [next],
    ),
  );
  const show = async () => {
    try {
      setReceipt(await call<string>(`/api/pos/payments/${payment.id}/receipt?lang=${language}`));
    } catch (err) {
      setProblem(err instanceof Refused ? `${err.message} — ${err.advice}` : String(err));
    }
  };
  const cvm: Word | null = result.cvm === "none" ? "pinFree" : result.cvm === "cdcvm" || result.cvm === "online_pin" || result.cvm === "signature" ? result.cvm : null;
  return (
    <section className="done" data-outcome={good ? "good" : calm ? "calm" : "bad"}>
      <span className="mark">{good ? <IconCheck size={56} /> : calm ? <IconLook size={56} /> : <IconCross size={56} />}</span>
      <h1 className="word" role="status" aria-live="assertive">
        {t(words[result.outcome] ?? "failed")}
      </h1>
      <Amount value={result.amount} label={t("amount")} />
      {!good && (
        <p className="why">
          {why ? (language === "zh" ? why.zh : why.en) : message(language, result.message_id ?? "")}
          {why && <b>{language === "zh" ? why.next_zh : why.next_en}</b>}
        </p>
      )}
      <dl className="facts num">
        {result.masked_pan && (<><dt>{t("card")}</dt><dd>{result.masked_pan}</dd></>)}
        {good && cvm && (<><dt>{t("verified")}</dt><dd>{t(cvm)}</dd></>)}
        {result.rrn && (<><dt>{t("rrn")}</dt><dd>{result.rrn}</dd></>)}
        {result.auth_code && (<><dt>{t("auth")}</dt><dd>{result.auth_code}</dd></>)}
        {!good && result.response_code && (<><dt>{t("code")}</dt><dd>{result.response_code}</dd></>)}
      </dl>
      <Trace rows={payment.trace ?? []} />
      {problem && <p className="hint" role="alert" data-look="true">{problem}</p>}
      <div className="row">
        {good && (
          <button type="button" className="quiet" onClick={() => void show()}>
            <IconReceipt /> {t("receipt")}
          </button>
        )}
        {good && (
          <button type="button" className="quiet" onClick={() => void call(`/api/pos/payments/${payment.id}/print?lang=${language}`, {}).catch((e: unknown) => { setProblem(e instanceof Refused ? `${e.message} — ${e.advice}` : String(e)); })}>
            <IconPrint /> {t("print")}
          </button>
        )}
      </div>
      <button type="button" className="go big" autoFocus onClick={() => void next("")}>
        {t("newSale")}
      </button>
      <p className="hint">{t("newSaleHint")}</p>
      {receipt !== null && <Receipt text={receipt} close={() => setReceipt(null)} />}
    </section>
  );
}
