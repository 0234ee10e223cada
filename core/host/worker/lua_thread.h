/* A thread with a Lua state of its own: a script worker, or the sandbox. */
#ifndef PALENCA_HOST_WORKER_LUA_THREAD_H
#define PALENCA_HOST_WORKER_LUA_THREAD_H

#include "store/event_store.h"
#include <lua.h>

typedef struct task task;

typedef enum {
  TASK_RUN,
  TASK_DRAIN, /* take nothing new, finish what runs */
  TASK_STOP,  /* leave now */
} task_wish;

/* Runs `require(module)(options)` on a new thread, in a state made with `open` (see
 * host_state_new), where `options` is a JSON text and is passed as such. The store may be NULL. */
task *task_start(const char *module, const char *options, lua_CFunction open, event_store *store,
                 char *error, size_t error_size);

typedef enum {
  TASK_LOADING,
  TASK_READY,
  TASK_ENDED,
} task_state;

/* Waits for at most `patience_ms` until the task says that it is ready or has
 * ended; `info` gets its message then, or its error. */
task_state task_wait_ready(task *t, int64_t patience_ms, char *info, size_t info_size);

/* What it has said beside the message, of any length; "" until it is ready. */
const char *task_details(const task *t);

/* Tells the task what is wished; it finds out by its descriptor. */
void task_ask(task *t, task_wish wish);

/* True once the task has ended, waiting for at most `patience_ms`. `error` is ""
 * if it ended well. */
bool task_join(task *t, int64_t patience_ms, char *error, size_t error_size);

/* For how many milliseconds a script's code has kept the task without a wait, and as what
 * task_enter was told; -1: it does not. */
int64_t task_kept(task *t, char *label, size_t label_size);

/* Waits for its end without a bound. */
void task_free(task *t);

/* ---- on the task's own thread ------------------------------------------------ */

/* The task whose state this is, or NULL. */
task *task_of(lua_State *L);
/* An eventfd: readable when a wish or leased events have come. */
int task_fd(const task *t);
/* Makes the descriptor silent again. */
void task_clear_fd(task *t);
task_wish task_wished(const task *t);
void task_ready(task *t, const char *info, const char *details);
/* Around code of a script's. The label says what runs, for people, and stays as it is until the
 * code is left. */
void task_enter(task *t, const char *label);
void task_leave(task *t);
/* NULL without a store. */
event_consumer *task_consumer(task *t);

#endif
