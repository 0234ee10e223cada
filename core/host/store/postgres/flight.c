/* Carries out batches and upkeep at PostgreSQL, one at a time on one connection, and finds out what
 * has become of a batch when that is lost. */
#include "clock.h"
#include "common/metrics.h"
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* Between two signs of life: so many in the time of a lease, and one a second at least. */
#define UPKEEPS_PER_LEASE 5
#define UPKEEP_MAX_MS 1000
/* A server that does not respond for this time is said to be, and then counts as away. */
#define SILENCE_SAID_MS 3000
#define SILENCE_MS 10000
/* How long those who wait for a batch wait for the server to come back, and say what became of it.
 */
#define DOUBT_MS 4000

static bool is_up(const postgres_backend *self) {
  return self->link.connection != NULL;
}

void postgres_log(const postgres_backend *self, bool is_error, const char *message) {
  if (self->options.log != NULL) {
    self->options.log(self->options.log_context, is_error, message);
  }
}

/* ---- Failures ---- */

bool postgres_is_ok(const postgres_backend *self, const PGresult *result) {
  ExecStatusType status = self->pq->resultStatus(result);
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static bool has_code(const server_failure *failure, const char *code) {
  return strcmp(failure->code, code) == 0;
}

void postgres_note_failure(postgres_backend *self, server_failure *failure,
                           const PGresult *result) {
  const char *code = self->pq->resultErrorField(result, PG_DIAG_SQLSTATE);
  if (failure->code[0] != '\0' || self->pq->resultStatus(result) == PGRES_PIPELINE_ABORTED) {
    return;
  }
  (void)snprintf(failure->code, sizeof failure->code, "%s", code != NULL ? code : "?");
  self->is_read_only = self->is_read_only || has_code(failure, "25006");
  session_reason(self->pq->resultErrorMessage(result), failure->message, sizeof failure->message);
}

/* Something that passes by itself: another transaction was in the way. */
static bool is_transient(const server_failure *failure) {
  return has_code(failure, "40001") || has_code(failure, "40P01") || has_code(failure, "55P03");
}

/* By who looks after the server, or since it took too long. */
static bool is_canceled(const server_failure *failure) {
  return has_code(failure, "57014");
}

static bool is_expired(const server_failure *failure) {
  return has_code(failure, "PL001");
}

static void record_failure(postgres_backend *self, const server_failure *failure) {
  (void)snprintf(self->reason, sizeof self->reason, "%s", failure->message);
  self->failure = has_code(failure, "53100") ? EVENT_FAILURE_FULL : EVENT_FAILURE_OTHER;
}

/* ---- Batches ---- */

static void begin_flight(postgres_backend *self, flight_kind kind) {
  self->flight = kind;
  self->flight_since = self->heard_at = clock_steady_ms();
  self->is_silent = false;
  self->flight_failure = (server_failure){.code = ""};
}

static void end_batch(postgres_backend *self, event_batch_result result) {
  event_batch *batch = self->batch;
  self->batch = NULL;
  self->is_in_doubt = false;
  self->doubt_until = 0;
  if (result != EVENT_BATCH_COMMITTED) {
    postgres_abandon_writes(self);
    postgres_forget_leases(self);
  } else {
    /* what leases and puts nothing shows nothing of a disk */
    self->failure = self->write.is_sent ? EVENT_FAILURE_NONE : self->failure;
    postgres_forget_writes(self);
  }
  self->done(self->done_context, batch, result);
}

static void fail_batch(postgres_backend *self, const char *reason) {
  if (reason != self->reason) {
    (void)snprintf(self->reason, sizeof self->reason, "%s", reason);
  }
  self->failure = EVENT_FAILURE_OTHER;
  end_batch(self, EVENT_BATCH_FAILED);
}

static void start_batch(postgres_backend *self) {
  begin_flight(self, FLIGHT_BATCH);
  if (!postgres_send_writes(self)) {
    self->flight = FLIGHT_NONE;
    fail_batch(self, "out of memory");
    return;
  }
  if (self->batch->leases > 0 || self->write.is_sent) {
    postgres_send_leases(self);
  } else {
    self->flight = FLIGHT_NONE;
    end_batch(self, EVENT_BATCH_COMMITTED);
  }
}

void postgres_submit(postgres_backend *self, event_batch *batch, event_batch_done *done,
                     void *context) {
  self->batch = batch;
  self->done = done;
  self->done_context = context;
  if (!is_up(self)) {
    postgres_connect(self);
    fail_batch(self, self->reason);
  } else if (self->flight == FLIGHT_NONE) {
    start_batch(self);
  }
}

static bool start_rate_shares(postgres_backend *self) {
  if (!postgres_send_rate_shares(self)) {
    return false;
  }
  begin_flight(self, FLIGHT_RATE_SHARES);
  return true;
}

void postgres_take_due_rate_shares(postgres_backend *self) {
  if (is_up(self) && self->flight == FLIGHT_NONE && self->batch == NULL) {
    (void)start_rate_shares(self);
  }
}

static void start_upkeep(postgres_backend *self) {
  int64_t interval = self->request.lease_ms / UPKEEPS_PER_LEASE;
  interval = interval < UPKEEP_MAX_MS ? interval : UPKEEP_MAX_MS;
  self->upkeep_at = clock_steady_ms() + interval;
  begin_flight(self, FLIGHT_UPKEEP);
  postgres_send_upkeep(self);
}

/* ---- Their ends ---- */

static void start_again(postgres_backend *self, const char *reason) {
  (void)snprintf(self->reason, sizeof self->reason, "%s", reason);
  link_close(&self->link);
  self->flight = FLIGHT_NONE;
  postgres_reconnect(self);
}

/* Others run its events by now: it goes on as another process. */
static void start_as_another(postgres_backend *self) {
  postgres_log(self, true,
               "the leases of this process have expired: other processes run its "
               "events");
  start_again(self, "its leases have expired");
}

static void reject_writes(postgres_backend *self) {
  const server_failure failure = self->write.failure;
  if (is_transient(&failure) || is_canceled(&failure)) {
    record_failure(self, &failure);
    end_batch(self, EVENT_BATCH_LOCKED);
    return;
  }
  record_failure(self, &failure);
  end_batch(self, EVENT_BATCH_FAILED);
}

static void end_batch_flight(postgres_backend *self) {
  const server_failure leasing = self->lease.failure;
  if (is_expired(&self->write.failure) || (is_expired(&leasing) && !self->write.is_sent)) {
    postgres_abandon_writes(self);
    postgres_forget_leases(self);
    start_as_another(self); /* and then this batch */
    return;
  }
  if (self->write.is_sent && !self->write.is_committed) {
    reject_writes(self);
    return;
  }
  postgres_end_writes(self);
  bool is_conflict = has_code(&leasing, "23505") || is_transient(&leasing) ||
                     is_canceled(&leasing) || is_expired(&leasing);
  if (leasing.code[0] != '\0' && !is_conflict && !self->write.is_sent) {
    record_failure(self, &leasing);
    end_batch(self, EVENT_BATCH_FAILED);
    return;
  }
  postgres_end_leases(self);
  end_batch(self, EVENT_BATCH_COMMITTED);
}

static void end_upkeep(postgres_backend *self) {
  if (is_expired(&self->flight_failure)) {
    start_as_another(self);
    return;
  }
  bool has_failed = self->flight_failure.code[0] != '\0' && !is_transient(&self->flight_failure);
  if (has_failed && self->failure != EVENT_FAILURE_FULL && !self->is_upkeep_failing) {
    char line[500];
    (void)snprintf(line, sizeof line, "cannot look after leases and old events: %s",
                   self->flight_failure.message);
    postgres_log(self, true, line);
  } else if (self->flight_failure.code[0] == '\0') {
    self->failure = EVENT_FAILURE_NONE;
  }
  self->is_upkeep_failing = has_failed;
}

static flight_kind kind_of_flight(const postgres_backend *self) {
  return self->flight == FLIGHT_CLEANUP ? self->cleaned : self->flight;
}

static bool is_to_be_cleaned(const postgres_backend *self) {
  return self->write.failure.code[0] != '\0' || self->lease.failure.code[0] != '\0' ||
         self->flight_failure.code[0] != '\0';
}

static void clean_up(postgres_backend *self) {
  self->cleaned = self->flight;
  self->flight = FLIGHT_CLEANUP;
  self->heard_at = clock_steady_ms();
  link_send(&self->link, STATEMENT_ROLLBACK, NULL);
  link_sync(&self->link);
}

/* Of a URL with several hosts another one may be the primary by now. */
static void leave_read_only(postgres_backend *self) {
  if (self->is_read_only && self->flight == FLIGHT_NONE && is_up(self)) {
    start_again(self, "it is read-only");
  }
  self->is_read_only = false;
}

static void on_lost(void *context, const char *reason);

/* Whether the results of a committed batch are known by now; if not, another connection asks. */
static void end_resolution(postgres_backend *self) {
  const server_failure failure = self->write.failure;
  if (failure.code[0] != '\0') {
    self->flight = FLIGHT_RESOLVE;
    link_close(&self->link);
    on_lost(self, failure.message);
    return;
  }
  postgres_end_writes(self);
  self->batch->next_due = self->batch->now;
  end_batch(self, EVENT_BATCH_COMMITTED);
}

static void on_idle(void *context) {
  postgres_backend *self = context;
  if (self->flight != FLIGHT_CLEANUP && is_to_be_cleaned(self)) {
    clean_up(self);
    return;
  }
  flight_kind kind = kind_of_flight(self);
  self->flight = FLIGHT_NONE;
  if (kind == FLIGHT_UPKEEP) {
    end_upkeep(self);
  } else if (kind == FLIGHT_BATCH && clock_steady_ms() >= self->upkeep_at &&
             !is_to_be_cleaned(self)) {
    start_upkeep(self); /* before the next batch, which the end of this one brings */
    end_batch_flight(self);
  } else if (kind == FLIGHT_BATCH) {
    if (!is_to_be_cleaned(self)) {
      (void)start_rate_shares(self); /* likewise */
    }
    end_batch_flight(self);
  } else if (kind == FLIGHT_RESOLVE) {
    end_resolution(self);
  }
  leave_read_only(self);
  if (self->flight == FLIGHT_NONE && self->batch != NULL && is_up(self)) {
    start_batch(self); /* that was submitted during the upkeep */
  }
  postgres_take_due_rate_shares(self);
}

static void take_write(postgres_backend *self, statement_id id, const PGresult *result) {
  postgres_take_write(self, id, result);
  if (id != STATEMENT_SYNC || !self->write.is_committed || self->flight != FLIGHT_BATCH) {
    return;
  }
  metric_observe(METRIC_COMMIT, 0, (clock_steady_ms() - self->flight_since) * 1000);
  if (self->batch->puts != NULL) { /* they do not wait for what is leased */
    postgres_end_puts(self);
    self->done(self->done_context, self->batch, EVENT_BATCH_STORED);
  }
}

static void on_result(void *context, statement_id id, const PGresult *result) {
  postgres_backend *self = context;
  self->heard_at = clock_steady_ms();
  self->is_silent = false;
  if (self->flight == FLIGHT_UPKEEP) {
    postgres_take_upkeep(self, id, result);
  } else if (self->flight == FLIGHT_RATE_SHARES) {
    postgres_take_rate_share(self, id, result);
  } else if (self->flight == FLIGHT_RESOLVE ||
             (self->flight == FLIGHT_BATCH && self->write.is_sent && !self->write.is_ended)) {
    take_write(self, id, result);
  } else if (self->flight == FLIGHT_BATCH) {
    postgres_take_lease(self, id, result);
  }
}

static void on_notice(void *context) {
  postgres_backend *self = context;
  self->may_be_ready = self->has_notice = true;
}

/* ---- Without a connection ---- */

/* Whether nobody knows what has become of the puts and finishes that were sent. */
static bool is_doubtful(const postgres_backend *self) {
  bool has_failed = self->write.is_ended && self->write.failure.code[0] != '\0';
  flight_kind kind = kind_of_flight(self);
  return kind == FLIGHT_RESOLVE || (kind == FLIGHT_BATCH && self->write.is_sent && !has_failed);
}

static void lose_batch(postgres_backend *self) {
  flight_kind kind = kind_of_flight(self);
  if (kind == FLIGHT_BATCH && self->write.is_ended && self->write.is_committed) {
    postgres_end_writes(self);
    postgres_end_leases(self);
    end_batch(self, EVENT_BATCH_COMMITTED);
  } else if (is_doubtful(self) || kind == FLIGHT_UPKEEP ||
             kind == FLIGHT_RATE_SHARES) { /* or it was not sent yet */
    int64_t now = clock_steady_ms();
    self->is_in_doubt = self->is_in_doubt || is_doubtful(self);
    self->doubt_until = self->doubt_until > 0 ? self->doubt_until : now + DOUBT_MS;
  } else if (!self->is_in_doubt) {
    fail_batch(self, self->reason);
  }
}

static void on_lost(void *context, const char *reason) {
  postgres_backend *self = context;
  (void)snprintf(self->reason, sizeof self->reason, "%s", reason);
  self->failure = EVENT_FAILURE_OTHER;
  postgres_lose_rate_shares(self);
  self->is_silent = false;
  if (self->batch != NULL) {
    lose_batch(self);
  }
  self->flight = FLIGHT_NONE;
  if (!self->is_closing) {
    postgres_reconnect(self);
  }
}

const link_callbacks postgres_callbacks = {
    .on_result = on_result, .on_idle = on_idle, .on_lost = on_lost, .on_notice = on_notice};

void postgres_log_weakness(postgres_backend *self) {
  if (self->opened.is_weak && !self->is_weak_logged) {
    self->is_weak_logged = true;
    postgres_log(self, true,
                 "synchronous_commit is weaker than on, as the URL asks for: "
                 "acknowledged events are lost if the server crashes");
  }
}

static void repeat_finishes(postgres_backend *self) {
  for (event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    f->is_repeated = true;
  }
}

/* Another host's number says nothing of ours: then nobody knows. */
static void resolve_doubt(postgres_backend *self, bool is_same_host) {
  self->is_in_doubt = false;
  if (is_same_host && self->opened.last_batch == self->number) {
    begin_flight(self, FLIGHT_RESOLVE);
    self->write.is_ended = false;
    self->write.failure = (server_failure){.code = ""};
    postgres_resolve_puts(self, self->opened.last_ids, self->opened.last_count);
    self->opened.last_ids = NULL;
    postgres_send_resolution(self);
  } else if (is_same_host && clock_steady_ms() < self->doubt_until) {
    postgres_abandon_writes(self);
    start_batch(self);
  } else if (is_same_host) {
    fail_batch(self, "the connection was lost again and again");
  } else {
    repeat_finishes(self);
    fail_batch(self, "the connection was lost during a commit");
  }
}

void postgres_on_connected(postgres_backend *self, bool is_same_host) {
  self->upkeep_at = 0;
  postgres_log_weakness(self);
  if (!is_same_host) {
    held_leases_drop_waiting(&self->held);
  }
  if (self->batch != NULL && self->is_in_doubt) {
    resolve_doubt(self, is_same_host);
  } else if (self->batch != NULL) {
    start_batch(self);
  } else {
    start_upkeep(self);
  }
}

/* Who waits does so for a few seconds only. */
static void end_doubt(postgres_backend *self) {
  if (self->is_in_doubt) {
    repeat_finishes(self);
  }
  fail_batch(self, self->reason);
}

void postgres_on_unconnected(postgres_backend *self) {
  if (self->batch != NULL && !self->is_in_doubt) {
    fail_batch(self, self->reason);
  }
}

static void follow_silence(postgres_backend *self, int64_t silence) {
  if (silence >= SILENCE_MS) {
    link_close(&self->link);
    on_lost(self, "the server has not responded for 10 seconds");
  } else if (silence >= SILENCE_SAID_MS && !self->is_silent) {
    self->is_silent = true;
    self->failure = EVENT_FAILURE_OTHER;
    (void)snprintf(self->reason, sizeof self->reason, "the server has not responded for 3 seconds");
  }
}

void postgres_tick(uv_timer_t *handle) {
  postgres_backend *self = handle->data;
  int64_t now = clock_steady_ms();
  if (!is_up(self) && self->batch != NULL && self->doubt_until > 0 && now >= self->doubt_until) {
    end_doubt(self);
  }
  if (!is_up(self)) {
    postgres_connect(self);
  } else if (self->flight != FLIGHT_NONE) {
    follow_silence(self, now - self->heard_at);
  } else if (self->batch == NULL && now >= self->upkeep_at) {
    start_upkeep(self);
  } else {
    postgres_take_due_rate_shares(self);
  }
}
