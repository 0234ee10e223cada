// What changes events: replays of one or of all that a search finds, and purges.
import { el } from "/dom.js";
import { facts } from "/parts.js";
import { post } from "./admin_api.js";
import { openDialog } from "./admin_dialog.js";
import { bytes, events, now } from "./admin_format.js";
import { FINISHED, notify } from "./admin_parts.js";
import { filterOf, inWords } from "./admin_search.js";

const DAY = 24 * 3600 * 1000;

async function runReplay(event, onchange) {
  const response = await post("/api/replay", { id: event.id });
  if (!response.ok) return { problem: `Event ${event.id} was not replayed: ${response.message}.` };
  if (response.data.replayed > 0) notify(`Event ${event.id} runs again.`);
  else notify(`Event ${event.id} was not replayed: it is not done or dead any more.`, "warn");
  onchange();
  return {};
}

// Replays one event: a dead one at once, one whose handlers have run after a question.
export async function replayOne(event, onchange) {
  if (event.state === "dead") {
    const { problem } = await runReplay(event, onchange);
    if (problem) notify(problem, "bad");
    return;
  }
  openDialog({
    title: `Replay event ${event.id}?`, action: "Replay", busy: "Replaying…",
    content: () => el("p", null, "It is done: its handlers run once more, with all that they do."),
    count: async () => ({ text: "", isAny: true }),
    run: () => runReplay(event, onchange),
  });
}

function searchFacts(search) {
  const words = inWords(search);
  return words.length > 0 ? facts(words) : el("p", null, el("strong", null,
    "There is no search: this is about all events."));
}

// Replays what a search finds, after a question that says how many events that is.
export function openReplayAll(search, onchange) {
  const filter = filterOf(search);
  openDialog({
    title: "Replay all that match?", action: "Replay all", busy: "Replaying…",
    content: () => el("div", null, searchFacts(search), el("p", { class: "quiet" },
      "Done and dead events run again; the others run by themselves and are left out.")),
    async count() {
      const response = await post("/api/replay", { filter, dry_run: true });
      if (!response.ok) return { problem: `They cannot be counted: ${response.message}.` };
      const { replayed, left_out: left } = response.data;
      const others = left > 0 ? ` ${events(left)} will be left out.` : "";
      return { text: `${events(replayed)} will run again.${others}`, isAny: replayed > 0 };
    },
    async run() {
      const response = await post("/api/replay", { filter });
      if (!response.ok) return { problem: `Not all were replayed: ${response.message}.` };
      const { replayed, left_out: left } = response.data;
      notify(`${events(replayed)} ${replayed === 1 ? "runs" : "run"} again`
        + `${left > 0 ? `; ${events(left)} left out` : ""}.`);
      onchange();
      return {};
    },
  });
}

function purgeForm(search, recount) {
  const state = el("select", { name: "state", "data-testid": "purge-state", onchange: recount },
    FINISHED.map((one) => el("option", { value: one }, one)));
  state.value = FINISHED.includes(search.get("state")) ? search.get("state") : FINISHED[0];
  const days = el("input", { type: "number", name: "days", min: "0", max: "3650", value: "30",
    required: true, "data-testid": "purge-days", oninput: recount });
  return el("div", null, el("p", null, "Deletes events for good, with their bodies and attempts. "
    + "Those whose duplicates may still arrive are kept."),
  el("div", { class: "fields" },
    el("label", { class: "field" }, el("span", null, "State"), state),
    el("label", { class: "field" }, el("span", null, "Finished days ago, at least"), days)));
}

// Deletes finished events, after a question that says how many those are.
export function openPurge(search, onchange) {
  let form;
  const send = (dryRun) => post("/api/purge", { dry_run: dryRun, filter: {
    state: form.querySelector("select").value,
    before: Math.floor(now() - form.querySelector("input").value * DAY),
  } });
  openDialog({
    title: "Purge finished events?", action: "Purge", busy: "Purging…", isDanger: true,
    content(recount) {
      form = purgeForm(search, recount);
      return form;
    },
    async count() {
      const days = form.querySelector("input");
      if (!days.checkValidity()) return { problem: "The number of days is 0 to 3,650." };
      const response = await send(true);
      if (!response.ok) return { problem: `They cannot be counted: ${response.message}.` };
      const { events: count, bytes: size } = response.data;
      return { text: `${events(count)} will be deleted, ${bytes(size)}.`, isAny: count > 0 };
    },
    async run() {
      const response = await send(false);
      if (!response.ok) return { problem: `Not all were deleted: ${response.message}.` };
      notify(`${events(response.data.events)} deleted, ${bytes(response.data.bytes)}.`);
      onchange();
      return {};
    },
  });
}
