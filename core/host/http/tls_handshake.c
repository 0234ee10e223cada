/* Performs the TLS handshake of a connection, and rejects plain HTTP on a TLS port. */
#include "internal.h"

#include <sys/socket.h>

/* It computes for up to a few milliseconds: steps of handshakes in one turn of the loop. */
#define HANDSHAKES_MAX 16
/* The first byte of what a client of TLS sends. */
#define TLS_RECORD_HANDSHAKE 22

/* What the client speaks shows by its first byte, which has to be there before anything is read. */
static bool has_first_byte(http_connection *c, bool *is_plain) {
  unsigned char first = 0;
  *is_plain = false;
  if (c->tls_is_started) {
    return true;
  }
  ssize_t got = recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0) {
    return false;
  }
  *is_plain = got == 1 && first != TLS_RECORD_HANDSHAKE;
  c->tls_is_started = got == 1;
  return true;
}

static void reject_plain(http_connection *c) {
  http_tls_close(c->tls);
  c->tls = NULL;
  c->state = HTTP_STATE_READING;
  http_connection_reject(c, 400, "plain HTTP was sent to a port of TLS");
}

void http_connection_shake_hands(http_connection *c) {
  http_server *server = c->server;
  host_error error;
  bool is_plain;
  if (server->handshakes == HANDSHAKES_MAX || !has_first_byte(c, &is_plain)) {
    return; /* the descriptor stays ready until the next turn, or is not */
  }
  if (is_plain) {
    reject_plain(c);
    return;
  }
  server->handshakes++;
  http_tls_result result = http_tls_handshake(c->tls, &error);
  c->tls_wants_write = result == HTTP_TLS_WANTS_WRITE;
  if (result == HTTP_TLS_DONE) {
    c->state = HTTP_STATE_READING;
  } else if (result == HTTP_TLS_ENDED || result == HTTP_TLS_FAILED) {
    if (c->tls_is_started) {
      http_server_rejected(server, NULL, &c->entry.peer, 400, error.message);
    }
    http_connection_linger(c); /* so that the alert arrives */
  }
}
