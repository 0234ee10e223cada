/* A set of ids of events: as many as are leased to this process. */
#include "internal.h"

#include <stdlib.h>

bool id_set_add(id_set *set, int64_t id) {
  if (set->count == set->capacity) {
    size_t capacity = set->capacity > 0 ? set->capacity * 2 : 64;
    int64_t *grown = realloc(set->ids, capacity * sizeof *grown);
    if (grown == NULL) {
      return false;
    }
    set->ids = grown;
    set->capacity = capacity;
  }
  set->ids[set->count++] = id;
  return true;
}

void id_set_remove(id_set *set, int64_t id) {
  for (size_t i = 0; i < set->count; i++) {
    if (set->ids[i] == id) {
      set->ids[i] = set->ids[--set->count];
      return;
    }
  }
}
