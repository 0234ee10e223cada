/* The leases that this process has: as many as events run in it. */
#include "internal.h"

#include <stdlib.h>

static size_t find(const lease_set *set, const event_finish *finish) {
  size_t at = 0;
  while (at < set->count &&
         (set->list[at].id != finish->id || set->list[at].attempt != finish->attempt ||
          set->list[at].replay != finish->replay)) {
    at++;
  }
  return at;
}

bool lease_set_has(const lease_set *set, const event_finish *finish) {
  return find(set, finish) < set->count;
}

bool lease_set_add(lease_set *set, const event_finish *finish) {
  if (set->count == set->capacity) {
    size_t capacity = set->capacity > 0 ? set->capacity * 2 : 64;
    held_lease *grown = realloc(set->list, capacity * sizeof *grown);
    if (grown == NULL) {
      return false;
    }
    set->list = grown;
    set->capacity = capacity;
  }
  set->list[set->count++] =
      (held_lease){.id = finish->id, .attempt = finish->attempt, .replay = finish->replay};
  return true;
}

void lease_set_remove(lease_set *set, const event_finish *finish) {
  size_t at = find(set, finish);
  if (at < set->count) {
    set->list[at] = set->list[--set->count];
  }
}
