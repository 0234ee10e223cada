/* Keeps the list of the timers of scripts. */
#include "timer_list.h"

#include <stdlib.h>
#include <string.h>

event_timer *event_timer_new(const char *name, int64_t interval) {
  size_t size = strlen(name) + 1;
  event_timer *timer = malloc(sizeof *timer + size);
  if (timer != NULL) {
    *timer = (event_timer){.interval = interval, .due_at = INT64_MAX};
    memcpy(timer->name, name, size);
  }
  return timer;
}

static void drop(event_timer **link) {
  event_timer *timer = *link;
  *link = timer->next;
  free(timer);
}

void event_timers_free(event_timers *timers) {
  while (timers->first != NULL) {
    drop(&timers->first);
  }
}

/* ---- The list ---- */

void event_timers_begin_list(event_timers *timers) {
  for (event_timer *timer = timers->first; timer != NULL; timer = timer->next) {
    timer->is_registered = false;
  }
}

void event_timers_add(event_timers *timers, const char *name, int64_t interval,
                      event_timer **spare) {
  event_timer **link = &timers->first;
  while (*link != NULL && strcmp((*link)->name, name) != 0) {
    link = &(*link)->next;
  }
  if (*link == NULL) {
    *link = *spare;
    *spare = NULL;
    (*link)->id = ++timers->last_id;
  }
  (*link)->is_registered = true;
  (*link)->interval = interval;
}

void event_timers_end_list(event_timers *timers) {
  event_timer **link = &timers->first;
  while (*link != NULL) {
    if (!(*link)->is_registered && !(*link)->is_running) {
      drop(link);
    } else {
      link = &(*link)->next;
    }
  }
  timers->is_stale = true;
}

void event_timers_shift(event_timers *timers, int64_t milliseconds) {
  for (event_timer *timer = timers->first; timer != NULL; timer = timer->next) {
    if (timer->due_at != INT64_MAX) {
      timer->due_at += milliseconds;
    }
  }
}

/* ---- Transactions ---- */

void event_timers_begin(event_timers *timers) {
  for (event_timer *timer = timers->first; timer != NULL; timer = timer->next) {
    timer->was_running = timer->is_running;
  }
}

void event_timers_rollback(event_timers *timers) {
  for (event_timer *timer = timers->first; timer != NULL; timer = timer->next) {
    timer->is_running = timer->was_running;
  }
  timers->is_stale = true;
}

event_timer *event_timers_due(event_timers *timers, int64_t now) {
  for (event_timer *timer = timers->first; timer != NULL; timer = timer->next) {
    if (timer->is_registered && !timer->is_running && timer->due_at <= now) {
      return timer;
    }
  }
  return NULL;
}

int64_t event_timers_next(const event_timers *timers) {
  int64_t next = timers->is_stale ? 0 : INT64_MAX;
  for (const event_timer *timer = timers->first; timer != NULL; timer = timer->next) {
    if (timer->is_registered && !timer->is_running && timer->due_at < next) {
      next = timer->due_at;
    }
  }
  return next;
}
