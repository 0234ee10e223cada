// Reads what a search finds: the newest events, as many as are wanted. The program searches for a
// fraction of a second, and then responds with what it has found and where it goes on.
import { get } from "./admin_api.js";

const PAGE = 200; // events that one response has at most
const ROUNDS = 10; // responses that end before their limit, until somebody has it search on

// What was found so far: the events, where the search goes on (null: there are no more), and whether
// it is one that takes several responses.
export const nothingYet = () => ({ events: [], next: undefined, isSlow: false });

async function request(filter, limit, before) {
  const query = { ...filter, limit };
  return get("/api/events", before === undefined ? query : { ...query, before });
}

// Goes on with a search, until there are as many as are wanted or it has taken long. `onpart()` is
// called after each response, and returns whether to go on. Returns the last response.
export async function searchOn(found, filter, wanted, onpart) {
  let left = ROUNDS, response = { ok: true };
  while (found.next !== null && found.events.length < wanted && left > 0) {
    const limit = Math.min(PAGE, wanted - found.events.length);
    response = await request(filter, limit, found.next);
    if (!response.ok) break;
    const { events, next } = response.data;
    found.events.push(...events);
    found.next = next;
    if (events.length < limit && next !== null) {
      found.isSlow = true;
      left -= 1;
    }
    if (!onpart()) break;
  }
  return response;
}

// Reads the newest part of a slow search again, and keeps the rest as it was.
export async function readLatest(found, filter, wanted) {
  const response = await request(filter, Math.min(PAGE, wanted));
  if (!response.ok) return response;
  const { events, next } = response.data;
  const rest = next === null ? [] : found.events.filter(({ id }) => id < next);
  found.events = [...events, ...rest].slice(0, Math.max(wanted, events.length));
  found.next = next === null ? null : found.next;
  return response;
}
