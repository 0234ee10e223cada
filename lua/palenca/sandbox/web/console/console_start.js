// The first view: first steps, the key, and recent activity.
import { ask, el } from "/assets/dom.js";
import { badge, card, cell, complain, copy, copyLine, field, refill, refresher, shown, table, time }
  from "/assets/console_parts.js";
import { deliveryRow, deliveryHeads } from "/assets/console_deliveries.js";

const LATEST = 6;

function step(done, number, title, text, ...does) {
  return el("li", { class: done ? "done" : null, "data-testid": `step-${number}`,
    "data-done": String(done) },
  el("span", { class: "tick", "aria-label": done ? "done" : `step ${number}` },
    done ? "✓" : String(number)),
  el("div", null, el("strong", null, title), el("p", { class: "quiet" }, text),
    does.length > 0 ? el("div", { class: "does row" }, does) : null));
}

function widgetUrl(overview, id) {
  return `/widget?widget_id=${overview.default_widget_id}&external_id=${encodeURIComponent(id)}`;
}

function openWidget(overview) {
  const link = el("a", { class: "button main", href: widgetUrl(overview, "worker-1"),
    target: "_blank", rel: "noopener", "data-testid": "open-widget" }, "Open the widget");
  const input = el("input", { value: "worker-1", autocomplete: "off", name: "external_id",
    oninput: () => { link.href = widgetUrl(overview, input.value); } });
  return [field("Your id of the worker", input), link];
}

function firstSteps(overview, seen, widget) {
  const { webhooks } = overview.counts;
  return el("ol", { class: "steps" },
    step(webhooks > 0, 1, "Create a webhook",
      "The URL at which your receiver, such as palenca serve, gets the events of logins.",
      el("a", { class: "button", href: "#/webhooks" }, "To the webhooks")),
    step(seen.loggedIn, 2, "Open the widget and log in",
      "Any text succeeds, except the test identifiers that the widget offers.", widget),
    step(seen.delivered, 3, "See the events arrive",
      "login.created and login.success, with your receiver's response.",
      el("a", { class: "button", href: "#/deliveries" }, "To the deliveries")),
    step(seen.opened, 4, "Look at the login", "Its profile, its earnings, the income.",
      el("a", { class: "button", href: "#/logins" }, "To the logins")),
    step(seen.asked, 5, "Query the API", "With curl or from Lua; each page here has the commands."));
}

function keyCard(overview) {
  const key = el("code", { "data-testid": "api-key" }, "••••••••");
  const toggle = el("button", { type: "button", class: "small", "data-testid": "show-key",
    onclick() {
      const hidden = key.textContent !== overview.api_key;
      key.textContent = hidden ? overview.api_key : "••••••••";
      toggle.textContent = hidden ? "Hide" : "Show";
    } }, "Show");
  const button = el("button", { type: "button", class: "small",
    onclick: () => copy(overview.api_key, button) }, "Copy");
  const settings = (name) => `export PALENCA_API_KEY=${name} PALENCA_BASE_URL=${location.origin}`;
  return card("API key", el("div", { class: "row" }, key, toggle, button),
    el("div", { class: "lines" },
      copyLine("sh", settings(overview.api_key), "copy-env", settings("••••"))),
    el("p", { class: "quiet" }, "In production two settings change: PALENCA_API_KEY has the "
      + "production key, and PALENCA_ENVIRONMENT=production replaces PALENCA_BASE_URL. "
      + "The script is not changed."));
}

function choose(name, words, first) {
  return el("select", { name }, first ? el("option", { value: "" }, first) : null,
    words.map((word) => el("option", { value: word }, word)));
}

// A number of days is sent as a number; other text as it is, and is rejected with the reason.
function daysOf(text) {
  if (text === "") return undefined;
  return Number.isNaN(Number(text)) ? text : Number(text);
}

function simulate(overview) {
  const platforms = overview.platforms.map((one) => one.code);
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
        days: daysOf(given.get("days").trim()),
        pattern: given.get("pattern"),
        warning: given.get("warning") || undefined,
      });
      complain(form, response);
      if (response.ok) location.hash = `#/logins/${response.data.login_id}`;
    },
  },
  el("div", { class: "fields" },
    field("Platform", choose("platform", platforms)),
    field("Ends as", choose("case", cases)),
    field("Pattern of earnings", choose("pattern", patterns)),
    field("Warning", choose("warning", overview.warnings, "none")),
    field("Your id of the worker", el("input", { name: "external_id", autocomplete: "off" })),
    field("Days of earnings", el("input", { name: "days", autocomplete: "off",
      placeholder: String(overview.history), "data-testid": "simulate-days" }),
    "0 to 1100, or typical: as many as are usual on the platform")),
  el("em", { class: "problem last" }),
  el("button", { type: "submit", "data-testid": "simulate" }, "Simulate the login"));
  return card("A login without the widget", form);
}

function loginLine(login) {
  return el("tr", null,
    cell(el("a", { href: `#/logins/${login.login_id}`, "data-key": login.login_id },
      login.platform)),
    cell(badge(login.status)), cell(shown(login.status_details)), cell(time(login.created_at)));
}

async function latest() {
  const [logins, deliveries, requests] = await Promise.all([
    ask("GET", `/sandbox/logins?items_per_page=${LATEST}`),
    ask("GET", `/sandbox/deliveries?items_per_page=${LATEST}`),
    ask("GET", "/sandbox/requests?items_per_page=1"),
  ]);
  return {
    logins: logins.data?.logins ?? [],
    deliveries: deliveries.data?.deliveries ?? [],
    requests: requests.pagination?.total_items ?? 0,
  };
}

// Viewing a login is the one step that only this browser tab knows.
export const lookedAt = { login: false };

export const start = {
  title: "Start",
  topics: ["logins", "deliveries", "webhooks", "requests"],
  open(page, context) {
    const done = { loggedIn: false, delivered: false, opened: false, asked: false };
    const widget = openWidget(context.overview);
    const steps = el("div");
    const tutorial = el("details", { class: "card", "data-testid": "steps", open: true },
      el("summary", null, el("h2", null, "First steps")), steps);
    const news = el("div", { class: "two" });
    page.append(el("h1", null, "Sandbox"), el("p", { class: "lead" },
      "A stand-in of the Palenca API on this machine. All data is made up; nothing leaves "
      + "this machine except the webhooks that you create."), tutorial,
    el("div", { class: "two" }, keyCard(context.overview), simulate(context.overview)), news);
    return refresher(latest, (seen) => {
      const before = Object.values(done).every(Boolean);
      // logins that were there at the start do not count
      done.loggedIn ||= seen.logins.some((one) => one.created_at >= context.overview.started_at);
      done.delivered ||= seen.deliveries.some((one) => one.state === "delivered");
      done.opened = lookedAt.login;
      done.asked ||= seen.requests > 0;
      const focused = steps.contains(document.activeElement) ? document.activeElement : null;
      steps.replaceChildren(firstSteps(context.overview, done, widget));
      focused?.focus();
      if (!before && Object.values(done).every(Boolean)) tutorial.open = focused !== null;
      refill(news,
        card("Latest logins", table(["Platform", "Status", "Details", "When"],
          seen.logins.map(loginLine), "No login yet.")),
        card("Latest deliveries", table(deliveryHeads, seen.deliveries.map(deliveryRow),
          "No delivery yet.")));
    });
  },
};
