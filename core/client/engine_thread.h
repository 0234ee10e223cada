/* An engine on a thread of its own, for a loop that must not stand still: nothing here waits for
 * the network, nor for the thread, but for the end of it. All functions are for one thread at a
 * time, and for the process that made it. */
#ifndef PALENCA_ENGINE_THREAD_H
#define PALENCA_ENGINE_THREAD_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

typedef struct engine_thread engine_thread;

/* Starts the thread, which takes no signals. Options may be NULL, as of an engine; NULL on failure.
 */
engine_thread *engine_thread_new(const palenca_engine_options *options, palenca_error *error);
/* Ends every call without a result, and the thread. In a process forked since, which has no such
 * thread, it does nothing: all of it is the parent's. */
void engine_thread_free(engine_thread *thread);

/* As palenca_engine_submit; what only the thread can find, such as a lack of memory, is the call's
 * result. */
uint64_t engine_thread_submit(engine_thread *thread, const palenca_request *request,
                              palenca_error *error);
/* Has a call forgotten. Its result may be on its way already. */
void engine_thread_cancel(engine_thread *thread, uint64_t id);

/* Collects what the thread has published since, for the two functions that follow; returns the
 * number of results. */
size_t engine_thread_collect(engine_thread *thread);
/* As their namesakes of the engine. Attempts of a call are fetched no later than its result. */
palenca_result *engine_thread_take(engine_thread *thread);
bool engine_thread_take_attempt(engine_thread *thread, palenca_attempt_record *record);

/* A socket that is readable when there is something new to collect: listens in a new directory
 * below `parent`, returns the path to connect to; NULL on failure. */
const char *engine_thread_listen(engine_thread *thread, const char *parent, palenca_error *error);
/* To be called once connected. The path is gone then. */
bool engine_thread_accept(engine_thread *thread, palenca_error *error);
/* Makes the socket readable. */
void engine_thread_wake(engine_thread *thread);

#pragma GCC visibility pop

#endif
