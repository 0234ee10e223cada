// The view of webhooks: creating, changing and deleting them.
import { ask, el } from "/assets/dom.js";
import { checkGroup, complain, field } from "/assets/console_forms.js";
import { badge, lines, luaText } from "/assets/console_parts.js";
import { deliveriesTo } from "/assets/console_deliveries.js";
import { card, copyLine, crumb, empty, facts, linkButton, refill, refresher }
  from "/assets/parts.js";

const LOGIN_EVENTS = ["login.created", "login.success", "login.incomplete", "login.error"];

function eventChecks(actions, chosen) {
  const others = actions.filter((one) => one !== "*" && !LOGIN_EVENTS.includes(one));
  const check = (name, label) => el("label", { class: "check" },
    el("input", { type: "checkbox", name: "events", value: name, checked: chosen.includes(name),
      "data-testid": `event-${name}` }), label ?? name);
  return checkGroup("Events",
    el("div", { class: "checks" }, check("*", "all of them"),
      LOGIN_EVENTS.map((one) => check(one))),
    el("details", { open: others.some((one) => chosen.includes(one)) },
      el("summary", null, "More events"),
      el("div", { class: "checks" }, others.map((one) => check(one)))));
}

function inputs(overview, webhook) {
  return [
    el("div", { class: "fields" },
      field("Name", el("input", { name: "name", value: webhook.name, autocomplete: "off",
        "data-testid": "webhook-name" })),
      field("URL", el("input", { name: "url", type: "url", value: webhook.url,
        autocomplete: "off", "data-testid": "webhook-url" }),
      "The URL of your receiver; palenca serve prints it at its start."),
      field("Widget", el("select", { name: "widget_id", "data-testid": "webhook-widget" },
        overview.widgets.map((one) => el("option", { value: one.id,
          selected: one.id === webhook.widget_id }, one.name))),
      "Only the events of logins through this widget are sent.")),
    eventChecks(overview.actions, webhook.events),
    el("label", { class: "check last" }, el("input", { type: "checkbox", name: "sign_request",
      checked: webhook.sign_request, "data-testid": "webhook-sign" }),
    "Sign each request with the webhook's private key"),
    el("em", { class: "problem last" }),
  ];
}

function read(form) {
  const given = new FormData(form);
  return {
    name: given.get("name").trim(),
    url: given.get("url").trim(),
    widget_id: given.get("widget_id"),
    events: given.getAll("events"),
    sign_request: given.has("sign_request"),
  };
}

// The API takes an empty name, and would then show nobody what the webhook is for.
function check(given) {
  const problems = [];
  if (given.name === "") problems.push({ field: "name", message: "a name is required" });
  if (given.url === "") problems.push({ field: "url", message: "a URL is required" });
  else if (!/^https?:\/\//i.test(given.url)) {
    problems.push({ field: "url", message: "the URL must start with http:// or https://" });
  }
  if (given.events.length === 0) {
    problems.push({ field: "events", message: "choose at least one event" });
  }
  return { ok: problems.length === 0, problems };
}

function formOf(overview, webhook, label, testid, send) {
  const form = el("form", {
    novalidate: true,
    async onsubmit(event) {
      event.preventDefault();
      const given = read(form);
      let response = check(given);
      if (response.ok) response = await send(given);
      complain(form, response);
      if (response.ok) event.target.dispatchEvent(new Event("saved"));
    },
  }, inputs(overview, webhook),
  el("button", { type: "submit", class: "main", "data-testid": testid }, label));
  return form;
}

function creation(overview) {
  const fresh = { name: "", url: "http://127.0.0.1:8080/webhooks/palenca",
    widget_id: overview.default_widget_id, events: ["*"], sign_request: false };
  const form = formOf(overview, fresh, "Create the webhook", "webhook-create", (given) =>
    ask("POST", "/sandbox/webhooks", { ...given, is_sandbox: true }));
  form.addEventListener("saved", () => form.reset());
  return card("New webhook", form);
}

// `view` remembers what is being changed, and what is to be deleted at a second press: the list
// may be drawn anew between the two.
function actions(webhook, view) {
  const id = webhook.webhook_id;
  const path = `/sandbox/webhooks/${id}`;
  return el("div", { class: "row" },
    el("button", { type: "button", "data-testid": "webhook-edit", "data-key": `edit ${id}`,
      onclick: () => view.edit(id) }, "Change"),
    el("button", { type: "button", "data-testid": "webhook-active", "data-key": `active ${id}`,
      onclick: () => ask("PUT", path, { is_active: !webhook.is_active }) },
    webhook.is_active ? "Switch off" : "Switch on"),
    el("button", { type: "button", class: "danger", "data-testid": "webhook-delete",
      "data-key": `delete ${id}`, onclick() {
        if (view.doomed === id) ask("DELETE", path);
        view.doomed = id;
        view.refresh();
      } }, view.doomed === id ? "Delete it? Press again" : "Delete"));
}

function show(overview, webhook, view) {
  const id = webhook.webhook_id;
  return el("section", { class: "card", "data-testid": "webhook-row", "data-webhook-id": id,
    "data-url": webhook.url },
  el("h2", null, el("a", { href: `#/webhooks/${id}`, "data-key": id }, webhook.name), " ",
    badge(webhook.is_active ? "active" : "off")),
  facts([
    ["URL", webhook.url, "all"],
    ["Events", webhook.events.includes("*") ? "all" : webhook.events.join(", "), "all"],
    ["Webhook id", el("code", null, id), "all"],
    ["Signed", webhook.sign_request ? "yes" : "no"],
  ]),
  webhook.private_key ? el("div", { class: "lines" },
    copyLine("key", webhook.private_key, "copy-private-key", "••••")) : null,
  lines(overview, "GET", `/v1/webhooks/${id}`, `client.webhooks:get(${luaText(id)})`),
  el("br"), actions(webhook, view));
}

function change(overview, webhook, done) {
  const form = formOf(overview, webhook, "Save", "webhook-save", (given) =>
    ask("PUT", `/sandbox/webhooks/${webhook.webhook_id}`, given));
  form.addEventListener("saved", done);
  form.append(" ", el("button", { type: "button", onclick: done }, "Cancel"));
  return card(webhook.name, form);
}

// What a page remembers of its webhooks: which one is being changed, which one is to be deleted.
// `list` is redrawn by `draw(webhooks)`.
function viewOf(context, list, draw) {
  const view = { edited: null, doomed: null };
  view.refresh = refresher(() => ask("GET", "/sandbox/webhooks"), (response) => {
    // a form that is being edited is not replaced
    if (!response.ok || (view.edited && list.querySelector("form"))) return;
    refill(list, draw([...response.data.webhooks].reverse().map((webhook) => ({
      id: webhook.webhook_id,
      card: webhook.webhook_id === view.edited
        ? change(context.overview, webhook, () => view.edit(null))
        : show(context.overview, webhook, view),
    }))));
  });
  view.edit = (id) => {
    view.edited = id;
    list.replaceChildren();
    return view.refresh();
  };
  return view;
}

const one = {
  title: "Webhook",
  topics: ["webhooks", "deliveries"],
  open(page, context, id) {
    const found = el("div");
    const sent = el("section", { class: "card" });
    page.append(crumb("#/webhooks", "Webhooks"), el("h1", null, "Webhook"), found, sent);
    const view = viewOf(context, found, (webhooks) => webhooks.find((item) => item.id === id)?.card
      ?? empty("This webhook is gone.", linkButton("#/webhooks", "To the webhooks")));
    const deliveries = deliveriesTo(sent, context, id);
    return () => Promise.all([view.refresh(), deliveries()]);
  },
};

export const webhooks = {
  title: "Webhooks",
  topics: ["webhooks"],
  one,
  open(page, context) {
    const list = el("div");
    const form = creation(context.overview);
    page.append(el("h1", null, "Webhooks"), el("p", { class: "lead" },
      "The URLs to which the sandbox sends the events of logins."), form, list);
    return viewOf(context, list, (known) => (known.length === 0
      ? empty("No webhook yet: no event of a login is sent anywhere.", el("button",
        { type: "button", onclick: () => form.querySelector("[name='name']").focus() },
        "Fill in the form"))
      : known.map((item) => item.card))).refresh;
  },
};
