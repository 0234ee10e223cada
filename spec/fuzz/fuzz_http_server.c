/* Fuzzes the HTTP server with what a client sends: whatever it is, nothing breaks, bodies keep to
 * their limit, and the next client is served. */
#include "fuzz.h"
#include "http_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_MAX 100

typedef struct {
  http_server *server;
  http_exchange *deferred[64];
  size_t count;
} owner;

static void on_head(void *context, http_exchange *exchange) {
  const char *values[2];
  (void)context;
  MUST(http_exchange_values(exchange, "Host", values, 2) <= 1);
  MUST(http_exchange_values(exchange, "Content-Length", values, 2) +
           http_exchange_values(exchange, "Transfer-Encoding", values, 2) <=
       1);
  MUST(http_exchange_path(exchange) != NULL && http_exchange_method(exchange) != NULL);
  MUST(http_exchange_peer(exchange)->kind == NET_UNIX);
  if (strcmp(http_exchange_path(exchange), "/refuse") == 0)
    http_exchange_refuse(exchange, 404, "not found");
}

static void on_request(void *context, http_exchange *exchange) {
  owner *o = context;
  size_t size;
  const char *body = http_exchange_body(exchange, &size);
  MUST(size <= BODY_MAX && (size == 0 || body[size] == '\0'));
  if (size % 3 == 0) {
    http_exchange_answer(exchange, 200, NULL, 0, body, size);
  } else if (size % 3 == 1 && o->count < 64) {
    http_exchange_defer(exchange);
    o->deferred[o->count++] = exchange;
  } else {
    http_exchange_drop(exchange);
  }
}

static owner the_owner;

static void close_server(void) {
  http_server_free(the_owner.server);
}

static owner *server_of_all(void) {
  char path[64], error[256];
  if (the_owner.server != NULL)
    return &the_owner;
  snprintf(path, sizeof path, "unix:/tmp/palenca-fuzz-%d", (int)getpid());
  http_server_options options = {.listen = path,
                                 .max_body = BODY_MAX,
                                 .max_head = 1024,
                                 .on_head = on_head,
                                 .on_request = on_request,
                                 .context = &the_owner};
  the_owner.server = http_server_new(&options, error, sizeof error);
  MUST(the_owner.server != NULL);
  atexit(close_server);
  return &the_owner;
}

static int connect_to(const owner *o) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s",
           http_server_address(o->server) + strlen("unix:"));
  MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
  return fd;
}

/* Runs the server until it has nothing to do, or has closed the connection. */
static void run_until_quiet(owner *o, int fd, char *answer, size_t room) {
  size_t size = 0;
  char dropped[512];
  for (int quiet = 0; quiet < 3; quiet++) {
    struct pollfd p = {.fd = http_server_fd(o->server), .events = POLLIN};
    if (poll(&p, 1, 0) == 1 || http_server_timeout(o->server) == 0)
      quiet = 0;
    http_server_run(o->server);
    for (size_t i = 0; i < o->count; i++, quiet = 0)
      http_exchange_answer(o->deferred[i], 200, NULL, 0, "later", 5);
    o->count = 0;
    ssize_t got;
    while ((got = recv(fd, dropped, sizeof dropped, 0)) > 0)
      for (ssize_t i = 0; i < got && size + 1 < room; i++)
        answer[size++] = dropped[i];
    answer[size] = '\0';
    if (got == 0)
      return;
  }
}

static void send_and_wait(owner *o, const void *bytes, size_t size, char *answer, size_t room) {
  int fd = connect_to(o);
  ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
  MUST(sent == (ssize_t)size);
  run_until_quiet(o, fd, answer, room);
  close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char good[] = "POST /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                             "Content-Length: 3\r\n\r\nyes";
  owner *o = server_of_all();
  char answer[4096];
  send_and_wait(o, data, size, answer, sizeof answer);
  send_and_wait(o, good, sizeof good - 1, answer, sizeof answer);
  MUST(strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && strstr(answer, "\r\n\r\nyes") != NULL);
  return 0;
}
