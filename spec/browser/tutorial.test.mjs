// The whole tutorial, as its reader walks it: webhook, widget, events, login, API.
// SPEC_SCREENSHOTS=DIRECTORY leaves its pictures there.
import { test } from "node:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import { by, key, program, staged } from "./support.mjs";

const script = `
local palenca = require "palenca"
local client = palenca.new()
palenca.on("login.*", function(event)
  print("handled " .. event.action .. " " .. event.account_id)
end)
`;

// What the module says of an account, as one line of JSON.
const reading = `
local palenca, json = require "palenca", require "cjson"
local client = palenca.new()
local id, as_of = ...
local account = assert(client.accounts:get(id))
local rows, report = client.accounts:earnings(id, {
  start_date = "2000-01-01", end_date = as_of }):all()
local income = palenca.income.analyze(palenca.income.merge { { rows = rows, report = report,
  account = id, platform = account.platform, warning = account.warning } }, { as_of = as_of })
local verdict = palenca.income.decide(income, { version = "default" }, { installment = "0" })
local profile = assert(client.accounts:profile(id))
local list = {}
for at, row in ipairs(rows) do
  list[at] = { date = row.earning_date, amount = string.format("%.2f", row.amount) }
end
print(json.encode {
  rows = list, complete = report.complete, table = palenca.income.table(income),
  income = palenca.json.canonical(income), verdict = palenca.json.canonical(verdict),
  explanation = verdict:explain "en",
  name = profile.profile.first_name .. " " .. profile.profile.last_name,
  email = profile.profile.email,
})
`;

const pictures = process.env.SPEC_SCREENSHOTS;

async function picture(page, name) {
  if (!pictures) return;
  await page.evaluate(() => document.fonts.ready);
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

async function createWebhook(page, address) {
  await page.click(by("nav-webhooks"));
  await page.fill(by("webhook-name"), "tutorial");
  await page.fill(by("webhook-url"), address);
  await picture(page, "webhook");
  await page.click(by("webhook-create"));
  await page.waitForSelector(by("webhook-row", `[data-url="${address}"]`));
}

async function logIn(console_) {
  await console_.click(by("nav-start"));
  const [widget] = await Promise.all([console_.waitForEvent("popup"),
    console_.click(by("open-widget"))]);
  await widget.setViewportSize({ width: 375, height: 760 });
  await widget.click(by("lang-es"));
  await widget.check(by("country-mx"));
  await widget.click(by("continue"));
  await widget.check(by("platform-uber"));
  await widget.evaluate(() => scrollTo(0, 0));
  await picture(widget, "widget-platform");
  await widget.click(by("continue"));
  await widget.check(by("tab-email"));
  await widget.fill(by("identifier"), "ana@example.com");
  await widget.fill(by("password"), "anything");
  await widget.check(by("consent"));
  await picture(widget, "widget-login");
  await widget.click(by("submit"));
  const result = await widget.waitForSelector(by("result"));
  assert.equal(await result.getAttribute("data-status"), "success");
  await widget.close();
}

const texts = (page, selector, ...names) => page.$$eval(selector, (nodes, wanted) =>
  nodes.map((node) => wanted.map((name) => node.dataset[name])), names);

// What chart, table, income and profile show, beside what the module returns.
async function compare(page, read) {
  assert.ok(read.rows.length > 20, "a history to look at");
  assert.ok(read.complete);
  const rows = read.rows.map((row) => [row.date, row.amount]);
  assert.deepEqual(await texts(page, by("earnings-row"), "date", "amount"), rows);
  assert.deepEqual(await texts(page, by("chart-bar"), "date", "amount"), [...rows].reverse());
  await compareIncome(page, read);
  assert.equal(await page.textContent(by("profile-name")), read.name);
  assert.ok((await page.textContent(by("profile"))).includes(read.email));
}

async function compareIncome(page, read) {
  const [income, verdict] = [JSON.parse(read.income), JSON.parse(read.verdict)];
  // a figure, its word and what it means: as the module's own table has them, line by line
  const figures = await page.$$eval(`${by("income")} > div`, (nodes) => nodes.map((node) =>
    [node.children[0].textContent, node.children[1].dataset.value || "-",
      node.children[2].textContent].join(" ")));
  const [table] = read.table.split("\n\n");
  assert.deepEqual(figures, table.split("\n").slice(1).map((line) => line.replace(/ +/g, " ")));
  assert.equal(await page.getAttribute(by("income-monthly_income"), "data-value"),
    income.monthly_income);
  assert.equal(await page.getAttribute(by("verdict"), "data-outcome"), verdict.outcome);
  assert.deepEqual((await texts(page, by("reason"), "code")).flat(),
    verdict.reasons.map((reason) => reason.code));
  assert.equal(await page.textContent(by("for-analyst")), read.explanation.analyst);
  assert.equal(await page.textContent(by("for-worker")), read.explanation.worker);
  const spans = (list) => list.map((span) => [span.from, span.to, span.total,
    String(span.full === false)]).reverse();
  const rows = (testid) => texts(page, by(testid), "from", "to", "total", "partial");
  assert.deepEqual(await rows("week-row"), spans(income.weeks));
  assert.deepEqual(await rows("month-row"), spans(income.months));
  for (const [unit, list, length] of [["week", income.weeks, 10], ["month", income.months, 7]]) {
    await page.check(by(`chart-${unit}`));
    assert.deepEqual(await texts(page, by("chart-bar"), unit, "amount"),
      list.map((span) => [span.from.slice(0, length), span.total]));
  }
  await page.check(by("chart-day"));
  const day = (before) => new Date(Date.parse(income.as_of) - before * 86400000)
    .toISOString().slice(0, 10);
  assert.deepEqual(await texts(page, by("chart-window"), "from", "to"),
    [[day(income.window_days - 1), income.as_of]]);
}

test("the tutorial, from the webhook to the API", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const env = { PALENCA_API_KEY: key, PALENCA_BASE_URL: url };
  const db = stage.file("events.db");
  const serve = stage.start(["serve", stage.file("script.lua", script), "--listen", "127.0.0.1:0",
    "--db", db], env);
  const [, receiver] = await serve.wait(/receiving webhooks at (http:\S+?),/);
  const page = await stage.page({ viewport: { width: 960, height: 640 } });

  const response = await page.goto(`${url}/console`);
  const policy = response.headers()["content-security-policy"];
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
  await page.waitForSelector(by("step-1", '[data-done="false"]'));
  await createWebhook(page, receiver);
  await logIn(page);

  await page.waitForSelector(by("step-3", '[data-done="true"]'));
  await page.click(by("nav-deliveries"));
  for (const action of ["login.created", "login.success"]) {
    await page.waitForSelector(by("delivery-row",
      `[data-action="${action}"][data-state="delivered"]`));
    await serve.wait(new RegExp(`handled ${action}`));
  }
  await picture(page, "deliveries");

  await page.click(by("nav-logins"));
  await page.click(by("login-row", '[data-status="success"] >> nth=0') + " >> a");
  await page.waitForSelector(by("chart-bar"));
  const account = (await page.textContent(by("account-id"))).trim();
  assert.ok(serve.output.includes(`handled login.success ${account}`), "the login just made");
  const file = stage.file("reading.lua", reading);
  const asOf = await page.getAttribute(by("income-as_of"), "data-value");
  const read = JSON.parse(await stage.run(program, ["run", file, account, asOf], env));
  await compare(page, read);
  await page.focus(by("chart-bar", " >> nth=0"));
  await page.keyboard.press("End");
  await picture(page, "earnings");

  await page.click(by("nav-requests"));
  await page.waitForSelector(by("request-row", `[data-path="/v1/accounts/${account}/profile"]`));
  await page.click(by("nav-start"));
  for (const step of [1, 2, 3, 4, 5]) {
    await page.waitForSelector(by(`step-${step}`, '[data-done="true"]'), { state: "attached" });
  }

  assert.equal(await serve.stop(), 0);
  const events = (await stage.run(program, ["events", "list", "--db", db, "--json"])).trim()
    .split("\n").map(JSON.parse);
  assert.deepEqual(events.map((event) => [event.action, event.state, event.account_id]),
    [["login.success", "done", account], ["login.created", "done", account]]);
}));
