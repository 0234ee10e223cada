// What the steps of the widget are made of: headings, messages beside fields, the bar of buttons.
import { el, svg } from "/assets/dom.js";

export const $ = (id) => document.getElementById(id);

export function heading(title, lead) {
  return [
    el("h1", { tabindex: "-1", id: "heading" }, title),
    lead ? el("p", { class: "lead" }, lead) : null,
  ];
}

export function problem(id) {
  return el("p", { class: "problem", id: `${id}-problem` });
}

// Shows an error beside its field, and announces it to screen readers.
export function complain(id, message) {
  const place = $(`${id}-problem`);
  const input = $(id);
  place.textContent = message;
  $("announce").textContent = message;
  input?.setAttribute("aria-invalid", "true");
  input?.closest(".box")?.classList.add("wrong");
  (input ?? document.querySelector("main .option:not([hidden]) input") ?? $("search"))?.focus();
}

function clearProblem(place) {
  place.textContent = "";
  const input = $(place.id.replace(/-problem$/, ""));
  input?.removeAttribute("aria-invalid");
  input?.closest(".box")?.classList.remove("wrong");
}

export function clearProblems() {
  document.querySelectorAll(".problem").forEach(clearProblem);
  $("alert")?.remove();
  $("announce").textContent = "";
}

// A message is gone as soon as what it asks for is typed or chosen.
export function clearOnInput({ target }) {
  const place = $(`${target.type === "radio" ? target.name : target.id}-problem`);
  if (!place || (place.textContent === "" && !$("alert"))) return;
  clearProblem(place);
  $("alert")?.remove();
  $("announce").textContent = "";
}

// Above the buttons, which are always seen.
export function showAlert(form, message) {
  $("alert")?.remove();
  form.querySelector(".bar")
    .prepend(el("p", { class: "alert", id: "alert", role: "alert" }, message));
}

// The buttons of a form, which stay in the window, below the messages that are about all of it.
export function buttonBar({ label, testid, back, backLabel, message }) {
  return el("div", { class: "bar" }, message,
    el("div", { class: "actions" },
      back ? el("button", { class: "button plain", type: "button", "data-testid": "back",
        onclick: back }, backLabel) : null,
      el("button", { class: "button main", type: "submit", "data-testid": testid }, label)));
}

const shapes = {
  success: "M19 33l9 9 17-19",
  error: "M32 18v18M32 45v.5",
  incomplete: "M20 32v.5M32 32v.5M44 32v.5",
  known: "M32 30v17M32 19v.5",
};

// The sign of an outcome.
export function mark(kind) {
  return svg("svg", { viewBox: "0 0 64 64", "aria-hidden": "true" },
    svg("circle", { class: "ring", cx: 32, cy: 32, r: 32 }),
    svg("path", { class: "mark", d: shapes[kind] }));
}
