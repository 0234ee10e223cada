/* What a process does at PostgreSQL once a second: it says that it is alive, takes the leases of
 * those that are not, counts, and deletes what has expired. */
#include "internal.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_MS 2000
#define EXPIRE_MS 1000
#define EXPIRE_MAX 2000
#define EXPIRE_DECISIONS_MAX 500
#define MARKS_MS 60000
#define RESPONSES_MS 1000
#define RESPONSES_MAX 500
#define PROMOTE_MAX 250 /* accounts */

/* What is sent up to link_sync is a transaction, which the server begins and ends by itself. */
static void begin(postgres_backend *self) {
  values_add_integer(&self->values, self->host);
  values_add_integer(&self->values, self->epoch);
  link_send(&self->link, STATEMENT_BEGIN_LEASE, &self->values);
}

static void send_keep(postgres_backend *self) {
  values_add_integer(&self->values, self->host);
  values_add_integer(&self->values, self->epoch);
  values_add_integer(&self->values, self->request.lease_ms);
  link_send(&self->link, STATEMENT_KEEP, &self->values);
}

static void send_leases(postgres_backend *self) {
  begin(self);
  send_keep(self);
  link_sync(&self->link);
  begin(self);
  link_send(&self->link, STATEMENT_BURY, NULL);
  link_send(&self->link, STATEMENT_FREE_EVENTS, NULL);
  link_send(&self->link, STATEMENT_FREE_TIMERS, NULL);
  link_send(&self->link, STATEMENT_DROP_HOSTS, NULL);
  link_sync(&self->link);
  begin(self);
  values_add_text(&self->values, self->promote_from != NULL ? self->promote_from : "");
  values_add_integer(&self->values, PROMOTE_MAX);
  link_send(&self->link, STATEMENT_PROMOTE, &self->values);
  link_sync(&self->link);
}

static void send_count(postgres_backend *self, int64_t now) {
  if (now >= self->count_at) {
    self->count_at = now + COUNT_MS;
    link_send(&self->link, STATEMENT_COUNT, NULL);
    link_sync(&self->link);
  }
}

static void send_expiry(postgres_backend *self, statement_id id, int64_t age, int64_t max) {
  begin(self);
  values_add_integer(&self->values, age);
  values_add_integer(&self->values, max);
  link_send(&self->link, id, &self->values);
  link_sync(&self->link);
}

static void send_expiries(postgres_backend *self, int64_t now) {
  const event_store_options *options = &self->options;
  if (options->retention > 0 && (self->was_expiry_full || now >= self->expire_at)) {
    self->expire_at = now + EXPIRE_MS;
    send_expiry(self, STATEMENT_EXPIRE, options->retention, EXPIRE_MAX);
  }
  if (options->recording_retention > 0 && now >= self->expire_responses_at) {
    self->expire_responses_at = now + RESPONSES_MS;
    send_expiry(self, STATEMENT_EXPIRE_RESPONSES, options->recording_retention, RESPONSES_MAX);
  }
  if (options->decision_retention > 0 && now >= self->expire_decisions_at) {
    self->expire_decisions_at = now + EXPIRE_MS;
    send_expiry(self, STATEMENT_EXPIRE_DECISIONS, options->decision_retention,
                EXPIRE_DECISIONS_MAX);
  }
  if (now >= self->marks_at) {
    self->marks_at = now + MARKS_MS;
    begin(self);
    link_send(&self->link, STATEMENT_EXPIRE_MARKS, NULL);
    link_sync(&self->link);
  }
}

/* After a failure: writes what a batch does, and takes it back. */
static void send_probe(postgres_backend *self) {
  if (self->failure == EVENT_FAILURE_NONE) {
    return;
  }
  link_send(&self->link, STATEMENT_BEGIN, NULL);
  send_keep(self);
  values_add_integer(&self->values, self->host);
  link_send(&self->link, STATEMENT_PROBE, &self->values);
  link_send(&self->link, STATEMENT_ROLLBACK, NULL);
  link_sync(&self->link);
}

/* Nothing that was sent may be forgotten when the server crashes: this one waits for the disk. */
static void send_alert(postgres_backend *self) {
  if (self->options.alert_window <= 0) {
    return;
  }
  link_send(&self->link, STATEMENT_BEGIN, NULL);
  values_add_integer(&self->values, self->options.alert_window);
  link_send(&self->link, STATEMENT_ALERT, &self->values);
  link_send(&self->link, STATEMENT_COMMIT, NULL);
  link_sync(&self->link);
}

/* In transactions of their own: what fails in one must not let leases expire, or keep those of
 * others that have, nor stop what comes after it. */
void postgres_send_upkeep(postgres_backend *self) {
  int64_t now = clock_steady_ms();
  send_leases(self);
  send_count(self, now);
  send_expiries(self, now);
  send_probe(self);
  send_alert(self);
}

static void take_counts(postgres_backend *self, const PGresult *row) {
  const libpq *pq = self->pq;
  if (pq->ntuples(row) != 1) {
    return;
  }
  int64_t estimate = values_integer(pq, row, 0, 4);
  self->counts = (stored_counts){.unfinished = values_integer(pq, row, 0, 0),
                                 .retries = values_integer(pq, row, 0, 1),
                                 .dead = values_integer(pq, row, 0, 2),
                                 .oldest = values_integer(pq, row, 0, 3),
                                 .running = values_integer(pq, row, 0, 5),
                                 .is_new = true};
  if (estimate > self->counts.unfinished) {
    self->counts.unfinished = estimate;
  }
}

static void take_last_promoted(postgres_backend *self, const PGresult *row) {
  const char *last = self->pq->ntuples(row) == 1 ? values_text(self->pq, row, 0, 0) : NULL;
  free(self->promote_from);
  self->promote_from = last != NULL ? strdup(last) : NULL;
}

void postgres_take_upkeep(postgres_backend *self, statement_id id, const PGresult *result) {
  if (id == STATEMENT_SYNC) {
    self->may_be_ready = true; /* a notice may have been lost */
  } else if (!postgres_is_ok(self, result)) {
    postgres_note_failure(self, &self->flight_failure, result);
  } else if (id == STATEMENT_PROBE) {
    self->failure = EVENT_FAILURE_NONE; /* whatever else fails */
  } else if (id == STATEMENT_COUNT) {
    take_counts(self, result);
  } else if (id == STATEMENT_PROMOTE) {
    take_last_promoted(self, result);
  } else if (id == STATEMENT_EXPIRE && self->pq->ntuples(result) == 1) {
    self->was_expiry_full = values_integer(self->pq, result, 0, 0) >= EXPIRE_MAX;
  } else if (id == STATEMENT_EXPIRE_DECISIONS && self->pq->ntuples(result) == 1 &&
             values_integer(self->pq, result, 0, 0) > 0) {
    self->expire_decisions_at = 0; /* there may be more */
  } else if (id == STATEMENT_EXPIRE_RESPONSES && self->pq->ntuples(result) == 1 &&
             values_integer(self->pq, result, 0, 0) >= RESPONSES_MAX) {
    self->expire_responses_at = 0;
  }
}
