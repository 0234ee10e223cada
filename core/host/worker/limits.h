/* Limits the code of a script: its CPU time without a wait, and the memory of its Lua state.
 *
 * A thread that runs a Lua state has one `limits`. Code of the script's runs between limits_enter
 * and limits_leave; all else is the host's own, which has no limit on time and a reserve of memory.
 */
#ifndef PALENCA_HOST_WORKER_LIMITS_H
#define PALENCA_HOST_WORKER_LIMITS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct limits limits;

/* FILE:LINE; "": not known. */
typedef struct {
  char text[LUA_IDSIZE + 16];
} limits_place;

/* For the calling thread, which runs L. Without limits until they are set. NULL: out of memory. */
limits *limits_begin(lua_State *L);
/* On the same thread, after the state is closed. */
void limits_end(limits *lim);
/* Those of the calling thread, or NULL. */
limits *limits_own(void);

/* 0 stands for no limit. */
void limits_set(limits *lim, int64_t cpu_ms, size_t memory);

/* From now on `co` runs, for at most this many nanoseconds of CPU time (0: the default). Once
 * that is over the coroutine yields at its next instruction, or raises where it cannot: in a
 * call from C, or if it is being closed; and does so again, whatever catches it, until
 * limits_leave. */
void limits_enter(limits *lim, lua_State *co, int64_t cpu_ns, bool is_closing);
/* Returns whether the time was over. */
bool limits_leave(limits *lim, lua_State *co);
/* Where the script's code was when its time was over, and where it was stopped the last time since
 * limits_enter: what catches errors is stopped again and again. */
const limits_place *limits_first_stop(const limits *lim);
const limits_place *limits_last_stop(const limits *lim);
/* Nanoseconds of CPU time that were left then; 1: none. 0 without a limit. */
int64_t limits_left(const limits *lim);

/* A finalizer of the script's runs in `co`, as part of the code that runs, or else amid the host's
 * own, for a second of CPU time at most. Returns the coroutine before, for the end, or NULL. */
lua_State *limits_begin_finalizer(limits *lim, lua_State *co);
void limits_end_finalizer(limits *lim, lua_State *co, lua_State *before);
/* Whether the time of one amid the host's own code was over. */
bool limits_has_stopped_finalizer(const limits *lim);

/* The script's code continues in another coroutine; returns the one before, for switching back. */
lua_State *limits_switch(limits *lim, lua_State *co);

#endif
