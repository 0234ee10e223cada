// What changes events: replays of one or of all that a search finds, and purges.
import { el } from "/dom.js";
import { facts } from "/parts.js";
import { post } from "./admin_api.js";
import { openDialog } from "./admin_dialog.js";
import { bytes, events, now } from "./admin_format.js";
import { notify } from "./admin_parts.js";
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
  return words.length > 0 ? facts(words)
    : el("p", null, el("strong", null, "There is no search: this is about all events."));
}

// How many events of a filter are done or dead, as { purged, kept, bytes }: kept are those whose
// duplicates may still arrive.
async function countFinished(filter) {
  const response = await post("/api/purge", { filter, dry_run: true });
  return response.ok ? response.data : { problem: `They cannot be counted: ${response.message}.` };
}

const verb = (count) => (count === 1 ? "runs" : "run");

// Replays what a search finds, after a question that says how many events that is.
export function openReplayAll(search, onchange) {
  const filter = filterOf(search);
  openDialog({
    title: "Replay all that match?", action: "Replay all", busy: "Replaying…",
    content: () => el("div", null, searchFacts(search), el("p", { class: "quiet" },
      "Done and dead events run again; the others run by themselves.")),
    async count() {
      const found = await countFinished(filter);
      if (found.problem) return found;
      const count = found.events + found.kept;
      return count === 0 ? { text: "No done or dead event matches.", isAny: false }
        : { text: `${events(count)} will run again.`, isAny: true };
    },
    async run() {
      const response = await post("/api/replay", { filter });
      if (!response.ok) return { problem: `Not all were replayed: ${response.message}.` };
      const { replayed, left_out: left } = response.data;
      notify(`${events(replayed)} ${verb(replayed)} again`
        + `${left > 0 ? `; ${events(left)} left out, which ${verb(left)} anyway` : ""}.`);
      onchange();
      return {};
    },
  });
}

const MAX_DAYS = 3650;

function purgeForm(search, recount) {
  const days = el("input", { type: "number", min: "0", max: String(MAX_DAYS), value: "30",
    required: true, "data-testid": "purge-days", oninput: recount });
  const form = el("div", null, searchFacts(search),
    el("p", null, "Deletes the done and dead ones for good, with their bodies and attempts. "
      + "Those whose duplicates may still arrive are kept."),
    el("label", { class: "field" }, el("span", null, "Received at least so many days ago"), days));
  return { form, days };
}

// Deletes what a search finds and is finished, after a question that says how many events that is.
export function openPurge(search, onchange) {
  let days;
  const filter = () => {
    const given = filterOf(search), until = Math.floor(now() - days.value * DAY);
    return { ...given, until: Math.min(given.until ?? until, until) };
  };
  openDialog({
    title: "Purge all that match?", action: "Purge", busy: "Purging…", isDanger: true,
    content(recount) {
      const made = purgeForm(search, recount);
      days = made.days;
      return made.form;
    },
    async count() {
      if (!days.checkValidity()) return { problem: `The days are a number up to ${MAX_DAYS}.` };
      const found = await countFinished(filter());
      if (found.problem) return found;
      const kept = found.kept > 0 ? ` ${events(found.kept)} will be kept for now.` : "";
      return found.events === 0 ? { text: `Nothing to delete.${kept}`, isAny: false }
        : { text: `${events(found.events)} will be deleted, ${bytes(found.bytes)}.${kept}`,
          isAny: true };
    },
    async run() {
      const response = await post("/api/purge", { filter: filter(), dry_run: false });
      if (!response.ok) return { problem: `Not all were deleted: ${response.message}.` };
      notify(`${events(response.data.events)} deleted, ${bytes(response.data.bytes)}.`);
      onchange();
      return {};
    },
  });
}
