/* Tests of the order in which events may run: within an account, between accounts, and against a
 * plain model over many random steps. */
#include "store/memory/ready_queue.h"
#include "support/unit_test.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

static int make(void **state) {
  *state = ready_queue_new();
  return *state == NULL;
}

static int free_order(void **state) {
  ready_queue_free(*state);
  return 0;
}

#define READY_QUEUE_TEST(name) FIXTURE_TEST(name, ready_queue *order, make, free_order)

static void assert_take(ready_queue *order, int64_t id, uint64_t account) {
  uint64_t found = 99;
  assert_int_equal(ready_queue_take(order, &found), id);
  assert_true(id == 0 || found == account);
}

READY_QUEUE_TEST(keys_stand_for_accounts) {
  ready_queue *other = ready_queue_new();
  assert_non_null(other);
  assert_true(ready_queue_key(order, NULL) == 0);
  assert_true(ready_queue_key(order, "") != 0);
  uint64_t key = ready_queue_key(order, "an account's id");
  assert_true(ready_queue_key(order, "an account's id") == key);
  assert_true(ready_queue_key(order, "an account's iD") != key);
  /* Nobody knows beforehand which keys meet. */
  assert_true(ready_queue_key(other, "an account's id") != key);
  ready_queue_clear(order);
  assert_true(ready_queue_key(order, "an account's id") == key);
  ready_queue_free(other);
}

READY_QUEUE_TEST(one_of_an_account_at_a_time) {
  assert_take(order, 0, 0);
  assert_true(ready_queue_add(order, 7, 1));
  assert_true(ready_queue_add(order, 7, 2));
  assert_true(ready_queue_add(order, 7, 3));
  assert_true(ready_queue_add(order, 8, 4));
  assert_int_equal(ready_queue_ready(order), 2);
  assert_take(order, 1, 7);
  assert_take(order, 4, 8);
  assert_take(order, 0, 0);
  assert_true(ready_queue_end(order, 7));
  assert_take(order, 2, 7);
  assert_true(ready_queue_end(order, 7));
  assert_true(ready_queue_end(order, 8));
  assert_take(order, 3, 7);
  assert_true(ready_queue_end(order, 7));
  assert_take(order, 0, 0);
  assert_true(ready_queue_add(order, 7, 5));
  assert_take(order, 5, 7);
}

READY_QUEUE_TEST(those_without_an_account_do_not_wait) {
  assert_true(ready_queue_add(order, 0, 1));
  assert_true(ready_queue_add(order, 0, 2));
  assert_take(order, 1, 0);
  assert_take(order, 2, 0);
  assert_true(ready_queue_end(order, 0));
  assert_true(ready_queue_add_busy(order, 0));
  assert_true(ready_queue_add(order, 0, 3));
  assert_take(order, 3, 0);
}

READY_QUEUE_TEST(a_busy_account_holds_back) {
  assert_true(ready_queue_add_busy(order, 1));
  assert_true(ready_queue_add(order, 1, 2));
  assert_true(ready_queue_add_busy(order, 1));
  assert_take(order, 0, 0);
  assert_true(ready_queue_end(order, 1));
  assert_take(order, 2, 1);
}

READY_QUEUE_TEST(what_is_returned_comes_first) {
  assert_true(ready_queue_add(order, 1, 1));
  assert_true(ready_queue_add(order, 1, 2));
  assert_true(ready_queue_add(order, 2, 3));
  assert_take(order, 1, 1);
  assert_true(ready_queue_requeue(order, 1, 1));
  assert_take(order, 1, 1);
  assert_take(order, 3, 2);
  assert_take(order, 0, 0);
}

READY_QUEUE_TEST(who_may_run_for_longest_comes_first) {
  enum {
    COUNT = 1000
  };
  int64_t taken = 0;
  for (int64_t id = 1; id <= COUNT; id++) {
    assert_true(ready_queue_add(order, 0, id));
    if (id % 2 == 0) {
      assert_take(order, ++taken, 0);
    }
  }
  while (taken < COUNT) {
    assert_take(order, ++taken, 0);
  }
  assert_take(order, 0, 0);
}

READY_QUEUE_TEST(an_end_of_nothing_is_ignored) {
  assert_true(ready_queue_end(order, 3));
  assert_true(ready_queue_add(order, 4, 1));
  assert_true(ready_queue_end(order, 3));
  assert_take(order, 1, 4);
}

static void assert_unpark(ready_queue *order, int list, int64_t id, uint64_t account) {
  uint64_t found = 99;
  assert_int_equal(ready_queue_unpark(order, list, &found), id);
  assert_true(id == 0 || found == account);
}

READY_QUEUE_TEST(those_that_are_parked_wait_with_their_account) {
  enum {
    LAST = EVENT_ORDER_LISTS - 1
  };
  assert_true(ready_queue_add(order, 7, 1));
  assert_true(ready_queue_add(order, 7, 2));
  assert_true(ready_queue_add(order, 8, 3));
  assert_int_equal(ready_queue_waiting(order), 1);
  assert_take(order, 1, 7);
  assert_take(order, 3, 8);
  assert_true(ready_queue_park(order, 0, 7, 1));
  assert_true(ready_queue_park(order, LAST, 8, 3));
  assert_int_equal(ready_queue_waiting(order), 3);
  assert_int_equal(ready_queue_parked(order, 0), 1);
  assert_int_equal(ready_queue_parked(order, 1), 0);
  assert_take(order, 0, 0);
  assert_unpark(order, 1, 0, 0);
  assert_unpark(order, 0, 1, 7);
  assert_int_equal(ready_queue_waiting(order), 2);
  assert_true(ready_queue_end(order, 7));
  assert_int_equal(ready_queue_waiting(order), 1);
  assert_take(order, 2, 7);
  assert_true(ready_queue_park(order, 0, 7, 2));
  ready_queue_clear(order);
  assert_int_equal(ready_queue_waiting(order), 0);
  assert_unpark(order, 0, 0, 0);
  assert_unpark(order, LAST, 0, 0);
}

static void run_two(ready_queue *order, uint64_t account) {
  assert_true(ready_queue_add(order, account, 1));
  assert_true(ready_queue_add(order, account, 2));
  for (int64_t id = 1; id <= 2; id++) {
    assert_take(order, id, account);
    assert_true(ready_queue_end(order, account));
  }
}

READY_QUEUE_TEST(what_has_ended_takes_no_memory) {
  run_two(order, 1);
  struct mallinfo2 before = mallinfo2();
  for (uint64_t account = 2; account < 1000; account++) {
    run_two(order, account);
  }
  struct mallinfo2 after = mallinfo2();
  assert_int_equal(after.uordblks + after.hblkhd, before.uordblks + before.hblkhd);
}

READY_QUEUE_TEST(forgets) {
  assert_true(ready_queue_add(order, 4, 1));
  assert_true(ready_queue_add(order, 4, 2));
  ready_queue_clear(order);
  assert_take(order, 0, 0);
  assert_true(ready_queue_add(order, 4, 3));
  assert_take(order, 3, 4);
}

/* ---- Against a model: for each account its events, the first of which may run or runs ---- */

#define ACCOUNTS 300
#define EVENTS 20000

typedef struct {
  int64_t events[EVENTS / 4];
  size_t first, end;
  bool runs;
} model_account;

static uint64_t random_state;

static uint32_t random_below(uint32_t bound) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33) % bound;
}

/* Keys whose low bits agree, so that they meet in the table, around its end. */
static uint64_t key_of(uint32_t account) {
  return ((uint64_t)(account / 16 + 1) << 40) | ((account % 16 - 8) & 0xffff);
}

static uint32_t account_of(uint64_t key) {
  return ((uint32_t)(key >> 40) - 1) * 16 + (uint32_t)((key + 8) & 0xffff);
}

static void end_one(ready_queue *order, model_account *accounts, size_t *running) {
  uint32_t at = random_below(ACCOUNTS);
  for (uint32_t i = 0; i < ACCOUNTS; i++, at = (at + 1) % ACCOUNTS) {
    if (accounts[at].runs) {
      accounts[at].runs = false;
      --*running;
      if (random_below(4) == 0) {
        assert_true(
            ready_queue_requeue(order, key_of(at), accounts[at].events[accounts[at].first]));
      } else {
        accounts[at].first++;
        assert_true(ready_queue_end(order, key_of(at)));
      }
      return;
    }
  }
}

static void take_one(ready_queue *order, model_account *accounts, size_t *running) {
  uint64_t key = 0;
  int64_t id = ready_queue_take(order, &key);
  if (id == 0) {
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
      assert_true(accounts[i].runs || accounts[i].first == accounts[i].end);
    }
    return;
  }
  model_account *account = &accounts[account_of(key)];
  assert_false(account->runs);
  assert_true(account->first < account->end);
  assert_int_equal(account->events[account->first], id);
  account->runs = true;
  ++*running;
}

READY_QUEUE_TEST(agrees_with_a_model) {
  model_account *accounts = calloc(ACCOUNTS, sizeof *accounts);
  assert_non_null(accounts);
  random_state = 1;
  size_t running = 0;
  int64_t id = 0;
  while (id < EVENTS || running > 0 || ready_queue_ready(order) > 0) {
    uint32_t what = random_below(10);
    if (what < 4 && id < EVENTS) {
      uint32_t at = random_below(ACCOUNTS);
      accounts[at].events[accounts[at].end++] = ++id;
      assert_true(ready_queue_add(order, key_of(at), id));
    } else if (what < 7) {
      take_one(order, accounts, &running);
    } else {
      end_one(order, accounts, &running);
    }
  }
  for (uint32_t i = 0; i < ACCOUNTS; i++) {
    assert_int_equal(accounts[i].first, accounts[i].end);
  }
  free(accounts);
}
