/* Gives the event store SQLite as its database. */
#include "backend.h"

#include "batch.h"
#include "clock.h"
#include "maintenance.h"

#include <stdlib.h>

typedef struct {
  event_backend base; /* first */
  event_database database;
  event_maintenance maintenance;
} sqlite_backend;

static sqlite_backend *self_of(event_backend *backend) {
  return (sqlite_backend *)(void *)backend;
}

static event_sql *sql_of(const event_backend *backend) {
  return ((const sqlite_backend *)(const void *)backend)->database.sql;
}

/* ---- Batches ---- */

static void submit(event_backend *backend, event_batch *batch, event_batch_done *done,
                   void *context) {
  done(context, batch, event_batch_run(&self_of(backend)->database, batch));
}

static const char *reason(const event_backend *backend) {
  return event_sql_reason(sql_of(backend));
}

static event_failure failure(const event_backend *backend) {
  return event_sql_failure(sql_of(backend));
}

static event_failure problem(event_backend *backend) {
  return event_sql_is_removed(sql_of(backend)) ? EVENT_FAILURE_REMOVED : EVENT_FAILURE_NONE;
}

static bool probe(event_backend *backend) {
  return event_sql_probe(sql_of(backend));
}

static event_order order(const event_backend *backend) {
  const event_sql *sql = sql_of(backend);
  bool is_known = event_sql_knows_order(sql);
  return (event_order){.is_known = is_known,
                       .is_any_ready = is_known && event_sql_is_any_ready(sql),
                       .has_waiting = event_sql_has_waiting(sql)};
}

static concurrency_limits *limits(event_backend *backend) {
  return event_sql_limits(sql_of(backend));
}

static void drop_unused_limits(event_backend *backend) {
  event_sql_drop_unused_limits(sql_of(backend));
}

static event_timers *timers(event_backend *backend) {
  return event_sql_timers(sql_of(backend));
}

static bool count_unfinished(event_backend *backend, int64_t *count) {
  *count = event_sql_count_learned(sql_of(backend));
  return event_sql_knows_order(sql_of(backend));
}

static bool count_dead(event_backend *backend, int64_t *count) {
  return event_sql_count_dead(sql_of(backend), count);
}

static bool find_oldest(event_backend *backend, int64_t *received_at) {
  return event_sql_oldest(sql_of(backend), received_at);
}

static int64_t count_retries(const event_backend *backend) {
  return event_sql_count_retries(sql_of(backend));
}

/* Nobody else runs any. */
static int64_t count_running(const event_backend *backend, int64_t leased) {
  (void)backend;
  return leased;
}

/* ---- Between the transactions ---- */

static const char *path(const event_backend *backend) {
  return event_sql_path(sql_of(backend));
}

static sqlite3 *connection(event_backend *backend) {
  return event_sql_connection(sql_of(backend));
}

static int count_changes(event_backend *backend) {
  return sqlite3_total_changes(connection(backend));
}

static bool learn_order(event_backend *backend, int64_t milliseconds) {
  return event_sql_learn_order(sql_of(backend), milliseconds);
}

static void forget_order(event_backend *backend) {
  event_sql_forget_order(sql_of(backend));
}

static bool has_external_writes(event_backend *backend) {
  event_database *database = &self_of(backend)->database;
  int64_t version;
  if (!event_sql_data_version(database->sql, &version) || version == database->data_version) {
    return false;
  }
  database->data_version = version;
  return true;
}

static bool begin_shift(event_backend *backend, int64_t milliseconds) {
  event_database *database = &self_of(backend)->database;
  if (!event_sql_begin_shift(database->sql, milliseconds)) {
    return false;
  }
  if (database->dedup != NULL) {
    event_dedup_shift(database->dedup, milliseconds);
  }
  return true;
}

static bool is_shifting(const event_backend *backend) {
  return event_sql_is_shifting(sql_of(backend));
}

static bool shift_waits(event_backend *backend, int64_t milliseconds, bool *is_locked) {
  return event_sql_shift_waits(sql_of(backend), milliseconds, is_locked);
}

static void abandon_shift(event_backend *backend) {
  event_sql_abandon_shift(sql_of(backend));
}

static void expire(event_backend *backend, int64_t now) {
  if (self_of(backend)->database.dedup != NULL) {
    event_dedup_expire(self_of(backend)->database.dedup, now);
  }
}

static void release_memory(event_backend *backend) {
  (void)sqlite3_db_release_memory(connection(backend));
}

static void checkpoint(event_backend *backend, bool is_retry) {
  event_maintenance_checkpoint(&self_of(backend)->maintenance, connection(backend), is_retry);
}

static int64_t maintenance_due(const event_backend *backend, bool is_idle) {
  return event_maintenance_due(&((const sqlite_backend *)(const void *)backend)->maintenance,
                               is_idle);
}

static bool maintain(event_backend *backend, bool is_idle, event_maintenance_task *task,
                     const char **why) {
  sqlite3 *db = connection(backend);
  bool ok = event_maintenance_step(&self_of(backend)->maintenance, db, is_idle, task);
  if (!ok) {
    *why = sqlite3_errmsg(db);
  }
  return ok;
}

static void roll_back(event_backend *backend) {
  event_sql_rollback(sql_of(backend));
}

static void allow_shrinking(event_backend *backend) {
  self_of(backend)->maintenance.may_shrink = true;
}

/* ---- Opening and closing ---- */

static void close_backend(event_backend *backend) {
  sqlite_backend *self = self_of(backend);
  if (self->database.sql != NULL) {
    event_sql_close(self->database.sql);
  }
  event_dedup_free(self->database.dedup);
  free(self);
}

static const event_embedded_class embedded = {
    .path = path,
    .connection = connection,
    .count_changes = count_changes,
    .learn_order = learn_order,
    .forget_order = forget_order,
    .has_external_writes = has_external_writes,
    .begin_shift = begin_shift,
    .is_shifting = is_shifting,
    .shift_waits = shift_waits,
    .abandon_shift = abandon_shift,
    .expire = expire,
    .release_memory = release_memory,
    .checkpoint = checkpoint,
    .maintenance_due = maintenance_due,
    .maintain = maintain,
    .roll_back = roll_back,
    .allow_shrinking = allow_shrinking,
};

static const event_backend_class sqlite_class = {
    .embedded = &embedded,
    EVENT_BACKEND_FUNCTIONS,
};

static void remember(void *context, int64_t id, const event_record *record) {
  event_dedup *table = context;
  uint32_t fingerprint = event_dedup_fingerprint(table, record->body, record->body_size);
  event_dedup_add(table, fingerprint, id, record->received_at);
  event_dedup_commit(table);
}

static bool read_file(event_database *database, const event_store_options *options,
                      int64_t *unfinished, host_error *error) {
  database->sql = event_sql_open(options->path, error);
  if (database->sql == NULL) {
    return false;
  }
  event_sql_set_alert_window(database->sql, options->alert_window);
  int64_t window = options->dedup_window;
  if (event_sql_store_window(database->sql, window) &&
      event_sql_data_version(database->sql, &database->data_version) &&
      event_sql_count_unfinished(database->sql, unfinished) &&
      (window == 0 || event_sql_recent(database->sql, clock_unix_ms() - window, EVENT_DEDUP_MAX,
                                       remember, database->dedup))) {
    return true;
  }
  return host_error_set(error, HOST_FAILED, "cannot read %s: %s", options->path,
                        event_sql_reason(database->sql));
}

event_backend *sqlite_backend_open(const event_store_options *options, int64_t *unfinished,
                                   host_error *error) {
  sqlite_backend *self = calloc(1, sizeof *self);
  event_dedup *dedup = options->dedup_window > 0 ? event_dedup_new(options->dedup_window) : NULL;
  if (self == NULL || (options->dedup_window > 0 && dedup == NULL)) {
    free(self);
    event_dedup_free(dedup);
    (void)host_error_set(error, HOST_FAILED, "out of memory");
    return NULL;
  }
  self->base.class = &sqlite_class;
  self->database.dedup = dedup;
  if (!read_file(&self->database, options, unfinished, error)) {
    close_backend(&self->base);
    return NULL;
  }
  const event_retention retention = {.events = options->retention,
                                     .decisions = options->decision_retention,
                                     .responses = options->recording_retention};
  event_maintenance_init(&self->maintenance, connection(&self->base), &retention);
  return &self->base;
}
