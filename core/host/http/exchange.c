/* Holds one request and its response: what a handler reads of the one and sends as the other, at
 * once or later from another thread. */
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Memory of a body that is reused for the next request of the connection. */
#define KEEP_MAX ((size_t)1024)

/* ---- the request ------------------------------------------------------------------------- */

void *http_exchange_context(const http_exchange *exchange) {
  return http_connection_of(exchange)->server->options.context;
}

const char *http_exchange_method(const http_exchange *exchange) {
  return http_parser_method(&http_connection_of(exchange)->parser);
}

const char *http_exchange_path(const http_exchange *exchange) {
  return http_parser_path(&http_connection_of(exchange)->parser);
}

const char *http_exchange_query(const http_exchange *exchange) {
  return http_parser_query(&http_connection_of(exchange)->parser);
}

const char *http_exchange_body(const http_exchange *exchange, size_t *size) {
  *size = exchange->body.size;
  return exchange->body.size > 0 ? exchange->body.data : "";
}

const net_address *http_exchange_peer(const http_exchange *exchange) {
  return &http_connection_of(exchange)->entry.peer;
}

void http_exchange_headers(const http_exchange *exchange,
                           void (*each)(void *context, const char *name, const char *value),
                           void *context) {
  const http_parser *parser = &http_connection_of(exchange)->parser;
  size_t count = http_parser_header_count(parser);
  for (size_t i = 0; i < count; i++) {
    each(context, http_parser_header_name(parser, i), http_parser_header_value(parser, i));
  }
}

size_t http_exchange_values(const http_exchange *exchange, const char *name, const char **values,
                            size_t max) {
  const http_parser *parser = &http_connection_of(exchange)->parser;
  size_t count = http_parser_header_count(parser);
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    if (strcasecmp(http_parser_header_name(parser, i), name) != 0) {
      continue;
    }
    if (found < max) {
      values[found] = http_parser_header_value(parser, i);
    }
    found++;
  }
  return found;
}

void http_exchange_stream_body(http_exchange *exchange) {
  exchange->streams_body = true;
}

/* ---- its beginning and end --------------------------------------------------------------- */

void http_exchange_uncount(http_exchange *exchange) {
  http_server *server = http_connection_of(exchange)->server;
  server->active -= exchange->is_started;
  server->complete -= exchange->is_complete;
  exchange->is_started = exchange->is_complete = false;
}

void http_exchange_reset(http_exchange *exchange) {
  palenca_buffer body = exchange->body;
  if (exchange->file >= 0) {
    close(exchange->file);
  }
  http_response_free(exchange->response);
  if (body.capacity > KEEP_MAX) {
    palenca_buffer_free(&body);
  }
  body.size = 0;
  *exchange = (http_exchange){.file = -1, .body = body};
}

/* ---- the choice of a response -------------------------------------------------------------- */

void http_exchange_defer(http_exchange *exchange) {
  http_server *server = http_connection_of(exchange)->server;
  exchange->is_deferred = true;
  server->deferred++;
  server->made_progress = true;
}

bool http_exchange_is_abandoned(const http_exchange *exchange) {
  return exchange->is_abandoned;
}

/* A response is sent on the loop's thread: its structures are that one's alone. */
static void return_to_loop(http_exchange *exchange) {
  http_server *server = http_connection_of(exchange)->server;
  pthread_mutex_lock(&server->mutex);
  bool is_first = server->responded == NULL;
  bool is_own = server->has_thread && pthread_equal(server->thread, pthread_self());
  bool is_awake = is_own && server->is_in_turn;
  exchange->next_responded = NULL;
  *(is_first ? &server->responded : &server->responded_end->next_responded) = exchange;
  server->responded_end = exchange;
  if (is_first && !is_awake) {
    (void)uv_async_send(&server->wake);
  }
  pthread_mutex_unlock(&server->mutex);
}

/* Without a response the connection is closed. */
static void choose(http_exchange *exchange, http_response *response) {
  exchange->response = response;
  exchange->choice = response != NULL ? HTTP_RESPONDED : HTTP_ABORTED;
  if (exchange->is_deferred) {
    return_to_loop(exchange);
  }
}

/* If memory is exhausted, it is the response that was made for that when the server started. */
static void choose_made(http_exchange *exchange, http_response *response) {
  if (response != NULL) {
    choose(exchange, response);
  } else {
    http_exchange_send_shared(exchange, http_connection_of(exchange)->server->out_of_memory);
  }
}

void http_exchange_respond(http_exchange *exchange, int status, const http_header *headers,
                           size_t header_count, const char *body, size_t body_size) {
  choose_made(exchange, http_response_new(status, headers, header_count, body, body_size));
}

void http_exchange_respond_truncated(http_exchange *exchange, int status,
                                     const http_header *headers, size_t header_count,
                                     const char *body, size_t body_size) {
  http_response *response =
      http_response_make(status, headers, header_count, body, body_size, body_size / 2);
  if (response != NULL) {
    response->is_truncated = true;
  }
  choose_made(exchange, response);
}

void http_exchange_abort(http_exchange *exchange) {
  choose(exchange, NULL);
}

void http_exchange_reject(http_exchange *exchange, int status, const char *reason) {
  char body[512];
  http_header type = {"Content-Type", "application/json"};
  snprintf(body, sizeof body, "{\"error\":\"%s\"}\n", reason);
  http_exchange_respond(exchange, status, &type, 1, body, strlen(body));
}

void http_exchange_send_shared(http_exchange *exchange, http_response *response) {
  (void)atomic_fetch_add(&response->uses, 1);
  choose(exchange, response);
}

void http_exchange_respond_file(http_exchange *exchange, int status, const http_header *headers,
                                size_t header_count, int fd, int64_t offset, int64_t size) {
  http_response *response = http_response_new(status, headers, header_count, "", 0);
  if (response != NULL) {
    response->size = size > 0 ? (uint64_t)size : 0;
    exchange->file = fd;
    exchange->file_offset = offset;
  } else {
    close(fd);
  }
  choose_made(exchange, response);
}

/* ---- responses of other threads -------------------------------------------------------------- */

static void send_responded(http_exchange *exchange) {
  http_connection *c = http_connection_of(exchange);
  c->server->deferred--;
  exchange->is_deferred = false;
  if (c->state == HTTP_STATE_CLOSED) {
    http_connection_free_if_done(c);
  } else {
    http_connection_respond(c);
    http_connection_resume(c);
  }
}

void http_exchanges_send_responded(http_server *server) {
  pthread_mutex_lock(&server->mutex);
  http_exchange *next = server->responded;
  server->responded = server->responded_end = NULL;
  pthread_mutex_unlock(&server->mutex);
  while (next != NULL) {
    http_exchange *exchange = next;
    next = exchange->next_responded;
    send_responded(exchange);
  }
}
