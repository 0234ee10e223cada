/* Writes down what the parser makes of bytes, and checks what holds of every event. */
#include "transcript.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Here rather than cmocka's: fuzzing uses it, too. */
#define MUST(condition)                                                                            \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

static void append(char **text, size_t *size, const char *data, size_t more) {
  *text = realloc(*text, *size + more + 1);
  MUST(*text != NULL);
  if (more > 0) {
    memcpy(*text + *size, data, more);
  }
  *size += more;
  (*text)[*size] = '\0';
}

__attribute__((format(printf, 2, 3))) static void write_field(transcript *t, const char *format,
                                                              ...) {
  char field[8192];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(field, sizeof field - 1, format, arguments);
  va_end(arguments);
  MUST(size >= 0 && size < (int)sizeof field - 1);
  field[size] = TRANSCRIPT_UNIT;
  append(&t->text, &t->size, field, (size_t)size + 1);
}

static void start_record(transcript *t) {
  static const char start[] = {TRANSCRIPT_RECORD, TRANSCRIPT_UNIT};
  append(&t->text, &t->size, start, sizeof start);
}

static void write_head(transcript *t) {
  const http_parser *p = &t->parser;
  const char *query = http_parser_query(p), *host = http_parser_host(p);
  write_field(t, "method=%s", http_parser_method(p));
  write_field(t, "path=%s", http_parser_path(p));
  write_field(t, query != NULL ? "query=%s" : "no-query", query);
  write_field(t, host != NULL ? "host=%s" : "no-host", host);
  write_field(t, "minor=%d", http_parser_minor_version(p));
  write_field(t, "length=%lld", (long long)http_parser_content_length(p));
  write_field(t, "keep=%d", http_parser_keep_alive(p));
  write_field(t, "continue=%d", http_parser_expects_continue(p));
  MUST(http_parser_header_count(p) <= p->limits->max_headers + 1);
  for (size_t i = 0; i < http_parser_header_count(p); i++) {
    write_field(t, "%s:=%s", http_parser_header_name(p, i), http_parser_header_value(p, i));
  }
}

static void end_request(transcript *t) {
  http_parser *p = &t->parser;
  int64_t length = http_parser_content_length(p);
  MUST(length == -1 || (size_t)length == t->body_size);
  MUST(t->body_size <= p->limits->max_body);
  MUST(http_parser_phase(p) == HTTP_PHASE_COMPLETE);
  if (t->end_count < TRANSCRIPT_REQUESTS_MAX) {
    t->ends[t->end_count++] = t->consumed;
  }
  start_record(t);
  append(&t->text, &t->size, "(", 1);
  append(&t->text, &t->size, t->body, t->body_size);
  write_field(t, ")");
  write_field(t, "end=%zu", t->consumed);
  write_head(t);
  t->body_size = 0;
  http_parser_next(p);
  MUST(http_parser_phase(p) == HTTP_PHASE_IDLE);
}

static void reject(transcript *t) {
  const http_rejection *rejection = http_parser_rejection(&t->parser);
  MUST(http_parser_phase(&t->parser) == HTTP_PHASE_REJECTED && rejection->reason != NULL);
  MUST(strpbrk(rejection->reason, "\"\\") == NULL);
  if (t->is_rejected) {
    return;
  }
  t->is_rejected = true;
  start_record(t);
  write_field(t, "%d", rejection->status);
  write_field(t, "at=%zu", t->consumed);
  write_field(t, "reason=%s", rejection->reason);
  write_field(t, "head=%d", rejection->has_head);
  if (rejection->has_head) {
    write_head(t);
  }
}

static void take(transcript *t, const char *data, size_t size) {
  http_span body = http_parser_body(&t->parser);
  switch (t->last) {
  case HTTP_EVENT_HEAD:
    MUST(http_parser_phase(&t->parser) == HTTP_PHASE_BODY);
    break;
  case HTTP_EVENT_BODY:
    MUST(body.size > 0 && body.data >= data && body.data + body.size <= data + size);
    append(&t->body, &t->body_size, body.data, body.size);
    break;
  case HTTP_EVENT_COMPLETE:
    end_request(t);
    break;
  case HTTP_EVENT_REJECTED:
    reject(t);
    break;
  default:
    break;
  }
}

void transcript_start(transcript *t, const http_parser_limits *limits) {
  *t = (transcript){.buffer = malloc(http_parser_buffer_size(limits))};
  MUST(t->buffer != NULL);
  append(&t->text, &t->size, "", 0);
  append(&t->body, &t->body_size, "", 0);
  http_parser_init(&t->parser, limits);
  http_parser_set_buffer(&t->parser, t->buffer);
}

void transcript_feed(transcript *t, const char *data, size_t size) {
  char *copy = malloc(size > 0 ? size : 1);
  MUST(copy != NULL);
  memcpy(copy, data, size);
  size_t at = 0;
  do {
    size_t consumed;
    t->last = http_parser_feed(&t->parser, copy + at, size - at, &consumed);
    MUST(consumed <= size - at);
    at += consumed;
    t->consumed += consumed;
    take(t, copy, size);
    MUST(t->last != HTTP_EVENT_NEED_MORE || at == size);
  } while (t->last != HTTP_EVENT_NEED_MORE && t->last != HTTP_EVENT_REJECTED);
  t->fed += size;
  free(copy);
}

void transcript_end(transcript *t) {
  if (t->is_rejected || http_parser_phase(&t->parser) == HTTP_PHASE_IDLE) {
    return;
  }
  start_record(t);
  write_field(t, "more");
}

void transcript_free(transcript *t) {
  free(t->buffer);
  free(t->text);
  free(t->body);
}
