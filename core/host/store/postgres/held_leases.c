/* The leases that this process has, and what of them waits for a handler of an earlier lease of the
 * same event. The process may have lost that one, and have leased the event again. */
#include "internal.h"

#include <stdlib.h>

static bool is_of(const held_lease *held, const event_finish *finish) {
  return held->id == finish->id && held->owner == finish->owner &&
         held->attempt == finish->attempt && held->replay == finish->replay;
}

static bool has(const held_leases *held, const event_finish *finish) {
  size_t at = 0;
  while (at < held->count && !is_of(&held->list[at], finish)) {
    at++;
  }
  return at < held->count;
}

static size_t count_of_event(const held_leases *held, int64_t id) {
  size_t count = 0;
  for (size_t i = 0; i < held->count; i++) {
    count += held->list[i].id == id;
  }
  return count;
}

bool held_leases_add(held_leases *held, const event_finish *finish) {
  if (held->count == held->capacity) {
    size_t capacity = held->capacity > 0 ? held->capacity * 2 : 64;
    held_lease *grown = realloc(held->list, capacity * sizeof *grown);
    if (grown == NULL) {
      return false;
    }
    held->list = grown;
    held->capacity = capacity;
  }
  held->list[held->count++] = (held_lease){.id = finish->id,
                                           .owner = finish->owner,
                                           .attempt = finish->attempt,
                                           .replay = finish->replay};
  return true;
}

void held_leases_remove(held_leases *held, const event_finish *finish) {
  for (size_t i = 0; i < held->count; i++) {
    if (is_of(&held->list[i], finish)) {
      held->list[i] = held->list[--held->count];
      return;
    }
  }
}

/* ---- Those that wait ---- */

bool held_leases_keep(held_leases *held, event_grant *grant) {
  bool is_running = count_of_event(held, grant->finish->id) > 0;
  /* the server has crashed, and has lost a lease that this one repeats: either end is the other's
   */
  bool is_repeated = is_running && has(held, grant->finish);
  if (is_running && !is_repeated && held_leases_add(held, grant->finish)) {
    grant->next = held->waiting;
    held->waiting = grant;
  } else if (is_running) {
    held->is_incomplete = held->is_incomplete || !is_repeated;
    grant->next = NULL;
    event_grants_free(grant, true);
  }
  return is_running;
}

event_grant *held_leases_take_ready(held_leases *held) {
  event_grant **link = &held->waiting;
  while (*link != NULL && count_of_event(held, (*link)->finish->id) > 1) {
    link = &(*link)->next;
  }
  event_grant *grant = *link;
  if (grant != NULL) {
    *link = grant->next;
    grant->next = NULL;
    held_leases_remove(held, grant->finish);
  }
  return grant;
}

void held_leases_drop_waiting(held_leases *held) {
  for (event_grant *grant = held->waiting; grant != NULL; grant = grant->next) {
    held_leases_remove(held, grant->finish);
  }
  event_grants_free(held->waiting, true);
  held->waiting = NULL;
}

void held_leases_free(held_leases *held) {
  held_leases_drop_waiting(held);
  free(held->list);
}
