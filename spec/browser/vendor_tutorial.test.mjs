// The vendor's own tutorial, step by step, with the values that it has its reader type.
import { test } from "node:test";
import assert from "node:assert/strict";
import { assertFits, by, get, key, staged } from "./support.mjs";

const WIDGET = "b679c2fb-a096-4c26-a902-245f9bce66d9";
const TUTORIAL = "cb39ee15-f29f-427d-9119-0c627575610d";
const ANYTHING = "12345";

const received = () => ({ status: 200, text: "" });

const publicLink = (url, more = "") => `${url}/?widget_id=${WIDGET}&external_id=worker-1${more}`;

async function callApi(url, path, body) {
  const response = await fetch(`${url}/v1${path}`, {
    method: body ? "POST" : "GET", body: body && JSON.stringify(body),
    headers: { "x-api-key": key, "Content-Type": "application/json" },
  });
  assert.equal(response.status, 200);
  return response.json();
}

const searchEarnings = (url, account, page) => callApi(url, `/accounts/${account}/earnings/search`, {
  start_date: "2024-09-01", end_date: "2026-03-01", options: { page, items_per_page: 3 },
});

// Types the same into each field that one tab has, and the code if one is asked for.
async function typeEverywhere(page, tab) {
  if (await page.$(by(`tab-${tab}`))) await page.check(by(`tab-${tab}`));
  await page.fill(by("identifier"), ANYTHING);
  if (tab === "email") await page.fill(by("password"), ANYTHING);
  await page.check(by("consent"));
  await page.click(by("submit"));
  if (tab === "phone") {
    await page.fill(by("code"), ANYTHING);
    await page.click(by("submit-code"));
  }
  const result = await page.waitForSelector(by("result"));
  assert.equal(await result.getAttribute("data-status"), "success", `${page.url()} ${tab}`);
}

test("leads from the webhook to the earnings", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const hook = await stage.receiver(received);
  const page = await stage.page();
  await page.goto(`${url}/console#/webhooks`);
  await page.fill(by("webhook-name"), "my first webhook");
  await page.fill(by("webhook-url"), hook.url);
  await page.click(by("webhook-create"));
  await page.waitForSelector(by("webhook-row", `[data-url="${hook.url}"]`));

  const widget = await stage.page({ viewport: { width: 375, height: 760 } });
  await widget.goto(publicLink(url));
  await widget.check(by("country-mx"));
  await widget.click(by("continue"));
  await widget.check(by("platform-uber"));
  await widget.click(by("continue"));
  await widget.waitForSelector(by("submit"));
  await typeEverywhere(widget, "phone");

  await page.click(by("nav-deliveries"));
  for (const action of ["login.created", "login.success"]) {
    await page.waitForSelector(by("delivery-row",
      `[data-action="${action}"][data-state="delivered"]`));
  }
  const events = hook.seen.map((body) => JSON.parse(body).data);
  assert.deepEqual(events.map((event) => event.webhook_action), ["login.created", "login.success"]);
  const [{ account_id: account, user_id: user }] = events;
  assert.deepEqual(events.map((event) => [event.account_id, event.external_id, event.platform]),
    [[account, "worker-1", "uber"], [account, "worker-1", "uber"]]);

  const profile = await callApi(url, `/accounts/${account}/profile`);
  assert.equal(profile.data.external_id, "worker-1");
  assert.ok(profile.data.profile.first_name);
  const found = await callApi(url, `/accounts/${account}?add_user_id=true`);
  assert.deepEqual([found.data.user_id, found.data.identifier], [user, "+52 12345"]);

  const { data, pagination } = await searchEarnings(url, account, 1);
  assert.equal(data.earnings.length, 3);
  assert.equal(pagination.items_per_page, 3);
  assert.equal(pagination.total_pages, Math.ceil(pagination.total_items / 3));
  assert.ok(pagination.total_items > 50, `${pagination.total_items} rows`);
  for (const row of data.earnings) {
    assert.ok(row.earning_date >= "2024-09-01" && row.earning_date <= "2026-03-01");
  }
  const last = await searchEarnings(url, account, pagination.total_pages);
  assert.ok(last.data.earnings.length > 0);
}));

test("finds the documentation's account as it prints it", staged(async (stage) => {
  const { url } = await stage.sandbox("--history", "typical");
  const { data, pagination } = await searchEarnings(url, TUTORIAL, 1);
  assert.deepEqual(pagination, { page: 1, items_per_page: 3, total_items: 195, total_pages: 65 });
  const row = (amount, date, trips) => ({ amount, currency: "mxn", earning_date: date,
    cash_amount: null, count_trips: trips });
  assert.deepEqual(data.earnings, [row(179, "2025-03-14", 6), row(246, "2025-03-13", 9),
    row(53, "2025-03-12", 6)]);
  const last = await searchEarnings(url, TUTORIAL, 65);
  assert.equal(last.data.earnings.at(-1).earning_date, "2024-09-01");
}));

test("takes anything, in every field of every platform", staged(async (stage) => {
  const { url } = await stage.sandbox();
  // of the many payrolls, which the widget does not list, one stands for all
  const { platforms: all } = await get(`${url}/widget/config`);
  const platforms = all.filter(({ code }) => !/^(nom|mc)_/.test(code) || code === "nom_gob_cdmx");
  const page = await stage.page({ viewport: { width: 375, height: 760 } });
  for (const { code, countries, identifiers } of platforms) {
    for (const tab of identifiers) {
      await page.goto(publicLink(url, `&country=${countries[0]}&platform=${code}&lang=es`));
      await page.waitForSelector(by("submit"));
      await typeEverywhere(page, tab);
    }
  }
  await assertFits(page, 375);
  const { counts } = await get(`${url}/sandbox/overview`);
  const tabs = platforms.reduce((sum, one) => sum + one.identifiers.length, 0);
  assert.equal(counts.logins, 1 + tabs);
  assert.ok(tabs > 30, `${tabs} tabs`);
}));
