/* Sends webhooks over many connections, each with a body of its own, and measures the responses;
 * writes down those that were acknowledged with 200, and may kill the receiver in the middle.
 *
 * A connection sends to accounts of its own, in turn, and its next event only after the last one
 * was acknowledged with 200: until then it sends that one again. Prints one object of JSON, at
 * SIGTERM, too. */
#include "common/thread_latency.h"
#include "load_connection.h"

#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

/* How long responses are waited for after the last event was sent, in seconds. */
#define TIMEOUT 10.0

typedef struct {
  load_target target;
  size_t connections, accounts, first, count;
  double seconds, rate; /* rate: so many a second in all; 0: as fast as they are acknowledged */
  const char *acked;
  pid_t victim;
  size_t kill_after; /* after this many responses */
  double kill_delay; /* and this many seconds after them */
} load_options;

typedef struct {
  float *values; /* seconds */
  size_t count, room;
} samples;

typedef struct {
  load_options options;
  load_connection *connections;
  /* Those that wait for their turn, with a rate: a ring, so that all are in use. */
  size_t *idle, idle_first, idle_count;
  size_t open, waiting, scheduled, started, acked, others, broken;
  double began, ended, kill_at;
  bool is_ending, is_killed;
  int poll;
  FILE *journal;
  samples latencies;
  samples gaps;     /* between the times at which there were responses to read */
  double responded; /* the last of these times; 0: there was none */
} load;

static volatile sig_atomic_t is_terminated; /* no event is sent any more */

static void on_terminated(int signal) {
  is_terminated = signal;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *must(void *memory) {
  if (memory == NULL) {
    fputs("load: out of memory\n", stderr);
    exit(1);
  }
  return memory;
}

/* ---- connections ----------------------------------------------------------------------- */

static bool open_one(load *all, size_t index) {
  load_connection *one = &all->connections[index];
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
  if (!load_open(one, &all->options.target)) {
    return false;
  }
  (void)epoll_ctl(all->poll, EPOLL_CTL_ADD, one->fd, &event);
  all->open++;
  return true;
}

static void close_one(load *all, load_connection *one) {
  all->waiting -= one->is_waiting;
  all->open--;
  load_close(one);
}

static size_t account_of(const load *all, size_t index) {
  size_t own = all->options.accounts / all->options.connections;
  return index + all->options.connections * (all->connections[index].sent % own);
}

static size_t sequence_of(const load *all, size_t index) {
  return all->options.first + all->connections[index].sent;
}

/* `due`: when it should have been sent; what it is late counts as waiting for the response. */
static void send_one(load *all, size_t index, double due) {
  load_connection *one = &all->connections[index];
  one->began = due;
  bool is_sent = load_send(one, account_of(all, index), sequence_of(all, index));
  all->waiting++;
  if (!is_sent) {
    all->broken++;
    close_one(all, one);
  }
}

static void add_sample(samples *list, double seconds) {
  if (list->count == list->room) {
    list->room = list->room == 0 ? 65536 : 2 * list->room;
    list->values = must(realloc(list->values, list->room * sizeof *list->values));
  }
  list->values[list->count++] = (float)seconds;
}

static void record_response(load *all, const load_connection *one, double time) {
  add_sample(&all->latencies, time - one->began);
  all->responded = time;
}

static void note_acked(load *all, size_t index, double time) {
  if (all->journal != NULL) {
    char id[LOAD_ACCOUNT_ID_SIZE];
    load_account_id(&all->options.target, account_of(all, index), id);
    fprintf(all->journal, "%s %zu\n", id, sequence_of(all, index));
  }
  all->connections[index].sent++;
  if (++all->acked == all->options.kill_after) {
    all->kill_at = time + all->options.kill_delay;
  }
}

/* The next event of a connection that has its response. */
static void go_on(load *all, size_t index, double time) {
  if (all->is_ending) {
    return;
  }
  if (all->options.rate > 0) {
    all->idle[(all->idle_first + all->idle_count++) % all->options.connections] = index;
  } else if (all->started < all->options.count) {
    all->started++;
    send_one(all, index, time);
  }
}

static void on_readable(load *all, size_t index) {
  load_connection *one = &all->connections[index];
  bool is_last = false, was_waiting = one->is_waiting;
  int status = load_receive(one, &is_last);
  if (status == 0) {
    return;
  }
  double time = now();
  if (status > 0 && was_waiting) {
    all->waiting--;
    record_response(all, one, time);
    if (status == 200) {
      note_acked(all, index, time);
    } else {
      all->others++;
    }
    all->started -= status != 200;
  } else if (was_waiting) {
    all->broken++;
    all->started--;
  }
  if (status < 0 || is_last) {
    close_one(all, one);
    if (all->is_killed) {
      return;
    }
    if (!open_one(all, index)) {
      all->broken++;
      return;
    }
  }
  if (was_waiting) {
    go_on(all, index, time);
  }
}

/* ---- the loop -------------------------------------------------------------------------- */

static void send_due(load *all, double time) {
  while (!all->is_ending && all->idle_count > 0 && all->started < all->options.count) {
    double due = all->began + (double)all->scheduled / all->options.rate;
    if (due > time) {
      return;
    }
    all->scheduled++;
    all->started++;
    size_t index = all->idle[all->idle_first];
    all->idle_first = (all->idle_first + 1) % all->options.connections;
    all->idle_count--;
    send_one(all, index, due);
  }
}

static double next_time(const load *all) {
  double next = all->is_ending ? all->ended + TIMEOUT : all->began + all->options.seconds;
  if (all->kill_at > 0 && !all->is_killed) {
    next = fmin(next, all->kill_at);
  }
  if (!all->is_ending && all->idle_count > 0 && all->started < all->options.count) {
    next = fmin(next, all->began + (double)all->scheduled / all->options.rate);
  }
  return next;
}

static void wait_for_responses(load *all, double time) {
  struct epoll_event events[256];
  double wait_s = fmax(0, fmin(next_time(all) - time, 3600));
  struct timespec timeout = {.tv_sec = (time_t)wait_s, .tv_nsec = (long)(fmod(wait_s, 1) * 1e9)};
  int count = epoll_pwait2(all->poll, events, 256, &timeout, NULL);
  double before = all->responded;
  for (int i = 0; i < count; i++) {
    if (all->connections[events[i].data.u64].fd >= 0) {
      on_readable(all, events[i].data.u64);
    }
  }
  if (before > 0 && all->responded > before) {
    add_sample(&all->gaps, all->responded - before);
  }
}

static bool is_over(load *all, double time) {
  if (!all->is_ending && (time >= all->began + all->options.seconds ||
                          all->acked >= all->options.count || is_terminated)) {
    all->is_ending = true;
    all->ended = time;
  }
  return all->open == 0 || (all->is_ending && (all->waiting == 0 || time >= all->ended + TIMEOUT));
}

static void run(load *all) {
  for (size_t i = 0; i < all->options.connections; i++) {
    if (!open_one(all, i)) {
      fputs("load: nobody listens\n", stderr);
      exit(1);
    }
  }
  all->began = now();
  for (size_t i = 0; i < all->options.connections; i++) {
    go_on(all, i, all->began);
  }
  for (double time = all->began; !is_over(all, time); time = now()) {
    if (all->kill_at > 0 && time >= all->kill_at && !all->is_killed) {
      all->is_killed = true;
      kill(all->options.victim, SIGKILL);
    }
    send_due(all, time);
    wait_for_responses(all, time);
  }
  all->ended = now();
}

/* ---- what is printed ---------------------------------------------------------------------- */

static int compare(const void *one, const void *other) {
  float a = *(const float *)one, b = *(const float *)other;
  return (a > b) - (a < b);
}

static void sort(samples *list) {
  if (list->count > 0) {
    qsort(list->values, list->count, sizeof *list->values, compare);
  }
}

static double quantile_ms(const samples *sorted, double share) {
  if (sorted->count == 0) {
    return 0;
  }
  return 1e3 * (double)sorted->values[(size_t)(share * (double)(sorted->count - 1))];
}

static void report(load *all) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  double seconds = all->ended - all->began;
  sort(&all->latencies);
  sort(&all->gaps);
  printf("{\"acked\":%zu,\"others\":%zu,\"broken\":%zu,\"killed\":%s,\"seconds\":%.3f,"
         "\"rate\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"gap_p999_ms\":%.3f,"
         "\"cpu\":%.3f}\n",
         all->acked, all->others, all->broken, all->is_killed ? "true" : "false", seconds,
         (double)all->acked / seconds, quantile_ms(&all->latencies, 0.5),
         quantile_ms(&all->latencies, 0.99), quantile_ms(&all->latencies, 1),
         quantile_ms(&all->gaps, 0.999), cpu / seconds);
}

/* ---- options --------------------------------------------------------------------------- */

static void usage(void) {
  fputs("usage: load --port N [--path PATH] [--connections N] [--accounts N] [--tag N]\n"
        "            [--first SEQUENCE] [--seconds S] [--count N] [--rate N]\n"
        "            [--acked FILE] [--number-actions] [--fresh]\n"
        "            [--kill PID --kill-after RESPONSES --kill-delay S]\n",
        stderr);
  exit(2);
}

static void set(load_options *options, int key) {
  size_t number = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;
  switch (key) {
  case 'p':
    options->target.port = (int)number;
    break;
  case 'P':
    options->target.path = optarg;
    break;
  case 't':
    options->target.tag = (unsigned)number;
    break;
  case 'A':
    options->target.number_actions = true;
    break;
  case 'F':
    options->target.is_fresh = true;
    break;
  case 'c':
    options->connections = number;
    break;
  case 'a':
    options->accounts = number;
    break;
  case 'f':
    options->first = number;
    break;
  case 's':
    options->seconds = strtod(optarg, NULL);
    break;
  case 'n':
    options->count = number;
    break;
  case 'r':
    options->rate = strtod(optarg, NULL);
    break;
  case 'o':
    options->acked = optarg;
    break;
  case 'k':
    options->victim = (pid_t)number;
    break;
  case 'K':
    options->kill_after = number;
    break;
  case 'd':
    options->kill_delay = strtod(optarg, NULL);
    break;
  default:
    usage();
  }
}

static load_options parse(int argc, char **argv) {
  static const struct option known[] = {
      {"port", 1, NULL, 'p'},       {"path", 1, NULL, 'P'},
      {"tag", 1, NULL, 't'},        {"number-actions", 0, NULL, 'A'},
      {"fresh", 0, NULL, 'F'},      {"connections", 1, NULL, 'c'},
      {"accounts", 1, NULL, 'a'},   {"first", 1, NULL, 'f'},
      {"seconds", 1, NULL, 's'},    {"count", 1, NULL, 'n'},
      {"rate", 1, NULL, 'r'},       {"acked", 1, NULL, 'o'},
      {"kill", 1, NULL, 'k'},       {"kill-after", 1, NULL, 'K'},
      {"kill-delay", 1, NULL, 'd'}, {NULL, 0, NULL, 0},
  };
  load_options options = {
      .target = {.path = "/webhooks/palenca"}, .connections = 1, .seconds = 1e9, .count = SIZE_MAX};
  for (int key; (key = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    set(&options, key);
  }
  if (optind != argc || options.target.port == 0 || options.connections == 0) {
    usage();
  }
  if (options.accounts < options.connections) {
    options.accounts = options.connections;
  }
  return options;
}

int main(int argc, char **argv) {
  load all = {.options = parse(argc, argv)};
  (void)signal(SIGTERM, on_terminated);
  all.connections = must(calloc(all.options.connections, sizeof *all.connections));
  all.idle = must(calloc(all.options.connections, sizeof *all.idle));
  all.poll = epoll_create1(EPOLL_CLOEXEC);
  if (all.options.rate > 0) {
    request_low_latency(); /* senders at a rate have machines of their own */
  }
  if (all.options.acked != NULL) {
    all.journal = must(fopen(all.options.acked, "a"));
  }
  run(&all);
  if (all.journal != NULL && fclose(all.journal) != 0) {
    perror(all.options.acked);
    return 1;
  }
  report(&all);
  (void)close(all.poll);
  free(all.connections);
  free(all.idle);
  free(all.latencies.values);
  free(all.gaps.values);
  return 0;
}
