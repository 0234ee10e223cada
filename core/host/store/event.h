/* An event of the store: its states, what is put, leased and finished. Times are Unix
 * milliseconds. */
#ifndef PALENCA_HOST_STORE_EVENT_H
#define PALENCA_HOST_STORE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values are stored in databases: they never change. */
typedef enum {
  EVENT_RECEIVED, /* on disk, not yet handed to a worker */
  EVENT_RUNNING,  /* leased by a worker of the running process */
  EVENT_RETRY,    /* its handler failed; waits for its next attempt */
  EVENT_DONE,     /* handled */
  EVENT_DEAD,     /* dead letter: failed too often, stored with its error */
} event_state;

#define EVENT_STATES 5

/* By their values, with NULL at the end. Those from EVENT_DONE are of finished events. */
extern const char *const event_state_names[EVENT_STATES + 1];
/* "unknown" for what is none. */
const char *event_state_name(event_state state);

/* What the request that brought an event is known by elsewhere; NULL: it named none. */
typedef struct {
  const char *traceparent, *request_id;
} event_trace;

typedef struct {
  const char *action;     /* required */
  const char *account_id; /* NULL: not ordered after any other event */
  const char *body;       /* the bytes that were received */
  size_t body_size;
  int64_t received_at;
  event_trace trace;
} event_record;

typedef struct {
  int64_t id;         /* > 0: the event is on disk under this id; 0: it is not stored */
  bool is_duplicate;  /* it was already: the id is that of the first receipt, which runs once */
  const char *reason; /* why it is not stored; valid during the call */
} event_receipt;

/* Called once, on the loop, with no lock held (the functions of the store may be called, but for
 * close). */
typedef void (*event_put_done)(void *context, const event_receipt *receipt);

typedef struct {
  int64_t id;  /* below 0: of a timer, whose name is the body */
  int attempt; /* 1 at the first run, and at the first of a replay */
  int replay;  /* how often the event was replayed; 0: never */
  int64_t received_at;
  char *body; /* NUL-terminated for convenience; may hold NUL bytes */
  size_t body_size;
  event_trace trace;
} event_lease;

/* No event waits for longer than two days: one whose time is later than that from now, because the
 * clock was set back, is leased at once. */
#define EVENT_LONGEST_WAIT_MS INT64_C(172800000)

typedef enum {
  EVENT_OUTCOME_DONE,
  EVENT_OUTCOME_RETRY, /* again at `retry_at` */
  EVENT_OUTCOME_DEAD,
  EVENT_OUTCOME_RELEASED, /* not run to its end: received again, the attempt not counted */
} event_outcome_kind;

/* The values are stored in databases: they never change. */
typedef enum {
  EVENT_ATTEMPT_DONE,
  EVENT_ATTEMPT_RETRY,
  EVENT_ATTEMPT_DEAD,
  EVENT_ATTEMPT_INTERRUPTED, /* the process died during it */
} event_attempt_outcome;

/* "unknown" for what is none. */
const char *event_attempt_outcome_name(event_attempt_outcome outcome);

struct event_decision;  /* ledger/decision.h */
struct event_recording; /* ledger/recording.h */

typedef struct {
  event_outcome_kind kind;
  int64_t retry_at;  /* for EVENT_OUTCOME_RETRY */
  const char *error; /* for RETRY and DEAD; copied; may be NULL */
  /* For all but RELEASED: what the attempt has logged, one line after the other; copied; may be
   * NULL. And how many lines before these are left out. */
  const char *lines;
  int64_t lines_left_out;
  /* For DONE: recorded in the transaction that ends the event. Freed by who finishes the event,
   * whatever becomes of it; may be NULL. */
  struct event_decision *decision;
  /* For DONE and DEAD: the responses of this run, stored in that transaction. Likewise. */
  struct event_recording *recording;
  /* For DEAD: the body of an event EVENT_NOTICE that is stored in that transaction. Likewise, by
   * free(). */
  char *notice;
  size_t notice_size;
} event_outcome;

/* The action of an event that says of another that it is dead. A webhook's may be the same; but the
 * body of a notice is that of no webhook. */
#define EVENT_RESERVED "palenca." /* the actions of those that no webhook has brought begin so */
#define EVENT_NOTICE "palenca.dead"

#endif
