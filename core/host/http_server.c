/* An HTTP server over libmicrohttpd whose event loop is driven by its owner. */
#include "http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define IDLE_SECONDS 30
#define BACKLOG 1024
/* Of a body that is too large so much is read and dropped, to get the answer across. */
#define DISCARD_MAX ((size_t)4 * 1024 * 1024)

struct http_server {
  struct MHD_Daemon *daemon;
  http_server_options options;
  int epoll_fd; /* holds libmicrohttpd's descriptor and the next one */
  int wake_fd;  /* an answer was given on another thread */
  size_t active;
  size_t whole; /* of these */
  size_t suspended;
  pthread_mutex_t mutex;
  http_exchange *answered; /* deferred, and to be resumed; guarded by the mutex */
  char address[128];
};

struct http_exchange {
  http_server *server;
  struct MHD_Connection *connection;
  const char *method;
  char *uri; /* cut at the query */
  const char *query;
  char *body;
  size_t body_size, body_capacity, discarded;
  bool started, too_large, handed_over, deferred;
  struct MHD_Response *response; /* set: answered */
  int status;
  http_exchange *next_answered;
};

static bool fail(char *error, size_t size, const char *what, const char *detail) {
  snprintf(error, size, "%s: %s", what, detail);
  return false;
}

/* ---- listening ---------------------------------------------------------------------- */

static bool split_listen(const char *text, char *host, size_t host_size, char *port,
                         size_t port_size) {
  const char *colon = strrchr(text, ':');
  if (colon == NULL || colon == text || colon[1] == '\0')
    return false;
  const char *start = text;
  size_t size = (size_t)(colon - text);
  if (start[0] == '[' && start[size - 1] == ']') {
    start++;
    size -= 2;
  }
  if (size == 0 || size >= host_size || strlen(colon + 1) >= port_size)
    return false;
  char *end;
  long number = strtol(colon + 1, &end, 10);
  if (*end != '\0' || number < 0 || number > 65535 || colon[1] == '-' || colon[1] == '+')
    return false;
  memcpy(host, start, size);
  host[size] = '\0';
  snprintf(port, port_size, "%ld", number);
  return true;
}

static int bind_socket(const struct addrinfo *where) {
  int on = 1;
  int fd = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

static bool name_address(int fd, char *out, size_t size) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  char host[64];
  char port[8];
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
      getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return false;
  snprintf(out, size, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
  return true;
}

static int open_listener(const char *text, char *address, size_t address_size, char *error,
                         size_t error_size) {
  char host[64];
  char port[8];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST};
  struct addrinfo *found = NULL;
  if (!split_listen(text, host, sizeof host, port, sizeof port)) {
    fail(error, error_size, text, "not an address and port, such as 127.0.0.1:8080");
    return -1;
  }
  if (strcmp(host, "localhost") == 0)
    strcpy(host, "127.0.0.1");
  if (getaddrinfo(host, port, &hints, &found) != 0) {
    fail(error, error_size, text, "the host must be a numeric address");
    return -1;
  }
  int fd = bind_socket(found);
  int saved = errno;
  freeaddrinfo(found);
  if (fd < 0) {
    fail(error, error_size, text, strerror(saved));
    return -1;
  }
  if (!name_address(fd, address, address_size)) {
    fail(error, error_size, text, "the address cannot be told");
    close(fd);
    return -1;
  }
  return fd;
}

/* ---- one exchange --------------------------------------------------------------------- */

/* libmicrohttpd takes escapes out of the path it hands on, and the query with
 * it: the line as sent is only to be had here. */
static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection) {
  http_exchange *exchange = calloc(1, sizeof *exchange);
  if (exchange == NULL)
    return NULL;
  exchange->server = context;
  exchange->connection = connection;
  exchange->uri = strdup(uri);
  if (exchange->uri == NULL) {
    free(exchange);
    return NULL;
  }
  char *query = strchr(exchange->uri, '?');
  if (query != NULL) {
    *query = '\0';
    exchange->query = query + 1;
  }
  exchange->server->active++;
  return exchange;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code) {
  http_exchange *exchange = *slot;
  (void)context;
  (void)connection;
  (void)code;
  if (exchange == NULL)
    return;
  exchange->server->active--;
  exchange->server->whole -= exchange->handed_over;
  if (exchange->response != NULL)
    MHD_destroy_response(exchange->response);
  free(exchange->body);
  free(exchange->uri);
  free(exchange);
  *slot = NULL;
}

static bool keep_body(http_exchange *exchange, const char *data, size_t size) {
  if (exchange->too_large || size > exchange->server->options.max_body - exchange->body_size) {
    exchange->too_large = true;
    exchange->discarded += size;
    return exchange->discarded <= DISCARD_MAX;
  }
  size_t needed = exchange->body_size + size + 1;
  if (needed > exchange->body_capacity) {
    size_t capacity = exchange->body_capacity > 0 ? exchange->body_capacity : 1024;
    while (capacity < needed)
      capacity *= 2;
    char *grown = realloc(exchange->body, capacity);
    if (grown == NULL)
      return false;
    exchange->body = grown;
    exchange->body_capacity = capacity;
  }
  memcpy(exchange->body + exchange->body_size, data, size);
  exchange->body_size += size;
  exchange->body[exchange->body_size] = '\0';
  return true;
}

static enum MHD_Result send_answer(http_exchange *exchange) {
  return MHD_queue_response(exchange->connection, (unsigned)exchange->status, exchange->response);
}

static bool announces_too_much(const http_exchange *exchange) {
  const char *length = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_CONTENT_LENGTH);
  return length != NULL &&
         strtoull(length, NULL, 10) > (unsigned long long)exchange->server->options.max_body;
}

static enum MHD_Result head_arrived(http_exchange *exchange, const char *method) {
  const http_server_options *options = &exchange->server->options;
  exchange->started = true;
  exchange->method = method;
  if (options->on_head != NULL)
    options->on_head(options->context, exchange);
  if (exchange->response == NULL && announces_too_much(exchange))
    http_exchange_refuse(exchange, 413, "the body is too large");
  return exchange->response != NULL ? send_answer(exchange) : MHD_YES;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **slot) {
  http_server *server = context;
  http_exchange *exchange = *slot;
  (void)connection;
  (void)url;
  (void)version;
  if (exchange == NULL)
    return MHD_NO;
  if (!exchange->started)
    return head_arrived(exchange, method);
  if (*upload_size > 0) {
    bool kept = keep_body(exchange, upload, *upload_size);
    *upload_size = 0;
    return kept ? MHD_YES : MHD_NO;
  }
  if (!exchange->handed_over) {
    exchange->handed_over = true;
    server->whole++;
    if (exchange->too_large)
      http_exchange_refuse(exchange, 413, "the body is too large");
    else
      server->options.on_request(server->options.context, exchange);
    /* a deferred one is called for again when it is resumed */
    if (exchange->deferred)
      return MHD_YES;
  }
  return exchange->response != NULL ? send_answer(exchange) : MHD_NO;
}

void http_exchange_defer(http_exchange *exchange) {
  exchange->deferred = true;
  exchange->server->suspended++;
  MHD_suspend_connection(exchange->connection);
}

/* Without a thread of its own libmicrohttpd cannot be woken up by a resumed
 * connection, so connections are resumed on the loop's thread. */
static void hand_back(http_exchange *exchange) {
  http_server *server = exchange->server;
  uint64_t one = 1;
  pthread_mutex_lock(&server->mutex);
  exchange->next_answered = server->answered;
  server->answered = exchange;
  pthread_mutex_unlock(&server->mutex);
  ssize_t written = write(server->wake_fd, &one, sizeof one);
  (void)written; /* full: it is readable already */
}

static void resume_answered(http_server *server) {
  uint64_t count;
  ssize_t got = read(server->wake_fd, &count, sizeof count);
  (void)got; /* nothing to read: nobody has answered */
  pthread_mutex_lock(&server->mutex);
  http_exchange *first = server->answered;
  server->answered = NULL;
  pthread_mutex_unlock(&server->mutex);
  while (first != NULL) {
    http_exchange *next = first->next_answered;
    server->suspended--;
    MHD_resume_connection(first->connection);
    first = next;
  }
}

/* Without a response, for want of memory too, the connection is closed. */
static void respond(http_exchange *exchange, int status, const http_header *headers,
                    size_t header_count, struct MHD_Response *response) {
  for (size_t i = 0; response != NULL && i < header_count; i++)
    MHD_add_response_header(response, headers[i].name, headers[i].value);
  exchange->status = status;
  exchange->response = response;
  if (exchange->deferred)
    hand_back(exchange);
}

void http_exchange_answer(http_exchange *exchange, int status, const http_header *headers,
                          size_t header_count, const char *body, size_t body_size) {
  respond(
      exchange, status, headers, header_count,
      MHD_create_response_from_buffer(body_size, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY));
}

typedef struct {
  size_t size;
  char data[];
} half_body;

static ssize_t read_half(void *context, uint64_t position, char *out, size_t most) {
  const half_body *half = context;
  size_t left = half->size - (size_t)position;
  if (left == 0)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  if (left > most)
    left = most;
  memcpy(out, half->data + position, left);
  return (ssize_t)left;
}

void http_exchange_cut(http_exchange *exchange, int status, const http_header *headers,
                       size_t header_count, const char *body, size_t body_size) {
  struct MHD_Response *response = NULL;
  half_body *half = malloc(sizeof *half + body_size / 2);
  if (half != NULL) {
    half->size = body_size / 2;
    memcpy(half->data, body, half->size);
    response = MHD_create_response_from_callback(body_size, 4096, read_half, half, free);
    if (response == NULL)
      free(half);
  }
  respond(exchange, status, headers, header_count, response);
}

void http_exchange_drop(http_exchange *exchange) {
  respond(exchange, 0, NULL, 0, NULL);
}

void http_exchange_refuse(http_exchange *exchange, int status, const char *reason) {
  char body[512];
  http_header type = {"Content-Type", "application/json"};
  snprintf(body, sizeof body, "{\"error\":\"%s\"}\n", reason);
  http_exchange_answer(exchange, status, &type, 1, body, strlen(body));
}

const char *http_exchange_method(const http_exchange *exchange) {
  return exchange->method;
}

const char *http_exchange_path(const http_exchange *exchange) {
  return exchange->uri;
}

const char *http_exchange_query(const http_exchange *exchange) {
  return exchange->query;
}

const char *http_exchange_body(const http_exchange *exchange, size_t *size) {
  *size = exchange->body_size;
  return exchange->body != NULL ? exchange->body : "";
}

typedef struct {
  void (*each)(void *context, const char *name, const char *value);
  void *context;
} header_visit;

static enum MHD_Result visit_header(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value) {
  const header_visit *visit = context;
  (void)kind;
  visit->each(visit->context, name, value != NULL ? value : "");
  return MHD_YES;
}

void http_exchange_headers(const http_exchange *exchange,
                           void (*each)(void *context, const char *name, const char *value),
                           void *context) {
  header_visit visit = {each, context};
  MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, visit_header, &visit);
}

/* ---- the server ------------------------------------------------------------------------ */

static void no_log(void *context, const char *format, va_list arguments) {
  (void)context;
  (void)format;
  (void)arguments;
}

static bool open_wake(http_server *server) {
  struct epoll_event event = {.events = EPOLLIN};
  int own = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return server->epoll_fd >= 0 && server->wake_fd >= 0 &&
         epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, own, &event) == 0 &&
         epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->wake_fd, &event) == 0;
}

static struct MHD_Daemon *start_daemon(http_server *server, int listener) {
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_access,
      server, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL, MHD_OPTION_LISTEN_SOCKET, listener,
      MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
      server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
      (unsigned)IDLE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

http_server *http_server_new(const http_server_options *options, char *error, size_t error_size) {
  http_server *server = calloc(1, sizeof *server);
  if (server == NULL) {
    fail(error, error_size, options->listen, "out of memory");
    return NULL;
  }
  server->options = *options;
  server->epoll_fd = -1;
  server->wake_fd = -1;
  pthread_mutex_init(&server->mutex, NULL);
  int listener =
      open_listener(options->listen, server->address, sizeof server->address, error, error_size);
  if (listener >= 0) {
    server->daemon = start_daemon(server, listener);
    if (server->daemon != NULL && open_wake(server))
      return server;
    fail(error, error_size, options->listen, "the HTTP server could not be started");
    if (server->daemon == NULL)
      close(listener);
  }
  http_server_free(server);
  return NULL;
}

void http_server_close_listener(http_server *server) {
  MHD_socket fd = MHD_quiesce_daemon(server->daemon);
  if (fd != MHD_INVALID_SOCKET)
    close(fd);
}

size_t http_server_active(const http_server *server) {
  return server->active;
}

size_t http_server_whole(const http_server *server) {
  return server->whole;
}

void http_server_free(http_server *server) {
  if (server == NULL)
    return;
  resume_answered(server);
  /* libmicrohttpd aborts the process over suspended connections */
  if (server->suspended > 0)
    return;
  /* not run once more before: that could begin another exchange */
  if (server->daemon != NULL)
    MHD_stop_daemon(server->daemon);
  if (server->epoll_fd >= 0)
    close(server->epoll_fd);
  if (server->wake_fd >= 0)
    close(server->wake_fd);
  pthread_mutex_destroy(&server->mutex);
  free(server);
}

int http_server_fd(const http_server *server) {
  return server->epoll_fd;
}

int64_t http_server_timeout(http_server *server) {
  MHD_UNSIGNED_LONG_LONG timeout;
  if (MHD_get_timeout(server->daemon, &timeout) != MHD_YES)
    return -1;
  return timeout > 60000 ? 60000 : (int64_t)timeout;
}

void http_server_run(http_server *server) {
  resume_answered(server);
  MHD_run(server->daemon);
}

const char *http_server_address(const http_server *server) {
  return server->address;
}
