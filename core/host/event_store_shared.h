/* What the store's thread and its consumers share, all of it under one mutex. */
#ifndef PALENCA_HOST_EVENT_STORE_SHARED_H
#define PALENCA_HOST_EVENT_STORE_SHARED_H

#include "event_store_begun.h"
#include "event_store_redelivery.h"
#include "event_store_sql.h"
#include "event_store_upkeep.h"

#include <pthread.h>

#define HELD_BUCKETS 256

typedef struct put_request put_request;

struct put_request {
  struct put_request *next;
  event_record record;
  event_put_done done;
  void *context;
  uint32_t fingerprint; /* if there is a redelivery window */
  event_receipt receipt;
  char data[]; /* what the record's strings point to */
};

typedef struct {
  put_request *first, **end;
} put_queue;

/* What the script of a consumer is registered for. */
typedef struct consumer_timer {
  struct consumer_timer *next; /* in the order in which they were added */
  int64_t interval;
  event_timer *spare; /* NULL: it is in the list of all */
  char name[];
} consumer_timer;

struct event_consumer {
  event_store *store;
  int notify_fd;
  size_t want; /* as it was said, less what was taken since */
  size_t waiting;
  bool is_notified; /* of what was delivered in this round */
  bool is_resting;  /* it has found nothing, and nothing was delivered since */
  event_grant *inbox, **inbox_end;
  event_cap caps[EVENT_CONSUMER_CAPS]; /* only patterns and limits */
  size_t cap_count;
  consumer_timer *timers, **timers_end;
  bool has_wanted;
  event_finish *held[HELD_BUCKETS]; /* leased and not finished, by the low bits of the id */
};

/* Everything below the mutex is shared and guarded by it; what is above belongs to whoever has made
 * the store busy, which is its thread or one that pushes. */
struct event_store {
  event_sql *sql;
  event_redelivery *redelivery; /* NULL: no window */
  event_upkeep upkeep;
  bool upkeep_failed;
  int64_t data_version;
  event_store_options options;
  char *path;
  bool retries_first;
  int64_t commit_ns; /* about how long one takes */
  bool in_trouble;
  int tries_at_close;
  int64_t rest_ms;
  bool caps_are_crowded; /* there is no place for some */

  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t has_work;
  bool is_closing;
  bool is_busy;    /* somebody carries out a batch */
  bool is_awaited; /* the thread waits for the end of that */
  put_queue puts;
  event_finish *finishes;
  event_begun begun;
  int64_t finishes_due; /* by when they are written, on the monotonic clock */
  bool has_waiting;     /* events that may run once one that runs has ended */
  bool has_new_lists;   /* of what consumers have added, or taken with them */
  bool has_news;        /* another process has written since the last look */
  bool may_lease;       /* something that can be leased now may be in the database */
  int64_t next_due;     /* of the retries, on the wall clock */
  int64_t flood_until;  /* on the monotonic clock, as the next one */
  int64_t lease_after;  /* in a flood */
  int64_t span_end;     /* of the time in which puts are counted, on the monotonic clock too */
  int span_puts;        /* in it so far */
  int64_t rest_until;   /* after trouble, on the monotonic clock; 0: not resting */
  event_counts counts;  /* `unfinished` without what is not stored yet */
  int64_t queued;       /* puts that are not answered */
  int64_t expected;     /* puts that may come together, by those that did last */
  int64_t gathering;    /* so many are waited for; 0: none are */
  event_consumer **consumers;
  size_t consumer_count;
  size_t turn; /* whose turn it is to be given an event */
};

/* What the store's thread does; `store` is an event_store. */
void *event_store_serve(void *store);

/* The functions of this file are called with the mutex held, but for event_store_serve,
 * event_consumers_deliver, event_consumers_call_others, event_consumer_destroy and
 * event_grants_free. */

void event_store_push_finish(event_store *store, event_finish *finish);

/* How many events the consumers can take, within what one transaction should lease. */
size_t event_consumers_room(const event_store *store);

/* Whether one of them wants events and has none to begin. */
bool event_consumers_any_is_idle(const event_store *store);

/* Puts the caps and timers that consumers have added, or taken with them, in force; between
 * transactions. */
void event_consumers_read_lists(event_store *store);

/* Shares leased events out between the consumers and wakes them. */
void event_consumers_deliver(event_store *store, event_grant *grants);

/* Wakes those with room if one has not come for what it was dealt. */
void event_consumers_call_others(event_store *store);

void event_consumer_release_all(event_consumer *consumer);
void event_consumer_destroy(event_consumer *consumer);
void event_grants_free(event_grant *grants, bool with_finish);

#endif
