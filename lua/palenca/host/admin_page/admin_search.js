// The search: what the URL's hash names, the form that changes it, and the filter that the program
// is sent.
import { el } from "/dom.js";
import { exactText, now } from "./admin_format.js";
import { $, STATES } from "./admin_parts.js";

const HOUR = 3600 * 1000;
const TYPING = 300; // ms after the last key until a search is sent

const TEXTS = ["action", "account_id", "platform", "error"];
const NAMES = [...TEXTS, "state", "range", "since", "until"];

const ranges = { "15m": ["last 15 minutes", HOUR / 4], "1h": ["last hour", HOUR],
  "24h": ["last 24 hours", 24 * HOUR], "7d": ["last 7 days", 7 * 24 * HOUR] };
const CUSTOM = "custom";

// The search that a query names; what it does not know is left out.
export function parse(query) {
  const given = new URLSearchParams(query), search = new URLSearchParams();
  for (const name of NAMES) {
    const value = given.get(name)?.trim();
    const fits = name === "state" ? STATES.includes(value)
      : name === "range" ? Object.hasOwn(ranges, value) || value === CUSTOM
        : name === "since" || name === "until" ? !Number.isNaN(Date.parse(value)) : value;
    if (value && fits) search.set(name, value);
  }
  return search;
}

export function href(path, search) {
  const query = search.toString();
  return `#${path}${query ? `?${query}` : ""}`;
}

export function withState(search, state) {
  const other = new URLSearchParams(search);
  if (state) other.set("state", state);
  else other.delete("state");
  return other;
}

// The filter of the API: its fields with their values, times as numbers.
export function filterOf(search) {
  const filter = {};
  for (const name of [...TEXTS, "state"]) {
    if (search.has(name)) filter[name] = search.get(name);
  }
  const range = search.get("range");
  if (range === CUSTOM) {
    for (const name of ["since", "until"]) {
      if (search.has(name)) filter[name] = Date.parse(search.get(name));
    }
  } else if (range) {
    filter.since = Math.floor(now() - ranges[range][1]);
  }
  return filter;
}

// The search in words, for somebody who is about to change what it finds: [name, value] each.
export function inWords(search) {
  const filter = filterOf(search);
  const names = { state: "State", action: "Action", account_id: "Account", platform: "Platform",
    error: "Error contains", since: "Received since", until: "Received until" };
  return Object.entries(names).filter(([name]) => filter[name] !== undefined)
    .map(([name, label]) => [label, typeof filter[name] === "number" ? exactText(filter[name])
      : filter[name]]);
}

// A time as the browser's field has it: in the reader's time zone, to the minute.
function localText(text) {
  const at = new Date(text);
  return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

// Writes a search into the form, but not into a field that is being typed in.
function fill(form, search) {
  for (const name of [...TEXTS, "range", "since", "until"]) {
    const field = form.elements[name], value = search.get(name) ?? "";
    const shown = (name === "since" || name === "until") && value ? localText(value) : value;
    if (field !== document.activeElement && field.value !== shown) field.value = shown;
  }
  const isCustom = search.get("range") === CUSTOM;
  for (const name of ["since", "until"]) form.elements[name].parentNode.hidden = !isCustom;
  $("clear").hidden = search.size === 0;
  $("second").hidden = search.size === 0;
}

function read(form, search) {
  const changed = new URLSearchParams();
  for (const name of NAMES) {
    const value = name === "state" ? search.get(name) : form.elements[name].value.trim();
    const isTime = name === "since" || name === "until";
    if (!value || (isTime && form.elements.range.value !== CUSTOM)) continue;
    changed.set(name, isTime ? new Date(value).toISOString() : value);
  }
  return parse(changed);
}

// What is offered for the action: the families and names of the events that are shown.
export function suggest(events) {
  const names = new Set(["login.*"]);
  for (const { action } of events) names.add(action).add(action.replace(/\..*$/, ".*"));
  const list = [...names].sort();
  const options = $("actions");
  if (options.children.length === list.length && options.dataset.list === list.join()) return;
  options.dataset.list = list.join();
  options.replaceChildren(...list.map((value) => el("option", { value })));
}

// A phone has no room for the form next to the events: there it is folded until somebody searches.
function fold(search) {
  const isNarrow = matchMedia("(max-width: 40rem)");
  const set = () => {
    $("fold").open = !isNarrow.matches || [...search().keys()].some((name) => name !== "state");
  };
  isNarrow.addEventListener("change", set);
  return set;
}

// The form; `onchange(search)` is called with each change by hand. Returns what shows a search.
export function searchForm(onchange) {
  const form = $("search");
  let search = new URLSearchParams(), timer;
  fold(() => parse(location.hash.split("?")[1]))();
  form.elements.range.append(el("option", { value: "" }, "at any time"),
    ...Object.entries(ranges).map(([value, [label]]) => el("option", { value }, label)),
    el("option", { value: CUSTOM }, "between…"));
  const send = () => {
    clearTimeout(timer);
    search = read(form, search);
    fill(form, search);
    onchange(search);
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(send, TYPING);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  $("clear").addEventListener("click", () => {
    form.reset();
    search = new URLSearchParams();
    send();
    form.elements.action.focus();
  });
  return (shown) => {
    clearTimeout(timer);
    search = shown;
    fill(form, search);
  };
}
