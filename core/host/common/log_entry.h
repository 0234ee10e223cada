/* The line of an entry of the log, for a terminal or as JSON: the only place in C that makes one.
 *
 * palenca.log is its counterpart for Lua, where fields may be tables.
 */
#ifndef PALENCA_HOST_COMMON_LOG_ENTRY_H
#define PALENCA_HOST_COMMON_LOG_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text or, if that is NULL, a number. */
typedef struct {
  const char *name; /* a plain word */
  const char *text;
  uint64_t number;
} log_field;

typedef struct {
  const char *event, *level; /* plain words */
  const char *message;       /* for people */
  const log_field *fields;   /* instead of the message in JSON; may be NULL */
  size_t field_count;
} log_entry;

#define LOG_TEXT_MAX 2048
#define LOG_LINE_SIZE ((size_t)6 * LOG_TEXT_MAX + 512) /* an escape for each byte of the texts */

/* Returns the size of the line, its end included. As text: the message, after "palenca: " and, of
 * an error, "error: "; as JSON: an object of the time, the level, the event and the fields. What a
 * terminal would interpret is escaped; texts are cut if they are longer than LOG_TEXT_MAX together.
 */
size_t log_entry_line(const log_entry *entry, bool json, char line[LOG_LINE_SIZE]);

#endif
