/* Tests of the event store after a process that was killed: what is received again, and which
 * attempts count. */
#include "host/store/store_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the children do must not reach the parent's test runner, so they respond by their status. */
typedef int (*life)(fixture *f, event_consumer *consumer, int fd);

static bool is_leased(int fd) {
  struct pollfd descriptor = {.fd = fd, .events = POLLIN};
  uint64_t count;
  return poll(&descriptor, 1, TIMEOUT_MS) == 1 && read(fd, &count, sizeof count) == sizeof count;
}

static int live(fixture *f, life of) {
  host_error error;
  f->store = try_open(f, &error);
  if (f->store == NULL) {
    return 2;
  }
  int fd = eventfd(0, EFD_CLOEXEC);
  return of(f, event_consumer_new(f->store, fd), fd);
}

/* Lives and dies in a process of its own. */
static void crash(fixture *f, life of) {
  pid_t child = fork();
  if (child == 0) {
    _exit(live(f, of));
  }
  assert_child_succeeds(child);
  f->first_id = query(f, "SELECT min(id) FROM events"); /* the child's */
}

static bool put_each(fixture *f, const char *accounts) {
  bool ok = true;
  for (; ok && *accounts != '\0'; accounts++) {
    const char account[] = {*accounts, '\0'};
    const event_record record = record_of(account, "{}");
    ok = put_record(f, &record, NULL, 0) > 0;
  }
  return ok;
}

static int64_t take_one(event_consumer *consumer) {
  event_lease *lease = event_consumer_take(consumer);
  int64_t id = lease != NULL ? lease->id : 0;
  event_lease_free(lease);
  return id;
}

static int put_and_lease(fixture *f, event_consumer *consumer, int fd) {
  if (!put_each(f, "aab")) {
    return 3;
  }
  event_consumer_prefetch(consumer, 5);
  return is_leased(fd) ? 0 : 4;
}

static int lease_again(fixture *f, event_consumer *consumer, int fd) {
  (void)f;
  event_consumer_prefetch(consumer, 5);
  return is_leased(fd) ? 0 : 4;
}

static int lease_and_take(fixture *f, event_consumer *consumer, int fd) {
  int status = lease_again(f, consumer, fd);
  return status == 0 && take_one(consumer) == 0 ? 5 : status;
}

CLOSED_STORE_TEST(test_a_crash_loses_nothing_and_counts_nothing_that_had_not_started) {
  crash(f, put_and_lease);
  assert_listed(f, NULL, "1 running 1 -\n2 received 0 -\n3 running 1 -\n");
  for (int i = 0; i < 3; i++) {
    crash(f, lease_again);
  }
  open_store(f);
  assert_listed(f, NULL, "1 received 0 -\n2 received 0 -\n3 received 0 -\n");
  event_counts counts;
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.unfinished, 3);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 5);
  int attempt = 0;
  assert_int_equal(take(&w, &attempt), id_of(f, 1));
  assert_int_equal(attempt, 1);
  assert_int_equal(take(&w, NULL), id_of(f, 3));
  assert_nothing_before(f, &w);
  finish(&w, id_of(f, 1), EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, &attempt), id_of(f, 2));
}

CLOSED_STORE_TEST(test_a_crash_counts_for_what_had_started) {
  crash(f, put_and_lease);
  for (int i = 0; i < 2; i++) {
    crash(f, lease_and_take);
  }
  open_store(f);
  assert_listed(f, NULL,
                "1 received 2 the process died during attempt 2\n2 received 0 -\n3 received 0 -\n");
  assert_int_equal(query(f, "SELECT count(*) FROM attempts WHERE outcome = 3 AND attempt IN (1, 2)"
                            " AND error = 'the process died during attempt ' || attempt"
                            " AND duration IS NULL AND id = (SELECT min(id) FROM events)"),
                   2);
  assert_int_equal(query(f, "SELECT count(*) FROM attempts"), 2);
  assert_in_range(query(f, "SELECT max(started_at) FROM attempts"), now_ms() - 60000, now_ms());
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  int attempt = 0;
  assert_int_equal(take(&w, &attempt), id_of(f, 1));
  assert_int_equal(attempt, 3);
}

/* Whoever takes over from an earlier version after a crash finds entries without times. */
CLOSED_STORE_TEST(test_what_had_started_in_an_earlier_version_counts) {
  crash(f, put_and_lease);
  char name[160];
  (void)snprintf(name, sizeof name, "%s-started", f->path);
  struct {
    int64_t id;
    int32_t attempt, replay;
  } entries[] = {{0, 0, 0}, {query(f, "SELECT max(id) FROM events WHERE state = 1"), 1, 0}};
  FILE *file = fopen(name, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(entries, sizeof entries[0], 2, file), 2);
  assert_int_equal(fclose(file), 0);
  open_store(f);
  assert_listed(f, NULL,
                "1 received 0 -\n2 received 0 -\n3 received 1 the process died during attempt 1\n");
  assert_int_equal(query(f, "SELECT count(*) FROM attempts WHERE started_at IS NULL"), 1);
}

/* Until the event that is finished is leased once more. */
static int begin_and_finish(fixture *f, event_consumer *consumer, int fd,
                            const event_outcome *outcome) {
  event_consumer_prefetch(consumer, 5);
  if (!put_each(f, "a") || !is_leased(fd)) {
    return 4;
  }
  int64_t id = take_one(consumer);
  event_consumer_prefetch(consumer, 5);
  if (take_one(consumer) != 0) {
    return 6;
  }
  event_consumer_finish(consumer, id, outcome);
  return id > 0 && is_leased(fd) ? 0 : 5;
}

static int retry_and_lease(fixture *f, event_consumer *consumer, int fd) {
  const event_outcome outcome = {.kind = EVENT_OUTCOME_RETRY, .retry_at = 1, .error = "no"};
  return begin_and_finish(f, consumer, fd, &outcome);
}

static int release_and_lease(fixture *f, event_consumer *consumer, int fd) {
  const event_outcome outcome = {.kind = EVENT_OUTCOME_RELEASED};
  return begin_and_finish(f, consumer, fd, &outcome);
}

CLOSED_STORE_TEST(test_a_second_lease_counts_only_if_it_has_started) {
  crash(f, retry_and_lease);
  assert_listed(f, NULL, "1 running 2 no\n");
  open_store(f);
  assert_listed(f, NULL, "1 received 1 no\n");
}

CLOSED_STORE_TEST(test_a_lease_after_a_release_counts_only_if_it_has_started) {
  crash(f, release_and_lease);
  assert_listed(f, NULL, "1 running 1 -\n");
  open_store(f);
  assert_listed(f, NULL, "1 received 0 -\n");
}

CLOSED_STORE_TEST(test_a_lease_after_a_replay_counts_only_if_it_has_started) {
  crash(f, put_and_lease);
  crash(f, lease_and_take);
  /* What another process's replay would do, and a lease. */
  execute(f, "UPDATE events SET state = 1, attempts = 1, replays = 1 WHERE state = 1");
  open_store(f);
  assert_listed(f, NULL, "1 received 0 -\n2 received 0 -\n3 received 0 -\n");
}

/* Those that are in use; each has an id, and room beside it. */
static int count_entries(const fixture *f) {
  char path[128];
  (void)snprintf(path, sizeof path, "%s-started", f->path);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  int count = 0;
  for (int64_t entry[3]; fread(entry, sizeof entry, 1, file) == 1;) {
    count += entry[0] > 0; /* the first says that they have times */
  }
  assert_int_equal(fclose(file), 0);
  return count;
}

STORE_TEST(test_the_file_of_what_has_started_does_not_grow) {
  worker w = new_worker(f);
  for (int i = 0; i < 100; i++) {
    int64_t id = put(f, NULL);
    event_consumer_prefetch(w.consumer, 1);
    assert_int_equal(take(&w, NULL), id);
    finish(&w, id, EVENT_OUTCOME_DONE, 0, NULL);
  }
  assert_int_equal(count_entries(f), 1);
}
