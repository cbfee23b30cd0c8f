import { useCallback, useMemo, useState } from "react";
import { call, IconLock, Refused, seal } from "@huika/ui";
import type { PaymentView, PINView } from "../api/pos.ts";
import { Amount } from "../parts/Amount.tsx";
import { useKeys } from "../parts/useKeys.ts";
import { useLeft } from "../parts/useLeft.ts";
import { useTone } from "./Wave.tsx";
import { useWords } from "../words/use.ts";

/** The ten digits in an order that nobody can foretell (Fisher–Yates, without modulo bias). */
export function scrambled(): string[] {
  const out = [..."0123456789"];
  for (let i = out.length - 1; i > 0; i--) {
    const limit = 256 - (256 % (i + 1));
    const draw = new Uint8Array(1);
    do crypto.getRandomValues(draw);
    while ((draw[0] ?? 0) >= limit);
    const j = (draw[0] ?? 0) % (i + 1);
    [out[i], out[j]] = [out[j] ?? "", out[i] ?? ""];
  }
  return out;
}

const bytes = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const base64 = (b: Uint8Array) => btoa(String.fromCharCode(...b));

/** The PIN pad: digits are sealed in the page for the terminal's PIN pad and leave in no other form. */
export function Pin({ payment, pin }: { payment: PaymentView; pin: PINView }) {
  // A new try is a new pad: new places, nothing left of the last one.
  return <Pad key={pin.info} payment={payment} pin={pin} />;
}

function Pad({ payment, pin }: { payment: PaymentView; pin: PINView }) {
  const { t } = useWords();
  const left = useLeft(payment.until);
  const order = useMemo(scrambled, []);
  const [digits, setDigits] = useState("");
  const [sent, setSent] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  useTone(payment.ui);
  const enough = digits.length >= pin.min_digits;

  const submit = useCallback(async () => {
    if (digits.length < pin.min_digits || sent) return;
    setSent(true);
    setProblem(null);
    try {
      const encoder = new TextEncoder();
      const sealed = await seal(bytes(pin.public_key), encoder.encode(pin.info), encoder.encode(digits));
      await call(`/api/pos/payments/${payment.id}/pin`, { try: pin.try, sealed: base64(sealed) });
    } catch (err) {
      setSent(false);
      setProblem(err instanceof Refused ? `${err.message} — ${err.advice}` : String(err));
    }
    setDigits("");
  }, [digits, payment.id, pin, sent]);

  const cancel = useCallback(() => {
    call(`/api/pos/payments/${payment.id}/cancel`, {}).catch((err: unknown) => setProblem(err instanceof Refused ? err.message : String(err)));
  }, [payment.id]);

  const add = useCallback((d: string) => setDigits((now) => (now.length < pin.max_digits ? now + d : now)), [pin.max_digits]);
  useKeys(
    useCallback(
      (key: string) => {
        if (sent) return false;
        if (/^[0-9]$/.test(key)) add(key);
        else if (key === "Backspace") setDigits((d) => d.slice(0, -1));
        else if (key === "Enter") void submit();
        else if (key === "Escape") cancel();
        else return false;
        return true;
      },
      [add, cancel, sent, submit],
    ),
  );
  const key = (d: string) => (
    <button key={d} type="button" className="key num" disabled={sent} onClick={() => add(d)}>
      {d}
    </button>
  );
  return (
    <section className="pin">
      <h1 className="label">
        <IconLock size={18} /> {t("pinTitle")}
      </h1>
      <Amount value={payment.amount} label={t("amount")} />
      <p className="dots num" role="status" aria-label={`${digits.length} ${t("digits")}`}>
        {Array.from({ length: Math.max(6, digits.length) }, (_, i) => (
          <span key={i} data-on={i < digits.length} />
        ))}
      </p>
      <p className="hint" role="alert" data-look={problem !== null || pin.try > 1}>
        {problem ?? (sent ? t("pinSent") : pin.try > 1 && digits === "" ? t("pinWrong") : t("pinHint"))}
      </p>
      <p className="hint num">
        {t("until")} {left} {t("seconds")}
      </p>
      <div className="keypad">
        {order.slice(0, 9).map(key)}
        <button type="button" className="key word" disabled={sent} onClick={() => setDigits("")}>
          {t("pinClear")}
        </button>
        {order.slice(9).map(key)}
        <button type="button" className="key word go" disabled={!enough || sent} onClick={() => void submit()}>
          {t("pinOK")}
        </button>
      </div>
      <button type="button" className="quiet big" onClick={cancel}>
        {t("cancel")}
      </button>
    </section>
  );
}
