// Hands raw requests to the HTTP server of Node, each on a connection of its own without a socket,
// and prints what it makes of them. Argument: a file with a JSON list of hexadecimal texts. Output:
// {version, outcomes: a list of {bodies: such a list, end: "complete", "more" or "rejected"}}.
import { readFileSync } from "node:fs";
import http from "node:http";
import { Duplex } from "node:stream";

const HEAD_MAX = 1024;
const BODY_MAX = 1000;

class Connection extends Duplex {
  constructor() {
    super({ allowHalfOpen: true });
    this.outcome = { bodies: [], end: "complete" };
    this.written = "";
  }
  _read() {}
  _write(bytes, encoding, done) {
    this.written += bytes.toString("latin1");
    done();
  }
  setTimeout() {
    return this;
  }
  setNoDelay() {}
  setKeepAlive() {}
}

const server = http.createServer({ maxHeaderSize: HEAD_MAX, insecureHTTPParser: false });
server.httpAllowHalfOpen = true; // the end of the input is no end of what came before
server.keepAliveTimeout = 0;

// Later than the end of the requests before it is made known.
function reject(connection, end = "rejected") {
  if (connection.outcome.end === "complete") connection.outcome.end = end;
  setImmediate(() => connection.destroy());
}

server.on("request", (request, response) => {
  const connection = request.socket;
  // as a server does that has a limit
  if (Number(request.headers["content-length"] ?? 0) > BODY_MAX) {
    reject(connection);
    return;
  }
  const parts = [];
  let size = 0;
  request.on("data", (part) => {
    parts.push(part);
    size += part.length;
  });
  request.on("error", () => {});
  request.on("end", () => {
    if (size > BODY_MAX) {
      reject(connection);
      return;
    }
    connection.outcome.bodies.push(Buffer.concat(parts).toString("hex"));
    response.end();
  });
});

server.on("checkExpectation", (request) => reject(request.socket));
server.on("connect", (request, connection) => reject(connection));
server.on("clientError", (error, connection) => {
  reject(connection, error.code === "HPE_INVALID_EOF_STATE" ? "more" : "rejected");
});

function outcomeOf(bytes) {
  return new Promise((resolve) => {
    const connection = new Connection();
    connection.on("error", () => {});
    connection.on("close", () => {
      // what Node rejects without an event, such as a missing Host
      if (/^HTTP\/1\.1 [45]/m.test(connection.written)) connection.outcome.end = "rejected";
      resolve(connection.outcome);
    });
    server.emit("connection", connection);
    connection.push(bytes);
    connection.push(null);
  });
}

const outcomes = [];
for (const bytes of JSON.parse(readFileSync(process.argv[2], "utf8"))) outcomes.push(await outcomeOf(Buffer.from(bytes, "hex")));
console.log(JSON.stringify({ version: process.version, outcomes }));
