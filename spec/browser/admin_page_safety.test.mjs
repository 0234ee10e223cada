// The admin page by keyboard alone, to the eye, and against pages of another origin.
import { test } from "node:test";
import assert from "node:assert/strict";
import { account, idOf, onScene, open, picture, read, rows, send, serve, waitFor }
  from "./admin_scene.mjs";
import { clipping, contrast, focusOrder } from "./page_checks.mjs";
import { assertFits, by, staged, tabTo } from "./support.mjs";

test("can be used by keyboard alone", staged(async (own) => {
  const served = await serve(own);
  await send(served, "login.success", 1);
  await send(served, "login.error", 2);
  await waitFor(served, { done: 1, dead: 1 });
  const page = await own.page();
  await open(page, served);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "view", "the skip link");
  await tabTo(page, by("state-dead"));
  await page.keyboard.press("Enter");
  await rows(page, 1);
  await tabTo(page, by("event-row", " a"));
  await page.keyboard.press("Enter");
  await page.waitForSelector(by("replay"));
  await tabTo(page, by("replay"));
  await page.keyboard.press("Enter");
  await page.waitForSelector(by("notice", " >> text=/runs again/"));
  await waitFor(served, { dead: 1, done: 1 });
  await tabTo(page, ".crumb a");
  await page.keyboard.press("Enter");
  await rows(page, 1);
  await tabTo(page, by("purge"));
  await page.keyboard.press("Enter");
  await page.waitForSelector(by("dialog", "[open]"));
  const inside = new Set();
  for (let presses = 0; presses < 8; presses += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => (document.activeElement.closest("dialog")
      ? document.activeElement.dataset.testid : document.activeElement.tagName));
    inside.add(at);
  }
  // from its last element the Tab key leads out of the page, to the browser
  assert.deepEqual([...inside].sort(), ["BODY", "dialog-cancel", "purge-days"]);
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), "purge");
}));

// By day on a phone, by night on a desk; the walk with the Tab key only where the stops are other
// ones than in a state before.
async function assertGood(page, name, isWalked) {
  for (const [width, colorScheme] of [[375, "light"], [1280, "dark"]]) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const found = [...await clipping(page), ...await contrast(page)];
    if (isWalked) found.push(...await focusOrder(page));
    assert.deepEqual(found, [], `${name} at ${width}, ${colorScheme}`);
    await assertFits(page, width);
    assert.equal(await page.$$eval(".scroll", (nodes) => nodes.filter((node) =>
      node.scrollWidth > node.clientWidth + 1).length), 0, `${name}: a table is scrolled`);
  }
  await picture(page, name);
}

test("passes the mechanical checks in each state", onScene(async (stage, served) => {
  const page = await stage.page();
  const id = await idOf(served, `account_id=${account(1)}`);
  await open(page, served, "#/?state=dead&error=scoring&range=custom&since=2026-01-01T00:00:00.000Z");
  await page.waitForSelector(by("event-row"));
  await assertGood(page, "found", true);
  await open(page, served);
  await page.waitForSelector(by("event-row"));
  await assertGood(page, "full", false);
  await page.click(by("purge"));
  await page.waitForSelector(by("dialog-count", " >> text=/delete/"));
  await assertGood(page, "purge", true);
  await open(page, served, "#/?state=dead");
  await page.click(by("replay-all"));
  await page.waitForSelector(by("dialog-run", ":enabled"));
  await assertGood(page, "replay", true);
  await open(page, served, "#/?account_id=nobody");
  await assertGood(page, "nothing", false);
  await open(page, served, `#/events/${id}`);
  await page.click(by("reveal"));
  for (const one of await page.$$("#event-view summary")) await one.click();
  await assertGood(page, "event", true);
}));

test("passes them where nothing is stored", staged(async (own) => {
  const served = await serve(own);
  const page = await own.page();
  await open(page, served);
  await page.waitForSelector(by("trigger"));
  await assertGood(page, "empty", true);
}));

// What a page of another origin can try: a request that needs no consent, one that does, a form.
async function attack(page, admin, id) {
  return page.evaluate(async ([target, event]) => {
    const outcomes = [];
    const post = async (path, type, headers = {}) => {
      const body = JSON.stringify({ id: event, filter: {}, dry_run: false });
      for (const mode of ["no-cors", "cors"]) {
        await fetch(target + path, { method: "POST", mode, body, credentials: "include",
          headers: { "Content-Type": type, ...headers } })
          .then((response) => outcomes.push(response.type), () => outcomes.push("failed"));
      }
    };
    for (const path of ["/api/replay", "/api/purge", `/api/events/${event}/body`]) {
      await post(path, "text/plain");
      await post(path, "application/json");
      await post(path, "application/json", { "X-Palenca-Admin": "1" });
    }
    await fetch(`${target}/api/events`).then(() => outcomes.push("read"),
      () => outcomes.push("failed"));
    return outcomes;
  }, [admin, id]);
}

async function sendForm(page, admin, id) {
  const target = `${admin}/api/replay`;
  const response = page.context().waitForEvent("response", (one) => one.url() === target);
  await page.evaluate(([action, event]) => {
    const form = Object.assign(document.createElement("form"), { method: "POST", action,
      enctype: "text/plain", target: "_blank" });
    const field = Object.assign(document.createElement("input"), { type: "hidden",
      name: `{"id":${event},"x":"`, value: '"}' });
    form.append(field);
    document.body.append(form);
    form.submit();
  }, [target, id]);
  return (await response).status();
}

test("a page of another origin changes nothing, and reads nothing", onScene(async (stage, served) => {
  const before = await read(served, "/api/events?limit=200");
  const id = before.events.find((one) => one.state === "dead").id;
  const page = await stage.page();
  await page.goto(await stage.site("<!doctype html><title>Another origin</title><p>x"));
  const outcomes = await attack(page, served.admin, id);
  assert.ok(!outcomes.includes("cors") && !outcomes.includes("read"), outcomes.join());
  const status = await sendForm(page, served.admin, id);
  assert.ok(status >= 400 && status < 500, `a form: ${status}`);
  assert.deepEqual(await read(served, "/api/events?limit=200"), before);
  assert.doesNotMatch(served.process.output, new RegExp(`(replay|purge|body).*${id}`));

  // a name of another site that resolves to this machine, as after DNS rebinding
  const rebound = await stage.page();
  rebound.removeAllListeners("request");
  const name = served.admin.replace("127.0.0.1", "rebound.localhost");
  assert.equal((await rebound.goto(`${name}/`)).status(), 403);
  const own = await rebound.evaluate((event) => Promise.all([fetch("/api/events"),
    fetch("/api/replay", { method: "POST", body: JSON.stringify({ id: event }),
      headers: { "Content-Type": "application/json", "X-Palenca-Admin": "1" } })])
    .then((responses) => responses.map((one) => one.status)), id);
  assert.deepEqual(own, [403, 403]);
  assert.deepEqual(await read(served, "/api/events?limit=200"), before);
  stage.problems = stage.problems.filter((text) => !/CORS|Failed to load/.test(text));

  const frame = await stage.page();
  await frame.goto(await stage.site(`<!doctype html><iframe src="${served.admin}/"></iframe>`));
  const inner = await (await frame.waitForSelector("iframe")).contentFrame();
  await inner.waitForLoadState();
  assert.equal(await inner.$("#view"), null, "it cannot be framed");
  stage.problems = stage.problems.filter((text) => !/frame-ancestors|Failed to load/.test(text));
}));

test("a link on another page opens the page, and the event that it names", onScene(async (stage, served) => {
  const id = await idOf(served, "state=dead");
  const page = await stage.page();
  await page.goto(await stage.site(`<!doctype html><link rel=icon href=data:,>
    <a href="${served.admin}/#/events/${id}">The event</a>`));
  await page.click("a");
  await page.waitForSelector("#event-view h1");
  assert.ok((await page.textContent("#event-view")).includes(`Event ${id}.`));
}));
