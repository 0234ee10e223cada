/* Keeps what the process counts of itself. */
#include "metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const codes[] = {"200", "400", "401", "403", "404", "405", "408", "413",   "414",
                                    "415", "417", "431", "500", "501", "503", "505", "other", NULL};
/* Those that the API documents, present and former ones: palenca.util.webhook_actions. */
static const char *const actions[] = {"login.success",
                                      "login.created",
                                      "login.incomplete",
                                      "login.error",
                                      "login.retry",
                                      "login.failed_refresh",
                                      "user.created",
                                      "user.deleted",
                                      "account.created",
                                      "account.connected",
                                      "account.requires_auth",
                                      "account.needs_auth",
                                      "profile.updated",
                                      "employment.created",
                                      "employment.updated",
                                      "earnings.updated",
                                      "events.updated",
                                      "clean_save.finished",
                                      "other",
                                      NULL};
static const char *const states[] = {"received", "running", "retry", "dead", NULL};
static const char *const outcomes[] = {"done", "retry", "dead", "released", NULL};
static const char *const classes[] = {"2xx", "3xx", "4xx", "5xx", "none", NULL};
static const int64_t sizes[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 0};
static const int64_t disk_times[] = {500,    1000,   2000,   5000,    10000,   20000, 50000,
                                     100000, 200000, 500000, 1000000, 5000000, 0};
static const int64_t waits[] = {10000,    50000,    100000,   500000,    1000000, 5000000,
                                10000000, 30000000, 60000000, 300000000, 0};
static const int64_t handler_times[] = {1000,    5000,    10000,    50000,    100000,    500000,
                                        1000000, 5000000, 10000000, 60000000, 600000000, 0};

#define MICROSECONDS 1000000

static const metric_definition definitions[METRICS] = {
    [METRIC_WEBHOOKS] = {"palenca_webhooks_received_total", "Responses to requests, by their code.",
                         METRIC_COUNTER, "code", codes, NULL, 1},
    [METRIC_STORED] = {"palenca_events_stored_total", "Events that were stored.", METRIC_COUNTER,
                       NULL, NULL, NULL, 1},
    [METRIC_DUPLICATES] = {"palenca_events_duplicates_total",
                           "Webhooks that were stored before, within the deduplication window.",
                           METRIC_COUNTER, NULL, NULL, NULL, 1},
    [METRIC_BATCH] = {"palenca_store_batch_events", "Events that one transaction has stored.",
                      METRIC_HISTOGRAM, NULL, NULL, sizes, 1},
    [METRIC_COMMIT] = {"palenca_store_commit_seconds",
                       "Time of a transaction's commit, its sync included.", METRIC_HISTOGRAM, NULL,
                       NULL, disk_times, MICROSECONDS},
    [METRIC_CHECKPOINTS] = {"palenca_store_checkpoints_total",
                            "How often the log was moved into the database.", METRIC_COUNTER, NULL,
                            NULL, NULL, 1},
    [METRIC_EVENTS] = {"palenca_events", "Stored events that are not done, by state.", METRIC_GAUGE,
                       "state", states, NULL, 1},
    [METRIC_OLDEST] = {"palenca_oldest_unfinished_event_age_seconds",
                       "Time since the oldest unfinished event was received; 0 without one.",
                       METRIC_GAUGE, NULL, NULL, NULL, 1000},
    [METRIC_ATTEMPTS] = {"palenca_attempts_total", "Attempts that have ended, by their outcome.",
                         METRIC_COUNTER, "outcome", outcomes, NULL, 1},
    [METRIC_HANDLER] = {"palenca_handler_seconds",
                        "Time of an attempt, its waits included, by action.", METRIC_HISTOGRAM,
                        "action", actions, handler_times, MICROSECONDS},
    [METRIC_WORKERS] = {"palenca_workers", "Workers that have loaded the script.", METRIC_GAUGE,
                        NULL, NULL, NULL, 1},
    [METRIC_WORKERS_BLOCKED] = {"palenca_workers_blocked", "Workers that their script blocks.",
                                METRIC_GAUGE, NULL, NULL, NULL, 1},
    [METRIC_WORKERS_REPLACED] = {"palenca_workers_replaced_total",
                                 "Workers that have failed or were blocked, and were replaced.",
                                 METRIC_COUNTER, NULL, NULL, NULL, 1},
    [METRIC_API_REQUESTS] = {"palenca_api_requests_total",
                             "Requests to the API, by the class of their last response.",
                             METRIC_COUNTER, "status", classes, NULL, 1},
    [METRIC_API_RETRIES] = {"palenca_api_retries_total", "Requests to the API that were repeated.",
                            METRIC_COUNTER, NULL, NULL, NULL, 1},
    [METRIC_API_WAIT] = {"palenca_api_limit_wait_seconds",
                         "Time that requests to the API have waited for the rate limit.",
                         METRIC_HISTOGRAM, NULL, NULL, waits, MICROSECONDS},
    [METRIC_API_REMAINING] = {"palenca_api_limit_remaining",
                              "Requests that the rate limit permits, by the API's last response.",
                              METRIC_GAUGE, NULL, NULL, NULL, 1},
    [METRIC_LOG_LOST] = {"palenca_log_lines_dropped_total",
                         "Lines of the log that were dropped, as nobody read them.", METRIC_COUNTER,
                         NULL, NULL, NULL, 1},
};

/* The buckets of a histogram, then its sum; else the first alone. */
#define SUM METRIC_BUCKETS_MAX

typedef _Atomic int64_t metric_series[METRIC_BUCKETS_MAX + 1];

static metric_series cells[METRICS][METRIC_LABELS_MAX];

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

_Static_assert(COUNT_OF(actions) <= METRIC_LABELS_MAX + 1 && COUNT_OF(codes) <= METRIC_LABELS_MAX,
               "there is room for each label");
_Static_assert(COUNT_OF(disk_times) <= METRIC_BUCKETS_MAX && COUNT_OF(sizes) <= METRIC_BUCKETS_MAX,
               "and for each bucket");

const metric_definition *metric_definition_of(metric_id id) {
  return &definitions[id];
}

void metric_add(metric_id id, size_t label, int64_t count) {
  (void)atomic_fetch_add_explicit(&cells[id][label][0], count, memory_order_relaxed);
}

void metric_set(metric_id id, size_t label, int64_t value) {
  atomic_store_explicit(&cells[id][label][0], value, memory_order_relaxed);
}

void metric_observe(metric_id id, size_t label, int64_t value) {
  const int64_t *bounds = definitions[id].bounds;
  size_t bucket = 0;
  while (bounds[bucket] > 0 && value > bounds[bucket]) {
    bucket++;
  }
  metric_series *series = &cells[id][label];
  (void)atomic_fetch_add_explicit(&(*series)[bucket], 1, memory_order_relaxed);
  (void)atomic_fetch_add_explicit(&(*series)[SUM], value, memory_order_relaxed);
}

int64_t metric_read(metric_id id, size_t label) {
  return atomic_load_explicit(&cells[id][label][0], memory_order_relaxed);
}

/* Its count is that of its buckets, which are read one after the other: so they always agree. */
metric_histogram metric_read_histogram(metric_id id, size_t label) {
  metric_histogram histogram = {.count = 0};
  for (size_t i = 0; i < METRIC_BUCKETS_MAX; i++) {
    histogram.buckets[i] = atomic_load_explicit(&cells[id][label][i], memory_order_relaxed);
    histogram.count += histogram.buckets[i];
  }
  histogram.sum = atomic_load_explicit(&cells[id][label][SUM], memory_order_relaxed);
  return histogram;
}

/* The last one, unless it is in the list. */
static size_t find(const char *const *list, const char *value) {
  size_t at = 0;
  while (list[at + 1] != NULL && strcmp(list[at], value) != 0) {
    at++;
  }
  return at;
}

size_t metric_code_label(int status) {
  size_t at = 0;
  while (codes[at + 1] != NULL && atoi(codes[at]) != status) {
    at++;
  }
  return at;
}

size_t metric_action_label(const char *action) {
  return find(actions, action);
}

size_t metric_class_label(int status) {
  return status >= 200 && status < 600 ? (size_t)(status / 100 - 2) : COUNT_OF(classes) - 2;
}
