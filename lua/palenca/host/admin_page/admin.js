// The admin page: selects the view that the URL names, and refreshes it while it is seen.
import { get } from "./admin_api.js";
import { openPurge, openReplayAll } from "./admin_actions.js";
import { eventView } from "./admin_event.js";
import { now, setClock } from "./admin_format.js";
import { EventList } from "./admin_list.js";
import { $ } from "./admin_parts.js";
import { href, parse, searchForm } from "./admin_search.js";
import { drawAway, drawReady, drawStatus, titleOf } from "./admin_status.js";

const INTERVAL = 2000; // ms between two refreshes
const LOAD = 4; // a refresh that took long is followed by a pause of so many times that,
const MAX_INTERVAL = 30000; // but by no longer one

let stats = null, readAt = 0, search = new URLSearchParams(), view = null;
let scrolled = 0, opened = null; // where the list was left, and for which event
let isPaused = false, isAway = false, wake = null;

const show = searchForm((changed) => {
  history.replaceState(null, "", href("/", changed));
  route(false);
});
const list = new EventList(() => $("clear").click());

const listView = { name: "Events", refresh: (isWhole) => list.refresh(isWhole) };

function drawHead() {
  if (stats) drawStatus(stats, search);
  document.title = titleOf(stats, view.name);
}

// `moved`: the reader has chosen this view, so the focus goes there.
function route(moved) {
  const [, id, query = ""] = /^#\/(?:events\/(\d{1,16}))?(?:\?(.*))?$/.exec(location.hash) ?? [];
  const wasList = view === listView;
  if (wasList && id) scrolled = scrollY;
  search = parse(query);
  $("events-view").hidden = id !== undefined;
  $("event-view").hidden = id === undefined;
  view = id === undefined ? listView : eventView($("event-view"), id, search, refresh);
  if (view === listView) {
    show(search);
    list.show(search);
  }
  drawHead();
  if (moved && !(wasList && view === listView)) enter();
  opened = id ?? opened;
  return refresh();
}

// Of a list, to the event that was opened there.
function enter() {
  const row = view === listView && $("results").querySelector(`[data-key="${opened}"]`);
  (row || $("view")).focus({ preventScroll: true });
  scrollTo(0, view === listView ? scrolled : 0);
}

// Without a database to read there are no counts, but the reason.
async function drawProblem() {
  const { data } = await get("/readyz");
  if (data) drawReady({ ready: data.status === "ready", reasons: data.reasons ?? [] });
}

// `isWhole`: what is shown is to be as new as can be, also where that takes long.
async function refresh(isWhole) {
  const [response] = await Promise.all([get("/api/stats"), view.refresh(isWhole)]);
  if (response.ok) {
    stats = response.data;
    setClock(stats.time);
    readAt = now();
    drawHead();
  } else if (response.status !== 0) {
    await drawProblem();
  }
  isAway = response.status === 0;
  drawAway(isAway ? readAt : null);
  drawLive();
}

function drawLive() {
  $("live").textContent = isPaused ? "paused" : isAway ? "waiting" : "live";
  $("live").classList.toggle("live", !isPaused && !isAway);
  $("pause").textContent = isPaused ? "Resume" : "Pause";
}

// Until it is time for the next refresh, which the page's becoming visible is as well.
function rest(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

const isIdle = () => document.hidden || isPaused;

async function follow() {
  let took = 0;
  for (;;) {
    const pause = Math.min(Math.max(INTERVAL, LOAD * took), MAX_INTERVAL);
    await rest(isIdle() ? 2 ** 31 - 1 : pause);
    const started = performance.now();
    if (!isIdle()) await refresh();
    took = performance.now() - started;
  }
}

function listen() {
  addEventListener("hashchange", () => route(true));
  document.addEventListener("visibilitychange", () => { if (!isIdle()) wake?.(); });
  $("pause").addEventListener("click", () => {
    isPaused = !isPaused;
    drawLive();
    wake?.();
  });
  $("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the hash names the search
    $("view").focus();
  });
  $("open").addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = href(`/events/${$("open-id").value}`, search);
    $("open").reset();
  });
  $("replay-all").addEventListener("click", () => openReplayAll(search, () => refresh(true)));
  $("purge").addEventListener("click", () => openPurge(search, () => refresh(true)));
}

listen();
route(false).then(follow);
