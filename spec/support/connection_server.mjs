// A TLS server that says what becomes of its connections, and responds to every request.
//
// node spec/support/connection_server.mjs KEY CERTIFICATE h2|http1 prints its port, and then lines:
// "open NUMBER new|resumed" once what the server sends first has been sent, "request NUMBER METHOD
// PATH KEY", where KEY is the x-api-key or "none", "shut NUMBER". It closes a connection after its
// response to /v1/webhooks. A SIGUSR1 has it send a response on
// each connection that nobody asked for ("stray NUMBER"), a SIGUSR2 has it close all ("ended"). It
// ends by any other signal.
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";

const [key, cert, kind] = process.argv.slice(2);
const options = { key: readFileSync(key), cert: readFileSync(cert), minVersion: "TLSv1.3" };
const open = new Map(); // socket → number
let last = 0;

const text = '{"success":true,"error":null,"data":{"user_id":"u1"}}';
const stray = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";

function on_request(request, response) {
  const session = request.stream?.session;
  const socket = session?.socket ?? request.socket;
  request.resume();
  request.on("end", () => {
    const number = numbers.get(socket.remotePort);
    console.log("request", number, request.method, request.url,
      request.headers["x-api-key"] ?? "none");
    response.writeHead(200, {
      "content-type": "application/json", "content-length": text.length,
    });
    // one who asks for three things at once needs three connections of HTTP/1.1
    setTimeout(() => response.end(text, () => {
      if (request.url !== "/v1/webhooks") return;
      // once "shut" is printed, the client's system has all of it
      if (session) setTimeout(() => session.destroy(), 20);
      else socket.destroySoon();
    }), 20);
  });
}

const numbers = new Map(); // port of the client → number
const server = kind === "h2"
  ? http2.createSecureServer(options, on_request)
  : https.createServer({ ...options, keepAliveTimeout: 300000, headersTimeout: 300000 }, on_request);
server.on("secureConnection", (socket) => {
  const number = ++last;
  numbers.set(socket.remotePort, number);
  open.set(socket, number);
  socket.on("close", () => {
    open.delete(socket);
    console.log("shut", number);
  });
  const report = () => console.log("open", number, socket.isSessionReused() ? "resumed" : "new");
  // libcurl closes a connection of HTTP/2 that it finds with nothing but TLS's tickets to be read:
  // the settings are written to the socket in the turn after this one
  if (kind === "h2") setImmediate(() => setImmediate(report));
  else report();
});
server.on("tlsClientError", () => {});
process.on("SIGUSR1", () => open.forEach((number, socket) =>
  socket.write(stray, () => console.log("stray", number))));
process.on("SIGUSR2", () => {
  open.forEach((_, socket) => socket.end());
  console.log("ended");
});
server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
