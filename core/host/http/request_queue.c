/* Runs an HTTP server on a thread of its own, whose requests wait in a queue until another thread
 * takes them. */
#include "request_queue.h"

#include "internal.h"
#include "thread_start.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct http_queue {
  uv_loop_t loop; /* as the next three, if it has a server */
  uv_async_t stop;
  http_server *server;
  uv_thread_t thread;
  bool has_loop;
  int fd;
  pthread_mutex_t mutex;
  size_t count;
  http_exchange *first, *last; /* linked by next_responded, which is of no use before */
};

bool http_queue_put(http_queue *queue, http_exchange *exchange, size_t max) {
  uint64_t one = 1;
  pthread_mutex_lock(&queue->mutex);
  if (queue->count >= max) {
    pthread_mutex_unlock(&queue->mutex);
    return false;
  }
  http_exchange_defer(exchange);
  exchange->next_responded = NULL;
  queue->count++;
  bool is_first = queue->first == NULL;
  *(is_first ? &queue->first : &queue->last->next_responded) = exchange;
  queue->last = exchange;
  if (is_first) {
    ssize_t written = write(queue->fd, &one, sizeof one);
    (void)written;
  }
  pthread_mutex_unlock(&queue->mutex);
  return true;
}

static void on_request(void *context, http_exchange *exchange) {
  (void)http_queue_put(context, exchange, SIZE_MAX);
}

http_exchange *http_queue_take(http_queue *queue) {
  uint64_t count;
  pthread_mutex_lock(&queue->mutex);
  http_exchange *first = queue->first;
  if (first != NULL) {
    queue->first = first->next_responded;
    queue->count--;
  }
  if (first != NULL && queue->first == NULL) {
    ssize_t got = read(queue->fd, &count, sizeof count);
    (void)got;
  }
  pthread_mutex_unlock(&queue->mutex);
  return first;
}

void http_queue_abort_all(http_queue *queue) {
  http_exchange *exchange;
  while ((exchange = http_queue_take(queue)) != NULL) {
    http_exchange_abort(exchange);
  }
}

static void on_stop(uv_async_t *handle) {
  http_queue *queue = handle->data;
  http_server_close_listener(queue->server);
  http_server_close(queue->server, NULL, NULL);
  http_queue_abort_all(queue);
  uv_close((uv_handle_t *)handle, NULL);
}

static void run(void *context) {
  http_queue *queue = context;
  (void)uv_run(&queue->loop, UV_RUN_DEFAULT);
}

static void destroy(http_queue *queue) {
  if (queue->has_loop) {
    (void)uv_run(&queue->loop, UV_RUN_DEFAULT); /* what was closed */
    (void)uv_loop_close(&queue->loop);
  }
  if (queue->fd >= 0) {
    close(queue->fd);
  }
  pthread_mutex_destroy(&queue->mutex);
  free(queue);
}

http_queue *http_queue_new(void) {
  http_queue *queue = calloc(1, sizeof *queue);
  if (queue == NULL) {
    return NULL;
  }
  pthread_mutex_init(&queue->mutex, NULL);
  queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (queue->fd < 0) {
    destroy(queue);
    return NULL;
  }
  return queue;
}

static http_queue *fail(const char *listen, host_error *error) {
  (void)host_error_set(error, HOST_FAILED, "%s: the HTTP server could not be started", listen);
  return NULL;
}

http_queue *http_queue_start(const http_server_options *options, host_error *error) {
  http_server_options own = *options;
  uv_thread_options_t thread = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = THREAD_STACK_SIZE};
  http_queue *queue = http_queue_new();
  if (queue == NULL || uv_loop_init(&queue->loop) != 0) {
    if (queue != NULL) {
      destroy(queue);
    }
    return fail(options->listen, error);
  }
  queue->has_loop = true;
  own.on_head = NULL;
  own.on_body = NULL;
  own.on_request = on_request;
  own.context = queue;
  queue->stop.data = queue;
  if (uv_async_init(&queue->loop, &queue->stop, on_stop) != 0) {
    destroy(queue);
    return fail(options->listen, error);
  }
  queue->stop.data = queue;
  queue->server = http_server_new(&queue->loop, &own, error);
  if (queue->server != NULL) {
    if (uv_thread_create_ex(&queue->thread, &thread, run, queue) == 0) {
      return queue;
    }
    (void)fail(options->listen, error);
    http_server_close(queue->server, NULL, NULL);
  }
  uv_close((uv_handle_t *)&queue->stop, NULL);
  destroy(queue);
  return NULL;
}

const char *http_queue_address(const http_queue *queue) {
  return http_server_address(queue->server);
}

int http_queue_fd(const http_queue *queue) {
  return queue->fd;
}

void http_queue_stop(http_queue *queue) {
  if (queue->has_loop) {
    (void)uv_async_send(&queue->stop);
    (void)uv_thread_join(&queue->thread);
  } else {
    http_queue_abort_all(queue);
  }
  destroy(queue);
}
