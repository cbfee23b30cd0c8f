import { useCallback, useEffect, useState } from "react";
import { call, Refused } from "@huika/ui";

/** An answer, the question under way, or its refusal. The last answer stays while it is asked again. */
export interface Asked<T> {
  answer: T | null;
  problem: Refused | null;
  loading: boolean;
  /** Asks again. */
  again: () => void;
}

export const refusedOf = (err: unknown): Refused => (err instanceof Refused ? err : new Refused({ title: String(err), code: "page" }));

/** GET url, once and at each again(); every, in ms, asks by itself. */
export function useAsk<T>(url: string, every = 0): Asked<T> {
  const [state, setState] = useState<{ url: string; answer: T | null; problem: Refused | null; loading: boolean }>({ url, answer: null, problem: null, loading: true });
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  useEffect(() => {
    const gone = new AbortController();
    setState((s) => ({ url, answer: s.url === url ? s.answer : null, problem: null, loading: true }));
    call<T>(url, undefined, { signal: gone.signal })
      .then((answer) => !gone.signal.aborted && setState({ url, answer, problem: null, loading: false }))
      .catch((err: unknown) => !gone.signal.aborted && setState((s) => ({ ...s, problem: refusedOf(err), loading: false })));
    return () => gone.abort();
  }, [url, turn]);
  useEffect(() => {
    if (!every) return;
    const timer = setInterval(() => document.visibilityState === "visible" && again(), every);
    return () => clearInterval(timer);
  }, [every, again]);
  return { answer: state.url === url ? state.answer : null, problem: state.problem, loading: state.loading, again };
}
