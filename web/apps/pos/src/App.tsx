import { useCallback, useEffect, useState, type DragEvent } from "react";
import { call, Refused, useTheme } from "@huika/ui";
import { useLive } from "./api/live.ts";
import type { StartOutputBody, View, Words } from "./api/pos.ts";
import { Status } from "./parts/Status.tsx";
import { Done } from "./screens/Done.tsx";
import { Home } from "./screens/Home.tsx";
import { Pin } from "./screens/Pin.tsx";
import { Wave } from "./screens/Wave.tsx";
import { CARD, Tray, useTray } from "./tray/Tray.tsx";
import { useWords } from "./words/use.ts";

const demoOrigin = document.querySelector<HTMLMetaElement>('meta[name="huika-demo"]')?.content || null;

/** The POS: one screen by the payment's phase, and in demo the desk beside it. */
export function App() {
  const { t } = useWords();
  const { state: view, link } = useLive<View>("", "/api/pos/events", "/api/pos/view");
  const tray = useTray(demoOrigin);
  useTheme();
  const [amount, setAmount] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const reasons = useReasons(link === "up" && view !== null);

  const start = useCallback(async (value: string) => {
    setProblem(null);
    try {
      await call<StartOutputBody>("/api/pos/payments", { amount: value });
      setAmount("");
    } catch (err) {
      setProblem(err instanceof Refused ? `${err.message} — ${err.advice}` : String(err));
    }
  }, []);

  const next = useCallback(async (digit: string) => {
    try {
      await call("/api/pos/dismiss", {});
      setAmount(digit);
      setProblem(null);
    } catch (err) {
      setProblem(err instanceof Refused ? err.message : String(err));
    }
  }, []);

  if (link === "not_paired") return <main className="alone">{t("unpaired")}</main>;
  if (!view) return <main className="alone">{link === "down" ? t("lost") : t("loading")}</main>;
  const payment = view.payment;
  const drop = {
    onDragOver: (e: DragEvent) => e.preventDefault(),
    onDrop: (e: DragEvent) => {
      e.preventDefault();
      const name = e.dataTransfer.getData(CARD);
      if (name) void tray.put(name);
    },
  };
  return (
    <div className="desk" data-demo={demoOrigin !== null}>
      <main className="device" {...drop}>
        <Status view={view} link={link} />
        <div className="screen" key={payment ? `${payment.id}${payment.phase === "pin" ? "pin" : payment.phase === "done" ? "done" : "wave"}` : "home"}>
          {!payment && <Home amount={amount} setAmount={setAmount} start={start} problem={problem} />}
          {payment && (payment.phase === "present" || payment.phase === "reading" || payment.phase === "host") && <Wave payment={payment} reader={view.reader} reasons={reasons} />}
          {payment?.phase === "pin" && payment.pin && <Pin payment={payment} pin={payment.pin} />}
          {payment?.phase === "done" && payment.result && <Done payment={payment} result={payment.result} reasons={reasons} next={next} />}
        </div>
        {view.mode === "demo" && <div className="simulation">{t("simulation")}</div>}
      </main>
      {demoOrigin && <Tray tray={tray} waving={payment !== undefined && payment.phase !== "done" && payment.phase !== "pin"} />}
    </div>
  );
}

/** The terminal's words for every reason, read once it answers. */
function useReasons(up: boolean): Words[] {
  const [words, setWords] = useState<Words[]>([]);
  useEffect(() => {
    if (!up) return;
    let ended = false;
    call<{ reasons: Words[] | null }>("/api/pos/reasons")
      .then((r) => !ended && setWords(r.reasons ?? []))
      .catch(() => {}); // asked again when the link is up again; the code is shown meanwhile
    return () => {
      ended = true;
    };
  }, [up]);
  return words;
}
