/* Tests of what is found, run again or deleted by a filter. */
#include "host/store/store_fixture.h"
#include "store/admin/sliced_work.h"

#include <stdio.h>
#include <string.h>

enum {
  COUNT = 30000
};

static const event_admin_stop never = {.reason = NULL};

/* Events 2 to COUNT + 1 were received at 1, 2, … ms; every tenth is dead, and every hundredth has
 * an error of its own. The first one is received. */
static void fill(fixture *f) {
  char text[768];
  open_store(f);
  f->first_id = put(f, NULL);
  close_store(f);
  (void)snprintf(
      text, sizeof text,
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
      " INSERT INTO events SELECT %lld + i, iif(i %% 3 = 0, 'login.error', 'profile.updated'),"
      " 'a' || (i %% 7), iif(i %% 10 = 0, 4, 3), 1, 0, i, 0, i,"
      " iif(i %% 100 = 0, '50%% of Stage_' || i || ' failed', NULL) FROM n;"
      "INSERT INTO bodies SELECT id, CAST('{\"data\":{\"platform\":\"' || iif(id %% 2, 'uber',"
      " 'didi') || '\"}}' AS BLOB) FROM events WHERE state >= 3;",
      COUNT, (long long)f->first_id);
  execute(f, text);
}

typedef struct {
  const fixture *f;
  int count, first, last; /* in the order in which they were shown */
} seen_events;

static bool see(void *context, const event_summary *event) {
  seen_events *seen = context;
  seen->last = number_of(seen->f, event->id);
  seen->first = seen->count++ == 0 ? seen->last : seen->first;
  return true;
}

static seen_events see_all(const fixture *f, const event_filter *filter) {
  seen_events seen = {.f = f};
  host_error error;
  if (!event_store_list(f->path, filter, see, &seen, &error)) {
    fail_msg("list: %s", error.message);
  }
  return seen;
}

static int count(const fixture *f, event_filter filter) {
  return see_all(f, &filter).count;
}

CLOSED_STORE_TEST(test_events_are_found_by_what_they_are) {
  fill(f);
  assert_int_equal(count(f, (event_filter){.action = "login.error"}), COUNT / 3);
  assert_int_equal(count(f, (event_filter){.action = "profile.*"}), COUNT - COUNT / 3);
  assert_int_equal(count(f, (event_filter){.action = "prof.*"}), 0);
  execute(f, "UPDATE events SET action = iif(received_at = 1, 'profile/x', 'profile.')"
             " WHERE received_at IN (1, 2)");
  assert_int_equal(count(f, (event_filter){.action = "profile.*"}), COUNT - COUNT / 3 - 1);
  assert_int_equal(count(f, (event_filter){.action = "*"}), COUNT + 1);
  assert_int_equal(count(f, (event_filter){.platform = "uber", .state = "dead", .until = 1001}),
                   f->first_id % 2 ? 100 : 0);
  assert_int_equal(count(f, (event_filter){.since = 1000, .until = 2000}), 1000);
  assert_int_equal(count(f, (event_filter){.before = id_of(f, 11)}), 10);
  assert_int_equal(count(f, (event_filter){.account_id = "nobody"}), 0);
}

CLOSED_STORE_TEST(test_events_are_found_by_a_part_of_their_error) {
  fill(f);
  assert_int_equal(count(f, (event_filter){.error = "FAILED"}), COUNT / 100);
  assert_int_equal(count(f, (event_filter){.error = "stage_100 "}), 1);
  assert_int_equal(count(f, (event_filter){.error = "0% of"}), COUNT / 100);
  assert_int_equal(count(f, (event_filter){.error = "stage%100"}), 0);
  assert_int_equal(count(f, (event_filter){.error = "stage__00"}), 0);
  assert_int_equal(count(f, (event_filter){.error = "\\"}), 0);
}

CLOSED_STORE_TEST(test_a_listing_that_has_no_time_left_says_where_it_is_continued) {
  fill(f);
  event_filter filter = {.platform = "no such platform", .limit = 50};
  host_error error;
  int64_t next = 0;
  int pages = 0;
  do {
    seen_events seen = {.f = f};
    filter.before = next;
    assert_true(event_store_list_some(f->path, &filter, 1, see, &seen, &next, &error));
    assert_int_equal(seen.count, 0);
    assert_true(next == 0 || filter.before == 0 || next < filter.before);
    pages++;
  } while (next != 0);
  assert_true(pages > 1);
}

CLOSED_STORE_TEST(test_pages_of_a_listing_follow_each_other) {
  fill(f);
  event_filter filter = {.state = "dead", .limit = 700};
  host_error error;
  int64_t next = 0;
  int all = 0;
  do {
    seen_events seen = {.f = f};
    filter.before = next;
    assert_true(event_store_list_some(f->path, &filter, 10000, see, &seen, &next, &error));
    assert_int_equal(seen.first, COUNT + 1 - 10 * all);
    all += seen.count;
  } while (next != 0);
  assert_int_equal(all, COUNT / 10);
}

CLOSED_STORE_TEST(test_no_event_is_between_two_pages) {
  fill(f);
  event_filter filter = {.since = 29000, .until = 100000, .limit = 7};
  host_error error;
  int64_t next = 0;
  int expected = COUNT + 1;
  do {
    seen_events seen = {.f = f};
    filter.before = next;
    assert_true(event_store_list_some(f->path, &filter, 10000, see, &seen, &next, &error));
    assert_true(seen.count == 0 || seen.first == expected);
    expected -= seen.count;
  } while (next != 0);
  assert_int_equal(expected, 29000);
}

CLOSED_STORE_TEST(test_all_that_match_run_again) {
  fill(f);
  open_store(f);
  host_error error;
  int64_t replayed, left_out;
  const event_filter failed = {.error = "stage", .state = "dead", .since = 1000, .until = 2000};
  assert_true(event_store_replay_matching(f->path, &failed, never, &replayed, &left_out, &error));
  assert_int_equal(replayed, 10);
  assert_int_equal(left_out, 0);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 0 AND replays = 1"
                            " AND received_at BETWEEN 1000 AND 1900 AND received_at % 100 = 0"),
                   10);
  const event_filter all = {.until = 2000};
  assert_true(event_store_replay_matching(f->path, &all, never, &replayed, &left_out, &error));
  assert_int_equal(replayed, 1989);
  assert_int_equal(left_out, 10);
}

CLOSED_STORE_TEST(test_all_that_match_and_are_finished_are_deleted) {
  fill(f);
  open_store(f);
  event_purge_report report;
  host_error error;
  const event_filter some = {.action = "login.*", .account_id = "a3"};
  int64_t bytes = query(f, "SELECT sum(length(action) + length(account_id) + length(body)"
                           " + coalesce(length(error), 0)) FROM events JOIN bodies USING (id)"
                           " WHERE action = 'login.error' AND account_id = 'a3'");
  int64_t matching = query(f, "SELECT count(*) FROM events WHERE action = 'login.error'"
                              " AND account_id = 'a3'");
  for (int i = 0; i < 2; i++) {
    assert_true(event_store_purge_matching(f->path, &some, i == 0, never, &report, &error));
    assert_int_equal(report.events, matching);
    assert_int_equal(report.bytes, bytes);
    assert_int_equal(query(f, "SELECT count(*) FROM events"), COUNT + 1 - i * matching);
    assert_int_equal(query(f, "SELECT count(*) FROM bodies"), COUNT + 1 - i * matching);
  }
  const event_filter all = {.state = NULL};
  assert_true(event_store_purge_matching(f->path, &all, false, never, &report, &error));
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 1);
}

static event_purge_report count_purge(const fixture *f, event_filter filter) {
  event_purge_report report;
  host_error error;
  if (!event_store_purge_matching(f->path, &filter, true, never, &report, &error)) {
    fail_msg("purge: %s", error.message);
  }
  return report;
}

CLOSED_STORE_TEST(test_a_dry_run_counts_what_is_finished_alone) {
  fill(f);
  execute(f, "INSERT INTO attempts(id, replay, attempt, outcome, error, lines)"
             " SELECT id, 0, attempts, 2, error, 'four' FROM events WHERE received_at = 1000");
  event_purge_report all = count_purge(f, (event_filter){.state = NULL});
  assert_int_equal(all.events, COUNT);
  assert_int_equal(all.bytes,
                   query(f, "SELECT sum(length(action) + length(account_id) + length(body)"
                            " + coalesce(length(events.error), 0)) + (SELECT sum(length(lines)"
                            " + length(error)) FROM attempts) FROM events JOIN bodies USING (id)"
                            " WHERE state >= 3"));
  assert_int_equal(count_purge(f, (event_filter){.state = "dead"}).events, COUNT / 10);
  assert_int_equal(count_purge(f, (event_filter){.state = "done"}).events, COUNT - COUNT / 10);
  assert_int_equal(count_purge(f, (event_filter){.state = "received"}).events, 0);
  assert_int_equal(count_purge(f, (event_filter){.error = "stage", .until = 2000}).events, 19);
  assert_int_equal(
      count_purge(f, (event_filter){.platform = "uber", .state = "dead", .until = 1001}).events,
      f->first_id % 2 ? 100 : 0);
}

CLOSED_STORE_TEST(test_what_is_within_the_window_is_not_deleted) {
  fill(f);
  f->dedup_window = 60000;
  open_store(f);
  execute(f, "UPDATE events SET received_at = (strftime('%s', 'now') - 10) * 1000"
             " WHERE received_at = 500");
  event_purge_report report;
  host_error error;
  const event_filter some = {.account_id = "a3", .action = "profile.*"};
  int64_t matching = query(f, "SELECT count(*) FROM events WHERE action = 'profile.updated'"
                              " AND account_id = 'a3'");
  assert_int_equal(count_purge(f, some).events, matching - 1);
  assert_int_equal(count_purge(f, some).kept, 1);
  assert_true(event_store_purge_matching(f->path, &some, false, never, &report, &error));
  assert_int_equal(report.events, matching - 1);
  assert_int_equal(report.kept, 1);
}

/* At the second time. */
static const char *reason_to_stop(void *context) {
  return ++*(int *)context > 1 ? "nobody waits for it" : NULL;
}

CLOSED_STORE_TEST(test_it_ends_on_request) {
  fill(f);
  const event_filter all = {.state = NULL};
  for (int i = 0; i < 2; i++) {
    int asked = 0;
    const event_admin_stop stop = {reason_to_stop, &asked};
    event_purge_report report;
    host_error error;
    assert_false(event_store_purge_matching(f->path, &all, i == 0, stop, &report, &error));
    assert_non_null(strstr(error.message, "nobody waits for it"));
    assert_int_equal(asked, 2);
    assert_in_range(report.events, 1, COUNT - 1);
    assert_int_equal(query(f, "SELECT count(*) FROM events"),
                     COUNT + 1 - (i == 0 ? 0 : report.events));
  }
}
