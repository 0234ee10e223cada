/* Tests of a rate limit that processes share: never more than the limit, whoever dies over it. */
#include "rate_limit_file.h"

#include "clock.h"
#include "engine_fixture.h"
#include "rate_limiters.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char parent[200];

static int make_parent(void **state) {
  (void)state;
  const char *temporary = getenv("TMPDIR");
  snprintf(parent, sizeof parent, "%s/palenca-spec-XXXXXX", temporary != NULL ? temporary : "/tmp");
  return mkdtemp(parent) == NULL;
}

static int remove_parent(void **state) {
  (void)state;
  char command[256];
  snprintf(command, sizeof command, "rm -rf '%s'", parent);
  return system(command);
}

#define SHARED_TEST(name) FIXTURE_TEST(name, void *nothing, make_parent, remove_parent)

static palenca_rate_limiters *share(void) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  palenca_rate_limiters *rate_limiters = palenca_rate_limiters_share(parent, &error);
  if (rate_limiters == NULL) {
    fail_msg("%s", error.message);
  }
  return rate_limiters;
}

static rate_limiter *find(palenca_rate_limiters *rate_limiters, const char *key, size_t limit) {
  unsigned char digest[RATE_LIMITER_DIGEST_SIZE];
  rate_limiters_digest(key, strlen(key), digest);
  rate_limiter *one = rate_limiters_find(rate_limiters, digest, limit);
  assert_non_null(one);
  return one;
}

/* Takes turns until there is none left, at a time that stands still. */
static size_t take_all(palenca_rate_limiters *rate_limiters, rate_limiter *one, bool low_priority,
                       int64_t now) {
  size_t count = 0;
  int64_t wait;
  while ((wait = rate_limiters_take(rate_limiters, one, low_priority, now)) <= 1) {
    count += wait == 0;
  }
  return count;
}

SHARED_TEST(test_sets_of_rate_limiters_share_a_limit) {
  palenca_rate_limiters *first = share(), *second = share();
  int64_t now = clock_steady_ms();
  assert_int_equal(take_all(first, find(first, "a", 48), true, now), 46);
  assert_true(rate_limiters_take(second, find(second, "a", 48), true, now) >
              1); /* no low_priority any more */
  assert_int_equal(take_all(second, find(second, "a", 48), false, now), 2);
  assert_true(rate_limiters_take(first, find(first, "a", 48), false, now) > 1);
  /* other keys and limits are others */
  assert_int_equal(rate_limiters_take(first, find(first, "b", 48), false, now), 0);
  assert_int_equal(rate_limiters_take(first, find(first, "a", 49), false, now), 0);
  palenca_rate_limiters_release(first);
  palenca_rate_limiters *third = share(); /* what comes later knows what was before */
  assert_true(rate_limiters_take(third, find(third, "a", 48), false, now) > 1);
  palenca_rate_limiters_release(second);
  palenca_rate_limiters_release(third);
}

SHARED_TEST(test_a_block_is_everybodys) {
  palenca_rate_limiters *first = share(), *second = share();
  int64_t now = clock_steady_ms();
  rate_limiters_block(first, find(first, "a", 5), now, 7000);
  assert_int_equal(rate_limiters_take(second, find(second, "a", 5), false, now), 7000);
  palenca_rate_limiters_release(first);
  palenca_rate_limiters_release(second);
}

/* ---- Processes ---- */

enum {
  LIMIT = 3000,
  PROCESSES = 4
};

static void take_in_child(size_t *count) {
  palenca_rate_limiters *rate_limiters = share();
  rate_limiter *one = find(rate_limiters, "a", LIMIT);
  int64_t wait;
  while ((wait = rate_limiters_take(rate_limiters, one, false, clock_steady_ms())) <= 1) {
    __atomic_fetch_add(count, wait == 0, __ATOMIC_SEQ_CST);
  }
  _exit(0);
}

static pid_t start_child(size_t *count) {
  pid_t child = fork();
  if (child == 0) {
    take_in_child(count);
  }
  return child;
}

static size_t *new_count(void) {
  return mmap(NULL, sizeof(size_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

SHARED_TEST(test_processes_share_a_limit_to_the_last_turn) {
  size_t *count = new_count();
  pid_t children[PROCESSES];
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = start_child(count);
  }
  for (int i = 0; i < PROCESSES; i++) {
    assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
  }
  assert_int_equal(*count, LIMIT);
  munmap(count, sizeof *count);
}

/* A turn that was taken by a process killed before it could count it is one less, not one more. */
SHARED_TEST(test_killed_processes_never_let_others_exceed_it) {
  size_t *count = new_count();
  for (int i = 0; i < 50; i++) {
    pid_t child = start_child(count);
    usleep((useconds_t)(i * 37));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
  }
  pid_t last = start_child(count);
  assert_int_equal(waitpid(last, NULL, 0), last);
  assert_in_range(*count, 1, LIMIT);
  palenca_rate_limiters *rate_limiters = share();
  assert_true(rate_limiters_take(rate_limiters, find(rate_limiters, "a", LIMIT), false,
                                 clock_steady_ms()) > 1);
  palenca_rate_limiters_release(rate_limiters);
  munmap(count, sizeof *count);
}

/* ---- What is in the directory ---- */

static void path_of_directory(char *out, size_t size) {
  snprintf(out, size, "%s/palenca-%lu", parent, (unsigned long)geteuid());
}

SHARED_TEST(test_nobody_else_can_look_in) {
  char path[256];
  struct stat is;
  palenca_rate_limiters *rate_limiters = share();
  path_of_directory(path, sizeof path);
  assert_int_equal(stat(path, &is), 0);
  assert_int_equal(is.st_mode & 07777, 0700);
  palenca_rate_limiters_release(rate_limiters);
  assert_int_equal(chmod(path, 0755), 0);
  palenca_error error = {0};
  assert_null(palenca_rate_limiters_share(parent, &error));
  assert_non_null(strstr(error.message, "it is not this user's alone"));
  assert_null(palenca_rate_limiters_share("/nowhere/at/all", &error));
  assert_non_null(strstr(error.message, "No such file or directory"));
}

SHARED_TEST(test_a_link_is_not_followed) {
  char path[256];
  palenca_error error = {0};
  path_of_directory(path, sizeof path);
  assert_int_equal(symlink("/tmp", path), 0);
  assert_null(palenca_rate_limiters_share(parent, &error));
}

static void write_at(int directory, off_t offset, int64_t value) {
  int fd = openat(directory, "x", O_RDWR);
  assert_int_equal(pwrite(fd, &value, sizeof value, offset), sizeof value);
  close(fd);
}

static size_t free_turns(rate_limit_file *file, int64_t now) {
  palenca_rate_limit window;
  size_t count = 0;
  assert_true(rate_limit_file_take(file, &window));
  while (palenca_rate_limit_wait(&window, now, 0) == 0 && count < 100) {
    palenca_rate_limit_take(&window, now);
    count++;
  }
  rate_limit_file_put_back(file, &window);
  return count;
}

/* Of another layout, cut short, or from before the machine's last start. */
SHARED_TEST(test_a_file_that_makes_no_sense_is_started_again) {
  int directory = rate_limit_directory_open(parent, NULL);
  rate_limit_file *file = rate_limit_file_open(directory, "x", 5);
  int64_t now = clock_steady_ms();
  assert_int_equal(free_turns(file, now), 5);
  assert_int_equal(free_turns(file, now), 0);
  write_at(directory, 0, 7); /* not ready */
  assert_int_equal(free_turns(file, now), 5);
  write_at(directory, 8, 5); /* next: beyond the end */
  assert_int_equal(free_turns(file, now), 5);
  write_at(directory, 16, now + 10000000); /* blocked for hours */
  assert_int_equal(free_turns(file, now), 5);
  assert_int_equal(free_turns(file, now - 100000), 0); /* of one who was held up */
  write_at(directory, 56, now + 10000000);             /* the newest, sent in the future */
  assert_int_equal(free_turns(file, now), 5);
  rate_limit_file_close(file);
  close(directory);
}

SHARED_TEST(test_it_is_not_waited_for) {
  int directory = rate_limit_directory_open(parent, NULL);
  rate_limit_file *first = rate_limit_file_open(directory, "x", 5),
                  *second = rate_limit_file_open(directory, "x", 5);
  palenca_rate_limit window, other;
  assert_true(rate_limit_file_take(first, &window));
  assert_false(rate_limit_file_take(second, &other));
  rate_limit_file_put_back(first, &window);
  assert_true(rate_limit_file_take(second, &other));
  rate_limit_file_put_back(second, &other);
  rate_limit_file_close(first);
  rate_limit_file_close(second);
  close(directory);
}

static bool is_there(int directory, const char *name) {
  return faccessat(directory, name, F_OK, 0) == 0;
}

static void leave_file(int directory, const char *name, int64_t last_turn) {
  rate_limit_file *file = rate_limit_file_open(directory, name, 5);
  assert_int_equal(free_turns(file, last_turn), 5);
  rate_limit_file_close(file);
}

SHARED_TEST(test_what_says_nothing_any_more_is_removed) {
  int directory = rate_limit_directory_open(parent, NULL);
  int64_t now = clock_steady_ms();
  leave_file(directory, "fresh", now);
  leave_file(directory, "old", now - 3 * PALENCA_RATE_WINDOW_MS);
  close(openat(directory, "empty", O_CREAT | O_WRONLY, 0600));
  leave_file(directory, "in use", now - 3 * PALENCA_RATE_WINDOW_MS);
  rate_limit_file *used = rate_limit_file_open(directory, "in use", 5);
  palenca_rate_limiters_release(share());
  assert_true(is_there(directory, "fresh"));
  assert_true(is_there(directory, "in use"));
  assert_false(is_there(directory, "old"));
  assert_false(is_there(directory, "empty"));
  rate_limit_file_close(used);
  palenca_rate_limiters_release(share());
  assert_false(is_there(directory, "in use"));
  close(directory);
}

/* A file is opened while others remove it: all that have one have the same. */
SHARED_TEST(test_removal_parts_nobody_from_the_others) {
  pid_t self = getpid(), remover = fork();
  if (remover == 0) {
    while (getppid() == self) {
      palenca_rate_limiters_release(share());
    }
    _exit(0);
  }
  int directory = rate_limit_directory_open(parent, NULL);
  int64_t long_ago = clock_steady_ms() - 3 * PALENCA_RATE_WINDOW_MS;
  for (int i = 0; i < 300; i++) {
    rate_limit_file *first = rate_limit_file_open(directory, "x", 5),
                    *second = rate_limit_file_open(directory, "x", 5);
    assert_non_null(first);
    assert_non_null(second);
    assert_int_equal(free_turns(first, long_ago), 5);
    assert_int_equal(free_turns(second, long_ago), 0);
    rate_limit_file_close(first);
    rate_limit_file_close(second);
    int64_t end = clock_steady_ms() + TIMEOUT_MS;
    while (is_there(directory, "x")) {
      assert_true(clock_steady_ms() < end);
      usleep(10);
    }
  }
  kill(remover, SIGKILL);
  assert_int_equal(waitpid(remover, NULL, 0), remover);
  close(directory);
}

/* Notes a request at `now`, and dies before it says that there is a next turn. */
static void note_and_die(rate_limit_file *file, int64_t now) {
  palenca_rate_limit window;
  assert_true(rate_limit_file_take(file, &window));
  window.sent_at[window.next] = now;
  rate_limit_file_put_back(file, &window);
}

SHARED_TEST(test_a_request_noted_by_half_blocks_nobody) {
  int directory = rate_limit_directory_open(parent, NULL);
  rate_limit_file *file = rate_limit_file_open(directory, "x", 5);
  int64_t now = clock_steady_ms();
  palenca_rate_limit window;
  assert_non_null(file);
  for (int64_t i = 0; i < 3; i++) { /* at times that differ, and at the same one */
    note_and_die(file, now + i / 2);
    assert_true(rate_limit_file_take(file, &window));
    assert_int_equal(window.next, i + 1);
    assert_true(window.sent_at[window.next] < now);
    rate_limit_file_put_back(file, &window);
  }
  assert_int_equal(free_turns(file, now + 1), 2); /* and the limit is kept */
  rate_limit_file_close(file);
  close(directory);
}

SHARED_TEST(test_a_path_is_not_cut) {
  char path[300];
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  size_t size = strlen(parent);
  memset(path, '/', sizeof path); /* the same directory, written at length */
  memcpy(path, parent, size);
  path[sizeof path - 1] = '\0';
  assert_int_equal(rate_limit_directory_open(path, &error), -1);
  assert_int_equal(error.kind, PALENCA_USAGE);
  assert_string_equal(error.message, "the directory's path is too long");
}
