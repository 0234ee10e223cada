// The console's forms: fields with their hints, and what is wrong with them.
import { el } from "/assets/dom.js";

let fields = 0;

// A label with its input, a hint, and the place of a problem.
export function field(label, input, hint) {
  fields += 1;
  const id = `field-${fields}`;
  const problem = el("em", { class: "problem", id: `${id}-problem` });
  input.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-problem`);
  input.addEventListener("input", () => unmark(input, problem));
  return el("label", { class: "field" }, el("span", null, label), input,
    hint ? el("small", { id: `${id}-hint` }, hint) : null, problem);
}

// Several checkboxes of one name, with one place for their problem.
export function checkGroup(legend, ...content) {
  const problem = el("em", { class: "problem" });
  const group = el("fieldset", { class: "field" }, el("legend", null, legend), content, problem);
  group.addEventListener("input", () => {
    for (const input of group.querySelectorAll("input")) unmark(input, problem);
  });
  return group;
}

function unmark(input, problem) {
  input.removeAttribute("aria-invalid");
  problem.textContent = "";
}

function inputsOf(form, name) {
  const found = name && form.elements[name];
  if (!found) return [];
  return found instanceof RadioNodeList ? [...found] : [found];
}

export function select(name, options, first, props) {
  return el("select", { name, ...props }, first ? el("option", { value: "" }, first) : null,
    options.map((one) => (Array.isArray(one) ? el("option", { value: one[0] }, one[1])
      : el("option", { value: one }, one))));
}

// Marks each field that a rejection names, with the reason beside it; the rest of the reasons are
// at the form's end. The first field gets the focus.
export function complain(form, response) {
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
  }
  for (const place of form.querySelectorAll(".problem")) place.textContent = "";
  if (response.ok) return;
  const rest = [], marked = [];
  for (const { field: name, message } of response.problems) {
    const inputs = inputsOf(form, name);
    const place = inputs[0]?.closest(".field")?.querySelector(".problem");
    if (place) {
      place.textContent = message;
      for (const input of inputs) input.setAttribute("aria-invalid", "true");
      marked.push(inputs[0]);
    } else {
      rest.push(message);
    }
  }
  form.querySelector(".problem.last").textContent = rest.join("; ");
  document.getElementById("announce").textContent = response.problems
    .map((one) => one.message).join("; ");
  marked.sort((one, other) => (one.compareDocumentPosition(other)
    & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1))[0]?.focus();
}

// Text that is no number is sent as it is, and rejected with the reason.
export function numberOrText(text) {
  return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
}
