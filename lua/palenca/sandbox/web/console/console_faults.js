// The view of injected faults, settings and the clock.
import { ask, el } from "/assets/dom.js";
import { card, cell, complain, copyLine, curl, field, number, refill, refresher, seconds, shown,
  table, time } from "/assets/console_parts.js";

const MINUTE = 60;
const DAY = 86400;

const presets = [
  ["The next call fails with 503", { kind: "error", status: 503, times: 1 }],
  ["Every request exceeds the rate limit (429)", { kind: "error", status: 429, code: "too_many_requests" }],
  ["Responses take 3 s", { kind: "latency", seconds: 3 }],
  ["10 % of the connections are closed", { kind: "drop", probability: 0.1 }],
  ["The next response ends after half of its body", { kind: "cut", times: 1 }],
  ["The next webhook is lost", { kind: "webhook_lose", times: 1 }],
  ["Each webhook comes twice", { kind: "webhook_duplicate" }],
  ["Success arrives before created", { kind: "webhook_reorder" }],
  ["The next webhook is 60 s late", { kind: "webhook_delay", seconds: 60, times: 1 }],
  ["Earnings change while being read", { kind: "earning_added", times: 1 }],
];

const kinds = ["latency", "error", "drop", "cut", "webhook_lose", "webhook_duplicate",
  "webhook_delay", "webhook_reorder", "earning_added", "earning_removed", "earning_corrected"];

const numbers = [["probability", "Probability", "0 to 1; empty: always"],
  ["times", "Times", "empty: until removed"], ["seconds", "Seconds", "latency, webhook_delay"],
  ["status", "Status", "error: 400 to 599"],
  ["retry_after", "Retry-After", "error: seconds that the response names"]];
const words = [["code", "Code", "error: the API's own code"],
  ["method", "Method", "only these requests"], ["path", "Path starts with", "such as /v1/accounts"],
  ["action", "Event", "of webhook faults, such as login.success"]];

function readFault(form) {
  const fault = { kind: form.elements.kind.value };
  for (const [name] of numbers) {
    const text = form.elements[name].value.trim();
    // text that is no number is sent as it is, and rejected with the reason
    if (text !== "") fault[name] = Number.isNaN(Number(text)) ? text : Number(text);
  }
  for (const [name] of words) {
    const text = form.elements[name].value.trim();
    if (text !== "") fault[name] = text;
  }
  return fault;
}

function faultForm() {
  const form = el("form", {
    novalidate: true,
    async onsubmit(event) {
      event.preventDefault();
      const response = await ask("POST", "/sandbox/faults", readFault(form));
      complain(form, response);
      if (response.ok) form.reset();
    },
  },
  el("div", { class: "fields" },
    field("Kind", el("select", { name: "kind" },
      kinds.map((kind) => el("option", { value: kind }, kind)))),
    numbers.map(([name, label, hint]) => field(label,
      el("input", { name, inputmode: "decimal", autocomplete: "off" }), hint)),
    words.map(([name, label, hint]) => field(label,
      el("input", { name, autocomplete: "off" }), hint))),
  el("em", { class: "problem last" }),
  el("button", { type: "submit", class: "main", "data-testid": "fault-add" }, "Set the fault"));
  return el("details", null, el("summary", null, "Another one"), el("br"), form);
}

function presetButtons() {
  return el("div", { class: "presets" }, presets.map(([label, fault]) => el("button", {
    type: "button", "data-testid": `preset-${fault.kind}`,
    onclick: () => ask("POST", "/sandbox/faults", fault) }, label)));
}

function details(fault) {
  return ["method", "path", "action", "seconds", "status", "code", "retry_after"]
    .filter((name) => fault[name] !== null).map((name) => `${name} ${fault[name]}`).join(", ");
}

function row(fault) {
  return el("tr", { "data-testid": "fault-row", "data-kind": fault.kind,
    "data-hits": fault.hits },
  cell(fault.kind), cell(shown(details(fault))), number(shown(fault.probability)),
  number(fault.times === null ? "∞" : String(fault.times)), number(String(fault.hits)),
  cell(el("button", { type: "button", class: "small", "data-testid": "fault-remove",
    "aria-label": `Remove ${fault.kind}`, "data-key": `remove ${fault.fault_id}`,
    onclick: () => ask("DELETE", `/sandbox/faults/${fault.fault_id}`) }, "Remove")));
}

const settings = [["webhook_delay", "Webhook delay", "seconds from a login to its events"],
  ["retry_delay", "Retry delay", "seconds from a failed delivery to the next attempt"],
  ["rate_limit", "Rate limit", "requests a minute; 0: no limit"]];

function settingsForm(context) {
  const form = el("form", {
    novalidate: true,
    async onsubmit(event) {
      event.preventDefault();
      const given = Object.fromEntries(settings.map(([name]) => {
        const text = form.elements[name].value.trim();
        return [name, text === "" || Number.isNaN(Number(text)) ? text : Number(text)];
      }));
      const response = await ask("PUT", "/sandbox/settings", given);
      complain(form, response);
      if (response.ok) document.getElementById("announce").textContent = "saved";
    },
  },
  el("div", { class: "fields" }, settings.map(([name, label, hint]) => field(label,
    el("input", { name, inputmode: "decimal", value: String(context.overview.settings[name]),
      autocomplete: "off", "data-testid": `setting-${name}` }), hint))),
  el("em", { class: "problem last" }),
  el("button", { type: "submit", "data-testid": "settings-save" }, "Save"));
  return card("Settings", form);
}

function clockCard() {
  const now = el("p");
  const advance = (label, time_, testid) => el("button", { type: "button", "data-testid": testid,
    onclick: () => ask("POST", "/sandbox/clock", { advance: time_ }) }, label);
  const section = card("Clock", now, el("div", { class: "presets" },
    advance("+ 30 s", 30, "advance-30"), advance("+ 1 min", MINUTE, "advance-60"),
    advance("+ 1 h", 60 * MINUTE, "advance-3600"), advance("+ 1 day", DAY, "advance-86400")),
  el("p", { class: "quiet" }, "Delays, retries and the rate limit's window end at once."));
  return { section, show({ now: instant, clock_offset: offset }) {
    now.replaceChildren(time(instant), offset > 0 ? ` (${seconds(offset)} ahead)` : "");
  } };
}

export const faults = {
  title: "Faults",
  topics: ["faults", "settings"],
  open(page, context) {
    const list = el("div");
    const clock = clockCard();
    page.append(el("h1", null, "Faults and time"), el("p", { class: "lead" },
      "Inject failures into API requests and webhook deliveries."),
    card("Set a fault", presetButtons(), faultForm(), el("div", { class: "lines" },
      copyLine("curl", curl("POST", `${location.origin}/sandbox/faults`,
        { "Content-Type": "application/json" }, '{"kind": "error", "status": 503, "times": 3}'),
      "copy-fault"))),
    card("Faults that are set", list),
    el("div", { class: "two" }, settingsForm(context), clock.section));
    return refresher(() => ask("GET", "/sandbox/faults"), (response) => {
      clock.show(context.overview);
      if (!response.ok) return;
      refill(list, table(["Kind", "What", "#Probability", "#Times left", "#Hits", ""],
        response.data.faults.map(row), "No faults set."));
    });
  },
};
