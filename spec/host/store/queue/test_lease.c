/* Tests of the event store's leases: what a consumer gets, when and in which order. */
#include "host/store/store_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* ---- Many consumers ---- */

CLOSED_STORE_TEST(test_account_runs_in_order_on_many_consumers) {
  enum {
    ACCOUNTS = 3,
    EACH = 20,
    WORKERS = 3
  };
  open_store(f);
  static const char *const accounts[ACCOUNTS] = {"a", "b", "c"};
  int account_of[ACCOUNTS * EACH + 1]; /* by the event's number */
  for (int i = 1; i <= ACCOUNTS * EACH; i++) {
    account_of[i] = (i * i) % ACCOUNTS;
    assert_int_equal(number_of(f, put(f, accounts[account_of[i]])), i);
  }
  worker workers[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    workers[i] = new_worker(f);
    event_consumer_prefetch(workers[i].consumer, 10);
  }
  struct pollfd descriptors[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    descriptors[i] = (struct pollfd){.fd = workers[i].fd, .events = POLLIN};
  }
  int64_t last[ACCOUNTS] = {0};
  int64_t held[ACCOUNTS] = {0};
  const worker *holder[ACCOUNTS] = {0};
  for (int ran = 0; ran < ACCOUNTS * EACH;) {
    assert_true(poll(descriptors, WORKERS, TIMEOUT_MS) > 0);
    for (int i = 0; i < WORKERS; i++) {
      uint64_t count;
      (void)!read(workers[i].fd, &count, sizeof count);
      for (event_lease *lease; (lease = event_consumer_take(workers[i].consumer)) != NULL;) {
        int number = number_of(f, lease->id);
        assert_in_range(number, 1, ACCOUNTS * EACH);
        int account = account_of[number];
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
        event_consumer_prefetch(holder[i]->consumer, 10);
        finish(holder[i], id, EVENT_OUTCOME_DONE, 0, NULL);
      }
    }
  }
  close_store(f);
  assert_int_equal(count_listed(f, "done"), ACCOUNTS * EACH);
}

STORE_TEST(test_consumers_share) {
  worker a = new_worker(f), b = new_worker(f);
  event_consumer_prefetch(a.consumer, 100);
  event_consumer_prefetch(b.consumer, 100);
  put_many(f, NULL, 10);
  wait_notified(&a);
  wait_notified(&b);
  for (int i = 0; i < 5; i++) {
    assert_true(take(&a, NULL) > 0);
    assert_true(take(&b, NULL) > 0);
  }
}

STORE_TEST(test_prefetch_bounds_what_is_leased) {
  worker w = new_worker(f);
  put_many(f, NULL, 10);
  event_consumer_prefetch(w.consumer, 2);
  wait_notified(&w);
  event_consumer_prefetch(w.consumer, 2);
  put_many(f, NULL, 2);
  assert_int_equal(count_listed(f, "running"), 2);
  assert_int_equal(take(&w, NULL), id_of(f, 1));
  put_many(f, NULL, 2);
  assert_int_equal(count_listed(f, "running"), 2);
  assert_int_equal(take(&w, NULL), id_of(f, 2));
  event_consumer_prefetch(w.consumer, 0);
  put_many(f, NULL, 2);
  assert_int_equal(count_listed(f, "running"), 2);
}

STORE_TEST(test_what_is_not_wanted_any_more_goes_to_others) {
  worker a = new_worker(f), b = new_worker(f);
  event_consumer_prefetch(a.consumer, 10);
  event_consumer_prefetch(b.consumer, 10);
  int64_t sum = 0;
  for (int i = 0; i < 4; i++) {
    sum += put(f, NULL);
  }
  sum -= take(&b, NULL) + take(&b, NULL);
  event_consumer_prefetch(a.consumer, 0);
  int attempt = 0;
  sum -= take(&b, NULL) + take(&b, &attempt);
  assert_int_equal(sum, 0);
  assert_int_equal(attempt, 1);
}

/* ---- Outcomes ---- */

STORE_TEST(test_retry_holds_back_its_account_only) {
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  event_consumer_prefetch(w.consumer, 10);
  assert_int_equal(take(&w, NULL), first);
  finish(&w, first, EVENT_OUTCOME_RETRY, now_ms() + 3600000, NULL);
  (void)put(f, "a");
  int64_t other = put(f, "b");
  assert_int_equal(take(&w, NULL), other);
  assert_nothing_before(f, &w);
  assert_listed(f, "retry", "1 retry 1 -\n");
  assert_int_equal(number_of(f, second), 2);
}

STORE_TEST(test_retry_comes_when_due_and_not_before) {
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  event_consumer_prefetch(w.consumer, 10);
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
}

CLOSED_STORE_TEST(test_neither_retries_nor_new_events_shut_out_the_others) {
  enum {
    EACH = 6
  };
  open_store(f);
  put_many(f, NULL, 2 * EACH);
  close_store(f);
  char text[128];
  (void)snprintf(text, sizeof text, "UPDATE events SET state = 2, due_at = 1 WHERE id < %lld",
                 (long long)id_of(f, EACH + 1));
  execute(f, text);
  open_store(f);
  worker w = new_worker(f);
  bool was_retry = false, was_new = false;
  for (int i = 0; i < EACH; i++) {
    event_consumer_prefetch(w.consumer, 1);
    bool is_retry = number_of(f, take(&w, NULL)) <= EACH;
    /* What comes first does not show yet whether they take turns. */
    was_retry = was_retry || (is_retry && i >= 2);
    was_new = was_new || (!is_retry && i >= 2);
  }
  assert_true(was_retry);
  assert_true(was_new);
}

STORE_TEST(test_an_event_without_a_body_dies_and_holds_nothing_up) {
  for (int i = 0; i < 4; i++) {
    (void)put(f, i % 2 == 0 ? "a" : "b");
  }
  close_store(f);
  char text[256];
  (void)snprintf(text, sizeof text,
                 "UPDATE events SET state = 2, due_at = 1, attempts = 1 WHERE id = %lld;"
                 "DELETE FROM bodies WHERE id <= %lld;",
                 (long long)id_of(f, 1), (long long)id_of(f, 2));
  execute(f, text);
  open_store(f);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 4);
  wait_unfinished(f, 2);
  int64_t next = take(&w, NULL);
  assert_in_range(number_of(f, next), 3, 4);
  assert_in_range(number_of(f, take(&w, NULL)), 3, 4);
  event_counts counts;
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.dead, 2);
  close_store(f);
  assert_listed(f, NULL,
                "1 dead 2 its body is missing from the database\n"
                "2 dead 1 its body is missing from the database\n"
                "3 received 0 -\n4 received 0 -\n");
}

STORE_TEST(test_dead_keeps_its_error_and_frees_the_account) {
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  event_consumer_prefetch(w.consumer, 10);
  assert_int_equal(take(&w, NULL), first);
  finish(&w, first, EVENT_OUTCOME_DEAD, 0, "script.lua:3: no");
  assert_int_equal(take(&w, NULL), second);
  close_store(f);
  assert_listed(f, NULL, "1 dead 1 script.lua:3: no\n2 received 0 -\n");
}

STORE_TEST(test_released_is_received_again_uncounted) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
  finish(&w, id, EVENT_OUTCOME_RELEASED, 0, NULL);
  (void)put(f, NULL);
  assert_listed(f, NULL, "1 received 0 -\n2 received 0 -\n");
  event_consumer_prefetch(w.consumer, 1);
  int attempt = 0;
  assert_int_equal(take(&w, &attempt), id);
  assert_int_equal(attempt, 1);
}

STORE_TEST(test_freed_consumer_releases_taken_and_untaken) {
  worker first = new_worker(f), second = new_worker(f);
  put_many(f, NULL, 3);
  event_consumer_prefetch(first.consumer, 3);
  assert_int_equal(number_of(f, take(&first, NULL)), 1);
  free_worker(&first);
  event_consumer_prefetch(second.consumer, 3);
  for (int seen = 0; seen != (1 << 1 | 1 << 2 | 1 << 3);) {
    int attempt = 0;
    int number = number_of(f, take(&second, &attempt));
    assert_in_range(number, 1, 3);
    seen |= 1 << number;
    assert_int_equal(attempt, 1);
  }
  /* Closing does the same for the consumers that are left: here nobody frees them. */
  f->worker_count = 0;
  close_store(f);
  (void)close(second.fd);
  assert_listed(f, NULL, "1 received 0 -\n2 received 0 -\n3 received 0 -\n");
}

/* ---- A burst ---- */

static bool finish_what_is_leased(const worker *w) {
  event_lease *lease;
  bool any = false;
  event_consumer_prefetch(w->consumer, 10);
  while ((lease = event_consumer_take(w->consumer)) != NULL) {
    finish(w, lease->id, EVENT_OUTCOME_DONE, 0, NULL);
    event_lease_free(lease);
    any = true;
  }
  return any;
}

/* Receiving comes first, but not for ever. */
STORE_TEST(test_events_are_leased_while_many_arrive) {
  worker w = new_worker(f);
  for (int turns = 0; turns < 4;) {
    put_together(f, 40);
    turns += finish_what_is_leased(&w);
  }
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
  int responses, distinct;
  int64_t first_id; /* puts are acknowledged in the order of their ids */
  bool seen[ALL_PUTS];
} many_responses;

typedef struct {
  fixture *f;
  many_responses *responses;
} putter;

static void on_many(void *context, const event_receipt *receipt) {
  int64_t id = receipt->id;
  many_responses *a = context;
  (void)pthread_mutex_lock(&a->mutex);
  if (a->responses++ == 0) {
    a->first_id = id;
  }
  int64_t which = id - a->first_id;
  if (id > 0 && which >= 0 && which < ALL_PUTS && !a->seen[which]) {
    a->seen[which] = true;
    a->distinct++;
  }
  (void)pthread_cond_signal(&a->changed);
  (void)pthread_mutex_unlock(&a->mutex);
}

static void *put_on_thread(void *context) {
  const putter *p = context;
  for (int i = 0; i < PUTS_EACH; i++) {
    char account[32];
    (void)snprintf(account, sizeof account, "account-%d", i % 50);
    const event_record record = record_of(account, "{\"data\":1}");
    put_now(p->f, &record, on_many, p->responses);
  }
  return NULL;
}

STORE_TEST(test_puts_of_many_threads_each_get_one_response) {
  static many_responses responses = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                     .changed = PTHREAD_COND_INITIALIZER};
  putter p = {.f = f, .responses = &responses};
  pthread_t threads[THREADS];
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 64);
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, put_on_thread, &p), 0);
  }
  for (int i = 0; i < 500; i++) {
    int64_t id = take(&w, NULL);
    finish(&w, id, EVENT_OUTCOME_DONE, 0, NULL);
    event_consumer_prefetch(w.consumer, 64);
  }
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  }
  (void)pthread_mutex_lock(&responses.mutex);
  while (responses.responses < ALL_PUTS) {
    (void)pthread_cond_wait(&responses.changed, &responses.mutex);
  }
  (void)pthread_mutex_unlock(&responses.mutex);
  close_store(f);
  assert_int_equal(responses.responses, ALL_PUTS);
  assert_int_equal(responses.distinct, ALL_PUTS);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), ALL_PUTS);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 3"), 500);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state IN (1, 2)"), 0);
}

STORE_TEST(test_an_event_that_is_gone_holds_up_no_other_of_its_account) {
  int64_t ids[3];
  for (int i = 0; i < 3; i++) {
    ids[i] = put(f, "a");
  }
  /* in the store's own transaction: what others delete it learns of before it leases */
  char trigger[256];
  (void)snprintf(trigger, sizeof trigger,
                 "CREATE TRIGGER gone AFTER UPDATE OF attempts ON events"
                 " BEGIN DELETE FROM events WHERE id = %lld; END",
                 (long long)ids[1]);
  execute(f, trigger);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 3);
  assert_int_equal(take(&w, NULL), ids[0]);
  finish(&w, ids[0], EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), ids[2]);
}
