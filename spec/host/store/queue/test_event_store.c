/* Tests of the durable event store, against real files: putting, ids, states and listings. */
#include "host/store/store_fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- Putting ---- */

STORE_TEST(test_put_is_on_disk_when_acknowledged) {
  static const char body[] = "{\"a\":\0\xff}";
  const event_record record = {.action = "login.success",
                               .account_id = "acc\xfe",
                               .body = body,
                               .body_size = sizeof body - 1,
                               .received_at = 42};
  int64_t first = put_record(f, &record, NULL, 0);
  assert_true(first > 0);
  assert_int_equal(query(f, "SELECT id FROM events JOIN bodies USING (id)"
                            " WHERE action = 'login.success'"
                            " AND hex(account_id) = '616363FE' AND received_at = 42"
                            " AND hex(body) = '7B2261223A00FF7D'"),
                   first);
  assert_true(put(f, NULL) > first);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  wait_notified(&w);
  event_lease *lease = event_consumer_take(w.consumer);
  assert_non_null(lease);
  assert_int_equal(lease->body_size, sizeof body - 1);
  assert_memory_equal(lease->body, body, sizeof body);
  assert_int_equal(lease->received_at, 42);
  event_lease_free(lease);
}

STORE_TEST(test_an_empty_body_is_stored) {
  const event_record record = {.action = "", .body = NULL, .body_size = 0};
  assert_true(put_record(f, &record, NULL, 0) > 0);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  wait_notified(&w);
  event_lease *lease = event_consumer_take(w.consumer);
  assert_non_null(lease);
  assert_int_equal(lease->body_size, 0);
  assert_string_equal(lease->body, "");
  event_lease_free(lease);
}

STORE_TEST(test_files_are_private) {
  (void)put(f, NULL);
  const char *const suffixes[] = {"", "-wal", "-shm", "-lock", "-started"};
  for (size_t i = 0; i < 5; i++) {
    char path[128];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
  }
}

static void put_3000(void *context) {
  fixture *f = ((void **)context)[0];
  const event_record record = record_of("a", "{}");
  for (int i = 0; i < 3000; i++) {
    event_store_put(f->store, &record, on_put, ((void **)context)[1]);
  }
}

STORE_TEST(test_close_carries_out_what_is_queued) {
  response a = NO_RESPONSE;
  void *context[] = {f, &a};
  host_loop_call(f->loop, put_3000, context);
  close_store(f);
  assert_int_equal(a.responses, 3000);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 3000);
  char path[128];
  (void)snprintf(path, sizeof path, "%s-lock", f->path);
  assert_int_equal(access(path, F_OK), 0);
}

STORE_TEST(test_a_close_removes_the_file_of_what_was_started) {
  (void)put(f, NULL);
  char path[128];
  (void)snprintf(path, sizeof path, "%s-started", f->path);
  assert_int_equal(access(path, F_OK), 0);
  close_store(f);
  assert_int_equal(access(path, F_OK), -1);
}

typedef struct {
  fixture *f;
  response all;
  int64_t stored; /* with the first response */
} slow_response;

static void on_first(void *context, const event_receipt *receipt) {
  slow_response *slow = context;
  if (slow->stored == 0) {
    slow->stored = query(slow->f, "SELECT count(*) FROM events");
  }
  on_put(&slow->all, receipt);
}

CLOSED_STORE_TEST(test_waiting_puts_are_acknowledged_before_all_are_stored) {
  enum {
    COUNT = 4000
  };
  open_store(f);
  slow_response slow = {.f = f, .all = NO_RESPONSE};
  const event_record record = record_of("a", "{}");
  put_times(f, &record, COUNT, on_first, &slow);
  await_responses(&slow.all, COUNT);
  assert_in_range(slow.stored, 1, COUNT / 2);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), COUNT);
}

/* ---- Ids ---- */

/* Each second has ten thousand ids: a database that replaces a lost one does not use its ids. */
CLOSED_STORE_TEST(test_ids_begin_at_the_time_of_creation) {
  int64_t before = now_ms() / 1000;
  open_store(f);
  int64_t after = now_ms() / 1000;
  int64_t first = put(f, NULL);
  assert_true(first >= before * 10000 + 1);
  assert_true(first <= after * 10000 + 1);
  /* JSON encoders that write numbers with 14 digits keep it whole. */
  assert_true(first < 100000000000000);
  assert_int_equal(put(f, NULL), first + 1);
}

static void remove_database(const fixture *f) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-lock", "-started"};
  for (size_t i = 0; i < 5; i++) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
    (void)unlink(path);
  }
  assert_int_equal(access(f->path, F_OK), -1);
}

STORE_TEST(test_ids_of_a_later_database_are_greater) {
  int64_t last = 0;
  for (int i = 0; i < 300; i++) {
    last = put(f, NULL);
  }
  close_store(f);
  remove_database(f);
  int64_t second = now_ms() / 1000;
  while (now_ms() / 1000 == second) {
    (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
  open_store(f);
  assert_true(put(f, NULL) > last);
}

STORE_TEST(test_ids_go_on_after_a_new_start_and_are_not_used_again) {
  (void)put(f, NULL);
  int64_t second = put(f, NULL);
  close_store(f);
  execute(f, "DELETE FROM events; DELETE FROM bodies");
  open_store(f);
  assert_int_equal(put(f, NULL), second + 1);
}

/* ---- States and listings ---- */

STORE_TEST(test_lifecycle_shows_in_the_list) {
  put_many(f, NULL, 5);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 4);
  for (int i = 1; i <= 4; i++) {
    int attempt = 0;
    assert_int_equal(take(&w, &attempt), id_of(f, i));
    assert_int_equal(attempt, 1);
  }
  finish(&w, id_of(f, 1), EVENT_OUTCOME_DONE, 0, NULL);
  finish(&w, id_of(f, 2), EVENT_OUTCOME_RETRY, now_ms() + 3600000, "no reply");
  finish(&w, id_of(f, 3), EVENT_OUTCOME_DEAD, 0, "bad script");
  finish(&w, id_of(f, 99), EVENT_OUTCOME_DONE, 0, NULL);
  finish(&w, id_of(f, 1), EVENT_OUTCOME_DEAD, 0, "twice");
  (void)put(f, NULL);
  assert_listed(f, NULL,
                "1 done 1 -\n2 retry 1 no reply\n3 dead 1 bad script\n4 running 1 -\n"
                "5 received 0 -\n6 received 0 -\n");
  assert_listed(f, "done", "1 done 1 -\n");
  assert_listed(f, "retry", "2 retry 1 no reply\n");
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
  close_store(f);
  open_store(f);
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.unfinished, 4);
  assert_int_equal(counts.done, 0);
}

CLOSED_STORE_TEST(test_list_limits_stops_and_rejects) {
  host_error error = {.kind = HOST_OK};
  listing l = {.f = f, .text = ""};
  event_filter filter = {.state = NULL};
  assert_false(event_store_list(f->path, &filter, add_line, &l, &error));
  assert_non_null(strstr(error.message, "No such file"));
  assert_int_equal(access(f->path, F_OK), -1);
  open_store(f);
  /* More than a page of the listing, half of them waiting for another of their account. */
  for (int i = 0; i < 300; i++) {
    (void)put(f, "one");
    (void)put(f, NULL);
  }
  assert_int_equal(count_listed(f, NULL), 600);
  assert_int_equal(count_listed(f, "received"), 600);
  assert_int_equal(list(f, &(event_filter){.state = "received", .limit = 299}).count, 299);
  assert_string_equal(list(f, &(event_filter){.state = "received", .limit = 3}).text,
                      "600 received 0 -\n599 received 0 -\n598 received 0 -\n");
  assert_int_equal(list(f, &(event_filter){.limit = 1000}).count, 600);
  l.stop_after = 2;
  assert_true(event_store_list(f->path, &filter, add_line, &l, &error));
  assert_int_equal(l.count, 2);
  filter.state = "finished";
  assert_false(event_store_list(f->path, &filter, add_line, &l, &error));
  assert_non_null(strstr(error.message, "unknown state"));
  close_store(f);
  assert_int_equal(count_listed(f, NULL), 600);
}

/* The first N are those that begin the list of all. */
static void assert_listed_in_parts(const fixture *f, event_filter filter) {
  listing all = list(f, &filter);
  filter.limit = 100000;
  assert_string_equal(list(f, &filter).text, all.text);
  for (filter.limit = 1; filter.limit < all.count && filter.limit < 100; filter.limit += 31) {
    listing first = list(f, &filter);
    assert_int_equal(first.count, filter.limit);
    assert_memory_equal(first.text, all.text, strlen(first.text));
  }
}

STORE_TEST(test_list_finds_the_first_of_each_state) {
  put_many(f, NULL, 120);
  close_store(f);
  /* Farther apart than what one query looks at, and fewer than there is a limit. */
  execute(f, "UPDATE events SET state = 4 WHERE id <= (SELECT min(id) + 1 FROM events);"
             "UPDATE events SET state = 3 WHERE id % 2 = 0 AND state = 0;"
             "UPDATE events SET state = 2, due_at = 5 WHERE id % 3 = 0 AND state = 0;"
             "UPDATE events SET id = id + 99999 WHERE id = (SELECT max(id) FROM events);"
             "UPDATE events SET id = id + 50000 WHERE id = (SELECT max(id) FROM events"
             " WHERE id < (SELECT max(id) FROM events));");
  assert_string_equal(list(f, &(event_filter){.state = "dead", .limit = 1}).text,
                      "2 dead 0 -\n");
  assert_listed(f, "dead", "1 dead 0 -\n2 dead 0 -\n");
  static const char *const states[] = {NULL, "received", "running", "retry", "done", "dead"};
  for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
    for (int is_upward = 0; is_upward <= 1; is_upward++) {
      assert_listed_in_parts(f, (event_filter){.state = states[i], .oldest_first = is_upward});
    }
  }
}

