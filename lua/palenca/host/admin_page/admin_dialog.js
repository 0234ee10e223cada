// A dialog that asks before something is changed, says how much that is, and then does it.
import { el } from "/dom.js";
import { $ } from "./admin_parts.js";

function parts(given) {
  return {
    status: el("p", { class: "count", role: "status", "data-testid": "dialog-count" }),
    problem: el("p", { class: "problem", role: "alert", "data-testid": "dialog-problem" }),
    run: el("button", { type: "submit", "data-testid": "dialog-run", disabled: true,
      class: given.isDanger ? "danger" : "main" }, given.action),
    cancel: el("button", { type: "button", "data-testid": "dialog-cancel",
      onclick: () => $("dialog").close() }, "Cancel"),
  };
}

// `given`: { title, action (its button) and busy (the same while it runs), isDanger, content(recount),
// count(): what would be changed as { text, isAny } or { problem }, run(): { problem } or {} }.
// What the count depends on calls `recount`.
export function openDialog(given) {
  const dialog = $("dialog"), { status, problem, run, cancel } = parts(given);
  let round = 0;

  async function recount() {
    round += 1;
    const mine = round;
    run.disabled = true;
    status.textContent = "Counting…";
    const found = await given.count();
    if (mine !== round) return;
    status.textContent = found.text ?? "";
    problem.textContent = found.problem ?? "";
    run.disabled = !found.isAny;
  }

  async function submit(event) {
    event.preventDefault();
    if (run.disabled) return;
    run.disabled = true;
    run.textContent = given.busy;
    const result = await given.run();
    run.textContent = given.action;
    run.disabled = false;
    problem.textContent = result.problem ?? "";
    if (!result.problem) dialog.close();
  }

  dialog.replaceChildren(el("form", { method: "dialog", onsubmit: submit },
    el("h2", { id: "dialog-title" }, given.title), given.content(recount), status, problem,
    el("div", { class: "row" }, cancel, run)));
  dialog.showModal();
  recount();
}
