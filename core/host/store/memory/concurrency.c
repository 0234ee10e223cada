/* Limits how many of the events whose action matches a pattern may run at once. */
#include "concurrency.h"

#include <stdlib.h>
#include <string.h>

#define ALL 0 /* the place of "*" */

bool concurrency_init(concurrency_limits *limits) {
  *limits = (concurrency_limits){.list = {[ALL] = {.pattern = strdup("*")}}, .count = 1};
  return limits->list[ALL].pattern != NULL;
}

void concurrency_free(concurrency_limits *limits) {
  for (int i = 0; i < limits->count; i++) {
    free(limits->list[i].pattern);
  }
}

void concurrency_remove_limit(concurrency_limits *limits) {
  for (int i = 0; i < limits->count; i++) {
    limits->list[i].limit = 0;
  }
}

static concurrency_limit *find(concurrency_limits *limits, const char *pattern) {
  concurrency_limit *unused = NULL;
  for (int i = 0; i < limits->count; i++) {
    concurrency_limit *entry = &limits->list[i];
    if (entry->pattern != NULL && strcmp(entry->pattern, pattern) == 0) {
      return entry;
    }
    unused = entry->pattern == NULL ? entry : unused;
  }
  if (unused == NULL && limits->count < EVENT_LIMITS_MAX) {
    unused = &limits->list[limits->count++];
  }
  if (unused != NULL) {
    unused->pattern = strdup(pattern);
  }
  return unused != NULL && unused->pattern != NULL ? unused : NULL;
}

bool concurrency_add_limit(concurrency_limits *limits, const char *pattern, size_t limit) {
  concurrency_limit *entry = find(limits, pattern);
  bool has_place = entry != NULL;
  entry = has_place ? entry : &limits->list[ALL];
  entry->limit = entry->limit == 0 || limit < entry->limit ? limit : entry->limit;
  return has_place;
}

void concurrency_drop_unused(concurrency_limits *limits, int index, bool is_awaited) {
  concurrency_limit *entry = &limits->list[index];
  if (index != ALL && entry->limit == 0 && entry->used == 0 && !is_awaited) {
    free(entry->pattern);
    *entry = (concurrency_limit){.pattern = NULL};
  }
}

/* "*" is not looked at here. */
static bool fits(const char *pattern, const char *action) {
  size_t size = strlen(pattern);
  bool is_family = size > 2 && strcmp(pattern + size - 2, ".*") == 0;
  return is_family ? strncmp(pattern, action, size - 1) == 0 : strcmp(pattern, action) == 0;
}

/* All are counted at all times, since a limit for them may come up while they run. */
concurrency_limit_set concurrency_of(const concurrency_limits *limits, const char *action) {
  concurrency_limit_set set = (concurrency_limit_set)1 << ALL;
  for (int i = ALL + 1; i < limits->count; i++) {
    const concurrency_limit *entry = &limits->list[i];
    if (entry->limit > 0 && fits(entry->pattern, action)) {
      set |= (concurrency_limit_set)1 << i;
    }
  }
  return set;
}

int concurrency_find_exhausted(const concurrency_limits *limits, concurrency_limit_set set) {
  for (int i = 0; i < limits->count; i++) {
    const concurrency_limit *entry = &limits->list[i];
    if ((set >> i & 1) != 0 && entry->limit > 0 && entry->used >= entry->limit) {
      return i;
    }
  }
  return -1;
}

void concurrency_take(concurrency_limits *limits, concurrency_limit_set set) {
  for (int i = 0; i < limits->count; i++) {
    limits->list[i].used += (size_t)(set >> i & 1);
  }
}

void concurrency_release(concurrency_limits *limits, concurrency_limit_set set) {
  for (int i = 0; i < limits->count; i++) {
    limits->list[i].used -= (size_t)(set >> i & 1);
  }
}

void concurrency_begin(concurrency_limits *limits) {
  for (int i = 0; i < limits->count; i++) {
    limits->list[i].saved = limits->list[i].used;
  }
}

void concurrency_rollback(concurrency_limits *limits) {
  for (int i = 0; i < limits->count; i++) {
    limits->list[i].used = limits->list[i].saved;
  }
}
