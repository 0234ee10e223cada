// Tables, which leave out columns where they are narrow, and lists with filters that grow on demand.
import { ask, el } from "/assets/dom.js";
import { field, select } from "/assets/console_forms.js";
import { breakable, count, refill, refresher } from "/assets/parts.js";

// Milliseconds after the last key until a search is sent.
const TYPING = 200;

// A column: its heading and its class. "number": figures; "from-narrow", "from-medium" and
// "from-wide": left out where the table is narrower, and then a row has what it says in a line below
// another cell.
export const column = (name, style = "") => ({ name, style });

// A row: attributes and its cells, one for each column.
export const row = (props, ...cells) => ({ props, cells });

// The line below a cell's content that stands for columns which are left out.
export function below(style, ...parts) {
  const texts = parts.filter(Boolean);
  if (texts.length === 0) return null;
  return el("span", { class: `sub ${style}` },
    texts.flatMap((text, at) => [at > 0 ? " · " : null, breakable(text)]));
}

function draw(columns, { props, cells }) {
  return el("tr", props, cells.map((content, at) => el("td",
    { class: columns[at].style || null }, content)));
}

export function table(columns, rows) {
  return el("div", { class: "scroll" }, el("table", null,
    el("thead", null, el("tr", null, columns.map(({ name, style }) => el("th",
      { scope: "col", class: style || null }, name || el("span", { class: "hidden" }, "Action"))))),
    el("tbody", null, rows.map((one) => draw(columns, one)))));
}

// A table of which the first rows are shown, and how many they are of how many.
export function folding(columns, rows, shownRows, one, testid) {
  const made = table(columns, rows);
  const rest = [...made.querySelectorAll("tbody tr")].slice(shownRows);
  if (rest.length === 0) return made;
  const text = el("span", { "data-testid": `${testid}-count`, role: "status" });
  const button = el("button", { type: "button", class: "small", "data-testid": `${testid}-all`,
    onclick: () => fold(!rest[0].hidden) });
  const fold = (hide) => {
    for (const node of rest) node.hidden = hide;
    text.textContent = hide ? `${shownRows} of ${count(rows.length, one)}` : count(rows.length, one);
    button.textContent = hide ? "Show all" : `Show ${shownRows}`;
  };
  fold(true);
  return el("div", null, made, el("p", { class: "more" }, text, button));
}

const STEP = 50;
// What the sandbox returns at once.
const MAX = 1000;

// A list that grows on demand, in a region. `read(count)` returns the response and its rows; `none()`
// is shown instead of no rows. Returns what refreshes it.
export function growing(region, columns, name, read, none) {
  let limit = STEP;
  return refresher(() => read(limit), ({ response, rows }, refresh) => {
    if (!response.ok) return;
    const total = response.pagination.total_items;
    const more = total > rows.length && limit < MAX;
    refill(region, rows.length === 0 ? none() : table(columns, rows),
      rows.length === 0 ? null : el("p", { class: "more" },
        el("span", { "data-testid": "list-count", role: "status" },
          more || total > rows.length ? `${rows.length} of ${count(total, name)}`
            : count(total, name)),
        more ? el("button", { type: "button", class: "small", "data-key": "more", onclick() {
          limit = Math.min(limit + STEP, MAX);
          refresh();
        } }, "Show more") : null));
  });
}

// The filters of a list: a search, and choices by name. `chosen` is a URLSearchParams.
function filterForm(choices, chosen, onchange) {
  let timer;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(onchange, TYPING);
  };
  const set = ({ target }) => {
    if (target.value.trim() === "") chosen.delete(target.name);
    else chosen.set(target.name, target.value);
  };
  const search = el("input", { type: "search", name: "search", value: chosen.get("search") ?? "",
    autocomplete: "off", spellcheck: "false", "data-testid": "filter-search",
    oninput(event) {
      set(event);
      later();
    } });
  const form = el("form", { class: "filters", role: "search", onsubmit(event) {
    event.preventDefault();
    onchange();
  } }, field("Search", search), choices.map(([name, label, options]) => field(label,
    select(name, options, "all", { "data-testid": `filter-${name}`, onchange(event) {
      set(event);
      onchange();
    } }))));
  for (const [name] of choices) form.elements[name].value = chosen.get(name) ?? "";
  return form;
}

// A list with filters, which the URL names. `given`: { view, path, key, name, columns, choices,
// row(item), none(): what is shown if there is none at all }. Returns what refreshes it.
export function filtered(page, context, given) {
  const chosen = new URLSearchParams(context.query);
  const list = el("section", { class: "card", "data-testid": "list" });
  let refresh = null;
  const change = () => {
    const query = chosen.toString();
    history.replaceState(null, "", `#/${given.view}${query ? `?${query}` : ""}`);
    refresh();
  };
  const place = el("div");
  const drawFilters = () => place.replaceChildren(filterForm(given.choices, chosen, change));
  const clear = el("button", { type: "button", "data-testid": "filter-clear", onclick() {
    for (const name of [...chosen.keys()]) chosen.delete(name);
    drawFilters();
    change();
    place.querySelector("input").focus();
  } }, "Clear the filters");
  drawFilters();
  page.append(place, list);
  refresh = growing(list, given.columns, given.name, async (limit) => {
    const response = await ask("GET", `${given.path}?items_per_page=${limit}&${chosen}`);
    // nothing to filter, but not under the hands of somebody who has just cleared a filter
    place.hidden = response.pagination?.total_items === 0 && chosen.size === 0
      && !place.contains(document.activeElement);
    return { response, rows: response.data?.[given.key].map(given.row) ?? [] };
  }, () => {
    if (chosen.size === 0) return given.none();
    return el("div", { class: "empty" }, el("p", null, `No ${given.name} matches the filters.`),
      el("div", { class: "row" }, clear));
  });
  return refresh;
}
