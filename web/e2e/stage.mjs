// What the console's tests play on: real processes, a real browser, the counter with its tray.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.HUIKA_BIN ?? join(root, "bin/huika");
const shots = join(root, "web/e2e/shots");
const axe = readFileSync(join(root, "web/node_modules/axe-core/axe.min.js"), "utf8");
export const WAIT = { timeout: 15_000 };
const START_MS = 60_000;

/** Starts the program; resolves when it has printed the line named last. says holds its "Name: value" lines. */
export async function launch(args, env, last) {
  assert.ok(existsSync(program), `${program} is missing: run make build`);
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const p = { child, says: {}, log: "" };
  child.stderr.on("data", (b) => (p.log += b));
  await new Promise((ready, fail) => {
    const timer = setTimeout(() => fail(new Error(`huika ${args[0]} did not open:\n${p.log}`)), START_MS);
    child.once("exit", (code) => fail(new Error(`huika ${args[0]} ended with ${code}:\n${p.log}`)));
    createInterface({ input: child.stdout }).on("line", (l) => {
      const [, name, value] = /^(\w+): (.*)$/.exec(l) ?? [];
      if (name) p.says[name] = value;
      if (name === last) {
        clearTimeout(timer);
        ready();
      }
    });
  });
  return p;
}

/** Ends a process that launch started. */
export async function stop(p) {
  if (!p || p.child.exitCode !== null) return;
  p.child.kill("SIGCONT"); // one that a test has frozen could not end
  p.child.kill("SIGTERM");
  await new Promise((done) => p.child.once("exit", done));
}

export async function openBrowser() {
  mkdirSync(shots, { recursive: true });
  return chromium.launch({
    executablePath: process.env.HUIKA_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** A page of its own browser profile. What the page or its policy complains of goes into complaints. */
export async function openPage(browser, url, options, complaints) {
  const context = await browser.newContext({ acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.on("pageerror", (e) => complaints.push(`page: ${e}`));
  page.on("console", (m) => m.type() === "error" && !/Failed to load resource|net::/.test(m.text()) && complaints.push(`console: ${m.text()}`));
  await page.goto(url);
  return page;
}

export const shot = (page, name, options = {}) => page.screenshot({ path: join(shots, `console-${name}.png`), ...options });

/** axe-core finds nothing, and nothing is wider than the screen. */
export async function sound(page, where) {
  const found = await page.evaluate(`${axe}; axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }).then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; ")))`);
  assert.deepEqual(found, [], `axe on ${where}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `${where}: ${over} px too wide`);
}

/** The counter: a terminal's page and the tray beside it. */
export async function counter(browser, posURL, trayURL) {
  const page = await openPage(browser, posURL, { locale: "zh-CN" }, []);
  const ask = (method, path, body) =>
    page.evaluate(([m, p, b]) => fetch(p, { method: m, headers: b ? { "Content-Type": "application/json" } : {}, body: b ? JSON.stringify(b) : null }).then((r) => r.json().catch(() => null)), [method, path, body]);
  const tray = async (path, body) => {
    const r = await fetch(`${trayURL}/api/tray/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    assert.ok(r.ok, `${path}: ${r.status}`);
  };
  const ready = async () => {
    for (let i = 0; i < 300; i++) {
      if ((await ask("GET", "/api/pos/view"))?.host?.signed_in) return;
      await page.waitForTimeout(100);
    }
    assert.fail("the terminal did not sign in");
  };
  /** A sale with a card of the tray; resolves with its result. */
  const sale = async (amount, card = "unionpay-debit") => {
    await ask("POST", "/api/pos/dismiss", {});
    await ask("POST", "/api/pos/payments", { amount });
    await tray("put", { card });
    for (let i = 0; i < 300; i++) {
      const { payment } = await ask("GET", "/api/pos/view");
      if (payment?.phase === "done") {
        await tray("take", { id: 0 });
        return payment.result;
      }
      await page.waitForTimeout(100);
    }
    assert.fail(`the sale of ${amount} did not end`);
  };
  return { page, ready, sale, tray };
}

/** Reads the API with the page's own cookie. */
export const read = (page, path) => page.evaluate((p) => fetch(p).then((r) => r.json()), path);
