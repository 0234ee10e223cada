/* The ends of connections: rejections of the server's own, timeouts, and what is owed to a peer
 * that may still be sending.
 *
 * A socket that is closed while its peer sends resets the connection, and a reset can overtake the
 * response. So the sending side is ended first, and what comes is read and discarded for a while.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#define LINGER_MAX 256
#define LINGER_MS 5000
/* In one turn of the loop: those that have waited since the same time must not hold up others. */
#define ENDS_MAX 32
/* When the server ends: for a peer to read its response, and to close after it. The latter is less
 * than what an owner waits for the server to be closed. */
#define ENDING_SENT_MS 1000
#define ENDING_LINGER_MS 500
/* What a client has sent while the process was stopped is more than one turn reads. */
#define READS_BEFORE_TIMEOUT 64

void http_connection_reject(http_connection *c, int status, const char *reason) {
  http_exchange *exchange = &c->exchange;
  http_server_rejected(c->server, exchange->has_head ? exchange : NULL, &c->entry.peer, status,
                       reason);
  c->closes = c->is_rejected = true;
  c->state = HTTP_STATE_HANDLING;
  http_exchange_reject(exchange, status, reason);
  http_connection_respond(c);
}

static http_connection *oldest(const http_server *server, http_wait wait) {
  return (http_connection *)(void *)server->connections.waits[wait].oldest;
}

void http_connection_linger(http_connection *c) {
  http_server *server = c->server;
  bool is_read = c->client_closes && !c->is_rejected && c->rest_size == 0;
  if (c->is_ended || is_read || server->is_closing) {
    if (c->tls != NULL) {
      http_transport_shutdown(c);
    }
    http_connection_close(c);
    return;
  }
  server->rejections += c->is_rejected;
  if (server->connections.waits[HTTP_WAIT_LINGER].count >= LINGER_MAX) {
    http_connection_close(oldest(server, HTTP_WAIT_LINGER));
  }
  http_transport_shutdown(c);
  c->state = HTTP_STATE_LINGERING;
  c->rest_size = 0;
  http_output_clear(&c->output);
  http_connections_remove(&server->connections, &c->entry);
  http_connection_update(c);
}

/* ---- timeouts ---------------------------------------------------------------------------- */

static int64_t timeout_of(const http_server *server, http_wait wait) {
  switch (wait) {
  case HTTP_WAIT_REQUEST:
    return server->options.request_ms;
  case HTTP_WAIT_LINGER:
    return LINGER_MS;
  default:
    return server->options.idle_ms;
  }
}

/* That of the oldest entry is the first. */
static int64_t deadline_of(const http_server *server, const http_entry *entry) {
  int64_t deadline = entry->since + timeout_of(server, entry->wait);
  if (!server->is_ending || (entry->wait != HTTP_WAIT_SENT && entry->wait != HTTP_WAIT_LINGER)) {
    return deadline;
  }
  int64_t since = entry->since > server->ending_at ? entry->since : server->ending_at;
  int64_t ending = since + (entry->wait == HTTP_WAIT_SENT ? ENDING_SENT_MS : ENDING_LINGER_MS);
  return ending < deadline ? ending : deadline;
}

static void end(http_connection *c, http_wait wait) {
  static const char late[] = "the request did not arrive in time";
  bool is_request = c->exchange.is_started || (c->has_input && !c->was_used);
  if (wait == HTTP_WAIT_REQUEST && c->state == HTTP_STATE_READING && is_request) {
    http_connection_reject(c, 408, late);
    http_connection_update(c);
    return;
  }
  if (c->state == HTTP_STATE_HANDSHAKE && c->tls_is_started) {
    http_server_rejected(c->server, NULL, &c->entry.peer, 408,
                         "the handshake of TLS did not end in time");
  }
  if (c->tls != NULL && wait == HTTP_WAIT_NEXT) {
    http_transport_shutdown(c);
  }
  http_connection_close(c);
}

/* The process may have been stopped for longer than a timeout: what is ready counts, unless it is
 * only discarded. */
static void judge(http_connection *c, http_wait wait) {
  int64_t since = c->entry.since;
  if (wait == HTTP_WAIT_LINGER) {
    http_connection_close(c);
    return;
  }
  for (int i = 0; i < READS_BEFORE_TIMEOUT; i++) {
    c->server->handshakes = 0;
    bool any = http_connection_advance(c);
    if (c->state == HTTP_STATE_CLOSED || c->entry.wait != wait || c->entry.since != since) {
      return;
    }
    if (!any) {
      break;
    }
  }
  end(c, wait);
}

void http_connections_end_overdue(http_server *server) {
  int ends = 0;
  for (http_wait wait = HTTP_WAIT_REQUEST; wait < HTTP_WAIT_NOTHING; wait++) {
    http_connection *c;
    while (ends < ENDS_MAX && (c = oldest(server, wait)) != NULL &&
           deadline_of(server, &c->entry) <= http_server_now(server)) {
      judge(c, wait);
      ends++;
    }
  }
}

void http_server_read_waiting(http_server *server) {
  static const http_wait waits[] = {HTTP_WAIT_REQUEST, HTTP_WAIT_NEXT};
  for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
    http_entry *next;
    for (http_entry *entry = server->connections.waits[waits[i]].oldest; entry != NULL;
         entry = next) {
      next = entry->newer; /* it may leave the list, but no other one does */
      server->handshakes = 0;
      (void)http_connection_advance((http_connection *)(void *)entry);
    }
  }
}

int64_t http_connections_next_timeout(const http_server *server) {
  int64_t next = INT64_MAX;
  for (http_wait wait = HTTP_WAIT_REQUEST; wait < HTTP_WAIT_NOTHING; wait++) {
    const http_entry *entry = server->connections.waits[wait].oldest;
    if (entry != NULL && deadline_of(server, entry) < next) {
      next = deadline_of(server, entry);
    }
  }
  return next;
}
