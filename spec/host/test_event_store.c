/* Tests of the durable event store, against real files. */
#include "event_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* ---- A directory, a store in it, and what the store said ---- */

typedef struct {
  char directory[64];
  char path[96];
  event_store *store;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int errors, heals;
  char last_error[512];
} fixture;

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

static event_store *try_open(fixture *f, char *error, size_t size) {
  const event_store_options options = {.path = f->path, .log = on_log, .log_context = f};
  return event_store_open(&options, error, size);
}

static void open_store(fixture *f) {
  char error[512] = "";
  f->store = try_open(f, error, sizeof error);
  if (f->store == NULL) {
    fail_msg("open: %s", error);
  }
}

static void close_store(fixture *f) {
  event_store_close(f->store);
  f->store = NULL;
}

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  (void)snprintf(f->directory, sizeof f->directory, "/tmp/event-store-XXXXXX");
  assert_non_null(mkdtemp(f->directory));
  (void)snprintf(f->path, sizeof f->path, "%s/events.db", f->directory);
  (void)pthread_mutex_init(&f->mutex, NULL);
  (void)pthread_cond_init(&f->changed, NULL);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  event_store_close(f->store);
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

static int64_t now_ms(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_REALTIME, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ---- Putting ---- */

typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int answers;
  int64_t id;
  char reason[256];
} answer;

static void on_put(void *context, int64_t id, const char *reason) {
  answer *a = context;
  (void)pthread_mutex_lock(&a->mutex);
  a->answers++;
  a->id = id;
  (void)snprintf(a->reason, sizeof a->reason, "%s", reason != NULL ? reason : "");
  (void)pthread_cond_signal(&a->changed);
  (void)pthread_mutex_unlock(&a->mutex);
}

static event_record record_of(const char *account, const char *body) {
  return (event_record){.action = "login.success",
                        .account_id = account,
                        .body = body,
                        .body_size = strlen(body),
                        .received_at = 1700000000123};
}

static int64_t put_record(fixture *f, const event_record *record, char *reason, size_t size) {
  answer a = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  event_store_put(f->store, record, on_put, &a);
  (void)pthread_mutex_lock(&a.mutex);
  while (a.answers == 0) {
    (void)pthread_cond_wait(&a.changed, &a.mutex);
  }
  (void)pthread_mutex_unlock(&a.mutex);
  if (reason != NULL) {
    (void)snprintf(reason, size, "%s", a.reason);
  }
  return a.id;
}

static int64_t put(fixture *f, const char *account) {
  const event_record record = record_of(account, "{}");
  int64_t id = put_record(f, &record, NULL, 0);
  assert_true(id > 0);
  return id;
}

/* ---- Leasing ---- */

typedef struct {
  event_consumer *consumer;
  int fd;
} worker;

static worker new_worker(fixture *f) {
  worker w = {.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  assert_true(w.fd >= 0);
  w.consumer = event_consumer_new(f->store, w.fd);
  assert_non_null(w.consumer);
  return w;
}

static void free_worker(worker *w) {
  event_consumer_free(w->consumer);
  (void)close(w->fd);
}

static void wait_notified(const worker *w) {
  struct pollfd descriptor = {.fd = w->fd, .events = POLLIN};
  assert_int_equal(poll(&descriptor, 1, PATIENCE_MS), 1);
  uint64_t count;
  assert_int_equal(read(w->fd, &count, sizeof count), sizeof count);
}

/* The id of the next event, freed at once; waits for it. */
static int64_t take(const worker *w, int *attempt) {
  event_lease *lease;
  while ((lease = event_consumer_take(w->consumer)) == NULL) {
    wait_notified(w);
  }
  int64_t id = lease->id;
  if (attempt != NULL) {
    *attempt = lease->attempt;
  }
  event_lease_free(lease);
  return id;
}

static void finish(const worker *w, int64_t id, event_outcome_kind kind, int64_t retry_at,
                   const char *error) {
  const event_outcome outcome = {.kind = kind, .retry_at = retry_at, .error = error};
  event_consumer_finish(w->consumer, id, &outcome);
}

/* An event of no account that is leased shows that whatever could be leased before it was. */
static void assert_nothing_before(fixture *f, const worker *w) {
  int64_t id = put(f, NULL);
  assert_int_equal(take(w, NULL), id);
  finish(w, id, EVENT_OUTCOME_DONE, 0, NULL);
}

/* ---- Looking into the file ---- */

static int64_t query(const fixture *f, const char *text) {
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;
  assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
  int64_t value = sqlite3_column_int64(statement, 0);
  (void)sqlite3_finalize(statement);
  (void)sqlite3_close(db);
  return value;
}

/* Leaves what is in a write-ahead log there. */
static void execute(const fixture *f, const char *text) {
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
  (void)sqlite3_close(db);
}

/* A listing as text, a line an event: "id state attempts error". */
typedef struct {
  char text[4096];
  int count, stop_after;
} listing;

static bool add_line(void *context, const event_summary *event) {
  listing *l = context;
  size_t used = strlen(l->text);
  (void)snprintf(l->text + used, sizeof l->text - used, "%lld %s %d %s\n", (long long)event->id,
                 event->state, event->attempts, event->error != NULL ? event->error : "-");
  l->count++;
  return l->count != l->stop_after;
}

static listing list(const fixture *f, const char *state, int64_t limit) {
  listing l = {.text = ""};
  char error[512] = "";
  const event_filter filter = {.state = state, .limit = limit};
  if (!event_store_list(f->path, &filter, add_line, &l, error, sizeof error)) {
    fail_msg("list: %s", error);
  }
  return l;
}

static void assert_listed(const fixture *f, const char *state, const char *text) {
  listing l = list(f, state, 0);
  assert_string_equal(l.text, text);
}

/* ---- Tests ---- */

static void test_put_is_on_disk_when_answered(void **state) {
  fixture *f = *state;
  open_store(f);
  static const char body[] = "{\"a\":\0\xff}";
  const event_record record = {.action = "login.success",
                               .account_id = "acc\xfe",
                               .body = body,
                               .body_size = sizeof body - 1,
                               .received_at = 42};
  int64_t first = put_record(f, &record, NULL, 0);
  assert_true(first > 0);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE id = 1 AND action = 'login.success'"
                            " AND hex(account_id) = '616363FE' AND received_at = 42"
                            " AND hex(body) = '7B2261223A00FF7D'"),
                   1);
  assert_true(put(f, NULL) > first);
  worker w = new_worker(f);
  event_consumer_want(w.consumer, 1);
  wait_notified(&w);
  event_lease *lease = event_consumer_take(w.consumer);
  assert_non_null(lease);
  assert_int_equal(lease->body_size, sizeof body - 1);
  assert_memory_equal(lease->body, body, sizeof body);
  assert_int_equal(lease->received_at, 42);
  event_lease_free(lease);
  free_worker(&w);
}

static void test_an_empty_body_is_stored(void **state) {
  fixture *f = *state;
  open_store(f);
  const event_record record = {.action = "", .body = NULL, .body_size = 0};
  assert_true(put_record(f, &record, NULL, 0) > 0);
  worker w = new_worker(f);
  event_consumer_want(w.consumer, 1);
  wait_notified(&w);
  event_lease *lease = event_consumer_take(w.consumer);
  assert_non_null(lease);
  assert_int_equal(lease->body_size, 0);
  assert_string_equal(lease->body, "");
  event_lease_free(lease);
  free_worker(&w);
}

static void test_files_are_private(void **state) {
  fixture *f = *state;
  open_store(f);
  (void)put(f, NULL);
  const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
  for (size_t i = 0; i < 4; i++) {
    char path[128];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
  }
}

static void test_lifecycle_shows_in_the_list(void **state) {
  fixture *f = *state;
  open_store(f);
  for (int i = 0; i < 5; i++) {
    (void)put(f, NULL);
  }
  worker w = new_worker(f);
  event_consumer_want(w.consumer, 4);
  for (int i = 1; i <= 4; i++) {
    int attempt = 0;
    assert_int_equal(take(&w, &attempt), i);
    assert_int_equal(attempt, 1);
  }
  finish(&w, 1, EVENT_OUTCOME_DONE, 0, NULL);
  finish(&w, 2, EVENT_OUTCOME_RETRY, now_ms() + 3600000, "no answer");
  finish(&w, 3, EVENT_OUTCOME_DEAD, 0, "bad script");
  finish(&w, 99, EVENT_OUTCOME_DONE, 0, NULL);
  finish(&w, 1, EVENT_OUTCOME_DEAD, 0, "twice");
  (void)put(f, NULL);
  assert_listed(f, NULL,
                "1 done 1 -\n2 retry 1 no answer\n3 dead 1 bad script\n4 running 1 -\n"
                "5 received 0 -\n6 received 0 -\n");
  assert_listed(f, "done", "1 done 1 -\n");
  assert_listed(f, "retry", "2 retry 1 no answer\n");
  assert_listed(f, "dead", "3 dead 1 bad script\n");
  assert_listed(f, "running", "4 running 1 -\n");
  assert_listed(f, "received", "5 received 0 -\n6 received 0 -\n");
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE finished_at IS NOT NULL"), 2);
  event_counts counts;
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.unfinished, 4);
  assert_int_equal(counts.done, 1);
  assert_int_equal(counts.dead, 1);
  assert_int_equal(counts.failed_attempts, 2);
  free_worker(&w);
  close_store(f);
  open_store(f);
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.unfinished, 4);
  assert_int_equal(counts.done, 0);
}

static void test_list_limits_stops_and_refuses(void **state) {
  fixture *f = *state;
  char error[512] = "";
  listing l = {.text = ""};
  event_filter filter = {.state = NULL};
  assert_false(event_store_list(f->path, &filter, add_line, &l, error, sizeof error));
  assert_non_null(strstr(error, "No such file"));
  assert_int_equal(access(f->path, F_OK), -1);
  open_store(f);
  /* More than a page of the listing, half of them behind another of their account. */
  for (int i = 0; i < 300; i++) {
    (void)put(f, "one");
    (void)put(f, NULL);
  }
  assert_int_equal(list(f, NULL, 0).count, 600);
  assert_int_equal(list(f, "received", 0).count, 600);
  assert_int_equal(list(f, "received", 299).count, 299);
  assert_string_equal(list(f, "received", 3).text,
                      "1 received 0 -\n2 received 0 -\n3 received 0 -\n");
  l.stop_after = 2;
  assert_true(event_store_list(f->path, &filter, add_line, &l, error, sizeof error));
  assert_int_equal(l.count, 2);
  filter.state = "finished";
  assert_false(event_store_list(f->path, &filter, add_line, &l, error, sizeof error));
  assert_non_null(strstr(error, "unknown state"));
  close_store(f);
  assert_int_equal(list(f, NULL, 0).count, 600);
}

static void test_account_runs_in_order_on_many_consumers(void **state) {
  enum {
    ACCOUNTS = 3,
    EACH = 20,
    WORKERS = 3
  };
  fixture *f = *state;
  open_store(f);
  static const char *const accounts[ACCOUNTS] = {"a", "b", "c"};
  int account_of[ACCOUNTS * EACH + 1];
  for (int i = 0; i < ACCOUNTS * EACH; i++) {
    int which = (i * i) % ACCOUNTS;
    account_of[put(f, accounts[which])] = which;
  }
  worker workers[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    workers[i] = new_worker(f);
    event_consumer_want(workers[i].consumer, 10);
  }
  struct pollfd descriptors[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    descriptors[i] = (struct pollfd){.fd = workers[i].fd, .events = POLLIN};
  }
  int64_t last[ACCOUNTS] = {0};
  int64_t held[ACCOUNTS] = {0};
  const worker *holder[ACCOUNTS] = {0};
  for (int ran = 0; ran < ACCOUNTS * EACH;) {
    assert_true(poll(descriptors, WORKERS, PATIENCE_MS) > 0);
    for (int i = 0; i < WORKERS; i++) {
      uint64_t count;
      (void)!read(workers[i].fd, &count, sizeof count);
      for (event_lease *lease; (lease = event_consumer_take(workers[i].consumer)) != NULL;) {
        int account = account_of[lease->id];
        assert_int_equal(held[account], 0);
        assert_true(lease->id > last[account]);
        last[account] = held[account] = lease->id;
        holder[account] = &workers[i];
        event_lease_free(lease);
      }
    }
    for (int i = 0; i < ACCOUNTS; i++) {
      if (held[i] != 0) {
        int64_t id = held[i];
        held[i] = 0;
        ran++;
        event_consumer_want(holder[i]->consumer, 10);
        finish(holder[i], id, EVENT_OUTCOME_DONE, 0, NULL);
      }
    }
  }
  for (int i = 0; i < WORKERS; i++) {
    free_worker(&workers[i]);
  }
  close_store(f);
  assert_int_equal(list(f, "done", 0).count, ACCOUNTS * EACH);
}

static void test_consumers_share(void **state) {
  fixture *f = *state;
  open_store(f);
  worker a = new_worker(f), b = new_worker(f);
  event_consumer_want(a.consumer, 100);
  event_consumer_want(b.consumer, 100);
  for (int i = 0; i < 10; i++) {
    (void)put(f, NULL);
  }
  wait_notified(&a);
  wait_notified(&b);
  for (int i = 0; i < 5; i++) {
    assert_true(take(&a, NULL) > 0);
    assert_true(take(&b, NULL) > 0);
  }
  free_worker(&a);
  free_worker(&b);
}

static void test_want_bounds_what_is_leased(void **state) {
  fixture *f = *state;
  open_store(f);
  worker w = new_worker(f);
  for (int i = 0; i < 10; i++) {
    (void)put(f, NULL);
  }
  event_consumer_want(w.consumer, 2);
  wait_notified(&w);
  event_consumer_want(w.consumer, 2);
  (void)put(f, NULL);
  (void)put(f, NULL);
  assert_int_equal(list(f, "running", 0).count, 2);
  assert_int_equal(take(&w, NULL), 1);
  (void)put(f, NULL);
  (void)put(f, NULL);
  assert_int_equal(list(f, "running", 0).count, 2);
  assert_int_equal(take(&w, NULL), 2);
  event_consumer_want(w.consumer, 0);
  (void)put(f, NULL);
  (void)put(f, NULL);
  assert_int_equal(list(f, "running", 0).count, 2);
  free_worker(&w);
}

static void test_retry_holds_back_its_account_only(void **state) {
  fixture *f = *state;
  open_store(f);
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  event_consumer_want(w.consumer, 10);
  assert_int_equal(take(&w, NULL), first);
  finish(&w, first, EVENT_OUTCOME_RETRY, now_ms() + 3600000, NULL);
  (void)put(f, "a");
  int64_t other = put(f, "b");
  assert_int_equal(take(&w, NULL), other);
  assert_nothing_before(f, &w);
  assert_listed(f, "retry", "1 retry 1 -\n");
  assert_int_equal(second, 2);
  free_worker(&w);
}

static void test_retry_comes_when_due_and_not_before(void **state) {
  fixture *f = *state;
  open_store(f);
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  event_consumer_want(w.consumer, 10);
  assert_int_equal(take(&w, NULL), first);
  int64_t due = now_ms() + 200;
  finish(&w, first, EVENT_OUTCOME_RETRY, due, "try again");
  int attempt = 0;
  assert_int_equal(take(&w, &attempt), first);
  assert_true(now_ms() >= due);
  assert_int_equal(attempt, 2);
  finish(&w, first, EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, &attempt), second);
  assert_int_equal(attempt, 1);
  free_worker(&w);
}

static void test_dead_keeps_its_error_and_frees_the_account(void **state) {
  fixture *f = *state;
  open_store(f);
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  event_consumer_want(w.consumer, 10);
  assert_int_equal(take(&w, NULL), first);
  finish(&w, first, EVENT_OUTCOME_DEAD, 0, "script.lua:3: no");
  assert_int_equal(take(&w, NULL), second);
  free_worker(&w);
  close_store(f);
  assert_listed(f, NULL, "1 dead 1 script.lua:3: no\n2 received 0 -\n");
}

static void test_released_is_received_again_uncounted(void **state) {
  fixture *f = *state;
  open_store(f);
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  event_consumer_want(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
  finish(&w, id, EVENT_OUTCOME_RELEASED, 0, NULL);
  (void)put(f, NULL);
  assert_listed(f, NULL, "1 received 0 -\n2 received 0 -\n");
  event_consumer_want(w.consumer, 1);
  int attempt = 0;
  assert_int_equal(take(&w, &attempt), id);
  assert_int_equal(attempt, 1);
  free_worker(&w);
}

static void test_freed_consumer_releases_taken_and_untaken(void **state) {
  fixture *f = *state;
  open_store(f);
  worker first = new_worker(f), second = new_worker(f);
  for (int i = 0; i < 3; i++) {
    (void)put(f, NULL);
  }
  event_consumer_want(first.consumer, 3);
  assert_int_equal(take(&first, NULL), 1);
  free_worker(&first);
  event_consumer_want(second.consumer, 3);
  for (int seen = 0; seen != (1 << 1 | 1 << 2 | 1 << 3);) {
    int attempt = 0;
    seen |= 1 << take(&second, &attempt);
    assert_int_equal(attempt, 1);
  }
  /* Closing does the same for the consumers that are left. */
  close_store(f);
  (void)close(second.fd);
  assert_listed(f, NULL, "1 received 0 -\n2 received 0 -\n3 received 0 -\n");
}

static void test_close_carries_out_what_is_queued(void **state) {
  fixture *f = *state;
  open_store(f);
  answer a = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  for (int i = 0; i < 3000; i++) {
    const event_record record = record_of("a", "{}");
    event_store_put(f->store, &record, on_put, &a);
  }
  close_store(f);
  assert_int_equal(a.answers, 3000);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 3000);
  char path[128];
  (void)snprintf(path, sizeof path, "%s-lock", f->path);
  assert_int_equal(access(path, F_OK), 0);
}

/* What the child does must not reach the parent's test runner, so it answers by its status. */
static int put_lease_and_die(fixture *f) {
  char error[512];
  f->store = try_open(f, error, sizeof error);
  if (f->store == NULL) {
    return 2;
  }
  const event_record record = record_of("a", "{}");
  for (int i = 0; i < 3; i++) {
    if (put_record(f, &record, NULL, 0) == 0) {
      return 3;
    }
  }
  int fd = eventfd(0, EFD_CLOEXEC);
  event_consumer *consumer = event_consumer_new(f->store, fd);
  struct pollfd descriptor = {.fd = fd, .events = POLLIN};
  event_consumer_want(consumer, 5);
  return poll(&descriptor, 1, PATIENCE_MS) == 1 ? 0 : 4;
}

static void test_a_crash_loses_nothing(void **state) {
  fixture *f = *state;
  pid_t child = fork();
  if (child == 0) {
    _exit(put_lease_and_die(f));
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_listed(f, NULL, "1 running 1 -\n2 received 0 -\n3 received 0 -\n");
  open_store(f);
  assert_listed(f, NULL, "1 received 1 -\n2 received 0 -\n3 received 0 -\n");
  event_counts counts;
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.unfinished, 3);
  worker w = new_worker(f);
  event_consumer_want(w.consumer, 5);
  int attempt = 0;
  assert_int_equal(take(&w, &attempt), 1);
  assert_int_equal(attempt, 2);
  assert_nothing_before(f, &w);
  finish(&w, 1, EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, &attempt), 2);
  free_worker(&w);
}

static void test_a_second_process_is_refused(void **state) {
  fixture *f = *state;
  open_store(f);
  char error[512] = "";
  assert_null(try_open(f, error, sizeof error));
  assert_non_null(strstr(error, "another process is serving from"));
  assert_true(put(f, NULL) > 0);
  close_store(f);
  open_store(f);
}

static void test_a_later_version_is_refused(void **state) {
  fixture *f = *state;
  open_store(f);
  (void)put(f, NULL);
  close_store(f);
  execute(f, "PRAGMA user_version = 2");
  char error[512] = "";
  assert_null(try_open(f, error, sizeof error));
  assert_non_null(strstr(error, "later version"));
  execute(f, "PRAGMA user_version = 1");
  open_store(f);
}

static void write_file(const fixture *f, const char *content) {
  FILE *file = fopen(f->path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
  assert_int_equal(fclose(file), 0);
}

static size_t read_file(const fixture *f, char *content, size_t size) {
  FILE *file = fopen(f->path, "rb");
  assert_non_null(file);
  size_t count = fread(content, 1, size, file);
  assert_int_equal(fclose(file), 0);
  return count;
}

static int count_entries(const fixture *f) {
  DIR *directory = opendir(f->directory);
  assert_non_null(directory);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    count += entry->d_name[0] != '.';
  }
  (void)closedir(directory);
  return count;
}

static void test_other_files_are_refused_and_left_alone(void **state) {
  fixture *f = *state;
  char text[9000], after[sizeof text], error[512] = "";
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = '\0';
  for (size_t size = sizeof text - 1; size > 0; size = size > 20 ? 20 : size > 1 ? 1 : 0) {
    text[size] = '\0';
    write_file(f, text);
    assert_null(try_open(f, error, sizeof error));
    assert_non_null(strstr(error, "is not a database"));
    assert_int_equal(read_file(f, after, sizeof after), size);
    assert_memory_equal(after, text, size);
    assert_int_equal(count_entries(f), 1);
  }
}

static void test_other_databases_are_refused_and_left_alone(void **state) {
  fixture *f = *state;
  execute(f, "PRAGMA journal_mode = WAL; CREATE TABLE events (id); INSERT INTO events VALUES (1);");
  static char before[65536], after[65536];
  size_t size = read_file(f, before, sizeof before);
  char error[512] = "";
  assert_null(try_open(f, error, sizeof error));
  assert_non_null(strstr(error, "another program"));
  assert_int_equal(read_file(f, after, sizeof after), size);
  assert_memory_equal(after, before, size);
  listing l = {.text = ""};
  const event_filter filter = {.state = NULL};
  assert_false(event_store_list(f->path, &filter, add_line, &l, error, sizeof error));
  assert_non_null(strstr(error, "another program"));
}

static void test_a_missing_directory_is_an_error(void **state) {
  fixture *f = *state;
  char error[512] = "";
  const event_store_options options = {.path = "/nonexistent/directory/events.db"};
  assert_null(event_store_open(&options, error, sizeof error));
  assert_non_null(strstr(error, "No such file"));
  const event_store_options directory = {.path = f->directory};
  assert_null(event_store_open(&directory, error, sizeof error));
  assert_non_null(strstr(error, "not a regular file"));
}

/* Writes of this process beyond the first bytes of a file fail, as on a full disk. */
static void limit_files(bool is_limited) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = is_limited ? 1 : limit.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void wait_for_heal(fixture *f) {
  (void)pthread_mutex_lock(&f->mutex);
  while (f->heals == 0) {
    (void)pthread_cond_wait(&f->changed, &f->mutex);
  }
  (void)pthread_mutex_unlock(&f->mutex);
}

static void test_a_full_disk_fails_puts_keeps_finishes_and_heals(void **state) {
  fixture *f = *state;
  open_store(f);
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  event_consumer_want(w.consumer, 1);
  assert_int_equal(take(&w, NULL), first);
  void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
  limit_files(true);
  char reason[256] = "";
  int64_t ids[3];
  const event_record record = record_of("b", "{}");
  for (int i = 0; i < 3; i++) {
    ids[i] = put_record(f, &record, reason, sizeof reason);
  }
  finish(&w, first, EVENT_OUTCOME_DONE, 0, NULL);
  event_consumer_want(w.consumer, 1);
  int64_t fourth = put_record(f, &record, NULL, 0);
  event_counts counts;
  event_store_counts(f->store, &counts);
  limit_files(false);
  (void)signal(SIGXFSZ, old);
  assert_int_equal(ids[0] + ids[1] + ids[2] + fourth, 0);
  assert_string_not_equal(reason, "");
  assert_int_equal(counts.unfinished, 2);
  assert_int_equal(counts.done, 0);
  /* The finish is tried again by itself, and its account goes on. */
  wait_for_heal(f);
  assert_int_equal(take(&w, NULL), second);
  assert_int_equal(f->errors, 1);
  assert_int_equal(f->heals, 1);
  assert_non_null(strstr(f->last_error, reason));
  int64_t third = put(f, "b");
  free_worker(&w);
  close_store(f);
  char expected[128];
  (void)snprintf(expected, sizeof expected, "1 done 1 -\n2 received 0 -\n%lld received 0 -\n",
                 (long long)third);
  assert_listed(f, NULL, expected);
}

/* ---- Many threads ---- */

enum {
  THREADS = 8,
  PUTS_EACH = 1250,
  ALL_PUTS = THREADS * PUTS_EACH
};

typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int answers;
  bool seen[ALL_PUTS + 1];
  int distinct;
} many_answers;

typedef struct {
  fixture *f;
  many_answers *answers;
} putter;

static void on_many(void *context, int64_t id, const char *reason) {
  (void)reason;
  many_answers *a = context;
  (void)pthread_mutex_lock(&a->mutex);
  a->answers++;
  if (id > 0 && id <= ALL_PUTS && !a->seen[id]) {
    a->seen[id] = true;
    a->distinct++;
  }
  (void)pthread_cond_signal(&a->changed);
  (void)pthread_mutex_unlock(&a->mutex);
}

static void *put_many(void *context) {
  const putter *p = context;
  for (int i = 0; i < PUTS_EACH; i++) {
    char account[32];
    (void)snprintf(account, sizeof account, "account-%d", i % 50);
    const event_record record = record_of(account, "{\"data\":1}");
    event_store_put(p->f->store, &record, on_many, p->answers);
  }
  return NULL;
}

static void test_puts_of_many_threads_are_each_answered_once(void **state) {
  fixture *f = *state;
  open_store(f);
  static many_answers answers = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                 .changed = PTHREAD_COND_INITIALIZER};
  putter p = {.f = f, .answers = &answers};
  pthread_t threads[THREADS];
  worker w = new_worker(f);
  event_consumer_want(w.consumer, 64);
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, put_many, &p), 0);
  }
  for (int i = 0; i < 500; i++) {
    int64_t id = take(&w, NULL);
    finish(&w, id, EVENT_OUTCOME_DONE, 0, NULL);
    event_consumer_want(w.consumer, 64);
  }
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  }
  (void)pthread_mutex_lock(&answers.mutex);
  while (answers.answers < ALL_PUTS) {
    (void)pthread_cond_wait(&answers.changed, &answers.mutex);
  }
  (void)pthread_mutex_unlock(&answers.mutex);
  free_worker(&w);
  close_store(f);
  assert_int_equal(answers.answers, ALL_PUTS);
  assert_int_equal(answers.distinct, ALL_PUTS);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), ALL_PUTS);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 3"), 500);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state IN (1, 2)"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_put_is_on_disk_when_answered),
      TEST(test_an_empty_body_is_stored),
      TEST(test_files_are_private),
      TEST(test_lifecycle_shows_in_the_list),
      TEST(test_list_limits_stops_and_refuses),
      TEST(test_account_runs_in_order_on_many_consumers),
      TEST(test_consumers_share),
      TEST(test_want_bounds_what_is_leased),
      TEST(test_retry_holds_back_its_account_only),
      TEST(test_retry_comes_when_due_and_not_before),
      TEST(test_dead_keeps_its_error_and_frees_the_account),
      TEST(test_released_is_received_again_uncounted),
      TEST(test_freed_consumer_releases_taken_and_untaken),
      TEST(test_close_carries_out_what_is_queued),
      TEST(test_a_crash_loses_nothing),
      TEST(test_a_second_process_is_refused),
      TEST(test_a_later_version_is_refused),
      TEST(test_other_files_are_refused_and_left_alone),
      TEST(test_other_databases_are_refused_and_left_alone),
      TEST(test_a_missing_directory_is_an_error),
      TEST(test_a_full_disk_fails_puts_keeps_finishes_and_heals),
      TEST(test_puts_of_many_threads_are_each_answered_once),
  };
  return cmocka_run_group_tests_name("event store", tests, NULL, NULL);
}
