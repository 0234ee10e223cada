// What the tests of the console's pages share: a sandbox in which something of every kind has
// happened, and one in which nothing has. They are read only, or changed where no other test looks.
import assert from "node:assert/strict";
import { after } from "node:test";
import { by, get, key, post, Stage } from "./support.mjs";

const WIDGET = "b679c2fb-a096-4c26-a902-245f9bce66d9";

export const LONG_ID = "customer-2026-000001234-with-a-long-id-0123456789012345678901234567890123456";

async function webhook(url, name, target) {
  return (await post(`${url}/sandbox/webhooks`, { name, url: target, widget_id: WIDGET,
    is_sandbox: true, sign_request: true })).webhook_id;
}

const logins = {
  cop: { platform: "rappi", external_id: "ana-cop", country: "co", days: 60 },
  steady: { platform: "noventa_nove", external_id: "ana-1", country: "mx", days: 400 },
  short: { platform: "uber", external_id: "ana-2", days: 10 },
  nulls: { platform: "didi", external_id: "bo-1", pattern: "nulls", days: 150 },
  none: { platform: "uber", external_id: "bo-2", days: 0 },
  imss: { platform: "imss", external_id: LONG_ID },
  failed: { identifier: "rappi+invalid_credentials@palenca-tests.com", external_id: "cy-1" },
  incomplete: { identifier: "didi_food+incomplete@palenca-tests.com", external_id: "cy-2" },
  code: { identifier: "didi+invalid_otp@palenca-tests.com", external_id: "cy-3" },
};

async function fill(stage) {
  const { url } = await stage.sandbox();
  const hook = await stage.receiver((count) => (count === 1
    ? { status: 500, text: '{"error": "the database is locked"}' }
    : { status: 200, text: '{"received": true}' }));
  const ids = { webhook: await webhook(url, "scoring", hook.url) };
  await webhook(url, "data-warehouse, nightly import of all events", hook.url);
  await post(`${url}/sandbox/faults`, { kind: "webhook_lose", action: "login.incomplete" });
  for (const [name, login] of Object.entries(logins)) {
    ids[name] = (await post(`${url}/sandbox/logins`, login)).login_id;
  }
  const { login } = await get(`${url}/sandbox/logins/${ids.steady}`);
  const call = (path, method = "GET", body = undefined) => fetch(url + path, { method, body,
    headers: { "x-api-key": key, "Content-Type": "application/json" } });
  await call(`/v1/accounts/${login.account_id}/profile`);
  await call("/v1/accounts/00000000-0000-4000-8000-000000000000");
  await call("/v1/users/earnings/aggregated", "POST", '{"external_id": 3}');
  for (const fault of [{ kind: "error", times: 3, path: "/v1/consents", retry_after: 7 },
    { kind: "latency", seconds: 3, path: "/v1/platforms" }]) {
    await post(`${url}/sandbox/faults`, fault);
  }
  ids.request = (await get(`${url}/sandbox/requests?status=2xx`)).requests[0].request_id;
  ids.delivery = (await get(`${url}/sandbox/deliveries`)).deliveries.at(-1).delivery_id;
  return { url, ids, login };
}

const stage = new Stage();
let made;

// { stage, full: { url, ids, login }, empty: { url } }
export function scene() {
  made ??= (async () => ({ stage, full: await fill(stage), empty: await stage.sandbox() }))();
  return made;
}

after(() => stage.close());

// Opens a view, and waits for its heading. Within one console the page is not loaded again.
export async function open(page, url, view) {
  const address = `${url}/console#/${view}`;
  if (page.url().startsWith(`${url}/console#`) && page.url() !== address) {
    await page.evaluate((hash) => {
      document.querySelector("#view > div").setAttribute("data-left", "");
      location.hash = hash;
    }, `#/${view}`);
  } else {
    await page.goto("about:blank");
    const response = await page.goto(address);
    assert.match(response.headers()["content-security-policy"], /script-src 'self';/);
  }
  await page.waitForSelector("#view > div:not([data-left]) h1");
}

// The views of both sandboxes: [name, url, view, what is done there].
export function pages({ full, empty }) {
  const { url, ids } = full;
  const lists = ["start", "logins", "webhooks", "deliveries", "requests", "faults"];
  return [
    ...lists.map((view) => [`${view}, nothing there`, empty.url, view]),
    ...lists.map((view) => [view, url, view]),
    ...Object.keys(logins).filter((name) => name !== "steady")
      .map((name) => [name, url, `logins/${ids[name]}`]),
    ["delivery", url, `deliveries/${ids.delivery}`],
    ["request", url, `requests/${ids.request}`],
    ["webhook", url, `webhooks/${ids.webhook}`],
    ["nothing found", url, "deliveries?search=nobody"],
    ["wrong webhook", url, "webhooks", (page) => page.click(by("webhook-create"))],
    ["wrong fault", url, "faults", wrongFault],
  ];
}

export async function wrongFault(page) {
  await page.click("summary");
  await page.selectOption(by("fault-kind"), "error");
  await page.fill('[name="status"]', "200");
  await page.fill('[name="times"]', "often");
  await page.click(by("fault-add"));
  await page.waitForSelector("[name='status'][aria-invalid]");
  stage.expectProblem(/422/);
}

// The rows of a list once there are so many.
export async function rows(page, testid, count) {
  await page.waitForFunction(([selector, wanted]) =>
    document.querySelectorAll(selector).length === wanted, [by(testid), count]);
}

export const textOf = (page, selector) => page.$eval(selector, (node) => node.innerText);

export function assertMatches(text, ...patterns) {
  for (const pattern of patterns) assert.match(text, pattern);
}
