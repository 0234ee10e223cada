// A dialog that asks before something is changed, says how much that is, and then does it.
import { el } from "/dom.js";
import { $ } from "./admin_parts.js";

// `given`: { title, content, action, isDanger, count(): a text about what would be changed and
// whether that is anything, as { text, isAny }, or { problem }; run(): { problem } or nothing }.
// What `count` depends on calls the function `recount` that this returns.
export function openDialog(given) {
  const dialog = $("dialog");
  const status = el("p", { class: "count", role: "status", "data-testid": "dialog-count" });
  const problem = el("p", { class: "problem", role: "alert", "data-testid": "dialog-problem" });
  const run = el("button", { type: "submit", "data-testid": "dialog-run",
    class: given.isDanger ? "danger" : "main", disabled: true }, given.action);
  const cancel = el("button", { type: "button", "data-testid": "dialog-cancel",
    onclick: () => dialog.close() }, "Cancel");
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
    if (result?.problem) problem.textContent = result.problem;
    else dialog.close();
    run.disabled = false;
  }

  dialog.replaceChildren(el("form", { method: "dialog", onsubmit: submit },
    el("h2", { id: "dialog-title" }, given.title), given.content(recount), status, problem,
    el("div", { class: "row" }, cancel, run)));
  dialog.showModal();
  recount();
}
