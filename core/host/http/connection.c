/* Runs one connection: reads, has a request parsed, hands it over, sends the response. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of one connection in a row, so that one that sends without end does not hold others up. */
#define READS_MAX 4
/* Of what comes after a rejection or the last response, beyond the size of the largest body. */
#define DISCARD_MAX ((uint64_t)1024 * 1024)

static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* ---- memory ------------------------------------------------------------------------------ */

static bool lend_head(http_connection *c) {
  http_server *server = c->server;
  if (c->head != NULL) {
    return true;
  }
  if (server->spare_head_count > 0) {
    c->head = server->spare_heads[--server->spare_head_count];
  } else {
    c->head = malloc(http_parser_buffer_size(&server->limits));
  }
  http_parser_set_buffer(&c->parser, c->head);
  return c->head != NULL;
}

static void release_head(http_connection *c) {
  http_server *server = c->server;
  if (c->head == NULL) {
    return;
  }
  if (server->spare_head_count < HTTP_SPARE_MAX && !server->is_closing) {
    server->spare_heads[server->spare_head_count++] = c->head;
  } else {
    free(c->head);
  }
  c->head = NULL;
}

static void discard_rest(http_connection *c) {
  free(c->rest);
  c->rest = NULL;
  c->rest_at = c->rest_size = 0;
}

static bool save_rest(http_connection *c, const char *data, size_t size) {
  c->rest = malloc(size);
  if (c->rest == NULL) {
    return false;
  }
  memcpy(c->rest, data, size);
  c->rest_at = 0;
  c->rest_size = size;
  return true;
}

void http_connection_free_if_done(http_connection *c) {
  http_server *server = c->server;
  if (!c->is_handle_closed || c->is_queued || c->exchange.is_deferred) {
    return;
  }
  http_connections_remove(&server->connections, &c->entry);
  release_head(c);
  http_exchange_reset(&c->exchange);
  palenca_buffer_free(&c->exchange.body);
  free(c);
  server->live--;
  http_server_connection_freed(server);
}

/* ---- parsing ------------------------------------------------------------------------------- */

static void on_head(http_connection *c) {
  const http_server_options *options = &c->server->options;
  http_exchange *exchange = &c->exchange;
  exchange->has_head = true;
  c->client_closes = !http_parser_keep_alive(&c->parser);
  c->closes = c->closes || c->client_closes || c->server->is_ending;
  c->owes_continue = http_parser_expects_continue(&c->parser);
  if (options->on_head != NULL) {
    options->on_head(options->context, exchange);
  }
  if (c->state != HTTP_STATE_READING || exchange->choice == HTTP_UNDECIDED) {
    return;
  }
  c->is_rejected = true;
  c->state = HTTP_STATE_HANDLING;
  http_connection_respond(c);
}

static void on_body(http_connection *c) {
  const http_server_options *options = &c->server->options;
  http_exchange *exchange = &c->exchange;
  http_span part = http_parser_body(&c->parser);
  c->owes_continue = false;
  if (!exchange->streams_body) {
    if (!palenca_buffer_append(&exchange->body, part.data, part.size)) {
      http_connection_reject(c, 503, "out of memory");
    }
  } else if (!options->on_body(options->context, exchange, part.data, part.size)) {
    http_connection_close(c);
  }
}

static void on_complete(http_connection *c) {
  http_server *server = c->server;
  c->exchange.is_complete = true;
  server->complete++;
  c->turn = server->turn;
  c->owes_continue = false;
  c->state = HTTP_STATE_HANDLING;
  server->options.on_request(server->options.context, &c->exchange);
  if (c->state == HTTP_STATE_HANDLING) {
    http_connection_respond(c);
  }
}

static void on_event(http_connection *c, http_event event) {
  const http_rejection *rejection;
  switch (event) {
  case HTTP_EVENT_HEAD:
    on_head(c);
    break;
  case HTTP_EVENT_BODY:
    on_body(c);
    break;
  case HTTP_EVENT_COMPLETE:
    on_complete(c);
    break;
  case HTTP_EVENT_REJECTED:
    rejection = http_parser_rejection(&c->parser);
    c->exchange.has_head = rejection->has_head;
    http_connection_reject(c, rejection->status, rejection->reason);
    break;
  case HTTP_EVENT_NEED_MORE:
    break;
  }
}

static void count_request(http_connection *c) {
  http_server *server = c->server;
  if (c->exchange.is_started || http_parser_phase(&c->parser) == HTTP_PHASE_IDLE) {
    return;
  }
  c->exchange.is_started = true;
  server->active++;
  http_connections_wait(&server->connections, &c->entry, HTTP_WAIT_REQUEST,
                        http_server_now(server));
}

/* One request of a connection is taken in each turn, so that a pipeline of requests that are
 * responded to at once does not hold others up. */
static bool is_others_turn(const http_connection *c) {
  return c->turn == c->server->turn && http_parser_phase(&c->parser) == HTTP_PHASE_IDLE;
}

/* Returns how many bytes were taken. Others belong to the requests after this one. */
static size_t feed(http_connection *c, const char *data, size_t size) {
  http_event event = HTTP_EVENT_NEED_MORE;
  size_t done = 0;
  bool was_started = c->exchange.is_started;
  if (is_others_turn(c)) {
    return 0;
  }
  while (c->state == HTTP_STATE_READING && (done < size || event != HTTP_EVENT_NEED_MORE)) {
    size_t consumed = 0;
    if (!lend_head(c)) {
      http_connection_reject(c, 503, "out of memory");
      break;
    }
    event = http_parser_feed(&c->parser, data + done, size - done, &consumed);
    done += consumed;
    count_request(c);
    on_event(c, event);
    if (event == HTTP_EVENT_COMPLETE) {
      break;
    }
  }
  if (c->state == HTTP_STATE_READING && c->exchange.is_started && !was_started) {
    c->server->made_progress = true; /* the rest of it may be there soon */
  }
  if (c->state == HTTP_STATE_READING && c->owes_continue) {
    c->owes_continue = false;
    http_connection_sent(c, http_output_send(c, go_on, sizeof go_on - 1, NULL, NULL, 0));
  }
  return done;
}

static void feed_rest(http_connection *c) {
  if (c->state == HTTP_STATE_READING && c->rest_size > 0) {
    size_t done = feed(c, c->rest + c->rest_at, c->rest_size);
    if (c->state != HTTP_STATE_LINGERING && c->state != HTTP_STATE_CLOSED) {
      c->rest_at += done;
      c->rest_size -= done;
    } /* otherwise it was discarded */
  }
  if (c->rest_size == 0 && c->rest != NULL) {
    discard_rest(c);
  }
  if (c->state != HTTP_STATE_READING) {
    return;
  }
  if (c->rest_size > 0) {
    http_server_queue(c);
  } else if (c->is_ended) {
    http_connection_close(c);
  }
}

/* ---- reading ------------------------------------------------------------------------------- */

/* What comes is of no use any more, and read only so that the response reaches the peer. */
static bool discards(const http_connection *c) {
  return c->is_rejected || c->state == HTTP_STATE_LINGERING;
}

/* A peer that continues to send after it was rejected would cost as much as it can send. */
static bool has_discarded_enough(const http_connection *c) {
  return discards(c) && c->discarded >= c->server->limits.max_body + DISCARD_MAX;
}

/* What is not read any more fills the kernel's buffer, which would have grown. The response is
 * there for the peer to read until the connection is closed. */
static void discard(http_connection *c, size_t size) {
  int room = 0; /* the system's min */
  c->discarded += size;
  if (has_discarded_enough(c)) {
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  }
}

/* While a response is on its way, and while what has come after its request waits, the peer is not
 * read from. */
static bool reads(const http_connection *c) {
  if (c->is_ended || c->rest_size > 0 || has_discarded_enough(c)) {
    return false;
  }
  if (c->state == HTTP_STATE_READING || c->state == HTTP_STATE_LINGERING) {
    return true;
  }
  if (c->state == HTTP_STATE_HANDLING || c->state == HTTP_STATE_SENDING) {
    return c->is_rejected || http_output_is_empty(&c->output);
  }
  return false;
}

static void take(http_connection *c, const char *data, size_t size) {
  size_t done = 0;
  if (discards(c)) {
    discard(c, size);
    return;
  }
  c->has_input = true;
  if (c->state == HTTP_STATE_READING) {
    done = feed(c, data, size);
  }
  bool is_open = c->state != HTTP_STATE_LINGERING && c->state != HTTP_STATE_CLOSED;
  if (!is_open || c->is_rejected || done == size) {
    return;
  }
  if (!save_rest(c, data + done, size - done)) {
    http_connection_close(c);
  } else if (c->state == HTTP_STATE_READING) {
    http_server_queue(c);
  }
}

/* The peer sends no more, but may still read. */
static void end_input(http_connection *c) {
  c->is_ended = c->closes = true;
  c->exchange.is_abandoned = true;
  if (c->state == HTTP_STATE_READING || c->state == HTTP_STATE_LINGERING) {
    http_connection_close(c);
  }
}

/* Returns whether there was anything. */
static bool read_input(http_connection *c) {
  http_server *server = c->server;
  bool any = false;
  for (int i = 0; i < READS_MAX && reads(c) && (i == 0 || !discards(c)); i++) {
    ptrdiff_t got = http_transport_read(c, server->input, sizeof server->input);
    if (got == HTTP_AGAIN) {
      return any;
    }
    any = true;
    if (got == HTTP_FAILED) {
      http_connection_close(c);
    } else if (got == 0) {
      end_input(c);
    } else {
      take(c, server->input, (size_t)got);
      if ((size_t)got < sizeof server->input && c->tls == NULL) {
        return true;
      }
    }
  }
  if (c->state != HTTP_STATE_LINGERING && reads(c) && c->tls != NULL &&
      http_tls_has_pending(c->tls)) {
    http_server_queue(c);
  }
  return any;
}

/* ---- progress ------------------------------------------------------------------------------ */

bool http_connection_advance(http_connection *c) {
  if (c->state == HTTP_STATE_HANDSHAKE) {
    http_connection_shake_hands(c);
  }
  if (c->state != HTTP_STATE_CLOSED && !http_output_is_empty(&c->output)) {
    http_connection_sent(c, http_output_flush(c));
  }
  feed_rest(c);
  bool any = read_input(c);
  http_connection_update(c);
  return any;
}

void http_connection_resume(http_connection *c) {
  feed_rest(c);
  if (reads(c) && c->tls != NULL && http_tls_has_pending(c->tls)) {
    (void)read_input(c);
  }
  http_connection_update(c);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
  http_connection *c = handle->data;
  (void)events;
  c->server->is_in_turn = true;
  if (status < 0) {
    http_connection_close(c);
  } else if (c->state == HTTP_STATE_LINGERING) {
    /* what is only discarded can wait, without being reported in each turn */
    http_server_queue_discarding(c);
    http_connection_update(c);
  } else {
    (void)http_connection_advance(c);
  }
}

static int interest_of(const http_connection *c) {
  int events = 0;
  if (c->state == HTTP_STATE_HANDSHAKE) {
    return c->tls_wants_write ? UV_WRITABLE : UV_READABLE;
  }
  if (c->state == HTTP_STATE_LINGERING && c->is_queued) {
    return 0;
  }
  if (reads(c)) { /* what is there cannot be read before TLS has written what it has to */
    events |= c->tls_wants_write && c->state != HTTP_STATE_LINGERING ? UV_WRITABLE : UV_READABLE;
  }
  if (!http_output_is_empty(&c->output)) {
    events |= UV_WRITABLE;
  }
  return events;
}

static http_wait wait_of(const http_connection *c) {
  switch (c->state) {
  case HTTP_STATE_HANDSHAKE:
    return HTTP_WAIT_REQUEST;
  case HTTP_STATE_READING:
    return c->exchange.is_started || !c->was_used ? HTTP_WAIT_REQUEST : HTTP_WAIT_NEXT;
  case HTTP_STATE_LINGERING:
    return HTTP_WAIT_LINGER;
  default:
    return http_output_is_empty(&c->output) ? HTTP_WAIT_NOTHING : HTTP_WAIT_SENT;
  }
}

void http_connection_update(http_connection *c) {
  http_server *server = c->server;
  if (c->state == HTTP_STATE_CLOSED) {
    return;
  }
  if (c->state == HTTP_STATE_LINGERING ||
      (c->state == HTTP_STATE_READING && http_parser_phase(&c->parser) == HTTP_PHASE_IDLE)) {
    release_head(c);
  }
  http_wait wait = wait_of(c);
  if (wait != c->entry.wait) {
    http_connections_wait(&server->connections, &c->entry, wait, http_server_now(server));
  }
  int interest = interest_of(c);
  if (interest == c->interest) {
    return;
  }
  c->interest = interest;
  if ((interest != 0 ? uv_poll_start(&c->poll, interest, on_poll) : uv_poll_stop(&c->poll)) != 0) {
    http_connection_close(c);
  }
}

http_connection *http_connection_new(http_server *server, int fd, const net_address *peer) {
  http_connection *c = calloc(1, sizeof *c);
  if (c == NULL) {
    return NULL;
  }
  c->server = server;
  c->fd = fd;
  c->entry.peer = *peer;
  c->exchange.file = -1;
  c->exchange.body.limit = server->limits.max_body; /* which the parser keeps to */
  c->turn = server->turn - 1;
  c->state = server->has_tls ? HTTP_STATE_HANDSHAKE : HTTP_STATE_READING;
  c->tls = http_server_open_tls(server, fd, &c->tls_reads);
  http_connections_init(&c->entry);
  http_output_init(&c->output);
  http_parser_init(&c->parser, &server->limits);
  if ((server->has_tls && c->tls == NULL) || uv_poll_init(server->loop, &c->poll, fd) != 0) {
    http_tls_close(c->tls);
    free(c);
    return NULL;
  }
  c->poll.data = c;
  server->live++;
  return c;
}

static void on_handle_closed(uv_handle_t *handle) {
  http_connection *c = handle->data;
  c->is_handle_closed = true;
  http_connection_free_if_done(c);
}

void http_connection_close(http_connection *c) {
  http_server *server = c->server;
  http_exchange *exchange = &c->exchange;
  if (c->state == HTTP_STATE_CLOSED) {
    return;
  }
  c->state = HTTP_STATE_CLOSED;
  exchange->is_abandoned = true;
  http_connections_wait(&server->connections, &c->entry, HTTP_WAIT_NOTHING, 0);
  if (!exchange->is_deferred) { /* its request takes memory until it is responded to */
    http_connections_remove(&server->connections, &c->entry);
  }
  if (exchange->is_piecewise && server->options.on_abandoned != NULL) {
    server->options.on_abandoned(server->options.context, exchange);
  }
  http_exchange_uncount(exchange);
  uv_close((uv_handle_t *)&c->poll, on_handle_closed);
  http_tls_close(c->tls);
  c->tls = NULL;
  close(c->fd);
  http_output_clear(&c->output);
  discard_rest(c);
}
