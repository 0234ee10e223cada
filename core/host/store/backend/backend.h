/* What the queue needs of a database: a class of functions for each kind of it, SQLite's and
 * PostgreSQL's. All of them are called on the loop. */
#ifndef PALENCA_HOST_STORE_BACKEND_BACKEND_H
#define PALENCA_HOST_STORE_BACKEND_BACKEND_H

#include "batch.h"
#include "timer_list.h"

struct sqlite3;

typedef enum {
  EVENT_FAILURE_NONE,
  EVENT_FAILURE_FULL,    /* the disk */
  EVENT_FAILURE_REMOVED, /* the file, or one beside it, is no longer where it was */
  EVENT_FAILURE_DAMAGED,
  EVENT_FAILURE_OTHER
} event_failure;

typedef enum {
  EVENT_MAINTENANCE_EVENTS,
  EVENT_MAINTENANCE_DECISIONS,
  EVENT_MAINTENANCE_RESPONSES,
  EVENT_MAINTENANCE_MARKS,
  EVENT_MAINTENANCE_FILE, /* which does not fail */
  EVENT_MAINTENANCE_TASKS
} event_maintenance_task;

/* Which events may be leased, as far as the backend knows. */
typedef struct {
  bool is_known;     /* false: nothing can be leased yet */
  bool is_any_ready; /* some may be leased now, beside retries that are due */
  bool has_waiting;  /* a finish may let another event run */
} event_order;

typedef struct event_backend event_backend;

typedef void event_batch_done(void *context, event_batch *batch, event_batch_result result);

/* What a database in this process needs between its transactions. */
typedef struct {
  const char *(*path)(const event_backend *backend);
  /* For work of others. */
  struct sqlite3 *(*connection)(event_backend *backend);
  /* The rows that have been changed over it so far. */
  int (*count_changes)(event_backend *backend);

  /* Reads the order of events for about this many milliseconds; until all is read, events can be
   * put and finished, but not leased. False: it has failed. */
  bool (*learn_order)(event_backend *backend, int64_t milliseconds);
  void (*forget_order)(event_backend *backend);
  /* Whether another process has written since the last call or batch. */
  bool (*has_external_writes)(event_backend *backend);

  /* The Unix clock was set back, by so much (below 0): moves all waits with it, in slices as for
   * the order. `is_locked`: false was returned since another process writes just now. */
  bool (*begin_shift)(event_backend *backend, int64_t milliseconds);
  bool (*is_shifting)(const event_backend *backend);
  bool (*shift_waits)(event_backend *backend, int64_t milliseconds, bool *is_locked);
  void (*abandon_shift)(event_backend *backend);

  /* Forgets what is out of the dedup window. */
  void (*expire)(event_backend *backend, int64_t now);
  /* Memory that may hold damage that was read. */
  void (*release_memory)(event_backend *backend);
  /* As the functions of maintenance.h. The reason of a failed step is in `reason`. */
  void (*checkpoint)(event_backend *backend, bool is_retry);
  int64_t (*maintenance_due)(const event_backend *backend, bool is_idle);
  bool (*maintain)(event_backend *backend, bool is_idle, event_maintenance_task *task,
                   const char **reason);
  /* After a failed step, whose reason is no longer needed. */
  void (*roll_back)(event_backend *backend);
  /* Others may have deleted events. */
  void (*allow_shrinking)(event_backend *backend);
} event_embedded_class;

typedef struct {
  const event_embedded_class *embedded; /* NULL: a server sees to that itself */

  /* Closes and frees it; no batch is under way. */
  void (*close)(event_backend *backend);

  /* Carries a batch out, and calls `done` with its result: before it returns if the database
   * completes at once, as SQLite does; or later, when a descriptor has become readable, which a
   * server is watched by. One batch is under way at a time, and belongs to the backend until
   * then, but for the puts: EVENT_BATCH_STORED may come before, so that they do not wait for
   * leases, and takes them out of the batch. */
  void (*submit)(event_backend *backend, event_batch *batch, event_batch_done *done, void *context);

  /* Why, and of what kind, the last failure was. */
  const char *(*reason)(const event_backend *backend);
  event_failure (*failure)(const event_backend *backend);
  /* What keeps it from storing just now, though no batch has failed yet. */
  event_failure (*problem)(event_backend *backend);
  /* Whether writing works, after a failure and while nothing has to be written. */
  bool (*probe)(event_backend *backend);

  event_order (*order)(const event_backend *backend);
  /* Between batches. A change of the limits is to be followed by drop_unused_limits. */
  concurrency_limits *(*limits)(event_backend *backend);
  void (*drop_unused_limits)(event_backend *backend);
  event_timers *(*timers)(event_backend *backend);

  /* Counts, which may take a query. False: it is not known, or not anew. The retries are those
   * that wait, while the order is known; the oldest is when the oldest unfinished event was
   * received, in Unix milliseconds; 0: there is none. */
  bool (*count_unfinished)(event_backend *backend, int64_t *count);
  bool (*count_dead)(event_backend *backend, int64_t *count);
  bool (*find_oldest)(event_backend *backend, int64_t *received_at);
  int64_t (*count_retries)(const event_backend *backend);
  /* Of all processes; `leased` is the number of this one. */
  int64_t (*count_running)(const event_backend *backend, int64_t leased);
} event_backend_class;

/* The class of a kind whose file has all of these by their names: one that lacks one of them does
 * not compile. */
#define EVENT_BACKEND_FUNCTIONS                                                                    \
  .close = close_backend, .submit = submit, .reason = reason, .failure = failure,                  \
  .problem = problem, .probe = probe, .order = order, .limits = limits,                            \
  .drop_unused_limits = drop_unused_limits, .timers = timers,                                      \
  .count_unfinished = count_unfinished, .count_dead = count_dead, .find_oldest = find_oldest,      \
  .count_retries = count_retries, .count_running = count_running

struct event_backend {
  const event_backend_class *class;
};

#endif
