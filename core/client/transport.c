/* Sends single HTTP requests, each with one response, over one curl multi handle. */
#include "transport.h"

#include "clock.h"
#include "curl_request.h"
#include "idle_sockets.h"
#include "lazy_curl.h"
#include "poller.h"
#include "protocol/error.h"
#include "response_sink.h"
#include "tls_session.h"
#include "transfer_outcome.h"

#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Used for one transfer after the other; its header lines stay, for most have the same. */
typedef struct {
  CURL *easy;
  struct curl_slist *lines;
} easy_handle;

typedef struct transfer {
  const lazy_curl *curl;
  easy_handle handle;
  response_sink sink;
  const char *ca_file; /* the request's */
  const void *tls;     /* its connection's, once the head has come; NULL: none that can be asked */
  bool is_https;
  struct sockaddr_storage peer; /* whom the last connection was opened to; of size 0: none was */
  socklen_t peer_size;
  void *context;
  char message[CURL_ERROR_SIZE];
  struct transfer *previous, *next; /* among the running, so that free finds them all */
} transfer;

struct transport {
  const lazy_curl *curl; /* as `multi` NULL before the first transfer */
  CURLM *multi;
  int max_connections;
  bool is_shared;    /* the last request that was started has share_connection */
  poller poller;     /* watches curl's sockets */
  int64_t wakeup_at; /* when curl must be called even if nothing happens; -1: never */
  transfer *running;
  idle_sockets idle_connections; /* of connections */
  easy_handle *idle;             /* to be used again */
  size_t idle_count, idle_limit;
};

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
  free(t->idle);
  free(t);
}

static void free_handle(const lazy_curl *curl, easy_handle *one) {
  if (one->easy != NULL) {
    curl->easy_cleanup(one->easy);
  }
  if (one->lines != NULL) {
    curl->slist_free_all(one->lines);
  }
}

static void forget(transport *t, transfer *one) {
  if (one->previous != NULL) {
    one->previous->next = one->next;
  } else {
    t->running = one->next;
  }
  if (one->next != NULL) {
    one->next->previous = one->previous;
  }
  t->curl->multi_remove_handle(t->multi, one->handle.easy);
  t->curl->easy_setopt(one->handle.easy, CURLOPT_ERRORBUFFER, NULL);
  if (t->idle_count < t->idle_limit) {
    t->idle[t->idle_count++] = one->handle;
  } else {
    free_handle(t->curl, &one->handle);
  }
  response_sink_free(&one->sink);
  free(one);
}

void transport_free(transport *t) {
  if (t == NULL) {
    return;
  }
  while (t->running != NULL) {
    forget(t, t->running);
  }
  while (t->idle_count > 0) {
    free_handle(t->curl, &t->idle[--t->idle_count]);
  }
  if (t->multi != NULL) {
    t->curl->multi_cleanup(t->multi);
  }
  poller_free(&t->poller);
  idle_sockets_free(&t->idle_connections);
  free(t->idle);
  free(t);
}

static size_t on_header(char *data, size_t unit, size_t count, void *context) {
  transfer *one = context;
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
    return fd;
  }
  close(fd);
  return CURL_SOCKET_BAD;
}

static int on_close(void *context, curl_socket_t socket) {
  transport *t = context;
  idle_sockets_remove(&t->idle_connections, socket);
  return close(socket);
}

/* What is the same for all transfers of a handle, which is used for one after the other. */
static CURL *new_easy(transport *t) {
  const lazy_curl *curl = t->curl;
  CURL *easy = curl->easy_init();
  if (easy == NULL) {
    return NULL;
  }
  curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  /* Debian's default directory defeats curl's cache of parsed certificates,
   * which costs 20 ms a connection; the bundle file holds the same ones. */
  curl->easy_setopt(easy, CURLOPT_CAPATH, NULL);
  curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl->easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  curl->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl->easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  curl->easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, t);
  curl->easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  /* What a proxy says before the server is reached is not the server's. */
  curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  /* A hung resolver must not be waited for once the call has ended. */
  curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl->easy_setopt(easy, CURLOPT_USERAGENT, "palenca/" PALENCA_VERSION);
  /* Decoded by response_sink: curl does not see that a compressed body is truncated. */
  curl->easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  if (curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
      curl->easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") != CURLE_OK) {
    curl->easy_cleanup(easy);
    return NULL;
  }
  return easy;
}

static void set_transfer(CURL *easy, transfer *one) {
  const lazy_curl *curl = one->curl;
  curl->easy_setopt(easy, CURLOPT_PRIVATE, one);
  curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, one->message);
  curl->easy_setopt(easy, CURLOPT_HEADERDATA, one);
  curl->easy_setopt(easy, CURLOPT_WRITEDATA, one);
  curl->easy_setopt(easy, CURLOPT_OPENSOCKETDATA, one);
}

static void add_running(transport *t, transfer *one) {
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

/* Where a server permits fewer requests on a connection than are sent at once. Curl would open one
 * for each of the others, for it does not wait for the connection that it opens. */
#define SHARED_CONNECTIONS_MAX 4L

/* Also of those that wait for a connection from now on: only requests that share one do. */
static void bound_connections(transport *t, bool is_shared) {
  if (t->is_shared != is_shared) {
    t->is_shared = is_shared;
    t->curl->multi_setopt(t->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                          is_shared ? SHARED_CONNECTIONS_MAX : 0L);
  }
}

void *transport_start(transport *t, const transport_request *request, void *context,
                      palenca_error *error) {
  if (!palenca_url_check(request->url, error) || !start_curl(t, error)) {
    return NULL;
  }
  transfer *one = calloc(1, sizeof *one);
  if (one == NULL) {
    goto no_memory;
  }
  one->context = context;
  one->ca_file = request->ca_file;
  one->is_https = strncmp(request->url, "https:", 6) == 0;
  response_sink_init(&one->sink, request->header_out, request->body_out);
  one->curl = t->curl;
  one->handle = t->idle_count > 0 ? t->idle[--t->idle_count] : (easy_handle){.easy = new_easy(t)};
  CURL *easy = one->handle.easy;
  if (easy == NULL || !request_options_set(t->curl, easy, &one->handle.lines, request)) {
    goto no_memory;
  }
  set_transfer(easy, one);
  idle_sockets_end_readable(&t->idle_connections);
  if (t->curl->multi_add_handle(t->multi, easy) != CURLM_OK) {
    goto no_memory;
  }
  add_running(t, one);
  bound_connections(t, request->share_connection);
  run_timers(t); /* it gets its connection now, before anything else comes on one */
  return one;
no_memory:
  if (one != NULL) {
    free_handle(t->curl, &one->handle);
    free(one);
  }
  palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
  return NULL;
}

void transport_cancel(transport *t, void *handle) {
  forget(t, handle);
}

int transport_fd(transport *t) {
  return poller_fd(&t->poller);
}

int64_t transport_next_deadline(const transport *t) {
  if (t->wakeup_at < 0) {
    return -1;
  }
  int64_t now = clock_steady_ms();
  return t->wakeup_at > now ? t->wakeup_at - now : 0;
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
  if (transport_next_deadline(t) == 0) {
    run_timers(t);
  }
}

void transport_wait(transport *t, int64_t max_wait, const int *wake_fds, size_t wake_fd_count) {
  poller_wait(&t->poller, max_wait, wake_fds, wake_fd_count);
}

/* A proxy may have been spoken to, and the server's TLS not have been agreed on. */
static bool has_no_tls(const transfer *one) {
  CURL *easy = one->handle.easy;
  curl_off_t handshake = 0;
  long connections = 0;
  one->curl->easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections); /* 0: a reused one */
  one->curl->easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &handshake);
  return one->is_https && connections > 0 && handshake == 0;
}

/* The connection's own failures come before the first byte of the request. */
static bool was_sent(const transfer *one, CURLcode code) {
  long request_bytes = 0;
  if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
      code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR ||
      code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
      has_no_tls(one)) {
    return false;
  }
  if (one->curl->easy_getinfo(one->handle.easy, CURLINFO_REQUEST_SIZE, &request_bytes) !=
      CURLE_OK) {
    return true;
  }
  return request_bytes > 0;
}

static void describe(const transfer *one, CURLcode code, transport_outcome *outcome) {
  const response_sink *sink = &one->sink;
  if (sink->failure.kind != PALENCA_OK) {
    outcome->error = sink->failure;
  } else if ((code == CURLE_OUT_OF_MEMORY || (int)code == CURL_TOO_LARGE) && sink->head->size > 0 &&
             !sink->head_ended) {
    /* how curl says that a line is longer than its buffer for one may be */
    palenca_error_set(&outcome->error, PALENCA_PROTOCOL, "the response's head has a line too long");
  } else if (code == CURLE_OK) {
    palenca_error_set(&outcome->error, PALENCA_NETWORK,
                      "the connection was closed inside the head of the response");
  } else if (code == CURLE_SSL_CACERT_BADFILE) {
    outcome->is_permanent = true;
    palenca_error_set(&outcome->error, PALENCA_NETWORK,
                      "the CA file %.180s cannot be read or holds no certificates",
                      one->ca_file != NULL ? one->ca_file : "of the system");
  } else {
    const char *text = one->message[0] != '\0' ? one->message : one->curl->easy_strerror(code);
    palenca_error_set(&outcome->error, transfer_outcome_kind(code, outcome->sent), "%s", text);
  }
}

/* Nothing of a proxy's response is the server's, and the request has not left. It may be tried
 * again where the proxy did not get through, and not where it rejected the request. */
static bool is_rejected_by_proxy(CURL *easy, transfer *one, transport_outcome *outcome) {
  long status = 0;
  char address[64] = "?", port[8] = "?";
  one->curl->easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
  if (status == 0 || status / 100 == 2 || one->sink.head->size > 0) {
    return false;
  }
  /* curl's own CURLINFO_PRIMARY_IP is empty here in 8.14 */
  (void)getnameinfo((struct sockaddr *)&one->peer, one->peer_size, address, sizeof address, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  outcome->status = 0;
  outcome->sent = false;
  outcome->is_permanent = status / 100 != 5 && status != 408 && status != 429;
  palenca_error_set(&outcome->error, PALENCA_NETWORK,
                    "the proxy at %s port %s rejected the connection with status %ld%s", address,
                    port, status, status == 407 ? " (it requires credentials)" : "");
  return true;
}

/* Watches the connection of a transfer that ended well; curl closes the connection of any other,
 * unless it is HTTP/2. There data may arrive at any time, and curl reads it before it reuses the
 * connection. */
static void record_idle_connection(transport *t, const transfer *one, int http_version) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (http_version != 1 ||
      one->curl->easy_getinfo(one->handle.easy, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK ||
      socket == CURL_SOCKET_BAD) {
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
    memset(outcome, 0, sizeof *outcome);
    outcome->context = one->context;
    outcome->status = (int)status;
    outcome->sent = was_sent(one, code);
    transfer_outcome_measure(t->curl, easy, outcome);
    /* curl takes half a head for a complete response, and half of a compressed body, too */
    bool is_complete = code == CURLE_OK && one->sink.head_ended && response_sink_end(&one->sink);
    if (!is_complete && !is_rejected_by_proxy(easy, one, outcome)) {
      describe(one, code, outcome);
    }
    if (code == CURLE_OK) {
      record_idle_connection(t, one, outcome->http_version);
    }
    forget(t, one);
    return true;
  }
  return false;
}
