// What the pages for developers and operators are built of: cards, facts, lines to copy, texts,
// and regions that are refreshed.
import { el } from "./dom.js";

export function shown(value) {
  if (value === null || value === undefined || value === "") return "—";
  return String(value);
}

// A text that may break after its punctuation, and within long words; a table then never has to be
// wider than its place.
export function breakable(text) {
  const parts = String(text).match(/\s+|[^\s_./:@-]{1,10}[_./:@-]*|[_./:@-]+/g) ?? [];
  return parts.flatMap((part, at) => (at > 0 ? [el("wbr"), part] : [part]));
}

export const pluralOf = (one, number) => (number === 1 ? one
  : /[^aeiou]y$/.test(one) ? one.replace(/y$/, "ies") : `${one}s`);

export const count = (number, one) => `${number} ${pluralOf(one, number)}`;

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
