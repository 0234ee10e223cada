// The console: live, by keyboard alone, with hostile texts, and what it lets one do.
import { test } from "node:test";
import assert from "node:assert/strict";
import { by, get, key, post, program, staged, tabTo, until } from "./support.mjs";

const views = ["start", "logins", "webhooks", "deliveries", "requests", "faults"];

const ok = () => ({ status: 200, text: '{"received": true}' });

const addWebhook = (url, target, name = "hook") => post(`${url}/sandbox/webhooks`, {
  name, url: target, widget_id: "b679c2fb-a096-4c26-a902-245f9bce66d9", is_sandbox: true,
});

const logIn = (url, identifier = "rappi+success@palenca-tests.com") =>
  post(`${url}/sandbox/logins`, { identifier, external_id: "worker-1" });

async function callApi(url, path, status) {
  const response = await fetch(url + path, { headers: { "x-api-key": key } });
  assert.equal(response.status, status);
  return response;
}

test("shows what happens without reloading", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page();
  await page.goto(`${url}/console#/logins`);
  await page.waitForSelector(by("nav-logins", '[aria-current="page"]'));
  await page.evaluate(() => { window.untouched = true; });
  const login = await logIn(url);
  await page.waitForSelector(by("login-row", `[data-login-id="${login.login_id}"]`));
  await page.click(by("nav-requests"));
  await page.waitForSelector(".empty");
  const response = await callApi(url, `/v1/accounts/${login.account_id}`, 200);
  await page.waitForSelector(by("request-row"));
  await page.click(by("request-row", " a"));
  await page.waitForSelector(by("copy-curl"));
  assert.ok((await page.textContent("main")).includes(response.headers.get("x-request-id")));
  assert.equal(await page.evaluate(() => window.untouched), true);
}));

test("filters the logins by status and platform", staged(async (stage) => {
  const { url } = await stage.sandbox();
  await logIn(url, "rappi+incomplete@palenca-tests.com");
  await logIn(url, "uber+banned@palenca-tests.com");
  await logIn(url, "uber+success@palenca-tests.com");
  const page = await stage.page();
  await page.goto(`${url}/console#/logins`);
  const rows = () => page.$$eval(by("login-row"), (nodes) => nodes.map((node) =>
    `${node.querySelector("a").textContent} ${node.dataset.status}`));
  const show = (name, value, count) => page.selectOption(by(`filter-${name}`), value)
    .then(() => until(page, ([selector, wanted]) =>
      document.querySelectorAll(selector).length === wanted, [by("login-row"), count]));
  await show("platform", "rappi", 1);
  assert.deepEqual(await rows(), ["Rappi incomplete"]);
  await show("platform", "uber", 3);
  await show("status", "error", 1);
  assert.deepEqual(await rows(), ["Uber error"]);
  await show("status", "pending", 0);
}));

test("is usable with the keyboard alone", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const hook = await stage.receiver(ok);
  const page = await stage.page();
  await page.goto(`${url}/console`);
  await page.waitForSelector(by("nav-webhooks"));
  const enter = async (selector) => {
    await tabTo(page, selector);
    await page.keyboard.press("Enter");
  };
  await enter(by("nav-webhooks"));
  await page.waitForSelector(by("webhook-name"));
  await tabTo(page, by("webhook-name"));
  await page.keyboard.type("by keyboard");
  await tabTo(page, by("webhook-url"));
  await page.keyboard.press("Control+a");
  await page.keyboard.type(hook.url);
  await enter(by("webhook-create"));
  await page.waitForSelector(by("webhook-row"));
  await enter(by("nav-start"));
  await page.waitForSelector(by("simulate"));
  await enter(by("simulate"));
  await page.waitForSelector(by("chart-bar"));
  await tabTo(page, by("chart-bar"));
  const focused = () => page.evaluate(() => document.activeElement.dataset.date);
  const first = await focused();
  await page.keyboard.press("ArrowRight");
  assert.ok(await focused() > first);
  await page.keyboard.press("End");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), undefined, "one stop for all bars");
  await page.waitForSelector(by("delivery-row", '[data-state="delivered"]'));
  await enter(by("delivery-row", " a"));
  await page.waitForSelector(by("resend"));
  await enter(by("resend"));
  await page.waitForSelector("text=Sent again from");
  await until(page, () => document.querySelector('[data-testid="delivery-state"]')
    ?.textContent === "delivered");
  assert.equal(hook.seen.length, 3);
}));

test("injects faults and advances the clock", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const hook = await stage.receiver((count) => (count === 1 ? { status: 500, text: "no" } : ok()));
  await addWebhook(url, hook.url);
  const page = await stage.page();
  await page.goto(`${url}/console#/faults`);
  await page.click(by("preset-error"));
  await page.waitForSelector(by("fault-row", '[data-kind="error"]'));
  await callApi(url, "/v1/webhooks", 503);
  await page.waitForSelector(by("fault-row"), { state: "detached" });
  await callApi(url, "/v1/webhooks", 200);

  await page.fill(by("setting-retry_delay"), "3600");
  await page.click(by("settings-save"));
  await until(page, () => document.getElementById("announce").textContent === "saved");
  await logIn(url);
  await page.click(by("nav-deliveries"));
  await page.waitForSelector(by("delivery-row", '[data-state="waiting"]'));
  assert.equal(hook.seen.length, 1);
  await page.click(by("nav-faults"));
  await page.click(by("advance-3600"));
  await page.click(by("nav-deliveries"));
  await until(page, (selector) => document.querySelectorAll(selector).length === 2,
    by("delivery-row", '[data-state="delivered"]'));
  await addWebhook(url, hook.url, "another");
  await page.click(by("nav-webhooks"));
  await page.click('h2 a:text-is("another")');
  await page.waitForSelector("text=No delivery yet");
  await page.click(by("nav-webhooks"));
  await page.click('h2 a:text-is("hook")');
  await page.click(by("delivery-row", '[data-action="login.created"]') + " >> a");
  await page.waitForSelector("text=Attempt 2");
}));

test("takes away nothing that is just being pressed", staged(async (stage) => {
  const { url } = await stage.sandbox();
  await addWebhook(url, "http://127.0.0.1:1/first", "first");
  const page = await stage.page();
  await page.goto(`${url}/console#/webhooks`);
  // what comes meanwhile is shown once it is let go
  await page.hover("h1");
  await page.mouse.down();
  const seen = page.waitForResponse(/\/sandbox\/webhooks$/);
  await addWebhook(url, "http://127.0.0.1:1/second", "second");
  await (await seen).finished();
  await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve); }));
  assert.equal(await page.locator(by("webhook-row")).count(), 1);
  await page.mouse.up();
  await until(page, (selector) => document.querySelectorAll(selector).length === 2,
    by("webhook-row"));
  await page.hover('h2 a:text-is("first")');
  await page.mouse.down();
  const again = page.waitForResponse(/\/sandbox\/webhooks$/);
  await addWebhook(url, "http://127.0.0.1:1/third", "third");
  await (await again).finished();
  await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve); }));
  await page.mouse.up();
  await page.waitForSelector("text=No delivery yet");
}));

test("rejects a wrong fault with its reason, and keeps what was typed", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page();
  await page.goto(`${url}/console#/faults`);
  await page.click("summary");
  await page.selectOption('[name="kind"]', "error");
  await page.fill('[name="status"]', "200");
  await page.click(by("fault-add"));
  await until(page, () => /at least 400/.test(document.querySelector('[name="status"]')
    .closest(".field").querySelector(".problem").textContent));
  assert.equal(await page.inputValue('[name="status"]'), "200");
  stage.expectProblem(/422/);
  await page.fill('[name="status"]', "418");
  await page.click(by("fault-add"));
  await page.waitForSelector(by("fault-row"));
}));

test("rejects a webhook without a valid URL, and changes and deletes one",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const page = await stage.page();
    await page.goto(`${url}/console#/webhooks`);
    await page.click(by("webhook-create"));
    await until(page, () => /name is required/.test(document.querySelector("main").textContent));
    await page.fill(by("webhook-name"), "first");
    await page.fill(by("webhook-url"), "ftp://example.com");
    await page.click(by("webhook-create"));
    const urlProblem = () => page.$eval('[name="url"]', (node) =>
      node.closest(".field").querySelector(".problem").textContent);
    assert.match(await urlProblem(), /must start with http/);
    await page.fill(by("webhook-url"), "http://");
    await page.click(by("webhook-create"));
    await page.waitForSelector(by("webhook-url", "[aria-invalid]"));
    assert.match(await urlProblem(), /must be an absolute URL/);
    stage.expectProblem(/422/);
    assert.equal((await get(`${url}/sandbox/webhooks`)).webhooks.length, 0);

    await page.fill(by("webhook-url"), "http://127.0.0.1:9/hook");
    await page.click(by("webhook-create"));
    await page.waitForSelector(by("webhook-row"));
    assert.equal(await page.inputValue(by("webhook-name")), "");
    await page.click(by("webhook-edit"));
    const form = page.locator("form", { has: page.locator(by("webhook-save")) });
    await form.locator(by("webhook-name")).fill("second");
    await form.locator(by("event-*")).uncheck();
    await form.locator(by("event-login.success")).check();
    await form.locator(by("webhook-sign")).check();
    await form.locator(by("webhook-save")).click();
    await page.waitForSelector(by("copy-private-key"));
    const [changed] = (await get(`${url}/sandbox/webhooks`)).webhooks;
    assert.deepEqual([changed.name, changed.events, changed.sign_request],
      ["second", ["login.success"], true]);
    await page.click(by("webhook-delete"));
    await page.click(by("webhook-delete"));
    await page.waitForSelector(by("webhook-row"), { state: "detached" });
    assert.equal((await get(`${url}/sandbox/webhooks`)).webhooks.length, 0);
  }));

test("shows what a hostile receiver responds as text", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const html = "<img src=x onerror=\"document.title='taken'\">"
    + "<script>document.title='taken'</script>";
  const hook = await stage.receiver(() => ({ status: 200, text: html }));
  await addWebhook(url, hook.url, html);
  await post(`${url}/sandbox/logins`, { platform: "uber", external_id: html });
  const page = await stage.page();
  await page.goto(`${url}/console#/deliveries`);
  await page.waitForSelector(by("delivery-row", '[data-state="delivered"]'));
  await page.click(by("delivery-row", " >> nth=0") + " >> a");
  await page.waitForSelector("text=Attempt 1");
  assert.ok((await page.textContent("main")).includes(html));
  assert.equal(await page.$("main img, main script"), null);
  assert.notEqual(await page.title(), "taken");
}));

test("keeps the key off the screen until it is asked for", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const login = await logIn(url);
  await callApi(url, `/v1/accounts/${login.account_id}`, 200);
  const page = await stage.page();
  for (const view of [...views, `logins/${login.login_id}`]) {
    await page.goto("about:blank");
    await page.goto(`${url}/console#/${view}`);
    await page.waitForSelector("h1");
    assert.ok(!(await page.innerText("body")).includes(key), view);
  }
  await page.click(by("nav-start"));
  await page.click(by("show-key"));
  assert.equal(await page.textContent(by("api-key")), key);
}));

test("the lines to copy do what the page shows", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const hook = await stage.receiver(ok);
  await addWebhook(url, hook.url, "it's \"quoted\"");
  const login = await logIn(url);
  await fetch(`${url}/v1/users/earnings/aggregated`, { method: "POST",
    headers: { "x-api-key": key, "Content-Type": "application/json" },
    body: '{"external_id": "it\'s \\"\\u00e9\\"", "none": null, "list": [1.50, true]}' });
  const page = await stage.page();
  const env = { PALENCA_API_KEY: key, PALENCA_BASE_URL: url };
  let tried = 0;
  const runLines = async (address) => {
    await page.goto("about:blank");
    await page.goto(`${url}/console#/${address}`);
    await page.waitForSelector(by("copy-curl"));
    const texts = (name) => page.$$eval(by(name), (nodes) => nodes.map((node) =>
      node.dataset.text));
    for (const line of await texts("copy-curl")) {
      const response = await stage.run("sh", ["-c", line.replace("curl", "curl -sS")]);
      assert.equal(typeof JSON.parse(response), "object", line);
      tried += 1;
    }
    for (const line of await texts("copy-lua")) {
      const script = stage.file("line.lua", `local palenca = require "palenca"
        local client = palenca.new()
        local result, more = ${line}
        assert(result or more.status == 422, tostring(more))`);
      await stage.run(program, ["run", script], env);
      tried += 1;
    }
  };
  await runLines(`logins/${login.login_id}`);
  await runLines("webhooks");
  const { requests } = await get(`${url}/sandbox/requests`);
  const search = requests.find((one) => one.path === "/v1/users/earnings/aggregated");
  await runLines(`requests/${search.request_id}`);
  const again = (await get(`${url}/sandbox/requests?items_per_page=2`)).requests;
  for (const one of again) {
    const { request_body: body } = await get(`${url}/sandbox/requests/${one.request_id}`);
    assert.equal(JSON.parse(body).external_id, "it's \"é\"");
  }
  await page.goto(`${url}/console#/deliveries`);
  await page.click(by("delivery-row", '[data-state="delivered"] >> nth=0') + " >> a");
  await page.waitForSelector(by("resend"));
  await runLines(new URL(page.url()).hash.slice(2));
  assert.equal(new Set(hook.seen).size, 2, "the same bodies, sent again");
  assert.equal(hook.seen.length, 4);
  assert.equal(tried, 12);
}));

test("says when the sandbox is gone, and goes on when it is back", staged(async (stage) => {
  const { url, process } = await stage.sandbox();
  const page = await stage.page();
  await page.goto(`${url}/console#/logins`);
  await page.waitForSelector(by("login-row"));
  await process.stop();
  await page.waitForSelector("#lost:not([hidden])");
  const again = stage.start(["sandbox", "--listen", new URL(url).host, "--api-key", key,
    "--fast", "--accounts", "3"]);
  await again.wait(/sandbox of the API at/);
  await page.waitForSelector("#lost[hidden]", { state: "attached" });
  const login = await logIn(url);
  await page.waitForSelector(by("login-row", `[data-login-id="${login.login_id}"]`));
  while (stage.problems.length > 0) stage.expectProblem(/net::ERR_/);
}));
