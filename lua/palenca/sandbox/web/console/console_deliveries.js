// The views of deliveries: all of them, and one with its body, its attempts and a button to resend it.
import { ask, el } from "/assets/dom.js";
import { bothTimes, platformName, short, time, timeAhead } from "/assets/console_format.js";
import { badge, curl, luaText, statusBadge } from "/assets/console_parts.js";
import { below, column, filtered, growing, row } from "/assets/console_tables.js";
import { breakable, card, copyLine, crumb, empty, facts, linkButton, pretty, refill, refresher,
  shown } from "/assets/parts.js";

const states = ["queued", "sending", "waiting", "delivered", "failed", "lost", "cancelled"];

function responseOf(delivery) {
  if (delivery.last_status) return statusBadge(delivery.last_status);
  return shown(delivery.last_error);
}

function stateOf(delivery) {
  const next = delivery.next_attempt_in;
  return [badge(delivery.state), next > 0 ? ` until ${timeAhead(next)}` : null];
}

// The columns of deliveries; those of one login or webhook have their own subset.
const columns = {
  event: [column("Event", "wrap"), (delivery) => [el("a", { href: `#/deliveries/${delivery.delivery_id}`,
    "data-key": delivery.delivery_id }, breakable(delivery.action)),
  below("below-medium", platformName(delivery.platform), delivery.external_id)]],
  login: [column("Event", "wrap"), (delivery) => [el("a", { href: `#/deliveries/${delivery.delivery_id}`,
    "data-key": delivery.delivery_id }, breakable(delivery.action)),
  below("below-wide", delivery.webhook_name)]],
  state: [column("State", "wrap"), (delivery) => [el("span", null, stateOf(delivery)),
    below("below-wide", delivery.last_status ? `response ${delivery.last_status}`
      : delivery.last_error)]],
  response: [column("Response", "from-wide"), responseOf],
  platform: [column("Platform", "from-medium"), (delivery) => platformName(delivery.platform)],
  worker: [column("Worker", "from-medium wrap"), (delivery) => breakable(shown(delivery.external_id))],
  attempts: [column("Attempts", "from-wide number"), (delivery) => String(delivery.attempts)],
  webhook: [column("Webhook", "from-wide wrap"), (delivery) => breakable(delivery.webhook_name)],
  when: [column("When", "when"), (delivery) => time(delivery.created_at)],
};

const tableOf = (...names) => ({
  columns: names.map((name) => columns[name][0]),
  row: (delivery) => row({ "data-testid": "delivery-row", "data-action": delivery.action,
    "data-state": delivery.state, "data-delivery-id": delivery.delivery_id },
  ...names.map((name) => columns[name][1](delivery))),
});

const whole = tableOf("event", "state", "response", "platform", "worker", "webhook", "attempts",
  "when");
const ofWebhook = tableOf("event", "state", "response", "platform", "worker", "attempts", "when");
export const ofLogin = tableOf("login", "state", "response", "webhook", "attempts", "when");
export const latest = tableOf("event", "state", "when");

async function resend(button, delivery) {
  button.disabled = true;
  const response = await ask("POST", `/sandbox/deliveries/${delivery.delivery_id}/resend`);
  button.disabled = false;
  if (response.ok) location.hash = `#/deliveries/${response.data.delivery_id}`;
  else document.getElementById("announce").textContent = button.textContent = response.message;
}

function resendButton(delivery) {
  const button = el("button", { type: "button", class: "main", "data-testid": "resend",
    "data-key": "resend", onclick: () => resend(button, delivery) }, "Send again");
  return button;
}

function headerLines(headers) {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join("\n");
}

function sentLines({ url, headers, body }) {
  const fields = Object.entries(headers)
    .map(([name, value]) => `[${luaText(name)}] = ${luaText(value)}`).join(", ");
  return el("div", { class: "lines" },
    copyLine("curl", curl("POST", url, headers, body), "copy-curl"),
    copyLine("Lua", `palenca.http{ url = ${luaText(url)}, headers = { ${fields} }, `
      + `body = ${luaText(body)} }`, "copy-lua"));
}

function sentCard(sent) {
  if (!sent) return card("Request", empty("Not sent yet."));
  return card("Request", el("p", { class: "mono break" }, `${sent.method} ${sent.url}`),
    el("pre", { tabindex: "0" }, headerLines(sent.headers)), el("br"), pretty(sent.body),
    sentLines(sent));
}

function tryCard(one, at) {
  return card(`Attempt ${at + 1}`, facts([
    ["When", bothTimes(one.at), "double"],
    ["Took", `${one.ms} ms`],
    ["Response", one.status ? statusBadge(one.status) : shown(one.error)],
  ]), one.body ? [el("br"), pretty(one.body)] : null);
}

function describe(page, delivery) {
  refill(page, crumb("#/deliveries", "Deliveries"), el("h1", null, delivery.action),
    card(null, facts([
      ["State", el("span", { "data-testid": "delivery-state" }, stateOf(delivery))],
      ["Platform", platformName(delivery.platform)],
      ["Worker", delivery.external_id],
      ["Webhook", el("a", { href: `#/webhooks/${delivery.webhook_id}` }, delivery.webhook_name)],
      ["Login", delivery.login_id
        && el("a", { href: `#/logins/${delivery.login_id}` }, short(delivery.login_id))],
      ["Created", bothTimes(delivery.created_at), "double"],
      ["Sent again from", delivery.resend_of
        && el("a", { href: `#/deliveries/${delivery.resend_of}` }, short(delivery.resend_of))],
      ["To", delivery.url, "all"],
    ]), el("br"), resendButton(delivery)),
    sentCard(delivery.request), delivery.tries.map(tryCard));
}

const one = {
  title: "Delivery",
  topics: ["deliveries"],
  open(page, context, id) {
    return refresher(() => ask("GET", `/sandbox/deliveries/${id}`), (response) => {
      if (response.ok) describe(page, response.data);
      else refill(page, crumb("#/deliveries", "Deliveries"), el("h1", null, response.message));
    });
  },
};

// Nothing was delivered: without a webhook there is nobody to receive it.
export function noDelivery(overview) {
  return overview.counts.webhooks === 0
    ? empty("No delivery yet: there is no webhook to receive one.",
      linkButton("#/webhooks", "Create a webhook"))
    : empty("No delivery yet. A login creates one for each webhook.",
      linkButton("#/start", "Log in or simulate it"));
}

// The deliveries to a webhook, in a region; returns what refreshes it.
export function deliveriesTo(region, context, id) {
  return growing(region, ofWebhook.columns, "delivery", async (count) => {
    const response = await ask("GET",
      `/sandbox/deliveries?items_per_page=${count}&webhook_id=${id}`);
    return { response, rows: response.data?.deliveries.map(ofWebhook.row) ?? [] };
  }, () => noDelivery(context.overview));
}

export const deliveries = {
  title: "Deliveries",
  topics: ["deliveries", "webhooks"],
  one,
  open(page, context) {
    page.append(el("h1", null, "Deliveries"), el("p", { class: "lead" },
      "What was sent to your webhooks, the newest first. A receiver has 30 seconds to respond with 200 "
      + "or 201; else the delivery is retried, up to three times."));
    return filtered(page, context, {
      view: "deliveries", path: "/sandbox/deliveries", key: "deliveries", name: "delivery",
      ...whole,
      choices: [["state", "State", states], ["platform", "Platform", context.platformChoices()]],
      none: () => noDelivery(context.overview),
    });
  },
};
