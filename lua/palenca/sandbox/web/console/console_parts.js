// The parts that the console's views share: badges, commands, links to the widget.
import { el } from "/assets/dom.js";
import { copyLine } from "/assets/parts.js";

const tones = {
  success: "good", delivered: "good", pending: "wait", queued: "wait", sending: "wait",
  waiting: "wait", incomplete: "warn", cancelled: "quiet", lost: "bad", error: "bad",
  failed: "bad", approve: "good", refer: "warn", decline: "bad", undecidable: "wait",
};

export function badge(word) {
  return el("span", { class: `badge ${tones[word] ?? "quiet"}` }, word);
}

export function statusBadge(status) {
  if (!status) return el("span", { class: "badge bad" }, "no response");
  return el("span", { class: `badge ${status < 300 ? "good" : status < 500 ? "warn" : "bad"}` },
    String(status));
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// A curl line; `headers` by name.
export function curl(method, url, headers, body) {
  const parts = ["curl"];
  if (method !== "GET") parts.push("-X", method);
  for (const [name, value] of Object.entries(headers)) parts.push("-H", quote(`${name}: ${value}`));
  if (body) parts.push("-d", quote(body));
  return [...parts, quote(url)].join(" ");
}

// The commands of an API call, with curl and in Lua. They show no key, since others may see the
// screen.
export function lines(overview, method, path, lua, body) {
  const call = (key) => curl(method, location.origin + path, { "x-api-key": key,
    ...(body ? { "Content-Type": "application/json" } : {}) }, body);
  return el("div", { class: "lines" },
    copyLine("curl", call(overview.api_key), "copy-curl", call("••••")),
    copyLine("Lua", lua, "copy-lua"));
}

// A value of JSON as a Lua literal, from its text: a number stays as it was written.
export function lua(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  return tokens.map((token, at) => {
    if (token === "[") return "{";
    if (token === "]") return "}";
    if (token === ":") return "] = ";
    if (token === ",") return ", ";
    if (token === "null") return "nil";
    if (!token.startsWith('"')) return token;
    return (tokens[at + 1] === ":" ? "[" : "") + luaText(JSON.parse(token));
  }).join("");
}

// Other escapes than Lua's are left out: text is UTF-8 in both.
export function luaText(text) {
  return `"${text.replace(/["\\]/g, "\\$&").replace(/[\0-\x1f\x7f]/g,
    (sign) => `\\${String(sign.charCodeAt(0)).padStart(3, "0")}`)}"`;
}

// The widget for a worker; `more` has further parameters, such as the platform.
export function widgetUrl(overview, id, more = {}) {
  return `/widget?${new URLSearchParams({ widget_id: overview.default_widget_id,
    external_id: id, ...more })}`;
}

export const widgetLink = (url, label, kind = "") => el("a", { class: `button ${kind}`, href: url,
  target: "_blank", rel: "noopener" }, label);

// A value that is shown only on request.
export function masked(value) {
  if (!value) return "—";
  const button = el("button", { type: "button", class: "link", onclick() {
    button.replaceWith(el("span", null, value));
  } }, `••••${value.slice(-2)} show`);
  return button;
}
