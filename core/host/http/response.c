/* What is sent as a response: headers and body in one piece, and the lines before them that differ
 * each time. */
#include "response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- headers and body ---------------------------------------------------------------- */

static bool is_text(const char *text) {
  for (const char *c = text; *c != '\0'; c++) {
    if ((unsigned char)*c < ' ' && *c != '\t') {
      return false;
    }
  }
  return strchr(text, '\x7f') == NULL;
}

static bool is_name(const char *name) {
  return name[0] != '\0' && is_text(name) && strpbrk(name, ": \t") == NULL;
}

static bool is_servers_own(const char *name) {
  return strcasecmp(name, "Connection") == 0 || strcasecmp(name, "Content-Length") == 0 ||
         strcasecmp(name, "Transfer-Encoding") == 0;
}

static bool is_sent(const http_header *header) {
  return is_name(header->name) && is_text(header->value) && !is_servers_own(header->name);
}

static char *append(char *at, const char *text) {
  size_t size = strlen(text);
  memcpy(at, text, size);
  return at + size;
}

static size_t size_of_head(const http_header *headers, size_t count) {
  size_t size = 2;
  for (size_t i = 0; i < count; i++) {
    if (is_sent(&headers[i])) {
      size += strlen(headers[i].name) + strlen(headers[i].value) + 4;
    }
  }
  return size;
}

http_response *http_response_make(int status, const http_header *headers, size_t header_count,
                                  const char *body, size_t body_size, size_t sent) {
  size_t head_size = size_of_head(headers, header_count);
  if (!http_status_has_body(status)) {
    body_size = sent = 0;
  }
  if (sent > SIZE_MAX / 2) {
    return NULL;
  }
  http_response *response = malloc(sizeof *response + head_size + sent);
  if (response == NULL) {
    return NULL;
  }
  atomic_init(&response->uses, 1);
  response->status = status;
  response->is_truncated = sent < body_size;
  response->size = body_size;
  response->head_size = head_size;
  response->data_size = head_size + sent;
  char *at = response->data;
  for (size_t i = 0; i < header_count; i++) {
    if (is_sent(&headers[i])) {
      at = append(append(append(append(at, headers[i].name), ": "), headers[i].value), "\r\n");
    }
  }
  at = append(at, "\r\n");
  if (sent > 0) {
    memcpy(at, body, sent);
  }
  return response;
}

http_response *http_response_new(int status, const http_header *headers, size_t header_count,
                                 const char *body, size_t body_size) {
  return http_response_make(status, headers, header_count, body, body_size, body_size);
}

void http_response_free(http_response *response) {
  if (response != NULL && atomic_fetch_sub(&response->uses, 1) == 1) {
    free(response);
  }
}

/* ---- the lines before them ------------------------------------------------------------- */

static const struct {
  int status;
  const char *text;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int status) {
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
    if (reasons[i].status == status) {
      return reasons[i].text;
    }
  }
  return "";
}

bool http_status_has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

static char *append_number(char *at, uint64_t number) {
  char digits[20];
  size_t count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) {
    *at++ = digits[--count];
  }
  return at;
}

/* Not by printf, which would take a tenth of the time of a request. */
size_t http_response_write_start(const http_response_start *start, const char *date,
                                 char out[HTTP_START_SIZE]) {
  char *at = append_number(append(out, "HTTP/1.1 "), (uint64_t)start->status);
  at = append(append(append(at, " "), reason_of(start->status)), "\r\nDate: ");
  at = append(append(at, date), "\r\n");
  if (start->closes) {
    at = append(at, "Connection: close\r\n");
  } else if (start->keeps_alive) {
    at = append(at, "Connection: keep-alive\r\n");
  }
  if (start->framing == HTTP_FRAMING_LENGTH) {
    at = append(append_number(append(at, "Content-Length: "), start->size), "\r\n");
  } else if (start->framing == HTTP_FRAMING_CHUNKED) {
    at = append(at, "Transfer-Encoding: chunked\r\n");
  }
  return (size_t)(at - out);
}

void http_date_write(int64_t unix_seconds, char out[HTTP_DATE_SIZE]) {
  static const char days[] = "SunMonTueWedThuFriSat";
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  time_t seconds = (time_t)unix_seconds;
  struct tm parts = {0};
  gmtime_r(&seconds, &parts);
  snprintf(out, HTTP_DATE_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
           days + 3 * (parts.tm_wday % 7), (unsigned)parts.tm_mday % 100,
           months + 3 * (parts.tm_mon % 12), (unsigned)(parts.tm_year + 1900) % 10000,
           (unsigned)parts.tm_hour % 100, (unsigned)parts.tm_min % 100,
           (unsigned)parts.tm_sec % 100);
}
