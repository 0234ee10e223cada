/* A thread that runs one Lua module in its own Lua state, and how others start, ask, watch and join
 * it. */
#include "lua_thread.h"

#include "clock.h"
#include "limits.h"
#include "lua_state.h"
#include "thread_start.h"

#include <errno.h>
#include <lauxlib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define LUA_THREAD_FIELD "palenca.thread"
/* Of a script's thread, on top of the process's own. */
#define NICENESS 5

struct lua_thread {
  pthread_t thread;
  bool joined;
  char *module;
  char *options;
  lua_CFunction open;
  event_consumer *consumer;
  int fd;
  _Atomic int wish;
  pthread_mutex_t mutex; /* guards what follows */
  pthread_cond_t changed;
  bool ready, ended;
  const char *label; /* of the code that runs; NULL: none of a script's does */
  int64_t entered_at;
  char info[1024];
  host_error error; /* HOST_OK: it has not ended, or well */
  char *details;    /* written once, before it is ready */
};

static int run_module(lua_State *L) {
  lua_thread *t = lua_touserdata(L, 1);
  lua_pushlightuserdata(L, t);
  lua_setfield(L, LUA_REGISTRYINDEX, LUA_THREAD_FIELD);
  lua_getglobal(L, "require");
  lua_pushstring(L, t->module);
  lua_call(L, 1, 1);
  lua_pushstring(L, t->options);
  lua_call(L, 1, 0);
  return 0;
}

static void end(lua_thread *t, const host_error *error) {
  pthread_mutex_lock(&t->mutex);
  t->error = *error;
  t->ended = true;
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->mutex);
}

/* Receiving, storing and responding have priority over scripts where there are too few
 * processors. */
static void lower_thread_priority(const lua_thread *t) {
  id_t self = (id_t)gettid();
  if (t->consumer != NULL) {
    (void)setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + NICENESS);
  }
}

static void *body(void *context) {
  lua_thread *t = context;
  host_error error = {.kind = HOST_OK};
  lower_thread_priority(t);
  lua_State *L = lua_state_new(t->open);
  limits *own = L != NULL ? limits_begin(L) : NULL;
  if (own == NULL) {
    if (L != NULL) {
      lua_state_close(L);
    }
    (void)host_error_set(&error, HOST_FAILED, "out of memory");
    end(t, &error);
    return NULL;
  }
  lua_pushcfunction(L, lua_state_traceback);
  lua_pushcfunction(L, run_module);
  lua_pushlightuserdata(L, t);
  if (lua_pcall(L, 1, 0, 1) != LUA_OK) {
    const char *message = lua_tostring(L, -1);
    (void)host_error_set(&error, HOST_FAILED, "%s", message != NULL ? message : "unknown error");
  }
  lua_state_close(L);
  limits_end(own);
  end(t, &error);
  return NULL;
}

static void destroy(lua_thread *t) {
  if (t->consumer != NULL) {
    event_consumer_free(t->consumer);
  }
  if (t->fd >= 0) {
    close(t->fd);
  }
  pthread_cond_destroy(&t->changed);
  pthread_mutex_destroy(&t->mutex);
  free(t->module);
  free(t->options);
  free(t->details);
  free(t);
}

lua_thread *lua_thread_start(const char *module, const char *options, lua_CFunction open,
                             event_store *store, host_error *error) {
  lua_thread *t = calloc(1, sizeof *t);
  pthread_condattr_t attributes;
  if (t == NULL) {
    goto no_memory;
  }
  pthread_mutex_init(&t->mutex, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&t->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  t->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  t->module = strdup(module);
  t->options = strdup(options);
  t->open = open;
  if (store != NULL && t->fd >= 0) {
    t->consumer = event_consumer_new(store, t->fd);
  }
  if (t->fd < 0 || t->module == NULL || t->options == NULL ||
      (store != NULL && t->consumer == NULL) ||
      thread_start(&t->thread, THREAD_LUA_STACK_SIZE, body, t) != 0) {
    destroy(t);
    goto no_memory;
  }
  return t;
no_memory:
  (void)host_error_set(error, HOST_FAILED, "a thread could not be started");
  return NULL;
}

static struct timespec deadline_in(int64_t timeout_ms) {
  int64_t deadline = clock_steady_ms() + timeout_ms;
  return (struct timespec){.tv_sec = deadline / 1000, .tv_nsec = (deadline % 1000) * 1000000};
}

lua_thread_state lua_thread_wait_ready(lua_thread *t, int64_t timeout_ms, char *info,
                                       size_t info_size, host_error *error) {
  struct timespec until = deadline_in(timeout_ms);
  pthread_mutex_lock(&t->mutex);
  while (!t->ready && !t->ended &&
         pthread_cond_timedwait(&t->changed, &t->mutex, &until) != ETIMEDOUT) {
  }
  lua_thread_state state = t->ready   ? LUA_THREAD_READY
                           : t->ended ? LUA_THREAD_ENDED
                                      : LUA_THREAD_LOADING;
  snprintf(info, info_size, "%s", t->info);
  *error = t->error;
  pthread_mutex_unlock(&t->mutex);
  return state;
}

void lua_thread_request(lua_thread *t, lua_thread_command wish) {
  uint64_t one = 1;
  t->wish = wish;
  ssize_t written = write(t->fd, &one, sizeof one);
  (void)written; /* full: it is readable already */
}

bool lua_thread_join(lua_thread *t, int64_t timeout_ms, host_error *error) {
  struct timespec until = deadline_in(timeout_ms);
  pthread_mutex_lock(&t->mutex);
  while (!t->ended && pthread_cond_timedwait(&t->changed, &t->mutex, &until) != ETIMEDOUT) {
  }
  bool ended = t->ended;
  *error = t->error;
  pthread_mutex_unlock(&t->mutex);
  if (ended && !t->joined) {
    pthread_join(t->thread, NULL);
    t->joined = true;
  }
  return ended;
}

int64_t lua_thread_blocked_ms(lua_thread *t, char *label, size_t label_size) {
  int64_t blocked_ms = -1;
  pthread_mutex_lock(&t->mutex);
  if (t->label != NULL) {
    blocked_ms = clock_steady_ms() - t->entered_at;
    snprintf(label, label_size, "%s", t->label);
  }
  pthread_mutex_unlock(&t->mutex);
  return blocked_ms;
}

void lua_thread_free(lua_thread *t) {
  if (t == NULL) {
    return;
  }
  if (!t->joined) {
    lua_thread_request(t, LUA_THREAD_STOP);
    pthread_join(t->thread, NULL);
  }
  destroy(t);
}

lua_thread *lua_thread_of(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_THREAD_FIELD);
  lua_thread *t = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return t;
}

int lua_thread_fd(const lua_thread *t) {
  return t->fd;
}

void lua_thread_clear_fd(lua_thread *t) {
  uint64_t count;
  ssize_t got = read(t->fd, &count, sizeof count);
  (void)got; /* nothing to read: silent already */
}

lua_thread_command lua_thread_requested(const lua_thread *t) {
  return (lua_thread_command)t->wish;
}

const char *lua_thread_details(const lua_thread *t) {
  return t->details != NULL ? t->details : "";
}

void lua_thread_ready(lua_thread *t, const char *info, const char *details) {
  pthread_mutex_lock(&t->mutex);
  if (t->details == NULL) {
    t->details = strdup(details); /* without memory none is known */
  }
  snprintf(t->info, sizeof t->info, "%s", info);
  t->ready = true;
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->mutex);
}

void lua_thread_enter(lua_thread *t, const char *label) {
  int64_t now = clock_steady_ms();
  pthread_mutex_lock(&t->mutex);
  t->label = label;
  t->entered_at = now;
  pthread_mutex_unlock(&t->mutex);
}

void lua_thread_leave(lua_thread *t) {
  pthread_mutex_lock(&t->mutex);
  t->label = NULL;
  pthread_mutex_unlock(&t->mutex);
}

event_consumer *lua_thread_consumer(lua_thread *t) {
  return t->consumer;
}
