/* What the files of the event store share: what belongs to its loop, and what it shares with
 * workers. */
#ifndef PALENCA_HOST_STORE_QUEUE_INTERNAL_H
#define PALENCA_HOST_STORE_QUEUE_INTERNAL_H

#include "store/backend/backend.h"
#include "store/commit_policy.h"
#include "store/event_store.h"
#include "store/sqlite/started_events.h"

#include <pthread.h>
#include <stdatomic.h>

#define HELD_BUCKETS 256

/* What the script of a consumer is registered for. */
typedef struct consumer_timer {
  struct consumer_timer *next; /* in the order in which they were added */
  int64_t interval;
  event_timer *spare; /* NULL: it is in the list of all */
  char name[];
} consumer_timer;

typedef struct event_dispatch event_dispatch;

struct event_consumer {
  event_dispatch *dispatch;
  int notify_fd;
  size_t prefetch; /* as it was said, less what was taken since */
  bool is_resting; /* it has found nothing, and was not notified since */
  _Atomic bool is_announced;
  concurrency_limit limits[EVENT_CONSUMER_LIMITS_MAX]; /* only patterns and limits */
  size_t limit_count;
  consumer_timer *timers, **timers_end;
  bool has_prefetched;
  event_finish *held[HELD_BUCKETS]; /* taken and not finished, by the low bits of the id */
};

/* What workers and the loop share, all of it guarded by the mutex: none holds it for long. */
struct event_dispatch {
  pthread_mutex_t mutex;
  int wake_fd;     /* an eventfd: readable to wake the loop */
  bool is_waiting; /* the loop waits: it has to be woken */
  bool has_posts;  /* something for the loop is here */
  event_consumer **consumers;
  size_t consumer_count;
  size_t turn;                     /* whose turn it is to be notified */
  size_t prefetch;                 /* of all consumers */
  event_grant *ready, **ready_end; /* leased, to be taken by who asks */
  size_t ready_count;
  event_finish *finishes; /* not yet with the loop */
  bool has_finishes;      /* the loop has some, and writes them in time, with what comes */
  bool has_new_lists;     /* of what consumers have added, or taken with them */
  bool is_any_leasable;   /* what the loop knows: something may be leased */
  bool has_waiting;       /* and events may run once one that runs has ended */
  started_events started;
  event_counts counts; /* `unfinished` without what is not stored yet */
  int64_t queued;      /* puts that are not responded to */
  int64_t leased;      /* events whose lease has not ended in a commit */
};

typedef struct {
  put_request *first, **end;
  bool are_left; /* the first were more than a transaction takes */
} put_queue;

typedef struct {
  bool is_failing;
  event_failure kind; /* of the last failure */
  /* What was logged. */
  bool is_maintenance_failing[EVENT_MAINTENANCE_TASKS];
  bool are_limits_exhausted;
  int64_t rest_ms, rest_until;        /* after a failure; 0: not resting */
  int64_t locked_since, locked_until; /* by another process; 0: it is not */
  int tries_at_close;
} store_trouble;

/* The monotonic clock and the other one, to notice when that is set back. */
typedef struct {
  int64_t steady, unix_ms;
  int64_t offset; /* of the Unix clock, as it was last seen */
} store_clock;

/* What is called on the loop. */
typedef struct {
  void (*end_turn)(event_store *store);   /* if the store ends turns itself */
  void (*after_turn)(event_store *store); /* in any case */
  bool (*work)(event_store *store);       /* before the loop waits; whether there is more at once */
  void (*tick)(event_store *store);       /* a few times a second */
} store_turns;

typedef struct {
  const store_turns *turns;
  uv_poll_t wake; /* not a uv_async_t, in which the loop spins until a preempted sender continues */
  uv_check_t check;
  uv_prepare_t prepare;
  uv_idle_t idle;
  uv_timer_t next, tick;
  int open;        /* handles */
  bool is_awake;   /* the loop does not wait */
  bool ends_turns; /* event_store_end_turns_itself */
  int64_t next_at; /* when `next` fires; 0: it does not */
} store_handles;

typedef struct admin_work admin_work;

typedef struct {
  host_loop_job job;
  bool is_asked;      /* of who asks alone */
  bool is_started;    /* of the loop alone, as the next one */
  bool is_closed;     /* the database is */
  bool has_abandoned; /* finishes, which could not be written */
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool is_done; /* nothing is left on the loop; guarded by the mutex */
} store_ending;

/* When something was last done, on the monotonic clock. */
typedef struct {
  commit_burst burst;
  int64_t finishes_since; /* the first of those that wait came */
  int64_t leased_at, committed_at;
  int64_t announced_at;
  bool has_changes; /* of others, which are still to be read */
  int64_t changed_at;
} store_timing;

/* Of watch.c. */
typedef struct {
  int64_t probe_at, oldest_at; /* on the monotonic clock: not before */
  bool is_dead_known;          /* false: to be counted anew */
  int64_t dead_before;         /* dead events that were not finished so by this process */
} store_watch;

/* Belongs to the loop, but for `dispatch`, `busy_since` and `ending`. */
struct event_store {
  event_store_options options;
  char *path;
  event_backend *backend;
  event_dispatch dispatch;
  store_handles handles;
  store_clock clock;
  store_timing timing;
  store_trouble trouble;
  store_watch watch;
  put_queue puts;
  event_finish *finishes; /* to be written */
  event_batch batch;
  bool is_under_way; /* the batch is with the database */
  int64_t next_due;  /* of retries and timers, Unix milliseconds; 0: not known */
  admin_work *works;
  _Atomic int64_t busy_since; /* of the turn, on the monotonic clock; 0: the loop waits */
  store_ending ending;
};

/* ---- dispatch.c: the loop's side; these lock the mutex ---------------- */

/* What workers have posted. */
typedef struct {
  event_finish *finishes;
  size_t prefetch; /* beyond what is leased to them */
  bool is_idle;    /* a worker waits for events, and there is none to take */
} dispatch_view;

dispatch_view event_dispatch_collect(event_store *store);

/* Puts leased events into the queue, and notifies those who rest. Returns the finishes of those
 * that cannot be run. */
event_finish *event_dispatch_deliver(event_store *store, event_grant *grants);

/* What the loop knows: whether something can be leased, and whether events wait for others to end.
 */
void event_dispatch_publish(event_store *store, bool is_any_leasable, bool has_waiting);

/* Notifies all who can take some if events have been left in the queue. */
void event_dispatch_notify_others(event_dispatch *dispatch);

/* Leaves no lease: all that is leased is finished by RELEASED. */
void event_dispatch_release_all(event_store *store);

/* Something for the loop is there; called with the mutex held. Whether the loop is to be woken, by
 * event_dispatch_wake, without it: woken, it would wait for the mutex at once. */
bool event_dispatch_post(event_dispatch *dispatch);
void event_dispatch_wake(event_dispatch *dispatch);
void event_consumer_destroy(event_consumer *consumer);

/* ---- event_store.c: what is to be written, and when ---- */

/* Calls `done` of all, and frees them. */
void event_store_respond(put_request *puts, const char *reason);
/* Hands out what was leased. */
void event_store_hand_out(event_store *store);
/* The database has failed outside of a batch. */
void event_store_failed(event_store *store);
void event_store_report(const event_store *store, bool is_error, const char *what,
                        const char *reason);
/* Whether nothing is left to be written. */
bool event_store_is_drained(const event_store *store);

/* ---- idle_work.c: what is done between the transactions ----------- */

/* For the turns below. */
bool event_store_work(event_store *store);
void event_store_tick(event_store *store);
/* Last calls of what others have under way. */
void event_store_end_works(event_store *store);

/* ---- watch.c: for whoever watches the process ---- */

/* A few times a second. */
void event_store_watch(event_store *store);

/* ---- loop_handles.c: the handles -------- */

/* False: out of descriptors; nothing is open then. */
bool event_store_open_handles(event_store *store, const store_turns *turns);
/* The ending is done when they are closed. */
void event_store_close_handles(event_store *store);
/* The loop does something now: how long it takes is seen from outside. */
void event_store_mark_busy(event_store *store);
/* Limits the wait of the loop to this time; INT64_MAX: no limit. */
void event_store_wake_in(event_store *store, int64_t milliseconds);

#endif
