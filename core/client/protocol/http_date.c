/* Parses the three forms of a date in an HTTP header. */
#include "http_date.h"

#include <stdbool.h>
#include <string.h>

#define SECONDS_OF_YEAR 31556952 /* on average */

typedef struct {
  const char *at, *end;
} cursor;

typedef struct {
  int64_t year, month, day, hour, minute, second;
} date;

static bool take(cursor *from, const char *literal) {
  size_t size = strlen(literal);
  if ((size_t)(from->end - from->at) < size || memcmp(from->at, literal, size) != 0) {
    return false;
  }
  from->at += size;
  return true;
}

static bool take_digits(cursor *from, int count, int64_t *value) {
  *value = 0;
  for (int i = 0; i < count; i++, from->at++) {
    if (from->at == from->end || *from->at < '0' || *from->at > '9') {
      return false;
    }
    *value = *value * 10 + (*from->at - '0');
  }
  return true;
}

/* It says nothing that the rest does not. */
static bool take_weekday(cursor *from) {
  const char *start = from->at;
  while (from->at < from->end &&
         ((*from->at >= 'a' && *from->at <= 'z') || (*from->at >= 'A' && *from->at <= 'Z'))) {
    from->at++;
  }
  return from->at - start >= 3;
}

static bool take_month(cursor *from, int64_t *month) {
  static const char names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  for (*month = 1; from->end - from->at >= 3 && *month <= 12; (*month)++) {
    if (memcmp(from->at, names[*month - 1], 3) == 0) {
      from->at += 3;
      return true;
    }
  }
  return false;
}

static bool take_time(cursor *from, date *to) {
  return take_digits(from, 2, &to->hour) && take(from, ":") && take_digits(from, 2, &to->minute) &&
         take(from, ":") && take_digits(from, 2, &to->second);
}

static int64_t full_year(int64_t two_digits, int64_t now_unix) {
  int64_t now = 1970 + now_unix / SECONDS_OF_YEAR;
  int64_t year = now - now % 100 + two_digits;
  return year > now + 50 ? year - 100 : year <= now - 50 ? year + 100 : year;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_imf(cursor from, date *to) {
  return take_weekday(&from) && take(&from, ", ") && take_digits(&from, 2, &to->day) &&
         take(&from, " ") && take_month(&from, &to->month) && take(&from, " ") &&
         take_digits(&from, 4, &to->year) && take(&from, " ") && take_time(&from, to) &&
         take(&from, " GMT") && from.at == from.end;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool read_rfc850(cursor from, date *to, int64_t now_unix) {
  bool is_one = take_weekday(&from) && take(&from, ", ") && take_digits(&from, 2, &to->day) &&
                take(&from, "-") && take_month(&from, &to->month) && take(&from, "-") &&
                take_digits(&from, 2, &to->year) && take(&from, " ") && take_time(&from, to) &&
                take(&from, " GMT") && from.at == from.end;
  to->year = full_year(to->year, now_unix);
  return is_one;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(cursor from, date *to) {
  return take_weekday(&from) && take(&from, " ") && take_month(&from, &to->month) &&
         take(&from, " ") && take_digits(&from, take(&from, " ") ? 1 : 2, &to->day) &&
         take(&from, " ") && take_time(&from, to) && take(&from, " ") &&
         take_digits(&from, 4, &to->year) && from.at == from.end;
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

int64_t http_date_read(const char *text, size_t size, int64_t now_unix) {
  cursor from = {text, text + size};
  date found = {0};
  if (!read_imf(from, &found) && !read_rfc850(from, &found, now_unix) &&
      !read_asctime(from, &found)) {
    return -1;
  }
  if (found.year < 1970 || found.day < 1 || found.day > 31 || found.hour > 23 ||
      found.minute > 59 || found.second > 60) {
    return -1;
  }
  return days_from_civil(found.year, found.month, found.day) * 86400 + found.hour * 3600 +
         found.minute * 60 + found.second;
}
