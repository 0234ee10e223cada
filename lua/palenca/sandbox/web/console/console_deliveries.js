// The views of deliveries: all of them, and one with its body, its attempts and a button to resend it.
import { ask, el } from "/assets/dom.js";
import { badge, card, cell, copyLine, crumb, curl, facts, growing, luaText, timeAhead, number,
  pretty, refill, refresher, short, shown, statusBadge, time } from "/assets/console_parts.js";

export const deliveryHeads = ["Event", "State", "Response", "#Attempts", "Webhook", "When"];

function responseOf(delivery) {
  if (delivery.last_status) return statusBadge(delivery.last_status);
  return shown(delivery.last_error);
}

function stateOf(delivery) {
  const next = delivery.next_attempt_in;
  return [badge(delivery.state), next > 0 ? ` until ${timeAhead(next)}` : null];
}

export function deliveryRow(delivery) {
  return el("tr", { "data-testid": "delivery-row", "data-action": delivery.action,
    "data-state": delivery.state },
  cell(el("a", { href: `#/deliveries/${delivery.delivery_id}`,
    "data-key": delivery.delivery_id }, delivery.action)),
  cell(stateOf(delivery)), cell(responseOf(delivery)), number(String(delivery.attempts)),
  cell(delivery.webhook_name), cell(time(delivery.created_at)));
}

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
  if (!sent) return card("Request", el("p", { class: "empty" }, "Not sent yet."));
  return card("Request", el("p", { class: "mono" }, `${sent.method} ${sent.url}`),
    el("pre", { tabindex: "0" }, headerLines(sent.headers)), el("br"), pretty(sent.body),
    sentLines(sent));
}

function tryCard(one, at) {
  return card(`Attempt ${at + 1}`, facts([
    ["When", time(one.at)],
    ["Took", `${one.ms} ms`],
    ["Response", one.status ? statusBadge(one.status) : shown(one.error)],
  ]), one.body ? [el("br"), pretty(one.body)] : null);
}

function describe(page, delivery) {
  refill(page, crumb("#/deliveries", "Deliveries"), el("h1", null, delivery.action),
    card(null, facts([
      ["State", el("span", { "data-testid": "delivery-state" }, stateOf(delivery))],
      ["Webhook", delivery.webhook_name],
      ["To", delivery.url],
      ["Platform", delivery.platform],
      ["Login", delivery.login_id
        && el("a", { href: `#/logins/${delivery.login_id}` }, short(delivery.login_id))],
      ["Account", delivery.account_id && short(delivery.account_id)],
      ["Created", time(delivery.created_at)],
      ["Sent again from", delivery.resend_of
        && el("a", { href: `#/deliveries/${delivery.resend_of}` }, short(delivery.resend_of))],
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

// The deliveries that a query picks, in a region; returns what refreshes it.
export function deliveriesOf(region, query) {
  return growing(region, deliveryHeads,
    "No delivery yet. A login creates one for each webhook.", async (count) => {
      const response = await ask("GET", `/sandbox/deliveries?items_per_page=${count}${query}`);
      return { response, rows: response.data?.deliveries.map(deliveryRow) ?? [] };
    });
}

export const deliveries = {
  title: "Deliveries",
  topics: ["deliveries"],
  one,
  open(page) {
    const list = el("section", { class: "card" });
    page.append(el("h1", null, "Deliveries"), el("p", { class: "lead" },
      "What was sent to your webhooks, the newest first. A receiver has 30 seconds to respond with 200 "
      + "or 201; else the delivery is retried, up to three times."), list);
    return deliveriesOf(list, "");
  },
};
