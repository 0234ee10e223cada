/* Runs an engine on a thread of its own, for a loop that must not stand still. */
#include "engine_thread.h"

#include "engine.h"
#include "fork_guard.h"
#include "mpsc_queue.h"
#include "protocol/error.h"
#include "thread_start.h"
#include "wakeup_socket.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* What the thread is to do: take over `submitted`, or else forget `canceled`. */
typedef struct {
  queue_node node;
  call *submitted;
  uint64_t canceled;
} command;

typedef struct {
  queue_node node;
  palenca_attempt_record record;
} attempt;

struct engine_thread {
  palenca_engine *engine; /* the thread's alone, while it runs */
  pthread_t thread;
  bool started;
  fork_guard guard;  /* a child has no such thread */
  int command_fd;    /* readable when there are commands for a thread that waits */
  uint64_t unread;   /* how often it was written to without having been read */
  atomic_bool waits; /* the next command has to be announced there */
  atomic_bool stop;
  int64_t last_round; /* when it ended, in ns */
  mpsc_queue commands, results, attempts;
  queue_node *taken_results, *taken_attempts; /* collected */
  uint64_t last_id;
  wakeup_socket wake;
};

/* The engine wakes up by itself for whatever it has to do. */
#define LONG_MS 3600000

/* From so many calls in flight on, its rounds begin so far from each other. */
#define MANY 8
#define DISTANCE_NS 500000

/* ---- on the thread ---------------------------------------------------------------- */

static void hand_over(engine_thread *t, call_result *done) {
  if (mpsc_queue_push(&t->results, &done->node)) {
    wakeup_socket_send(&t->wake);
  }
}

static void take_over(engine_thread *t, call *one) {
  if (engine_adopt(t->engine, one)) {
    return;
  }
  call_result *done = one->result;
  one->result = NULL;
  done->result.id = one->id;
  palenca_meta_clear(&done->result.meta);
  palenca_error_set(&done->result.error, PALENCA_NO_MEMORY, "out of memory");
  call_free(one);
  hand_over(t, done);
}

static void process_commands(engine_thread *t) {
  for (queue_node *next, *one = mpsc_queue_take_all(&t->commands); one != NULL; one = next) {
    command *order = (command *)(void *)one;
    next = one->next;
    if (order->submitted != NULL) {
      take_over(t, order->submitted);
    } else {
      palenca_engine_cancel(t->engine, order->canceled);
    }
    free(order);
  }
}

/* Returns whether the reader has to be woken. */
static bool publish_attempts(engine_thread *t) {
  palenca_attempt_record record;
  bool must_wake = false;
  while (palenca_engine_take_attempt(t->engine, &record)) {
    attempt *one = malloc(sizeof *one);
    if (one != NULL) {
      one->record = record;
      must_wake = mpsc_queue_push(&t->attempts, &one->node) || must_wake;
    }
  }
  return must_wake;
}

/* Attempts first, so that the attempts of a result are published before it; and all of a round at
 * once, so that they wake the reader once. */
static void publish_results(engine_thread *t) {
  bool must_wake = publish_attempts(t);
  queue_node *newest = NULL, *oldest = NULL;
  for (palenca_result *result; (result = palenca_engine_take(t->engine)) != NULL;) {
    queue_node *one = &((call_result *)(void *)result)->node;
    one->next = newest;
    newest = one;
    oldest = oldest != NULL ? oldest : one;
  }
  if (newest != NULL) {
    must_wake = mpsc_queue_push_chain(&t->results, newest, oldest) || must_wake;
  }
  if (must_wake) {
    wakeup_socket_send(&t->wake);
  }
}

/* What came before is processed now; what comes from now on is announced. */
static void wait_for_work(engine_thread *t) {
  (void)atomic_exchange(&t->waits, true);
  process_commands(t);
  palenca_engine_step(t->engine, LONG_MS, &t->command_fd, 1);
  if (!atomic_exchange(&t->waits, false)) {
    t->unread++;
  }
  uint64_t count = 0;
  if (t->unread > 0 && read(t->command_fd, &count, sizeof count) == sizeof count) {
    t->unread -= count < t->unread ? count : t->unread;
  }
}

static int64_t steady_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Under load the rounds keep a distance, so that more is done in each: a wake of one of the two
 * threads costs as much as a good part of a call. */
static void keep_distance(engine_thread *t) {
  if (palenca_engine_active(t->engine) < MANY) {
    return;
  }
  int64_t now = steady_ns(), next = t->last_round + DISTANCE_NS;
  if (now < next) {
    struct timespec rest = {.tv_nsec = (long)(next - now)};
    nanosleep(&rest, NULL);
    now = next;
  }
  t->last_round = now;
}

static void *run(void *context) {
  engine_thread *t = context;
  while (!atomic_load(&t->stop)) {
    wait_for_work(t);
    publish_results(t);
    keep_distance(t);
  }
  return NULL;
}

/* ---- its beginning and end -------------------------------------------------------- */

static bool start(engine_thread *t) {
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) {
    return false;
  }
  t->started = thread_start(&t->thread, THREAD_STACK_SIZE, run, t) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (t->started) {
    pthread_setname_np(t->thread, "palenca");
  }
  return t->started;
}

engine_thread *engine_thread_new(const palenca_engine_options *options, palenca_error *error) {
  engine_thread *t = calloc(1, sizeof *t);
  if (t == NULL) {
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
    return NULL;
  }
  wakeup_socket_init(&t->wake);
  fork_guard_init(&t->guard);
  t->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  t->engine = palenca_engine_new(options, error);
  if (t->engine != NULL && t->command_fd >= 0 && start(t)) {
    return t;
  }
  if (t->engine != NULL) {
    palenca_error_set(error, PALENCA_NO_MEMORY, "a thread could not be started");
  }
  engine_thread_free(t);
  return NULL;
}

static void wake(engine_thread *t) {
  uint64_t one = 1;
  ssize_t written = write(t->command_fd, &one, sizeof one);
  (void)written; /* full: it is readable already */
}

static void order(engine_thread *t, command *what) {
  mpsc_queue_push(&t->commands, &what->node);
  if (atomic_exchange(&t->waits, false)) {
    wake(t);
  }
}

static void free_commands(queue_node *one) {
  while (one != NULL) {
    command *unheard = (command *)(void *)one;
    one = one->next;
    call_free(unheard->submitted);
    free(unheard);
  }
}

static void free_results(queue_node *one) {
  while (one != NULL) {
    call_result *unread = call_result_of(one);
    one = one->next;
    palenca_result_free(&unread->result);
  }
}

static void free_attempts(queue_node *one) {
  while (one != NULL) {
    attempt *unread = (attempt *)(void *)one;
    one = one->next;
    free(unread);
  }
}

void engine_thread_free(engine_thread *t) {
  if (t == NULL || fork_guard_has_forked(&t->guard)) {
    return;
  }
  if (t->started) {
    atomic_store(&t->stop, true);
    wake(t);
    pthread_join(t->thread, NULL);
  }
  palenca_engine_free(t->engine);
  free_commands(mpsc_queue_take_all(&t->commands));
  free_results(mpsc_queue_take_all(&t->results));
  free_results(t->taken_results);
  free_attempts(mpsc_queue_take_all(&t->attempts));
  free_attempts(t->taken_attempts);
  wakeup_socket_free(&t->wake);
  if (t->command_fd >= 0) {
    close(t->command_fd);
  }
  fork_guard_free(&t->guard);
  free(t);
}

/* ---- what it is for --------------------------------------------------------------- */

uint64_t engine_thread_submit(engine_thread *t, const palenca_request *request,
                              palenca_error *error) {
  call *one = call_new(t, request, error);
  if (one == NULL) {
    return 0;
  }
  if (fork_guard_has_forked(&t->guard)) {
    call_free(one);
    palenca_error_set(error, PALENCA_USAGE, "the engine's thread is in the process that forked");
    return 0;
  }
  command *what = calloc(1, sizeof *what);
  if (what == NULL) {
    call_free(one);
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
    return 0;
  }
  one->id = ++t->last_id;
  what->submitted = one;
  order(t, what);
  return t->last_id; /* the call is the thread's now */
}

void engine_thread_cancel(engine_thread *t, uint64_t id) {
  command *what = fork_guard_has_forked(&t->guard) ? NULL : calloc(1, sizeof *what);
  if (what == NULL) { /* its result arrives without a reader */
    return;
  }
  what->canceled = id;
  order(t, what);
}

static void append(queue_node **list, queue_node *more) {
  while (*list != NULL) {
    list = &(*list)->next;
  }
  *list = more;
}

size_t engine_thread_collect(engine_thread *t) {
  size_t count = 0;
  append(&t->taken_results, mpsc_queue_take_all(&t->results));
  append(&t->taken_attempts, mpsc_queue_take_all(&t->attempts));
  for (queue_node *one = t->taken_results; one != NULL; one = one->next) {
    count++;
  }
  return count;
}

palenca_result *engine_thread_take(engine_thread *t) {
  queue_node *first = t->taken_results;
  if (first == NULL) {
    return NULL;
  }
  t->taken_results = first->next;
  return &call_result_of(first)->result;
}

bool engine_thread_take_attempt(engine_thread *t, palenca_attempt_record *record) {
  attempt *first = (attempt *)(void *)t->taken_attempts;
  if (first == NULL) {
    return false;
  }
  t->taken_attempts = first->node.next;
  *record = first->record;
  free(first);
  return true;
}

const char *engine_thread_listen(engine_thread *t, const char *parent, palenca_error *error) {
  return wakeup_socket_open(&t->wake, parent, error) ? t->wake.address.sun_path : NULL;
}

bool engine_thread_accept(engine_thread *t, palenca_error *error) {
  if (!wakeup_socket_accept(&t->wake, error)) {
    return false;
  }
  wakeup_socket_send(&t->wake); /* earlier results had no reader to wake */
  return true;
}

void engine_thread_wake(engine_thread *t) {
  wakeup_socket_send(&t->wake);
}
