/* What can be asked about a request that has arrived. */
#include "http_parts.h"

#include <strings.h>

void *http_exchange_context(const http_exchange *exchange) {
  return exchange->server->options.context;
}

const char *http_exchange_method(const http_exchange *exchange) {
  return exchange->method;
}

const char *http_exchange_path(const http_exchange *exchange) {
  return exchange->uri;
}

const char *http_exchange_query(const http_exchange *exchange) {
  return exchange->query;
}

const char *http_exchange_body(const http_exchange *exchange, size_t *size) {
  *size = exchange->body_size;
  return exchange->body_size > 0 ? exchange->body : "";
}

const net_address *http_exchange_peer(const http_exchange *exchange) {
  return &((const http_connection *)(const void *)((const char *)exchange -
                                                   offsetof(http_connection, exchange)))
              ->entry.peer;
}

typedef struct {
  void (*each)(void *context, const char *name, const char *value);
  void *context;
} header_visit;

static enum MHD_Result visit_header(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value) {
  const header_visit *visit = context;
  (void)kind;
  visit->each(visit->context, name, value != NULL ? value : "");
  return MHD_YES;
}

void http_exchange_headers(const http_exchange *exchange,
                           void (*each)(void *context, const char *name, const char *value),
                           void *context) {
  header_visit visit = {each, context};
  MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, visit_header, &visit);
}

typedef struct {
  const char *name;
  const char **values;
  size_t most, count;
} value_search;

static void collect(void *context, const char *name, const char *value) {
  value_search *search = context;
  if (strcasecmp(name, search->name) != 0)
    return;
  if (search->count < search->most)
    search->values[search->count] = value;
  search->count++;
}

size_t http_exchange_values(const http_exchange *exchange, const char *name, const char **values,
                            size_t most) {
  value_search search = {.name = name, .values = values, .most = most};
  http_exchange_headers(exchange, collect, &search);
  return search.count;
}
