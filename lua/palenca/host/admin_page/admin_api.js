// Requests to the program. Returns { ok, status, data, message }; status 0: there was no response.

// Milliseconds: reading takes a fraction of a second, a replay or purge of many events minutes.
const READ_TIMEOUT = 15000, CHANGE_TIMEOUT = 600000;

// A page of another origin cannot send this header without the program's consent.
const POST_HEADERS = { "Content-Type": "application/json", "X-Palenca-Admin": "1" };

async function request(path, timeout, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store",
      signal: AbortSignal.timeout(timeout) });
  } catch {
    return { ok: false, status: 0, message: "palenca serve does not respond" };
  }
  const data = await response.json().catch(() => null);
  if (response.ok && data) return { ok: true, status: response.status, data };
  return { ok: false, status: response.status, data,
    message: data?.error ?? `the response has the status ${response.status}` };
}

export const get = (path, query = {}) => {
  const text = new URLSearchParams(query).toString();
  return request(text ? `${path}?${text}` : path, READ_TIMEOUT);
};

export const post = (path, body = {}) => request(path, CHANGE_TIMEOUT,
  { method: "POST", headers: POST_HEADERS, body: JSON.stringify(body) });
