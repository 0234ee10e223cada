// The events that a search finds, the newest first, as many as were asked for.
import { el } from "/dom.js";
import { breakable, copyLine, empty, refill } from "/parts.js";
import { number, time } from "./admin_format.js";
import { $, announce, badge, drawItems } from "./admin_parts.js";
import { nothingYet, readLatest, searchOn } from "./admin_results.js";
import { filterOf, href, suggest } from "./admin_search.js";

const STEP = 50;
const MAX = 1000;
const NAME_LENGTH = 26; // characters of an action that are kept in one line
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

const nameOf = (action) => (action.length > NAME_LENGTH
  ? el("span", { class: "long" }, breakable(action)) : action);

// An event with the query that leads back to the search. The roles stay where the style makes a
// row something else than a row.
function row(event) {
  const { id, action, account_id: account, platform, state, attempts, error } = event;
  const tries = `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
  const cells = [
    el("a", { href: href(`/events/${id}`, event.query), class: "mono", "data-key": id }, String(id)),
    [nameOf(action), below("below-full", platform, account), below("below-wide", summary(error))],
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

const button = (testid, label, onclick) => el("button", { type: "button", class: "small",
  "data-testid": testid, "data-key": testid, onclick }, label);

// What is shown where there is no event: why, and what to do.
function nothing(found, search, isSearching, { clear, further }) {
  if (found.next === undefined) {
    return empty(isSearching ? "Searching…" : "No event could be read.");
  } else if (found.next !== null) {
    const place = `among the events newer than ${found.next}`;
    return isSearching ? empty(`Searching… Nothing yet ${place}.`)
      : empty(`Nothing was found ${place}.`, button("further", "Search older events", further));
  } else if (search.size > 0) {
    return empty("No event matches the search.", button("clear-all", "Clear the search", clear));
  }
  return el("div", { class: "empty" },
    el("p", null, "No event is stored yet. Send one, to the URL that the log names:"),
    el("div", { class: "row" }, el("div", { class: "lines" }, copyLine("Shell",
      "palenca trigger login.success --url http://127.0.0.1:8080/webhooks/palenca", "trigger"))));
}

function complain(response) {
  const problem = $("problem");
  const advice = response.status === 400 ? "Change the search, or clear it."
    : "What is shown may be old; it is read again by itself.";
  const end = /[.?!]$/.test(response.message) ? "" : ".";
  const text = response.ok ? "" : `${response.message}${end} ${advice}`;
  problem.classList.toggle("failure-line", !response.ok);
  if (problem.textContent !== text) problem.textContent = text;
}

const isPartial = ({ events, next }, wanted) => next !== null && events.length < wanted;

function moreText(found, wanted, isSearching) {
  const size = found.events.length, events = size === 1 ? "event" : "events";
  if (found.next === null) return `${number(size)} ${events}`;
  if (!isPartial(found, wanted)) return `The newest ${number(size)} events`;
  return `${isSearching ? "Searching… " : ""}${number(size)} ${events}, newer than ${found.next}`;
}

// What the list has, and how it gets more.
function drawMore(found, wanted, isSearching, actions) {
  const text = moreText(found, wanted, isSearching), line = $("more");
  line.hidden = found.events.length === 0;
  const key = `${text} ${isSearching}`;
  if (line.dataset.key === key) return;
  line.dataset.key = key;
  refill(line, el("span", { "data-testid": "count" }, text), found.next === null || isSearching
    ? null : isPartial(found, wanted) ? button("further", "Search older events", actions.further)
      : found.events.length >= MAX ? el("span", null, "Narrow the search to see older ones.")
        : button("more", "Load more", actions.more));
}

// The list; `clear()` clears the search.
export class EventList {
  constructor(clear) {
    this.table = newTable();
    this.actions = { clear, more: () => this.more(), further: () => this.further() };
    this.search = new URLSearchParams();
    this.wanted = STEP;
    this.found = nothingYet();
    this.round = 0; // of the searches; a later one supersedes those before
    this.isSearching = false;
    this.isNew = true; // the search is another one than that whose events are shown
  }

  draw() {
    const { table, search, found, isSearching, actions } = this;
    const query = search.toString(), results = $("results");
    const empty = found.events.length === 0 ? `${query} ${found.next} ${isSearching}` : null;
    if (empty !== null && empty !== this.shownEmpty) {
      results.replaceChildren(nothing(found, search, isSearching, actions));
    } else if (empty === null && !results.contains(table.node)) {
      results.replaceChildren(table.node);
    }
    this.shownEmpty = empty;
    drawItems(table.body, found.events.map((event) => ({ ...event, query })), ({ id }) => id, row);
    drawMore(found, this.wanted, isSearching, actions);
    suggest(found.events);
  }

  // Goes on with `found`, which is shown when it ends, and each part of it if `isShown`.
  async run(found, isShown) {
    this.round += 1;
    const mine = this.round;
    this.isSearching = true;
    const response = await searchOn(found, filterOf(this.search), this.wanted, () => {
      if (mine !== this.round) return false;
      if (isShown) {
        this.found = found;
        this.draw();
      }
      return true;
    });
    if (mine !== this.round) return;
    this.isSearching = false;
    this.finish(response, found);
  }

  // Shows what a search has found, or why it has failed.
  finish(response, found) {
    $("results").removeAttribute("aria-busy");
    if (response.status === 0) return; // which is shown above all views
    complain(response);
    if (response.ok) this.found = found;
    else if (response.status === 400) this.found = { ...nothingYet(), next: null };
    this.draw();
  }

  // Of a slow search: reads the newest part.
  async latest() {
    this.round += 1;
    const mine = this.round, found = { ...this.found };
    const response = await readLatest(found, filterOf(this.search), this.wanted);
    if (mine === this.round) this.finish(response, found);
  }

  // Reads the events again; of a slow search only the newest, unless the whole is asked for.
  async refresh(isWhole) {
    const wasNew = this.isNew;
    if (this.isSearching && !wasNew && !isWhole) return;
    this.isNew = false;
    if (this.found.isSlow && !wasNew && !isWhole) return this.latest();
    await this.run(nothingYet(), wasNew);
    if (!wasNew) return;
    announce(this.found.events.length === 0 ? "No event was found"
      : moreText(this.found, this.wanted, false));
  }

  async grow(isShown) {
    const before = this.table.body.children.length;
    await this.run({ ...this.found, events: [...this.found.events] }, isShown);
    this.table.body.children[before]?.querySelector("a").focus();
  }

  more() {
    this.wanted = Math.min(this.wanted + STEP, MAX);
    return this.grow(false);
  }

  further() {
    return this.grow(true);
  }

  // Which search it is from the next refresh on.
  show(search) {
    if (search.toString() !== this.search.toString()) this.wanted = STEP;
    this.isNew = true;
    this.search = search;
    $("results").setAttribute("aria-busy", "true");
  }
}
