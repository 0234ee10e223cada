/* What the files share that carry out batches at PostgreSQL. */
#ifndef PALENCA_HOST_STORE_POSTGRES_INTERNAL_H
#define PALENCA_HOST_STORE_POSTGRES_INTERNAL_H

#include "link.h"
#include "session.h"
#include "store/backend/backend.h"
#include "store/event_store.h"

/* What is under way on the connection. */
typedef enum {
  FLIGHT_NONE,
  FLIGHT_BATCH,   /* two transactions: what is put and finished, and what is leased */
  FLIGHT_RESOLVE, /* of a batch that was committed when the connection was lost */
  FLIGHT_UPKEEP,
  FLIGHT_RATE_SHARES,
  FLIGHT_CLEANUP, /* the end of a failed transaction */
} flight_kind;

/* A failure that the server has reported. */
typedef struct {
  char code[6]; /* SQLSTATE; "": there was none */
  char message[400];
} server_failure;

#define HASH_SIZE 32
#define RATE_SHARES_MAX 8

/* An event that is put; of several with the same body the first one is sent. */
typedef struct put_entry {
  put_request *put;
  struct put_entry *first; /* with this body */
  unsigned char hash[HASH_SIZE];
} put_entry;

/* The transaction of puts and finishes. */
typedef struct {
  bool is_sent, is_ended, is_committed;
  server_failure failure;
  put_entry *entries; /* in order of arrival */
  size_t count;
  put_entry **sent; /* to be stored unless they are duplicates */
  size_t sent_count;
  int64_t *matched; /* the ids of events that were finished */
  size_t matched_count;
  int64_t notices;
  int64_t *stored; /* by the batch whose results were lost, ascending; allocated */
  size_t stored_count;
  event_finish **joint; /* where the surplus is joined to the batch's finishes; NULL: it is not */
} write_state;

/* The transaction of leases. */
typedef struct {
  bool is_sent, is_committed;
  server_failure failure;
  size_t limit, granted;
  event_grant *grants, **end;
  bool has_ready, has_behind;
  int64_t due_in; /* milliseconds; INT64_MAX: nothing waits */
} lease_state;

/* Of keys' rate limits; requests are sent together, and have come to their ends in this order. */
typedef struct {
  uv_poll_t wake;
  int fd; /* an eventfd: readable when a request is due */
  rate_share_request requests[RATE_SHARES_MAX];
  size_t count, ended;
  rate_share_grant grant; /* of the first that has not ended, if it has one */
  bool has_grant, is_failing;
} rate_share_state;

typedef struct {
  int64_t unfinished, retries, running, dead, oldest;
  bool is_new; /* since it was asked for */
} stored_counts;

/* By what the server knows a lease of an event. */
typedef struct {
  int64_t id, owner;
  int attempt, replay;
} held_lease;

typedef struct {
  held_lease *list; /* not finished; those of earlier owners have expired, and their handlers run */
  size_t count, capacity;
  event_grant *waiting; /* leased, while a handler of an earlier lease of the event runs */
  bool is_incomplete;   /* without memory for one: the next connection releases it */
} held_leases;

typedef struct postgres_backend {
  event_backend base; /* first */
  const libpq *pq;
  event_store_options options;
  char *url;
  uv_loop_t *loop;
  uv_timer_t timer;
  postgres_link link;
  int64_t host, epoch, number; /* of the last batch */

  /* Connecting, on a thread of libuv's; what it uses belongs to it meanwhile. */
  uv_work_t work;
  session_request request;
  session opened;
  host_error open_error;
  bool is_connecting, is_closing;
  int users;                                 /* the timer, and who connects */
  int64_t wait_ms;                           /* until the next try */
  int64_t connect_at, connected_at, lost_at; /* on the monotonic clock */

  flight_kind flight, cleaned; /* what the cleanup is of */
  int64_t flight_since, heard_at;
  server_failure flight_failure; /* of upkeep */
  event_batch *batch;            /* NULL: none was submitted */
  event_batch_done *done;
  void *done_context;
  bool is_in_doubt; /* the connection was lost before it was known whether it was committed */
  int64_t doubt_until;
  write_state write;
  lease_state lease;
  values values;
  rate_share_state rate_shares;

  event_timers timers;
  concurrency_limits limits;
  held_leases held;      /* of events */
  event_finish *surplus; /* leased beyond a limit: to be released with the next finishes */
  bool may_be_ready, has_notice, has_waiting, retries_last;
  stored_counts counts;
  int64_t upkeep_at, count_at, expire_at, marks_at, expire_responses_at,
      lease_after;             /* on the monotonic clock */
  int64_t expire_decisions_at; /* likewise */
  bool was_expiry_full;
  char *promote_from; /* the account where promoting goes on; NULL: at the first one */

  char reason[500], logged_reason[500];
  event_failure failure; /* of the last batch, or upkeep */
  bool is_weak_logged, is_upkeep_failing;
  bool is_read_only; /* what was connected to, since */
  bool is_silent;    /* for a while, with something under way */
} postgres_backend;

/* ---- held_leases.c ---- */

/* False: out of memory. */
bool held_leases_add(held_leases *held, const event_finish *finish);
void held_leases_remove(held_leases *held, const event_finish *finish);
/* Takes over a grant of an event that a handler still runs for. False: none does. */
bool held_leases_keep(held_leases *held, event_grant *grant);
/* One of those that were kept, whose event no handler runs for any more; NULL: there is none. */
event_grant *held_leases_take_ready(held_leases *held);
/* Their leases have expired. */
void held_leases_drop_waiting(held_leases *held);
void held_leases_free(held_leases *held);

/* ---- write.c ---- */

/* Sends the batch's puts and finishes as one transaction, if it has any. False: out of memory. */
bool postgres_send_writes(postgres_backend *self);
void postgres_take_write(postgres_backend *self, statement_id id, const PGresult *result);
/* It is committed: the receipts are filled in. */
void postgres_end_puts(postgres_backend *self);
/* And what has ended is no longer leased. */
void postgres_end_writes(postgres_backend *self);
/* Adds the accounts of what was sent to be stored as a parameter. */
void postgres_add_accounts(postgres_backend *self);
/* Of a committed batch whose results were lost: what it has put, as the server remembers it. Takes
 * over the ids, which are in the order of the puts, without those of duplicates. */
void postgres_resolve_puts(postgres_backend *self, int64_t *ids, size_t count);
/* Asks which of its puts were duplicates, if any was. */
void postgres_send_resolution(postgres_backend *self);
/* It is not committed, and all is as before. */
void postgres_abandon_writes(postgres_backend *self);
void postgres_forget_writes(postgres_backend *self);

/* ---- finish.c ---- */

/* How many of the batch's are of events. */
size_t postgres_count_finishes(const postgres_backend *self);
void postgres_send_finishes(postgres_backend *self);
/* Adds their events' ids as a parameter. */
void postgres_add_finished(postgres_backend *self);
/* Keeps which of them were of valid leases. */
void postgres_take_finished(postgres_backend *self, const PGresult *rows);
/* After the commit: none of them is leased any more. */
void postgres_end_finishes(postgres_backend *self);

/* ---- decisions.c ---- */

/* Those of the batch's finishes, last before the commit: from then on nobody else can record one.
 */
void postgres_send_decisions(postgres_backend *self);

/* ---- recordings.c ---- */

/* After the finishes of which they are. */
void postgres_send_recordings(postgres_backend *self);

/* ---- lease.c ---- */

/* Sends a transaction that leases, and says what is due next. */
void postgres_send_leases(postgres_backend *self);
void postgres_take_lease(postgres_backend *self, statement_id id, const PGresult *result);
/* It is committed: the batch gets its grants. Or it is not. */
void postgres_end_leases(postgres_backend *self);
void postgres_forget_leases(postgres_backend *self);

/* ---- upkeep.c ---- */

void postgres_send_upkeep(postgres_backend *self);
void postgres_take_upkeep(postgres_backend *self, statement_id id, const PGresult *result);

/* ---- rate_shares.c ---- */

/* Has requests for shares taken up. False: the loop has no room for it. */
bool postgres_open_rate_shares(postgres_backend *self);
void postgres_close_rate_shares(postgres_backend *self);
/* Sends what is due of them. False: nothing is. */
bool postgres_send_rate_shares(postgres_backend *self);
void postgres_take_rate_share(postgres_backend *self, statement_id id, const PGresult *result);
/* The connection is lost: nobody knows what has become of them. */
void postgres_lose_rate_shares(postgres_backend *self);

/* ---- connecting.c ---- */

/* Begins to connect, or to try so again in time. */
void postgres_connect(postgres_backend *self);
/* After a connection was lost: at once, unless it was made just before. */
void postgres_reconnect(postgres_backend *self);
/* Lists for the server what is leased to this process. False: out of memory. */
bool postgres_write_request(postgres_backend *self);
/* Uses what was opened. False: the loop has no room for it. */
bool postgres_use_session(postgres_backend *self);

/* ---- flight.c ---- */

#define POSTGRES_TICK_MS 100

/* Keeps a failure of the server, if it is the first one. */
void postgres_note_failure(postgres_backend *self, server_failure *failure, const PGresult *result);
bool postgres_is_ok(const postgres_backend *self, const PGresult *result);
void postgres_log(const postgres_backend *self, bool is_error, const char *message);

extern const link_callbacks postgres_callbacks;
void postgres_submit(postgres_backend *self, event_batch *batch, event_batch_done *done,
                     void *context);
/* Begins with the shares that are due, if nothing is under way. */
void postgres_take_due_rate_shares(postgres_backend *self);
/* So often: what is due, and what has taken too long. */
void postgres_tick(uv_timer_t *timer);
void postgres_log_weakness(postgres_backend *self);
/* There is a connection again, of the same host or of another one; or there is none yet. */
void postgres_on_connected(postgres_backend *self, bool is_same_host);
void postgres_on_unconnected(postgres_backend *self);

/* ---- backend.c ---- */

/* One of those who use it does no longer; the last one frees it. */
void postgres_release(postgres_backend *self);

#endif
