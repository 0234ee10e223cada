/* The three forms of a date in an HTTP header (RFC 9110, 5.6.7). */
#ifndef PALENCA_PROTOCOL_HTTP_DATE_H
#define PALENCA_PROTOCOL_HTTP_DATE_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Unix seconds; -1 if it is no date, or one before 1970. A year of two digits is the one closest to
 * `now_unix`, within 50 years. */
int64_t http_date_read(const char *text, size_t size, int64_t now_unix);

#pragma GCC visibility pop

#endif
