// Requests to the program. Returns { ok, status, data, message }; status 0: there was no response.
const TIMEOUT = 15000; // ms; a search through a large database takes a fraction of a second

// A page of another origin cannot send this header without the program's consent.
const POST_HEADERS = { "Content-Type": "application/json", "X-Palenca-Admin": "1" };

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT) });
  } catch {
    return { ok: false, status: 0, message: "palenca serve does not respond" };
  }
  const data = await response.json().catch(() => null);
  if (response.ok && data) return { ok: true, status: response.status, data };
  return { ok: false, status: response.status,
    message: data?.error ?? `the response has the status ${response.status}` };
}

export const get = (path, query = {}) => {
  const text = new URLSearchParams(query).toString();
  return request(text ? `${path}?${text}` : path, {});
};

export const post = (path, body = {}) => request(path,
  { method: "POST", headers: POST_HEADERS, body: JSON.stringify(body) });
