/* Fuzzes the connections of the HTTP server with what a client sends, in pieces and at times that
 * depend on the bytes: whatever it is, nothing breaks, bodies keep to their limit, nothing is left
 * behind, and the next client is served. */
#include "fuzz.h"
#include "http/internal.h"

#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX 100
#define DEFERRED_MAX 64

typedef struct {
  uv_loop_t loop;
  http_server *server;
  http_exchange *deferred[DEFERRED_MAX];
  size_t count;
  size_t streamed;
  uint64_t random;
} owner;

static uint64_t random_below(owner *o, uint64_t limit) {
  o->random ^= o->random << 13;
  o->random ^= o->random >> 7;
  o->random ^= o->random << 17;
  return o->random % limit;
}

static void on_head(void *context, http_exchange *exchange) {
  const char *values[2];
  owner *o = context;
  MUST(http_exchange_values(exchange, "Host", values, 2) <= 1);
  MUST(http_exchange_values(exchange, "Content-Length", values, 2) +
           http_exchange_values(exchange, "Transfer-Encoding", values, 2) <=
       1);
  MUST(http_exchange_path(exchange) != NULL && http_exchange_method(exchange) != NULL);
  MUST(http_exchange_peer(exchange)->kind == NET_UNIX);
  o->streamed = 0;
  if (strcmp(http_exchange_path(exchange), "/reject") == 0) {
    http_exchange_reject(exchange, 404, "not found");
  } else if (strcmp(http_exchange_path(exchange), "/good") != 0 && random_below(o, 4) == 0) {
    http_exchange_stream_body(exchange);
  }
}

static bool on_body(void *context, http_exchange *exchange, const char *data, size_t size) {
  owner *o = context;
  (void)exchange;
  o->streamed += size;
  MUST(size > 0 && data != NULL && o->streamed <= BODY_MAX);
  return random_below(o, 16) != 0;
}

static void respond_in_pieces(owner *o, http_exchange *exchange) {
  static const char text[4096] = {0};
  int64_t size = random_below(o, 2) == 0 ? -1 : (int64_t)random_below(o, 3 * sizeof text);
  http_exchange_begin(exchange, 200, NULL, 0, size);
  for (uint64_t i = random_below(o, 5); i > 0; i--) {
    (void)http_exchange_write(exchange, text, random_below(o, sizeof text));
  }
  http_exchange_end(exchange);
}

static void on_request(void *context, http_exchange *exchange) {
  owner *o = context;
  size_t size;
  const char *body = http_exchange_body(exchange, &size);
  MUST(size <= BODY_MAX);
  if (strcmp(http_exchange_path(exchange), "/good") == 0) {
    http_exchange_respond(exchange, 200, NULL, 0, body, size);
    return;
  }
  switch (random_below(o, 6)) {
  case 0:
    http_exchange_respond_truncated(exchange, 200, NULL, 0, body, size);
    break;
  case 1:
    http_exchange_abort(exchange);
    break;
  case 2:
    respond_in_pieces(o, exchange);
    break;
  case 3:
    http_exchange_respond(exchange, 200, NULL, 0, body, size);
    break;
  default:
    MUST(o->count < DEFERRED_MAX);
    http_exchange_defer(exchange);
    o->deferred[o->count++] = exchange;
  }
}

static owner the_owner;

static void close_server(void) {
  http_server_close(the_owner.server, NULL, NULL);
  uv_run(&the_owner.loop, UV_RUN_DEFAULT);
  MUST(uv_loop_close(&the_owner.loop) == 0);
}

static owner *server_of_all(void) {
  char path[64];
  host_error error;
  if (the_owner.server != NULL) {
    return &the_owner;
  }
  snprintf(path, sizeof path, "unix:/tmp/palenca-fuzz-%d", (int)getpid());
  http_server_options options = {.listen = path,
                                 .max_body = BODY_MAX,
                                 .max_head = 1024,
                                 .on_head = on_head,
                                 .on_body = on_body,
                                 .on_request = on_request,
                                 .context = &the_owner};
  MUST(uv_loop_init(&the_owner.loop) == 0);
  the_owner.server = http_server_new(&the_owner.loop, &options, &error);
  MUST(the_owner.server != NULL);
  atexit(close_server);
  return &the_owner;
}

/* The other end of a connection to the server. */
static int connect_to(owner *o) {
  net_address peer = {.kind = NET_UNIX};
  int ends[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  http_accept_socket(o->server, ends[0], &peer);
  return ends[1];
}

static void respond_deferred(owner *o) {
  while (o->count > 0) {
    http_exchange_respond(o->deferred[--o->count], 200, NULL, 0, "later", 5);
  }
}

/* Reads what has come: up to the room, the rest is discarded. False: the server has ended. */
static bool receive(int fd, char *out, size_t room, size_t *size) {
  char part[4096];
  ssize_t got;
  while ((got = recv(fd, part, sizeof part, 0)) > 0) {
    for (ssize_t i = 0; i < got && *size + 1 < room; i++) {
      out[(*size)++] = part[i];
    }
  }
  out[*size] = '\0';
  return got != 0;
}

static void turn(owner *o) {
  uv_run(&o->loop, UV_RUN_NOWAIT);
}

static void act(owner *o, int fd) {
  switch (random_below(o, 8)) {
  case 0:
    o->server->skew += (int64_t)random_below(o, 12000);
    break;
  case 1:
    respond_deferred(o);
    break;
  case 2:
    if (random_below(o, 8) == 0) {
      shutdown(fd, SHUT_WR);
    }
    break;
  default:
    break;
  }
  turn(o);
}

static void send_in_pieces(owner *o, int fd, const uint8_t *data, size_t size) {
  bool sends = true;
  for (size_t done = 0; done < size && sends;) {
    uint64_t most = random_below(o, 4) == 0 ? size : 64;
    size_t piece = 1 + (size_t)random_below(o, most);
    if (piece > size - done) {
      piece = size - done;
    }
    ssize_t sent = send(fd, data + done, piece, MSG_NOSIGNAL);
    sends = sent > 0;
    done += sends ? (size_t)sent : 0;
    act(o, fd);
  }
}

static void finish(owner *o, int fd, char *response, size_t room) {
  size_t size = 0;
  bool is_open = true;
  for (int i = 0; i < 6; i++) {
    respond_deferred(o);
    turn(o);
    is_open = is_open && receive(fd, response, room, &size);
  }
  close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char good[] = "POST /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                             "Content-Length: 3\r\n\r\nyes";
  owner *o = server_of_all();
  char response[4096];
  o->random = 88172645463325252u;
  for (size_t i = 0; i < size; i++) {
    o->random = (o->random ^ data[i]) * 1099511628211u;
  }
  o->random |= 1;
  int fd = connect_to(o);
  send_in_pieces(o, fd, data, size);
  finish(o, fd, response, sizeof response);
  fd = connect_to(o);
  MUST(send(fd, good, sizeof good - 1, MSG_NOSIGNAL) == (ssize_t)sizeof good - 1);
  finish(o, fd, response, sizeof response);
  MUST(strncmp(response, "HTTP/1.1 200 ", 13) == 0 && strstr(response, "\r\n\r\nyes") != NULL);
  for (int i = 0; i < 6; i++) { /* what a rejected client has sent is discarded in intervals */
    o->server->skew += 10;
    turn(o);
  }
  MUST(o->server->live == 0 && o->server->active == 0 && o->server->complete == 0);
  return 0;
}
