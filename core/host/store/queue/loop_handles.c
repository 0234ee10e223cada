/* Opens the handles of the event store on its loop, which decide when a turn ends and the next
 * begins. */
#include "clock.h"
#include "internal.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* How long what another process has written may go unnoticed. */
#define TICK_MS 250

void event_store_mark_busy(event_store *store) {
  if (store->busy_since == 0) {
    store->busy_since = clock_steady_ms();
  }
}

static void on_idle(uv_idle_t *handle) {
  (void)handle; /* while it is there the loop does not wait */
}

static void on_time(uv_timer_t *handle) {
  event_store *store = handle->data;
  store->handles.next_at = 0; /* the end of the turn sees what is due */
}

static void on_tick(uv_timer_t *handle) {
  event_store *store = handle->data;
  event_store_mark_busy(store);
  store->handles.turns->tick(store);
}

/* The end of the turn sees what was posted. */
static void on_wake(uv_poll_t *handle, int status, int events) {
  const event_store *store = handle->data;
  uint64_t count;
  (void)status;
  (void)events;
  ssize_t ignored = read(store->dispatch.wake_fd, &count, sizeof count);
  (void)ignored; /* nothing to read: silent already */
}

static void on_check(uv_check_t *handle) {
  event_store *store = handle->data;
  event_store_mark_busy(store);
  (void)pthread_mutex_lock(&store->dispatch.mutex);
  store->dispatch.is_waiting = false;
  (void)pthread_mutex_unlock(&store->dispatch.mutex);
  if (store->handles.ends_turns) {
    store->handles.turns->end_turn(store);
  }
  store->handles.turns->after_turn(store);
}

/* What is posted from here on wakes the loop; while a batch is under way nothing has to, since its
 * end does. */
static void on_prepare(uv_prepare_t *handle) {
  event_store *store = handle->data;
  bool has_more = store->handles.turns->work(store) || store->handles.is_awake;
  (void)pthread_mutex_lock(&store->dispatch.mutex);
  has_more = (has_more || store->dispatch.has_posts) && !store->is_under_way;
  store->dispatch.is_waiting = !has_more && !store->is_under_way;
  (void)pthread_mutex_unlock(&store->dispatch.mutex);
  if (has_more) {
    (void)uv_idle_start(&store->handles.idle, on_idle);
  } else {
    (void)uv_idle_stop(&store->handles.idle);
  }
  store->busy_since = has_more ? clock_steady_ms() : 0;
}

/* A timer that ends too early costs a turn, and setting it anew would cost some in each turn. */
void event_store_wake_in(event_store *store, int64_t milliseconds) {
  store_handles *handles = &store->handles;
  if (milliseconds <= 0) {
    handles->is_awake = true;
    return;
  }
  if (milliseconds > INT32_MAX) {
    return; /* the ticks check again */
  }
  int64_t at = clock_steady_ms() + milliseconds;
  if (handles->next_at == 0 || at < handles->next_at) {
    handles->next_at = at;
    (void)uv_timer_start(&handles->next, on_time, (uint64_t)milliseconds, 0);
  }
}

void event_store_end_turns_itself(event_store *store, bool does) {
  store->handles.ends_turns = does;
}

int64_t event_store_stalled_ms(const event_store *store) {
  int64_t since = store->busy_since;
  int64_t now = clock_steady_ms();
  return since > 0 && now > since ? now - since : 0;
}

/* ---- Their beginning and end ---- */

static void add(event_store *store, uv_handle_t *handle) {
  handle->data = store;
  store->handles.open++;
}

bool event_store_open_handles(event_store *store, const store_turns *turns) {
  uv_loop_t *loop = host_loop_uv(store->options.loop);
  store_handles *handles = &store->handles;
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0 || uv_poll_init(loop, &handles->wake, fd) != 0) {
    (void)close(fd);
    return false;
  }
  store->dispatch.wake_fd = fd;
  (void)uv_check_init(loop, &handles->check); /* these cannot fail */
  (void)uv_prepare_init(loop, &handles->prepare);
  (void)uv_idle_init(loop, &handles->idle);
  (void)uv_timer_init(loop, &handles->next);
  (void)uv_timer_init(loop, &handles->tick);
  add(store, (uv_handle_t *)&handles->wake);
  add(store, (uv_handle_t *)&handles->check);
  add(store, (uv_handle_t *)&handles->prepare);
  add(store, (uv_handle_t *)&handles->idle);
  add(store, (uv_handle_t *)&handles->next);
  add(store, (uv_handle_t *)&handles->tick);
  (void)uv_poll_start(&handles->wake, UV_READABLE, on_wake);
  (void)uv_check_start(&handles->check, on_check);
  (void)uv_prepare_start(&handles->prepare, on_prepare);
  (void)uv_timer_start(&handles->tick, on_tick, TICK_MS, TICK_MS);
  handles->turns = turns;
  handles->ends_turns = true;
  return true;
}

static void on_closed(uv_handle_t *handle) {
  event_store *store = handle->data;
  if (--store->handles.open > 0) {
    return;
  }
  (void)close(store->dispatch.wake_fd);
  (void)pthread_mutex_lock(&store->ending.mutex);
  store->ending.is_done = true;
  (void)pthread_cond_signal(&store->ending.changed);
  (void)pthread_mutex_unlock(&store->ending.mutex);
}

void event_store_close_handles(event_store *store) {
  store_handles *handles = &store->handles;
  uv_close((uv_handle_t *)&handles->wake, on_closed);
  uv_close((uv_handle_t *)&handles->check, on_closed);
  uv_close((uv_handle_t *)&handles->prepare, on_closed);
  uv_close((uv_handle_t *)&handles->idle, on_closed);
  uv_close((uv_handle_t *)&handles->next, on_closed);
  uv_close((uv_handle_t *)&handles->tick, on_closed);
}
