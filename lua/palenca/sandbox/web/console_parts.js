// The pieces that the console's views share: times, money, badges, tables, lines to copy.
import { el } from "/assets/dom.js";

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

// A moment in the reader's time; the exact text is its title.
export function time(text) {
  if (!text) return "—";
  return el("time", { datetime: text, title: text }, clock.format(new Date(text)));
}

export function seconds(value) {
  if (value < 90) return `${Math.ceil(value)} s`;
  if (value < 5400) return `${Math.ceil(value / 60)} min`;
  return `${Math.ceil(value / 3600)} h`;
}

// Groups the digits of a decimal text without ever making a number of it: no cent is lost.
export function grouped(text) {
  const [, sign, whole, rest] = /^(-?)(\d+)(.*)$/.exec(text) ?? [null, "", text, ""];
  return sign + whole.replace(/\B(?=(\d{3})+$)/g, "\u2009") + rest;
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
  failed: "bad",
};

export function badge(word) {
  return el("span", { class: `badge ${tones[word] ?? "quiet"}` }, word);
}

export function statusBadge(status) {
  if (!status) return el("span", { class: "badge bad" }, "no answer");
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

// A text with a button that copies it.
export function copyLine(name, text, testid) {
  const button = el("button", { type: "button", class: "small", "aria-label": `Copy ${name}`,
    onclick: () => copy(text, button) }, "Copy");
  return el("div", { class: "line", "data-testid": testid, "data-text": text },
    el("span", { class: "line-name" }, name), el("code", null, text), button);
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// The curl line of an API call.
export function curl(key, method, path, body) {
  const parts = ["curl"];
  if (method !== "GET") parts.push("-X", method);
  parts.push("-H", quote(`x-api-key: ${key}`));
  if (body) parts.push("-H", quote("Content-Type: application/json"), "-d", quote(body));
  parts.push(quote(location.origin + path));
  return parts.join(" ");
}

// What is to be copied for one thing: the API call and the same in Lua.
export function lines(overview, method, path, lua, body) {
  return el("div", { class: "lines" },
    copyLine("curl", curl(overview.api_key, method, path, body), "copy-curl"),
    copyLine("Lua", lua, "copy-lua"));
}

export function pretty(text) {
  if (!text) return el("p", { class: "quiet" }, "empty");
  let shownText = text;
  try {
    // only laid out anew: a number that is parsed and printed might not be the same
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

export function table(heads, rows, empty) {
  if (rows.length === 0) return el("p", { class: "empty" }, empty);
  return el("div", { class: "scroll", tabindex: "0" }, el("table", null,
    el("thead", null, el("tr", null, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", null, rows)));
}

export function facts(list) {
  return el("dl", { class: "facts" }, list.map(([name, value]) => el("div", null,
    el("dt", null, name), el("dd", null, value instanceof Node ? value : shown(value)))));
}

// A value that is not shown before it is asked for.
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

// Puts a refusal beside the field it names, or at the form's end.
export function complain(form, answer) {
  for (const place of form.querySelectorAll(".problem")) place.textContent = "";
  if (answer.ok) return;
  const input = form.elements[answer.field];
  const place = input?.closest?.(".field")?.querySelector(".problem")
    ?? form.querySelector(".problem.last");
  place.textContent = answer.message;
  document.getElementById("announce").textContent = answer.message;
  input?.focus?.();
}

// Replaces what a region shows, but keeps the focus on what has the same data-key.
export function refill(region, ...children) {
  const key = region.contains(document.activeElement) && document.activeElement.dataset.key;
  region.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (key) region.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

// "More" under a list, when it goes on.
export function more(pagination, onclick) {
  if (!pagination || pagination.total_pages <= pagination.page) return null;
  return el("button", { type: "button", class: "plain", "data-key": "more", onclick }, "Show more");
}
