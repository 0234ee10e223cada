// The views of the API's requests: those seen lately, and one with its response.
import { ask, el } from "/assets/dom.js";
import { bothTimes, platformName, shortPath, time } from "/assets/console_format.js";
import { curl, lines, lua, luaText, statusBadge } from "/assets/console_parts.js";
import { below, column, filtered, row } from "/assets/console_tables.js";
import { breakable, card, copyLine, crumb, empty, facts, pretty, refill, refresher, shown }
  from "/assets/parts.js";

const columns = [column("Request", "wrap"), column("Status"), column("Platform", "from-medium"),
  column("Worker", "from-medium wrap"), column("Fault", "from-wide"), column("When", "when")];

function target(entry) {
  return entry.path + (entry.query ? `?${entry.query}` : "");
}

function requestRow(entry) {
  return row({ "data-testid": "request-row", "data-path": entry.path, "data-method": entry.method },
    [el("a", { href: `#/requests/${entry.request_id}`, "data-key": entry.request_id,
      title: target(entry) }, entry.method, " ", breakable(shortPath(target(entry)))),
    below("below-medium", platformName(entry.platform), entry.external_id)],
    [statusBadge(entry.status), below("below-wide", entry.fault && `fault: ${entry.fault}`)],
    shown(platformName(entry.platform)), breakable(shown(entry.external_id)), shown(entry.fault),
    time(entry.at));
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
    el("h1", null, entry.method, " ", breakable(shortPath(entry.path))),
    card(null, facts([
      ["Status", statusBadge(entry.status)],
      ["Platform", platformName(entry.platform)],
      ["Worker", entry.external_id],
      ["When", bothTimes(entry.at), "double"],
      ["Fault", entry.fault],
      ["Path", el("code", null, entry.path), "all"],
      ["Query", entry.query && el("code", null, entry.query), "all"],
      ["Request id", el("code", null, entry.request_id), "all"],
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

function none(overview) {
  const call = (key) => curl("GET", `${location.origin}/v1/webhooks`, { "x-api-key": key });
  return empty("No request yet. Send the first one:", el("div", { class: "lines" },
    copyLine("curl", call(overview.api_key), "copy-first", call("••••"))));
}

export const requests = {
  title: "Requests",
  topics: ["requests"],
  one,
  open(page, context) {
    page.append(el("h1", null, "API requests"), el("p", { class: "lead" },
      "The last 500 requests under /v1, the newest first."));
    return filtered(page, context, {
      view: "requests", path: "/sandbox/requests", key: "requests", name: "request", columns,
      row: requestRow,
      choices: [
        ["status", "Status", [["2xx", "2xx success"], ["4xx", "4xx client error"],
          ["5xx", "5xx server error"], "401", "404", "422", "429", "503"]],
        ["method", "Method", ["GET", "POST", "PUT", "PATCH", "DELETE"]],
        ["platform", "Platform", context.platformChoices()],
      ],
      none: () => none(context.overview),
    });
  },
};
