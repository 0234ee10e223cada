// How times, durations and sizes are written. Times are Unix milliseconds, ages by the server's clock.
import { el } from "/dom.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// Milliseconds between two updates of the relative times.
const TICK = 5 * SECOND;

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const digits = new Intl.NumberFormat(undefined);

let offset = 0;

export function setClock(serverTime) {
  offset = serverTime - Date.now();
}

export const now = () => Date.now() + offset;

export function age(ms) {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

function relative(at) {
  const passed = now() - at;
  if (passed < -SECOND) return `in ${age(-passed)}`;
  return passed < 5 * SECOND ? "just now" : `${age(passed)} ago`;
}

// A time as seen from now; its title is the exact one in the reader's time zone.
export function time(at) {
  if (!at) return "—";
  return el("time", { datetime: new Date(at).toISOString(), title: exact.format(at),
    "data-at": at }, relative(at));
}

export const exactText = (at) => exact.format(at);

// Both, where there is room for it.
export function bothTimes(at) {
  return at ? el("span", null, el("time", { datetime: new Date(at).toISOString() },
    exact.format(at)), " (", time(at), ")") : null;
}

setInterval(() => {
  for (const node of document.querySelectorAll("time[data-at]")) {
    const text = relative(Number(node.dataset.at));
    if (node.textContent !== text) node.textContent = text;
  }
}, TICK);

export function duration(ms) {
  if (ms < SECOND) return `${ms} ms`;
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(1)} s`;
  return `${Math.floor(ms / MINUTE)} min ${Math.round((ms % MINUTE) / SECOND)} s`;
}

export const number = (value) => digits.format(value);

export function bytes(size) {
  if (size < 1024) return `${number(size)} bytes`;
  if (size < 1024 ** 2) return `${(size / 1024).toFixed(1)} KiB`;
  if (size < 1024 ** 3) return `${(size / 1024 ** 2).toFixed(1)} MiB`;
  return `${(size / 1024 ** 3).toFixed(1)} GiB`;
}

export const events = (count) => `${number(count)} ${count === 1 ? "event" : "events"}`;
