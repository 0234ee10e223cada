/* Tests of the ready queue that is filled from the tables in slices, while events are put,
 * finished and released: in the end it leases each event once, those of an account in their order,
 * and they are as many as were counted. */
#include "host/store/store_fixture.h"
#include "store/sqlite/transaction.h"

#include <stdio.h>
#include <stdlib.h>

enum {
  EVENTS = 1000, /* many slices */
  ACCOUNTS = 101,
  RUNNING = 90, /* more than are read at a time */
  ROUNDS = 20
};

typedef struct {
  event_sql *sql;
  event_finish *running; /* linked */
  unsigned seed;
  int64_t now;
} world;

static unsigned next_random(world *w, unsigned below) {
  w->seed = w->seed * 1103515245u + 12345u;
  return w->seed / 65536u % below;
}

static void begin(world *w) {
  bool is_locked;
  assert_true(event_sql_begin(w->sql, &is_locked));
}

static void put_some(world *w, int count) {
  begin(w);
  for (int i = 0; i < count; i++) {
    char account[16];
    int64_t id;
    unsigned number = next_random(w, ACCOUNTS);
    (void)snprintf(account, sizeof account, "%u", number);
    const event_record record = record_of(number > 0 ? account : NULL, "{}");
    assert_true(event_sql_put(w->sql, &record, &id));
  }
  assert_true(event_sql_commit(w->sql));
}

static void learn_all(world *w) {
  while (!event_sql_knows_order(w->sql)) {
    assert_true(event_sql_learn_order(w->sql, 0));
  }
}

static int lease_some(world *w, size_t count) {
  event_grant *grants = NULL;
  int leased = 0;
  begin(w);
  assert_true(event_sql_lease(w->sql, w->now, count, false, &grants));
  assert_true(event_sql_commit(w->sql));
  while (grants != NULL) {
    event_grant *next = grants->next;
    grants->finish->next = w->running;
    w->running = grants->finish;
    free(grants);
    grants = next;
    leased++;
  }
  return leased;
}

static void finish_some(world *w, int count) {
  static const event_outcome_kind kinds[] = {EVENT_OUTCOME_DONE, EVENT_OUTCOME_RELEASED,
                                             EVENT_OUTCOME_RETRY, EVENT_OUTCOME_DEAD};
  begin(w);
  for (int i = 0; i < count && w->running != NULL; i++) {
    event_finish *finish = w->running;
    w->running = finish->next;
    finish->kind = kinds[next_random(w, 4)];
    finish->retry_at = 1 + next_random(w, 3);
    assert_true(event_sql_finish(w->sql, finish, w->now));
    event_finish_free(finish);
  }
  assert_true(event_sql_commit(w->sql));
}

typedef struct {
  uint64_t account; /* 0: free */
  int64_t last;
} account_last;

static void check_order(const event_finish *running, account_last *accounts) {
  for (; running != NULL; running = running->next) {
    account_last *one = accounts;
    while (running->account != 0 && one->account != 0 && one->account != running->account) {
      one++;
    }
    if (running->account != 0) {
      assert_true(running->id > one->last);
      *one = (account_last){running->account, running->id};
    }
  }
}

/* All that is left, an account at a time; each as one that is done. */
static void drain(world *w) {
  account_last accounts[ACCOUNTS + 1] = {{0, 0}};
  for (;;) {
    int leased = lease_some(w, EVENTS);
    if (leased == 0) {
      break;
    }
    check_order(w->running, accounts);
    begin(w);
    while (w->running != NULL) {
      event_finish *finish = w->running;
      w->running = finish->next;
      finish->kind = EVENT_OUTCOME_DONE;
      assert_true(event_sql_finish(w->sql, finish, w->now));
      event_finish_free(finish);
    }
    assert_true(event_sql_commit(w->sql));
  }
}

CLOSED_STORE_TEST(test_what_happens_while_the_order_is_read_is_part_of_it) {
  host_error error = {.kind = HOST_OK};
  world w = {.sql = event_sql_open(f->path, &error), .now = now_ms()};
  assert_non_null(w.sql);
  for (unsigned round = 1; round <= ROUNDS; round++) {
    w.seed = round;
    put_some(&w, EVENTS);
    learn_all(&w);
    (void)lease_some(&w, RUNNING);
    finish_some(&w, (int)next_random(&w, RUNNING / 2)); /* some wait for a retry */
    event_sql_forget_order(w.sql);
    for (int slices = 0; !event_sql_knows_order(w.sql); slices++) {
      assert_true(event_sql_learn_order(w.sql, 0));
      if (event_sql_knows_order(w.sql)) {
        assert_int_equal(event_sql_count_learned(w.sql),
                         query(f, "SELECT count(*) FROM events WHERE state < 3"));
      }
      if (next_random(&w, 3) == 0) {
        finish_some(&w, 3);
      }
      if (slices < 20) {
        put_some(&w, (int)next_random(&w, 5));
      }
    }
    finish_some(&w, RUNNING);
    drain(&w);
    assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state < 3"), 0);
  }
  event_sql_close(w.sql);
}
