/* One request and its answer, between libmicrohttpd and who answers. */
#include "http_head.h"
#include "http_parts.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of a body that is too large so much is read and dropped, to get the answer across. */
#define DISCARD_MAX ((size_t)4 * 1024 * 1024)
/* A body's memory that is kept for the next request. */
#define KEEP_MAX ((size_t)8 * 1024)
#define FIRST_BODY ((size_t)1024)

struct http_answer {
  int status;
  struct MHD_Response *response;
  atomic_size_t uses; /* whoever made it, and each exchange that was given it */
};

static const char too_large_body[] = "the body is too large";
static const char too_large_head[] = "the head of the request is too large";

/* ---- arrival --------------------------------------------------------------------------- */

static http_connection *connection_of(http_exchange *exchange) {
  return (http_connection *)(void *)((char *)exchange - offsetof(http_connection, exchange));
}

static void wait_for(http_exchange *exchange, http_wait wait) {
  http_server *server = exchange->server;
  http_connections_wait(&server->connections, &connection_of(exchange)->entry, wait, server->now);
}

static bool keep_uri(http_exchange *exchange, const char *uri) {
  size_t size = strlen(uri) + 1;
  if (size > exchange->uri_capacity) {
    char *grown = realloc(exchange->uri, size);
    if (grown == NULL)
      return false;
    exchange->uri = grown;
    exchange->uri_capacity = size;
  }
  memcpy(exchange->uri, uri, size);
  char *query = memchr(exchange->uri, '?', size);
  if (query != NULL)
    *query++ = '\0';
  exchange->query = query;
  return true;
}

/* libmicrohttpd takes escapes out of the path it hands on, and the query with
 * it: the line as sent is only to be had here. */
void *http_exchange_begin(void *context, const char *uri, struct MHD_Connection *connection) {
  http_server *server = context;
  http_connection *c =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
  http_exchange *exchange = &c->exchange;
  if (!keep_uri(exchange, uri))
    return NULL;
  exchange->begun = true;
  server->has_moved = true;
  c->is_read = false;
  wait_for(exchange, HTTP_WAIT_REQUEST);
  server->active++;
  return exchange;
}

static const char *foreign_reason(const http_exchange *exchange, unsigned status) {
  if (status == 413)
    return too_large_body;
  if (status == 431)
    return too_large_head;
  return exchange->head_seen ? "the body is malformed" : "the head is malformed";
}

/* libmicrohttpd answers by itself what it cannot read, and tells of it only here, at the end. */
static void tell_foreign_answer(const http_exchange *exchange) {
  const http_server_options *options = &exchange->server->options;
  if (exchange->response != NULL || options->on_refused == NULL)
    return;
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_HTTP_STATUS);
  if (info == NULL)
    return;
  options->on_refused(options->context, exchange->head_seen ? exchange : NULL,
                      http_exchange_peer(exchange), (int)info->http_status,
                      foreign_reason(exchange, info->http_status));
}

void http_answer_free(http_answer *answer) {
  if (answer == NULL || atomic_fetch_sub(&answer->uses, 1) > 1)
    return;
  MHD_destroy_response(answer->response);
  free(answer);
}

static void free_response(http_exchange *exchange) {
  if (exchange->shared != NULL)
    http_answer_free(exchange->shared);
  else if (exchange->response != NULL)
    MHD_destroy_response(exchange->response);
  exchange->response = NULL;
  exchange->shared = NULL;
}

void http_exchange_end(void *context, struct MHD_Connection *connection, void **slot,
                       enum MHD_RequestTerminationCode code) {
  http_exchange *exchange = *slot;
  http_server *server = context;
  (void)connection;
  (void)code;
  if (exchange == NULL)
    return;
  server->active--;
  server->has_moved = true;
  server->whole -= exchange->handed_over;
  *slot = NULL;
  if (exchange->deferred) { /* who is to answer still has it */
    exchange->is_gone = connection_of(exchange)->is_read = true;
    return;
  }
  tell_foreign_answer(exchange);
  free_response(exchange);
  connection_of(exchange)->is_read =
      exchange->handed_over || (exchange->head_seen && !exchange->has_body);
  if (exchange->body_capacity > KEEP_MAX) {
    free(exchange->body);
    exchange->body = NULL;
    exchange->body_capacity = 0;
  }
  exchange->method = NULL;
  exchange->body_size = exchange->discarded = 0;
  exchange->begun = exchange->head_seen = exchange->too_large = false;
  exchange->handed_over = false;
  wait_for(exchange, HTTP_WAIT_NEXT);
}

static bool keep_body(http_exchange *exchange, const char *data, size_t size) {
  if (exchange->too_large || size > exchange->server->options.max_body - exchange->body_size) {
    exchange->too_large = true;
    exchange->discarded += size;
    return exchange->discarded <= DISCARD_MAX;
  }
  size_t needed = exchange->body_size + size + 1;
  if (needed > exchange->body_capacity) {
    size_t capacity = exchange->body_capacity > 0 ? exchange->body_capacity : FIRST_BODY;
    while (capacity < needed)
      capacity *= 2;
    char *grown = realloc(exchange->body, capacity);
    if (grown == NULL)
      return false;
    exchange->body = grown;
    exchange->body_capacity = capacity;
  }
  memcpy(exchange->body + exchange->body_size, data, size);
  exchange->body_size += size;
  exchange->body[exchange->body_size] = '\0';
  return true;
}

static enum MHD_Result send_answer(http_exchange *exchange) {
  return MHD_queue_response(exchange->connection, (unsigned)exchange->status, exchange->response);
}

static void refuse(http_exchange *exchange, int status, const char *reason) {
  const http_server_options *options = &exchange->server->options;
  http_exchange_refuse(exchange, status, reason);
  if (options->on_refused != NULL)
    options->on_refused(options->context, exchange, http_exchange_peer(exchange), status, reason);
}

static void note_header(void *context, const char *name, const char *value) {
  http_head_note(context, name, value);
}

static bool announces_too_much(const http_exchange *exchange) {
  const char *length = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_CONTENT_LENGTH);
  return length != NULL &&
         strtoull(length, NULL, 10) > (unsigned long long)exchange->server->options.max_body;
}

/* An answer given here has libmicrohttpd close the connection behind it: whatever follows is not
 * taken for another request. */
static enum MHD_Result head_arrived(http_exchange *exchange, const char *method,
                                    const char *version) {
  const http_server_options *options = &exchange->server->options;
  const char *reason;
  http_head head = {0};
  exchange->head_seen = true;
  exchange->method = method;
  http_exchange_headers(exchange, note_header, &head);
  exchange->has_body = head.lengths + head.encodings > 0;
  int status = http_head_judge(&head, version, &reason);
  size_t size =
      MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
          ->header_size;
  if (status != 0)
    refuse(exchange, status, reason);
  else if (size > options->max_head)
    refuse(exchange, 431, too_large_head);
  else if (options->on_head != NULL)
    options->on_head(options->context, exchange);
  if (exchange->response == NULL && announces_too_much(exchange))
    refuse(exchange, 413, too_large_body);
  return exchange->response != NULL ? send_answer(exchange) : MHD_YES;
}

enum MHD_Result http_exchange_advance(void *context, struct MHD_Connection *connection,
                                      const char *url, const char *method, const char *version,
                                      const char *upload, size_t *upload_size, void **slot) {
  http_server *server = context;
  http_exchange *exchange = *slot;
  (void)connection;
  (void)url;
  if (exchange == NULL)
    return MHD_NO;
  if (exchange->deferred)
    return MHD_YES; /* asked at each run */
  if (!exchange->head_seen)
    return head_arrived(exchange, method, version);
  if (*upload_size > 0) {
    bool kept = keep_body(exchange, upload, *upload_size);
    *upload_size = 0;
    server->goes_on = true;
    return kept ? MHD_YES : MHD_NO;
  }
  if (!exchange->handed_over) {
    exchange->handed_over = true;
    server->has_moved = true;
    server->whole++;
    wait_for(exchange, HTTP_WAIT_NOTHING);
    if (exchange->too_large)
      refuse(exchange, 413, too_large_body);
    else
      server->options.on_request(server->options.context, exchange);
    if (exchange->deferred)
      return MHD_YES;
  }
  return exchange->response != NULL ? send_answer(exchange) : MHD_NO;
}

/* ---- answers --------------------------------------------------------------------------- */

/* Not by suspending the connection: that takes it out of the epoll descriptor and back in, two
 * system calls a request. libmicrohttpd asks for the answer at each of its runs instead. */
void http_exchange_defer(http_exchange *exchange) {
  exchange->deferred = true;
  exchange->server->deferred++;
}

/* An answer is queued on the loop's thread: libmicrohttpd's structures are that one's alone. */
static void hand_back(http_exchange *exchange) {
  http_server *server = exchange->server;
  uint64_t one = 1;
  pthread_mutex_lock(&server->mutex);
  bool is_first = server->answered == NULL;
  bool is_own = pthread_equal(server->thread, pthread_self());
  exchange->next_answered = server->answered;
  server->answered = exchange;
  pthread_mutex_unlock(&server->mutex);
  if (!is_first || is_own)
    return; /* the loop has been told, or looks before it waits */
  ssize_t written = write(server->wake_fd, &one, sizeof one);
  (void)written; /* full: it is readable already */
}

bool http_exchange_send_answered(http_server *server) {
  pthread_mutex_lock(&server->mutex);
  http_exchange *first = server->answered;
  server->answered = NULL;
  pthread_mutex_unlock(&server->mutex);
  bool is_any = first != NULL;
  while (first != NULL) {
    http_exchange *next = first->next_answered;
    server->deferred--;
    first->deferred = false;
    if (first->is_gone) {
      free_response(first);
      http_accept_free(connection_of(first));
    } else if (first->response != NULL) {
      send_answer(first);
    }
    first = next;
  }
  return is_any;
}

bool http_exchange_is_any_answered(http_server *server) {
  pthread_mutex_lock(&server->mutex);
  bool is_any = server->answered != NULL;
  pthread_mutex_unlock(&server->mutex);
  return is_any;
}

static void add_headers(struct MHD_Response *response, const http_header *headers, size_t count) {
  for (size_t i = 0; response != NULL && i < count; i++)
    MHD_add_response_header(response, headers[i].name, headers[i].value);
}

/* Without a response, for want of memory too, the connection is closed. */
static void respond(http_exchange *exchange, int status, struct MHD_Response *response,
                    http_answer *shared) {
  exchange->status = status;
  exchange->response = response;
  exchange->shared = shared;
  if (exchange->deferred)
    hand_back(exchange);
}

void http_exchange_answer(http_exchange *exchange, int status, const http_header *headers,
                          size_t header_count, const char *body, size_t body_size) {
  struct MHD_Response *response =
      MHD_create_response_from_buffer(body_size, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
  add_headers(response, headers, header_count);
  respond(exchange, status, response, NULL);
}

typedef struct {
  http_server *server;
  size_t size;
  char data[];
} half_body;

static ssize_t read_half(void *context, uint64_t position, char *out, size_t most) {
  const half_body *half = context;
  size_t left = half->size - (size_t)position;
  if (left == 0)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  if (left > most)
    left = most;
  half->server->goes_on = true;
  memcpy(out, half->data + position, left);
  return (ssize_t)left;
}

void http_exchange_cut(http_exchange *exchange, int status, const http_header *headers,
                       size_t header_count, const char *body, size_t body_size) {
  struct MHD_Response *response = NULL;
  half_body *half = malloc(sizeof *half + body_size / 2);
  if (half != NULL) {
    half->server = exchange->server;
    half->size = body_size / 2;
    memcpy(half->data, body, half->size);
    response = MHD_create_response_from_callback(body_size, 4096, read_half, half, free);
    if (response == NULL)
      free(half);
  }
  add_headers(response, headers, header_count);
  respond(exchange, status, response, NULL);
}

void http_exchange_drop(http_exchange *exchange) {
  respond(exchange, 0, NULL, NULL);
}

void http_exchange_refuse(http_exchange *exchange, int status, const char *reason) {
  char body[512];
  http_header type = {"Content-Type", "application/json"};
  snprintf(body, sizeof body, "{\"error\":\"%s\"}\n", reason);
  http_exchange_answer(exchange, status, &type, 1, body, strlen(body));
}

http_answer *http_answer_new(int status, const http_header *headers, size_t header_count,
                             const char *body, size_t body_size) {
  http_answer *answer = malloc(sizeof *answer);
  if (answer == NULL)
    return NULL;
  answer->status = status;
  atomic_init(&answer->uses, 1);
  answer->response =
      MHD_create_response_from_buffer(body_size, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
  if (answer->response == NULL) {
    free(answer);
    return NULL;
  }
  add_headers(answer->response, headers, header_count);
  return answer;
}

void http_exchange_give(http_exchange *exchange, http_answer *answer) {
  (void)atomic_fetch_add(&answer->uses, 1);
  respond(exchange, answer->status, answer->response, answer);
}
