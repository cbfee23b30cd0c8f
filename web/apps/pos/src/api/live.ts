import { useEffect, useState } from "react";
import { call, Refused } from "@huika/ui";

export type Link = "up" | "down" | "not_paired";

const POLL_MS = 1000;

/**
 * The newest state of a server: its event stream, and while that is down a
 * question every second. Both carry a number, so nothing goes backwards.
 */
export function useLive<T extends { seq: number }>(origin: string | null, stream: string, poll: string): { state: T | null; link: Link } {
  const [state, setState] = useState<T | null>(null);
  const [link, setLink] = useState<Link>("up");
  useEffect(() => {
    if (origin === null) return;
    let ended = false;
    let epoch = 0; // a server that started again counts from the beginning
    const events = new EventSource(origin + stream);
    const take = (next: T, from: number) => {
      if (ended || from !== epoch) return;
      setLink("up");
      setState(next);
    };
    events.onopen = () => {
      epoch++;
      setLink("up");
    };
    events.onmessage = (e: MessageEvent<string>) => take(JSON.parse(e.data) as T, epoch);
    const timer = setInterval(() => {
      if (events.readyState === EventSource.OPEN) return;
      const from = epoch;
      call<T>(origin + poll)
        .then((v) => take(v, from))
        .catch((err: unknown) => {
          if (!ended) setLink(err instanceof Refused && err.code === "not_paired" ? "not_paired" : "down");
        });
    }, POLL_MS);
    return () => {
      ended = true;
      clearInterval(timer);
      events.close();
    };
  }, [origin, stream, poll]);
  return { state, link };
}
