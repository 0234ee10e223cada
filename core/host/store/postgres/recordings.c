/* Sends the recorded responses of ended events to PostgreSQL. */
#include "internal.h"

/* Bytes of recordings from which on the rest is in another statement: PostgreSQL takes a gigabyte
 * in one, and memory for all of it. */
#define PART_SIZE ((size_t)1 << 20)

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

/* Some of the batch's finishes, from one that has a recording. */
typedef struct {
  const event_finish *first, *end;
} part;

static void add_integers(postgres_backend *self, part of, integer_of *integer) {
  values_begin_array(&self->values, VALUES_INTEGER);
  for (const event_finish *f = of.first; f != of.end; f = f->next) {
    if (has_recording(f)) {
      const recording_parts parts = event_recording_parts(f->recording);
      values_add_integer_element(&self->values, integer(f, &parts));
    }
  }
}

static void add_responses(postgres_backend *self, part of) {
  values_begin_array(&self->values, VALUES_BYTES);
  for (const event_finish *f = of.first; f != of.end; f = f->next) {
    if (has_recording(f)) {
      const recording_parts parts = event_recording_parts(f->recording);
      values_add_element(&self->values, parts.packed_size > 0 ? parts.packed : "",
                         parts.packed_size);
    }
  }
}

static void send_part(postgres_backend *self, part of) {
  static integer_of *const integers[] = {id_of,      attempt_of, replay_of, started_of,
                                         decided_of, size_of,    state_of};
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
    add_integers(self, of, integers[i]);
  }
  add_responses(self, of);
  link_send(&self->link, STATEMENT_RECORD, &self->values);
}

static part next_part(const event_finish *from) {
  size_t size = 0;
  part next = {.first = from};
  while (next.first != NULL && !has_recording(next.first)) {
    next.first = next.first->next;
  }
  for (next.end = next.first; next.end != NULL && size < PART_SIZE; next.end = next.end->next) {
    if (has_recording(next.end)) {
      size += event_recording_parts(next.end->recording).packed_size;
    }
  }
  return next;
}

void postgres_send_recordings(postgres_backend *self) {
  part next = next_part(self->batch->finishes);
  while (next.first != NULL) {
    send_part(self, next);
    next = next_part(next.end);
  }
}
