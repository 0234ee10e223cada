// A plain receiver of webhooks: 200 once `store` has committed the event.
import { createServer } from "node:http";

export function receive(store) {
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      Promise.resolve().then(() => store(JSON.parse(Buffer.concat(chunks))))
        .then(() => 200, (problem) => {
          console.error(problem);
          return 500;
        }).then((status) => {
          const body = '{"received":true}\n';
          response.writeHead(status, { "Content-Type": "application/json",
            "Content-Length": body.length });
          response.end(body);
        });
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1", () => {
    console.log(`receiving webhooks at http://127.0.0.1:${server.address().port}/`);
  });
}

// As many connections as a receiver has of PostgreSQL: more than node-postgres' 10 do not make it
// faster on two processors.
export const POOL = 20;

// The handler is as trivial as that of `palenca serve`.
export function handle() {}
