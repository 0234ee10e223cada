/* Sends the recorded responses of ended events to PostgreSQL. */
#include "internal.h"

static bool has_recording(const event_finish *finish) {
  return finish->id > 0 && finish->recording != NULL &&
         (finish->kind == EVENT_OUTCOME_DONE || finish->kind == EVENT_OUTCOME_DEAD);
}

typedef int64_t integer_of(const event_finish *finish, const recording_parts *parts);

static int64_t id_of(const event_finish *finish, const recording_parts *parts) {
  (void)parts;
  return finish->id;
}

static int64_t attempt_of(const event_finish *finish, const recording_parts *parts) {
  (void)parts;
  return finish->attempt;
}

static int64_t replay_of(const event_finish *finish, const recording_parts *parts) {
  (void)parts;
  return finish->replay;
}

static int64_t started_of(const event_finish *finish, const recording_parts *parts) {
  (void)finish;
  return parts->started_at;
}

static int64_t decided_of(const event_finish *finish, const recording_parts *parts) {
  (void)parts;
  return finish->kind == EVENT_OUTCOME_DONE && finish->decision != NULL;
}

static int64_t size_of(const event_finish *finish, const recording_parts *parts) {
  (void)finish;
  return (int64_t)parts->size;
}

static int64_t state_of(const event_finish *finish, const recording_parts *parts) {
  (void)finish;
  return parts->state;
}

static void add_integers(postgres_backend *self, const event_finish *first, integer_of *of) {
  values_begin_array(&self->values, VALUES_INTEGER);
  for (const event_finish *f = first; f != NULL; f = f->next) {
    if (has_recording(f)) {
      const recording_parts parts = event_recording_parts(f->recording);
      values_add_integer_element(&self->values, of(f, &parts));
    }
  }
}

static void add_responses(postgres_backend *self, const event_finish *first) {
  values_begin_array(&self->values, VALUES_BYTES);
  for (const event_finish *f = first; f != NULL; f = f->next) {
    if (has_recording(f)) {
      const recording_parts parts = event_recording_parts(f->recording);
      values_add_element(&self->values, parts.packed_size > 0 ? parts.packed : "",
                         parts.packed_size);
    }
  }
}

void postgres_send_recordings(postgres_backend *self) {
  static integer_of *const integers[] = {id_of,      attempt_of, replay_of, started_of,
                                         decided_of, size_of,    state_of};
  const event_finish *first = self->batch->finishes;
  while (first != NULL && !has_recording(first)) {
    first = first->next;
  }
  if (first == NULL) {
    return;
  }
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
    add_integers(self, first, integers[i]);
  }
  add_responses(self, first);
  link_send(&self->link, STATEMENT_RECORD, &self->values);
}
