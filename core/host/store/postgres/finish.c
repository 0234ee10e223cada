/* Sends the ends of leases to PostgreSQL, and says which of them had expired. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert(EVENT_OUTCOME_DONE == 0 && EVENT_OUTCOME_RETRY == 1 && EVENT_OUTCOME_DEAD == 2 &&
                   EVENT_OUTCOME_RELEASED == 3 && EVENT_ATTEMPT_INTERRUPTED == 3,
               "statements know them by these numbers");

static bool is_event(const event_finish *finish) {
  return finish->id > 0;
}

static bool is_timer(const event_finish *finish) {
  return finish->id < 0;
}

static bool has_notice(const event_finish *finish) {
  return finish->id > 0 && finish->kind == EVENT_OUTCOME_DEAD && finish->notice != NULL;
}

static bool is_dead(const event_finish *finish) {
  return finish->id > 0 && finish->kind == EVENT_OUTCOME_DEAD;
}

static size_t count_finishes(const postgres_backend *self,
                             bool (*is_one)(const event_finish *finish)) {
  size_t count = 0;
  for (const event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    count += is_one(f);
  }
  return count;
}

typedef int64_t integer_of(const postgres_backend *self, const event_finish *finish);

static void add_integers(postgres_backend *self, bool (*is_one)(const event_finish *finish),
                         integer_of *of) {
  values_begin_array(&self->values, VALUES_INTEGER);
  for (const event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    if (is_one(f)) {
      values_add_integer_element(&self->values, of(self, f));
    }
  }
}

static int64_t id_of(const postgres_backend *self, const event_finish *finish) {
  (void)self;
  return finish->id;
}

static int64_t owner_of(const postgres_backend *self, const event_finish *finish) {
  (void)self;
  return finish->owner;
}

static int64_t kind_of(const postgres_backend *self, const event_finish *finish) {
  (void)self;
  return finish->kind;
}

/* The server's clock says when it is over, by its own time. */
static int64_t delay_of(const postgres_backend *self, const event_finish *finish) {
  int64_t delay = finish->retry_at - self->batch->now;
  delay = delay < EVENT_LONGEST_WAIT_MS ? delay : EVENT_LONGEST_WAIT_MS;
  return finish->kind == EVENT_OUTCOME_RETRY && delay > 0 ? delay : 0;
}

static int64_t attempt_of(const postgres_backend *self, const event_finish *finish) {
  (void)self;
  return finish->attempt;
}

static int64_t replay_of(const postgres_backend *self, const event_finish *finish) {
  (void)self;
  return finish->replay;
}

static int64_t start_of(const postgres_backend *self, const event_finish *finish) {
  (void)self;
  return finish->has_started;
}

static int64_t started_of(const postgres_backend *self, const event_finish *finish) {
  (void)self;
  return finish->started_at;
}

static int64_t duration_of(const postgres_backend *self, const event_finish *finish) {
  (void)self;
  return finish->duration;
}

static int64_t left_out_of(const postgres_backend *self, const event_finish *finish) {
  (void)self;
  return finish->lines_left_out;
}

static const char *error_of(const event_finish *finish) {
  return finish->error;
}

static const char *lines_of(const event_finish *finish) {
  return finish->lines;
}

static void add_finish_texts(postgres_backend *self,
                             const char *(*text_of)(const event_finish *finish)) {
  values_begin_array(&self->values, VALUES_TEXT);
  for (const event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    if (is_event(f)) {
      values_add_text_element(&self->values, text_of(f));
    }
  }
}

static void send_event_finishes(postgres_backend *self) {
  add_integers(self, is_event, id_of);
  add_integers(self, is_event, owner_of);
  add_integers(self, is_event, kind_of);
  add_integers(self, is_event, delay_of);
  add_finish_texts(self, error_of);
  add_integers(self, is_event, attempt_of);
  add_integers(self, is_event, replay_of);
  add_integers(self, is_event, started_of);
  add_integers(self, is_event, duration_of);
  add_finish_texts(self, lines_of);
  add_integers(self, is_event, left_out_of);
  link_send(&self->link, STATEMENT_FINISH, &self->values);
}

static void send_notices(postgres_backend *self) {
  values *to = &self->values;
  add_integers(self, has_notice, id_of);
  values_begin_array(to, VALUES_BYTES);
  for (const event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    if (has_notice(f)) {
      values_add_element(to, f->notice, f->notice_size);
    }
  }
  values_add_integer(to, self->batch->now);
  link_send(&self->link, STATEMENT_NOTICE, to);
}

static void send_deaths(postgres_backend *self) {
  add_integers(self, is_dead, id_of);
  link_send(&self->link, STATEMENT_DEATHS, &self->values);
}

static event_timer *timer_of(const postgres_backend *self, const event_finish *finish) {
  event_timer *timer = self->timers.first;
  while (timer != NULL && timer->id != -finish->id) {
    timer = timer->next;
  }
  return timer;
}

static void send_timer_ends(postgres_backend *self) {
  values_begin_array(&self->values, VALUES_TEXT);
  for (const event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    if (is_timer(f)) {
      const event_timer *timer = timer_of(self, f);
      values_add_text_element(&self->values, timer != NULL ? timer->name : NULL);
    }
  }
  add_integers(self, is_timer, owner_of);
  add_integers(self, is_timer, start_of);
  link_send(&self->link, STATEMENT_TIMER_END, &self->values);
}

size_t postgres_count_finishes(const postgres_backend *self) {
  return count_finishes(self, is_event);
}

void postgres_send_finishes(postgres_backend *self) {
  if (count_finishes(self, is_event) > 0) {
    send_event_finishes(self);
  }
  if (count_finishes(self, has_notice) > 0) {
    send_notices(self);
  }
  if (self->options.alert_window > 0 && count_finishes(self, is_dead) > 0) {
    send_deaths(self);
  }
  if (count_finishes(self, is_timer) > 0) {
    send_timer_ends(self);
  }
}

void postgres_add_finished(postgres_backend *self) {
  add_integers(self, is_event, id_of);
}

/* ---- What has become of them ---- */

void postgres_take_finished(postgres_backend *self, const PGresult *rows) {
  for (int i = 0; i < self->pq->ntuples(rows); i++) {
    self->write.matched[self->write.matched_count++] = values_integer(self->pq, rows, i, 0);
  }
}

static int compare_ids(const void *a, const void *b) {
  const int64_t *left = a, *right = b;
  return *left < *right ? -1 : *left > *right;
}

static bool was_finished(const write_state *write, int64_t id) {
  return write->matched_count > 0 &&
         bsearch(&id, write->matched, write->matched_count, sizeof id, compare_ids) != NULL;
}

static void log_fenced(const postgres_backend *self, size_t count, int64_t id) {
  char line[200];
  if (count == 0) {
    return;
  }
  (void)snprintf(line, sizeof line,
                 "leases had expired, as of event %lld: what the handlers of %zu events ended "
                 "with changes nothing",
                 (long long)id, count);
  postgres_log(self, true, line);
}

static void end_finish(postgres_backend *self, event_finish *finish) {
  if (is_timer(finish)) {
    event_timer *timer = timer_of(self, finish);
    if (timer != NULL) {
      timer->is_running = false;
    }
    return;
  }
  held_leases_remove(&self->held, finish);
  concurrency_release(&self->limits, finish->limits);
  finish->is_fenced = !was_finished(&self->write, finish->id);
}

void postgres_end_finishes(postgres_backend *self) {
  size_t fenced = 0;
  int64_t first = 0;
  if (self->write.matched_count > 0) {
    qsort(self->write.matched, self->write.matched_count, sizeof(int64_t), compare_ids);
  }
  for (event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    end_finish(self, f);
    if (f->is_fenced && !f->is_repeated) {
      first = fenced++ == 0 ? f->id : first;
    }
  }
  log_fenced(self, fenced, first);
}
