import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

globalThis.addEventListener ??= () => {}; // route.ts listens for the address of a page
const load = async (path) => (await runnerImport(fileURLToPath(new URL(`../apps/console/src/${path}`, import.meta.url)), { logLevel: "error" })).module;

const money = await load("parts/money.ts");
const filter = await load("payments/filter.ts");
const route = await load("frame/route.ts");
const live = await load("api/live.ts");
const series = await load("live/series.ts");
const act = await load("api/act.ts");

const cny = (amount) => ({ amount, currency: "CNY" });

test("amounts are added as whole numbers", () => {
  assert.deepEqual(money.add(cny("0.10"), cny("0.20")), cny("0.30"));
  assert.deepEqual(money.add(cny("90071992547409.91"), cny("0.02")), cny("90071992547409.93"));
  assert.deepEqual(money.negative(cny("0.05")), cny("-0.05"));
  assert.equal(money.decimalOf(-5n, 2), "-0.05");
  assert.equal(money.decimalOf(1234n, 0), "1234");
  assert.equal(money.grouped("1234567.80"), "1,234,567.80");
  assert.equal(money.grouped("-999.00"), "−999.00");
  assert.equal(money.inWords(cny("-1000.00")), "−¥1,000.00");
});

test("a typed amount is one, above zero, up to the most, with the currency's places", () => {
  const most = cny("36.00");
  assert.deepEqual(money.typed("10", most), cny("10.00"));
  assert.deepEqual(money.typed(" 36.0 ", most), cny("36.00"));
  for (const bad of ["", "0", "0.00", "36.01", "1.234", "-1", "1e2", "1,0", "１"]) assert.equal(money.typed(bad, most), null, bad);
  assert.deepEqual(money.typed("500", { amount: "500", currency: "JPY" }), { amount: "500", currency: "JPY" });
  assert.equal(money.typed("5.5", { amount: "500", currency: "JPY" }), null);
});

test("what giving back does: the fee returns by the whole share given back, rounded half up (acquirer/book/decide.go)", () => {
  const p = { amount: cny("100.00"), fee: cny("0.55"), given_back: cny("0.00") };
  const one = money.effectOf(p, cny("33.33"), cny("100.00"), cny("0.00"));
  assert.deepEqual([one.fee, one.merchant, one.left], [cny("0.18"), cny("-33.15"), cny("66.67")]);
  // 0.55 × 66.66 / 100 = 0.366… → 0.37, of which 0.18 has gone back
  const two = money.effectOf({ ...p, given_back: cny("33.33") }, cny("33.33"), cny("66.67"), cny("0.18"));
  assert.deepEqual([two.fee, two.merchant], [cny("0.19"), cny("-33.14")]);
  const rest = money.effectOf({ ...p, given_back: cny("66.66") }, cny("33.34"), cny("33.34"), cny("0.37"));
  assert.deepEqual([rest.fee, rest.left], [cny("0.18"), cny("0.00")]);
  // half a cent goes up
  assert.deepEqual(money.effectOf({ amount: cny("2.00"), fee: cny("0.01"), given_back: cny("0.00") }, cny("1.00"), cny("2.00"), cny("0.00")).fee, cny("0.01"));
});

test("a filter and its address say the same", () => {
  const f = { state: ["declined", "approved"], kind: ["sale"], merchant: "898310048160001", from: "2026-11-24T00:00:00.000Z", min: "1.00", currency: "CNY" };
  assert.deepEqual(filter.filterOf(filter.queryOf(f)), f);
  assert.equal(filter.queryOf({ from: "2026-11-24T08:00:00+08:00" }).get("from"), "2026-11-24T00:00:00.000Z");
  assert.deepEqual(filter.filterOf(new URLSearchParams("state=stolen&kind=sale&after=x")), { kind: ["sale"] });
});

test("the search line knows things by their form, and keeps no whole card number", () => {
  const is = (text, wanted) => assert.deepEqual(filter.understand(text)?.filter ?? null, wanted, text);
  is("8917", { last4: "8917" });
  is("¥88.80", { min: "88.80", max: "88.80", currency: "CNY" });
  is("632822882342", { rrn: "632822882342" });
  is("HK000001", { terminal: "HK000001" });
  is("898310048160001", { merchant: "898310048160001" });
  is("vbs4bysm0vaz73nf19j41msg84", { id: "vbs4bysm0vaz73nf19j41msg84" });
  is("000001", { batch: "000001" });
  is("51", { response: "51" });
  is("4111 1111 1111 1111", { last4: "1111" });
  is("378282246310005", { last4: "0005" });
  is("hello", null);
});

test("places and their addresses", () => {
  const there = route.parseRoute(route.addressOf(["payments", "a/b?c"], new URLSearchParams({ kind: "sale" })));
  assert.deepEqual(there.path, ["payments", "a/b?c"]);
  assert.equal(there.query.get("kind"), "sale");
  assert.deepEqual(route.parseRoute("#/%E0%A4%A").path, []);
});

test("live samples follow each other, or all are asked for", () => {
  const s = (seq) => ({ seq, answered: seq, approved: 1 });
  assert.deepEqual(live.append([s(1)], s(2)).map((x) => x.seq), [1, 2]);
  assert.equal(live.append([s(1)], s(3)), null, "one is missing");
  assert.equal(live.append([s(9)], s(1)), null, "the server started again");
  const long = Array.from({ length: 300 }, (_, i) => s(i + 1));
  assert.equal(live.append(long, s(301)).length, 300);
  assert.equal(series.rate([s(1), s(2)], (x) => x.answered), "1.5");
});

test("one act goes out once, under one key, until its answer is certain", async () => {
  const store = new Map();
  globalThis.sessionStorage = { getItem: (k) => store.get(k) ?? null, setItem: (k, v) => store.set(k, v), removeItem: (k) => store.delete(k) };
  const sent = [];
  let answer = () => Promise.reject(new TypeError("gone"));
  globalThis.fetch = (url, init) => {
    sent.push(init.headers["Idempotency-Key"]);
    return answer();
  };
  const body = { amount: "1.00", reason: "x" };
  const refused = (status) => () => Promise.resolve(new Response(JSON.stringify({ title: "no", code: "no", do: "", status }), { status, headers: { "Content-Type": "application/problem+json" } }));
  const [a, b] = await Promise.allSettled([act.act("/x", body), act.act("/x", body)]);
  assert.deepEqual([a.status, b.status, sent.length], ["rejected", "rejected", 1], "two clicks are one request");
  assert.deepEqual(act.pending("/x"), body);
  answer = refused(503);
  await assert.rejects(act.act("/x", body));
  assert.equal(sent[1], sent[0], "the same thing has the same key");
  await assert.rejects(act.act("/x", { ...body, amount: "2.00" }));
  assert.notEqual(sent[2], sent[0], "another thing has another");
  answer = refused(409);
  await assert.rejects(act.act("/x", { ...body, amount: "2.00" }));
  assert.equal(act.pending("/x"), null, "a refusal is certain");
});
