/* Runs a libuv loop on a thread of its own, and jobs of other threads on it. */
#include "host_loop.h"

#include "health.h"
#include "thread_latency.h"
#include "thread_start.h"

#include <pthread.h>
#include <stdlib.h>

/* A fraction of the time that any watchdog allows. */
#define BEAT_MS 200

struct host_loop {
  uv_loop_t loop;
  uv_async_t wake;
  uv_timer_t beat;
  bool has_heartbeat;
  pthread_t thread;
  bool is_started; /* written before the thread begins, and after it has ended */
  pthread_mutex_t mutex;
  host_loop_job *first, **end;
  bool is_closing;
};

static host_loop_job *take_jobs(host_loop *loop, bool *is_closing) {
  (void)pthread_mutex_lock(&loop->mutex);
  host_loop_job *first = loop->first;
  loop->first = NULL;
  loop->end = &loop->first;
  *is_closing = loop->is_closing;
  (void)pthread_mutex_unlock(&loop->mutex);
  return first;
}

static void on_wake(uv_async_t *handle) {
  bool is_closing;
  host_loop *loop = handle->data;
  host_loop_job *job = take_jobs(loop, &is_closing);
  while (job != NULL) {
    host_loop_job *next = job->next;
    job->run(job);
    job = next;
  }
  if (is_closing && !uv_is_closing((uv_handle_t *)handle)) {
    uv_close((uv_handle_t *)handle, NULL);
    uv_close((uv_handle_t *)&loop->beat, NULL);
  }
}

static void on_beat(uv_timer_t *handle) {
  (void)handle;
  health_beat();
}

/* NULL: out of memory or descriptors. */
static host_loop *new_loop(void) {
  host_loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL || uv_loop_init(&loop->loop) != 0) {
    free(loop);
    return NULL;
  }
  if (pthread_mutex_init(&loop->mutex, NULL) != 0 ||
      uv_async_init(&loop->loop, &loop->wake, on_wake) != 0) {
    (void)uv_loop_close(&loop->loop);
    free(loop);
    return NULL;
  }
  (void)uv_timer_init(&loop->loop, &loop->beat); /* cannot fail */
  loop->wake.data = loop;
  loop->end = &loop->first;
  return loop;
}

host_loop *host_loop_new(host_error *error) {
  host_loop *loop = new_loop();
  if (loop == NULL) {
    (void)host_error_set(error, HOST_FAILED, "a loop could not be made");
  }
  return loop;
}

uv_loop_t *host_loop_uv(host_loop *loop) {
  return &loop->loop;
}

static void *run(void *context) {
  host_loop *loop = context;
  request_low_latency();
  if (loop->has_heartbeat) {
    health_beat();
    (void)uv_timer_start(&loop->beat, on_beat, BEAT_MS, BEAT_MS);
  }
  (void)uv_run(&loop->loop, UV_RUN_DEFAULT);
  if (loop->has_heartbeat) {
    health_end_beats();
  }
  return NULL;
}

void host_loop_keep_heartbeat(host_loop *loop) {
  loop->has_heartbeat = true;
}

bool host_loop_start(host_loop *loop, host_error *error) {
  loop->is_started = true; /* before the thread begins, which reads it */
  if (thread_start(&loop->thread, THREAD_STACK_SIZE, run, loop) != 0) {
    loop->is_started = false;
    return host_error_set(error, HOST_FAILED, "a thread could not be started");
  }
  return true;
}

bool host_loop_is_started(const host_loop *loop) {
  return loop->is_started;
}

void host_loop_post(host_loop *loop, host_loop_job *job) {
  if (!loop->is_started) {
    job->run(job);
    return;
  }
  job->next = NULL;
  (void)pthread_mutex_lock(&loop->mutex);
  *loop->end = job;
  loop->end = &job->next;
  (void)pthread_mutex_unlock(&loop->mutex);
  (void)uv_async_send(&loop->wake);
}

/* ---- Calls ---- */

typedef struct {
  host_loop_job job; /* first */
  void (*run)(void *context);
  void *context;
  pthread_mutex_t mutex;
  pthread_cond_t done;
  bool is_done;
} loop_call;

static void run_call(host_loop_job *job) {
  loop_call *call = (loop_call *)(void *)job;
  call->run(call->context);
  (void)pthread_mutex_lock(&call->mutex);
  call->is_done = true;
  (void)pthread_cond_signal(&call->done);
  (void)pthread_mutex_unlock(&call->mutex);
}

void host_loop_call(host_loop *loop, void (*act)(void *context), void *context) {
  loop_call call = {.job = {.run = run_call},
                    .run = act,
                    .context = context,
                    .mutex = PTHREAD_MUTEX_INITIALIZER,
                    .done = PTHREAD_COND_INITIALIZER};
  host_loop_post(loop, &call.job);
  (void)pthread_mutex_lock(&call.mutex);
  while (!call.is_done) {
    (void)pthread_cond_wait(&call.done, &call.mutex);
  }
  (void)pthread_mutex_unlock(&call.mutex);
  (void)pthread_cond_destroy(&call.done);
  (void)pthread_mutex_destroy(&call.mutex);
}

void host_loop_close(host_loop *loop) {
  if (loop == NULL) {
    return;
  }
  (void)pthread_mutex_lock(&loop->mutex);
  loop->is_closing = true;
  (void)pthread_mutex_unlock(&loop->mutex);
  (void)uv_async_send(&loop->wake);
  if (loop->is_started) {
    (void)pthread_join(loop->thread, NULL);
    loop->is_started = false;
  } else {
    (void)uv_run(&loop->loop, UV_RUN_DEFAULT);
  }
  (void)uv_loop_close(&loop->loop);
  (void)pthread_mutex_destroy(&loop->mutex);
  free(loop);
}
