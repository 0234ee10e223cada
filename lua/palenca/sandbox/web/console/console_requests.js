// The views of the API's requests: those seen lately, and one with its response.
import { ask, el } from "/assets/dom.js";
import { card, cell, crumb, facts, growing, lines, lua, luaText, pretty, refill, refresher,
  short, shown, statusBadge, time } from "/assets/console_parts.js";

function target(entry) {
  return entry.path + (entry.query ? `?${entry.query}` : "");
}

function row(entry) {
  return el("tr", { "data-testid": "request-row", "data-path": entry.path,
    "data-method": entry.method },
  cell(el("a", { href: `#/requests/${entry.request_id}`, "data-key": entry.request_id },
    `${entry.method} ${target(entry)}`)),
  cell(statusBadge(entry.status)), cell(shown(entry.fault)), cell(short(entry.request_id)),
  cell(time(entry.at)));
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function repeat(overview, entry) {
  const body = entry.request_body && isJson(entry.request_body) ? entry.request_body : "";
  const call = `client:request(${luaText(entry.method)}, ${luaText(target(entry))}`
    + `${body ? `, ${lua(body)}` : ""})`;
  return lines(overview, entry.method, target(entry), call, body);
}

function headerLines(headers) {
  return Object.keys(headers).sort().map((name) => `${name}: ${headers[name]}`).join("\n");
}

function describe(page, overview, entry) {
  refill(page, crumb("#/requests", "Requests"),
    el("h1", null, `${entry.method} ${entry.path}`),
    card(null, facts([
      ["Status", statusBadge(entry.status)],
      ["Request id", el("code", null, entry.request_id)],
      ["When", time(entry.at)],
      ["Query", entry.query],
      ["Fault", entry.fault],
    ]), repeat(overview, entry)),
    card("Request", el("pre", { tabindex: "0" }, headerLines(entry.request_headers)), el("br"),
      pretty(entry.request_body)),
    card("Response", el("pre", { tabindex: "0" }, headerLines(entry.response_headers)), el("br"),
      pretty(entry.response_body)));
}

const one = {
  title: "Request",
  topics: [],
  open(page, context, id) {
    return refresher(() => ask("GET", `/sandbox/requests/${id}`), (response) => {
      if (response.ok) describe(page, context.overview, response.data);
      else refill(page, crumb("#/requests", "Requests"), el("h1", null, response.message));
    });
  },
};

export const requests = {
  title: "Requests",
  topics: ["requests"],
  one,
  open(page) {
    const list = el("section", { class: "card" });
    page.append(el("h1", null, "API requests"), el("p", { class: "lead" },
      "The last 500 requests under /v1, the newest first."), list);
    return growing(list, ["Request", "Status", "Fault", "Request id", "When"], "No request yet.",
      async (count) => {
        const response = await ask("GET", `/sandbox/requests?items_per_page=${count}`);
        return { response, rows: response.data?.requests.map(row) ?? [] };
      });
  },
};
