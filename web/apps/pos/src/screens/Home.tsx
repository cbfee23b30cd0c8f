import { useCallback } from "react";
import { IconBack, IconWave, unlockSound } from "@huika/ui";
import { Amount } from "../parts/Amount.tsx";
import { useKeys } from "../parts/useKeys.ts";
import { useWords } from "../words/use.ts";

const MAX_WHOLE = 10; // digits before the point

/** What an amount becomes when a key is pressed; the same text where the key does not fit. */
export function press(amount: string, key: string): string {
  if (key === "Backspace") return amount.slice(0, -1);
  const [whole = "", cents] = amount.split(".");
  if (key === ".") return amount.includes(".") ? amount : `${whole || "0"}.`;
  if (cents !== undefined) return cents.length < 2 ? amount + key : amount;
  if (amount === "0") return key;
  return whole.length < MAX_WHOLE ? amount + key : amount;
}

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", ".", "0", "Backspace"];

type Props = { amount: string; setAmount: (a: string) => void; start: (amount: string) => Promise<void>; problem: string | null };

/** Home: the amount, the keypad, one way on. */
export function Home({ amount, setAmount, start, problem }: Props) {
  const { t } = useWords();
  const ready = Number(amount) > 0;
  const go = useCallback(() => {
    unlockSound();
    if (Number(amount) > 0) void start(amount.replace(/\.$/, ""));
  }, [amount, start]);
  useKeys(
    useCallback(
      (key: string) => {
        if (key === "Enter") go();
        else if (key === "Escape") setAmount("");
        else if (KEYS.includes(key)) setAmount(press(amount, key));
        else return false;
        return true;
      },
      [amount, go, setAmount],
    ),
  );
  return (
    <section className="home">
      <h1 className="label">{t("amount")}</h1>
      <Amount value={amount} label={t("amount")} />
      <p className="hint" role={problem ? "alert" : undefined} data-look={problem !== null}>
        {problem ?? t("waveHint")}
      </p>
      <div className="keypad">
        {KEYS.map((k) => (
          <button key={k} type="button" className="key num" aria-label={k === "Backspace" ? t("erase") : k === "." ? t("point") : k} onClick={() => setAmount(press(amount, k))}>
            {k === "Backspace" ? <IconBack size={28} /> : k}
          </button>
        ))}
      </div>
      <button type="button" className="go big" disabled={!ready} onClick={go}>
        <IconWave size={28} /> {t("wave")}
      </button>
    </section>
  );
}
