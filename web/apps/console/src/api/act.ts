import { call, Refused } from "@huika/ui";

// A thing that a person asked for is remembered in this tab until its answer
// is certain: the same request goes out again with the same Idempotency-Key,
// after a double click, a broken network or a reload, and happens once.

interface Kept {
  key: string;
  body: string;
}

const at = (url: string) => `huika.act ${url}`;

/** What was asked for at url and has no certain answer yet. */
export function pending<B>(url: string): B | null {
  const raw = sessionStorage.getItem(at(url));
  return raw ? (JSON.parse((JSON.parse(raw) as Kept).body) as B) : null;
}

/** Whether after this refusal it is unknown if the thing was done. */
export const uncertain = (r: Refused): boolean => r.status === 0 || r.status >= 500 || r.code === "in_progress";

/** A new Idempotency-Key: 128 random bits. */
export const newKey = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

const running = new Map<string, Promise<unknown>>();

/** POST body to url. While one such request is under way a second one is the same one. */
export function act<T>(url: string, body: unknown, patience = 60_000): Promise<T> {
  const text = JSON.stringify(body);
  const under = `${url} ${text}`;
  const one = running.get(under);
  if (one) return one as Promise<T>;
  const raw = sessionStorage.getItem(at(url));
  const had = raw ? (JSON.parse(raw) as Kept) : null;
  const kept: Kept = had?.body === text ? had : { key: newKey(), body: text };
  sessionStorage.setItem(at(url), JSON.stringify(kept));
  const done = call<T>(url, body, { key: kept.key, patience })
    .then((answer) => {
      sessionStorage.removeItem(at(url));
      return answer;
    })
    .catch((err: unknown) => {
      if (err instanceof Refused && !uncertain(err)) sessionStorage.removeItem(at(url));
      throw err;
    })
    .finally(() => running.delete(under));
  running.set(under, done);
  return done;
}

/** Forgets what has no certain answer: a person has looked and decided. */
export const forget = (url: string): void => sessionStorage.removeItem(at(url));
