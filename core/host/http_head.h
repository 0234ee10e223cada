/* Judges a request's head: what would let two readers see two different requests is refused. */
#ifndef PALENCA_HOST_HTTP_HEAD_H
#define PALENCA_HOST_HTTP_HEAD_H

#include <stdbool.h>

/* Begins as zeros. */
typedef struct {
  unsigned hosts, lengths, encodings;
  bool odd_name, empty_host, other_encoding, other_expectation;
} http_head;

void http_head_note(http_head *head, const char *name, const char *value);

/* 0, or the status to refuse it with; `reason` says why then. `version` is "HTTP/1.1" or such. */
int http_head_judge(const http_head *head, const char *version, const char **reason);

#endif
