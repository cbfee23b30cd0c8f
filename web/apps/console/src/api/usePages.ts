import { useCallback, useEffect, useRef, useState } from "react";
import { call, type Refused } from "@huika/ui";
import { refusedOf } from "./useAsk.ts";

/** The most rows that a list keeps; more is a narrower question's work. */
export const MOST_ROWS = 2000;
/** Pages in a row that may come back empty before a person is asked to go on. */
const EMPTY_PAGES = 5;

interface State<T> {
  url: string;
  rows: readonly T[];
  next: string;
  pages: number;
  at: number; // when the first page was asked for, ms
  loading: boolean;
  problem: Refused | null;
}

export interface Pages<T> extends State<T> {
  more: () => void;
  again: () => void;
  full: boolean;
}

// The list that was looked at last, so that the way back from a story finds it
// as it was. It is one, so it stays bounded.
let kept: State<unknown> | null = null;

/** A list in pages by cursor. url has the filter; rowsOf takes the rows out of an answer. */
export function usePages<B extends { next?: string }, T>(url: string, rowsOf: (body: B) => readonly T[]): Pages<T> {
  const fresh = (): State<T> => ({ url, rows: [], next: "", pages: 0, at: 0, loading: true, problem: null });
  const [state, setState] = useState<State<T>>(() => (kept?.url === url ? (kept as State<T>) : fresh()));
  const [turn, setTurn] = useState(0);
  const take = useRef(rowsOf);
  take.current = rowsOf;
  const busy = useRef<AbortController | null>(null);

  const load = useCallback(async (had: readonly T[], after: string, pages: number, at: number) => {
    busy.current?.abort();
    const gone = new AbortController();
    busy.current = gone;
    setState((s) => (after ? { ...s, loading: true, problem: null } : { ...s, url, loading: true, problem: null, rows: s.url === url ? s.rows : [] }));
    try {
      let rows = had, next = after;
      for (let tries = 0; tries < EMPTY_PAGES; tries++) {
        const body = await call<B>(next ? `${url}${url.includes("?") ? "&" : "?"}after=${encodeURIComponent(next)}` : url, undefined, { signal: gone.signal });
        const found = take.current(body);
        rows = [...rows, ...found];
        next = body.next ?? "";
        if (found.length > 0 || !next) break;
      }
      if (gone.signal.aborted) return;
      const done = { url, rows, next, pages: pages + 1, at, loading: false, problem: null };
      kept = done;
      setState(done);
    } catch (err) {
      if (!gone.signal.aborted) setState((s) => ({ ...s, loading: false, problem: refusedOf(err) }));
    }
  }, [url]);

  useEffect(() => {
    const back = turn === 0 && kept?.url === url ? (kept as State<T>) : null;
    if (back) setState(back);
    // One page is read again under the eye; many stand as they were until a person asks.
    if (!back || back.pages <= 1) void load([], "", 0, Date.now());
    return () => busy.current?.abort();
  }, [url, turn, load]);

  const shown = state.url === url ? state : fresh();
  const full = shown.rows.length >= MOST_ROWS;
  const more = () => {
    if (!shown.loading && shown.next && !full) void load(shown.rows, shown.next, shown.pages, shown.at);
  };
  const again = useCallback(() => setTurn((n) => n + 1), []);
  return { ...shown, more, again, full };
}
