/* Gives the parameters of filters to statements at PostgreSQL. */
#include "server_filter.h"

#include <stdlib.h>
#include <string.h>

/* As LIKE takes it: a part of a text, or a whole action, or a family of them. */
static void add_pattern(server_query *query, const char *before, const char *text, size_t size,
                        const char *after) {
  char *pattern = malloc(2 * size + 3), *at = pattern;
  if (pattern == NULL) {
    query->parameters.has_failed = true;
    return;
  }
  at = stpcpy(at, before);
  for (size_t i = 0; i < size; i++) {
    if (strchr("\\%_", text[i]) != NULL) {
      *at++ = '\\';
    }
    *at++ = text[i];
  }
  (void)strcpy(at, after);
  server_query_add_text(query, pattern);
  free(pattern);
}

static void add_action(server_query *query, const char *action) {
  size_t size = action != NULL ? strlen(action) : 0;
  if (action == NULL || strcmp(action, "*") == 0) {
    server_query_add_text(query, "%");
  } else if (size > 2 && strcmp(action + size - 2, ".*") == 0) {
    add_pattern(query, "", action, size - 1, "%");
  } else {
    add_pattern(query, "", action, size, "");
  }
}

static void add_or_any(server_query *query, const char *text) {
  server_query_add_text(query, text != NULL ? text : "");
}

int64_t server_filter_state(const event_filter *filter) {
  for (int i = 0; filter->state != NULL && i < EVENT_STATES; i++) {
    if (strcmp(filter->state, event_state_names[i]) == 0) {
      return i;
    }
  }
  return -1;
}

bool server_filter_check(const event_filter *filter, host_error *error) {
  return filter->state == NULL || server_filter_state(filter) >= 0 ||
         host_error_set(error, HOST_FAILED, "unknown state '%s'", filter->state);
}

void server_filter_add(server_query *query, const event_filter *filter) {
  add_action(query, filter->action);
  add_or_any(query, filter->account_id);
  values_add_integer(&query->parameters, filter->since);
  values_add_integer(&query->parameters, filter->until != 0 ? filter->until : INT64_MAX);
  if (filter->error != NULL) {
    add_pattern(query, "%", filter->error, strlen(filter->error), "%");
  } else {
    server_query_add_text(query, "");
  }
  add_or_any(query, filter->platform);
  values_add_integer(&query->parameters, server_filter_state(filter));
}
