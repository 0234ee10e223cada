/* One transaction of the event store: its input and its result, and what they consist of. */
#ifndef PALENCA_HOST_STORE_BACKEND_BATCH_H
#define PALENCA_HOST_STORE_BACKEND_BATCH_H

#include "store/event.h"
#include "store/ledger/decision.h"
#include "store/ledger/recording.h"
#include "store/memory/concurrency.h"

typedef struct put_request {
  struct put_request *next;
  event_record record;
  event_put_done done;
  void *context;
  int64_t put_at; /* on the monotonic clock */
  event_receipt receipt;
  char data[]; /* what the record's strings point to */
} put_request;

/* The end of a lease. It is allocated with the lease, so that a finish never lacks memory. */
typedef struct event_finish {
  struct event_finish *next;
  int64_t id;       /* below 0: of a timer, and RELEASED whatever has become of it */
  uint64_t account; /* its key in the order of events */
  concurrency_limit_set limits;
  event_outcome_kind kind;
  int64_t retry_at;
  char *error;
  char *lines; /* that the attempt has logged */
  int64_t lines_left_out;
  int64_t started_at;         /* Unix milliseconds; 0: it has not started */
  int64_t began;              /* likewise, on the monotonic clock */
  int64_t duration;           /* of the attempt, in milliseconds */
  event_decision *decision;   /* of DONE; NULL: none was recorded */
  event_recording *recording; /* of DONE and DEAD; NULL: no responses were recorded */
  char *notice;               /* of DEAD; NULL: none is to be stored */
  size_t notice_size;
  int attempt, replay; /* of the lease */
  int64_t owner;       /* what the server knows the lease's holder by; 0: there is one only */
  bool is_repeated;    /* its end may be stored already */
  bool is_fenced;      /* the lease had expired: its end has changed nothing */
  bool has_started;
  uint32_t slot; /* of started_events.h, of an event that has started; 0: none */
  char action[]; /* of an event */
} event_finish;

void event_finish_free(event_finish *finish);

/* A lease on its way to a consumer; `lease` is first, since it is what the consumer frees. */
typedef struct event_grant {
  event_lease lease;
  struct event_grant *next;
  event_finish *finish;
  bool is_lost; /* its body is missing: there is nothing to run */
  char body[];
} event_grant;

/* What is copied into a grant. */
typedef struct {
  int64_t id;
  const char *action;
  event_trace trace;
  const void *body; /* NULL: there is none */
  size_t body_size;
} event_grant_source;

/* At attempt 1, and with nothing else filled. NULL: out of memory. */
event_grant *event_grant_new(const event_grant_source *source);
/* With their finishes, or, where those are elsewhere, without. */
void event_grants_free(event_grant *grants, bool with_finish);

typedef enum {
  EVENT_BATCH_STORED, /* the puts are committed, and their receipts filled in: a second call follows
                       */
  EVENT_BATCH_COMMITTED,
  EVENT_BATCH_LOCKED, /* another process writes just now: nothing has started */
  EVENT_BATCH_FAILED, /* and is rolled back; the backend's reason says why */
} event_batch_result;

typedef struct {
  put_request *puts; /* their receipts are filled in */
  event_finish *finishes;
  size_t leases; /* at most */
  int64_t now;
  /* filled in */
  event_grant *grants;
  int64_t next_due; /* of the retries and timers, Unix milliseconds; INT64_MAX: none is */
  int64_t added;    /* events that it has stored by itself: notices and alerts */
} event_batch;

#endif
