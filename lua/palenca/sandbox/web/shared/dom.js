// Builds elements. Text is inserted as text only: nothing from a server is parsed as HTML.
const SVG = "http://www.w3.org/2000/svg";

function set(node, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else node.setAttribute(name, value === true ? "" : value);
}

function build(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined
    && child !== false));
  return node;
}

// el("a", { href: "#" }, "text", other): properties are attributes, on… are listeners.
export function el(tag, props, ...children) {
  return build(document.createElement(tag), props, children);
}

// The same for an SVG element.
export function svg(tag, props, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

// What a rejection says, field by field: { field, message }.
function problemsOf(content) {
  return (content.detail ?? []).map((one) => ({ field: one.loc.at(-1),
    message: `${one.loc.slice(1).join(".")} ${one.msg}` }));
}

// Sends a request to the sandbox. Returns { ok, status, data, pagination, message, field, problems };
// status 0: there was no response. `problems` has all that is wrong, the first of which are
// `message` and `field`.
export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    const message = "no response";
    return { ok: false, status: 0, message, problems: [{ message }] };
  }
  const content = await response.json().catch(() => ({}));
  if (response.ok && content.success) {
    return { ok: true, status: response.status, data: content.data, pagination: content.pagination };
  }
  const problems = problemsOf(content);
  if (problems.length === 0) {
    problems.push({ field: content.error?.errors?.[0]?.location,
      message: content.error?.message ?? `status ${response.status}` });
  }
  return { ok: false, status: response.status, ...problems[0], problems };
}
