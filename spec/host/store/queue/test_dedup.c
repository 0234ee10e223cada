/* Tests of duplicates: what comes again within the window, and what only looks like it. */
#include "host/store/store_fixture.h"
#include "store/memory/dedup.h"

#include <stdio.h>
#include <string.h>

#define WINDOW 300000

static int open_with_window(void **state) {
  int result = set_up(state);
  fixture *f = *state;
  f->dedup_window = WINDOW;
  open_store(f);
  return result;
}

#define WINDOW_TEST(name) FIXTURE_TEST(name, fixture *f, open_with_window, tear_down)

static int64_t receive(fixture *f, const char *body, int64_t at, bool *is_duplicate) {
  event_record record = record_of("a", body);
  record.received_at = at;
  return put_and_get_id(f, &record, is_duplicate);
}

static int64_t receive_new(fixture *f, const char *body, int64_t at) {
  bool is_duplicate;
  int64_t before = query(f, "SELECT max(id) FROM events");
  int64_t id = receive(f, body, at, &is_duplicate);
  assert_true(id > before);
  assert_false(is_duplicate);
  return id;
}

static void assert_duplicate(fixture *f, const char *body, int64_t at, int64_t id) {
  bool is_duplicate;
  assert_int_equal(receive(f, body, at, &is_duplicate), id);
  assert_true(is_duplicate);
}

WINDOW_TEST(test_the_window_counts_from_the_first_receipt) {
  const int64_t began = now_ms();
  int64_t id = receive_new(f, "{1}", began);
  (void)receive_new(f, "{2}", began);
  assert_duplicate(f, "{1}", began, id);
  assert_duplicate(f, "{1}", began + WINDOW - 1, id);
  (void)receive_new(f, "{1} ", began + 1);
  event_counts counts;
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.duplicates, 2);
  assert_int_equal(counts.unfinished, 3);
  (void)receive_new(f, "{1}", began + WINDOW);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 4);
}

WINDOW_TEST(test_a_clock_set_back_does_not_swallow_events) {
  const int64_t began = now_ms();
  int64_t id = receive_new(f, "{}", began);
  assert_duplicate(f, "{}", began - WINDOW + 1, id);
  (void)receive_new(f, "{}", began - WINDOW);
}

STORE_TEST(test_no_window_makes_each_an_event) {
  const int64_t began = now_ms();
  (void)receive_new(f, "{}", began);
  (void)receive_new(f, "{}", began);
}

WINDOW_TEST(test_bodies_of_every_length_are_distinguished) {
  const int64_t began = now_ms();
  char body[64] = "";
  int64_t ids[40];
  for (size_t i = 0; i < 40; i++) {
    ids[i] = receive_new(f, body, began);
    body[i] = 'a';
  }
  memset(body, 0, sizeof body);
  for (size_t i = 0; i < 40; i++) {
    assert_duplicate(f, body, began, ids[i]);
    body[i] = 'a';
  }
}

#define COUNT 500

typedef struct {
  fixture *f;
  int64_t received_at;
  response responses[COUNT];
} even_and_odd;

static void put_even_and_odd(void *context) {
  even_and_odd *puts = context;
  for (int i = 0; i < COUNT; i++) {
    puts->responses[i] = (response)NO_RESPONSE;
    event_record record = record_of("a", i % 2 == 0 ? "even" : "odd");
    record.received_at = puts->received_at;
    event_store_put(puts->f->store, &record, on_put, &puts->responses[i]);
  }
}

WINDOW_TEST(test_two_in_one_transaction_are_one_event) {
  const int64_t began = now_ms();
  static even_and_odd puts;
  puts = (even_and_odd){.f = f, .received_at = began};
  host_loop_call(f->loop, put_even_and_odd, &puts);
  const response *responses = puts.responses;
  close_store(f);
  int duplicates = 0;
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(responses[i].responses, 1);
    assert_int_equal(responses[i].id, responses[i % 2].id);
    duplicates += responses[i].is_duplicate;
  }
  assert_int_equal(duplicates, COUNT - 2);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 2);
}

/* Several threads receive, so that the last events in the file need not be the youngest. */
WINDOW_TEST(test_a_new_start_knows_what_stands_before_an_older_one) {
  int64_t now = now_ms();
  int64_t id = receive_new(f, "young", now);
  (void)receive_new(f, "old", now - WINDOW - 30000);
  close_store(f);
  open_store(f);
  assert_duplicate(f, "young", now, id);
  (void)receive_new(f, "old", now);
}

WINDOW_TEST(test_a_new_start_knows_what_was_received) {
  int64_t now = now_ms();
  (void)receive_new(f, "old", now - WINDOW - 1);
  int64_t id = receive_new(f, "young", now - WINDOW / 2);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 2);
  int64_t first = take(&w, NULL);
  finish(&w, first, EVENT_OUTCOME_DONE, 0, NULL);
  finish(&w, take(&w, NULL), EVENT_OUTCOME_DONE, 0, NULL);
  close_store(f);
  open_store(f);
  assert_duplicate(f, "young", now_ms(), id);
  (void)receive_new(f, "old", now_ms());
  /* The window of the first receipt, not of the last start. */
  close_store(f);
  f->dedup_window = WINDOW / 4;
  open_store(f);
  (void)receive_new(f, "young", now_ms());
}

WINDOW_TEST(test_what_was_not_stored_is_not_remembered) {
  const int64_t began = now_ms();
  bool is_duplicate;
  int64_t id = receive_new(f, "stored", began);
  limit_files(true);
  int64_t rejected = receive(f, "refused", began, &is_duplicate);
  /* What is on disk needs no writing. */
  bool was_known;
  int64_t known = receive(f, "stored", began, &was_known);
  limit_files(false);
  assert_int_equal(rejected, 0);
  assert_int_equal(known, id);
  assert_true(was_known);
  (void)receive_new(f, "refused", began);
}

WINDOW_TEST(test_a_deleted_event_is_no_first_receipt) {
  const int64_t began = now_ms();
  (void)receive_new(f, "{}", began);
  (void)receive_new(f, "other", began);
  execute(f, "DELETE FROM bodies WHERE id = (SELECT min(id) FROM bodies);"
             "DELETE FROM events WHERE id = (SELECT min(id) FROM events)");
  (void)receive_new(f, "{}", began);
}

/* ---- The table ---- */

/* Counts what it holds of one fingerprint. */
static int count_seen(const event_dedup *table, uint32_t fingerprint, int64_t at) {
  int count = 0;
  const event_seen *seen = NULL;
  while ((seen = event_dedup_find(table, fingerprint, at, seen)) != NULL) {
    count++;
  }
  return count;
}

UNIT_TEST(test_the_table_is_bounded_and_forgets_the_oldest) {
  const int64_t began = now_ms();
  event_dedup *table = event_dedup_new(WINDOW);
  const uint32_t more = EVENT_DEDUP_MAX + 1000;
  for (uint32_t i = 0; i < more; i++) {
    event_dedup_add(table, i * 2654435761u, (int64_t)i + 1, began);
    if (i % 1000 == 0) {
      event_dedup_commit(table);
    }
  }
  event_dedup_commit(table);
  for (uint32_t i = 0; i < more; i++) {
    const event_seen *seen = event_dedup_find(table, i * 2654435761u, began, NULL);
    if (i < 1000) {
      assert_null(seen);
    } else {
      assert_non_null(seen);
      assert_int_equal(seen->id, (int64_t)i + 1);
    }
  }
  event_dedup_expire(table, began + WINDOW);
  assert_int_equal(count_seen(table, (more - 1) * 2654435761u, began), 0);
  event_dedup_add(table, 1, 1, began);
  assert_int_equal(count_seen(table, 1, began), 1);
  event_dedup_free(table);
}

UNIT_TEST(test_a_rollback_leaves_what_was_committed) {
  const int64_t began = now_ms();
  event_dedup *table = event_dedup_new(WINDOW);
  for (uint32_t i = 0; i < 900; i++) {
    event_dedup_add(table, i % 300, i, began);
  }
  event_dedup_commit(table);
  for (uint32_t i = 0; i < 5000; i++) { /* the table grows meanwhile */
    event_dedup_add(table, i % 300, i, began);
  }
  assert_true(count_seen(table, 7, began) > 3);
  event_dedup_rollback(table);
  for (uint32_t i = 0; i < 300; i++) {
    assert_int_equal(count_seen(table, i, began), 3);
  }
  event_dedup_free(table);
}
