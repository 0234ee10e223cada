/* Limits the code of a script: its CPU time without a wait, and the memory of its Lua state. */
#include "limits.h"

#include "clock.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Real-time signals have no other meaning; the first few belong to threading libraries. */
#define LIMIT_SIGNAL (SIGRTMIN + 6)
/* After the first signal: what is in the way of one (a hook that the script sets for itself, a
 * switch to another coroutine) is not in the way of all. */
#define AGAIN_NS 10000000
/* The part of a budget by which it may be exceeded: for as long, the timer need not be set again,
 * which costs more than all else about a short handler's limits. */
#define SLACK_PART 32
/* The kernel's name, which musl has and glibc has not. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
#define FINALIZER_NS SECOND_NS
#define SECOND_NS INT64_C(1000000000)
#define MILLISECOND_NS INT64_C(1000000)
#define PAGE ((uintptr_t)4096)
#define BIG ((size_t)4 << 20)
#define BIG_PIECE ((size_t)256 << 10)

struct limits {
  timer_t timer;
  bool has_timer;
  int64_t cpu_ns, budget_ns;
  int64_t set_ns, set_until;   /* the timer: for this budget, until then on the monotonic clock */
  lua_State *volatile running; /* whose code runs; NULL: the host's own */
  volatile sig_atomic_t is_over;
  limits_place first, last; /* where the running code was stopped */
  bool is_closing, has_stopped_finalizer;
  int rejections; /* this many allocations fail, whatever the limit */
  size_t used;
  size_t memory;
};

static _Thread_local limits *own;

limits *limits_own(void) {
  return own;
}

/* ---- CPU time ------------------------------------------------------------------------ */

/* An error that ends the innermost protected call. Lack of memory is the only error that calls
 * no message handler of the script, which might never return. */
static void fail(lua_State *L) {
  own->rejections = 2; /* the second one after a collection */
  lua_newuserdatauv(L, 1, 0);
}

/* The innermost line of the script's. It has to be read inside of the hook: once that has yielded,
 * the line is that of the instruction before. The program's own modules are named palenca/. */
static void note_place(lua_State *L, limits *lim) {
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && strncmp(ar.short_src, "palenca/", 8) != 0) {
      (void)snprintf(lim->last.text, sizeof lim->last.text, "%s:%d", ar.short_src, ar.currentline);
      if (lim->first.text[0] == '\0') {
        lim->first = lim->last;
      }
      return;
    }
  }
}

/* A count hook of a Lua function may yield: nothing of the script's can catch that. Elsewhere the
 * only way out is an error. */
static void stop(lua_State *L, lua_Debug *activation) {
  if (own == NULL || own->running == NULL || !own->is_over) {
    lua_sethook(L, NULL, 0, 0); /* left over in a coroutine that survived */
    return;
  }
  note_place(L, own);
  if (activation->event == LUA_HOOKCOUNT && !own->is_closing && lua_isyieldable(L)) {
    lua_yield(L, 0);
    return;
  }
  fail(L);
}

static void hook(lua_State *L) {
  lua_sethook(L, stop, LUA_MASKCOUNT | LUA_MASKCALL, 1);
}

/* On the thread whose time is over, in the middle of whatever it does: lua_sethook is made for
 * that. */
static void on_signal(int number) {
  (void)number;
  if (own != NULL && own->running != NULL) {
    own->is_over = 1;
    hook(own->running);
  }
}

static void handle_signal(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(LIMIT_SIGNAL, &action, NULL);
}

static void make_timer(limits *lim) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, handle_signal);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = LIMIT_SIGNAL};
  event.sigev_notify_thread_id = gettid();
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, LIMIT_SIGNAL);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  lim->has_timer = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &lim->timer) == 0;
}

static struct timespec span(int64_t ns) {
  return (struct timespec){.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS};
}

static int64_t slack_of(int64_t budget_ns) {
  return budget_ns / SLACK_PART / MILLISECOND_NS * MILLISECOND_NS;
}

static void set_timer(limits *lim, int64_t ns) {
  int64_t now = clock_steady_ms();
  if (lim->has_timer && (ns != lim->set_ns || now >= lim->set_until)) {
    struct itimerspec when = {.it_value = span(ns + slack_of(ns)), .it_interval = span(AGAIN_NS)};
    timer_settime(lim->timer, 0, &when, NULL);
    lim->set_ns = ns;
    lim->set_until = now + slack_of(ns) / MILLISECOND_NS;
  }
}

void limits_enter(limits *lim, lua_State *co, int64_t cpu_ns, bool is_closing) {
  lim->budget_ns = cpu_ns > 0 ? cpu_ns : lim->cpu_ns;
  if (lim->cpu_ns > 0) {
    set_timer(lim, lim->budget_ns);
  }
  lim->is_over = 0;
  lim->first.text[0] = lim->last.text[0] = '\0';
  lim->rejections = 0;
  lim->is_closing = is_closing;
  lim->running = co; /* a signal of the timer before has come by now */
}

bool limits_leave(limits *lim, lua_State *co) {
  lim->running = NULL; /* the timer keeps running, which costs less than to stop it */
  lim->rejections = 0;
  if (lim->is_over) {
    lua_sethook(co, NULL, 0, 0);
  }
  return lim->is_over;
}

const limits_place *limits_first_stop(const limits *lim) {
  return &lim->first;
}

const limits_place *limits_last_stop(const limits *lim) {
  return &lim->last;
}

int64_t limits_left(const limits *lim) {
  struct itimerspec left;
  if (lim->cpu_ns == 0 || !lim->has_timer || timer_gettime(lim->timer, &left) != 0) {
    return 0;
  }
  int64_t ns = left.it_value.tv_sec * SECOND_NS + left.it_value.tv_nsec - slack_of(lim->budget_ns);
  /* A timer that has expired is set again for the interval. */
  return ns <= 0 || ns > lim->budget_ns ? 1 : ns;
}

lua_State *limits_switch(limits *lim, lua_State *co) {
  lua_State *before = lim->running;
  if (before != NULL) {
    lim->running = co;
    if (lim->is_over) {
      hook(co);
    }
  }
  return before;
}

lua_State *limits_begin_finalizer(limits *lim, lua_State *co) {
  if (lim->running != NULL) {
    return limits_switch(lim, co);
  }
  limits_enter(lim, co, lim->cpu_ns > 0 && lim->cpu_ns < FINALIZER_NS ? lim->cpu_ns : FINALIZER_NS,
               false);
  return NULL;
}

void limits_end_finalizer(limits *lim, lua_State *co, lua_State *before) {
  if (before != NULL) {
    (void)limits_switch(lim, before);
  } else if (limits_leave(lim, co)) {
    lim->has_stopped_finalizer = true;
  }
}

bool limits_has_stopped_finalizer(const limits *lim) {
  return lim->has_stopped_finalizer;
}

/* ---- memory --------------------------------------------------------------------------- */

/* The host's own code must be able to report a script that has used up its memory. */
static size_t max_memory(const limits *lim) {
  return lim->running != NULL ? lim->memory : lim->memory + lim->memory / 4 + ((size_t)8 << 20);
}

/* The kernel frees all pages of a block at once, without letting another thread onto that
 * processor, such as the one that responds: a big one is freed in pieces. */
static void free_block(void *block, size_t size) {
  if (size >= BIG) {
    char *piece = (char *)(((uintptr_t)block + PAGE - 1) / PAGE * PAGE);
    for (char *end = (char *)block + size; piece + BIG_PIECE <= end; piece += BIG_PIECE) {
      (void)madvise(piece, BIG_PIECE, MADV_DONTNEED);
    }
  }
  free(block);
}

static void *allocate(void *context, void *block, size_t old_size, size_t size) {
  limits *lim = context;
  size_t before = block != NULL ? old_size : 0;
  if (size == 0) {
    free_block(block, before);
    lim->used -= before;
    return NULL;
  }
  if (size > before && lim->rejections > 0) {
    lim->rejections--;
    return NULL;
  }
  if (size > before && lim->memory > 0 && lim->used - before + size > max_memory(lim)) {
    return NULL;
  }
  void *resized = realloc(block, size);
  if (resized != NULL) {
    lim->used = lim->used - before + size;
  }
  return resized;
}

/* ---- beginning and end ------------------------------------------------------------------ */

limits *limits_begin(lua_State *L) {
  limits *lim = calloc(1, sizeof *lim);
  if (lim == NULL) {
    return NULL;
  }
  lim->used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
  /* the state's own allocator is realloc and free as well */
  lua_setallocf(L, allocate, lim);
  make_timer(lim);
  own = lim;
  return lim;
}

void limits_end(limits *lim) {
  own = NULL;
  if (lim->has_timer) {
    timer_delete(lim->timer);
  }
  free(lim);
}

void limits_set(limits *lim, int64_t cpu_ms, size_t memory) {
  lim->cpu_ns = cpu_ms * 1000000;
  lim->memory = memory;
}
