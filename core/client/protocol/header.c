/* Checks what goes into a request's head, and reads what the API says in an answer's. */
#include "protocol/error.h"

#include <string.h>
#include <strings.h>

/* Servers accept less, and curl not much more. */
#define HEADER_MAX (32 * 1024)

bool palenca_method_check(const char *method, palenca_error *error) {
  size_t size = strlen(method);
  if (size == 0 || size > 16 || strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != size)
    return palenca_error_set(error, PALENCA_USAGE, "method must be 1 to 16 capital letters");
  return true;
}

static bool is_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_size(const char *text) {
  size_t size = 0;
  while (is_token(text[size]))
    size++;
  return size;
}

bool palenca_header_check(const char *name, const char *value, size_t value_size,
                          palenca_error *error) {
  size_t size = token_size(name);
  if (size == 0 || name[size] != '\0')
    return palenca_error_set(error, PALENCA_USAGE, "a header's name is not a valid token");
  if (size > HEADER_MAX || value_size > HEADER_MAX)
    return palenca_error_set(error, PALENCA_USAGE, "a header is longer than %d bytes", HEADER_MAX);
  for (size_t i = 0; i < value_size; i++) {
    unsigned char byte = (unsigned char)value[i];
    if ((byte < ' ' && byte != '\t') || byte == 127)
      return palenca_error_set(error, PALENCA_USAGE,
                               "the value of header %.60s holds a control character", name);
  }
  return true;
}

void palenca_meta_clear(palenca_meta *meta) {
  memset(meta, 0, sizeof *meta);
  meta->rate_limit = -1;
  meta->rate_remaining = -1;
  meta->rate_reset = -1;
  meta->retry_after_ms = -1;
}

/* Decimal digits only, bounded; -1 for anything else. */
static int64_t read_number(const char *text, size_t size) {
  int64_t value = 0;
  if (size == 0 || size > 15)
    return -1;
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9')
      return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
  int64_t y = month <= 2 ? year - 1 : year;
  int64_t era = y / 400;
  int64_t year_of_era = y - era * 400;
  int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" as Unix seconds, or -1. The two older forms
 * of HTTP dates are not sent by anything that speaks TLS 1.3. */
static int64_t read_http_date(const char *text, size_t size) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (size != 29 || memcmp(text + 26, "GMT", 3) != 0 || text[3] != ',')
    return -1;
  int64_t month = 0;
  for (int64_t i = 0; i < 12; i++)
    if (memcmp(text + 8, months + 3 * i, 3) == 0)
      month = i + 1;
  int64_t day = read_number(text + 5, 2);
  int64_t year = read_number(text + 12, 4);
  int64_t hour = read_number(text + 17, 2);
  int64_t minute = read_number(text + 20, 2);
  int64_t second = read_number(text + 23, 2);
  if (month == 0 || day < 1 || day > 31 || year < 1970 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60)
    return -1;
  return days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

/* No wait longer than a day is believed. */
static int64_t read_retry_after(const char *text, size_t size, int64_t now_unix) {
  int64_t seconds = read_number(text, size);
  if (seconds < 0) {
    int64_t date = read_http_date(text, size);
    if (date < 0)
      return -1;
    seconds = date > now_unix ? date - now_unix : 0;
  }
  return (seconds > 86400 ? 86400 : seconds) * 1000;
}

static bool name_is(const char *line, size_t size, const char *name) {
  return strlen(name) == size && strncasecmp(line, name, size) == 0;
}

static void keep_request_id(palenca_meta *meta, const char *value, size_t size) {
  if (size >= sizeof meta->request_id)
    size = sizeof meta->request_id - 1;
  memcpy(meta->request_id, value, size);
  meta->request_id[size] = '\0';
  for (char *c = meta->request_id; *c != '\0'; c++) /* it is printed */
    if (*c < ' ' || *c > '~')
      *c = '?';
}

void palenca_meta_read(palenca_meta *meta, const char *line, size_t size, int64_t now_unix) {
  const char *colon = memchr(line, ':', size);
  if (colon == NULL)
    return;
  size_t name_size = (size_t)(colon - line);
  const char *value = colon + 1;
  const char *end = line + size;
  while (value < end && (*value == ' ' || *value == '\t'))
    value++;
  while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
    end--;
  size_t value_size = (size_t)(end - value);
  if (name_is(line, name_size, "x-request-id"))
    keep_request_id(meta, value, value_size);
  else if (name_is(line, name_size, "x-ratelimit-limit"))
    meta->rate_limit = read_number(value, value_size);
  else if (name_is(line, name_size, "x-ratelimit-remaining"))
    meta->rate_remaining = read_number(value, value_size);
  else if (name_is(line, name_size, "x-ratelimit-reset"))
    meta->rate_reset = read_number(value, value_size);
  else if (name_is(line, name_size, "retry-after"))
    meta->retry_after_ms = read_retry_after(value, value_size, now_unix);
}
