/* What the process counts of itself, to be read by whoever watches it.
 *
 * There is one set of it. Each series is kept by the thread that knows of it and read by any other,
 * without a lock: a scrape holds nobody up. What is read together need not be of one time.
 */
#ifndef PALENCA_HOST_COMMON_METRICS_H
#define PALENCA_HOST_COMMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
  METRIC_WEBHOOKS, /* by metric_code_label */
  METRIC_STORED,
  METRIC_DUPLICATES,
  METRIC_BATCH,  /* events */
  METRIC_COMMIT, /* microseconds, as all times below */
  METRIC_CHECKPOINTS,
  METRIC_EVENTS,   /* by state, EVENT_DONE aside: METRIC_STATE_… */
  METRIC_OLDEST,   /* Unix milliseconds; 0: there is none */
  METRIC_ATTEMPTS, /* by outcome, in the order of event_outcome_kind */
  METRIC_HANDLER,  /* by metric_action_label */
  METRIC_WORKERS,
  METRIC_WORKERS_BLOCKED,
  METRIC_WORKERS_REPLACED,
  METRIC_API_REQUESTS, /* by metric_class_label */
  METRIC_API_RETRIES,
  METRIC_API_WAIT,
  METRIC_API_REMAINING, /* one more; 0: not known */
  METRIC_LOG_LOST,      /* lines */
  METRICS
} metric_id;

/* Labels of METRIC_EVENTS. */
enum {
  METRIC_STATE_RECEIVED,
  METRIC_STATE_RUNNING,
  METRIC_STATE_RETRY,
  METRIC_STATE_DEAD
};

typedef enum {
  METRIC_COUNTER,
  METRIC_GAUGE,
  METRIC_HISTOGRAM
} metric_type;

#define METRIC_LABELS_MAX 20
#define METRIC_BUCKETS_MAX 16

typedef struct {
  const char *name, *help;
  metric_type type;
  const char *label;         /* its name; NULL: it has none */
  const char *const *values; /* of the label, NULL at the end */
  const int64_t *bounds;     /* of a histogram's buckets, 0 at the end */
  int64_t unit;              /* what is kept, divided by this, is shown */
} metric_definition;

const metric_definition *metric_definition_of(metric_id id);

/* `label` is the index of its value; 0 without a label. From any thread. */
void metric_add(metric_id id, size_t label, int64_t count);
void metric_set(metric_id id, size_t label, int64_t value);
void metric_observe(metric_id id, size_t label, int64_t value);

int64_t metric_read(metric_id id, size_t label);

typedef struct {
  int64_t buckets[METRIC_BUCKETS_MAX]; /* of each alone; the last one has no bound */
  int64_t sum, count;
} metric_histogram;

metric_histogram metric_read_histogram(metric_id id, size_t label);

/* Of a response's status; of an action; of an API response's status, 0 for none. The last value of
 * each stands for all others. */
size_t metric_code_label(int status);
size_t metric_action_label(const char *action);
size_t metric_class_label(int status);

#endif
