// A TLS server that speaks HTTP/2 and does to a request what the first segment of its path says.
//
// node spec/support/http2_server.mjs KEY CERTIFICATE [h2|http1|tls12|h2:STREAMS] prints the port of the server
// and of a proxy that tunnels to it, then a line for each request: protocol version, number of the
// connection, method, path, and what was done. Each request to the proxy itself opens one more port,
// which is its response. It ends by a signal.
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import { gzipSync } from "node:zlib";

const [key, cert, kind = "h2"] = process.argv.slice(2);
const streams = Number(kind.split(":")[1] ?? 100); // that a client may have open on a connection
const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM, NGHTTP2_NO_ERROR } = http2.constants;
const LONGEST_LIFE = 300000;
const seen = new Map(); // path → how often it was asked for

const envelope = (data, more) => JSON.stringify({ success: true, error: null, data, ...more });

function respond(response, text, headers = {}) {
  response.writeHead(200, {
    "content-type": "application/json", "content-length": Buffer.byteLength(text), ...headers,
  });
  response.end(text);
}

const STRAY = "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n"
  + '{"success":true,"data":{"user_id":"nobody"}}';
const good = (response) => respond(response, envelope({ user_id: "u1" }));

// Rows that are numbered from 1, one a page.
function page(response, number, total) {
  respond(response, envelope({ earnings: [{ amount: number, earning_date: "2025-01-01" }] }, {
    pagination: { page: number, items_per_page: 1, total_items: total, total_pages: total },
  }));
}

const held = [];
const counted = new Map(); // path → what sends the open responses

const faults = {
  good: ({ response }) => good(response),

  // hold:N: the pages behind the first wait until N of them are open at the same time
  hold: ({ response, argument, body }) => {
    const number = JSON.parse(body).options.page;
    if (number === 1) return page(response, 1, argument + 1);
    held.push(() => page(response, number, argument + 1));
    if (held.length === argument) held.splice(0).reverse().forEach((send) => send());
  },

  // renew:N: as hold, but the connection of the first page is not to be used again
  renew: (call) => {
    if (JSON.parse(call.body).options.page === 1)
      call.response.stream.session.goaway(NGHTTP2_NO_ERROR);
    return faults.hold(call);
  },

  // count:N: 200 pages; says how many of those behind the first are open at once, when N of them
  // are, and all that the client has sent meanwhile has been read
  count: ({ request, response, argument, body }) => {
    if (!body) return good(response); // of another operation
    const number = JSON.parse(body).options.page;
    if (number === 1) counted.set(request.url, counted.get(request.url) ?? []);
    const open = counted.get(request.url);
    if (number === 1 || open === "done") return page(response, number, 200);
    open.push(() => page(response, number, 200));
    if (open.length === argument) response.stream.session.ping(() => {
      counted.set(request.url, "done");
      console.log(`${request.url} counted ${open.length}`);
      open.forEach((send) => send());
    });
  },

  // The stream alone ends: what was asked may have been done.
  reset: ({ response, count }) =>
    count === 1 ? response.stream.close(NGHTTP2_INTERNAL_ERROR) : good(response),

  // The server says that it has done nothing.
  reject: ({ response, count }) => {
    if (count > 1) return good(response);
    response.stream.close(NGHTTP2_REFUSED_STREAM);
    return "rejected";
  },

  half: ({ response, count }) => {
    if (count > 1) return good(response);
    response.writeHead(200, { "content-type": "application/json" });
    response.write('{"success":true,"data":', () => response.stream.close(NGHTTP2_INTERNAL_ERROR));
  },

  // The connection ends, without a word or after one.
  drop: ({ response, count }) =>
    count === 1 ? response.stream.session.destroy() : good(response),

  // goaway:LAST: the server leaves; streams up to LAST it has done, later ones it has not
  goaway: ({ response, count, argument }) => {
    if (count > 1) return good(response);
    const { session } = response.stream;
    session.goaway(NGHTTP2_NO_ERROR, argument);
    setImmediate(() => session.destroy());
    return argument === 0 ? "rejected" : "left";
  },

  // The last response on a connection that is not to be used again.
  leave: ({ response }) => {
    response.stream.session.goaway(NGHTTP2_NO_ERROR);
    good(response);
  },

  // Something comes on the idle connection that is no response.
  ping: ({ response }) => {
    const { session } = response.stream;
    response.on("finish", () => setImmediate(() => {
      session.ping(() => {});
      session.settings({ maxConcurrentStreams: 90 });
      setImmediate(() => console.log("pinged"));
    }));
    good(response);
  },

  // http1 only: a response that nobody has asked for, on the idle connection.
  stray: ({ response }) => {
    const { socket } = response;
    response.on("finish", () => setImmediate(() => socket.write(STRAY, () => console.log("pushed"))));
    good(response);
  },

  // http1 only: one right behind the body, in the same record, which the head is not in.
  behind: ({ response }) => {
    const text = envelope({ user_id: "u1" });
    const { socket } = response;
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`;
    socket.write(head, () => socket.write(text + STRAY));
    response.detachSocket(socket);
  },

  gzip: ({ response, argument }) => {
    const text = envelope({ user_id: "u1", filler: "x".repeat(argument) });
    const packed = gzipSync(text);
    respond(response, packed, { "content-encoding": "gzip" });
  },
};

function on_request(request, response) {
  let body = "";
  request.on("data", (part) => { body += part; });
  request.on("error", () => {});
  response.on("error", () => {});
  request.on("end", () => {
    const count = (seen.get(request.url) ?? 0) + 1;
    seen.set(request.url, count);
    const [name, argument] = request.url.split("/")[1].split(":");
    const connection = request.socket.number ?? request.stream.session.number;
    const what = faults[name]({ request, response, count, body, argument: Number(argument) }) ?? "done";
    console.log(`${request.httpVersion} ${connection} ${request.method} ${request.url} ${what}`);
  });
}

const options = {
  key: readFileSync(key), cert: readFileSync(cert), settings: { maxConcurrentStreams: streams },
};
let connections = 0;

function newServer() {
  const server = kind === "http1" ? https.createServer(options, on_request)
    : http2.createSecureServer(
      kind === "tls12" ? { ...options, maxVersion: "TLSv1.2" } : options, on_request);
  server.on("session", (session) => {
    session.number = ++connections;
    session.on("error", () => {});
  });
  if (kind === "http1")
    server.on("secureConnection", (socket) => { socket.number = ++connections; });
  server.on("tlsClientError", () => {});
  return server;
}

const server = newServer();
const proxy = http.createServer((_, response) => {
  const another = newServer();
  another.listen(0, "127.0.0.1", () => response.end(String(another.address().port)));
});
proxy.on("connect", (request, socket) => {
  console.log(`tunnel ${request.url} ${request.rawHeaders.join(" ")}`);
  // it tunnels to this server alone, whatever "localhost" in the URL is resolved to here
  const { address, port } = server.address();
  const upstream = net.connect(port, address, () => {
    socket.write("HTTP/1.1 200 Connected\r\n\r\n");
    upstream.pipe(socket).pipe(upstream);
  });
  socket.on("error", () => upstream.destroy());
  upstream.on("error", () => socket.destroy());
});

server.listen(0, "127.0.0.1", () => proxy.listen(0, "127.0.0.1", () => {
  console.log(`ports ${server.address().port} ${proxy.address().port}`);
}));
setTimeout(() => process.exit(1), LONGEST_LIFE);
