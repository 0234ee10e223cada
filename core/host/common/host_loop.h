/* A libuv loop on a thread of its own: what receives and the event store share one.
 *
 * Until it is started, and after it has ended, the thread that has made it may use the loop itself;
 * in between all that is on the loop belongs to the loop's thread. */
#ifndef PALENCA_HOST_COMMON_HOST_LOOP_H
#define PALENCA_HOST_COMMON_HOST_LOOP_H

#include "host_error.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

typedef struct host_loop host_loop;

/* NULL, with the reason in `error`: out of memory or descriptors. */
host_loop *host_loop_new(host_error *error);
uv_loop_t *host_loop_uv(host_loop *loop);

/* Starts the thread. False: it could not be, with the reason in `error`. */
bool host_loop_start(host_loop *loop, host_error *error);
bool host_loop_is_started(const host_loop *loop);

/* Before the start: this is the loop whose turns are the heartbeat of the process, see health.h. */
void host_loop_keep_heartbeat(host_loop *loop);

/* Something to do on the loop's thread. Its memory is the caller's until `run` is called, which may
 * free it. */
typedef struct host_loop_job {
  struct host_loop_job *next; /* the loop's own */
  void (*run)(struct host_loop_job *job);
} host_loop_job;

/* From any thread: queues a job after those posted before. Without a thread the caller runs it
 * at once. */
void host_loop_post(host_loop *loop, host_loop_job *job);

/* Has it done and waits for its end, without a bound; not from the loop's thread. */
void host_loop_call(host_loop *loop, void (*run)(void *context), void *context);

/* Ends the thread once nothing else is open on the loop, waiting for that without a bound, and
 * frees it. NULL is allowed. */
void host_loop_close(host_loop *loop);

#endif
