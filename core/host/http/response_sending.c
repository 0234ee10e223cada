/* Sends responses: at once, from a file, or in pieces. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* "fffffff\r\n" and more. */
#define CHUNK_START 24

static bool is_head(const http_connection *c) {
  return c->exchange.has_head && strcmp(http_parser_method(&c->parser), "HEAD") == 0;
}

static bool is_old(const http_connection *c) {
  return c->exchange.has_head && http_parser_minor_version(&c->parser) == 0;
}

static size_t write_start(http_connection *c, int status, http_framing framing, uint64_t size,
                          char out[HTTP_START_SIZE]) {
  if (!c->exchange.is_complete || framing == HTTP_FRAMING_CLOSE || c->server->is_ending) {
    c->closes = true;
  }
  if (c->server->options.on_response != NULL) {
    c->server->options.on_response(c->server->options.context, status);
  }
  http_response_start start = {
      .status = status,
      .framing = http_status_has_body(status) ? framing : HTTP_FRAMING_NONE,
      .size = size,
      .closes = c->closes,
      .keeps_alive = is_old(c),
  };
  return http_response_write_start(&start, http_server_date(c->server), out);
}

/* ---- in one go ----------------------------------------------------------------------------- */

static void send_response(http_connection *c, http_response *response) {
  char start[HTTP_START_SIZE];
  http_exchange *exchange = &c->exchange;
  bool has_body = !is_head(c);
  int file = exchange->file;
  uint64_t size = response->size;
  size_t start_size = write_start(c, response->status, HTTP_FRAMING_LENGTH, size, start);
  c->closes = c->closes || response->is_truncated;
  c->state = HTTP_STATE_SENDING;
  http_sending sending = http_output_send(c, start, start_size, response, response->data,
                                          has_body ? response->data_size : response->head_size);
  if (file >= 0 && has_body && size > 0 && sending != HTTP_BROKEN) {
    exchange->file = -1;
    sending = http_output_add_file(c, file, exchange->file_offset, size) ? http_output_flush(c)
                                                                         : HTTP_BROKEN;
  }
  http_connection_sent(c, sending);
}

void http_connection_respond(http_connection *c) {
  http_exchange *exchange = &c->exchange;
  if (exchange->is_deferred || exchange->is_piecewise || c->state == HTTP_STATE_CLOSED) {
    return;
  }
  if (exchange->choice != HTTP_RESPONDED) {
    http_connection_close(c);
  } else {
    send_response(c, exchange->response);
  }
}

/* The kernel has all of the response. */
static void finish(http_connection *c) {
  http_exchange_uncount(&c->exchange);
  http_exchange_reset(&c->exchange);
  if (c->closes) {
    http_connection_linger(c);
    return;
  }
  http_parser_next(&c->parser);
  http_connections_wait(&c->server->connections, &c->entry, HTTP_WAIT_NOTHING, 0);
  c->was_used = true;
  c->state = HTTP_STATE_READING;
}

void http_connection_sent(http_connection *c, http_sending sending) {
  const http_server_options *options = &c->server->options;
  http_exchange *exchange = &c->exchange;
  if (sending == HTTP_BROKEN) {
    http_connection_close(c);
  } else if (sending == HTTP_SENT && c->state == HTTP_STATE_SENDING) {
    finish(c);
  } else if (sending == HTTP_SENT && exchange->waits_writable) {
    exchange->waits_writable = false;
    if (options->on_writable != NULL) {
      options->on_writable(options->context, exchange);
    }
  }
}

/* ---- in pieces ------------------------------------------------------------------------------- */

/* Calls that come when the connection is gone, or from a callback in which it is going, do
 * nothing. */
static bool is_open(const http_connection *c) {
  return c->exchange.is_piecewise && c->state != HTTP_STATE_CLOSED;
}

static void send_piece(http_connection *c, const char *start, size_t start_size, const char *data,
                       size_t size) {
  http_connection_sent(c, http_output_send(c, start, start_size, NULL, data, size));
}

void http_exchange_begin(http_exchange *exchange, int status, const http_header *headers,
                         size_t header_count, int64_t size) {
  char start[HTTP_START_SIZE];
  http_connection *c = http_connection_of(exchange);
  http_framing framing = size >= 0   ? HTTP_FRAMING_LENGTH
                         : is_old(c) ? HTTP_FRAMING_CLOSE
                                     : HTTP_FRAMING_CHUNKED;
  http_response *head = http_response_new(status, headers, header_count, "", 0);
  exchange->response = head;
  exchange->choice = head != NULL ? HTTP_RESPONDED : HTTP_ABORTED;
  if (head == NULL) {
    return;
  }
  if (exchange->is_deferred) {
    exchange->is_deferred = false;
    c->server->deferred--;
  }
  exchange->is_piecewise = true;
  exchange->has_body = !is_head(c) && http_status_has_body(status);
  exchange->is_chunked = framing == HTTP_FRAMING_CHUNKED;
  exchange->left = size > 0 ? (uint64_t)size : 0;
  exchange->has_size = size >= 0;
  size_t start_size = write_start(c, status, framing, exchange->left, start);
  send_piece(c, start, start_size, head->data, head->head_size);
}

bool http_exchange_write(http_exchange *exchange, const char *data, size_t size) {
  char start[CHUNK_START];
  http_connection *c = http_connection_of(exchange);
  int start_size = 0;
  if (!is_open(c) || size == 0 || !exchange->has_body) {
    return true;
  }
  if (exchange->has_size && size > exchange->left) {
    size = (size_t)exchange->left;
  }
  exchange->left -= exchange->has_size ? size : 0;
  if (exchange->is_chunked) {
    start_size = snprintf(start, sizeof start, "%zx\r\n", size);
  }
  send_piece(c, start, (size_t)start_size, data, size);
  if (exchange->is_chunked && is_open(c)) {
    send_piece(c, "\r\n", 2, NULL, 0);
  }
  exchange->waits_writable = is_open(c) && c->output.memory > HTTP_OUTPUT_MAX;
  return !exchange->waits_writable;
}

void http_exchange_end(http_exchange *exchange) {
  http_connection *c = http_connection_of(exchange);
  if (!is_open(c)) {
    return;
  }
  if (exchange->has_body && exchange->has_size && exchange->left > 0) {
    exchange->is_piecewise = false;
    http_connection_close(c);
    return;
  }
  bool is_chunked = exchange->is_chunked && exchange->has_body;
  exchange->is_piecewise = exchange->waits_writable = false;
  c->state = HTTP_STATE_SENDING;
  send_piece(c, "0\r\n\r\n", is_chunked ? 5 : 0, NULL, 0);
  http_server_queue(c); /* what has come after the request */
}
