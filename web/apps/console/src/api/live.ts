import { useSyncExternalStore } from "react";
import { call, Refused } from "@huika/ui";
import type { LiveOutputBody, Sample } from "./console.ts";

/** The last minutes of the host, and how we hear of them. */
export interface Live {
  samples: readonly Sample[]; // oldest first, up to KEPT
  link: "up" | "down" | "not_signed_in";
}

const KEPT = 300; // samples, as the server keeps them
const POLL_MS = 1000;

let now: Live = { samples: [], link: "up" };
const listeners = new Set<() => void>();
let stop: (() => void) | null = null;

function tell(next: Live): void {
  now = next;
  for (const l of listeners) l();
}

/** Adds a sample behind the others; one from before, or of a server that started again, asks for everything. */
export function append(samples: readonly Sample[], s: Sample): readonly Sample[] | null {
  const last = samples.at(-1);
  if (last && s.seq !== last.seq + 1) return null;
  return [...samples.slice(-(KEPT - 1)), s];
}

function start(): () => void {
  const events = new EventSource("/api/v1/live/events");
  let asking = false;
  const all = () => {
    if (asking) return;
    asking = true;
    call<LiveOutputBody>("/api/v1/live")
      .then((b) => tell({ samples: b.samples.slice(-KEPT), link: "up" }))
      .catch((err: unknown) => tell({ ...now, link: err instanceof Refused && err.status === 401 ? "not_signed_in" : "down" }))
      .finally(() => (asking = false));
  };
  events.onopen = all;
  events.onmessage = (e: MessageEvent<string>) => {
    const s = JSON.parse(e.data) as Sample;
    if (s.seq === now.samples.at(-1)?.seq) return;
    const samples = append(now.samples, s);
    if (samples) tell({ samples, link: "up" });
    else all();
  };
  const timer = setInterval(() => events.readyState !== EventSource.OPEN && all(), POLL_MS);
  all();
  return () => {
    clearInterval(timer);
    events.close();
  };
}

function follow(changed: () => void): () => void {
  listeners.add(changed);
  stop ??= start();
  return () => {
    listeners.delete(changed);
    if (listeners.size === 0) {
      stop?.();
      stop = null;
    }
  };
}

/** What is live, one connection for the whole page. */
export const useLive = (): Live => useSyncExternalStore(follow, () => now);

/** One value of it: draws again only when that changes. */
export const useLiveValue = <T extends string | number | boolean>(pick: (l: Live) => T): T => useSyncExternalStore(follow, () => pick(now));
