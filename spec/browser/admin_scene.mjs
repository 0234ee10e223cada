// What the tests of the admin page share: a program that serves a script, and one with events
// in several states, which no test changes.
import { join } from "node:path";
import { after } from "node:test";
import assert from "node:assert/strict";
import { by, Stage, until } from "./support.mjs";

export const MARKUP = '<img src=x onerror="window.injected = true">';
export const CURP = "GOMC900514HDFMRL09";

const script = `
local palenca = require "palenca"
palenca.on("login.success", function(event)
  palenca.log.info { message = "connected " .. event.account_id }
end)
palenca.on("login.error", { max_attempts = 3, retry_wait = 0.01 }, function(event)
  palenca.log.warn { message = '${MARKUP}', attempt = event.attempt }
  error('${MARKUP} the scoring service does not respond')
end)
palenca.on("login.incomplete", { retry_wait = 3600 }, function() error "not yet" end)
palenca.on("earnings.updated", function() palenca.sleep(3600) end)
`;

export const account = (number) => `1b4e28ba-2fa1-41d2-883f-0016d3cc${String(number).padStart(4, "0")}`;

export async function send(served, action, number, more = {}) {
  const response = await fetch(served.url, { method: "POST", headers: { "x-request-id": "r-1" },
    body: JSON.stringify({ data: { webhook_action: action, account_id: account(number),
      platform: "uber", ...more } }) });
  assert.equal(response.status, 200);
}

export async function read(served, path) {
  return (await fetch(served.admin + path)).json();
}

export async function waitFor(served, wanted) {
  for (;;) {
    const { states } = await read(served, "/api/stats");
    if (Object.entries(wanted).every(([state, count]) => states[state] === count)) return;
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

export async function serve(stage, { admin = "127.0.0.1:0", window = "300" } = {}) {
  const process = stage.start(["serve", stage.file("script.lua", script), "--listen", "127.0.0.1:0",
    "--admin", admin, "--db", stage.file("events.db"), "--redelivery-window", window,
    "--workers", "1", "--drain-timeout", "0"],
  { PALENCA_API_KEY: "admin-page-test" });
  const [, url] = await process.wait(/receiving webhooks at (http:\/\/[^\s,]+)/);
  const [, address] = await process.wait(/admin page at (http:\/\/\S+)/);
  return { url, admin: address, process };
}

// Two dead events, one that waits for its next attempt, one that runs, and 61 that are done, the last
// of them with long names.
async function fill(served) {
  await send(served, "login.error", 1, { note: MARKUP, curp: CURP });
  await send(served, "login.error", 2);
  await send(served, "login.incomplete", 3);
  await send(served, "earnings.updated", 4);
  for (let number = 100; number < 160; number += 1) await send(served, "login.success", number);
  await send(served, "account.created-by-a-service-whose-name-nobody-has-thought-to-be-long", 160,
    { account_id: "x".repeat(120), platform: "a-platform-of-a-long-name" });
  await waitFor(served, { dead: 2, retry: 1, running: 1, done: 61 });
}

const stage = new Stage();
let made;

// Runs a test with a program that has those events, which it does not change: run(stage, served).
// Its pages are closed with it, since the program has no connections for those of all tests.
export function onScene(run) {
  return async () => {
    made ??= (async () => {
      const served = await serve(stage);
      await fill(served);
      return served;
    })();
    try {
      await run(stage, await made);
    } finally {
      for (const context of stage.contexts.splice(0)) await context.close();
    }
  };
}

after(() => stage.close());

export async function open(page, served, hash = "") {
  await page.goto("about:blank");
  await page.goto(`${served.admin}/${hash}`);
  await page.waitForSelector(hash.startsWith("#/events/") ? "#event-view h1"
    : "#results:not([aria-busy])");
}

export const shown = (page) => page.$$eval(by("event-row"), (rows) => rows.map((row) => row.dataset.id));

export const rows = (page, count) => until(page, ([selector, wanted]) =>
  document.querySelectorAll(selector).length === wanted, [by("event-row"), count]);

export const idOf = async (served, query) => (await read(served, `/api/events?${query}`)).events[0].id;

const pictures = process.env.SPEC_ADMIN_SCREENSHOTS;

export async function picture(page, name) {
  if (!pictures) return;
  for (const [width, colorScheme] of [[375, "light"], [1280, "light"], [1280, "dark"]]) {
    await page.setViewportSize({ width, height: width === 375 ? 760 : 900 });
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`) });
  }
}
