// The view of one event: what is known of it, its attempts with their log lines, its body.
import { el } from "/dom.js";
import { card, copyLine, crumb, empty, facts, linkButton, pretty } from "/parts.js";
import { get, post } from "./admin_api.js";
import { replayOne } from "./admin_actions.js";
import { bothTimes, bytes, duration, number } from "./admin_format.js";
import { announce, badge, drawItems, FINISHED } from "./admin_parts.js";
import { href } from "./admin_search.js";

const outcomes = { done: "good", retry: "warn", dead: "bad", released: "wait" };

const advice = {
  received: "Waits for a worker; the events of one account run one after the other.",
  running: "A handler runs it at present.",
  retry: "The last attempt failed; it runs again by itself.",
  done: "Its handlers have run. A replay runs them once more.",
  dead: "No attempt is left. Once the cause is mended, a replay runs it again.",
};

function headCard({ event, search, onchange }) {
  const { id, action, state } = event;
  const button = FINISHED.includes(state) ? el("button", { type: "button", "data-key": "replay",
    class: state === "dead" ? "main" : null, "data-testid": "replay",
    onclick: () => replayOne(event, onchange) }, state === "dead" ? "Replay" : "Replay…") : null;
  return el("div", null, crumb(href("/", search), "Events"),
    el("div", { class: "title" }, el("h1", null, action), badge(state)),
    el("p", { class: "lead" }, `Event ${id}. ${advice[state] ?? ""}`),
    button ? el("p", null, button) : null);
}

// The part of a traceparent that all spans of a trace share.
const traceId = (text) => /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(text)?.[1] ?? text;

function factsCard({ event }) {
  const ofAccount = new URLSearchParams({ account_id: event.account_id ?? "" });
  return el("section", { class: "card" }, facts([
    ["Received", bothTimes(event.received_at)],
    [event.state === "retry" ? "Next attempt" : "Due",
      ["retry", "received"].includes(event.state) && bothTimes(event.due_at)],
    ["Finished", bothTimes(event.finished_at)],
    ["Platform", event.platform],
    ["Attempts", number(event.attempts)],
    ["Replays", event.replays > 0 ? number(event.replays) : null],
  ].filter(([, value]) => value)), el("div", { class: "lines ids" },
    copyLine("Event", String(event.id), "id"),
    event.account_id ? copyLine("Account", event.account_id, "account") : null,
    event.traceparent ? copyLine("Trace", traceId(event.traceparent), "trace") : null,
    event.request_id ? copyLine("Request", event.request_id, "request") : null),
  event.account_id ? el("p", { class: "last" }, el("a", { href: href("/", ofAccount),
    "data-key": "of-account" }, "All events of this account")) : null);
}

function errorCard({ error }) {
  return el("section", { class: "card failure" }, el("h2", null, "Error"),
    el("pre", { tabindex: "0", "data-testid": "error", "data-key": "error" }, error));
}

const firstLine = (text) => text.trim().split("\n")[0];

// A line of a script's log for people: its time, level, message, and the other fields as name=value.
function readable(line) {
  let entry;
  try {
    entry = JSON.parse(line);
  } catch {
    return line; // printed, or cut
  }
  if (typeof entry?.message !== "string") return line;
  const { time, level, event, message, ...others } = entry;
  const fields = Object.entries(others).map(([name, value]) => `${name}=${typeof value === "string"
    ? value : JSON.stringify(value)}`);
  return [time, level, message, ...fields].filter(Boolean).join("  ");
}

// What is unfolded of an attempt: its whole error if that has more lines than one, and its log.
function detailsOf({ error, lines, lines_left_out: left, key }) {
  const names = [], parts = [];
  if (error && firstLine(error) !== error.trim()) {
    names.push("Whole error");
    parts.push(el("pre", { tabindex: "0" }, error));
  }
  if (lines.length === 0 && left > 0) {
    names.push(`${number(left)} log ${left === 1 ? "line" : "lines"}`);
    parts.push(el("p", { class: "quiet" }, "Not on this page: palenca events show has them."));
  } else if (lines.length > 0) {
    names.push(`${number(lines.length)} log ${lines.length === 1 ? "line" : "lines"}`);
    parts.push(el("pre", { tabindex: "0", "data-testid": "log-lines" }, lines.map(readable).join("\n")),
      left > 0 ? el("p", { class: "quiet" }, `${number(left)} earlier lines were not kept.`) : null);
  }
  if (parts.length === 0) return null;
  return el("details", { "data-key": key, "data-testid": "lines" },
    el("summary", { "data-key": `${key}-summary` }, names.join(" and ")), parts);
}

function attemptItem(one) {
  const name = `Attempt ${one.attempt}${one.replay > 0 ? ` of replay ${one.replay}` : ""}`;
  const took = one.duration_ms >= 0 ? `took ${duration(one.duration_ms)}` : null;
  return el("li", { "data-testid": "attempt", "data-outcome": one.outcome },
    el("div", { class: "title" }, el("h3", null, name),
      el("span", { class: `badge ${outcomes[one.outcome] ?? "quiet"}` }, one.outcome),
      el("span", { class: "quiet" }, bothTimes(one.started_at), one.started_at && took ? ", " : null,
        took)),
    one.error ? el("p", { class: "error", "data-testid": "attempt-error" },
      firstLine(one.error)) : null,
    detailsOf(one));
}

// The body: masked, or as it came for as long as the view is open.
function bodyCard({ event, body, problem, reveal, mask }) {
  const isRaw = body !== null;
  return el("section", { class: "card", "data-testid": "body" },
    el("h2", null, `Body, ${bytes(event.body_size)}`),
    el("p", { class: "quiet" }, isRaw ? "As it came. The log has a line that it was shown."
      : "Identity numbers are masked. To show them leaves a line in the log."),
    problem ? el("p", { class: "problem", role: "alert" }, problem) : null,
    !isRaw && event.body === null ? el("p", null, "It is no JSON, so that it cannot be masked.")
      : pretty(isRaw ? body : event.body),
    el("p", { class: "last" }, el("button", { type: "button", "data-key": "reveal",
      "data-testid": "reveal", onclick: isRaw ? mask : reveal },
    isRaw ? "Mask the body again" : "Show unmasked body")));
}

function missing(id, search, response) {
  const isGone = response.status === 404;
  return el("div", null, crumb(href("/", search), "Events"), el("h1", null, `Event ${id}`),
    el("div", { "data-testid": "missing" }, empty(isGone
      ? "There is no such event. It may have been purged, or deleted after the retention time."
      : `It cannot be read: ${response.message}. It is tried again by itself.`,
    isGone ? linkButton(href("/", search), "See all events") : null)));
}

// The sections of an event, as items that are drawn by themselves. The functions in them are no
// part of what is compared.
function sections({ event, attempts, attempts_left_out: left }, given) {
  const { body, problem } = given;
  return [
    { name: "head", event: { ...event, body: null }, search: given.search },
    { name: "facts", event: { ...event, body: null, error: null } },
    event.error && { name: "error", error: event.error },
    { name: "attempts", none: attempts.length === 0, id: event.id, left },
    { name: "body", event: { id: event.id, body: event.body, body_size: event.body_size },
      body, problem },
  ].filter(Boolean);
}

function attemptsCard(given, { none, id, left }) {
  given.attempts = el("ol", { class: "attempts", "data-testid": "attempts" });
  return card("Attempts", none ? el("p", { class: "quiet" }, "None yet.") : given.attempts,
    left > 0 ? el("p", { class: "quiet", "data-testid": "attempts-left-out" },
      `${number(left)} older ${left === 1 ? "attempt" : "attempts"}: palenca events show ${id}`)
      : null);
}

const builders = {
  head: (item, given) => headCard({ ...item, onchange: given.onchange }),
  facts: factsCard,
  error: errorCard,
  attempts: (item, given) => attemptsCard(given, item),
  body: (item, given) => bodyCard({ ...item, reveal: given.reveal, mask: given.mask }),
};

function draw(region, data, given) {
  drawItems(region, sections(data, given), ({ name }) => name,
    (item) => builders[item.name](item, given));
  const items = data.attempts.map((one) => ({ ...one, key: `${one.replay}-${one.attempt}` }));
  drawItems(given.attempts, items.reverse(), ({ key }) => key, attemptItem);
}

async function reveal(id, given, redraw) {
  const response = await post(`/api/events/${id}/body`);
  given.body = response.ok ? response.data.body : null;
  given.problem = response.ok ? null : `The body cannot be shown: ${response.message}.`;
  announce(response.ok ? "The body is shown unmasked" : "");
  redraw();
}

// Opens the view in a region. Returns { name, refresh() }.
export function eventView(region, id, search, onchange) {
  const place = el("div");
  let data = null, isDrawn = false;
  const redraw = () => { if (data) draw(place, data, given); };
  const given = { search: search.toString(), body: null, problem: null, onchange,
    reveal: () => reveal(id, given, redraw),
    mask() {
      given.body = null;
      redraw();
    } };
  region.replaceChildren(place);
  return { name: `Event ${id}`, async refresh() {
    const response = await get(`/api/events/${id}`);
    if (response.status === 0 && isDrawn) return;
    data = response.ok ? response.data : null;
    if (data) redraw();
    else drawItems(place, [{ name: "missing", status: response.status }], ({ name }) => name,
      () => missing(id, search, response));
    isDrawn = true;
  } };
}
