// The console: selects the view that the URL names, and refreshes it.
import { ask, el } from "/assets/dom.js";
import { learn } from "/assets/console_format.js";
import { deliveries } from "/assets/console_deliveries.js";
import { faults } from "/assets/console_faults.js";
import { login } from "/assets/console_login.js";
import { logins } from "/assets/console_logins.js";
import { requests } from "/assets/console_requests.js";
import { start } from "/assets/console_start.js";
import { webhooks } from "/assets/console_webhooks.js";

// A view is { title, topics, open(page, context, id) }; open fills the page and returns a function
// that refreshes it.
const views = { start, logins, webhooks, deliveries, requests, faults };
const single = {
  logins: login, webhooks: webhooks.one, deliveries: deliveries.one, requests: requests.one,
};

// Milliseconds between two refreshes, regardless of the number of changes.
const REST = 300;
const REFRESH_WAIT = 1000;

const $ = (id) => document.getElementById(id);
const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
// What every view is opened with: the overview, and the query of the URL.
const context = {
  overview: null,
  query: "",
  // [code, name] of all platforms, by their names
  platformChoices: () => Object.entries(context.overview.platform_names)
    .sort(([, one], [, other]) => one.localeCompare(other)),
};
let current = { topics: [], refresh: async () => {} };

async function readOverview() {
  const response = await ask("GET", "/sandbox/overview");
  if (response.ok) {
    context.overview = response.data;
    learn(context.overview);
  }
  return response.ok;
}

function drawNav(chosen) {
  $("nav").replaceChildren(...Object.entries(views).map(([name, view]) => el("a", {
    href: `#/${name}`, "data-testid": `nav-${name}`,
    "aria-current": name === chosen ? "page" : null,
  }, view.title)));
}

// `moved`: the reader has chosen this view, so the focus goes there.
async function show(moved) {
  const [, name = "start", id, query = ""] =
    /^#\/(\w+)(?:\/([\w-]+))?(?:\?(.*))?$/.exec(location.hash) ?? [];
  const known = Object.hasOwn(views, name) ? name : "start";
  const view = (id && single[known]) || views[known];
  const page = el("div");
  context.query = query;
  const opened = { topics: view.topics, refresh: view.open(page, context, id) };
  current = opened;
  drawNav(known);
  await opened.refresh();
  if (current !== opened) return;
  document.title = `${view.title} – Palenca sandbox`;
  $("view").replaceChildren(page);
  if (moved) {
    $("view").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function touches(topics) {
  return topics.some((topic) => current.topics.includes(topic));
}

async function follow() {
  for (;;) {
    const response = await ask("GET", `/sandbox/changes?since=${context.overview.revision}`);
    $("lost").hidden = response.ok;
    if (!response.ok) {
      await wait(REFRESH_WAIT);
    } else if (response.data.topics.length > 0) {
      const revision = response.data.revision;
      if (await readOverview()) context.overview.revision = revision;
      if (touches(response.data.topics)) await current.refresh();
      await wait(REST);
    }
  }
}

async function begin() {
  while (!await readOverview()) {
    $("lost").hidden = false;
    await wait(REFRESH_WAIT);
  }
  $("lost").hidden = true;
  addEventListener("hashchange", () => show(true));
  await show(false);
  follow();
}

begin();
