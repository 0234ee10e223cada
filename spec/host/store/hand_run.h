/* A store whose loop is run by the test, while time stands still: all that follows from what was
 * done before has come when `run` returns, and nothing comes without it. */
#ifndef SPEC_HOST_HAND_RUN_H
#define SPEC_HOST_HAND_RUN_H

#include "standing_time.h"
#include "store_fixture.h"

#include <unistd.h>

/* More turns than anything takes. */
#define HAND_TURNS 50
/* What the store looks for by itself, it looks for so often. */
#define HAND_TICK_MS 250
/* As long as a hand-run test may take. */
#define HAND_HANGS_AFTER 120

static inline void run(fixture *f) {
  for (int i = 0; i < HAND_TURNS; i++) {
    (void)uv_run(host_loop_uv(f->loop), UV_RUN_NOWAIT);
  }
}

static inline void pass(fixture *f, int64_t milliseconds) {
  time_pass(milliseconds);
  run(f);
}

/* With a store that has done its first maintenance, and has started its log, so that a commit is
 * one sync. */
static inline int begin_by_hand(void **state) {
  (void)alarm(HAND_HANGS_AFTER);
  int result = set_up(state);
  fixture *f = *state;
  f->is_by_hand = true;
  open_store(f);
  for (int i = 0; i < 4; i++) {
    pass(f, 1000);
  }
  (void)put(f, NULL);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  run(f);
  finish(&w, take(&w, NULL), EVENT_OUTCOME_DONE, 0, NULL);
  free_worker(&w);
  for (int i = 0; i < 4; i++) {
    pass(f, 1000);
  }
  return result;
}

#define BY_HAND_TEST(name) FIXTURE_TEST(name, fixture *f, begin_by_hand, tear_down)

/* The id of an event that can be taken now; 0: there is none. */
static inline int64_t taken(const worker *w) {
  event_lease *lease = event_consumer_take(w->consumer);
  int64_t id = lease != NULL ? lease->id : 0;
  event_lease_free(lease);
  return id;
}

static inline void prefetch(fixture *f, const worker *w, size_t count) {
  event_consumer_prefetch(w->consumer, count);
  run(f);
}

static inline void finish_done(const worker *w, int64_t id) {
  finish(w, id, EVENT_OUTCOME_DONE, 0, NULL);
}

static inline int64_t count_running(const fixture *f) {
  return query(f, "SELECT count(*) FROM events WHERE state = 1");
}

#endif
