// The view of injected faults, settings and the clock.
import { ask, el } from "/assets/dom.js";
import { exactTime, seconds } from "/assets/console_format.js";
import { complain, field, numberOrText, select } from "/assets/console_forms.js";
import { curl } from "/assets/console_parts.js";
import { below, column, row, table } from "/assets/console_tables.js";
import { card, copyLine, empty, refill, refresher } from "/assets/parts.js";

const MINUTE = 60;
const DAY = 86400;

// The faults by what they affect: names of the kinds, and faults that are set by one button.
const groups = [
  { name: "API requests", kinds: { latency: "Late response", error: "Error response",
    drop: "Aborted connection", cut: "Truncated response" },
  presets: [
    ["The next call fails with 503", { kind: "error", status: 503, times: 1 }],
    ["Every request exceeds the rate limit (429)",
      { kind: "error", status: 429, code: "too_many_requests" }],
    ["Responses take 3 s", { kind: "latency", seconds: 3 }],
    ["10 % of the connections are closed", { kind: "drop", probability: 0.1 }],
    ["The next response ends after half of its body", { kind: "cut", times: 1 }],
  ] },
  { name: "Webhooks", kinds: { webhook_lose: "Lost", webhook_duplicate: "Duplicate",
    webhook_delay: "Late", webhook_reorder: "Out of order" },
  presets: [
    ["The next webhook is lost", { kind: "webhook_lose", times: 1 }],
    ["Each webhook comes twice", { kind: "webhook_duplicate" }],
    ["Success arrives before created", { kind: "webhook_reorder" }],
    ["The next webhook is 60 s late", { kind: "webhook_delay", seconds: 60, times: 1 }],
  ] },
  { name: "Earnings that change while they are read", kinds: { earning_added: "Row added",
    earning_removed: "Row removed", earning_corrected: "Row corrected" },
  presets: [["A row is added after the next page", { kind: "earning_added", times: 1 }],
    ["A row is removed after the next page", { kind: "earning_removed", times: 1 }],
    ["A row is corrected after the next page", { kind: "earning_corrected", times: 1 }]] },
];

// The fields of a fault: label and hint. Those that all kinds have come first.
const common = { probability: ["Probability", "0 to 1; empty: always"],
  times: ["Times", "empty: until removed"] };
const special = {
  seconds: ["Seconds", "by how much it is late"],
  status: ["Status", "400 to 599"],
  code: ["Code", "the API's own code"],
  retry_after: ["Retry-After", "seconds that the response names"],
  method: ["Method", "only these requests"],
  path: ["Path starts with", "such as /v1/accounts"],
  action: ["Event", "only these webhooks"],
};
const figures = new Set(["probability", "times", "seconds", "status", "retry_after"]);

function readFault(form) {
  const fault = { kind: form.elements.kind.value };
  for (const input of form.querySelectorAll("[name]:enabled:not([name='kind'])")) {
    const text = input.value.trim();
    if (text !== "") fault[input.name] = figures.has(input.name) ? numberOrText(text) : text;
  }
  return fault;
}

function inputOf(name, overview) {
  if (name === "method") return select(name, ["GET", "POST", "PUT", "PATCH", "DELETE"], "all");
  if (name === "action") {
    return select(name, overview.actions.filter((one) => one !== "*"), "all");
  }
  return el("input", { name, autocomplete: "off",
    inputmode: figures.has(name) ? "decimal" : null });
}

// Shows the fields of one kind, with its defaults; the others are not sent.
function showFields(form, kind) {
  for (const name of Object.keys(special)) {
    const input = form.elements[name];
    const has = kind.fields.includes(name);
    input.disabled = !has;
    input.closest(".field").hidden = !has;
    if (input.tagName === "INPUT") input.placeholder = String(kind.defaults?.[name] ?? "");
  }
}

function faultForm({ overview }) {
  const kinds = select("kind", [], null, { "data-testid": "fault-kind" });
  kinds.append(...groups.map(({ name, kinds: known }) => el("optgroup", { label: name },
    Object.entries(known).map(([kind, label]) => el("option", { value: kind },
      `${label} (${kind})`)))));
  const show = () => showFields(form, overview.fault_kinds[kinds.value]);
  const form = el("form", {
    novalidate: true,
    async onsubmit(event) {
      event.preventDefault();
      const response = await ask("POST", "/sandbox/faults", readFault(form));
      complain(form, response);
      if (response.ok) {
        form.reset();
        show();
      }
    },
  },
  el("div", { class: "fields" }, field("Kind", kinds),
    Object.entries({ ...special, ...common }).map(([name, [label, hint]]) =>
      field(label, inputOf(name, overview), hint))),
  el("em", { class: "problem last" }),
  el("button", { type: "submit", class: "main", "data-testid": "fault-add" }, "Set the fault"));
  kinds.addEventListener("change", () => {
    complain(form, { ok: true });
    show();
  });
  show();
  return el("details", null, el("summary", null, "Another fault"), form);
}

function presetButtons() {
  return groups.map(({ name, presets }) => el("div", { role: "group", "aria-label": name },
    el("h3", null, name), el("div", { class: "presets" }, presets.map(([label, fault]) =>
      el("button", { type: "button", "data-testid": `preset-${fault.kind}`,
        onclick: () => ask("POST", "/sandbox/faults", fault) }, label)))));
}

// What a fault is limited to, by the fields of its kind.
function details(fault) {
  const given = (name) => fault[name] !== null && fault[name] !== undefined;
  return [
    given("status") && `${fault.status} ${fault.code ?? ""}`.trim(),
    given("retry_after") && `Retry-After ${fault.retry_after}`,
    given("seconds") && `${fault.seconds} s`,
    given("method") && `only ${fault.method}`,
    given("path") && `under ${fault.path}`,
    given("action") && `only ${fault.action}`,
    fault.probability < 1 && `${Number((fault.probability * 100).toFixed(2))} % of them`,
  ].filter(Boolean).join(", ");
}

const columns = [column("Fault"), column("What", "from-medium wrap"),
  column("Times left", "number from-medium"), column("Hits", "number"), column("", "number")];

function faultRow(fault, kinds) {
  const left = fault.times === null ? "∞" : String(fault.times);
  return row({ "data-testid": "fault-row", "data-kind": fault.kind, "data-hits": fault.hits },
    [kinds[fault.kind], el("code", { class: "sub" }, fault.kind),
      below("below-medium", details(fault), fault.times === null ? null : `${left} left`)],
    details(fault) || "—", left, String(fault.hits),
    el("button", { type: "button", class: "small", "data-testid": "fault-remove",
      "aria-label": `Remove ${fault.kind}`, "data-key": `remove ${fault.fault_id}`,
      onclick: () => ask("DELETE", `/sandbox/faults/${fault.fault_id}`) }, "Remove"));
}

function faultList(faults) {
  if (faults.length === 0) {
    return [empty("No faults set.", el("button", { type: "button", "data-key": "first-fault",
      onclick: () => ask("POST", "/sandbox/faults", groups[0].presets[0][1]) },
    "Let the next call fail"))];
  }
  return groups.map(({ name, kinds }) => {
    const own = faults.filter((fault) => kinds[fault.kind]);
    return own.length === 0 ? null : el("section", { class: "spans", "data-testid": "fault-group" },
      el("h3", null, name), table(columns, own.map((fault) => faultRow(fault, kinds))));
  });
}

const settings = [["webhook_delay", "Webhook delay", "seconds from a login to its events"],
  ["retry_delay", "Retry delay", "seconds from a failed delivery to the next attempt"],
  ["rate_limit", "Rate limit", "requests a minute; 0: no limit"]];

function settingsForm(context) {
  const form = el("form", {
    novalidate: true,
    async onsubmit(event) {
      event.preventDefault();
      const given = Object.fromEntries(settings.map(([name]) =>
        [name, numberOrText(form.elements[name].value.trim())]));
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
  el("p", { class: "quiet last" }, "Delays, retries and the rate limit's window end at once."));
  return { section, show({ now: instant, clock_offset: offset }) {
    now.replaceChildren(exactTime(instant), offset > 0 ? ` (${seconds(offset)} ahead)` : "");
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
    card("Faults that are set", list),
    card("Set a fault", presetButtons(), faultForm(context), el("div", { class: "lines" },
      copyLine("curl", curl("POST", `${location.origin}/sandbox/faults`,
        { "Content-Type": "application/json" }, '{"kind": "error", "status": 503, "times": 3}'),
      "copy-fault"))),
    el("div", { class: "two" }, settingsForm(context), clock.section));
    return refresher(() => ask("GET", "/sandbox/faults"), (response) => {
      clock.show(context.overview);
      if (response.ok) refill(list, faultList(response.data.faults));
    });
  },
};
