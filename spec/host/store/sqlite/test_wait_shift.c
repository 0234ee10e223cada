/* Tests of the waits that are moved in slices when the Unix clock was set back, while events are
 * finished and the clock is set again: in the end each retry is due when it should be. */
#include "host/store/store_fixture.h"
#include "store/sqlite/transaction.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  EVENTS = 1500,
  SHIFTED_AT_ONCE = 64,
  ROUNDS = 20
};

typedef struct {
  event_sql *sql;
  event_finish *running; /* linked */
  int64_t first_id;
  int64_t due[EVENTS]; /* by the clock as it is now; 0: it does not wait */
  unsigned seed;
} world;

static unsigned next_random(world *w, unsigned below) {
  w->seed = w->seed * 1103515245u + 12345u;
  return w->seed / 65536u % below;
}

static world *open_world(const fixture *f) {
  host_error error = {.kind = HOST_OK};
  world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  w->sql = event_sql_open(f->path, &error);
  assert_non_null(w->sql);
  while (!event_sql_knows_order(w->sql)) {
    assert_true(event_sql_learn_order(w->sql, 0));
  }
  return w;
}

static void close_world(world *w) {
  while (w->running != NULL) {
    event_finish *next = w->running->next;
    event_finish_free(w->running);
    w->running = next;
  }
  event_sql_close(w->sql);
  free(w);
}

static void begin(world *w) {
  bool is_locked;
  assert_true(event_sql_begin(w->sql, &is_locked));
}

static void put_all(world *w) {
  begin(w);
  for (int i = 0; i < EVENTS; i++) {
    const event_record record = record_of(NULL, "{}");
    int64_t id;
    assert_true(event_sql_put(w->sql, &record, &id));
    w->first_id = i == 0 ? id : w->first_id;
    w->due[i] = 0;
  }
  assert_true(event_sql_commit(w->sql));
}

static void lease_all(world *w, int64_t now) {
  event_grant *grants = NULL;
  begin(w);
  assert_true(event_sql_lease(w->sql, now, EVENTS, false, &grants));
  assert_true(event_sql_commit(w->sql));
  while (grants != NULL) {
    event_grant *next = grants->next;
    grants->finish->next = w->running;
    w->running = grants->finish;
    free(grants);
    grants = next;
  }
}

/* Many of them are due at the same time. */
static void retry_some(world *w, int count) {
  begin(w);
  for (int i = 0; i < count && w->running != NULL; i++) {
    event_finish *finish = w->running;
    w->running = finish->next;
    finish->kind = EVENT_OUTCOME_RETRY;
    finish->retry_at = 1000000 + 100 * (int64_t)next_random(w, 50);
    w->due[finish->id - w->first_id] = finish->retry_at;
    assert_true(event_sql_finish(w->sql, finish, 0));
    event_finish_free(finish);
  }
  assert_true(event_sql_commit(w->sql));
}

static void set_back(world *w, int64_t milliseconds) {
  assert_true(event_sql_begin_shift(w->sql, -milliseconds));
  for (int i = 0; i < EVENTS; i++) {
    w->due[i] -= w->due[i] > 0 ? milliseconds : 0;
  }
}

static int count_changes(world *w) {
  return sqlite3_total_changes(event_sql_connection(w->sql));
}

static void check(world *w) {
  sqlite3_stmt *query = NULL;
  assert_int_equal(sqlite3_prepare_v2(event_sql_connection(w->sql),
                                      "SELECT due_at FROM events WHERE id >= ?1 ORDER BY id", -1,
                                      &query, NULL),
                   SQLITE_OK);
  (void)sqlite3_bind_int64(query, 1, w->first_id);
  for (int i = 0; i < EVENTS; i++) {
    assert_int_equal(sqlite3_step(query), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int64(query, 0), w->due[i]);
  }
  (void)sqlite3_finalize(query);
}

static void shift_all(world *w) {
  bool is_locked;
  while (event_sql_is_shifting(w->sql)) {
    int before = count_changes(w);
    assert_true(event_sql_shift_waits(w->sql, 0, &is_locked));
    assert_in_range(count_changes(w) - before, 0, SHIFTED_AT_ONCE);
    if (next_random(w, 3) == 0) {
      retry_some(w, 20);
    }
    if (next_random(w, 20) == 0) {
      set_back(w, 1 + next_random(w, 3000));
    }
  }
}

CLOSED_STORE_TEST(test_each_retry_is_moved_once_with_the_clock) {
  world *w = open_world(f);
  for (unsigned round = 1; round <= ROUNDS; round++) {
    w->seed = round;
    put_all(w);
    lease_all(w, 0);
    retry_some(w, EVENTS / 2);
    set_back(w, 2500);
    shift_all(w);
    retry_some(w, EVENTS);
    check(w);
    assert_int_equal(
        sqlite3_exec(event_sql_connection(w->sql), "UPDATE events SET state = 3", NULL, NULL, NULL),
        SQLITE_OK);
  }
  close_world(w);
}

CLOSED_STORE_TEST(test_a_slice_that_fails_is_tried_again) {
  bool is_locked;
  world *w = open_world(f);
  put_all(w);
  lease_all(w, 0);
  retry_some(w, 200);
  set_back(w, 500);
  sqlite3 *other = lock_store(f);
  assert_false(event_sql_shift_waits(w->sql, 0, &is_locked));
  assert_true(is_locked);
  assert_int_equal(sqlite3_exec(other,
                                "CREATE TRIGGER no_move BEFORE UPDATE OF due_at ON events WHEN"
                                " old.id % 100 = 99 BEGIN SELECT RAISE(ABORT, 'no'); END; COMMIT",
                                NULL, NULL, NULL),
                   SQLITE_OK);
  while (event_sql_shift_waits(w->sql, 0, &is_locked)) {
    assert_true(event_sql_is_shifting(w->sql));
  }
  assert_false(is_locked);
  assert_string_equal(event_sql_reason(w->sql), "no");
  assert_int_equal(sqlite3_exec(other, "DROP TRIGGER no_move", NULL, NULL, NULL), SQLITE_OK);
  (void)sqlite3_close(other);
  shift_all(w);
  check(w);
  close_world(w);
}

/* Half of the events wait for one of their account that waits for its retry. */
static void put_pairs(world *w) {
  begin(w);
  for (int i = 0; i < EVENTS; i++) {
    char account[16];
    int64_t id;
    (void)snprintf(account, sizeof account, "%d", i % (EVENTS / 2));
    const event_record record = record_of(account, "{}");
    assert_true(event_sql_put(w->sql, &record, &id));
    w->first_id = i == 0 ? id : w->first_id;
  }
  assert_true(event_sql_commit(w->sql));
}

CLOSED_STORE_TEST(test_the_order_that_is_being_read_is_read_again) {
  bool is_locked;
  world *w = open_world(f);
  put_pairs(w);
  lease_all(w, 0);
  retry_some(w, EVENTS);
  event_sql_forget_order(w->sql);
  for (int i = 0; i < 3; i++) {
    assert_true(event_sql_learn_order(w->sql, 0));
  }
  set_back(w, 500000);
  while (event_sql_is_shifting(w->sql)) {
    assert_true(event_sql_shift_waits(w->sql, 0, &is_locked));
  }
  while (!event_sql_knows_order(w->sql)) {
    assert_true(event_sql_learn_order(w->sql, 0));
  }
  lease_all(w, 0);
  assert_null(w->running);
  close_world(w);
}
