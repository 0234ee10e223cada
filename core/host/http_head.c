/* Judges a request's head: what would let two readers see two different requests is refused. */
#include "http_head.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is_name(const char *name) {
  static const char marks[] = "!#$%&'*+-.^_`|~";
  for (const char *c = name; *c != '\0'; c++) {
    bool is_letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
    if (!is_letter && !(*c >= '0' && *c <= '9') && strchr(marks, *c) == NULL)
      return false;
  }
  return name[0] != '\0';
}

static bool begins(const char *name, const char *with) {
  return strncasecmp(name, with, strlen(with)) == 0;
}

/* libmicrohttpd puts a header's folded second line behind its name, not behind its value: one that
 * was to say where the request ends is then found under another name. */
static bool is_folded(const char *name) {
  static const char *const framing[] = {"Content-Length", "Transfer-Encoding", "Expect", "Host"};
  for (size_t i = 0; i < sizeof framing / sizeof framing[0]; i++)
    if (begins(name, framing[i]) && name[strlen(framing[i])] != '\0')
      return true;
  return false;
}

void http_head_note(http_head *head, const char *name, const char *value) {
  if (!is_name(name) || is_folded(name))
    head->odd_name = true;
  else if (strcasecmp(name, "Host") == 0) {
    head->hosts++;
    head->empty_host = head->empty_host || value[0] == '\0';
  } else if (strcasecmp(name, "Content-Length") == 0)
    head->lengths++;
  else if (strcasecmp(name, "Transfer-Encoding") == 0) {
    head->encodings++;
    head->other_encoding = head->other_encoding || strcasecmp(value, "chunked") != 0;
  } else if (strcasecmp(name, "Expect") == 0)
    head->other_expectation = head->other_expectation || strcasecmp(value, "100-continue") != 0;
}

int http_head_judge(const http_head *head, const char *version, const char **reason) {
  bool is_old = strcmp(version, "HTTP/1.0") == 0;
  *reason = "the request is malformed";
  if (head->odd_name)
    return 400;
  *reason = "the request must have one Host header";
  if (head->hosts > 1 || head->empty_host || (head->hosts == 0 && !is_old))
    return 400;
  *reason = "the request says in two ways how long it is";
  if (head->lengths + head->encodings > 1)
    return 400;
  *reason = "HTTP/1.0 has no Transfer-Encoding";
  if (head->encodings > 0 && is_old)
    return 400;
  *reason = "no Transfer-Encoding but chunked is known here";
  if (head->other_encoding)
    return 501;
  *reason = "no expectation but 100-continue is known here";
  if (head->other_expectation && !is_old)
    return 417;
  return 0;
}
