/* Serves the socket beside the database by which commands ask for replays, purges and the like. */
#include "server.h"

#include "clock.h"
#include "common/log_queue.h"
#include "protocol.h"
#include "sliced_work.h"
#include "socket_address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CONNECTIONS 8
#define BACKLOG 16
#define REQUEST_TIMEOUT_MS 5000
#define PROGRESS_MS 1000 /* between two lines, so that silence means a failure */
#define MAX_BUSY_MS 3000 /* for another program that writes to the database */
#define SHOW_MS 250      /* for the store to read again what may run, which takes its time */

typedef struct connection connection;

struct event_admin_server {
  uv_pipe_t listener;
  uv_loop_t *loop;
  event_store *store;
  char *path;
  connection *first;
  size_t count;
  uv_pipe_t spare; /* takes a connection that there is no memory for */
  bool is_spare_open, is_spare_wanted, is_closing, is_closed;
};

struct connection {
  uv_pipe_t pipe;
  uv_timer_t timer; /* for the request, then for lines of progress */
  event_admin_server *server;
  connection *next, **link;
  char line[EVENT_ADMIN_LINE_MAX]; /* what has come of the request */
  size_t used;
  event_admin *admin; /* NULL: the request has not come */
  bool is_with_store; /* which calls the next slice */
  int64_t busy_since; /* 0: no other program writes */
  int64_t shown_at;   /* when the store last read what may run */
  int open_handles;
  bool is_closing;
};

/* ---- The end of a connection, and of the server ---- */

static void free_server(event_admin_server *server) {
  if (server->is_closed && !server->is_spare_open && server->count == 0) {
    free(server->path);
    free(server);
  }
}

/* Who was forgotten is not logged: an operator sees that it was done, and how much. */
static void log_forgotten(const event_admin *admin) {
  if (admin == NULL || event_admin_kind_of(admin) != EVENT_ADMIN_FORGET) {
    return;
  }
  const event_forget_report *report = &event_admin_progress(admin)->forget;
  if (report->events + report->decisions == 0) {
    return;
  }
  char message[160];
  (void)snprintf(message, sizeof message,
                 "forgot %lld event%s and the rows of %lld decision%s for 'palenca forget'",
                 (long long)report->events, report->events == 1 ? "" : "s",
                 (long long)report->decisions, report->decisions == 1 ? "" : "s");
  const log_field fields[] = {{.name = "events", .number = (uint64_t)report->events},
                              {.name = "decisions", .number = (uint64_t)report->decisions}};
  log_put(&(log_entry){.event = "forgotten",
                       .level = "info",
                       .message = message,
                       .fields = fields,
                       .field_count = 2});
}

static void free_connection(connection *c) {
  if (c->open_handles > 0 || c->is_with_store) {
    return;
  }
  event_admin_server *server = c->server;
  *c->link = c->next;
  if (c->next != NULL) {
    c->next->link = c->link;
  }
  server->count--;
  log_forgotten(c->admin);
  event_admin_free(c->admin);
  free(c);
  free_server(server);
}

static void on_handle_closed(uv_handle_t *handle) {
  connection *c = handle->data;
  c->open_handles--;
  free_connection(c);
}

/* A work under way ends with its next slice. */
static void close_connection(connection *c) {
  if (!c->is_closing) {
    c->is_closing = true;
    uv_close((uv_handle_t *)&c->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
  }
}

/* ---- Responses ---- */

/* Without waiting: the lines are short, and a client that does not read them is disconnected. */
static bool send_line(uv_pipe_t *pipe, const event_admin_response *response) {
  char line[EVENT_ADMIN_LINE_MAX];
  event_admin_write_response(response, line);
  uv_buf_t buffer = uv_buf_init(line, (unsigned)strlen(line));
  return uv_try_write((uv_stream_t *)pipe, &buffer, 1) == (int)buffer.len;
}

static void send_progress(connection *c) {
  event_admin_response response = {.status = EVENT_ADMIN_STATUS_PROGRESS};
  response.report = *event_admin_progress(c->admin);
  if (!send_line(&c->pipe, &response)) {
    close_connection(c);
  }
}

static void end_work(connection *c, const host_error *error) {
  event_admin_response response = {.status = error->kind == HOST_OK ? EVENT_ADMIN_STATUS_DONE
                                                                    : EVENT_ADMIN_STATUS_FAILED,
                                   .report = *event_admin_progress(c->admin)};
  if (error->kind != HOST_OK) {
    (void)snprintf(response.reason, sizeof response.reason, "%s", error->message);
  }
  if (!c->is_closing) {
    (void)send_line(&c->pipe, &response);
    close_connection(c);
  }
}

static void abort_work(connection *c, const char *reason) {
  host_error error;
  (void)host_error_set(&error, HOST_FAILED, "%s", reason);
  end_work(c, &error);
}

static void reject(connection *c, const char *reason) {
  event_admin_response response = {.status = EVENT_ADMIN_STATUS_REJECTED};
  (void)snprintf(response.reason, sizeof response.reason, "%s", reason);
  (void)send_line(&c->pipe, &response);
  close_connection(c);
}

/* ---- Work ---- */

static bool is_busy_for_long(connection *c, event_admin_result result) {
  int64_t now = clock_steady_ms();
  c->busy_since = result != EVENT_ADMIN_LATER ? 0 : c->busy_since == 0 ? now : c->busy_since;
  return c->busy_since != 0 && now - c->busy_since >= MAX_BUSY_MS;
}

static event_admin_result step(connection *c, sqlite3 *db) {
  event_admin_result result = event_admin_step(c->admin, db);
  if (result == EVENT_ADMIN_DONE) {
    end_work(c, event_admin_error(c->admin));
  } else if (is_busy_for_long(c, result)) {
    abort_work(c, "database is locked");
    result = EVENT_ADMIN_DONE;
  }
  return result;
}

/* `db` is NULL as the store closes. */
static event_admin_result on_slice(void *context, sqlite3 *db, bool *changes_unfinished) {
  connection *c = context;
  event_admin_result result = EVENT_ADMIN_DONE;
  if (db == NULL) {
    abort_work(c, "the process ends");
  } else if (!c->is_closing) {
    result = step(c, db);
  }
  int64_t now = clock_steady_ms();
  if (event_admin_changes_unfinished(c->admin) &&
      (result == EVENT_ADMIN_DONE || now - c->shown_at >= SHOW_MS)) {
    *changes_unfinished = true;
    c->shown_at = now;
  }
  if (result == EVENT_ADMIN_DONE) {
    event_admin_leave(c->admin);
    c->is_with_store = false;
    free_connection(c);
  }
  return result;
}

static void on_timer(uv_timer_t *timer) {
  connection *c = timer->data;
  if (c->admin != NULL) {
    send_progress(c);
  } else {
    reject(c, "no request came in time");
  }
}

static void begin(connection *c, const event_admin_request *request) {
  c->admin = event_admin_new(request, c->server->path);
  if (c->admin == NULL) {
    reject(c, "out of memory");
    return;
  }
  c->shown_at = clock_steady_ms();
  (void)uv_timer_start(&c->timer, on_timer, PROGRESS_MS, PROGRESS_MS);
  send_progress(c); /* the first line says that it was started */
  if (c->is_closing) {
    return;
  }
  c->is_with_store = event_store_run_admin(c->server->store, on_slice, c);
  if (!c->is_with_store) {
    abort_work(c, "out of memory");
  }
}

/* ---- Requests ---- */

static void read_request(connection *c) {
  event_admin_request_line *read = malloc(sizeof *read);
  if (read == NULL) {
    reject(c, "out of memory");
    return;
  }
  switch (event_admin_read_request(c->line, read)) {
  case EVENT_ADMIN_LINE_OK:
    begin(c, &read->request);
    break;
  case EVENT_ADMIN_LINE_OTHER_VERSION:
    reject(c, "another version of the protocol");
    break;
  default:
    reject(c, "malformed request");
  }
  free(read);
}

static void on_space(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
  connection *c = handle->data;
  (void)size;
  *buffer = uv_buf_init(c->line + c->used, (unsigned)(sizeof c->line - 1 - c->used));
}

/* A client sends nothing after its request, and closes when it does not want the response. */
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  connection *c = stream->data;
  (void)buffer;
  if (size == 0) {
    return;
  }
  if (size < 0 && size != UV_ENOBUFS) {
    close_connection(c);
    return;
  }
  c->used += size > 0 ? (size_t)size : 0;
  c->line[c->used] = '\0';
  char *end = memchr(c->line, '\n', c->used);
  if (c->admin != NULL) {
    abort_work(c, "more than one request");
  } else if (end != NULL && end + 1 != c->line + c->used) {
    reject(c, "more than one request");
  } else if (end != NULL) {
    *end = '\0';
    c->used = 0;
    read_request(c);
  } else if (c->used == sizeof c->line - 1) {
    reject(c, "the request is too long");
  }
}

/* ---- Connections ---- */

static connection *new_connection(event_admin_server *server) {
  connection *c = calloc(1, sizeof *c);
  if (c == NULL) {
    return NULL;
  }
  *c = (connection){.server = server, .next = server->first, .link = &server->first};
  if (c->next != NULL) {
    c->next->link = &c->next;
  }
  server->first = c;
  server->count++;
  (void)uv_pipe_init(server->loop, &c->pipe, 0); /* neither can fail */
  (void)uv_timer_init(server->loop, &c->timer);
  c->pipe.data = c->timer.data = c;
  c->open_handles = 2;
  return c;
}

static bool is_allowed(const connection *c) {
  uv_os_fd_t fd;
  return uv_fileno((const uv_handle_t *)&c->pipe, &fd) == 0 && event_admin_peer_is_allowed(fd);
}

static void on_spare_closed(uv_handle_t *handle);

/* The loop brings no other connection before this one is accepted. */
static void close_next(event_admin_server *server) {
  server->is_spare_wanted = server->is_spare_open;
  if (!server->is_spare_open && !server->is_closing) {
    (void)uv_pipe_init(server->loop, &server->spare, 0);
    server->spare.data = server;
    server->is_spare_open = true;
    server->is_spare_wanted =
        uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&server->spare) == 0;
    uv_close((uv_handle_t *)&server->spare, on_spare_closed);
  }
}

static void on_spare_closed(uv_handle_t *handle) {
  event_admin_server *server = handle->data;
  server->is_spare_open = false;
  if (server->is_spare_wanted) {
    close_next(server);
  }
  free_server(server);
}

static void on_connection(uv_stream_t *stream, int status) {
  event_admin_server *server = stream->data;
  connection *c = status == 0 ? new_connection(server) : NULL;
  if (c == NULL) {
    close_next(server);
  } else if (uv_accept(stream, (uv_stream_t *)&c->pipe) != 0) {
    close_connection(c);
  } else if (!is_allowed(c)) {
    reject(c, "only the user whose process this is may ask");
  } else if (server->count > MAX_CONNECTIONS) {
    reject(c, "too many commands at once");
  } else if (uv_read_start((uv_stream_t *)&c->pipe, on_space, on_read) != 0 ||
             uv_timer_start(&c->timer, on_timer, REQUEST_TIMEOUT_MS, 0) != 0) {
    close_connection(c);
  }
}

/* ---- The server ---- */

static void on_listener_closed(uv_handle_t *handle) {
  event_admin_server *server = handle->data;
  server->is_closed = true;
  free_server(server);
}

/* No client can connect before it listens. */
static int bind_socket(const char *path, host_error *error) {
  event_admin_address address;
  if (!event_admin_address_open(&address, path, error)) {
    return -1;
  }
  const struct sockaddr_un *name = &address.address;
  event_admin_socket_remove(path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  bool ok = fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
            bind(fd, (const struct sockaddr *)name, sizeof *name) == 0 &&
            chmod(name->sun_path, 0600) == 0;
  if (!ok) {
    (void)host_error_set(error, HOST_FAILED, "%s%s: %s", path, EVENT_ADMIN_SOCKET_SUFFIX,
                         strerror(errno));
    if (fd >= 0) {
      (void)close(fd);
    }
  }
  event_admin_address_close(&address);
  return ok ? fd : -1;
}

static bool listen_at(event_admin_server *server, int fd, host_error *error) {
  int result = uv_pipe_open(&server->listener, fd);
  if (result != 0) {
    (void)close(fd);
  } else {
    result = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
  }
  if (result != 0) {
    char reason[128];
    (void)host_error_set(error, HOST_FAILED, "%s%s: %s", server->path, EVENT_ADMIN_SOCKET_SUFFIX,
                         uv_strerror_r(result, reason, sizeof reason));
  }
  return result == 0;
}

event_admin_server *event_admin_server_open(uv_loop_t *loop, event_store *store, const char *path,
                                            host_error *error) {
  event_admin_server *server = calloc(1, sizeof *server);
  char *absolute = realpath(path, NULL);
  int fd = -1;
  if (server == NULL || absolute == NULL) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
  } else {
    fd = bind_socket(absolute, error);
  }
  if (fd < 0) {
    free(absolute);
    free(server);
    return NULL;
  }
  *server = (event_admin_server){.loop = loop, .store = store, .path = absolute};
  (void)uv_pipe_init(loop, &server->listener, 0); /* cannot fail */
  server->listener.data = server;
  if (listen_at(server, fd, error)) {
    return server;
  }
  event_admin_server_close(server);
  return NULL;
}

void event_admin_server_close(event_admin_server *server) {
  if (server == NULL || server->is_closing) {
    return;
  }
  server->is_closing = true;
  event_admin_socket_remove(server->path);
  uv_close((uv_handle_t *)&server->listener, on_listener_closed);
  for (connection *c = server->first; c != NULL; c = c->next) {
    if (c->admin != NULL) {
      abort_work(c, "the process ends");
    } else {
      close_connection(c);
    }
  }
}
