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

// Sends a request to the sandbox. Returns { ok, status, data, pagination, message, field };
// status 0: there was no response.
export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    return { ok: false, status: 0, message: "no response" };
  }
  const content = await response.json().catch(() => ({}));
  if (response.ok && content.success) {
    return { ok: true, status: response.status, data: content.data, pagination: content.pagination };
  }
  const fault = content.detail?.[0];
  const field = fault ? fault.loc.at(-1) : content.error?.errors?.[0]?.location;
  const message = (fault ? `${fault.loc.slice(1).join(".")} ${fault.msg}` : content.error?.message)
    ?? `status ${response.status}`;
  return { ok: false, status: response.status, field, message };
}
