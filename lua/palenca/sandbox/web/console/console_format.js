// How the console writes times, amounts and names.
import { el } from "/assets/dom.js";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// Milliseconds between two updates of the relative times.
const TICK = 10000;

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const dateOnly = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

// What the overview says: seconds that the sandbox's clock is ahead, and the platforms' names.
const known = { offset: 0, names: {} };

export function learn(overview) {
  known.offset = overview.clock_offset;
  known.names = overview.platform_names;
}

export const platformName = (code) => (code ? known.names[code] ?? code : null);

function ago(text) {
  const passed = Date.now() / 1000 + known.offset - Date.parse(text) / 1000;
  if (passed < 5) return "just now";
  if (passed < MINUTE) return `${Math.floor(passed)} s ago`;
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min ago`;
  if (passed < DAY) return `${Math.floor(passed / HOUR)} h ago`;
  if (passed < 30 * DAY) return `${Math.floor(passed / DAY)} d ago`;
  return dateOnly.format(new Date(text));
}

// A time as seen from now; its title is the exact one in the reader's time zone.
export function time(text) {
  if (!text) return "—";
  return el("time", { datetime: text, title: exact.format(new Date(text)), "data-ago": true },
    ago(text));
}

export function exactTime(text) {
  return el("time", { datetime: text }, exact.format(new Date(text)));
}

// Both, where there is room for it.
export function bothTimes(text) {
  return text ? el("span", null, exactTime(text), " (", time(text), ")") : null;
}

setInterval(() => {
  for (const node of document.querySelectorAll("time[data-ago]")) {
    const now = ago(node.dateTime);
    if (node.textContent !== now) node.textContent = now;
  }
}, TICK);

// The time that is `ahead` seconds from now. Shown as a time of day: it stays true while the
// page is not drawn anew.
export function timeAhead(ahead) {
  return new Intl.DateTimeFormat(undefined, { timeStyle: "medium" })
    .format(new Date(Date.now() + ahead * 1000));
}

export function seconds(value) {
  if (value < 90) return `${Math.ceil(value)} s`;
  if (value < 90 * MINUTE) return `${Math.ceil(value / MINUTE)} min`;
  return `${Math.ceil(value / HOUR)} h`;
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

export function short(id) {
  return el("code", { title: id }, `${id.slice(0, 8)}…`);
}

// A path whose ids are cut to their first digits; the title of what shows it has all of them.
export const shortPath = (path) => path.replace(
  /([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, "$1…");
