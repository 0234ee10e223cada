/* Keeps what stands between the process and its work. */
#include "health.h"

#include "clock.h"

#include <stdatomic.h>

static struct {
  atomic_bool is_watched;
  atomic_bool has[HEALTH_PROBLEMS];
  _Atomic int64_t beat_at; /* on the monotonic clock; 0: there is no loop */
  _Atomic int64_t key_rejected_at, key_probe_at;
  atomic_bool is_key_new;
} own;

#define PROBE_MS 1000
#define RARE_PROBE_MS 30000
#define PROBES_OFTEN_MS 300000

static const struct {
  const char *name, *text;
} problems[HEALTH_PROBLEMS] = {
    [HEALTH_STARTING] = {"starting", "the script is being loaded"},
    [HEALTH_DRAINING] = {"draining", "the program is ending"},
    [HEALTH_STALLED] = {"stalled", "the store makes no progress: the disk may hang"},
    [HEALTH_DISK_FULL] = {"disk_full", "the disk of the database is full"},
    [HEALTH_DATABASE_REMOVED] = {"database_removed",
                                 "the database, or a file beside it, was moved or removed"},
    [HEALTH_DATABASE_DAMAGED] = {"database_damaged", "the database is damaged"},
    [HEALTH_STORE_FAILING] = {"store_failing", "the database cannot be written to"},
    [HEALTH_KEY_REJECTED] = {"key_rejected", "the API rejects the key"},
};

const char *health_problem_name(health_problem problem) {
  return problems[problem].name;
}

const char *health_problem_text(health_problem problem) {
  return problems[problem].text;
}

void health_watch(bool is_watched) {
  atomic_store_explicit(&own.is_watched, is_watched, memory_order_relaxed);
}

bool health_is_watched(void) {
  return atomic_load_explicit(&own.is_watched, memory_order_relaxed);
}

void health_set(health_problem problem, bool is_there) {
  bool was_there = atomic_exchange_explicit(&own.has[problem], is_there, memory_order_relaxed);
  if (problem == HEALTH_KEY_REJECTED && is_there && !was_there) {
    int64_t now = clock_steady_ms();
    atomic_store_explicit(&own.key_rejected_at, now, memory_order_relaxed);
    atomic_store_explicit(&own.key_probe_at, now + PROBE_MS, memory_order_relaxed);
  }
}

void health_set_key_new(void) {
  atomic_store_explicit(&own.is_key_new, true, memory_order_relaxed);
}

bool health_claim_new_key(void) {
  return atomic_exchange_explicit(&own.is_key_new, false, memory_order_relaxed);
}

bool health_claim_key_probe(void) {
  int64_t now = clock_steady_ms();
  int64_t due = atomic_load_explicit(&own.key_probe_at, memory_order_relaxed);
  int64_t since = now - atomic_load_explicit(&own.key_rejected_at, memory_order_relaxed);
  int64_t next = now + (since < PROBES_OFTEN_MS ? PROBE_MS : RARE_PROBE_MS);
  return health_is_watched() && health_has(HEALTH_KEY_REJECTED) && now >= due &&
         atomic_compare_exchange_strong(&own.key_probe_at, &due, next);
}

void health_beat(void) {
  atomic_store_explicit(&own.beat_at, clock_steady_ms(), memory_order_relaxed);
}

void health_end_beats(void) {
  atomic_store_explicit(&own.beat_at, 0, memory_order_relaxed);
}

int64_t health_silence_ms(void) {
  int64_t beat_at = atomic_load_explicit(&own.beat_at, memory_order_relaxed);
  int64_t now = clock_steady_ms();
  return beat_at > 0 && now > beat_at ? now - beat_at : 0;
}

bool health_has(health_problem problem) {
  return problem == HEALTH_STALLED ? health_silence_ms() >= HEALTH_STALLED_MS
                                   : atomic_load_explicit(&own.has[problem], memory_order_relaxed);
}
