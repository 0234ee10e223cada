/* A clock that runs FAST_CLOCK times as fast: preloaded into a program, and with it into those that
 * it becomes or forks, it has the time pass faster for it, and its waits end sooner. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define SECOND_NS 1000000000LL

static long long factor = 1;
static long long began[2]; /* by the real clocks; both go on from there */

static long long to_ns(const struct timespec *time) {
  return time->tv_sec * SECOND_NS + time->tv_nsec;
}

static struct timespec from_ns(long long ns) {
  return (struct timespec){.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS};
}

static int real_time(clockid_t which, struct timespec *now) {
  return (int)syscall(SYS_clock_gettime, which, now);
}

static long long beginning(clockid_t which) {
  return began[which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE];
}

__attribute__((constructor)) static void begin(void) {
  struct timespec now;
  const char *text = getenv("FAST_CLOCK");
  factor = text != NULL ? strtoll(text, NULL, 10) : 1;
  (void)real_time(CLOCK_MONOTONIC, &now);
  began[0] = to_ns(&now);
  (void)real_time(CLOCK_REALTIME, &now);
  began[1] = to_ns(&now);
}

/* ---- the time ---- */

EXPORT int clock_gettime(clockid_t which, struct timespec *now) {
  int result = real_time(which, now);
  if (result == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE ||
                      which == CLOCK_MONOTONIC || which == CLOCK_MONOTONIC_COARSE)) {
    long long since = beginning(which);
    *now = from_ns(since + (to_ns(now) - since) * factor);
  }
  return result;
}

EXPORT int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec time;
  (void)zone;
  (void)clock_gettime(CLOCK_REALTIME, &time);
  *now = (struct timeval){.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};
  return 0;
}

EXPORT time_t time(time_t *out) {
  struct timespec now;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) {
    *out = now.tv_sec;
  }
  return now.tv_sec;
}

/* ---- waits ---- */

/* No wait becomes a look. */
static int sooner_ms(int ms) {
  return ms <= 0 ? ms : (int)((ms + factor - 1) / factor);
}

static struct timespec sooner(const struct timespec *time) {
  return from_ns(to_ns(time) / factor);
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int ms) {
  int wait = sooner_ms(ms);
  struct timespec left = {.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000L};
  return (int)syscall(SYS_ppoll, fds, count, ms < 0 ? NULL : &left, NULL, 8);
}

EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int max, int ms,
                       const sigset_t *mask) {
  return (int)syscall(SYS_epoll_pwait, epoll, events, max, sooner_ms(ms), mask, 8);
}

EXPORT int epoll_wait(int epoll, struct epoll_event *events, int max, int ms) {
  return epoll_pwait(epoll, events, max, ms, NULL);
}

EXPORT int nanosleep(const struct timespec *time, struct timespec *left) {
  struct timespec real = sooner(time);
  return (int)syscall(SYS_nanosleep, &real, left);
}

EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *time) {
  struct timespec real = sooner(time);
  return (int)syscall(SYS_rt_sigtimedwait, set, info, &real, 8);
}

/* Which of the clocks is meant shows in the time: the machine has not been up since 1970. */
EXPORT int pthread_cond_timedwait(pthread_cond_t *restrict condition,
                                  pthread_mutex_t *restrict mutex,
                                  const struct timespec *restrict end) {
  clockid_t which = to_ns(end) > began[1] / 2 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  long long since = beginning(which);
  struct timespec real = from_ns(since + (to_ns(end) - since) / factor);
  return pthread_cond_clockwait(condition, mutex, which, &real);
}
