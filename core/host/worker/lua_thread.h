/* A thread that runs one Lua module in its own Lua state, a script worker or the sandbox, and how
 * others start, ask, watch and join it. */
#ifndef PALENCA_HOST_WORKER_LUA_THREAD_H
#define PALENCA_HOST_WORKER_LUA_THREAD_H

#include "common/host_error.h"
#include "store/event_store.h"

#include <lua.h>

typedef struct lua_thread lua_thread;

typedef enum {
  LUA_THREAD_RUN,
  LUA_THREAD_DRAIN, /* take nothing new, finish what runs */
  LUA_THREAD_STOP,  /* leave now */
} lua_thread_command;

/* Runs `require(module)(options)` on a new thread, in a state made with `open` (see
 * lua_state_new), where `options` is a JSON text and is passed as such. The store may be NULL. */
lua_thread *lua_thread_start(const char *module, const char *options, lua_CFunction open,
                             event_store *store, host_error *error);

typedef enum {
  LUA_THREAD_LOADING,
  LUA_THREAD_READY,
  LUA_THREAD_ENDED,
} lua_thread_state;

/* Waits for at most `timeout_ms` until the thread says that it is ready or has ended; `info` gets
 * its message then, or `error` why it has ended. */
lua_thread_state lua_thread_wait_ready(lua_thread *t, int64_t timeout_ms, char *info,
                                       size_t info_size, host_error *error);

/* What it has said beside the message, of any length; "" until it is ready. */
const char *lua_thread_details(const lua_thread *t);

/* Requests that the thread drain or stop; its descriptor becomes readable. */
void lua_thread_request(lua_thread *t, lua_thread_command wish);

/* True once the thread has ended, waiting for at most `timeout_ms`. `error` is
 * HOST_OK if it ended well. */
bool lua_thread_join(lua_thread *t, int64_t timeout_ms, host_error *error);

/* The milliseconds for which a script's code has blocked the thread without a wait, and its
 * label from lua_thread_enter; -1: none has. */
int64_t lua_thread_blocked_ms(lua_thread *t, char *label, size_t label_size);

/* Waits for its end without a bound. */
void lua_thread_free(lua_thread *t);

/* ---- on the thread itself ----------------------------------------------------- */

/* The thread whose state this is, or NULL. */
lua_thread *lua_thread_of(lua_State *L);
/* An eventfd: readable when a wish or leased events have come. */
int lua_thread_fd(const lua_thread *t);
/* Makes the descriptor silent again. */
void lua_thread_clear_fd(lua_thread *t);
lua_thread_command lua_thread_requested(const lua_thread *t);
void lua_thread_ready(lua_thread *t, const char *info, const char *details);
/* Around code of a script's. The label says what runs, for people, and stays as it is until the
 * code is left. */
void lua_thread_enter(lua_thread *t, const char *label);
void lua_thread_leave(lua_thread *t);
/* NULL without a store. */
event_consumer *lua_thread_consumer(lua_thread *t);

#endif
