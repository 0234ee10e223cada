/* Time for a test: the clocks stand still until the test moves them, and syncs can be held. */
#include "standing_time.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int64_t passed_ns, set_ns, look_ns;
static int sync_count, held_count, write_count;
static bool are_held;

/* ---- The clocks ---- */

/* Both as they are at the first look, and what has passed since. */
int clock_gettime(clockid_t which, struct timespec *now) {
  static struct timespec first[2];
  bool is_unix = which == CLOCK_REALTIME;
  if (which != CLOCK_MONOTONIC && which != CLOCK_MONOTONIC_COARSE && !is_unix) {
    return (int)syscall(SYS_clock_gettime, which, now);
  }
  (void)pthread_mutex_lock(&mutex);
  passed_ns += look_ns;
  struct timespec *began = &first[is_unix];
  if (began->tv_sec == 0) {
    (void)syscall(SYS_clock_gettime, is_unix ? CLOCK_REALTIME : CLOCK_MONOTONIC, began);
  }
  int64_t ns = began->tv_sec * (int64_t)NS + began->tv_nsec + passed_ns + (is_unix ? set_ns : 0);
  (void)pthread_mutex_unlock(&mutex);
  *now = (struct timespec){.tv_sec = ns / NS, .tv_nsec = ns % NS};
  return 0;
}

void time_pass(int64_t milliseconds) {
  (void)pthread_mutex_lock(&mutex);
  passed_ns += milliseconds * 1000000;
  (void)pthread_mutex_unlock(&mutex);
}

void time_pass_with_looks(int64_t milliseconds) {
  (void)pthread_mutex_lock(&mutex);
  look_ns = milliseconds * 1000000;
  (void)pthread_mutex_unlock(&mutex);
}

void time_set(int64_t milliseconds) {
  (void)pthread_mutex_lock(&mutex);
  set_ns += milliseconds * 1000000;
  (void)pthread_mutex_unlock(&mutex);
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
  (void)pthread_mutex_lock(&mutex);
  int count = sync_count;
  (void)pthread_mutex_unlock(&mutex);
  return count;
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset) {
  (void)pthread_mutex_lock(&mutex);
  write_count++;
  (void)pthread_mutex_unlock(&mutex);
  return syscall(SYS_pwrite64, file, bytes, size, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
  return pwrite64(file, bytes, size, offset);
}

int time_writes(void) {
  (void)pthread_mutex_lock(&mutex);
  int count = write_count;
  (void)pthread_mutex_unlock(&mutex);
  return count;
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
  (void)pthread_mutex_lock(&mutex);
  while (held_count == 0) {
    (void)pthread_cond_wait(&changed, &mutex);
  }
  (void)pthread_mutex_unlock(&mutex);
}
