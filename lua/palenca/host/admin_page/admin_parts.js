// What the page's parts share: the states, and lists whose unchanged items stay as they are.
import { el } from "/dom.js";

export const STATES = ["received", "running", "retry", "done", "dead"];
export const FINISHED = ["done", "dead"];

const tones = { received: "wait", running: "wait", retry: "warn", done: "good", dead: "bad" };

export const badge = (state) => el("span", { class: `badge ${tones[state] ?? "quiet"}`,
  "data-state": state }, state);

export const $ = (id) => document.getElementById(id);

export function announce(text) {
  $("announce").textContent = text;
}

// Says below the page's end what an action has done, until it is closed or the next one.
export function notify(text, tone = "good") {
  const notice = $("notice");
  notice.className = `notice ${tone}`;
  notice.replaceChildren(el("p", null, text), el("button", { type: "button", class: "small",
    "data-testid": "notice-close", onclick() { notice.hidden = true; } }, "Close"));
  notice.hidden = false;
}

// By the node they are in: the items that are drawn, by their keys.
const drawn = new WeakMap();

function replaceContent(node, fresh) {
  const focused = node.contains(document.activeElement) && document.activeElement.dataset.key;
  const open = new Set([...node.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  for (const one of fresh.querySelectorAll("details")) {
    if (open.has(one.dataset.key)) one.open = true;
  }
  for (const { name, value } of fresh.attributes) node.setAttribute(name, value);
  node.replaceChildren(...fresh.childNodes);
  if (focused) node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function drawItem(known, item, text, build) {
  if (!known) return build(item);
  if (known.text !== text) replaceContent(known.node, build(item));
  return known.node;
}

// Draws each item as a child of a node. One that has not changed keeps its elements, and with them
// a selection, the focus and what is unfolded; one that has changed keeps its own element, which a
// click may be on. Where the item with the focus is gone, the next one has it.
export function drawItems(parent, items, keyOf, build) {
  const old = drawn.get(parent) ?? new Map();
  const next = new Map();
  for (const item of items) {
    const key = keyOf(item), text = JSON.stringify(item);
    next.set(key, { node: drawItem(old.get(key), item, text, build), text });
  }
  const focused = [...parent.children].findIndex((node) => node.contains(document.activeElement));
  for (const [key, { node }] of old) if (!next.has(key)) node.remove();
  let place = parent.firstElementChild;
  for (const { node } of next.values()) {
    if (place === node) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  drawn.set(parent, next);
  if (focused >= 0 && !parent.contains(document.activeElement)) {
    parent.children[Math.min(focused, next.size - 1)]?.querySelector("[data-key]")?.focus();
  }
}
