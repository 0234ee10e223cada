/* Opens connections before there is a request for them: a transfer ends when it is connected, TLS
 * included, and leaves its connection to the requests that follow. */
#include "clock.h"
#include "protocol/error.h"
#include "tls_session.h"
#include "transport_internal.h"

#include <poll.h>

/* An account, its profile and the first page of its earnings are requested side by side; when the
 * page is there, so are the three others of a year, and the first two may be a moment late. */
#define HTTP1_CONNECTIONS 5

/* Set now, CURLOPT_CONNECT_ONLY ends the transfer well before its request. Set from the beginning
 * it would also keep the connection from all other transfers; CURL_PREREQFUNC_ABORT would close it.
 */
static int on_connected(void *context, char *remote, char *local, int remote_port, int local_port) {
  transfer *one = context;
  (void)remote, (void)local, (void)remote_port, (void)local_port;
  one->tls = one->is_https ? tls_session_of(one->curl, one->handle.easy) : NULL;
  one->version = one->is_https ? tls_session_http_version(one->curl, one->tls) : 1;
  (void)one->curl->easy_setopt(one->handle.easy, CURLOPT_CONNECT_ONLY, 1L);
  return CURL_PREREQFUNC_OK;
}

void preconnect_set_options(transfer *one) {
  CURL *easy = one->handle.easy;
  one->preconnect = CONNECTING;
  one->curl->easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
  one->curl->easy_setopt(easy, CURLOPT_PREREQDATA, one);
  one->curl->easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

/* Leaves its connection to others. */
static void release(transport *t, transfer *one) {
  bool is_http1 = one->version == 1;
  curl_socket_t socket = one->socket;
  t->parked -= one->preconnect == PARKED ? 1 : 0;
  (void)t->curl->easy_setopt(one->handle.easy, CURLOPT_CONNECT_ONLY, 0L);
  transport_forget(t, one);
  if (is_http1) {
    idle_sockets_add(&t->idle_connections, socket);
  }
}

/* libcurl closes the connection of a transfer that is still CURLOPT_CONNECT_ONLY. */
static void close_parked(transport *t, transfer *one) {
  t->parked--;
  transport_forget(t, one);
}

/* What comes before a request is not a response. The tickets of TLS 1.3 have to be read: a socket
 * with something to read is not reused. */
static bool is_quiet(const transfer *one) {
  struct pollfd socket = {.fd = one->socket, .events = POLLIN};
  char byte;
  size_t count = 0;
  if (poll(&socket, 1, 0) <= 0) {
    return true;
  }
  return one->curl->easy_recv(one->handle.easy, &byte, 1, &count) == CURLE_AGAIN;
}

void preconnect_release(transport *t) {
  for (transfer *one = t->running, *next; one != NULL && t->parked > 0; one = next) {
    next = one->next;
    if (one->preconnect == PARKED && is_quiet(one)) {
      release(t, one);
    } else if (one->preconnect == PARKED) {
      close_parked(t, one);
    }
  }
}

/* Until there is a request, a connection of HTTP/1.1 over TLS is parked, so that nothing that comes
 * on it is taken for the response: libcurl reads it by itself with HTTP/2, and a poll sees it
 * without TLS. */
void preconnect_end(transport *t, transfer *one, CURLcode code) {
  long request_bytes = 0;
  uint64_t origin = one->origin;
  int64_t now = clock_steady_ms();
  one->socket = CURL_SOCKET_BAD;
  (void)t->curl->easy_getinfo(one->handle.easy, CURLINFO_REQUEST_SIZE, &request_bytes);
  (void)t->curl->easy_getinfo(one->handle.easy, CURLINFO_ACTIVESOCKET, &one->socket);
  bool is_usable = request_bytes == 0 && one->socket != CURL_SOCKET_BAD && one->version > 0;
  t->no_preconnects = t->no_preconnects || (code == CURLE_OK && !is_usable);
  if (code != CURLE_OK || !is_usable) {
    transport_forget(t, one);
    return;
  }
  open_sockets_use(&t->open, one->socket, one->version, one->tls, now);
  if (one->version == 1 && one->is_https) {
    one->preconnect = PARKED;
    t->parked++;
  } else {
    release(t, one);
  }
  kept_servers_recheck(&t->kept, origin, now);
}

static void close_unusable(transport *t) {
  for (transfer *one = t->running, *next; one != NULL && t->parked > 0; one = next) {
    next = one->next;
    if (one->preconnect == PARKED && (t->kept.count == 0 || !is_quiet(one))) {
      close_parked(t, one);
    }
  }
}

static bool is_connecting(const transport *t, uint64_t origin) {
  const transfer *one = t->running;
  while (one != NULL && (one->preconnect != CONNECTING || one->origin != origin)) {
    one = one->next;
  }
  return one != NULL;
}

static void open_missing(transport *t, kept_server *to, int64_t now) {
  int fd;
  /* libcurl would close an idle connection for one more */
  size_t wanted = t->is_shared ? SHARED_CONNECTIONS_MAX : HTTP1_CONNECTIONS;
  /* libcurl 7.88 would use one of HTTP/2 again */
  while ((fd = open_sockets_closed(&t->open, to->origin, &t->poller)) >= 0) {
    transport_end_idle(t, fd);
  }
  size_t missing = open_sockets_missing(&t->open, to->origin, wanted, now);
  while (missing > 0 && kept_server_may_connect(to, now) &&
         transport_begin(t, &to->request, NULL, NULL) != NULL) {
    missing--;
  }
}

void preconnect_run(transport *t) {
  kept_server *one;
  int64_t now = clock_steady_ms();
  close_unusable(t);
  while ((one = kept_servers_due(&t->kept, now)) != NULL) {
    if (!t->no_preconnects && !is_connecting(t, one->origin)) {
      open_missing(t, one, now);
    }
  }
}

bool transport_preconnect(transport *t, const transport_request *request, int64_t for_ms,
                          palenca_error *error) {
  int64_t now = clock_steady_ms();
  uint64_t origin = open_sockets_origin(request);
  if (!palenca_url_check(request->url, error)) {
    return false;
  }
  if (!kept_servers_add(&t->kept, request, origin, now + for_ms, now)) {
    return palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
  }
  return true;
}
