// The real program in a real browser: every flow of a sale, with its cuts and faults.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.HUIKA_BIN ?? join(root, "bin/huika");
const shots = join(root, "web/e2e/shots");
const axe = readFileSync(join(root, "web/node_modules/axe-core/axe.min.js"), "utf8");
const pin = String(Math.floor(100000 + Math.random() * 900000));
const WAIT = { timeout: 15_000 };

let data, huika, posURL, trayURL, browser, page, log = "";

before(async () => {
  assert.ok(existsSync(program), `${program} is missing: run make build`);
  mkdirSync(shots, { recursive: true });
  data = mkdtempSync(join(tmpdir(), "huika-e2e-"));
  await startProgram();
  browser = await chromium.launch({
    executablePath: process.env.HUIKA_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  await newPage({ width: 1280, height: 800 }, "zh-CN", "light");
});

after(async () => {
  await browser?.close();
  huika?.kill("SIGTERM");
  await new Promise((done) => (huika && huika.exitCode === null ? huika.once("exit", done) : done()));
  rmSync(data, { recursive: true, force: true });
});

async function startProgram(listen = "127.0.0.1:0", demo = "127.0.0.1:0") {
  huika = spawn(program, ["demo", "--listen", listen, "--demo-listen", demo, "--console-listen", "127.0.0.1:0", "--data", data], {
    env: { ...process.env, HUIKA_WORLD_PIN: pin, HUIKA_TIMEOUTS_PRESENT: "20s" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  huika.stderr.on("data", (b) => (log += b));
  const lines = createInterface({ input: huika.stdout });
  await new Promise((ready, fail) => {
    const timer = setTimeout(() => fail(new Error(`the program did not open for business:\n${log}`)), 60_000);
    huika.once("exit", (code) => fail(new Error(`the program ended with ${code}:\n${log}`)));
    lines.on("line", (l) => {
      if (l.startsWith("POS: ")) posURL = l.slice(5);
      if (l.startsWith("Tray: ")) {
        trayURL = l.slice(6);
        clearTimeout(timer);
        ready();
      }
    });
  });
}

async function newPage(viewport, locale, colorScheme) {
  await page?.context().close();
  const context = await browser.newContext({ viewport, locale, colorScheme });
  page = await context.newPage();
  page.on("pageerror", (e) => assert.fail(`page error: ${e}`));
  page.on("console", (m) => m.type() === "error" && !/Failed to load resource|net::/.test(m.text()) && assert.fail(`console: ${m.text()}`));
  await page.goto(posURL);
  await page.locator(".home, .done").first().waitFor(WAIT);
}

const shot = (name) => page.screenshot({ path: join(shots, `${name}.png`) });
const tray = (path, body) =>
  fetch(`${trayURL}/api/tray/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).then((r) => assert.ok(r.ok, `${path}: ${r.status}`));
const view = async () => page.evaluate(() => fetch("/api/pos/view").then((r) => r.json()));

/** From wherever the page stands: home, amount, wave. */
async function wave(amount) {
  const open = (await view()).payment;
  if (open && open.phase !== "done") {
    // An earlier test failed in the middle: this one begins clean all the same.
    await page.evaluate((id) => fetch(`/api/pos/payments/${id}/cancel`, { method: "POST" }), open.id);
    await tray("take", { id: 0 });
    await page.locator(".done").waitFor(WAIT);
  }
  if (await page.locator(".done").count()) await page.locator(".done .go.big").click();
  await page.locator(".home").waitFor(WAIT);
  await page.keyboard.press("Escape");
  await page.keyboard.type(amount);
  await page.locator(".home .go.big").click();
  await page.locator(".wave").waitFor(WAIT);
}

async function result(outcome) {
  await page.locator(".done").waitFor(WAIT);
  const v = await view();
  assert.equal(v.payment.result.outcome, outcome, JSON.stringify(v.payment.result));
  return v.payment.result;
}

/** Presses the PIN on the scrambled pad, by the digits' words. */
async function keyPIN(digits) {
  for (const d of digits) await page.locator(".pin .key", { hasText: new RegExp(`^${d}$`) }).click();
  await page.locator(".pin .key.go").click();
}

async function accessible(where) {
  const found = await page.evaluate(`${axe}; axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }).then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; ")))`);
  assert.deepEqual(found, [], `axe on ${where}`);
}

test("a sale: amount, wave, paid, receipt", async () => {
  await page.keyboard.type("88.80");
  await accessible("home");
  await shot("home");
  await page.locator(".home .go.big").click();
  await page.locator(".wave").waitFor(WAIT);
  await shot("wave");
  await page.locator('.card[data-name="unionpay-debit"]').dragTo(page.locator(".device"));
  const r = await result("approved");
  assert.equal(r.amount, "88.80");
  assert.equal(r.cvm, "none");
  await page.locator(".trace summary").first().click();
  assert.ok((await page.locator(".trace ol > li").count()) >= 4, "the trace has a row per exchange");
  await accessible("done");
  await shot("paid");
  await page.locator(".row .quiet").first().click();
  await page.locator("dialog.receipt pre").waitFor(WAIT);
  const receipt = await page.locator("dialog.receipt pre").innerText();
  assert.match(receipt, /88\.80/);
  assert.match(receipt, /免密免签/);
  assert.match(receipt, /SIMULATION/);
  await shot("receipt");
  await page.keyboard.press("Escape");
  await tray("take", { id: 0 });
});

test("1000.01 asks for the PIN; a reload in the middle loses nothing", async () => {
  await wave("1000.01");
  await page.locator('.card[data-name="unionpay-debit"]').click();
  await page.locator(".pin").waitFor(WAIT);
  const before = await page.locator(".pin .key.num").allInnerTexts();
  assert.equal([...before].sort().join(""), "0123456789");
  await accessible("pin");
  await shot("pin");
  await page.reload();
  await page.locator(".pin").waitFor(WAIT);
  await keyPIN(pin);
  const r = await result("approved");
  assert.equal(r.cvm, "online_pin");
  await tray("take", { id: 0 });
});

test("a wrong PIN asks again, a right one is approved", async () => {
  await wave("1000.02");
  await tray("put", { card: "unionpay-debit" });
  await page.locator(".pin").waitFor(WAIT);
  await keyPIN(pin === "111111" ? "222222" : "111111");
  // The card still lies there, so the second tap needs no hand; the pad is a new one.
  await page.locator(".pin .hint", { hasText: "密码不对" }).waitFor(WAIT);
  await keyPIN(pin);
  await result("approved");
  await tray("take", { id: 0 });
});

test("a refusal says why and what to do", async () => {
  await wave("88.80");
  await tray("put", { card: "unionpay-poor" });
  const r = await result("declined");
  assert.equal(r.response_code, "51");
  assert.ok((await page.locator(".why").innerText()).length > 8);
  await shot("declined");
  await tray("take", { id: 0 });
});

test("two cards: one only, and one taken away is read", async () => {
  // Both lie there before the field is on, so that none is read before the other.
  await tray("put", { card: "unionpay-debit" });
  await tray("put", { card: "unionpay-credit" });
  await wave("5.00");
  await page.locator(".says", { hasText: "请只放一张卡" }).waitFor(WAIT);
  await shot("two-cards");
  await page.locator('.card[data-name="unionpay-credit"]').click();
  await result("approved");
  await tray("take", { id: 0 });
});

test("a card pulled away early is asked for again, and pays once", async () => {
  await wave("6.00");
  await tray("put", { card: "unionpay-debit", fault: "removed-after-gpo" });
  await page.locator(".says", { hasText: "请再挥一次" }).waitFor(WAIT);
  await tray("put", { card: "unionpay-debit" });
  await result("approved");
  await tray("take", { id: 0 });
});

test("cancel takes at once, and the screen says so", async () => {
  await wave("7.00");
  await page.keyboard.press("Escape");
  await result("cancelled");
  await shot("cancelled");
});

test("acquirer down: nothing is taken, and it works again afterwards", async () => {
  await tray("faults", { host_down: true, response_lost: false, issuer_down: false });
  await page.locator(".chip.look").first().waitFor(WAIT);
  await page.locator(".done .go.big").click();
  await page.locator(".home").waitFor(WAIT);
  await page.keyboard.type("8");
  await page.locator(".home .go.big").click();
  await page.locator(".wave, .hint[data-look=true]").first().waitFor(WAIT);
  if (await page.locator(".wave").count()) {
    await tray("put", { card: "unionpay-debit" });
    await result("try_again");
  }
  await shot("host-down");
  await tray("take", { id: 0 });
  await tray("faults", { host_down: false, response_lost: false, issuer_down: false });
  await page.waitForFunction(() => fetch("/api/pos/view").then((r) => r.json()).then((v) => v.host.signed_in), undefined, { timeout: 30_000 });
  await wave("8.00");
  await tray("put", { card: "unionpay-debit" });
  await result("approved");
  await tray("take", { id: 0 });
});

test("a hostile page can't post to the POS", async () => {
  const evil = createServer((_, res) => res.setHeader("Content-Type", "text/html").end("<p>evil"));
  await new Promise((ok) => evil.listen(0, "127.0.0.1", ok));
  try {
    const hostile = await page.context().newPage(); // the same browser: the cookie is there
    await hostile.goto(`http://localhost:${evil.address().port}/`);
    const origin = new URL(posURL).origin;
    const count = (await view()).seq;
    const outcome = await hostile.evaluate(async (to) => {
      const tries = [];
      for (const init of [{ method: "POST", mode: "no-cors", credentials: "include", body: '{"amount":"1.00"}' }, { method: "POST", credentials: "include", headers: { "Content-Type": "application/json" }, body: '{"amount":"1.00"}' }]) {
        tries.push(await fetch(`${to}/api/pos/payments`, init).then((r) => `${r.type} ${r.status}`, (e) => String(e)));
      }
      return tries;
    }, origin);
    await hostile.close();
    assert.ok(outcome.every((o) => !/ 2\d\d$/.test(o)), outcome.join());
    assert.equal((await view()).seq, count, "nothing started");
    const direct = await fetch(`${origin}/api/pos/payments`, { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"amount":"1.00"}' });
    assert.equal(direct.status, 401, "no cookie, no API");
  } finally {
    evil.close();
  }
});

test("kill -9 of the program while a card is awaited: the page comes back, nothing is open", async () => {
  await wave("9.00");
  const listen = new URL(posURL).host, demo = new URL(trayURL).host;
  huika.removeAllListeners("exit");
  huika.kill("SIGKILL");
  await new Promise((done) => huika.once("exit", done));
  await startProgram(listen, demo);
  await page.locator(".home, .done").first().waitFor({ timeout: 30_000 });
  const v = await view();
  assert.equal(v.host.pending_reversals, 0);
});

test("every screen in both languages, small and large, light and dark", async () => {
  for (const [size, viewport] of [["small", { width: 360, height: 640 }], ["large", { width: 1280, height: 800 }]]) {
    for (const [locale, scheme] of [["zh-CN", "light"], ["en-GB", "dark"]]) {
      await newPage(viewport, locale, scheme);
      const name = (s) => `${s}-${size}-${locale.slice(0, 2)}-${scheme}`;
      const fits = async (screen) => {
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${name(screen)}: ${over} px too wide`);
        const small = await page.evaluate(() => [...document.querySelectorAll(".screen button")].filter((b) => b.getBoundingClientRect().height < 44).map((b) => b.textContent));
        assert.deepEqual(small, [], `${name(screen)}: targets below 44 px`);
        await accessible(name(screen));
        await shot(name(screen));
      };
      if (await page.locator(".done").count()) await page.locator(".done .go.big").click();
      await page.locator(".home").waitFor(WAIT);
      await page.keyboard.type("1234.50");
      await fits("home");
      await page.locator(".home .go.big").click();
      await page.locator(".wave").waitFor(WAIT);
      await fits("wave");
      await tray("put", { card: "unionpay-credit" });
      await page.locator(".pin").waitFor(WAIT);
      await fits("pin");
      await keyPIN(pin);
      await result("approved");
      await fits("paid");
      await tray("take", { id: 0 });
    }
  }
});
