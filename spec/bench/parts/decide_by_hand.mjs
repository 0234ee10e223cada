// What one would write with Node and fetch: a webhook's reads side by side, over connections that
// are kept. decide_by_hand.mjs URL FILE prints the port on which it receives webhooks; after each
// decision it appends the time (seconds of the monotonic clock), the number of rows, and the verdict
// to the file.
import { appendFileSync } from "node:fs";
import http from "node:http";

const [root, file] = process.argv.slice(2);
const headers = { "x-api-key": "bench", "content-type": "application/json" };

async function call(method, path, body) {
  const response = await fetch(root + "/v1/accounts/" + path,
    { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

function page(account, number) {
  return call("POST", account + "/earnings/search", {
    start_date: "2024-10-01", end_date: "2026-01-01",
    options: { page: number, items_per_page: 100 },
  });
}

async function decide(account) {
  const [, profile, first] = await Promise.all([
    call("GET", account), call("GET", account + "/profile"), page(account, 1),
  ]);
  const others = await Promise.all(Array.from({ length: first.pagination.total_pages - 1 },
    (_, at) => page(account, at + 2)));
  const rows = [first, ...others].flatMap((one) => one.data.earnings);
  const months = new Map();
  for (const row of rows) {
    const month = row.earning_date.slice(0, 7);
    months.set(month, (months.get(month) ?? 0) + row.amount);
  }
  const amounts = [...months.values()];
  const verdict = Math.min(...amounts) > 0 && profile.data !== null;
  appendFileSync(file, `${Number(process.hrtime.bigint()) / 1e9} ${rows.length} ${verdict}\n`);
}

const server = http.createServer((request, response) => {
  let text = "";
  request.on("data", (part) => { text += part; });
  request.on("end", () => {
    response.end("{}");
    const { data } = JSON.parse(text);
    if (data.webhook_action === "login.success") decide(data.account_id);
  });
});
server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
