// A step of the widget that asks for one of a list, with a search if the list is long.
import { el, svg } from "/assets/dom.js";
import { $, buttonBar, clearOnInput, clearProblems, complain, heading, problem }
  from "/assets/widget_parts.js";

// As many fit into a phone's window.
const SEARCHED_FROM = 9;

// Without accents and capitals, as it is typed on a phone.
const plain = (text) => text.normalize("NFD").replace(/\p{Mn}/gu, "").toLowerCase();

function option(name, item, checked) {
  return el("label", { class: "option", "data-words": plain(`${item.name} ${item.code}`) },
    el("input", { type: "radio", name, value: item.code, checked,
      "data-testid": `${name}-${item.code}` }),
    el("span", { class: "badge", "aria-hidden": "true" }, item.badge),
    el("span", { class: "name" }, item.name));
}

// Shows the options that have all words of the search. One that is not seen is not chosen.
function filter(form, query, say) {
  const words = plain(query).split(/\s+/);
  let count = 0;
  for (const label of form.querySelectorAll(".option")) {
    label.hidden = !words.every((word) => label.dataset.words.includes(word));
    if (label.hidden) label.querySelector("input").checked = false;
    else count += 1;
  }
  for (const group of form.querySelectorAll("fieldset")) {
    group.hidden = group.querySelector(".option:not([hidden])") === null;
  }
  $("no-match").hidden = count > 0;
  $("no-match-text").textContent = say.noMatch(query.trim());
  $("announce").textContent = query.trim() === "" ? "" : say.found(count);
}

function searchField(say) {
  return [
    el("div", { class: "box search" },
      svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" },
        svg("circle", { cx: 10.5, cy: 10.5, r: 6.5 }), svg("path", { d: "M15.5 15.5L21 21" })),
      el("input", { type: "search", id: "search", autocomplete: "off", placeholder: say.search,
        "aria-label": say.search, "data-testid": "search",
        oninput(event) { filter(event.target.form, event.target.value, say); } })),
    el("div", { class: "no-match", id: "no-match", "data-testid": "no-match", hidden: true },
      el("p", { id: "no-match-text" }),
      el("button", { class: "button plain", type: "button", "data-testid": "show-all",
        onclick() {
          $("search").value = "";
          filter($("search").form, "", say);
          $("search").focus();
        } }, say.showAll)),
  ];
}

// What is chosen; the only match of a search is, too, so that the Enter key takes it.
function chosenOf(form, name) {
  const seen = form.querySelectorAll(`.option:not([hidden]) input[name="${name}"]`);
  const checked = [...seen].find((input) => input.checked);
  if (checked) return checked.value;
  return seen.length === 1 && $("search")?.value.trim() ? seen[0].value : null;
}

// The form of a step. `groups` are pairs [title, items]; an item has code, name and badge.
export function choiceForm({ name, title, lead, groups, chosen, missing, say, done, back }) {
  const count = groups.reduce((sum, [, items]) => sum + items.length, 0);
  return el("form", {
    novalidate: true,
    oninput: clearOnInput,
    onsubmit(event) {
      event.preventDefault();
      clearProblems();
      const code = chosenOf(event.target, name);
      if (code) done(code);
      else complain(name, missing);
    },
  },
  heading(title, lead),
  count >= SEARCHED_FROM && name === "platform" ? searchField(say) : null,
  groups.map(([label, items]) => el("fieldset", { "aria-describedby": `${name}-problem` },
    el("legend", { class: groups.length > 1 ? "group" : "hidden" }, label),
    el("div", { class: "options" },
      items.map((item) => option(name, item, item.code === chosen))))),
  buttonBar({ label: say.next, testid: "continue", back, backLabel: say.back,
    message: problem(name) }));
}
