/* Writes filters of events as SQL. */
#include "filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "login.*"; "*" is no condition. */
static bool is_family(const char *action) {
  size_t size = strlen(action);
  return size >= 2 && strcmp(action + size - 2, ".*") == 0;
}

void event_filter_conditions(const event_filter *filter, char text[EVENT_FILTER_SIZE]) {
  bool has_action = filter->action != NULL && strcmp(filter->action, "*") != 0;
  bool has_family = has_action && is_family(filter->action);
  const char *const conditions[] = {
      has_family   ? " AND action >= ?11 AND action < ?12"
      : has_action ? " AND action = ?11"
                   : "",
      filter->account_id != NULL ? " AND account_id = ?13" : "",
      filter->since != 0 ? " AND received_at >= ?14" : "",
      filter->until != 0 ? " AND received_at < ?15" : "",
      filter->error != NULL ? " AND error LIKE ?16 ESCAPE '\\'" : "",
      filter->platform != NULL ? " AND " EVENT_PLATFORM " = ?17" : "",
  };
  size_t used = 0;
  text[0] = '\0';
  for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
    used += (size_t)snprintf(text + used, EVENT_FILTER_SIZE - used, "%s", conditions[i]);
  }
}

bool event_filter_reads_bodies(const event_filter *filter) {
  return filter->platform != NULL;
}

static void bind_text(sqlite3_stmt *statement, int parameter, const char *text) {
  if (text != NULL && parameter <= sqlite3_bind_parameter_count(statement)) {
    (void)sqlite3_bind_text(statement, parameter, text, -1, SQLITE_STATIC);
  }
}

static void bind_time(sqlite3_stmt *statement, int parameter, int64_t time) {
  if (parameter <= sqlite3_bind_parameter_count(statement)) {
    (void)sqlite3_bind_int64(statement, parameter, time);
  }
}

/* A copy of which the statement disposes. */
static bool bind_own(sqlite3_stmt *statement, int parameter, char *text) {
  if (text == NULL || parameter > sqlite3_bind_parameter_count(statement)) {
    free(text);
    return text != NULL;
  }
  return sqlite3_bind_text(statement, parameter, text, -1, free) == SQLITE_OK;
}

/* All actions that begin with "login." are from there to "login/", the next word. */
static bool bind_family(sqlite3_stmt *statement, const char *action) {
  size_t size = strlen(action) - 1;
  char *first = strndup(action, size), *next = strndup(action, size);
  if (next != NULL) {
    next[size - 1] = '.' + 1;
  }
  bool ok = bind_own(statement, 11, first);
  return bind_own(statement, 12, next) && ok;
}

/* As a pattern of LIKE. */
static bool bind_part(sqlite3_stmt *statement, int parameter, const char *part) {
  char *pattern = malloc(2 * strlen(part) + 3), *at = pattern;
  if (pattern == NULL) {
    return false;
  }
  *at++ = '%';
  for (; *part != '\0'; part++) {
    if (*part == '%' || *part == '_' || *part == '\\') {
      *at++ = '\\';
    }
    *at++ = *part;
  }
  *at++ = '%';
  *at = '\0';
  return bind_own(statement, parameter, pattern);
}

bool event_filter_bind(sqlite3_stmt *statement, const event_filter *filter) {
  bool ok = true;
  if (filter->action != NULL && is_family(filter->action)) {
    ok = bind_family(statement, filter->action);
  } else {
    bind_text(statement, 11, filter->action);
  }
  bind_text(statement, 13, filter->account_id);
  bind_time(statement, 14, filter->since);
  bind_time(statement, 15, filter->until);
  bind_text(statement, 17, filter->platform);
  return (filter->error == NULL || bind_part(statement, 16, filter->error)) && ok;
}
