// The admin page of palenca serve: what it shows, and what it lets one do.
// SPEC_ADMIN_SCREENSHOTS=DIRECTORY leaves a picture of each of its states there.
import { execFileSync } from "node:child_process";
import { renameSync } from "node:fs";
import { test } from "node:test";
import assert from "node:assert/strict";
import { account, CURP, idOf, MARKUP, onScene, open, picture, read, rows, send, serve, shown,
  waitFor } from "./admin_scene.mjs";
import { assertChecked } from "./page_checks.mjs";
import { by, staged, until } from "./support.mjs";

const INTERVAL = 2000; // ms between two refreshes

test("a search is kept in the URL, which reproduces it", onScene(async (stage, served) => {
  const page = await stage.page();
  await open(page, served);
  await rows(page, 50);
  assert.match(await page.textContent(by("count")), /^The newest 50 events$/);
  await page.click(by("more"));
  await rows(page, 65);
  assert.equal(await page.textContent(by("count")), "65 events");
  assert.equal(await page.textContent(by("state-dead", " strong")), "2");
  await page.click(by("state-dead"));
  await rows(page, 2);
  await page.fill(by("search-account_id"), account(2));
  await rows(page, 1);
  await page.fill(by("search-error"), "SCORING service");
  await page.fill(by("search-action"), "login.*");
  await page.selectOption(by("search-range"), "1h");
  await until(page, () => /action.*range=1h/.test(location.hash));
  const [id] = await shown(page);
  const other = await stage.page();
  await other.goto(page.url());
  await rows(other, 1);
  assert.deepEqual(await shown(other), [id]);
  assert.equal(await other.inputValue(by("search-error")), "SCORING service");
  assert.equal(await other.getAttribute(by("state-dead"), "aria-current"), "true");
  await other.fill(by("search-error"), "another error");
  await other.click(by("clear-all"));
  await rows(other, 50);
  assert.equal(new URL(other.url()).hash, "#/");
}));

// Has the program's next responses end after one event, as they do in a search that takes long.
async function shorten(page, count) {
  let left = count;
  await page.route("**/api/events?*", async (route) => {
    const response = await route.fetch(), json = await response.json();
    if (left > 0 && json.events.length > 1) {
      json.events.length = 1;
      json.next = json.events[0].id;
      left -= 1;
    }
    await route.fulfill({ response, json });
  });
}

test("a search that takes long shows what it has, and goes on when asked to", onScene(async (stage, served) => {
  const page = await stage.page();
  await page.clock.install();
  await shorten(page, 10);
  await open(page, served, "#/?state=done");
  await page.waitForSelector(by("further"));
  const found = await shown(page);
  assert.equal(found.length, 10);
  assert.equal(await page.textContent(by("count")), `10 events, newer than ${found.at(-1)}`);
  await page.unrouteAll();
  await page.click(by("further"));
  await rows(page, 50);
  assert.deepEqual((await shown(page)).slice(0, 10), found);
  assert.equal(await page.evaluate(() => document.activeElement.textContent),
    (await shown(page))[10]);
  await page.clock.runFor(INTERVAL);
  await page.click(by("more"));
  await rows(page, 61);
}));

test("a time range is the same one in a link", onScene(async (stage, served) => {
  const page = await stage.page({ timezoneId: "America/Mexico_City" });
  await open(page, served);
  await page.selectOption(by("search-range"), "custom");
  await page.fill(by("search-until"), "2020-01-01T12:00");
  await page.waitForSelector(by("clear-all"));
  assert.match(page.url(), /until=2020-01-01T18%3A00%3A00.000Z/);
  const other = await stage.page({ timezoneId: "Europe/Madrid" });
  await open(other, served, new URL(page.url()).hash);
  assert.equal(await other.inputValue(by("search-until")), "2020-01-01T19:00");
}));

test("an event has its attempts with their log lines, and a body masked until asked", onScene(async (stage, served) => {
  const id = await idOf(served, `account_id=${account(1)}`);
  const page = await stage.page();
  await open(page, served, "#/?state=dead");
  await page.click(by("event-row", `[data-id="${id}"] .received`));
  await page.locator(by("attempt")).nth(2).waitFor();
  assert.equal(new URL(page.url()).hash, `#/events/${id}?state=dead`);
  assert.deepEqual(await page.$$eval(by("attempt"), (nodes) => nodes.map((node) =>
    node.dataset.outcome)), ["dead", "retry", "retry"]);
  await page.click(by("lines", " >> nth=0") + " >> summary");
  assert.match(await page.textContent(by("log-lines")), /^\S+  warning  <img src=x .*  attempt=3/);
  assert.ok((await page.textContent(by("error"))).includes(MARKUP), "the error is text");
  const body = () => page.textContent(by("body", " pre"));
  assert.ok((await body()).includes(JSON.stringify(MARKUP).slice(1, -1)), "the body is text");
  assert.ok(!(await body()).includes(CURP));
  assert.ok(!served.process.output.includes("body shown"));
  await page.click(by("reveal"));
  await until(page, ([selector, text]) => document.querySelector(selector).textContent
    .includes(text), [by("body", " pre"), CURP]);
  await served.process.wait(new RegExp(`body.*${id}|${id}.*body`));
  await page.click(by("reveal"));
  assert.ok(!(await body()).includes(CURP));
  assert.deepEqual([await page.locator("main img").count(),
    await page.evaluate(() => window.injected)], [0, undefined]);
  await page.click("#event-view .crumb a");
  // the focus is on the event that was left
  await until(page, (text) => document.activeElement.textContent === text, String(id));
}));

test("an unknown id, a wrong search and a wrong hash say what to do", onScene(async (stage, served) => {
  const page = await stage.page();
  await open(page, served, "#/events/5");
  await page.waitForSelector(by("missing"));
  stage.expectProblem(/404/);
  await picture(page, "missing");
  await page.click(by("missing", " a"));
  await rows(page, 50);
  await open(page, served, "#/?state=nonsense&range=9y");
  await rows(page, 50);
}));

test("says how many attempts, and lines, are not on the page", staged(async (own) => {
  const served = await serve(own);
  await send(served, "login.success", 1);
  await waitFor(served, { done: 1 });
  const id = await idOf(served, "state=done");
  execFileSync("/usr/bin/sqlite3", ["-cmd", ".timeout 5000", own.file("events.db"),
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 101)"
    + " INSERT INTO attempts(id, replay, attempt, outcome, lines, lines_left_out)"
    + ` SELECT ${id}, i, 1, 0, 'line ' || char(10) || printf('%.*c', 16000, 'x'), 3 FROM n`]);
  const page = await own.page();
  await open(page, served, `#/events/${id}`);
  assert.equal(await page.textContent(by("attempts-left-out")),
    `2 older attempts: palenca events show ${id}`);
  const lines = (place) => page.textContent(by("lines", ` >> nth=${place}`));
  assert.match(await lines(0), /^2 log lines.*3 earlier lines were not kept\.$/s);
  assert.match(await lines(99), /^5 log lines.*palenca events show has them\.$/s);
}));

test("replays one event, and all that match, after a count", staged(async (own) => {
  const served = await serve(own);
  await send(served, "login.error", 1);
  await send(served, "login.error", 2);
  await send(served, "login.success", 3);
  await waitFor(served, { dead: 2, done: 1 });
  const page = await own.page();
  await page.clock.install();
  await open(page, served, `#/events/${await idOf(served, "state=dead")}`);
  await page.click(by("replay"));
  await page.waitForSelector(by("notice", ' >> text=/runs again/'));
  await waitFor(served, { dead: 2, done: 1 });
  await page.clock.runFor(INTERVAL);
  await page.locator(by("attempt")).nth(5).waitFor();
  assert.match(await page.textContent(by("attempt", " >> nth=0")), /Attempt \d of replay 1/);

  await open(page, served, "#/?state=dead");
  await page.click(by("replay-all"));
  await page.waitForSelector(by("dialog-run", ":enabled"));
  assert.equal(await page.textContent(by("dialog-count")), "2 events will run again.");
  assert.match(await page.textContent(by("dialog")), /State\s*dead/);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(by("dialog")).isVisible(), false);
  assert.equal(await page.evaluate(() => document.activeElement.id), "replay-all");
  const replays = async () => (await read(served, "/api/events")).events.map((one) => one.replays);
  assert.deepEqual(await replays(), [0, 1, 0]);
  await page.click(by("replay-all"));
  await page.click(by("dialog-run"));
  await page.waitForSelector(by("notice", " >> text=2 events run again."));
  await waitFor(served, { dead: 2, done: 1 });
  assert.deepEqual(await replays(), [0, 2, 1]);
  await served.process.wait(/replay/);
}));

test("asks before a done event runs again, and purges after a count", staged(async (own) => {
  const served = await serve(own, { window: "0" });
  for (const number of [1, 2, 3]) await send(served, "login.success", number);
  await send(served, "login.incomplete", 4);
  await waitFor(served, { done: 3, retry: 1 });
  const page = await own.page();
  await page.clock.install();
  const id = await idOf(served, "state=done");
  await open(page, served, `#/events/${id}`);
  await page.click(by("replay"));
  await page.click(by("dialog-run", ":enabled"));
  await page.waitForSelector(by("notice", ` >> text=Event ${id} runs again.`));
  await waitFor(served, { done: 3 });

  await open(page, served);
  await page.click(by("purge"));
  await page.waitForSelector(by("dialog-count", " >> text=/^Nothing to delete/"));
  assert.equal(await page.isEnabled(by("dialog-run")), false, "nothing is 30 days old");
  await page.fill(by("purge-days"), "-1");
  await page.waitForSelector(by("dialog-problem", " >> text=/number/"));
  await page.fill(by("purge-days"), "0");
  await page.waitForSelector(by("dialog-run", ":enabled"));
  assert.match(await page.textContent(by("dialog-count")), /^3 events will be deleted, \d/);
  await waitFor(served, { done: 3 });
  await page.click(by("dialog-run"));
  await page.waitForSelector(by("notice", " >> text=/^3 events deleted/"));
  await rows(page, 1);
  await waitFor(served, { done: 0, retry: 1 });
  await served.process.wait(/purge/);

  // where the event with the focus is gone, the next one has it
  for (const number of [5, 6]) await send(served, "login.success", number);
  await waitFor(served, { done: 2 });
  await page.clock.runFor(INTERVAL);
  await rows(page, 3);
  await page.focus(by("event-row", " >> nth=0") + " >> a");
  const response = await fetch(`${served.admin}/api/purge`, { method: "POST",
    headers: { "Content-Type": "application/json", "X-Palenca-Admin": "1" },
    body: JSON.stringify({ filter: { account_id: account(6) } }) });
  assert.equal((await response.json()).events, 1);
  await page.clock.runFor(INTERVAL);
  await rows(page, 2);
  assert.equal(await page.evaluate(() => document.activeElement.textContent),
    (await shown(page))[0]);
}));

test("is live, and keeps focus, selection and scroll", staged(async (own) => {
  const served = await serve(own);
  const page = await own.page({ viewport: { width: 1280, height: 500 } });
  await page.clock.install();
  await open(page, served);
  await page.waitForSelector(by("trigger"));
  for (let number = 1; number <= 30; number += 1) await send(served, "login.success", number);
  await waitFor(served, { done: 30 });
  await page.clock.runFor(INTERVAL);
  await rows(page, 30);
  await page.evaluate((selector) => {
    const row = [...document.querySelectorAll(selector)][10], code = row.querySelector("code");
    row.querySelector("a").focus();
    getSelection().selectAllChildren(code);
    row.scrollIntoView();
    window.look = () => ({ text: getSelection().toString(), top: code.getBoundingClientRect().top,
      focus: row.contains(document.activeElement) });
  }, by("event-row"));
  const before = await page.evaluate(() => window.look());
  assert.deepEqual([before.text, before.focus], [account(20), true]);
  await send(served, "login.success", 31);
  await waitFor(served, { done: 31 });
  await page.clock.runFor(INTERVAL);
  await rows(page, 31);
  assert.deepEqual(await page.evaluate(() => window.look()), before);
}));

// Counts the requests of a page, and waits until none is under way.
function watchRequests(page) {
  const watched = { count: 0, open: 0, async idle() {
    while (watched.open > 0) await new Promise((resolve) => { setTimeout(resolve, 10); });
  } };
  page.on("request", () => {
    watched.count += 1;
    watched.open += 1;
  });
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, () => { watched.open -= 1; });
  return watched;
}

test("does not ask while it is paused or hidden", onScene(async (stage, served) => {
  const page = await stage.page();
  const requests = watchRequests(page);
  await page.clock.install();
  await open(page, served);
  const becomes = (state) => page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state === "hidden");
  const next = () => page.waitForResponse(/api.events/);
  for (const [stop, go] of [[() => becomes("hidden"), () => becomes("visible")],
    [() => page.click(by("pause")), () => page.click(by("pause"))]]) {
    await requests.idle();
    await Promise.all([next(), page.clock.runFor(INTERVAL)]);
    await stop();
    await requests.idle();
    await page.clock.runFor(20 * INTERVAL);
    await requests.idle();
    const { count } = requests;
    await page.clock.runFor(100 * INTERVAL);
    assert.equal(requests.count, count);
    await Promise.all([next(), go()]);
  }
}));

test("says that the program is away, and recovers by itself", staged(async (own) => {
  const first = await serve(own);
  await send(first, "login.success", 1);
  await waitFor(first, { done: 1 });
  const page = await own.page();
  await page.clock.install();
  await open(page, first);
  await rows(page, 1);
  await first.process.stop();
  await page.clock.runFor(INTERVAL);
  await page.waitForSelector(by("lost", ":visible"));
  own.problems = own.problems.filter((text) => !/ERR_CONNECTION_REFUSED/.test(text));
  assert.match(await page.textContent(by("lost")), /does not respond.*What is shown is of/);
  assert.equal(await page.textContent("#ready"), "no response");
  await assertChecked(page, "away");
  await picture(page, "away");
  await rows(page, 1);
  const again = await serve(own, { admin: new URL(first.admin).host });
  await send(again, "login.success", 2);
  await page.clock.runFor(INTERVAL);
  await rows(page, 2);
  await page.waitForSelector(by("lost"), { state: "hidden" });
  await page.waitForSelector("#ready >> text=/^(ready|not ready)$/");
  own.problems = own.problems.filter((text) => !/ERR_CONNECTION_REFUSED/.test(text));
}));

test("says why the program is not ready, and that what is shown may be old", staged(async (own) => {
  const served = await serve(own);
  await send(served, "login.success", 1);
  await waitFor(served, { done: 1 });
  const page = await own.page();
  await open(page, served);
  await rows(page, 1);
  const path = own.file("events.db");
  renameSync(path, `${path}.away`);
  await page.waitForSelector(by("reasons", " >> text=/moved or removed/"));
  await page.waitForSelector(by("problem", " >> text=/may be old/"));
  assert.equal(await page.textContent("#ready"), "not ready");
  await assertChecked(page, "not ready");
  await picture(page, "not-ready");
  await page.reload();
  await page.waitForSelector("#results >> text=/^No event could be read.$/");
  renameSync(`${path}.away`, path);
  await page.waitForSelector("#ready >> text=/^ready$/");
  await page.waitForSelector(by("reasons"), { state: "hidden" });
  await until(page, (selector) => document.querySelector(selector).textContent === "",
    by("problem"));
  own.problems = own.problems.filter((text) => !/503/.test(text));
}));
