/* Leases events and timers in one transaction at PostgreSQL. */
#include "internal.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>

/* Until the next try, of what is due and could not be leased: others have it, or a limit has. */
#define DUE_AGAIN_MS 50
/* After one in which two processes wanted events of the same account. */
#define CONFLICT_MS 20

#define PATTERN_MAX 512

/* ---- Limits ---- */

static int64_t places_left(const concurrency_limit *limit) {
  return limit->used < limit->limit ? (int64_t)(limit->limit - limit->used) : 0;
}

static bool is_pattern(const concurrency_limit *limit) {
  return limit->pattern != NULL && limit->limit > 0 && strcmp(limit->pattern, "*") != 0;
}

static bool is_family(const char *pattern) {
  size_t size = strlen(pattern);
  return size > 2 && strcmp(pattern + size - 2, ".*") == 0;
}

/* As LIKE takes it: of a family the star at its end is a percent sign. */
static void write_pattern(const char *pattern, char to[PATTERN_MAX]) {
  size_t size = strlen(pattern) - is_family(pattern), used = 0;
  for (size_t i = 0; i < size && used + 3 < PATTERN_MAX; i++) {
    if (strchr("\\%_", pattern[i]) != NULL) {
      to[used++] = '\\';
    }
    to[used++] = pattern[i];
  }
  if (is_family(pattern)) {
    to[used++] = '%';
  }
  to[used] = '\0';
}

static bool is_narrower(const char *pattern, const char *than) {
  return is_family(pattern) == is_family(than) ? strlen(pattern) > strlen(than) : is_family(than);
}

/* An action's own limit comes before that of its family: those that wait for a place of the
 * action's must not hide the rest of the family. Returns how many there are. */
static int list_patterns(const postgres_backend *self,
                         const concurrency_limit *list[EVENT_LIMITS_MAX]) {
  int count = 0;
  for (int i = 0; i < self->limits.count; i++) {
    const concurrency_limit *limit = &self->limits.list[i];
    if (is_pattern(limit)) {
      int at = count++;
      for (; at > 0 && is_narrower(limit->pattern, list[at - 1]->pattern); at--) {
        list[at] = list[at - 1];
      }
      list[at] = limit;
    }
  }
  return count;
}

static void add_patterns(postgres_backend *self) {
  char text[PATTERN_MAX];
  const concurrency_limit *list[EVENT_LIMITS_MAX];
  int count = list_patterns(self, list);
  values_begin_array(&self->values, VALUES_TEXT);
  for (int i = 0; i < count; i++) {
    write_pattern(list[i]->pattern, text);
    values_add_text_element(&self->values, text);
  }
  values_add_text_element(&self->values, "%");
}

static bool is_of_all(const concurrency_limit *limit) {
  return limit->pattern != NULL && limit->limit > 0 && !is_pattern(limit);
}

static void add_limits(postgres_backend *self) {
  size_t all = 0;
  const concurrency_limit *list[EVENT_LIMITS_MAX];
  int count = list_patterns(self, list);
  for (int i = 0; i < self->limits.count; i++) {
    all = is_of_all(&self->limits.list[i]) ? self->limits.list[i].limit : all;
  }
  values_begin_array(&self->values, VALUES_INTEGER);
  for (int i = 0; i < count; i++) {
    values_add_integer_element(&self->values, (int64_t)list[i]->limit);
  }
  values_add_integer_element(&self->values, (int64_t)all);
}

static bool has_limits(const postgres_backend *self) {
  bool has_any = false;
  for (int i = 0; i < self->limits.count; i++) {
    has_any = has_any || is_pattern(&self->limits.list[i]) || is_of_all(&self->limits.list[i]);
  }
  return has_any;
}

static size_t max_leases(const postgres_backend *self) {
  size_t max = self->batch->leases;
  for (int i = 0; i < self->limits.count; i++) {
    const concurrency_limit *limit = &self->limits.list[i];
    if (is_of_all(limit) && (size_t)places_left(limit) < max) {
      max = (size_t)places_left(limit);
    }
  }
  return max;
}

/* ---- Timers ---- */

static void add_timer_names(postgres_backend *self, bool with_running) {
  values_begin_array(&self->values, VALUES_TEXT);
  for (const event_timer *timer = self->timers.first; timer != NULL; timer = timer->next) {
    if (timer->is_registered && (with_running || !timer->is_running)) {
      values_add_text_element(&self->values, timer->name);
    }
  }
}

static void send_timers(postgres_backend *self, size_t max) {
  if (self->timers.first == NULL) {
    return;
  }
  if (self->timers.is_stale) {
    add_timer_names(self, true);
    values_begin_array(&self->values, VALUES_INTEGER);
    for (const event_timer *timer = self->timers.first; timer != NULL; timer = timer->next) {
      if (timer->is_registered) {
        values_add_integer_element(&self->values, timer->interval);
      }
    }
    link_send(&self->link, STATEMENT_TIMER_STORE, &self->values);
  }
  values_add_integer(&self->values, self->host);
  add_timer_names(self, false);
  values_add_integer(&self->values, (int64_t)max);
  link_send(&self->link, STATEMENT_TIMER_LEASE, &self->values);
}

/* ---- The transaction ---- */

static void send_lease(postgres_backend *self, size_t max) {
  values *to = &self->values;
  if (max > 0 && has_limits(self)) {
    link_send(&self->link, STATEMENT_LOCK_LIMITS, NULL);
  }
  values_add_integer(to, self->host);
  values_add_integer(to, (int64_t)max);
  add_patterns(self);
  add_limits(self);
  self->retries_last = !self->retries_last;
  values_add_integer(to, self->retries_last ? -1 : 1);
  postgres_add_accounts(self);
  postgres_add_finished(self);
  link_send(&self->link, STATEMENT_LEASE, to);
}

/* What is finished in the transaction before this one has its places left already. */
static void count_finished(postgres_backend *self,
                           void (*count)(concurrency_limits *limits, concurrency_limit_set set)) {
  for (const event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    count(&self->limits, f->limits);
  }
}

void postgres_send_leases(postgres_backend *self) {
  lease_state *lease = &self->lease;
  postgres_forget_leases(self);
  self->has_notice = false; /* this transaction will see what it is of */
  count_finished(self, concurrency_release);
  *lease = (lease_state){.is_sent = true, .end = &lease->grants, .due_in = INT64_MAX};
  lease->limit = max_leases(self);
  link_send(&self->link, STATEMENT_BEGIN, NULL);
  values_add_integer(&self->values, self->host);
  values_add_integer(&self->values, self->epoch);
  link_send(&self->link, STATEMENT_BEGIN_LEASE, &self->values);
  if (lease->limit > 0) {
    send_timers(self, lease->limit);
  }
  if (lease->limit > 0 || self->write.is_sent) {
    send_lease(self, lease->limit);
  }
  add_timer_names(self, false);
  link_send(&self->link, STATEMENT_LOOK, &self->values);
  if (self->write.is_sent) {
    link_send(&self->link, STATEMENT_NOTIFY, NULL);
  }
  link_send(&self->link, STATEMENT_COMMIT, NULL);
  link_sync(&self->link);
  count_finished(self, concurrency_take);
}

/* ---- Its result ---- */

static void append(postgres_backend *self, event_grant *grant) {
  lease_state *lease = &self->lease;
  if (grant == NULL) { /* the next connection releases what is not known here */
    self->link.is_lost = true;
    return;
  }
  grant->finish->owner = self->host;
  *lease->end = grant;
  lease->end = &grant->next;
  lease->granted++;
}

static void take_events(postgres_backend *self, const PGresult *rows) {
  enum {
    ID,
    ATTEMPTS,
    REPLAYS,
    RECEIVED_AT,
    BODY,
    ACTION,
    TRACEPARENT,
    REQUEST_ID
  };
  const libpq *pq = self->pq;
  for (int i = 0; i < pq->ntuples(rows); i++) {
    event_grant *grant = event_grant_new(&(event_grant_source){
        .id = values_integer(pq, rows, i, ID),
        .action = pq->getvalue(rows, i, ACTION),
        .trace = {values_text(pq, rows, i, TRACEPARENT), values_text(pq, rows, i, REQUEST_ID)},
        .body = values_text(pq, rows, i, BODY),
        .body_size = (size_t)pq->getlength(rows, i, BODY)});
    if (grant != NULL) {
      grant->is_lost = values_text(pq, rows, i, BODY) == NULL;
      grant->lease.attempt = grant->finish->attempt = (int)values_integer(pq, rows, i, ATTEMPTS);
      grant->lease.replay = grant->finish->replay = (int)values_integer(pq, rows, i, REPLAYS);
      grant->lease.received_at = values_integer(pq, rows, i, RECEIVED_AT);
    }
    append(self, grant);
  }
}

static void take_timers(postgres_backend *self, const PGresult *rows) {
  for (int i = 0; i < self->pq->ntuples(rows); i++) {
    const char *name = self->pq->getvalue(rows, i, 0);
    const event_timer *timer = self->timers.first;
    while (timer != NULL && strcmp(timer->name, name) != 0) {
      timer = timer->next;
    }
    if (timer != NULL) {
      append(self, event_grant_new(&(event_grant_source){.id = -timer->id,
                                                         .action = "",
                                                         .body = timer->name,
                                                         .body_size = strlen(timer->name)}));
    }
  }
}

static void take_look(postgres_backend *self, const PGresult *rows) {
  lease_state *lease = &self->lease;
  if (self->pq->ntuples(rows) == 1) {
    bool is_any_due = !self->pq->getisnull(rows, 0, 0);
    lease->due_in = is_any_due ? values_integer(self->pq, rows, 0, 0) : INT64_MAX;
    lease->has_ready = values_integer(self->pq, rows, 0, 1) != 0;
    lease->has_behind = values_integer(self->pq, rows, 0, 2) != 0;
  }
}

void postgres_take_lease(postgres_backend *self, statement_id id, const PGresult *result) {
  if (id == STATEMENT_SYNC) {
    return;
  }
  if (!postgres_is_ok(self, result)) {
    postgres_note_failure(self, &self->lease.failure, result);
    return;
  }
  switch (id) {
  case STATEMENT_TIMER_LEASE:
    take_timers(self, result);
    break;
  case STATEMENT_LEASE:
    take_events(self, result);
    break;
  case STATEMENT_LOOK:
    take_look(self, result);
    break;
  case STATEMENT_COMMIT:
    self->lease.is_committed = true;
    break;
  default:
    break;
  }
}

void postgres_forget_leases(postgres_backend *self) {
  event_grants_free(self->lease.grants, true);
  self->lease = (lease_state){.is_sent = false};
}

/* ---- After its commit ---- */

static void start_timer(postgres_backend *self, int64_t id) {
  for (event_timer *timer = self->timers.first; timer != NULL; timer = timer->next) {
    timer->is_running = timer->is_running || timer->id == id;
  }
}

/* False: it is too many, by a limit that has come up since it was asked for. */
static bool hold(postgres_backend *self, event_grant *grant) {
  event_finish *finish = grant->finish;
  if (finish->id < 0) {
    start_timer(self, -finish->id);
    return true;
  }
  if (!held_leases_add(&self->held, finish)) {
    self->link.is_lost = true; /* as without memory for the grant */
  }
  concurrency_limit_set limits = concurrency_of(&self->limits, finish->action);
  if (concurrency_find_exhausted(&self->limits, limits) >= 0) {
    return false;
  }
  finish->limits = limits;
  concurrency_take(&self->limits, limits);
  return true;
}

static void release(postgres_backend *self, event_grant *grant) {
  grant->finish->kind = EVENT_OUTCOME_RELEASED;
  grant->finish->next = self->surplus;
  self->surplus = grant->finish;
  free(grant);
}

static void hand_over_one(postgres_backend *self, event_grant ***end, event_grant *grant) {
  grant->next = NULL;
  if (hold(self, grant)) {
    **end = grant;
    *end = &grant->next;
  } else {
    release(self, grant);
  }
}

static void hand_over(postgres_backend *self) {
  event_grant **end = &self->batch->grants, *grant, *next;
  while ((grant = held_leases_take_ready(&self->held)) != NULL) {
    hand_over_one(self, &end, grant);
  }
  for (grant = self->lease.grants; grant != NULL; grant = next) {
    next = grant->next;
    if (grant->finish->id < 0 || !held_leases_keep(&self->held, grant)) {
      hand_over_one(self, &end, grant);
    }
  }
  self->lease.grants = NULL;
  self->link.is_lost = self->link.is_lost || self->held.is_incomplete;
  self->held.is_incomplete = false;
}

static void plan_next(postgres_backend *self) {
  const lease_state *lease = &self->lease;
  bool was_full = lease->granted >= lease->limit;
  int64_t due_in = lease->due_in;
  self->may_be_ready = self->has_notice || (was_full && lease->has_ready);
  if (lease->limit > 0 && !was_full && due_in <= 0) {
    due_in = DUE_AGAIN_MS;
  }
  self->has_waiting = lease->has_ready || lease->has_behind;
  self->batch->next_due = due_in == INT64_MAX ? INT64_MAX : clock_unix_ms() + due_in;
}

void postgres_end_leases(postgres_backend *self) {
  if (self->lease.is_committed) {
    if (self->lease.limit > 0) {
      self->timers.is_stale = false;
    }
    plan_next(self);
    hand_over(self);
  } else if (self->lease.is_sent) {
    self->may_be_ready = true;
    self->lease_after = clock_steady_ms() + CONFLICT_MS;
    self->batch->next_due = clock_unix_ms() + CONFLICT_MS;
    if (self->write.is_sent) { /* whose accounts' next events were not looked for */
      self->upkeep_at = 0;
    }
  }
  postgres_forget_leases(self);
}
