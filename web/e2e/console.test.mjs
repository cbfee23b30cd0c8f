// The acquirer's console on the real program: search, stories, money given back, exports, people's work.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { counter, launch, openBrowser, openPage, read, shot, sound, stop, WAIT } from "./stage.mjs";

const LARGE = { viewport: { width: 1280, height: 800 }, locale: "zh-CN", colorScheme: "light" };
const SMALL = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };
const merchant = "898310048160001";
const any = "127.0.0.1:0";
const pin = { HUIKA_WORLD_PIN: "246810" };

let data, apart, huika, world, host, till, browser, shop, page;
const complaints = [];

before(async () => {
  data = mkdtempSync(join(tmpdir(), "huika-console-"));
  apart = mkdtempSync(join(tmpdir(), "huika-apart-"));
  huika = await launch(["demo", "--listen", any, "--demo-listen", any, "--console-listen", any, "--data", data], pin, "Console");
  browser = await openBrowser();
  shop = await counter(browser, huika.says.POS, huika.says.Tray);
  await stuck();
  for (const amount of ["12.50", "36.00", "999.99", "1.00"]) await shop.sale(amount);
  await shop.sale("66.60", "unionpay-poor");
  page = await openPage(browser, huika.says.Console, LARGE, complaints);
  await rows();
});

after(async () => {
  await browser?.close();
  await Promise.all([huika, till, host, world].map(stop));
  for (const d of [data, apart]) rmSync(d, { recursive: true, force: true });
});

/** A second acquirer in processes of its own, whose scheme falls silent in the middle of a sale. */
async function stuck() {
  const env = { ...pin, HUIKA_TIMEOUTS_ISSUER: "400ms", HUIKA_TIMEOUTS_SCHEME: "700ms", HUIKA_TIMEOUTS_TERMINAL: "2s" };
  world = await launch(["world", "--scheme", any, "--issuer", any, "--data", apart], env, "Issuer");
  host = await launch(["host", "--listen", any, "--scheme", world.says.Scheme, "--console-listen", any, "--data", apart], env, "Console");
  till = await launch(["terminal", "--host", host.says.Host, "--listen", any, "--demo-listen", any, "--data", apart], env, "Tray");
  const other = await counter(browser, till.says.POS, till.says.Tray);
  await other.ready();
  assert.equal((await other.sale("3.00")).outcome, "approved");
  world.child.kill("SIGSTOP"); // alive, and answers nobody
  await other.sale("45.60");
  await other.page.context().close();
}

const at = (hash) => new URL(`/console/#/${hash}`, huika.says.Console).href;
const rows = () => page.locator("tbody tr").first().waitFor(WAIT);
const hash = () => new URL(page.url()).hash;
const balance = async () => (await read(page, `/api/v1/merchants/${merchant}`)).balances.find((b) => b.account === `merchant:${merchant}`).amount.amount;
const cents = (amount) => Math.round(Number(amount) * 100);

/** Opens the story of the newest approved sale of an amount. */
async function story(amount) {
  const { payments } = await read(page, `/api/v1/payments?min=${amount}&max=${amount}&currency=CNY&kind=sale&state=approved`);
  assert.ok(payments.length, `a sale of ${amount}`);
  await page.goto(at(`payments/${payments[0].ref}`));
  await page.locator(".line .point").first().waitFor(WAIT);
  return payments[0].ref;
}

test("the list: newest first, the search line, filters in the address, back and reload", async () => {
  await page.goto(at("payments"));
  await rows();
  assert.match(await page.locator("tbody tr").first().innerText(), /66\.60[\s\S]*未批准[\s\S]*余额不足/);
  assert.equal(await page.locator("tbody tr").count(), 6);
  await sound(page, "payments");
  await shot(page, "payments");

  await page.keyboard.press("/");
  await page.keyboard.type("999.99");
  await page.locator("#search-says", { hasText: "金额" }).waitFor(WAIT);
  await shot(page, "search");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  assert.match(hash(), /min=999\.99/);
  await page.reload();
  await rows();
  assert.equal(await page.locator("tbody tr").count(), 1, "the address holds the filter");
  await page.goBack();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 6);

  await page.locator(".pick").first().click();
  await page.locator(".choose label", { hasText: "未批准" }).click();
  await page.waitForTimeout(300); // the list has unfolded
  await sound(page, "states");
  await shot(page, "states");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  assert.equal(hash(), "#/payments?state=declined");
  await sound(page, "filtered");
  await page.locator(".chips .chip").first().click();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 6);

  await page.goto(at("payments?last4=0000"));
  await page.locator(".nothing", { hasText: "没有符合条件的交易" }).waitFor(WAIT);
  await shot(page, "none");
  await page.locator(".nothing button").click();
  await rows();
});

test("a whole card number never gets into the address", async () => {
  await page.locator(".search input").fill("4111 1111 1111 1111");
  await page.keyboard.press("Enter");
  await page.locator(".chips", { hasText: "1111" }).waitFor(WAIT);
  assert.equal(hash(), "#/payments?last4=1111");
  await page.goto(at("payments"));
  await rows();
});

test("the keyboard alone: down, enter, escape, and the row is still marked", async () => {
  await page.reload();
  await rows();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  const ref = await page.evaluate(() => document.activeElement.closest("tr").dataset.row);
  await page.keyboard.press("Enter");
  await page.locator(".line .point").first().waitFor(WAIT);
  assert.equal(hash(), `#/payments/${ref}`);
  await page.keyboard.press("Escape");
  await rows();
  await page.waitForFunction((r) => document.activeElement?.closest("tr")?.dataset.row === r, ref);
});

test("columns and saved views", async () => {
  await page.locator(".tools button", { hasText: "显示列" }).click();
  await page.locator(".choose label", { hasText: "授权码" }).click();
  await page.locator("th", { hasText: "授权码" }).waitFor(WAIT);
  await sound(page, "columns");
  await shot(page, "columns");
  await page.locator(".choose button").click();
  await page.locator("th", { hasText: "授权码" }).waitFor({ ...WAIT, state: "detached" });
  await page.keyboard.press("Escape");

  await page.goto(at("payments?kind=sale&state=approved"));
  await page.locator(".views button", { hasText: "保存为视图" }).click();
  await page.locator("#view-name").fill("收成的");
  await page.keyboard.press("Enter");
  await page.locator(".views .view", { hasText: "收成的" }).waitFor(WAIT);
  await page.locator(".views .view", { hasText: "全部" }).click();
  await page.locator(".views .view", { hasText: "收成的" }).click();
  await page.waitForFunction(() => location.hash.includes("kind=sale") && location.hash.includes("state=approved"));
  await shot(page, "view");
  await page.locator(".view-off").click();
  await page.locator(".views .view", { hasText: "收成的" }).waitFor({ ...WAIT, state: "detached" });
});

test("an export is exactly what the filter shows", async () => {
  await page.goto(at("payments?state=approved"));
  await rows();
  const shown = await page.locator("tbody tr").count();
  const save = async (item) => {
    await page.locator(".tools button", { hasText: "导出" }).click();
    const [file] = await Promise.all([page.waitForEvent("download", WAIT), page.locator(".ant-dropdown-menu-item", { hasText: item }).click()]);
    return readFileSync(await file.path());
  };
  const lines = (await save("CSV")).toString("utf8").trim().split(/\r?\n/);
  assert.equal(lines.length, 1 + shown);
  assert.match(lines[0], /amount/);
  assert.ok(lines.some((l) => l.includes("999.99")));
  assert.ok(!lines.some((l) => l.includes("66.60")), "the declined one is not shown");
  assert.equal((await save("Excel")).subarray(0, 2).toString(), "PK");
});

test("a story: what happened, when, by whom; each step opens; the address leads there", async () => {
  await story("999.99");
  const points = page.locator(".line .point");
  assert.deepEqual(await points.locator("> details > summary > strong").allInnerTexts(), ["读卡", "受理", "批准并记账"]);
  for (const s of await points.locator("> details > summary").all()) await s.click();
  const tap = page.locator(".tap > li");
  assert.ok((await tap.count()) >= 4, "a row for each exchange");
  await tap.first().locator("summary").click();
  assert.match(await tap.first().locator(".bytes").innerText(), /00 A4 04 00/);
  const text = await page.locator(".line").innerText();
  for (const part of ["终端 HK000001", "F39", "F37", "F60.2", "账链第"]) assert.ok(text.includes(part), part);
  assert.ok(!/62 ?99 ?99 ?\d/.test(text), "no more of the card number than its ends");
  await sound(page, "story");
  await shot(page, "story");
  await shot(page, "story-open", { fullPage: true });

  await page.goto(at("payments/bm90LWEtcGF5bWVudA"));
  await page.locator(".notice", { hasText: "请从交易列表里打开" }).waitFor(WAIT);
  await shot(page, "story-none");
  await page.locator(".back").click();
  await page.locator("h1, .told").first().waitFor(WAIT);
});

test("a refund shows its effect first, and a double click makes one", async () => {
  const ref = await story("36.00");
  const before = cents(await balance());
  await page.locator(".acts button", { hasText: "退货" }).click();
  const amount = page.locator(".giveback .field input");
  await amount.fill("36.01");
  await page.locator(".says[data-look=true]").waitFor(WAIT);
  assert.ok(await page.locator(".giveback .ant-btn-primary").isDisabled());
  await amount.fill("10");
  assert.ok(await page.locator(".giveback .ant-btn-primary").isDisabled(), "a reason is wanted");
  await page.locator(".reasons .chip").first().click();
  const effect = await page.locator(".effect").innerText();
  for (const part of ["10.00", "26.00", (before / 100).toFixed(2).replace(/\B(?=(\d{3})+\.)/g, ","), ((before - 1000) / 100).toFixed(2).replace(/\B(?=(\d{3})+\.)/g, ",")]) assert.ok(effect.includes(part), `${part} in ${effect}`);
  await page.waitForTimeout(300); // the drawer has arrived
  await sound(page, "refund");
  await shot(page, "refund");
  await page.locator(".giveback .ant-btn-primary").dblclick();
  await page.locator(".notice[data-tone=go]", { hasText: "退货已批准" }).waitFor(WAIT);
  await shot(page, "refunded");
  const after = await read(page, `/api/v1/payments/${ref}`);
  assert.equal(after.follow_ups.length, 1);
  assert.equal(after.payment.given_back.amount, "10.00");
  assert.equal(cents(await balance()), before - 1000);
  assert.ok((await page.locator(".line").innerText()).includes("客人退货"), "the reason is in the story");
});

test("an answer that got lost: after a reload the same refund is asked for, and happens once", async () => {
  const ref = await story("12.50");
  const before = cents(await balance());
  await page.route("**/refund", async (route) => {
    await route.fetch(); // it reaches the acquirer; its answer does not come back
    await route.abort();
  });
  await page.locator(".acts button", { hasText: "退货" }).click();
  await page.locator(".giveback .field input").fill("2.50");
  await page.locator(".giveback textarea").fill("少找了钱");
  await page.locator(".giveback .ant-btn-primary").click();
  await page.locator(".giveback .notice", { hasText: "连不上收单程序" }).waitFor(WAIT);
  await shot(page, "refund-lost");
  await page.unroute("**/refund");
  await page.reload();
  await page.locator(".notice", { hasText: "还不知道结果" }).waitFor(WAIT);
  await sound(page, "unsure");
  await shot(page, "unsure");
  await page.locator(".notice button", { hasText: "再问一次" }).click();
  await page.locator(".giveback .ant-btn-primary").click();
  await page.locator(".notice[data-tone=go]", { hasText: "退货已批准" }).waitFor(WAIT);
  const after = await read(page, `/api/v1/payments/${ref}`);
  assert.equal(after.follow_ups.length, 1);
  assert.equal(cents(await balance()), before - 250);
  await page.reload();
  await page.locator(".line .point").first().waitFor(WAIT);
  assert.equal(await page.locator(".notice").count(), 0, "nothing is uncertain any more");
});

test("a void takes the whole payment back, and then nothing more can be asked for", async () => {
  const ref = await story("999.99");
  const before = cents(await balance());
  await page.locator(".acts button", { hasText: "撤销" }).click();
  await page.locator(".giveback textarea").fill("收错了");
  await page.waitForTimeout(300);
  await shot(page, "void");
  await page.locator(".giveback .ant-btn-primary").click();
  await page.locator(".notice[data-tone=go]", { hasText: "消费撤销已批准" }).waitFor(WAIT);
  const after = await read(page, `/api/v1/payments/${ref}`);
  assert.equal(after.payment.state, "undone");
  assert.equal(cents(await balance()), before - 99999);
  await page.locator(".state", { hasText: "已撤销" }).first().waitFor(WAIT);
  assert.equal(await page.locator(".acts").count(), 0);
  await page.locator(".facts .other a").click();
  await page.locator(".facts h2", { hasText: "原交易" }).waitFor(WAIT);
  await shot(page, "void-story");
});

test("places: live, batches, merchants, terminals, host", async () => {
  await page.goto(at("live"));
  await page.locator(".chart canvas").nth(3).waitFor(WAIT);
  const first = await page.locator(".foot").innerText();
  await page.waitForFunction((t) => document.querySelector(".foot")?.textContent !== t, first, WAIT); // a second has passed
  assert.equal(await page.locator(".chart h2").count(), 4);
  for (const title of await page.locator(".chart h2").allInnerTexts()) assert.match(title, /？$/, "a title is a question");
  await sound(page, "live");
  await shot(page, "live");

  await page.goto(at(`merchants/${merchant}`));
  await page.locator(".sums dd.big").waitFor(WAIT);
  assert.equal((await page.locator(".sums dd.big .quiet-for-eyes").innerText()).replaceAll(",", ""), `${await balance()} CNY`);
  await sound(page, "merchant");
  await shot(page, "merchant");
  await page.goto(at("merchants"));
  await rows();
  await page.goto(at("terminals"));
  await page.locator("tbody tr", { hasText: "HK000001" }).waitFor(WAIT);
  await sound(page, "terminals");
  await shot(page, "terminals");
  await page.locator("td[data-name=batch] a").click();
  await page.locator(".sums", { hasText: "未结算" }).waitFor(WAIT);
  await sound(page, "batch");
  await shot(page, "batch");
  await page.goto(at("host"));
  await page.locator(".links li", { hasText: "已连通" }).first().waitFor(WAIT);
  await sound(page, "host");
  await shot(page, "host");
  await page.goto(at("nowhere"));
  await page.locator(".nothing a").click();
  await rows();
});

test("an API key shows once, works, and ends when it is revoked", async () => {
  await page.goto(at("keys"));
  await page.locator(".tools button", { hasText: "生成密钥" }).click();
  await page.locator("#make-key input").first().fill("财务系统");
  await page.locator("#make-key label", { hasText: "payments:read" }).click();
  await page.waitForTimeout(300);
  await sound(page, "make key");
  await shot(page, "make-key");
  await page.locator(".ant-drawer .ant-btn-primary").click();
  const secret = await page.locator(".secret output").innerText();
  assert.match(secret, /^hk_/);
  await page.waitForTimeout(300);
  await sound(page, "key made");
  await shot(page, "key-made");
  const use = () => fetch(new URL("/api/v1/payments?limit=1", huika.says.Console), { headers: { Authorization: `Bearer ${secret}` } }).then((r) => r.status);
  assert.equal(await use(), 200);
  await page.reload();
  await page.locator("tbody tr", { hasText: "财务系统" }).waitFor(WAIT);
  assert.ok(!(await page.content()).includes(secret), "it can't be seen again");
  await page.locator("td[data-name=act] button").click();
  await page.locator(".sure button", { hasText: "吊销" }).click();
  await page.locator("tbody tr", { hasText: "已吊销" }).waitFor(WAIT);
  assert.equal(await use(), 401);
});

test("a webhook: added, paused, ended", async () => {
  await page.goto(at("webhooks"));
  await page.locator(".tools button", { hasText: "新增推送" }).click();
  await page.locator("#make-hook input").first().fill("http://127.0.0.1:9/hook");
  await page.locator("#make-hook label", { hasText: "reversal" }).click();
  await page.locator(".ant-drawer .ant-btn-primary").click();
  await page.locator(".secret output").waitFor(WAIT);
  await page.locator(".secret button", { hasText: "已保存好" }).click();
  const hook = page.locator(".hook", { hasText: "127.0.0.1:9" });
  await hook.locator("button", { hasText: "暂停" }).click();
  await hook.locator(".state", { hasText: "已暂停" }).waitFor(WAIT);
  await sound(page, "webhooks");
  await shot(page, "webhooks");
  await hook.locator("button", { hasText: "删除" }).click();
  await page.locator(".sure button", { hasText: "删除" }).click();
  await page.locator(".nothing").waitFor(WAIT);
});

test("a browser that is not paired is told what to do", async () => {
  const stranger = await openPage(browser, at("payments"), LARGE, complaints);
  await stranger.locator(".alone", { hasText: "此浏览器尚未配对" }).waitFor(WAIT);
  await sound(stranger, "not paired");
  await shot(stranger, "not-paired");
  await stranger.context().close();
});

test("every screen in both languages, small and large, light and dark", async () => {
  const { payments } = await read(page, "/api/v1/payments?state=approved&kind=sale");
  const places = ["payments", `payments/${payments[0].ref}`, "live", "dead-letters", "batches", `batches/${merchant}/HK000001/000001`, "merchants", `merchants/${merchant}`, "terminals", "host", "keys", "webhooks"];
  for (const [size, shape] of [["small", SMALL], ["large", LARGE]]) {
    for (const [locale, colorScheme] of [["zh-CN", "light"], ["en-GB", "dark"]]) {
      const p = await openPage(browser, huika.says.Console, { ...shape, locale, colorScheme }, complaints);
      for (const place of places) {
        const name = `${place.replace(/\/.*/, "-one")}-${size}-${locale.slice(0, 2)}-${colorScheme}`;
        await p.goto(at(place));
        await p.locator("h1").first().waitFor(WAIT);
        await p.locator(".waiting").waitFor({ ...WAIT, state: "detached" });
        await sound(p, name);
        await shot(p, name);
        if (size === "small") {
          const low = await p.evaluate(() => [...document.querySelectorAll("#main button, .side button")].filter((b) => b.offsetParent && b.getBoundingClientRect().height < 32).map((b) => b.textContent));
          assert.deepEqual(low, [], `${name}: targets too low`);
        }
      }
      if (size === "small") {
        await p.locator(".menu").click();
        await p.locator(".menu-drawer nav a").first().waitFor(WAIT);
        await p.waitForTimeout(300);
        await sound(p, "menu");
        await shot(p, `menu-${locale.slice(0, 2)}`);
        await p.locator(".menu-drawer nav a").nth(1).click();
        await p.locator(".chart").first().waitFor(WAIT);
      }
      await p.context().close();
    }
  }
});

test("a dead letter: what the scheme never took, ended on a person's word", async () => {
  const p = await openPage(browser, host.says.Console, LARGE, complaints);
  await p.goto(new URL("/console/#/dead-letters", host.says.Console).href);
  await p.locator(".letter", { hasText: "45.60" }).waitFor({ timeout: 240_000 });
  await p.locator("nav .bell").waitFor(WAIT);
  await sound(p, "dead letters");
  await shot(p, "letter");
  await p.locator(".letter button").click();
  assert.ok(await p.locator(".ant-drawer .ant-btn-primary").isDisabled(), "a reason is wanted");
  assert.match(await p.locator(".effect").innerText(), /45\.60/);
  await p.locator(".ant-drawer textarea").fill("已与卡组织电话核对，工单 77");
  await p.waitForTimeout(300);
  await sound(p, "end by hand");
  await shot(p, "letter-end");
  await p.locator(".ant-drawer .ant-btn-primary").dblclick();
  await p.locator(".notice[data-tone=go]").waitFor(WAIT);
  await p.locator(".notice[data-tone=go] a").click();
  await p.locator(".told .state", { hasText: "已冲正" }).waitFor(WAIT);
  assert.match(await p.locator(".line").innerText(), /工单 77/);
  await shot(p, "letter-story");
  await p.context().close();
});

test("no page complained, and nothing broke the content security policy", () => assert.deepEqual([...new Set(complaints)], []));
