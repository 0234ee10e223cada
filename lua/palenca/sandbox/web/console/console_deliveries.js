// The views of deliveries: all of them, and one with its body, its tries and the way to resend it.
import { ask, el } from "/assets/dom.js";
import { badge, card, cell, copyLine, crumb, curl, facts, growing, luaText, moment, number,
  pretty, refill, refresher, short, shown, statusBadge, time } from "/assets/console_parts.js";

export const deliveryHeads = ["Event", "State", "Answer", "#Tries", "Webhook", "When"];

function answerOf(delivery) {
  if (delivery.last_status) return statusBadge(delivery.last_status);
  return shown(delivery.last_error);
}

function stateOf(delivery) {
  const next = delivery.next_attempt_in;
  return [badge(delivery.state), next > 0 ? ` until ${moment(next)}` : null];
}

export function deliveryRow(delivery) {
  return el("tr", { "data-testid": "delivery-row", "data-action": delivery.action,
    "data-state": delivery.state },
  cell(el("a", { href: `#/deliveries/${delivery.delivery_id}`,
    "data-key": delivery.delivery_id }, delivery.action)),
  cell(stateOf(delivery)), cell(answerOf(delivery)), number(String(delivery.attempts)),
  cell(delivery.webhook_name), cell(time(delivery.created_at)));
}

async function resend(button, delivery) {
  button.disabled = true;
  const answer = await ask("POST", `/sandbox/deliveries/${delivery.delivery_id}/resend`);
  button.disabled = false;
  if (answer.ok) location.hash = `#/deliveries/${answer.data.delivery_id}`;
  else document.getElementById("announce").textContent = button.textContent = answer.message;
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
  return card(`Try ${at + 1}`, facts([
    ["When", time(one.at)],
    ["Took", `${one.ms} ms`],
    ["Answer", one.status ? statusBadge(one.status) : shown(one.error)],
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
    return refresher(() => ask("GET", `/sandbox/deliveries/${id}`), (answer) => {
      if (answer.ok) describe(page, answer.data);
      else refill(page, crumb("#/deliveries", "Deliveries"), el("h1", null, answer.message));
    });
  },
};

// The deliveries that a query picks, in a region; gives what brings it up to date.
export function deliveriesOf(region, query) {
  return growing(region, deliveryHeads,
    "No delivery yet. One is made for each webhook when a worker logs in.", async (count) => {
      const answer = await ask("GET", `/sandbox/deliveries?items_per_page=${count}${query}`);
      return { answer, rows: answer.data?.deliveries.map(deliveryRow) ?? [] };
    });
}

export const deliveries = {
  title: "Deliveries",
  topics: ["deliveries"],
  one,
  open(page) {
    const list = el("section", { class: "card" });
    page.append(el("h1", null, "Deliveries"), el("p", { class: "lead" },
      "What was sent to your webhooks, the newest first. A receiver has 30 seconds to answer 200 "
      + "or 201; else it is tried again, up to three times."), list);
    return deliveriesOf(list, "");
  },
};
