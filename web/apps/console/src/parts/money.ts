import type { Money, Payment } from "../api/console.ts";

// Amounts are decimal strings with their currency's places; they are added as
// whole numbers of the smallest unit and never as floats.

/** Minor units of a decimal string, and its places. */
export function minorOf(decimal: string): { minor: bigint; places: number } {
  const m = /^(-?)(\d+)(?:\.(\d+))?$/.exec(decimal);
  if (!m) throw new Error("not an amount");
  const part = m[3] ?? "";
  return { minor: BigInt(`${m[1] ?? ""}${m[2] ?? ""}${part}`), places: part.length };
}

/** The decimal string of minor units. */
export function decimalOf(minor: bigint, places: number): string {
  const sign = minor < 0n ? "-" : "";
  const digits = (minor < 0n ? -minor : minor).toString().padStart(places + 1, "0");
  return places === 0 ? sign + digits : `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** Sum of amounts of one currency. */
export function add(...all: Money[]): Money {
  let sum = 0n, places = 0;
  for (const m of all) {
    const v = minorOf(m.amount);
    sum += v.minor;
    places = v.places;
  }
  return { amount: decimalOf(sum, places), currency: all[0]?.currency ?? "" };
}

/** The same amount the other way. */
export function negative(m: Money): Money {
  const v = minorOf(m.amount);
  return { amount: decimalOf(-v.minor, v.places), currency: m.currency };
}

/** Nothing, in m's currency. */
export const none = (m: Money): Money => ({ amount: decimalOf(0n, minorOf(m.amount).places), currency: m.currency });

/** Whether an amount is nothing. */
export const isZero = (m: Money): boolean => minorOf(m.amount).minor === 0n;

/** An amount as a person typed it ("8", "8.8") with a currency's places; null: not one, zero, or more than most. */
export function typed(text: string, most: Money): Money | null {
  const { minor: limit, places } = minorOf(most.amount);
  const m = /^(\d{1,12})(?:\.(\d*))?$/.exec(text.trim());
  const part = m?.[2] ?? "";
  if (!m || part.length > places) return null;
  const minor = BigInt((m[1] ?? "") + part.padEnd(places, "0"));
  return minor === 0n || minor > limit ? null : { amount: decimalOf(minor, places), currency: most.currency };
}

/** "1,234.50": groups of three. */
export const grouped = (decimal: string): string => decimal.replace(/\d(?=(?:\d{3})+(?:\.|$))/g, "$&,").replace("-", "−");

/** The sign before an amount. */
export const signOf = (currency: string): string => (currency === "CNY" ? "¥" : currency);

/** In one line, for sentences. */
export const inWords = (m: Money): string => (m.amount.startsWith("-") ? `−${signOf(m.currency)}${grouped(m.amount.slice(1))}` : `${signOf(m.currency)}${grouped(m.amount)}`);

const back = new Set<Payment["kind"]>(["void", "refund", "preauth_cancel", "completion_void"]);

/** Whether the money goes back to the customer. */
export const goesBack = (kind: Payment["kind"]): boolean => back.has(kind);

/** What giving amount of p back would do, by the books' own rule: the fee returns by the share given back, rounded half up over all of it. */
export interface Effect {
  customer: Money;
  fee: Money; // returned to the merchant
  merchant: Money; // change of its balance, below zero
  left: Money; // afterwards
}

/** feeBack is what approved follow-ups have returned of the fee. */
export function effectOf(p: Payment, amount: Money, left: Money, feeBack: Money): Effect {
  const whole = minorOf(p.amount.amount), give = minorOf(amount.amount).minor;
  const fee = minorOf(p.fee.amount).minor, taken = minorOf(p.given_back.amount).minor + give;
  const due = whole.minor === 0n ? 0n : (2n * fee * taken + whole.minor) / (2n * whole.minor);
  const returned = due - minorOf(feeBack.amount).minor;
  const back = returned < 0n ? 0n : returned;
  const c = p.amount.currency, d = (n: bigint): Money => ({ amount: decimalOf(n, whole.places), currency: c });
  return { customer: amount, fee: d(back), merchant: d(back - give), left: d(minorOf(left.amount).minor - give) };
}
