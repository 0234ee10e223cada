/* Checks what goes into a request's head, and reads what the API says in a response's. */
#include "error.h"
#include "http_date.h"

#include <string.h>
#include <strings.h>

/* Servers accept less, and curl not much more. */
#define HEADER_MAX (32 * 1024)

#define WAIT_MAX_MS 86400000

bool palenca_method_check(const char *method, palenca_error *error) {
  size_t size = method != NULL ? strlen(method) : 0;
  if (size == 0 || size > 16 || strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != size) {
    return palenca_error_set(error, PALENCA_USAGE, "method must be 1 to 16 capital letters");
  }
  return true;
}

static bool is_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         (c != '\0' && strchr("!#$%&'*+.^_`|~", c) != NULL);
}

static size_t token_size(const char *text) {
  size_t size = 0;
  while (is_token(text[size])) {
    size++;
  }
  return size;
}

/* A caller's own would contradict what is sent: where the body ends is read from two of these, and
 * whoever reads it from another one finds a second request in the body. */
static bool is_made_from_request(const char *name) {
  static const char *const names[] = {
      "connection", "content-length",    "expect",           "host",
      "keep-alive", "http2-settings",    "proxy-connection", "te",
      "trailer",    "transfer-encoding", "upgrade",
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if ((name[0] | 0x20) == names[i][0] && strcasecmp(name, names[i]) == 0) {
      return true;
    }
  }
  return false;
}

bool palenca_header_check(const char *name, const char *value, size_t value_size,
                          palenca_error *error) {
  size_t size = name != NULL ? token_size(name) : 0;
  if (size == 0 || name[size] != '\0') {
    return palenca_error_set(error, PALENCA_USAGE, "a header's name is not a valid token");
  }
  if (is_made_from_request(name)) {
    return palenca_error_set(error, PALENCA_USAGE,
                             "header %s is made from the request and cannot be set", name);
  }
  if (value == NULL && value_size > 0) {
    return palenca_error_set(error, PALENCA_USAGE, "the value of header %.60s is NULL", name);
  }
  if (size > HEADER_MAX || value_size > HEADER_MAX) {
    return palenca_error_set(error, PALENCA_USAGE, "a header is longer than %d bytes", HEADER_MAX);
  }
  for (size_t i = 0; i < value_size; i++) {
    unsigned char byte = (unsigned char)value[i];
    if ((byte < ' ' && byte != '\t') || byte == 127) {
      return palenca_error_set(error, PALENCA_USAGE,
                               "the value of header %.60s holds a control character", name);
    }
  }
  return true;
}

void palenca_meta_clear(palenca_meta *meta) {
  memset(meta, 0, sizeof *meta);
  meta->rate_limit = -1;
  meta->rate_remaining = -1;
  meta->rate_reset = -1;
  meta->retry_after_ms = -1;
  meta->server_time = -1;
  meta->retry_at = -1;
}

/* Decimal digits only, bounded; -1 for anything else. */
static int64_t read_number(const char *text, size_t size) {
  int64_t value = 0;
  if (size == 0 || size > 15) {
    return -1;
  }
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') {
      return -1;
    }
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

static size_t digits_in(const char *text, size_t size) {
  size_t count = 0;
  while (count < size && text[count] >= '0' && text[count] <= '9') {
    count++;
  }
  return count;
}

/* "2", or "2.5", in milliseconds, rounded up; -1 for anything else. */
static int64_t read_seconds(const char *text, size_t size) {
  size_t integer_size = digits_in(text, size);
  if (integer_size == 0 || (integer_size < size && text[integer_size] != '.') ||
      integer_size + 1 == size) {
    return -1;
  }
  int64_t seconds = read_number(text, integer_size), milliseconds = 0;
  if (seconds < 0) { /* more than is counted here is long all the same, and not none */
    seconds = WAIT_MAX_MS / 1000;
  }
  int64_t unit = 100;
  bool has_rest = false;
  for (size_t i = integer_size + 1; i < size; i++, unit /= 10) {
    if (text[i] < '0' || text[i] > '9') {
      return -1;
    }
    milliseconds += (text[i] - '0') * unit;
    has_rest = has_rest || (unit == 0 && text[i] != '0');
  }
  return seconds * 1000 + milliseconds + has_rest;
}

/* No wait longer than a day is believed. */
static int64_t believed(int64_t milliseconds) {
  return milliseconds > WAIT_MAX_MS ? WAIT_MAX_MS : milliseconds;
}

/* A date is that of the server's clock, which is in the response's own Date. */
static void count_from_date(palenca_meta *meta, int64_t now_unix) {
  if (meta->retry_at < 0) {
    return;
  }
  int64_t now = meta->server_time >= 0 ? meta->server_time : now_unix;
  meta->retry_after_ms = meta->retry_at > now ? believed((meta->retry_at - now) * 1000) : 0;
}

static void read_retry_after(palenca_meta *meta, const char *text, size_t size, int64_t now_unix) {
  int64_t wait = read_seconds(text, size);
  meta->retry_after_ms = believed(wait);
  meta->retry_at = wait < 0 ? http_date_read(text, size, now_unix) : -1;
  count_from_date(meta, now_unix);
}

int64_t palenca_meta_window_left(const palenca_meta *meta, int64_t now_unix_ms) {
  if (meta->rate_reset < 0) {
    return -1;
  }
  int64_t now = meta->server_time >= 0 ? meta->server_time * 1000 : now_unix_ms;
  return meta->rate_reset * 1000 > now ? meta->rate_reset * 1000 - now : 0;
}

/* Most lines of a head differ from a name in their first letter. */
static inline bool name_is(const char *line, size_t size, const char *name) {
  return size == strlen(name) && (line[0] | 0x20) == name[0] && strncasecmp(line, name, size) == 0;
}

static void keep_request_id(palenca_meta *meta, const char *value, size_t size) {
  if (size >= sizeof meta->request_id) {
    size = sizeof meta->request_id - 1;
  }
  memcpy(meta->request_id, value, size);
  meta->request_id[size] = '\0';
  for (char *c = meta->request_id; *c != '\0'; c++) { /* it is printed */
    if (*c < ' ' || *c > '~') {
      *c = '?';
    }
  }
}

void palenca_meta_read(palenca_meta *meta, const char *line, size_t size, int64_t now_unix) {
  const char *colon = memchr(line, ':', size);
  if (colon == NULL) {
    return;
  }
  size_t name_size = (size_t)(colon - line);
  const char *value = colon + 1;
  const char *end = line + size;
  while (value < end && (*value == ' ' || *value == '\t')) {
    value++;
  }
  while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t')) {
    end--;
  }
  size_t value_size = (size_t)(end - value);
  if (name_is(line, name_size, "x-request-id")) {
    keep_request_id(meta, value, value_size);
  } else if (name_is(line, name_size, "x-ratelimit-limit")) {
    meta->rate_limit = read_number(value, value_size);
  } else if (name_is(line, name_size, "x-ratelimit-remaining")) {
    meta->rate_remaining = read_number(value, value_size);
  } else if (name_is(line, name_size, "x-ratelimit-reset")) {
    meta->rate_reset = read_number(value, value_size);
  } else if (name_is(line, name_size, "retry-after")) {
    read_retry_after(meta, value, value_size, now_unix);
  } else if (name_is(line, name_size, "date")) {
    meta->server_time = http_date_read(value, value_size, now_unix);
    count_from_date(meta, now_unix);
  }
}
