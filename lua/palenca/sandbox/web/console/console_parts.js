// The parts that the console's views share: badges, cards, facts, lines to copy, regions.
import { el } from "/assets/dom.js";
import { shown } from "/assets/console_format.js";

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

// A line of more characters is scrolled.
const LONG = 400;

// A text with a button that copies it. `seen` is what the screen shows of it.
export function copyLine(name, text, testid, seen) {
  const button = el("button", { type: "button", class: "small", "aria-label": `Copy ${name}`,
    onclick: () => copy(text, button) }, "Copy");
  const visible = seen ?? text;
  return el("div", { class: "line", "data-testid": testid, "data-text": text },
    el("span", { class: "line-name" }, name),
    button, visible.length > LONG ? el("code", { tabindex: "0", class: "long" }, visible)
      : el("code", null, visible));
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

export const card = (title, ...content) => el("section", { class: "card" },
  title ? el("h2", null, title) : null, content);
export const crumb = (href, name) => el("p", { class: "crumb" },
  el("a", { href }, `‹ ${name}`));

// Names and values; those without a value are left out. A third entry is the class of the fact.
export function facts(list, kind) {
  const known = list.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: `facts ${kind ?? ""}` }, known.map(([name, value, style]) => el("div",
    { class: style }, el("dt", null, name),
    el("dd", null, value instanceof Node ? value : shown(value)))));
}

// What is shown instead of something that is missing: why, and what to do about it.
export function empty(text, ...actions) {
  return el("div", { class: "empty" }, el("p", null, text),
    actions.length > 0 ? el("div", { class: "row" }, actions) : null);
}

export const linkButton = (href, label, props) => el("a", { class: "button", href, ...props },
  label);

// The widget for a worker; `more` has further parameters, such as the platform.
export function widgetUrl(overview, id, more = {}) {
  return `/widget?${new URLSearchParams({ widget_id: overview.default_widget_id,
    external_id: id, ...more })}`;
}

export const widgetLink = (url, label, kind = "") => el("a", { class: `button ${kind}`, href: url,
  target: "_blank", rel: "noopener" }, label);

// A value that is shown only on request.
export function masked(value) {
  if (!value) return "—";
  const button = el("button", { type: "button", class: "link", onclick() {
    button.replaceWith(el("span", null, value));
  } }, `••••${value.slice(-2)} show`);
  return button;
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
  const refresh = async () => {
    round += 1;
    const mine = round;
    const found = await read();
    if (mine === round) draw(found, refresh);
  };
  return refresh;
}
