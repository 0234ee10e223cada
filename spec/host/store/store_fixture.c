/* What the tests of the event store share: a store in a directory of its own, its puts, leases and
 * listings. */
#include "store_fixture.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- A directory, a store in it, and what the store said ---- */

static void on_log(void *context, bool is_error, const char *message) {
  fixture *f = context;
  (void)pthread_mutex_lock(&f->mutex);
  if (is_error) {
    f->errors++;
    (void)snprintf(f->last_error, sizeof f->last_error, "%s", message);
  } else {
    f->heals++;
  }
  (void)pthread_cond_broadcast(&f->changed);
  (void)pthread_mutex_unlock(&f->mutex);
}

event_store *try_open(fixture *f, host_error *error) {
  host_loop *loop = host_loop_new(error);
  assert_non_null(loop);
  const event_store_options options = {.path = f->path,
                                       .loop = loop,
                                       .log = on_log,
                                       .log_context = f,
                                       .dedup_window = f->dedup_window,
                                       .retention = f->retention,
                                       .decision_retention = f->decision_retention,
                                       .recording_retention = f->recording_retention};
  event_store *store = event_store_open(&options, error);
  if (store == NULL) {
    host_loop_close(loop);
    return NULL;
  }
  f->loop = loop;
  if (!f->is_by_hand) {
    f->admin = event_admin_server_open(host_loop_uv(loop), store, f->path, error);
    assert_non_null(f->admin);
    assert_true(host_loop_start(loop, error));
  }
  return store;
}

void open_store(fixture *f) {
  host_error error = {.kind = HOST_OK};
  f->store = try_open(f, &error);
  if (f->store == NULL) {
    fail_msg("open: %s", error.message);
  }
}

static void close_admin(void *context) {
  event_admin_server_close(context);
}

void close_store(fixture *f) {
  while (f->worker_count > 0) {
    free_worker(&f->workers[0]);
  }
  if (f->admin != NULL) {
    host_loop_call(f->loop, close_admin, f->admin);
  }
  f->admin = NULL;
  event_store_close_and_wait(f->store);
  host_loop_close(f->loop);
  f->store = NULL;
  f->loop = NULL;
}

int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  const char *temporary = getenv("TMPDIR");
  (void)snprintf(f->directory, sizeof f->directory, "%s/event-store-XXXXXX",
                 temporary != NULL ? temporary : "/tmp");
  assert_non_null(mkdtemp(f->directory));
  (void)snprintf(f->path, sizeof f->path, "%s/events.db", f->directory);
  (void)pthread_mutex_init(&f->mutex, NULL);
  (void)pthread_cond_init(&f->changed, NULL);
  *state = f;
  return 0;
}

int set_up_open(void **state) {
  int result = set_up(state);
  open_store(*state);
  return result;
}

int tear_down(void **state) {
  fixture *f = *state;
  close_store(f);
  DIR *directory = opendir(f->directory);
  for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", f->directory, entry->d_name);
    (void)unlink(path);
  }
  (void)closedir(directory);
  (void)rmdir(f->directory);
  (void)pthread_cond_destroy(&f->changed);
  (void)pthread_mutex_destroy(&f->mutex);
  free(f);
  return 0;
}

int64_t now_ms(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_REALTIME, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t id_of(const fixture *f, int number) {
  assert_true(f->first_id > 0);
  return f->first_id + number - 1;
}

int number_of(const fixture *f, int64_t id) {
  assert_true(f->first_id > 0);
  return (int)(id - f->first_id + 1);
}

void wait_for(fixture *f, const int *count) {
  (void)pthread_mutex_lock(&f->mutex);
  while (*count == 0) {
    (void)pthread_cond_wait(&f->changed, &f->mutex);
  }
  (void)pthread_mutex_unlock(&f->mutex);
}

/* ---- Putting ---- */

void on_put(void *context, const event_receipt *receipt) {
  response *a = context;
  (void)pthread_mutex_lock(&a->mutex);
  a->responses++;
  a->id = receipt->id;
  a->is_duplicate = receipt->is_duplicate;
  (void)snprintf(a->reason, sizeof a->reason, "%s", receipt->reason != NULL ? receipt->reason : "");
  (void)pthread_cond_signal(&a->changed);
  (void)pthread_mutex_unlock(&a->mutex);
}

event_record record_of(const char *account, const char *body) {
  return (event_record){.action = "login.success",
                        .account_id = account,
                        .body = body,
                        .body_size = strlen(body),
                        .received_at = 1700000000123};
}

typedef struct {
  event_store *store;
  const event_record *record;
  int count;
  event_put_done done;
  void *context;
} turn;

static void run_turn(void *context) {
  const turn *t = context;
  for (int i = 0; i < t->count; i++) {
    event_store_put(t->store, t->record, t->done, t->context);
  }
  event_store_end_turn(t->store);
}

void put_times(fixture *f, const event_record *record, int count, event_put_done done,
               void *context) {
  turn t = {f->store, record, count, done, context};
  host_loop_call(f->loop, run_turn, &t);
}

void put_now(fixture *f, const event_record *record, event_put_done done, void *context) {
  put_times(f, record, 1, done, context);
}

static response put_and_wait(fixture *f, const event_record *record) {
  response a = NO_RESPONSE;
  put_now(f, record, on_put, &a);
  await_responses(&a, 1);
  if (f->first_id == 0) {
    f->first_id = a.id;
  }
  return a;
}

int64_t put_and_get_id(fixture *f, const event_record *record, bool *is_duplicate) {
  response a = put_and_wait(f, record);
  *is_duplicate = a.is_duplicate;
  return a.id;
}

int64_t put_record(fixture *f, const event_record *record, char *reason, size_t size) {
  response a = put_and_wait(f, record);
  if (reason != NULL) {
    (void)snprintf(reason, size, "%s", a.reason);
  }
  return a.id;
}

int64_t put(fixture *f, const char *account) {
  const event_record record = record_of(account, "{}");
  int64_t id = put_record(f, &record, NULL, 0);
  assert_true(id > 0);
  return id;
}

void put_many(fixture *f, const char *account, int count) {
  for (int i = 0; i < count; i++) {
    (void)put(f, account);
  }
}

void await_responses(response *a, int count) {
  (void)pthread_mutex_lock(&a->mutex);
  while (a->responses < count) {
    (void)pthread_cond_wait(&a->changed, &a->mutex);
  }
  (void)pthread_mutex_unlock(&a->mutex);
}

void put_together(fixture *f, int count) {
  response a = NO_RESPONSE;
  const event_record record = record_of(NULL, "{}");
  put_times(f, &record, count, on_put, &a);
  await_responses(&a, count);
}

/* Writes of this process beyond the first bytes of a file fail, as on a full disk. */
void limit_files(bool is_limited) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = is_limited ? 1 : limit.rlim_max;
  assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* ---- Leasing ---- */

worker new_worker(fixture *f) {
  worker w = {.f = f, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  assert_true(w.fd >= 0);
  w.consumer = event_consumer_new(f->store, w.fd);
  assert_non_null(w.consumer);
  assert_true(f->worker_count < WORKERS_MAX);
  f->workers[f->worker_count++] = w;
  return w;
}

void free_worker(const worker *w) {
  fixture *f = w->f;
  const worker freed = *w;
  int i = 0;
  while (f->workers[i].consumer != freed.consumer) {
    i++;
  }
  f->workers[i] = f->workers[--f->worker_count];
  event_consumer_free(freed.consumer);
  (void)close(freed.fd);
}

void wait_notified(const worker *w) {
  struct pollfd descriptor = {.fd = w->fd, .events = POLLIN};
  assert_int_equal(poll(&descriptor, 1, TIMEOUT_MS), 1);
  uint64_t count;
  assert_int_equal(read(w->fd, &count, sizeof count), sizeof count);
}

event_lease *take_lease(const worker *w) {
  event_lease *lease;
  while ((lease = event_consumer_take(w->consumer)) == NULL) {
    wait_notified(w);
  }
  return lease;
}

int64_t take(const worker *w, int *attempt) {
  event_lease *lease = take_lease(w);
  int64_t id = lease->id;
  if (attempt != NULL) {
    *attempt = lease->attempt;
  }
  event_lease_free(lease);
  return id;
}

void finish(const worker *w, int64_t id, event_outcome_kind kind, int64_t retry_at,
            const char *error) {
  const event_outcome outcome = {.kind = kind, .retry_at = retry_at, .error = error};
  event_consumer_finish(w->consumer, id, &outcome);
}

void wait_unfinished(fixture *f, int64_t count) {
  event_counts counts;
  do {
    (void)usleep(1000);
    event_store_counts(f->store, &counts);
  } while (counts.unfinished != count);
}

void assert_nothing_before(fixture *f, const worker *w) {
  int64_t id = put(f, NULL);
  assert_int_equal(take(w, NULL), id);
  finish(w, id, EVENT_OUTCOME_DONE, 0, NULL);
}

void forbid_leases(const fixture *f) {
  execute(f, "CREATE TRIGGER no_lease BEFORE UPDATE OF attempts ON events"
             " BEGIN SELECT RAISE(ABORT, 'no lease'); END");
}

void allow_leases(const fixture *f) {
  execute(f, "DROP TRIGGER no_lease");
}

/* ---- Looking into the file ---- */

int64_t query(const fixture *f, const char *text) {
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;
  assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  (void)sqlite3_busy_timeout(db, TIMEOUT_MS);
  assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
  int64_t value = sqlite3_column_int64(statement, 0);
  (void)sqlite3_finalize(statement);
  (void)sqlite3_close(db);
  return value;
}

void execute(const fixture *f, const char *text) {
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
  (void)sqlite3_busy_timeout(db, TIMEOUT_MS); /* the store may be writing */
  assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
  (void)sqlite3_close(db);
}

sqlite3 *lock_store(const fixture *f) {
  sqlite3 *other = NULL;
  assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
  (void)sqlite3_busy_timeout(other, TIMEOUT_MS); /* the store may be writing */
  assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  return other;
}

void unlock_store(sqlite3 *other) {
  assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

int64_t log_size(const fixture *f) {
  char path[140];
  struct stat status;
  (void)snprintf(path, sizeof path, "%s-wal", f->path);
  assert_int_equal(stat(path, &status), 0);
  return (int64_t)status.st_size;
}

void copy_file(const char *from, const char *to) {
  FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
  assert_non_null(in);
  assert_non_null(out);
  char buffer[65536];
  for (size_t size; (size = fread(buffer, 1, sizeof buffer, in)) > 0;) {
    assert_int_equal(fwrite(buffer, 1, size, out), size);
  }
  assert_int_equal(fclose(in), 0);
  assert_int_equal(fclose(out), 0);
}

bool add_line(void *context, const event_summary *event) {
  listing *l = context;
  size_t used = strlen(l->text);
  (void)snprintf(l->text + used, sizeof l->text - used, "%d %s %d %s\n", number_of(l->f, event->id),
                 event->state, event->attempts, event->error != NULL ? event->error : "-");
  l->count++;
  return l->count != l->stop_after;
}

listing list(const fixture *f, const event_filter *filter) {
  listing l = {.f = f, .text = ""};
  host_error error = {.kind = HOST_OK};
  if (!event_store_list(f->path, filter, add_line, &l, &error)) {
    fail_msg("list: %s", error.message);
  }
  return l;
}

int count_listed(const fixture *f, const char *state) {
  return list(f, &(event_filter){.state = state}).count;
}

void assert_listed(const fixture *f, const char *state, const char *text) {
  listing l = list(f, &(event_filter){.state = state, .oldest_first = true});
  assert_string_equal(l.text, text);
}
