/* Sends single HTTP requests, each with one response, over one curl multi handle. */
#include "clock.h"
#include "curl_request.h"
#include "protocol/error.h"
#include "tls_session.h"
#include "transport_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int on_interest(CURL *easy, curl_socket_t socket, int what, void *context, void *unused) {
  transport *t = context;
  (void)easy;
  (void)unused;
  if (what == CURL_POLL_REMOVE) {
    poller_forget(&t->poller, socket);
  } else if (!poller_watch(&t->poller, socket, (what & CURL_POLL_IN) != 0,
                           (what & CURL_POLL_OUT) != 0)) {
    return -1;
  }
  return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context) {
  transport *t = context;
  (void)multi;
  t->wakeup_at = timeout_ms < 0 ? -1 : clock_steady_ms() + timeout_ms;
  return 0;
}

/* Not before it is used: curl and its libraries take some megabytes. */
static bool start_curl(transport *t, palenca_error *error) {
  if (t->multi != NULL) {
    return true;
  }
  const lazy_curl *curl = t->curl = lazy_curl_load(error);
  if (curl == NULL) {
    return false;
  }
  t->multi = curl->multi_init();
  if (t->multi == NULL) {
    return palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
  }
  curl->multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_interest);
  curl->multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
  curl->multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl->multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
  curl->multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)t->max_connections);
  curl->multi_setopt(t->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)t->max_connections);
  /* its own bound is 100 of a connection, whatever the server allows */
  curl->multi_setopt(t->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)t->max_connections);
  curl->multi_setopt(t->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  /* older curls remember TLS sessions for each handle alone */
  t->sessions = curl->share_init();
  if (t->sessions != NULL) {
    curl->share_setopt(t->sessions, CURLSHOPT_SHARE, (int)CURL_LOCK_DATA_SSL_SESSION);
  }
  return true;
}

transport *transport_new(int max_connections, palenca_error *error) {
  transport *t = calloc(1, sizeof *t);
  if (t == NULL) {
    goto no_memory;
  }
  t->wakeup_at = -1;
  poller_init(&t->poller);
  idle_sockets_init(&t->idle_connections, &t->poller);
  t->idle_limit = (size_t)max_connections;
  t->max_connections = max_connections;
  if ((t->idle = calloc(t->idle_limit, sizeof *t->idle)) == NULL) {
    goto no_memory;
  }
  return t;
no_memory:
  transport_free(t);
  palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
  return NULL;
}

void transport_abandon(transport *t) {
  if (t == NULL) {
    return;
  }
  poller_free(&t->poller);
  idle_sockets_free(&t->idle_connections);
  open_sockets_free(&t->open);
  kept_servers_free(&t->kept);
  free(t->idle);
  free(t);
}

static void free_transfer(transfer *one) {
  easy_handle_free(one->curl, &one->handle);
  free(one);
}

void transport_forget(transport *t, transfer *one) {
  if (one->previous != NULL) {
    one->previous->next = one->next;
  } else {
    t->running = one->next;
  }
  if (one->next != NULL) {
    one->next->previous = one->previous;
  }
  t->curl->multi_remove_handle(t->multi, one->handle.easy);
  response_sink_free(&one->sink);
  /* the options of a preconnect are its own */
  if (one->preconnect == NO_PRECONNECT && t->idle_count < t->idle_limit) {
    t->idle[t->idle_count++] = one;
  } else {
    free_transfer(one);
  }
}

void transport_free(transport *t) {
  if (t == NULL) {
    return;
  }
  while (t->running != NULL) {
    transport_forget(t, t->running);
  }
  while (t->idle_count > 0) {
    free_transfer(t->idle[--t->idle_count]);
  }
  if (t->multi != NULL) {
    t->curl->multi_cleanup(t->multi);
  }
  if (t->sessions != NULL) {
    t->curl->share_cleanup(t->sessions);
  }
  poller_free(&t->poller);
  idle_sockets_free(&t->idle_connections);
  open_sockets_free(&t->open);
  kept_servers_free(&t->kept);
  free(t->idle);
  free(t);
}

static size_t on_header(char *data, size_t unit, size_t count, void *context) {
  transfer *one = context;
  if (one->preconnect != NO_PRECONNECT) { /* it was to have no request */
    return 0;
  }
  bool is_taken = response_sink_add_line(&one->sink, data, unit * count);
  if (is_taken && one->is_https && one->sink.head_ended && one->tls == NULL) {
    one->tls = tls_session_of(one->curl, one->handle.easy);
  }
  return is_taken ? unit * count : 0;
}

static size_t on_body(char *data, size_t unit, size_t count, void *context) {
  transfer *one = context;
  return response_sink_add_body(&one->sink, data, unit * count) ? unit * count : 0;
}

/* Programs that a script starts must not keep connections open. */
static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  transfer *one = context;
  (void)purpose;
  if (address->addrlen <= sizeof one->peer) {
    memcpy(&one->peer, &address->addr, address->addrlen);
    one->peer_size = (socklen_t)address->addrlen;
  }
  int fd = socket(address->family, address->socktype, address->protocol);
  if (fd < 0) {
    return CURL_SOCKET_BAD;
  }
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
    open_sockets_add(&one->owner->open, fd, one->origin, clock_steady_ms());
    return fd;
  }
  close(fd);
  return CURL_SOCKET_BAD;
}

static int on_close(void *context, curl_socket_t socket) {
  transport *t = context;
  idle_sockets_remove(&t->idle_connections, socket);
  open_sockets_remove(&t->open, socket);
  return close(socket);
}

static void set_callbacks(transport *t, CURL *easy, transfer *one) {
  const lazy_curl *curl = t->curl;
  curl->easy_setopt(easy, CURLOPT_PRIVATE, one);
  curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, one->message);
  curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl->easy_setopt(easy, CURLOPT_HEADERDATA, one);
  curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl->easy_setopt(easy, CURLOPT_WRITEDATA, one);
  curl->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl->easy_setopt(easy, CURLOPT_OPENSOCKETDATA, one);
  curl->easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  curl->easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, t);
}

/* What is the same for all requests of a transfer. */
static CURL *new_easy(transport *t, transfer *one) {
  const lazy_curl *curl = t->curl;
  CURL *easy = curl->easy_init();
  if (easy == NULL) {
    return NULL;
  }
  set_callbacks(t, easy, one);
  curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  /* Debian's default directory defeats curl's cache of parsed certificates,
   * which costs 20 ms a connection; the bundle file holds the same ones. */
  curl->easy_setopt(easy, CURLOPT_CAPATH, NULL);
  curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl->easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  curl->easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  /* What a proxy says before the server is reached is not the server's. */
  curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  /* A hung resolver must not be waited for once the call has ended. */
  curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl->easy_setopt(easy, CURLOPT_SHARE, t->sessions);
  curl->easy_setopt(easy, CURLOPT_USERAGENT, "palenca/" PALENCA_VERSION);
  /* Decoded by response_sink: curl does not see that a compressed body is truncated. */
  curl->easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  if (curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK) {
    curl->easy_cleanup(easy);
    return NULL;
  }
  return easy;
}

static transfer *new_transfer(transport *t) {
  transfer *one = calloc(1, sizeof *one);
  CURL *easy = one != NULL ? new_easy(t, one) : NULL;
  if (easy == NULL) {
    free(one);
    return NULL;
  }
  one->owner = t;
  one->curl = t->curl;
  easy_handle_init(&one->handle, easy);
  return one;
}

static void add_running(transport *t, transfer *one) {
  one->previous = NULL;
  one->next = t->running;
  if (t->running != NULL) {
    t->running->previous = one;
  }
  t->running = one;
}

static void ask_wakeup(transport *t) {
  long left = -1;
  t->curl->multi_timeout(t->multi, &left);
  on_timer(t->multi, left, t);
}

static void run_timers(transport *t) {
  int running;
  t->wakeup_at = -1;
  t->curl->multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  if (t->wakeup_at < 0) { /* slightly too early for curl, which then sets no new timer */
    ask_wakeup(t);
  }
}

/* Also of those that wait for a connection from now on: only requests that share one do. */
static void bound_connections(transport *t, bool is_shared) {
  if (t->is_shared != is_shared) {
    t->is_shared = is_shared;
    t->curl->multi_setopt(t->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                          is_shared ? (long)SHARED_CONNECTIONS_MAX : 0L);
  }
}

/* Where HTTP/2 is expected, a request waits for a connection that is being opened. */
static bool set_up(transport *t, transfer *one, const transport_request *request, void *context) {
  one->context = context;
  one->ca_file = request->ca_file;
  one->tls = NULL;
  one->is_https = strncmp(request->url, "https:", 6) == 0;
  one->measures = request->measure;
  one->origin = open_sockets_origin(request);
  one->peer_size = 0;
  one->message[0] = '\0';
  response_sink_init(&one->sink, request->header_out, request->body_out);
  bool waits = request->share_connection || open_sockets_version(&t->open, one->origin) == 2;
  return easy_handle_set_request(t->curl, &one->handle, request, waits);
}

transfer *transport_begin(transport *t, const transport_request *request, void *context,
                          palenca_error *error) {
  if (!start_curl(t, error)) {
    return NULL;
  }
  bool has_idle = context != NULL && t->idle_count > 0;
  transfer *one = has_idle ? t->idle[--t->idle_count] : new_transfer(t);
  if (one == NULL || !set_up(t, one, request, context)) {
    goto no_memory;
  }
  if (context == NULL) {
    preconnect_set_options(one);
  }
  if (t->curl->multi_add_handle(t->multi, one->handle.easy) != CURLM_OK) {
    goto no_memory;
  }
  add_running(t, one);
  if (context != NULL) {
    bound_connections(t, request->share_connection);
  }
  run_timers(t); /* it gets its connection now, before anything else comes on one */
  return one;
no_memory:
  if (one != NULL) {
    free_transfer(one);
  }
  palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
  return NULL;
}

void transport_end_idle(transport *t, int fd) {
  tls_session_end(t->curl, open_sockets_tls(&t->open, fd));
  idle_sockets_end(&t->idle_connections, fd);
}

static void end_readable(transport *t) {
  int64_t now = clock_steady_ms();
  for (int fd; (fd = idle_sockets_next_readable(&t->idle_connections, now)) >= 0;) {
    transport_end_idle(t, fd);
  }
}

void *transport_start(transport *t, const transport_request *request, void *context,
                      palenca_error *error) {
  bool is_checked =
      t->idle_count > 0 && easy_handle_has_url(&t->idle[t->idle_count - 1]->handle, request->url);
  if (!is_checked && !palenca_url_check(request->url, error)) {
    return NULL;
  }
  preconnect_release(t);
  end_readable(t);
  return transport_begin(t, request, context, error);
}

void transport_cancel(transport *t, void *handle) {
  transport_forget(t, handle);
}

int transport_fd(transport *t) {
  return poller_fd(&t->poller);
}

int64_t transport_next_deadline(const transport *t) {
  int64_t next = t->wakeup_at, check = kept_servers_next(&t->kept);
  if (check >= 0 && (next < 0 || check < next)) {
    next = check;
  }
  if (next < 0) {
    return -1;
  }
  int64_t now = clock_steady_ms();
  return next > now ? next - now : 0;
}

static void act(transport *t, int fd, short what) {
  int running, mask = ((what & POLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                      ((what & POLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                      ((what & POLLERR) != 0 ? CURL_CSELECT_ERR : 0);
  t->curl->multi_socket_action(t->multi, fd, mask, &running);
}

void transport_perform(transport *t) {
  int fd;
  short what;
  while (poller_take(&t->poller, &fd, &what)) {
    act(t, fd, what);
  }
  if (t->wakeup_at >= 0 && t->wakeup_at <= clock_steady_ms()) {
    run_timers(t);
  }
  int64_t check = kept_servers_next(&t->kept);
  if (check < 0 ? t->parked > 0 : check <= clock_steady_ms()) {
    preconnect_run(t);
  }
}

void transport_wait(transport *t, int64_t max_wait, const int *wake_fds, size_t wake_fd_count) {
  poller_wait(&t->poller, max_wait, wake_fds, wake_fd_count);
}

/* Watches the connection of a transfer that ended well; curl closes the connection of any other,
 * unless it is HTTP/2. There data may arrive at any time, and curl reads it before it reuses the
 * connection. */
static void record_idle_connection(transport *t, const transfer *one, int http_version) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (one->curl->easy_getinfo(one->handle.easy, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK ||
      socket == CURL_SOCKET_BAD) {
    return;
  }
  open_sockets_use(&t->open, socket, http_version == 1 ? 1 : 2, one->tls, clock_steady_ms());
  if (http_version != 1) {
    return;
  }
  if (one->is_https && (one->tls == NULL || tls_session_has_unread(one->curl, one->tls))) {
    idle_sockets_end(&t->idle_connections, socket);
  } else {
    idle_sockets_add(&t->idle_connections, socket);
  }
}

bool transport_take(transport *t, transport_outcome *outcome) {
  int left = 0;
  CURLMsg *message;
  while (t->multi != NULL && (message = t->curl->multi_info_read(t->multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    CURLcode code = message->data.result;
    CURL *easy = message->easy_handle;
    char *owner = NULL;
    long status = 0;
    t->curl->easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    t->curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    transfer *one = (transfer *)(void *)owner;
    if (one->preconnect != NO_PRECONNECT) {
      preconnect_end(t, one, code);
      continue;
    }
    memset(outcome, 0, sizeof *outcome);
    outcome->context = one->context;
    outcome->status = (int)status;
    outcome->sent = transfer_was_sent(one, code);
    transfer_measure(one, outcome);
    /* curl takes half a head for a complete response, and half of a compressed body, too */
    bool is_complete = code == CURLE_OK && one->sink.head_ended && response_sink_end(&one->sink);
    if (!is_complete) {
      transfer_describe(one, code, outcome);
    }
    if (code == CURLE_OK) {
      record_idle_connection(t, one, outcome->http_version);
    }
    transport_forget(t, one);
    return true;
  }
  return false;
}
