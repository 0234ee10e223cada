/* What the files of the transport share: its transfers, and what their ends mean. */
#ifndef PALENCA_TRANSPORT_INTERNAL_H
#define PALENCA_TRANSPORT_INTERNAL_H

#include "curl_request.h"
#include "idle_sockets.h"
#include "kept_servers.h"
#include "lazy_curl.h"
#include "open_sockets.h"
#include "poller.h"
#include "response_sink.h"
#include "transport.h"

#include <sys/socket.h>

#pragma GCC visibility push(hidden)

/* What a transfer that has no request is doing. */
typedef enum {
  NO_PRECONNECT, /* it has a request */
  CONNECTING,
  PARKED, /* it has ended, and keeps its connection from others */
} preconnect_state;

/* Used for one request after the other, as its handle is. */
typedef struct transfer {
  transport *owner;
  const lazy_curl *curl;
  easy_handle handle;
  response_sink sink;
  const char *ca_file; /* the request's */
  const void *tls;     /* its connection's, once the head has come; NULL: none that can be asked */
  bool is_https;
  bool measures;                /* the time of the response */
  uint64_t origin;              /* of the request */
  struct sockaddr_storage peer; /* whom the last connection was opened to; of size 0: none was */
  socklen_t peer_size;
  void *context;
  char message[CURL_ERROR_SIZE];
  preconnect_state preconnect;
  int version;                      /* of HTTP, as agreed on by a preconnect; 0: not known */
  curl_socket_t socket;             /* of one that is parked */
  struct transfer *previous, *next; /* among the running, so that free finds them all */
} transfer;

/* Of a server, while requests are sent that share one. Where it permits fewer requests on a
 * connection than are sent at once, curl would open one for each of the others, for it does not
 * wait for the connection that it opens. */
#define SHARED_CONNECTIONS_MAX 4

struct transport {
  const lazy_curl *curl; /* as `multi` NULL before the first transfer */
  CURLM *multi;
  int max_connections;
  bool is_shared;    /* the last request that was started has share_connection */
  poller poller;     /* watches curl's sockets */
  int64_t wakeup_at; /* when curl must be called even if nothing happens; -1: never */
  transfer *running;
  idle_sockets idle_connections; /* of connections */
  open_sockets open;             /* of all connections */
  CURLSH *sessions;              /* of TLS, which all transfers share; NULL: each has its own */
  transfer **idle;               /* to be used again */
  size_t idle_count, idle_limit;
  kept_servers kept;
  size_t parked;       /* transfers */
  bool no_preconnects; /* this libcurl does not end them before the request */
};

/* ---- transport.c ---- */

/* Starts a transfer; without a context it is a preconnect, of whose request only what is needed to
 * connect counts. */
transfer *transport_begin(transport *t, const transport_request *request, void *context,
                          palenca_error *error);
/* Ends a transfer. */
void transport_forget(transport *t, transfer *one);
/* Ends an idle connection. */
void transport_end_idle(transport *t, int fd);

/* ---- transfer_outcome.c ---- */

/* Describes how a transfer has ended, unless a complete response has arrived. */
void transfer_describe(transfer *one, CURLcode code, transport_outcome *outcome);
/* Whether its request may have reached the server. */
bool transfer_was_sent(const transfer *one, CURLcode code);
/* The version of HTTP and the time of the response. */
void transfer_measure(const transfer *one, transport_outcome *outcome);

/* ---- preconnect.c ---- */

void preconnect_set_options(transfer *one);
/* Opens the connections that are missing. */
void preconnect_run(transport *t);
void preconnect_end(transport *t, transfer *one, CURLcode code);
/* Hands the connections that are parked to the transfers that follow. */
void preconnect_release(transport *t);

#pragma GCC visibility pop

#endif
