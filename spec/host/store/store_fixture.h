/* What the tests of the event store share: a store in a directory of its own, its puts, leases and
 * listings. Whatever fails here fails the test. */
#ifndef SPEC_HOST_STORE_FIXTURE_H
#define SPEC_HOST_STORE_FIXTURE_H

#include "store/admin/server.h"
#include "store/event_admin.h"
#include "store/event_store.h"
#include "support/unit_test.h"

#include <pthread.h>

/* Only a failing test waits for all of it. */
#define TIMEOUT_MS 30000

#define WORKERS_MAX 8

#define STORE_TEST(name) FIXTURE_TEST(name, fixture *f, set_up_open, tear_down)
/* Of a store that the test opens. */
#define CLOSED_STORE_TEST(name) FIXTURE_TEST(name, fixture *f, set_up, tear_down)

/* ---- A directory, a store in it, and what the store said ---- */

typedef struct fixture fixture;

typedef struct {
  fixture *f;
  event_consumer *consumer;
  int fd;
} worker;

struct fixture {
  char directory[96];
  char path[120];
  host_loop *loop; /* NULL: closed, as is the next one */
  event_store *store;
  event_admin_server *admin;   /* for replays and purges; NULL, too, if the test runs the loop */
  bool is_by_hand;             /* its loop has no thread: the test runs it */
  worker workers[WORKERS_MAX]; /* of the store */
  int worker_count;
  int64_t dedup_window, retention, decision_retention, recording_retention;
  int64_t first_id; /* of the first event that was put; 0: none was */
  pthread_mutex_t mutex;
  pthread_cond_t changed; /* with each of what follows */
  int errors, heals;
  char last_error[512];
};

int set_up(void **state);
int set_up_open(void **state); /* with the store open */
int tear_down(void **state);

/* Opens a store on a loop of its own, which is started. NULL: the reason is in `error`. */
event_store *try_open(fixture *f, host_error *error);
void open_store(fixture *f);
void close_store(fixture *f);

int64_t now_ms(void);

/* Waits until there is at least one of what the store said: errors, or heals. */
void wait_for(fixture *f, const int *count);

/* Where ids begin depends on when the database was made, so that tests number the events in the
 * order in which they were put, from 1. */
int64_t id_of(const fixture *f, int number);
int number_of(const fixture *f, int64_t id);

/* ---- Putting ---- */

typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int responses;
  int64_t id;
  bool is_duplicate;
  char reason[256];
} response;

#define NO_RESPONSE                                                                                \
  { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

/* An event_put_done whose context is a response. */
void on_put(void *context, const event_receipt *receipt);

event_record record_of(const char *account, const char *body);

/* Puts an event, as the only one of a turn of the loop. */
void put_now(fixture *f, const event_record *record, event_put_done done, void *context);

/* Waits for the response. The id, or 0 and the reason, which may be NULL if nobody asks. */
int64_t put_record(fixture *f, const event_record *record, char *reason, size_t size);
int64_t put_and_get_id(fixture *f, const event_record *record, bool *is_duplicate);
int64_t put(fixture *f, const char *account);
/* So many, one after the other. */
void put_many(fixture *f, const char *account, int count);
/* As many of one turn. */
void put_times(fixture *f, const event_record *record, int count, event_put_done done,
               void *context);
void await_responses(response *a, int count);
/* As many senders at once. */
void put_together(fixture *f, int count);

/* As on a full disk: nothing more can be written. */
void limit_files(bool is_limited);

/* ---- Leasing ---- */

/* Lives until it is freed, or the store is closed. */
worker new_worker(fixture *f);
void free_worker(const worker *w);
void wait_notified(const worker *w);

/* Leases of events fail meanwhile, and with them the transactions that try. */
void forbid_leases(const fixture *f);
void allow_leases(const fixture *f);

/* The next lease, to be freed; waits for it. */
event_lease *take_lease(const worker *w);
/* The id of the next event, freed at once; waits for it. */
int64_t take(const worker *w, int *attempt);

void finish(const worker *w, int64_t id, event_outcome_kind kind, int64_t retry_at,
            const char *error);

/* Waits until so many are neither done nor dead. */
void wait_unfinished(fixture *f, int64_t count);

/* An event of no account that is leased shows that whatever could be leased before it was. */
void assert_nothing_before(fixture *f, const worker *w);

/* ---- Looking into the file ---- */

/* The first column of the first row. */
int64_t query(const fixture *f, const char *text);

/* Leaves what is in a write-ahead log there. */
void execute(const fixture *f, const char *text);

/* Another connection, which has started to write, until it is unlocked. */
struct sqlite3 *lock_store(const fixture *f);
void unlock_store(struct sqlite3 *other);

/* Of the write-ahead log. */
int64_t log_size(const fixture *f);

void copy_file(const char *from, const char *to);

/* A listing as text, a line an event: "number state attempts error". */
typedef struct {
  const fixture *f;
  char text[4096];
  int count, stop_after;
} listing;

/* Takes an event of event_store_list into a listing. */
bool add_line(void *context, const event_summary *event);

listing list(const fixture *f, const event_filter *filter);
int count_listed(const fixture *f, const char *state);
void assert_listed(const fixture *f, const char *state, const char *text);

#endif
