import type { FilterInput, Payment } from "../api/console.ts";
import { kinds, states } from "../words/terms.ts";

/** What narrows the list; it lives in the address, and in saved views. */
export type Filter = FilterInput;

const ones = ["merchant", "terminal", "batch", "from", "to", "min", "max", "currency", "rrn", "id", "last4", "scheme", "response"] as const;

export type One = (typeof ones)[number];

/** The filter that a query names. Words that we don't know are left out. */
export function filterOf(query: URLSearchParams): Filter {
  const f: Filter = {};
  for (const name of ones) {
    const v = query.get(name);
    if (v) f[name] = v;
  }
  const state = query.getAll("state").filter((s): s is Payment["state"] => s in states);
  const kind = query.getAll("kind").filter((k): k is Payment["kind"] => k in kinds);
  if (state.length) f.state = state;
  if (kind.length) f.kind = kind;
  return f;
}

/** The query that names a filter: the same for the address and the API, in one order. */
export function queryOf(f: Filter): URLSearchParams {
  const q = new URLSearchParams();
  for (const s of f.state ?? []) q.append("state", s);
  for (const k of f.kind ?? []) q.append("kind", k);
  for (const name of ones) {
    const v = f[name];
    if (v) q.set(name, name === "from" || name === "to" ? exact(v) : v);
  }
  return q;
}

// The same moment is written in one way, so that filters can be compared.
const exact = (time: string): string => (Number.isNaN(Date.parse(time)) ? time : new Date(time).toISOString());

/** f without some of its conditions. */
export function without(f: Filter, ...names: (keyof Filter)[]): Filter {
  const out = { ...f };
  for (const n of names) delete out[n];
  return out;
}

/** The sum of Luhn's check (ISO/IEC 7812-1) is a multiple of ten. */
function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const d = Number(digits[digits.length - 1 - i]);
    sum += i % 2 === 0 ? d : d > 4 ? 2 * d - 9 : 2 * d;
  }
  return sum % 10 === 0;
}

/** What one line of text asks for: a condition, or null where it names nothing. */
export function understand(text: string): { field: keyof Filter; filter: Filter } | null {
  const s = text.trim().replace(/^¥/, "");
  const digits = s.replace(/[ -]/g, "");
  // A whole card number never goes into the address: its end finds it as well.
  if (/^\d{13,19}$/.test(digits) && luhn(digits) && !/^8\d{14}$/.test(digits)) return { field: "last4", filter: { last4: digits.slice(-4) } };
  if (/^\d{1,12}\.\d{1,3}$/.test(s)) return { field: "min", filter: { min: s, max: s, currency: "CNY" } };
  if (/^\d{4}$/.test(s)) return { field: "last4", filter: { last4: s } };
  if (/^[A-Z]?\d{5,6}$/i.test(s) && s.length === 6) return { field: "batch", filter: { batch: s.toUpperCase() } };
  if (/^\d{15}$/.test(s)) return { field: "merchant", filter: { merchant: s } };
  if (/^[0-9A-Z]{8}$/i.test(s)) return { field: "terminal", filter: { terminal: s } };
  if (/^[0-9A-Z]{12}$/i.test(s)) return { field: "rrn", filter: { rrn: s } };
  if (/^[0-9A-Z]{26}$/i.test(s)) return { field: "id", filter: { id: s } };
  if (/^[0-9A-Z]{2}$/i.test(s)) return { field: "response", filter: { response: s.toUpperCase() } };
  return null;
}

/** The beginning of a day in the zone of this screen, days from today. */
export function dayStart(days: number, now = new Date()): string {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days).toISOString();
}
