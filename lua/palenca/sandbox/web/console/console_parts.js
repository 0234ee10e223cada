// The parts that the console's views share: times, money, badges, tables, lines to copy.
import { el } from "/assets/dom.js";

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

// A time in the reader's time zone; the exact text is its title.
export function time(text) {
  if (!text) return "—";
  return el("time", { datetime: text, title: text }, clock.format(new Date(text)));
}

// The time that is `ahead` seconds from now. Shown as a time of day: it stays true while the
// page is not drawn anew.
export function timeAhead(ahead) {
  return new Intl.DateTimeFormat(undefined, { timeStyle: "medium" })
    .format(new Date(Date.now() + ahead * 1000));
}

export function seconds(value) {
  if (value < 90) return `${Math.ceil(value)} s`;
  if (value < 5400) return `${Math.ceil(value / 60)} min`;
  return `${Math.ceil(value / 3600)} h`;
}

// Groups the digits of a decimal text without converting it to a number, which could lose cents.
function grouped(text) {
  const [, sign, integer, rest] = /^(-?)(\d+)(.*)$/.exec(text) ?? [null, "", text, ""];
  return sign + integer.replace(/\B(?=(\d{3})+$)/g, "\u2009") + rest;
}

export function money(amount, currency) {
  if (amount === null || amount === undefined) return "—";
  const text = typeof amount === "number" ? amount.toFixed(2) : amount;
  return `${grouped(text)} ${(currency ?? "").toUpperCase()}`.trim();
}

export function shown(value) {
  if (value === null || value === undefined || value === "") return "—";
  return String(value);
}

const tones = {
  success: "good", delivered: "good", pending: "wait", queued: "wait", sending: "wait",
  waiting: "wait", incomplete: "warn", cancelled: "quiet", lost: "bad", error: "bad",
  failed: "bad", approve: "good", refer: "warn", decline: "bad", undecidable: "wait",
};

export function badge(word) {
  return el("span", { class: `badge ${tones[word] ?? "quiet"}` }, word);
}

export function statusBadge(status) {
  if (!status) return el("span", { class: "badge bad" }, "no response");
  return el("span", { class: `badge ${status < 300 ? "good" : status < 500 ? "warn" : "bad"}` },
    String(status));
}

export function short(id) {
  return el("code", { title: id }, `${id.slice(0, 8)}…`);
}

export async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}

// A text with a button that copies it. `seen` is what the screen shows of it.
export function copyLine(name, text, testid, seen) {
  const button = el("button", { type: "button", class: "small", "aria-label": `Copy ${name}`,
    onclick: () => copy(text, button) }, "Copy");
  return el("div", { class: "line", "data-testid": testid, "data-text": text },
    el("span", { class: "line-name" }, name), el("code", { tabindex: "0" }, seen ?? text), button);
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// A curl line; `headers` by name.
export function curl(method, url, headers, body) {
  const parts = ["curl"];
  if (method !== "GET") parts.push("-X", method);
  for (const [name, value] of Object.entries(headers)) parts.push("-H", quote(`${name}: ${value}`));
  if (body) parts.push("-d", quote(body));
  return [...parts, quote(url)].join(" ");
}

// The commands of an API call, with curl and in Lua. They show no key, since others may see the
// screen.
export function lines(overview, method, path, lua, body) {
  const call = (key) => curl(method, location.origin + path, { "x-api-key": key,
    ...(body ? { "Content-Type": "application/json" } : {}) }, body);
  return el("div", { class: "lines" },
    copyLine("curl", call(overview.api_key), "copy-curl", call("••••")),
    copyLine("Lua", lua, "copy-lua"));
}

// A value of JSON as a Lua literal, from its text: a number stays as it was written.
export function lua(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  return tokens.map((token, at) => {
    if (token === "[") return "{";
    if (token === "]") return "}";
    if (token === ":") return "] = ";
    if (token === ",") return ", ";
    if (token === "null") return "nil";
    if (!token.startsWith('"')) return token;
    return (tokens[at + 1] === ":" ? "[" : "") + luaText(JSON.parse(token));
  }).join("");
}

// Other escapes than Lua's are left out: text is UTF-8 in both.
export function luaText(text) {
  return `"${text.replace(/["\\]/g, "\\$&").replace(/[\0-\x1f\x7f]/g,
    (sign) => `\\${String(sign.charCodeAt(0)).padStart(3, "0")}`)}"`;
}

export function pretty(text) {
  if (!text) return el("p", { class: "quiet" }, "empty");
  let shownText = text;
  try {
    // reformatted as text: a number that is parsed and printed might not be the same
    JSON.parse(text);
    shownText = layOut(text);
  } catch { /* not JSON: shown as it came */ }
  return el("pre", { tabindex: "0" }, shownText);
}

function layOut(text) {
  let depth = 0;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  return tokens.map((token, at) => {
    const next = tokens[at + 1];
    const line = () => `\n${"  ".repeat(depth)}`;
    if (token === "{" || token === "[") {
      depth += 1;
      return next === "}" || next === "]" ? token : token + line();
    }
    if (token === "}" || token === "]") {
      const previous = tokens[at - 1];
      depth -= 1;
      return previous === "{" || previous === "[" ? token : line() + token;
    }
    if (token === ",") return token + line();
    return token === ":" ? ": " : token;
  }).join("");
}

// A head that starts with "#" is that of a column of numbers.
export function table(heads, rows, empty, kind) {
  if (rows.length === 0) return el("p", { class: "empty" }, empty);
  const cells = heads.map((head) => el("th", { scope: "col",
    class: head.startsWith("#") ? "number" : null }, head.replace(/^#/, "")));
  return el("div", { class: `scroll ${kind ?? ""}`, tabindex: "0", role: "group",
    "aria-label": "Table" },
  el("table", null, el("thead", null, el("tr", null, cells)), el("tbody", null, rows)));
}

export const cell = (...content) => el("td", null, content);
export const number = (...content) => el("td", { class: "number" }, content);
export const card = (title, ...content) => el("section", { class: "card" },
  title ? el("h2", null, title) : null, content);
export const crumb = (href, name) => el("p", { class: "crumb" },
  el("a", { href }, `‹ ${name}`));

export function facts(list) {
  return el("dl", { class: "facts" }, list.map(([name, value]) => el("div", null,
    el("dt", null, name), el("dd", null, value instanceof Node ? value : shown(value)))));
}

// A value that is shown only on request.
export function masked(value) {
  if (!value) return "—";
  const button = el("button", { type: "button", class: "link", onclick() {
    button.replaceWith(el("span", null, value));
  } }, `••••${value.slice(-2)} show`);
  return button;
}

export function field(label, input, hint) {
  return el("label", { class: "field" }, el("span", null, label), input,
    hint ? el("small", null, hint) : null, el("em", { class: "problem" }));
}

// Shows a rejection beside the field it names, or at the form's end.
export function complain(form, response) {
  for (const place of form.querySelectorAll(".problem")) place.textContent = "";
  if (response.ok) return;
  const input = form.elements[response.field];
  const place = input?.closest?.(".field")?.querySelector(".problem")
    ?? form.querySelector(".problem.last");
  place.textContent = response.message;
  document.getElementById("announce").textContent = response.message;
  input?.focus?.();
}

// A click needs an element that is still there when the button is released.
let isPressed = false;
const postponed = new Map();

addEventListener("pointerdown", () => { isPressed = true; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, () => {
    isPressed = false;
    setTimeout(() => { // behind the click
      const regions = [...postponed];
      postponed.clear();
      for (const [region, children] of regions) refill(region, ...children);
    });
  }, true);
}

// Replaces the content of a region, once no button is pressed, and keeps the focus on the element
// with the same data-key.
export function refill(region, ...children) {
  if (isPressed) {
    postponed.set(region, children);
    return;
  }
  postponed.delete(region);
  const key = region.contains(document.activeElement) && document.activeElement.dataset.key;
  region.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (key) region.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

// Refreshes a view: reads, then draws. Of two overlapping refreshes, the later one counts.
export function refresher(read, draw) {
  let round = 0;
  return async () => {
    round += 1;
    const mine = round;
    const found = await read();
    if (mine === round) draw(found);
  };
}

// A list that grows on demand, up to what the sandbox returns at once. `read(count)` returns the
// response and its rows; the result refreshes the list.
export function growing(region, heads, empty, read) {
  const step = 50;
  const max = 1000;
  let count = step;
  const refresh = refresher(() => read(count), ({ response, rows }) => {
    if (!response.ok) return;
    const rest = response.pagination.total_items > rows.length && count < max;
    refill(region, table(heads, rows, empty), rest ? el("button", { type: "button",
      "data-key": "more", onclick() {
        count = Math.min(count + step, max);
        refresh();
      } }, "Show more") : null);
  });
  return refresh;
}
