// The first view: first steps or numbers, the key, a login to simulate, and recent activity.
import { ask, el } from "/assets/dom.js";
import { complain, field, numberOrText, select } from "/assets/console_forms.js";
import { widgetLink, widgetUrl } from "/assets/console_parts.js";
import { latest as latestDeliveries, noDelivery } from "/assets/console_deliveries.js";
import { latest as latestLogins, noLogin } from "/assets/console_logins.js";
import { table } from "/assets/console_tables.js";
import { card, copy, copyLine, count, linkButton, pluralOf, refill, refresher }
  from "/assets/parts.js";

const LATEST = 6;

// A step that is done is folded to one line, with a number.
function step(done, number, title, said, text, ...does) {
  return el("li", { class: done ? "done" : null, "data-testid": `step-${number}`,
    "data-done": String(done) },
  el("span", { class: "tick", role: "img", "aria-label": done ? "done" : `step ${number}` },
    done ? "✓" : String(number)),
  el("div", null, el("strong", null, title),
    done ? el("span", { class: "quiet", "data-testid": `step-${number}-number` }, said)
      : [el("p", { class: "quiet" }, text),
        does.length > 0 ? el("div", { class: "does row" }, does) : null]));
}

function openWidget(overview) {
  const link = widgetLink(widgetUrl(overview, "worker-1"), "Open the widget", "main");
  link.dataset.testid = "open-widget";
  const input = el("input", { value: "worker-1", autocomplete: "off", name: "external_id",
    oninput: () => { link.href = widgetUrl(overview, input.value); } });
  return [field("Your id of the worker", input), link];
}

function firstSteps(overview, done, totals, widget) {
  const { webhooks } = overview.counts;
  return el("ol", { class: "steps" },
    step(webhooks > 0, 1, "Create a webhook", count(webhooks, "webhook"),
      "The URL at which your receiver, such as palenca serve, gets the events of logins.",
      linkButton("#/webhooks", "To the webhooks")),
    step(done.loggedIn, 2, "Open the widget and log in", count(totals.logins, "login"),
      "Any text succeeds, except the test identifiers that the widget offers.", widget),
    step(done.delivered, 3, "See the events arrive", `${totals.delivered} delivered`,
      "login.created and login.success, with your receiver's response.",
      linkButton("#/deliveries", "To the deliveries")),
    step(done.opened, 4, "Look at the login", "opened", "Its profile, its earnings, the income.",
      linkButton("#/logins", "To the logins")),
    step(done.asked, 5, "Query the API", count(totals.requests, "request"),
      "With curl or from Lua; each page here has the commands."));
}

const failedOf = { logins: "logins?status=error", deliveries: "deliveries?state=failed" };

function tile(name, total, failed, word) {
  return el("li", { "data-testid": `number-${name}`, "data-total": String(total),
    "data-failed": failed === null ? null : String(failed) },
  el("a", { href: `#/${name}` }, el("strong", null, total.toLocaleString("en")),
    ` ${pluralOf(word, total)}`),
  failed === null ? null : failed === 0 ? el("span", { class: "quiet" }, "none failed")
    : el("a", { href: `#/${failedOf[name]}`, class: "failed" }, `${failed} failed`));
}

// What there is, instead of the steps; a number leads to what it counts.
function numbers(overview, totals) {
  return el("ul", { class: "numbers", "data-testid": "numbers" },
    tile("logins", totals.logins, totals.failedLogins, "login"),
    tile("deliveries", totals.deliveries, totals.failedDeliveries, "delivery"),
    tile("requests", totals.requests, null, "API request"),
    tile("webhooks", overview.counts.webhooks, null, "webhook"));
}

function keyCard(overview) {
  const key = el("code", { "data-testid": "api-key" }, "••••••••");
  const toggle = el("button", { type: "button", class: "small", "data-testid": "show-key",
    "aria-pressed": "false", onclick() {
      const hidden = key.textContent !== overview.api_key;
      key.textContent = hidden ? overview.api_key : "••••••••";
      toggle.textContent = hidden ? "Hide" : "Show";
      toggle.setAttribute("aria-pressed", String(hidden));
    } }, "Show");
  const button = el("button", { type: "button", class: "small",
    onclick: () => copy(overview.api_key, button) }, "Copy");
  const settings = (name) => `export PALENCA_API_KEY=${name} PALENCA_BASE_URL=${location.origin}`;
  return card("API key", el("div", { class: "row middle" }, key, toggle, button),
    el("div", { class: "lines" },
      copyLine("sh", settings(overview.api_key), "copy-env", settings("••••"))),
    el("p", { class: "quiet last" }, "In production two settings change: PALENCA_API_KEY has the "
      + "production key, and PALENCA_ENVIRONMENT=production replaces PALENCA_BASE_URL. "
      + "The script is not changed."));
}

function simulate(overview) {
  const platforms = overview.platforms.map((one) => [one.code, one.name]);
  const cases = overview.magic_cases.filter((one) => !overview.warnings.includes(one));
  const patterns = [overview.default_pattern,
    ...overview.patterns.filter((one) => one !== overview.default_pattern)];
  const form = el("form", {
    novalidate: true,
    async onsubmit(event) {
      event.preventDefault();
      const given = new FormData(form);
      const response = await ask("POST", "/sandbox/logins", {
        identifier: `${given.get("platform")}+${given.get("case")}@palenca-tests.com`,
        external_id: given.get("external_id") || undefined,
        days: numberOrText(given.get("days").trim()) || undefined,
        pattern: given.get("pattern"),
        warning: given.get("warning") || undefined,
      });
      complain(form, response);
      if (response.ok) location.hash = `#/logins/${response.data.login_id}`;
    },
  },
  el("div", { class: "fields" },
    field("Platform", select("platform", platforms)),
    field("Ends as", select("case", cases)),
    field("Pattern of earnings", select("pattern", patterns)),
    field("Warning", select("warning", overview.warnings, "none")),
    field("Your id of the worker", el("input", { name: "external_id", autocomplete: "off" })),
    field("Days of earnings", el("input", { name: "days", autocomplete: "off",
      placeholder: String(overview.history), "data-testid": "simulate-days" }),
    "0 to 1100, or typical: as many as are usual on the platform")),
  el("em", { class: "problem last" }),
  el("button", { type: "submit", "data-testid": "simulate" }, "Simulate the login"));
  return card("A login without the widget", form);
}

async function total(path) {
  return (await ask("GET", path)).pagination?.total_items ?? 0;
}

async function latest() {
  const [logins, deliveries, ...totals] = await Promise.all([
    ask("GET", `/sandbox/logins?items_per_page=${LATEST}`),
    ask("GET", `/sandbox/deliveries?items_per_page=${LATEST}`),
    total("/sandbox/logins?items_per_page=1&status=error"),
    total("/sandbox/deliveries?items_per_page=1&state=failed"),
    total("/sandbox/deliveries?items_per_page=1&state=delivered"),
    total("/sandbox/requests?items_per_page=1"),
  ]);
  const [failedLogins, failedDeliveries, delivered, requests] = totals;
  return {
    logins: logins.data?.logins ?? [],
    deliveries: deliveries.data?.deliveries ?? [],
    totals: { logins: logins.pagination?.total_items ?? 0, failedLogins,
      deliveries: deliveries.pagination?.total_items ?? 0, failedDeliveries, delivered, requests },
  };
}

// Viewing a login is the one step that only this browser knows, for one start of the sandbox.
export const lookedAt = {
  key: "palenca-sandbox-looked-at",
  get: ({ started_at: start }) => sessionStorage.getItem(lookedAt.key) === start,
  set: ({ started_at: start }) => sessionStorage.setItem(lookedAt.key, start),
};

// The steps, which the numbers replace when the last one is done.
function progress(context) {
  const done = { loggedIn: false, delivered: false, opened: false, asked: false };
  const widget = openWidget(context.overview);
  const steps = el("div");
  const figures = el("div");
  const heading = el("h2", null, "First steps");
  const tutorial = el("details", { class: "card", "data-testid": "steps", open: true },
    el("summary", null, heading), steps);
  const isDone = () => context.overview.counts.webhooks > 0 && Object.values(done).every(Boolean);
  let folded = false;
  return [figures, tutorial, (seen) => {
    const { overview } = context;
    // logins that were there at the start do not count
    done.loggedIn ||= seen.logins.some((one) => one.created_at >= overview.started_at);
    done.delivered ||= seen.totals.delivered > 0;
    done.opened = lookedAt.get(overview);
    done.asked ||= seen.totals.requests > 0;
    const focused = steps.contains(document.activeElement) ? document.activeElement : null;
    steps.replaceChildren(firstSteps(overview, done, seen.totals, widget));
    focused?.focus();
    if (isDone()) refill(figures, numbers(overview, seen.totals));
    if (!folded && isDone()) {
      folded = true;
      heading.append(", all done");
      tutorial.open = focused !== null;
    }
  }];
}

export const start = {
  title: "Start",
  topics: ["logins", "deliveries", "webhooks", "requests"],
  open(page, context) {
    const [figures, tutorial, drawProgress] = progress(context);
    const news = el("div", { class: "two" });
    page.append(el("h1", null, "Sandbox"), el("p", { class: "lead" },
      "A stand-in of the Palenca API on this machine. All data is made up; nothing leaves "
      + "this machine except the webhooks that you create."), figures, tutorial,
    el("div", { class: "two" }, simulate(context.overview), keyCard(context.overview)), news);
    return refresher(latest, (seen) => {
      drawProgress(seen);
      const { logins, deliveries } = seen;
      refill(news,
        card("Latest logins", logins.length > 0
          ? table(latestLogins.columns, logins.map(latestLogins.row)) : noLogin(context.overview)),
        card("Latest deliveries", deliveries.length > 0
          ? table(latestDeliveries.columns, deliveries.map(latestDeliveries.row))
          : noDelivery(context.overview)));
    });
  },
};
