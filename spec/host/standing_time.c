/* Time for a test: the clocks stand still until the test moves them on, and syncs can be held. */
#include "standing_time.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST_WAITS 16
#define NS 1000000000

typedef struct {
  pthread_cond_t *condition; /* NULL: not in use */
  pthread_mutex_t *mutex;
  struct timespec until;
} timed_wait;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int64_t passed_ns;
static timed_wait waits[MOST_WAITS];
static int wait_count, current_waits, sync_count, held_count;
static bool are_held;

/* ---- The clocks ---- */

/* Both as they are at the first look, and what has passed since. */
int clock_gettime(clockid_t which, struct timespec *now) {
  static struct timespec first[2];
  if (which != CLOCK_MONOTONIC && which != CLOCK_REALTIME) {
    return (int)syscall(SYS_clock_gettime, which, now);
  }
  (void)pthread_mutex_lock(&mutex);
  struct timespec *began = &first[which == CLOCK_REALTIME];
  if (began->tv_sec == 0) {
    (void)syscall(SYS_clock_gettime, which, began);
  }
  int64_t ns = began->tv_nsec + passed_ns;
  *now = (struct timespec){.tv_sec = began->tv_sec + ns / NS, .tv_nsec = ns % NS};
  (void)pthread_mutex_unlock(&mutex);
  return 0;
}

static bool is_over(const struct timespec *until) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec > until->tv_sec ||
         (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec);
}

static timed_wait *begin_wait(pthread_cond_t *condition, pthread_mutex_t *its_mutex,
                              const struct timespec *until) {
  (void)pthread_mutex_lock(&mutex);
  timed_wait *wait = waits;
  while (wait->condition != NULL) {
    wait++;
  }
  *wait = (timed_wait){.condition = condition, .mutex = its_mutex, .until = *until};
  wait_count++;
  current_waits++;
  (void)pthread_cond_broadcast(&changed);
  (void)pthread_mutex_unlock(&mutex);
  return wait;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *its_mutex,
                           const struct timespec *until) {
  if (is_over(until)) {
    return ETIMEDOUT;
  }
  timed_wait *wait = begin_wait(condition, its_mutex, until);
  (void)pthread_cond_wait(condition, its_mutex);
  (void)pthread_mutex_lock(&mutex);
  wait->condition = NULL;
  current_waits--;
  (void)pthread_mutex_unlock(&mutex);
  return is_over(until) ? ETIMEDOUT : 0;
}

/* Who is entered as waiting holds the condition's mutex until it does wait. */
void time_pass(int64_t milliseconds) {
  timed_wait now[MOST_WAITS];
  (void)pthread_mutex_lock(&mutex);
  passed_ns += milliseconds * 1000000;
  for (int i = 0; i < MOST_WAITS; i++) {
    now[i] = waits[i];
  }
  (void)pthread_mutex_unlock(&mutex);
  for (int i = 0; i < MOST_WAITS; i++) {
    if (now[i].condition != NULL && is_over(&now[i].until)) {
      (void)pthread_mutex_lock(now[i].mutex);
      (void)pthread_cond_broadcast(now[i].condition);
      (void)pthread_mutex_unlock(now[i].mutex);
    }
  }
}

static int read_count(const int *count) {
  (void)pthread_mutex_lock(&mutex);
  int value = *count;
  (void)pthread_mutex_unlock(&mutex);
  return value;
}

static void await_more(const int *count, int than) {
  (void)pthread_mutex_lock(&mutex);
  while (*count <= than) {
    (void)pthread_cond_wait(&changed, &mutex);
  }
  (void)pthread_mutex_unlock(&mutex);
}

int time_await_wait(void) {
  await_more(&current_waits, 0);
  return read_count(&wait_count);
}

void time_await_waits(int count) {
  await_more(&wait_count, count);
}

/* ---- Syncs ---- */

static void begin_sync(void) {
  (void)pthread_mutex_lock(&mutex);
  sync_count++;
  held_count++;
  (void)pthread_cond_broadcast(&changed);
  while (are_held) {
    (void)pthread_cond_wait(&changed, &mutex);
  }
  held_count--;
  (void)pthread_mutex_unlock(&mutex);
}

int fsync(int file) {
  begin_sync();
  return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
  begin_sync();
  return (int)syscall(SYS_fdatasync, file);
}

int time_syncs(void) {
  return read_count(&sync_count);
}

static void hold(bool is_wanted) {
  (void)pthread_mutex_lock(&mutex);
  are_held = is_wanted;
  (void)pthread_cond_broadcast(&changed);
  (void)pthread_mutex_unlock(&mutex);
}

void time_hold_syncs(void) {
  hold(true);
}

void time_let_syncs_go(void) {
  hold(false);
}

void time_await_held(void) {
  await_more(&held_count, 0);
}
