/* The timers of the scripts that are served: which there are, and which of them run. Used by one
 * thread. */
#ifndef PALENCA_HOST_STORE_BACKEND_TIMER_LIST_H
#define PALENCA_HOST_STORE_BACKEND_TIMER_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct event_timer {
  struct event_timer *next; /* in the list below */
  int64_t id;               /* from 1, in this process */
  int64_t interval, due_at; /* milliseconds; Unix milliseconds */
  bool is_registered;       /* a script that is served has it */
  bool is_running, was_running;
  char name[];
} event_timer;

typedef struct {
  event_timer *first;
  int64_t last_id;
  bool is_stale; /* the table may be another one */
} event_timers;

/* For event_timers_add, or to be freed. NULL: out of memory. */
event_timer *event_timer_new(const char *name, int64_t interval);

void event_timers_free(event_timers *timers);

/* Between transactions: the timers that there are from now on, one by one, the later of two with
 * the same name. `spare` is taken if there was none of this name, so that nothing is wanting when
 * the list is made; it may be NULL if it was taken in the making of the list before. */
void event_timers_begin_list(event_timers *timers);
void event_timers_add(event_timers *timers, const char *name, int64_t interval,
                      event_timer **spare);
void event_timers_end_list(event_timers *timers);

/* The Unix clock was set by so much. */
void event_timers_shift(event_timers *timers, int64_t milliseconds);

/* Around a transaction. */
void event_timers_begin(event_timers *timers);
void event_timers_rollback(event_timers *timers);

/* One that is due and does not run, or NULL. */
event_timer *event_timers_due(event_timers *timers, int64_t now);

/* When the first is due; INT64_MAX: none is; 0: the table is to be looked at. */
int64_t event_timers_next(const event_timers *timers);

#endif
