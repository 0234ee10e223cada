// The page's head: whether the program is ready, its version, the events by state.
import { el } from "/dom.js";
import { age, exactText, now, number } from "./admin_format.js";
import { $, drawItems, STATES } from "./admin_parts.js";
import { href, withState } from "./admin_search.js";

function drawBadge(text, isGood) {
  const badge = $("ready");
  if (badge.textContent !== text) badge.textContent = text;
  badge.classList.toggle("good", isGood);
  badge.classList.toggle("bad", !isGood);
}

// Whether the program is ready, and if not, why: reasons are { reason, message }.
export function drawReady({ ready, reasons }) {
  drawBadge(ready ? "ready" : "not ready", ready);
  $("reasons").hidden = ready;
  drawItems($("reasons"), ready ? [] : reasons, ({ reason }) => reason, ({ reason, message }) =>
    el("p", null, el("strong", null, "Not ready: "), message, " ", el("code", null, reason)));
}

function stateLink({ name, count, chosen, link }) {
  return el("a", { href: link, "data-key": name, "data-testid": `state-${name}`,
    class: name === "dead" && count > 0 ? "dead" : null,
    "aria-current": chosen ? "true" : null }, el("strong", null, number(count)), ` ${name}`);
}

function oldest(at) {
  return el("p", { class: "oldest", title: at ? exactText(at) : null, "data-testid": "oldest" },
    el("strong", null, at ? age(now() - at) : "none"), " oldest unfinished");
}

function drawStates(stats, search) {
  const all = STATES.reduce((sum, name) => sum + stats.states[name], 0);
  const items = [["all", all], ...STATES.map((name) => [name, stats.states[name]])].map(
    ([name, count]) => {
      const state = name === "all" ? null : name;
      return { name, count, chosen: (search.get("state") ?? null) === state,
        link: href("/", withState(search, state)) };
    });
  const at = stats.oldest_unfinished_at;
  drawItems($("states"), [...items, { name: "oldest", at, shown: at ? age(now() - at) : "" }],
    ({ name }) => name, (item) => (item.name === "oldest" ? oldest(item.at) : stateLink(item)));
}

// Shows what /api/stats responded, next to the search that is shown.
export function drawStatus(stats, search) {
  drawReady(stats);
  drawStates(stats, search);
  $("version").textContent = `version ${stats.version}`;
}

// What a tab shows that nobody looks at.
export function titleOf(stats, name) {
  const dead = stats?.states.dead > 0 ? `(${number(stats.states.dead)} dead) ` : "";
  return `${stats && !stats.ready ? "Not ready: " : dead}${name} – palenca serve`;
}

export function drawAway(since) {
  const lost = $("lost");
  const text = since === null ? "" : "palenca serve does not respond. Trying again…"
    + (since > 0 ? ` What is shown is of ${exactText(since)}.` : "");
  if (since !== null) drawBadge("no response", false);
  lost.hidden = since === null;
  if (lost.textContent !== text) lost.textContent = text;
}
