// What the console's pages are for: finding a worker, understanding a failure, setting a fault.
import { test } from "node:test";
import assert from "node:assert/strict";
import { LONG_ID, assertMatches, open, rows, scene, textOf, wrongFault } from "./console_scene.mjs";
import { by, get, key, post, until } from "./support.mjs";

const phone = { viewport: { width: 375, height: 700 } };

const values = (page, selector, name) => page.$$eval(selector, (nodes, wanted) =>
  nodes.map((node) => node.dataset[wanted]), name);

test("deliveries are found by state, platform and words, and the URL keeps the filters", async () => {
  const { stage, full } = await scene();
  const page = await stage.page(phone);
  await open(page, full.url, "deliveries");
  const all = await page.locator(by("delivery-row")).count();
  await page.selectOption(by("filter-state"), "lost");
  await rows(page, "delivery-row", 2);
  assert.deepEqual(await values(page, by("delivery-row"), "state"), ["lost", "lost"]);
  await page.selectOption(by("filter-state"), "");
  await page.selectOption(by("filter-platform"), "noventa_nove");
  await rows(page, "delivery-row", 4);
  await page.fill(by("filter-search"), "ANA-1 success");
  await rows(page, "delivery-row", 2);
  assert.deepEqual(await values(page, by("delivery-row"), "action"),
    ["login.success", "login.success"]);
  assertMatches(await textOf(page, by("delivery-row", " >> nth=0")), /ana-1/, /99/);
  assert.match(await page.textContent(by("list-count")), /^2 deliveries$/);
  await page.reload();
  await rows(page, "delivery-row", 2);
  assert.equal(await page.inputValue(by("filter-search")), "ANA-1 success");
  await page.fill(by("filter-search"), "nobody");
  await page.click(by("filter-clear"));
  await rows(page, "delivery-row", all);
  assert.equal(new URL(page.url()).hash, "#/deliveries");
  assert.equal(await page.inputValue(by("filter-platform")), "");
});

test("requests are found by status, method, platform and words", async () => {
  const { stage, full } = await scene();
  const page = await stage.page(phone);
  await open(page, full.url, "requests");
  for (const [name, value, count] of [["status", "4xx", 2], ["method", "GET", 1]]) {
    await page.selectOption(by(`filter-${name}`), value);
    await rows(page, "request-row", count);
  }
  await page.selectOption(by("filter-method"), "");
  await page.selectOption(by("filter-status"), "");
  await page.selectOption(by("filter-platform"), "noventa_nove");
  await rows(page, "request-row", 1);
  await page.selectOption(by("filter-platform"), "");
  await page.fill(by("filter-search"), "ana-1 profile");
  await rows(page, "request-row", 1);
  assertMatches(await textOf(page, by("request-row")), /99/, /ana-1/);
  await page.click(by("request-row", " a"));
  await page.waitForSelector("text=Request id");
  assertMatches(await textOf(page, "main"), /Platform\s+99/, /Worker\s+ana-1/);
});

test("a failed login is explained once, with the advice", async () => {
  const { stage, full } = await scene();
  const page = await stage.page(phone);
  const { advice } = await get(`${full.url}/sandbox/logins/${full.ids.failed}`);
  await open(page, full.url, `logins/${full.ids.failed}`);
  const text = await textOf(page, "main");
  assert.equal(text.split("invalid_credentials").length, 2);
  assert.equal(text.split(advice.text).length, 2);
  assert.equal(await page.textContent(by("advice")), advice.text);
  assert.match(text, /the worker has to correct something/);
  assert.equal(await page.locator(by("failure")).count(), 1);
  assert.equal(await page.locator(".empty").count(), 0);
  assert.doesNotMatch(text, /No earnings|No profile|Income/);
  const again = await page.getAttribute(`${by("failure")} a.main`, "href");
  assertMatches(again, /external_id=cy-1/, /platform=rappi/);
  await open(page, full.url, `logins/${full.ids.incomplete}`);
  assert.match(await textOf(page, by("failure")), /did not finish/);
});

test("a login of IMSS is shown as employment", async () => {
  const { stage, full } = await scene();
  const page = await stage.page(phone);
  const { employment } = await get(`${full.url}/sandbox/logins/${full.ids.imss}`);
  await open(page, full.url, `logins/${full.ids.imss}`);
  const text = await textOf(page, "main");
  assertMatches(text, /Login to IMSS/, /Employment/, new RegExp(LONG_ID),
    new RegExp(`Weeks quoted\\s+${employment.info.quoted_weeks}`));
  assert.equal(await page.locator(by("job-row")).count(), employment.history.length);
  assertMatches(await textOf(page, by("job-row", " >> nth=0")),
    new RegExp(employment.history[0].employer), /today/);
  assert.doesNotMatch(text, /Income|Earnings|Pattern/);
  assert.equal(await page.$(by("chart")), null);
});

test("what is empty says what to do about it", async () => {
  const { stage, full, empty } = await scene();
  const page = await stage.page(phone);
  const actions = async (view, url = empty.url) => {
    await open(page, url, view);
    return page.$$eval(".empty", (nodes) => nodes.map((node) =>
      node.querySelector("a.button, button")?.textContent ?? `none in ${node.textContent}`));
  };
  assert.deepEqual(await actions("deliveries"), ["Create a webhook"]);
  assert.equal(await page.locator(by("filter-search", ":visible")).count(), 0);
  assert.deepEqual(await actions("requests"), ["Copy"]);
  assert.deepEqual(await actions("start"), ["Create a webhook"]);
  assert.deepEqual(await actions(`logins/${full.ids.none}`, full.url), ["Simulate one with earnings"]);
  assert.deepEqual(await actions("logins?search=nobody"), ["Clear the filters"]);
  assert.deepEqual(await actions("webhooks"), ["Fill in the form"]);
  await page.click(".empty button");
  assert.equal(await page.evaluate(() => document.activeElement.name), "name");
  assert.deepEqual(await actions("faults"), ["Let the next call fail"]);
  await page.click(".empty button");
  await page.waitForSelector(by("fault-row", '[data-kind="error"]'));
  await page.click(by("fault-remove"));
  await page.waitForSelector(".empty");
});

test("faults are grouped, and ask for the fields of their kind only", async () => {
  const { stage, full } = await scene();
  const page = await stage.page();
  const { fault_kinds: kinds } = await get(`${full.url}/sandbox/overview`);
  await open(page, full.url, "faults");
  assert.deepEqual(await page.$$eval(`${by("fault-group")} h3`, (nodes) => nodes.map((node) =>
    node.textContent)), ["API requests", "Webhooks"]);
  assertMatches(await textOf(page, by("fault-row", '[data-kind="error"]')), /503/, /Retry-After 7/,
    /under \/v1\/consents/);
  await page.click("summary");
  const offered = await page.$$eval("optgroup option", (nodes) => nodes.map((node) => node.value));
  assert.deepEqual(offered.sort(), Object.keys(kinds).sort());
  for (const kind of offered) {
    await page.selectOption(by("fault-kind"), kind);
    const seen = await page.$$eval("details form [name]:not([name=kind])", (nodes) => nodes
      .filter((node) => node.checkVisibility()).map((node) => node.name));
    assert.deepEqual(seen.sort(), [...kinds[kind].fields, "probability", "times"].sort(), kind);
  }
  // what was typed for one kind is not sent with another
  await page.selectOption(by("fault-kind"), "error");
  await page.fill('[name="status"]', "500");
  await page.selectOption(by("fault-kind"), "cut");
  await page.fill('[name="path"]', "/v1/nothing");
  await page.click(by("fault-add"));
  await page.waitForSelector(by("fault-row", '[data-kind="cut"]'));
  await page.click(by("fault-row", '[data-kind="cut"]') + ` >> ${by("fault-remove")}`);
  await page.waitForSelector(by("fault-row", '[data-kind="cut"]'), { state: "detached" });
});

// The fields that are marked, each with the message beside it.
const marked = (page) => page.$$eval("[aria-invalid='true']", (nodes) => nodes.map((node) =>
  `${node.name}: ${(node.closest("fieldset") ?? node.closest(".field")).querySelector(".problem")
    .textContent}`));

test("every invalid field is marked, with the reason beside it", async () => {
  const { stage, full } = await scene();
  const page = await stage.page(phone);
  await open(page, full.url, "faults");
  await wrongFault(page);
  assert.deepEqual(await marked(page), ["status: status must be at least 400",
    "times: times must be a whole number"]);
  const described = await page.$$eval("[aria-invalid]", (nodes) => nodes.every((node) =>
    node.getAttribute("aria-describedby").split(" ").some((id) =>
      /must be/.test(document.getElementById(id).textContent))));
  assert.ok(described);
  assert.equal(await page.evaluate(() => document.activeElement.name), "status");
  await page.fill('[name="status"]', "418");
  assert.deepEqual(await marked(page), ["times: times must be a whole number"]);
  for (const name of ["webhook_delay", "retry_delay"]) await page.fill(by(`setting-${name}`), "-1");
  await page.click(by("settings-save"));
  await page.waitForSelector(by("setting-retry_delay", "[aria-invalid]"));
  stage.expectProblem(/422/);
  assert.equal((await marked(page)).length, 3);

  await open(page, full.url, "webhooks");
  await page.fill(by("webhook-url"), "ftp://example.com");
  await page.uncheck(by("event-*"));
  await page.click(by("webhook-create"));
  const found = await marked(page);
  assert.deepEqual(found.slice(0, 2), ["name: a name is required",
    "url: the URL must start with http:// or https://"]);
  assert.equal(found[2], "events: choose at least one event");
  await page.check(by("event-login.success"));
  assert.equal((await marked(page)).length, 2);
});

test("a login that waits for a code takes one", async () => {
  const { stage } = await scene();
  const { url } = await stage.sandbox();
  const { login_id: id } = await post(`${url}/sandbox/logins`,
    { identifier: "didi+expired_otp@palenca-tests.com" });
  const page = await stage.page(phone);
  await open(page, url, `logins/${id}`);
  await page.click(by("code-send"));
  await page.waitForSelector("[name='code'][aria-invalid]");
  stage.expectProblem(/422/);
  await page.fill(by("code"), "123456");
  await page.click(by("code-send"));
  await page.waitForSelector(by("failure"));
  assert.equal(await page.$(by("code")), null);
  assert.match(await textOf(page, by("failure")), /expired_otp/);
});

test("steps that are done fold to numbers, which lead to what they count", async () => {
  const { stage } = await scene();
  const { url } = await stage.sandbox();
  const hook = await stage.receiver(() => ({ status: 200, text: "{}" }));
  const page = await stage.page(phone);
  await open(page, url, "start");
  assert.equal(await page.$(by("numbers")), null);
  await page.waitForSelector(`${by("step-1")} >> text=To the webhooks`);
  await post(`${url}/sandbox/webhooks`, { name: "hook", url: hook.url, is_sandbox: true,
    widget_id: (await get(`${url}/sandbox/overview`)).default_widget_id });
  await until(page, (selector) => document.querySelector(selector)?.textContent === "1 webhook",
    by("step-1-number"));
  assert.equal(await page.$(`${by("step-1")} a`), null);
  assert.ok(await page.isVisible(by("open-widget")));
  const { login_id: id } = await post(`${url}/sandbox/logins`, { platform: "uber" });
  await post(`${url}/sandbox/logins`, { identifier: "uber+banned@palenca-tests.com" });
  await fetch(`${url}/v1/webhooks`, { headers: { "x-api-key": key } });
  await page.waitForSelector(by("step-5-number"));
  assert.ok(await page.isVisible(by("step-4")));
  await open(page, url, `logins/${id}`);
  await open(page, url, "start");
  await page.waitForSelector(by("numbers"));
  assert.equal(await page.isVisible(by("step-4")), false);
  assert.deepEqual(await page.$$eval(`${by("numbers")} li`, (nodes) => nodes.map((node) =>
    node.innerText.replace(/\s+/g, " "))),
  ["3 logins 1 failed", "4 deliveries none failed", "1 API request", "1 webhook"]);
  await page.click(`${by("number-logins")} .failed`);
  await rows(page, "login-row", 1);
  assert.deepEqual(await values(page, by("login-row"), "status"), ["error"]);
});
