/* What the parser makes of bytes, as text that can be compared. */
#ifndef PALENCA_SPEC_HTTP_TRANSCRIPT_H
#define PALENCA_SPEC_HTTP_TRANSCRIPT_H

#include "http/parser.h"

#include <stdbool.h>
#include <stddef.h>

#define TRANSCRIPT_REQUESTS_MAX 16

/* A record for each complete request, and for the rejection or for what is incomplete: fields with
 * a UNIT before and after each. */
#define TRANSCRIPT_UNIT '\x1f'
#define TRANSCRIPT_RECORD '\x1e'

typedef struct {
  http_parser parser;
  void *buffer;
  char *text, *body;
  size_t size, body_size;
  size_t fed, consumed;
  size_t ends[TRANSCRIPT_REQUESTS_MAX]; /* where requests have ended */
  size_t end_count;
  bool is_rejected;
  http_event last;
} transcript;

void transcript_start(transcript *t, const http_parser_limits *limits);
/* Feeds a piece, from a copy of exactly its size, until more is needed. */
void transcript_feed(transcript *t, const char *data, size_t size);
/* Adds the record of what is incomplete. The text stays until transcript_free. */
void transcript_end(transcript *t);
void transcript_free(transcript *t);

#endif
