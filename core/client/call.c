/* Checks and copies the request of a call, frees calls and their results, and keeps lists of
 * calls. */
#include "call.h"

#include "clock.h"
#include "protocol/error.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX ((size_t)256 * 1024)

void call_list_remove(call *one) {
  call_list *list = one->list;
  if (list == NULL) {
    return;
  }
  *(one->previous != NULL ? &one->previous->next : &list->first) = one->next;
  *(one->next != NULL ? &one->next->previous : &list->last) = one->previous;
  one->list = NULL;
}

void call_list_insert(call_list *list, call *one, call *after) {
  one->list = list;
  one->previous = after;
  one->next = after != NULL ? after->next : list->first;
  *(after != NULL ? &after->next : &list->first) = one;
  *(one->next != NULL ? &one->next->previous : &list->last) = one;
}

call *call_list_find(const call_list *list, uint64_t id) {
  call *one = list->first;
  while (one != NULL && one->id != id) {
    one = one->next;
  }
  return one;
}

void call_free(call *one) {
  if (one == NULL) {
    return;
  }
  palenca_buffer_free(&one->header_out);
  palenca_buffer_free(&one->body_out);
  free(one->result);
  free(one);
}

call_result *call_result_of(queue_node *from) {
  return (call_result *)(void *)((char *)from - offsetof(call_result, node));
}

void palenca_result_free(palenca_result *result) {
  if (result == NULL) {
    return;
  }
  free(result->headers);
  free(result->body);
  free(result);
}

void call_list_free(call_list *list) {
  while (list->first != NULL) {
    call *one = list->first;
    call_list_remove(one);
    call_free(one);
  }
}

void call_read_meta(const call *one, int64_t now_unix_ms, palenca_meta *meta) {
  const char *at = one->header_out.data;
  const char *end = at != NULL ? at + one->header_out.size : NULL;
  palenca_meta_clear(meta);
  while (at != end) {
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    if (line_end == NULL) {
      line_end = end;
    }
    palenca_meta_read(meta, at, (size_t)(line_end - at), now_unix_ms / 1000);
    at = line_end < end ? line_end + 1 : end;
  }
}

static char *take_buffer(palenca_buffer *buffer, size_t *size) {
  char *data = buffer->data;
  *size = buffer->size;
  if (data != NULL) { /* it may hold the rest of an earlier attempt */
    data[buffer->size] = '\0';
  }
  memset(buffer, 0, sizeof *buffer);
  return data;
}

void call_hand_over_response(call *one, int status, palenca_result *to) {
  to->id = one->id;
  to->status = status;
  to->attempts = one->attempts;
  if (one->keep_headers) {
    to->headers = take_buffer(&one->header_out, &to->headers_size);
  }
  to->body = take_buffer(&one->body_out, &to->body_size);
}

static const char *copy_text(char **at, const char *text, size_t size) {
  char *copy = *at;
  if (size > 0) {
    memcpy(copy, text, size);
  }
  copy[size] = '\0';
  *at += size + 1;
  return copy;
}

static size_t text_size(const palenca_request *request) {
  size_t size = strlen(request->method) + strlen(request->url) + request->body_size + 3;
  size += request->ca_file != NULL ? strlen(request->ca_file) + 1 : 0;
  size += request->proxy != NULL ? strlen(request->proxy) + 1 : 0;
  for (size_t i = 0; i < request->header_count; i++) {
    size += strlen(request->headers[i].name) + request->headers[i].value_size + 2;
  }
  return size;
}

static void copy_request(call *one, const palenca_request *from) {
  transport_request *to = &one->request;
  char *at = (char *)&one->headers[from->header_count];
  to->method = copy_text(&at, from->method, strlen(from->method));
  to->url = copy_text(&at, from->url, strlen(from->url));
  to->body = from->body != NULL ? copy_text(&at, from->body, from->body_size) : NULL;
  to->body_size = from->body_size;
  for (size_t i = 0; i < from->header_count; i++) {
    const palenca_header *header = &from->headers[i];
    one->headers[i].name = copy_text(&at, header->name, strlen(header->name));
    one->headers[i].value = copy_text(&at, header->value, header->value_size);
    one->headers[i].value_size = header->value_size;
  }
  to->headers = one->headers;
  to->header_count = from->header_count;
  to->ca_file = from->ca_file != NULL ? copy_text(&at, from->ca_file, strlen(from->ca_file)) : NULL;
  to->proxy = from->proxy != NULL ? copy_text(&at, from->proxy, strlen(from->proxy)) : NULL;
  one->timeout_ms = from->timeout_ms > 0 ? from->timeout_ms : PALENCA_TIMEOUT_DEFAULT_MS;
  one->low_priority = from->low_priority;
  one->observe = from->observe;
  one->deadline = from->deadline_ms > 0 ? clock_steady_ms() + from->deadline_ms : INT64_MAX;
  if (from->rate_limit_key != NULL && from->rate_limit > 0) {
    one->rate_limit = from->rate_limit;
    rate_limiters_digest(from->rate_limit_key, from->rate_limit_key_size, one->rate_limit_digest);
  }
  one->keep_headers = from->keep_headers;
  one->group = from->group;
  to->share_connection = from->share_connection;
  to->measure = from->measure;
  to->idempotent = from->idempotent;
  to->allow_tls_1_2 = from->allow_tls_1_2;
  to->header_out = &one->header_out;
  to->body_out = &one->body_out;
  one->header_out.limit = HEADERS_MAX;
  one->body_out.limit = from->max_response > 0 ? from->max_response : PALENCA_MAX_RESPONSE_DEFAULT;
  one->max_retries = from->max_retries;
}

transport_request call_server(const palenca_request *request) {
  return (transport_request){.url = request->url,
                             .allow_tls_1_2 = request->allow_tls_1_2,
                             .ca_file = request->ca_file,
                             .proxy = request->proxy};
}

/* A pointer of the caller's that is NULL where there is something to be read. */
static bool check_pointers(const palenca_request *request, palenca_error *error) {
  const char *missing = request->url == NULL                                    ? "url"
                        : request->headers == NULL && request->header_count > 0 ? "headers"
                        : request->body == NULL && request->body_size > 0       ? "body"
                        : request->rate_limit_key == NULL && request->rate_limit_key_size > 0
                            ? "rate_limit_key"
                            : NULL;
  return missing == NULL ||
         palenca_error_set(error, PALENCA_USAGE, "field %s of the request is NULL", missing);
}

static bool check_numbers(const palenca_request *request, palenca_error *error) {
  if (request->rate_limit < 0 || request->rate_limit > PALENCA_RATE_LIMIT_MAX) {
    return palenca_error_set(error, PALENCA_USAGE, "rate limit must be 0 to %d",
                             PALENCA_RATE_LIMIT_MAX);
  }
  if (request->max_retries < 0 || request->max_retries > PALENCA_MAX_RETRIES_MAX) {
    return palenca_error_set(error, PALENCA_USAGE, "max_retries must be 0 to %d",
                             PALENCA_MAX_RETRIES_MAX);
  }
  if (request->timeout_ms < 0 || request->deadline_ms < 0) {
    return palenca_error_set(error, PALENCA_USAGE, "%s must not be negative",
                             request->timeout_ms < 0 ? "timeout_ms" : "deadline_ms");
  }
  return true;
}

static bool check_request(const palenca_request *request, palenca_error *error) {
  if (request == NULL) {
    return palenca_error_set(error, PALENCA_USAGE, "the request is NULL");
  }
  if (!palenca_method_check(request->method, error) || !check_pointers(request, error) ||
      !check_numbers(request, error)) {
    return false;
  }
  for (size_t i = 0; i < request->header_count; i++) {
    const palenca_header *header = &request->headers[i];
    if (!palenca_header_check(header->name, header->value, header->value_size, error)) {
      return false;
    }
  }
  return true;
}

/* One block for all of it: it may be freed on another thread, where each costs more. */
static call *allocate(const palenca_request *request) {
  size_t size = sizeof(call) + request->header_count * sizeof(palenca_header);
  call *one = malloc(size + text_size(request));
  if (one == NULL) {
    return NULL;
  }
  memset(one, 0, sizeof *one);
  /* allocated now, so that a call that was sent always has a result */
  one->result = calloc(1, sizeof *one->result);
  if (one->result == NULL) {
    call_free(one);
    return NULL;
  }
  return one;
}

call *call_new(const void *engine, const palenca_request *request, palenca_error *error) {
  if (engine == NULL) {
    palenca_error_set(error, PALENCA_USAGE, "the engine is NULL");
    return NULL;
  }
  if (!check_request(request, error)) {
    return NULL;
  }
  call *one = allocate(request);
  if (one == NULL) {
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
  } else {
    copy_request(one, request);
  }
  return one;
}
