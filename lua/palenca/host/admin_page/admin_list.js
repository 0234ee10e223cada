// The events that a search finds, the newest first, as many as were asked for.
import { el } from "/dom.js";
import { breakable, copyLine, empty, refill } from "/parts.js";
import { get } from "./admin_api.js";
import { number, time } from "./admin_format.js";
import { $, announce, badge, drawItems } from "./admin_parts.js";
import { filterOf, href, suggest } from "./admin_search.js";

const STEP = 50;
const PAGE = 200; // that one response has at most
const MAX = 1000;
const NAME_LENGTH = 26; // characters of an action that are kept in one line
const ROUNDS = 10; // requests that find less than a page
const ERROR_LENGTH = 140; // characters of an error in its row; the event's view has all of it

// Names and classes. Where there is no room for all, some are left out (from-…), and what they say
// is below another one (below-…); on a phone, a row is a card.
const columns = [["Event", "event"], ["Action", "action wrap"], ["Account", "account from-full"],
  ["Platform", "platform from-full"], ["State", "state"], ["Attempts", "attempts from-wide number"],
  ["Received", "received"], ["Error", "error wrap from-wide"]];

function below(style, ...parts) {
  const texts = parts.filter(Boolean);
  return texts.length === 0 ? null : el("span", { class: `sub ${style}` },
    texts.flatMap((text, at) => [at > 0 ? " · " : null, breakable(text)]));
}
// The first line of an error, cut where it is long.
function summary(error) {
  const line = (error ?? "").trim().split("\n")[0];
  return line.length > ERROR_LENGTH || line !== (error ?? "").trim()
    ? `${line.slice(0, ERROR_LENGTH)}…` : line;
}

const nameOf = (action) => (action.length > NAME_LENGTH ? breakable(action) : action);

// An event with the query that leads back to the search. The roles stay where the style makes a
// row something else than a row.
function row(event) {
  const { id, action, account_id: account, platform, state, attempts, error } = event;
  const tries = `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
  const cells = [
    el("a", { href: href(`/events/${id}`, event.query), class: "mono", "data-key": id }, String(id)),
    [el("span", null, nameOf(action)), below("below-full", platform, account),
      below("below-wide", summary(error))],
    el("code", null, account ?? "—"), platform ?? "—",
    [badge(state), attempts > 1 ? below("below-wide", tries) : null],
    number(attempts), time(event.received_at),
    error ? el("span", { title: error }, breakable(summary(error))) : null,
  ];
  return el("tr", { role: "row", "data-testid": "event-row", "data-id": id, "data-state": state },
    cells.map((content, at) => el("td", { role: "cell", class: columns[at][1] }, content)));
}

// A click anywhere in a row opens it, unless it was to select text.
function openRow({ target }) {
  if (target.closest("a") || !getSelection().isCollapsed) return;
  target.closest("tr")?.querySelector("a").click();
}

function newTable() {
  const body = el("tbody", { role: "rowgroup", onclick: openRow });
  const head = el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, columns.map(
    ([name, style]) => el("th", { role: "columnheader", scope: "col", class: style }, name))));
  return { body, node: el("div", { class: "scroll" },
    el("table", { role: "table", "aria-labelledby": "events-title" }, head, body)) };
}

function nothing(search, clear) {
  if (search.size > 0) {
    return empty("No event matches the search.",
      el("button", { type: "button", "data-testid": "clear-all", onclick: clear },
        "Clear the search"));
  }
  return el("div", { class: "empty" },
    el("p", null, "No event is stored yet. Send one, to the URL that the log names:"),
    el("div", { class: "row" }, el("div", { class: "lines" }, copyLine("Shell",
      "palenca trigger login.success --url http://127.0.0.1:8080/webhooks/palenca", "trigger"))));
}

// Reads the newest events of a search. A response may have fewer than it could, since the program
// does not search for long: then it is asked again from there on, `rounds` times at most. Returns
// { ok, events, next } or a response that is not ok.
async function read(filter, wanted, rounds) {
  const events = [];
  let next = null, left = rounds, isFull;
  do {
    const limit = Math.min(PAGE, wanted - events.length), query = { ...filter, limit };
    const response = await get("/api/events", next === null ? query : { ...query, before: next });
    if (!response.ok) return response;
    events.push(...response.data.events);
    next = response.data.next;
    isFull = response.data.events.length === limit;
    left -= isFull ? 0 : 1;
  } while (next !== null && events.length < wanted && left > 0);
  return { ok: true, events, next, isFull };
}

function complain(response) {
  const problem = $("problem");
  const advice = response.status === 400 ? "Change the search, or clear it."
    : "What is shown may be old; it is read again by itself.";
  const text = response.ok ? "" : `${response.message}. ${advice}`;
  problem.classList.toggle("failure-line", !response.ok);
  if (problem.textContent !== text) problem.textContent = text;
}

function moreText({ events, next, isFull }) {
  if (next === null) return `${number(events.length)} ${events.length === 1 ? "event" : "events"}`;
  return isFull ? `The newest ${number(events.length)} events`
    : `${number(events.length)} found among those newer than event ${next}`;
}

// What the list has, and how it gets more.
function drawMore(found, actions) {
  const { events, next, isFull } = found, text = moreText(found), line = $("more");
  if (line.dataset.shown === text) return;
  line.dataset.shown = text;
  const button = (testid, label, onclick) => el("button", { type: "button", class: "small",
    "data-testid": testid, "data-key": testid, onclick }, label);
  refill(line, el("span", { "data-testid": "count" }, text), next === null ? null
    : !isFull ? button("further", "Search older events", actions.further)
      : events.length >= MAX ? el("span", null, "Narrow the search to see older ones.")
        : button("more", "Load more", actions.more));
}

// The list; `clear()` clears the search. Returns { show(search), refresh() }.
export function eventList(clear) {
  const table = newTable();
  let search = new URLSearchParams(), wanted = STEP, rounds = ROUNDS, round = 0, isNew = true;

  function draw(found) {
    const { events, next } = found, results = $("results"), query = search.toString();
    const isEmpty = events.length === 0 && next === null;
    if (isEmpty) {
      if (isNew || results.contains(table.node)) results.replaceChildren(nothing(search, clear));
    } else if (!results.contains(table.node)) {
      results.replaceChildren(table.node);
    }
    drawItems(table.body, events.map((event) => ({ ...event, query })), ({ id }) => id, row);
    drawMore(found, { more, further });
    $("more").hidden = isEmpty;
    suggest(events);
    if (isNew) announce(isEmpty ? "No event matches" : moreText(found));
    results.removeAttribute("aria-busy");
    isNew = false;
  }

  async function refresh() {
    round += 1;
    const mine = round;
    const found = await read(filterOf(search), wanted, rounds);
    if (mine !== round) return;
    if (found.status !== 0) complain(found);
    if (found.ok) draw(found);
  }

  async function grow() {
    const before = table.body.children.length;
    await refresh();
    table.body.children[before]?.querySelector("a").focus();
  }

  function more() {
    wanted = Math.min(wanted + STEP, MAX);
    return grow();
  }

  function further() {
    rounds += ROUNDS;
    return grow();
  }

  function show(shown) {
    if (shown.toString() !== search.toString()) {
      wanted = STEP;
      rounds = ROUNDS;
    }
    isNew = true;
    search = shown;
    $("results").setAttribute("aria-busy", "true");
  }

  return { show, refresh };
}
