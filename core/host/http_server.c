/* An HTTP server over libmicrohttpd whose event loop is driven by its owner. */
#include "clock.h"
#include "http_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_BODY ((size_t)64 * 1024)
#define DEFAULT_HEAD ((size_t)8 * 1024)
#define DEFAULT_REQUEST_MS 10000
#define DEFAULT_IDLE_MS 60000
#define DEFAULT_CONNECTIONS ((size_t)2048)
/* Descriptors that the rest of the process must not be short of. */
#define DESCRIPTORS_OF_OTHERS ((size_t)512)
#define CONNECTIONS_LEAST ((size_t)64)
/* libmicrohttpd reads the rest of a long head by so many bytes at a time, each at a run. */
#define HEAD_STEP ((size_t)128)
#define LOOK_MS 1

static void no_log(void *context, const char *format, va_list arguments) {
  (void)context;
  (void)format;
  (void)arguments;
}

static bool watch(http_server *server, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.fd = fd}};
  return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_loop(http_server *server) {
  server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return server->epoll_fd >= 0 && server->wake_fd >= 0 && server->spare_fd >= 0 &&
         watch(server, MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
               EPOLLIN) &&
         watch(server, server->wake_fd, EPOLLIN) && watch(server, server->listener.fd, EPOLLIN);
}

/* In each connection's memory there is room for the head's bytes, and as much for what
 * libmicrohttpd notes about them. Its own limit and its own waits are behind this server's; its
 * strictness is not asked for: it answers with two heads then, and http_head is stricter. */
static struct MHD_Daemon *start_daemon(http_server *server) {
  const http_server_options *options = &server->options;
  int64_t longest = options->idle_ms > options->request_ms ? options->idle_ms : options->request_ms;
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL,
      http_exchange_advance, server, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
      MHD_OPTION_URI_LOG_CALLBACK, http_exchange_begin, server, MHD_OPTION_NOTIFY_COMPLETED,
      http_exchange_end, server, MHD_OPTION_NOTIFY_CONNECTION, http_accept_notify, server,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->max_connections + 1,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(longest / 1000 + 2),
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, 2 * options->max_head, MHD_OPTION_END);
}

#define OR_DEFAULT(field, value)                                                                   \
  if ((field) == 0)                                                                                \
  (field) = (value)

static void fill_in(http_server_options *options) {
  OR_DEFAULT(options->max_body, DEFAULT_BODY);
  OR_DEFAULT(options->max_head, DEFAULT_HEAD);
  OR_DEFAULT(options->request_ms, DEFAULT_REQUEST_MS);
  OR_DEFAULT(options->idle_ms, DEFAULT_IDLE_MS);
  OR_DEFAULT(options->max_connections, DEFAULT_CONNECTIONS);
}

/* As many connections as there may be descriptors; the program has asked for as many as it may. */
static void fit_connections(http_server_options *options) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
      files.rlim_cur >= options->max_connections + DESCRIPTORS_OF_OTHERS)
    return;
  size_t left = files.rlim_cur > DESCRIPTORS_OF_OTHERS
                    ? (size_t)files.rlim_cur - DESCRIPTORS_OF_OTHERS
                    : (size_t)files.rlim_cur / 4;
  if (left < CONNECTIONS_LEAST)
    left = CONNECTIONS_LEAST;
  if (left < options->max_connections)
    options->max_connections = left;
}

http_server *http_server_new(const http_server_options *options, char *error, size_t error_size) {
  http_server *server = calloc(1, sizeof *server);
  if (server == NULL) {
    snprintf(error, error_size, "%s: out of memory", options->listen);
    return NULL;
  }
  server->options = *options;
  server->epoll_fd = server->wake_fd = server->spare_fd = -1;
  server->now = clock_steady_ms();
  pthread_mutex_init(&server->mutex, NULL);
  fill_in(&server->options);
  fit_connections(&server->options);
  if (http_listener_open(&server->listener, options->listen, error, error_size)) {
    server->daemon = start_daemon(server);
    if (server->daemon != NULL && open_loop(server))
      return server;
    snprintf(error, error_size, "%s: the HTTP server could not be started", options->listen);
  }
  http_server_free(server);
  return NULL;
}

void http_server_close_listener(http_server *server) {
  http_listener_close(&server->listener);
  server->accept_at = 0;
}

size_t http_server_active(const http_server *server) {
  return server->active;
}

size_t http_server_whole(const http_server *server) {
  return server->whole;
}

size_t http_server_max_connections(const http_server *server) {
  return server->options.max_connections;
}

static void close_if_open(int fd) {
  if (fd >= 0)
    close(fd);
}

bool http_server_free(http_server *server) {
  if (server == NULL)
    return true;
  http_server_close_listener(server);
  if (server->daemon != NULL)
    http_exchange_send_answered(server);
  if (server->deferred > 0)
    return false;
  /* not run once more before: that could begin another exchange */
  if (server->daemon != NULL)
    MHD_stop_daemon(server->daemon);
  http_linger_close_all(&server->linger);
  close_if_open(server->epoll_fd);
  close_if_open(server->wake_fd);
  close_if_open(server->spare_fd);
  pthread_mutex_destroy(&server->mutex);
  free(server);
  return true;
}

int http_server_fd(const http_server *server) {
  return server->epoll_fd;
}

static int64_t sooner(int64_t a, int64_t b) {
  return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* With what is deferred libmicrohttpd wants to be run all the time. What else it may have to do
 * shows by what comes in, or is left from a head that did not fit in one piece. */
static int64_t own_timeout(http_server *server) {
  MHD_UNSIGNED_LONG_LONG own;
  if (server->deferred > 0)
    return server->goes_on ? 0 : server->looks > 0 ? LOOK_MS : -1;
  if (MHD_get_timeout(server->daemon, &own) == MHD_YES)
    return own > 60000 ? 60000 : (int64_t)own;
  return -1;
}

int64_t http_server_timeout(http_server *server) {
  int64_t timeout = http_exchange_is_any_answered(server) ? 0 : own_timeout(server);
  if (timeout == 0)
    return 0;
  int64_t now = clock_steady_ms();
  timeout = sooner(timeout, http_accept_timeout(server, now));
  if (server->accept_at > 0)
    timeout = sooner(timeout, server->accept_at > now ? server->accept_at - now : 0);
  return timeout;
}

/* While it is not accepted from, the listener must not keep the loop awake. */
static void watch_listener(http_server *server, bool is_watched) {
  struct epoll_event event = {.events = is_watched ? EPOLLIN : 0,
                              .data = {.fd = server->listener.fd}};
  epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listener.fd, &event);
}

static void accept_waiting(http_server *server) {
  bool was_resting = server->accept_at > 0;
  server->accept_at = 0;
  http_accept_waiting(server);
  bool is_resting = server->accept_at > 0;
  if (was_resting != is_resting)
    watch_listener(server, !is_resting);
}

static void take_wakeup(http_server *server) {
  uint64_t count;
  ssize_t got = read(server->wake_fd, &count, sizeof count);
  (void)got; /* nothing to read: nobody has answered */
}

static void note_thread(http_server *server) {
  pthread_mutex_lock(&server->mutex);
  server->thread = pthread_self();
  pthread_mutex_unlock(&server->mutex);
}

bool http_server_run(http_server *server) {
  struct epoll_event events[3];
  server->now = clock_steady_ms();
  int count = epoll_wait(server->epoll_fd, events, 3, 0);
  bool accepts = server->accept_at > 0 && server->accept_at <= server->now;
  note_thread(server);
  for (int i = 0; i < count; i++) {
    if (events[i].data.fd == server->wake_fd)
      take_wakeup(server);
    else if (events[i].data.fd == server->listener.fd)
      accepts = true;
  }
  server->has_moved = http_exchange_send_answered(server);
  if (server->has_moved || count > 0)
    server->looks = 2 * server->options.max_head / HEAD_STEP;
  else if (server->looks > 0)
    server->looks--;
  if (accepts)
    accept_waiting(server);
  http_accept_cut_overdue(server);
  http_linger_expire(&server->linger, server->now);
  server->goes_on = false;
  MHD_run(server->daemon);
  return server->has_moved;
}

const char *http_server_address(const http_server *server) {
  return server->listener.address;
}
