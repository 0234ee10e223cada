// The widget in somebody else's page: its messages, where it leads to, and what may frame it.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { assertFits, by, get, staged, until } from "./support.mjs";

const ids = ["user_id", "account_id", "platform", "country"];

const around = (address) => `<!doctype html><title>A lender's page</title>
<link rel="icon" href="data:,">
<script>
window.seen = [];
addEventListener("message", ({ origin, data }) => { window.seen.push({ origin, ...data }); });
</script>
<iframe src="${address}" width="375" height="700"></iframe>`;

const link = (url, more = "") => `${url}/?widget_id=b679c2fb-a096-4c26-a902-245f9bce66d9`
  + `&external_id=curp-XAXX010101HDFABC00&lang=en&country=mx&platform=uber${more}`;

async function logIn(frame, identifier, password = "secret-12345") {
  await frame.waitForSelector(by("submit"));
  await frame.check(by("tab-email"));
  await frame.fill(by("identifier"), identifier);
  await frame.fill(by("password"), password);
  await frame.check(by("consent"));
  await frame.click(by("submit"));
}

const signals = (page) => page.evaluate(() => window.seen.map((one) => one.signal));

const waitFor = (page, signal) => until(page, (expected) =>
  window.seen.some((one) => one.signal === expected), signal);

const frameOf = async (page) => (await page.waitForSelector("iframe")).contentFrame();

test("posts the user and the connection to the page around it", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const site = await stage.site(around(link(url)));
  const page = await stage.page();
  await page.goto(site);
  await waitFor(page, "ready");
  assert.deepEqual(await signals(page), ["ready"]);
  await logIn(await frameOf(page), "XAXX010101HDFABC00");
  await waitFor(page, "connection_success");
  const seen = await page.evaluate(() => window.seen);
  const { logins: [login] } = await get(`${url}/sandbox/logins?items_per_page=1`);
  const response = (data) => ({ success: true, error: null, data });
  assert.deepEqual(seen, [
    { origin: url, signal: "ready", response: response({}) },
    { origin: url, signal: "user_created", response: response({ user_id: login.user_id }) },
    { origin: url, signal: "connection_success",
      response: response(Object.fromEntries(ids.map((name) => [name, login[name]]))) },
  ]);
  assert.doesNotMatch(JSON.stringify(seen), /12345|XAXX/, "nothing that was typed");
}));

test("runs the listing of the sandbox's document", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = new URL("../../lua/palenca/sandbox/README.md", import.meta.url);
  const [, listing] = /\n```js\n(.*?)```\n/s.exec(readFileSync(page, "utf8"));
  const own = await stage.page();
  const printed = [];
  own.on("console", (message) => printed.push(message.text()));
  const printedNext = () => own.waitForEvent("console").then((message) => message.text());
  const script = listing.replace("http://127.0.0.1:8400", url);
  await own.goto(await stage.site(around(link(url)).replace("window.seen = [];", script)
    .replace(/^addEventListener.*seen\.push.*$/m, "")));
  const frame = await frameOf(own);
  let next = printedNext();
  await logIn(frame, "uber+banned@palenca-tests.com");
  assert.equal(await next, "banned");
  await frame.click(by("try-again"));
  next = printedNext();
  await logIn(frame, "anything");
  const shown = await next;
  const { logins: [login] } = await get(`${url}/sandbox/logins?items_per_page=1`);
  assert.equal(shown, login.account_id);
  assert.equal(printed.length, 2);
}));

test("posts a login that fails, and the next one", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page();
  await page.goto(await stage.site(around(link(url))));
  const frame = await frameOf(page);
  await logIn(frame, "uber+banned@palenca-tests.com");
  await waitFor(page, "connection_error");
  const error = await page.evaluate(() => window.seen.at(-1).response);
  assert.equal(error.success, false);
  assert.equal(error.error.code, "banned");
  assert.equal(error.error.message, await frame.textContent(".lead"));
  assert.deepEqual(error.data.error, { code: "banned", message: error.error.message });
  assert.equal(error.data.platform, "uber");
  for (const [name, code] of [["incomplete", "incomplete"], ["invalid_otp", "invalid_otp"]]) {
    await frame.click(by("try-again"));
    await page.evaluate(() => { window.seen = []; });
    await logIn(frame, `uber+${name}@palenca-tests.com`);
    if (name === "invalid_otp") {
      await frame.fill(by("code"), "12345");
      await frame.click(by("submit-code"));
    }
    await waitFor(page, "connection_error");
    // the user is known by now
    assert.deepEqual(await page.evaluate(() => window.seen.map((one) =>
      [one.signal, one.response.error.code])), [["connection_error", code]]);
  }
  await frame.click(by("try-again"));
  await logIn(frame, "anything");
  await waitFor(page, "connection_success");
}));

test("posts to a page that has no origin, and to a native web view", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const file = join(stage.directory, "around.html");
  writeFileSync(file, around(link(url)));
  const page = await stage.page();
  page.removeAllListeners("request"); // a file has no host
  await page.goto(pathToFileURL(file).href);
  await waitFor(page, "ready");
  await logIn(await frameOf(page), "anything");
  await waitFor(page, "connection_success");

  const native = await stage.page();
  await native.addInitScript(() => {
    window.seen = [];
    window.ReactNativeWebView = {
      postMessage: (text) => window.seen.push(JSON.parse(text)),
    };
  });
  await native.goto(link(url));
  await logIn(native, "anything");
  await waitFor(native, "connection_success");
  assert.deepEqual(await signals(native), ["ready", "connection_success"]);
}));

test("leads to redirect_url after a success, and not after a failure", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const site = await stage.site("<!doctype html><link rel=icon href=data:,><h1>Step 2</h1>");
  const target = `&redirect_url=${encodeURIComponent(`${site}/step-2?mine=1&status=theirs#part`)}`;
  const page = await stage.page({ viewport: { width: 375, height: 760 } });
  const arrived = async () => {
    await page.waitForURL(`${site}/**`);
    const at = new URL(page.url());
    const { logins: [login] } = await get(`${url}/sandbox/logins?items_per_page=1`);
    assert.equal(at.pathname + at.hash, "/step-2#part");
    assert.deepEqual(Object.fromEntries(at.searchParams), { mine: "1", status: "success",
      ...Object.fromEntries(ids.map((name) => [name, login[name]])) });
  };
  await page.goto(link(url, target));
  await logIn(page, "uber+banned@palenca-tests.com");
  await page.waitForSelector(by("try-again"));
  assert.equal(await page.$(by("leave")), null);
  await page.click(by("try-again"));
  await logIn(page, "anything");
  await page.click(by("leave")); // at once
  await arrived();
  await page.goto(link(url, target));
  await logIn(page, "anything");
  await page.waitForSelector(by("leave"));
  await assertFits(page, 375);
  await arrived(); // by itself

  const parent = await stage.page();
  await parent.goto(await stage.site(around(link(url, target))));
  await logIn(await frameOf(parent), "anything");
  await waitFor(parent, "connection_success");
  await until(parent, () => window.frames.length === 1);
  await parent.frameLocator("iframe").locator("text=Step 2").waitFor();
  assert.ok(!parent.url().startsWith(site), "the page around the frame stays");

  await page.goto(link(url, `${target}&hide_redirect_url=true`));
  await logIn(page, "anything");
  await page.waitForSelector(by("result"));
  assert.equal(await page.$(by("leave")), null);
}));

test("does not open with an address that it may not lead to", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page();
  for (const target of ["javascript:alert(1)", "data:text/html,x", "/step-2", "//example.com",
    "http://["]) {
    await page.goto(link(url, `&redirect_url=${encodeURIComponent(target)}`));
    await page.waitForSelector(".result.error");
    stage.expectProblem(/422/);
    assert.match(await page.textContent(".lead"), /redirect_url must (be an |have a valid host)/);
  }
}));

test("offers what the address picks, and leaves out the consent", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page();
  const offered = (name) => page.$$eval(`input[name="${name}"]`, (nodes) =>
    nodes.map((node) => node.value));
  await page.goto(`${url}/?widget_id=b679c2fb-a096-4c26-a902-245f9bce66d9&lang=en`
    + "&countries=mx,br,nowhere&platforms=rappi,uber&hide_consent=true");
  await page.waitForSelector(by("country-mx"));
  assert.deepEqual(await offered("country"), ["mx", "br"]);
  await page.check(by("country-br"));
  await page.click(by("continue"));
  await page.waitForSelector(by("platform-uber"));
  assert.deepEqual(await offered("platform"), ["uber", "rappi"]);
  await page.check(by("platform-rappi"));
  await page.click(by("continue"));
  await page.waitForSelector(by("submit"));
  assert.equal(await page.$(by("consent")), null);
  await page.fill(by("identifier"), "1");
  await page.click(by("submit"));
  await page.waitForSelector(by("code"));

  await page.goto(`${url}/?external_id=e&lang=en&platforms=ifood`);
  await page.waitForSelector(by("submit"));
  assert.match(await page.textContent("h1"), /iFood/, "there is one country with it, so one choice");
  assert.equal(await page.textContent(".prefix"), "+55");
}));

test("the console cannot be framed", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page();
  await page.goto(await stage.site(around(`${url}/console`)));
  await page.waitForFunction(() => document.querySelector("iframe"));
  const frame = await frameOf(page);
  await frame.waitForLoadState();
  assert.equal(await frame.$("#nav"), null);
  stage.expectProblem(/frame-ancestors|Refused to frame|violates/i);
}));
