/* How many events may run at once of those that a pattern fits. */
#include "concurrency.h"

#include <stdlib.h>
#include <string.h>

#define ALL 0 /* the place of "*" */

bool event_caps_init(event_caps *caps) {
  *caps = (event_caps){.list = {[ALL] = {.pattern = strdup("*")}}, .count = 1};
  return caps->list[ALL].pattern != NULL;
}

void event_caps_free(event_caps *caps) {
  for (int i = 0; i < caps->count; i++) {
    free(caps->list[i].pattern);
  }
}

void event_caps_lift(event_caps *caps) {
  for (int i = 0; i < caps->count; i++) {
    caps->list[i].limit = 0;
  }
}

static event_cap *find(event_caps *caps, const char *pattern) {
  event_cap *unused = NULL;
  for (int i = 0; i < caps->count; i++) {
    event_cap *cap = &caps->list[i];
    if (cap->pattern != NULL && strcmp(cap->pattern, pattern) == 0) {
      return cap;
    }
    unused = cap->pattern == NULL ? cap : unused;
  }
  if (unused == NULL && caps->count < EVENT_CAPS_MAX) {
    unused = &caps->list[caps->count++];
  }
  if (unused != NULL) {
    unused->pattern = strdup(pattern);
  }
  return unused != NULL && unused->pattern != NULL ? unused : NULL;
}

bool event_caps_limit(event_caps *caps, const char *pattern, size_t limit) {
  event_cap *cap = find(caps, pattern);
  bool has_place = cap != NULL;
  cap = has_place ? cap : &caps->list[ALL];
  cap->limit = cap->limit == 0 || limit < cap->limit ? limit : cap->limit;
  return has_place;
}

void event_caps_tidy(event_caps *caps, int index, bool is_awaited) {
  event_cap *cap = &caps->list[index];
  if (index != ALL && cap->limit == 0 && cap->used == 0 && !is_awaited) {
    free(cap->pattern);
    *cap = (event_cap){.pattern = NULL};
  }
}

/* "*" is not looked at here. */
static bool fits(const char *pattern, const char *action) {
  size_t size = strlen(pattern);
  bool is_family = size > 2 && strcmp(pattern + size - 2, ".*") == 0;
  return is_family ? strncmp(pattern, action, size - 1) == 0 : strcmp(pattern, action) == 0;
}

/* All are counted at all times, since a limit for them may come up while they run. */
event_cap_set event_caps_of(const event_caps *caps, const char *action) {
  event_cap_set set = (event_cap_set)1 << ALL;
  for (int i = ALL + 1; i < caps->count; i++) {
    const event_cap *cap = &caps->list[i];
    if (cap->limit > 0 && fits(cap->pattern, action)) {
      set |= (event_cap_set)1 << i;
    }
  }
  return set;
}

int event_caps_full(const event_caps *caps, event_cap_set set) {
  for (int i = 0; i < caps->count; i++) {
    const event_cap *cap = &caps->list[i];
    if ((set >> i & 1) != 0 && cap->limit > 0 && cap->used >= cap->limit) {
      return i;
    }
  }
  return -1;
}

void event_caps_take(event_caps *caps, event_cap_set set) {
  for (int i = 0; i < caps->count; i++) {
    caps->list[i].used += (size_t)(set >> i & 1);
  }
}

void event_caps_give_back(event_caps *caps, event_cap_set set) {
  for (int i = 0; i < caps->count; i++) {
    caps->list[i].used -= (size_t)(set >> i & 1);
  }
}

void event_caps_begin(event_caps *caps) {
  for (int i = 0; i < caps->count; i++) {
    caps->list[i].saved = caps->list[i].used;
  }
}

void event_caps_rollback(event_caps *caps) {
  for (int i = 0; i < caps->count; i++) {
    caps->list[i].used = caps->list[i].saved;
  }
}
