/* Checks the chain of the ledger of decisions, beside whoever serves from its database. */
#include "decisions.h"

#include "ledger_reader.h"
#include "store/postgres/url.h"

#include <stdlib.h>
#include <string.h>

#define REMOVED_ROOM 256

/* The entry before the one that is looked at. */
typedef struct {
  int64_t number;
  bool is_sound; /* its hash is that of its fields */
  unsigned char hash[LEDGER_DIGEST_SIZE], previous[LEDGER_DIGEST_SIZE];
} prior_entry;

/* A decision without data. */
typedef struct {
  int64_t number;
  bool is_explained; /* an entry says that it was removed */
} removed_data;

typedef struct {
  ledger_reader *reader;
  ledger_visit each;
  void *context;
  ledger_report *report;
  const char *expected; /* NULL: nothing is */
  int64_t expected_number;
  bool was_expected_seen;
  ledger_state state; /* as this transaction sees it */
  int64_t from;       /* the first number that was not looked at */
  int64_t next;       /* the number that the next entry should have */
  prior_entry prior;
  ledger_entry cut;      /* the last entry of LEDGER_ENTRIES_DELETED; kind 0: none was seen */
  removed_data *removed; /* in the order of their numbers */
  size_t removed_count, removed_room;
  int count; /* of this chunk */
  bool has_memory;
} ledger_check;

static void report(ledger_check *check, ledger_problem_kind kind, int64_t number, int64_t other) {
  const ledger_problem problem = {.kind = kind, .number = number, .other = other};
  if (check->report->problems < LEDGER_PROBLEMS_MAX) {
    check->each(check->context, &problem);
  }
  check->report->problems++;
}

static bool is_same(const unsigned char *one, const unsigned char *other) {
  return memcmp(one, other, LEDGER_DIGEST_SIZE) == 0;
}

/* ---- Entries that are not in their place ---- */

static int64_t beside(int64_t number, int64_t by) {
  return ledger_is_number(number) ? number + by : 0;
}

/* Under which number the entry has its hash; 0: none is found. */
static int64_t find_place(const ledger_check *check, const ledger_entry *entry) {
  ledger_reader *reader = check->reader;
  const int64_t places[] = {
      entry->number - 1,
      entry->number + 1,
      check->state.first,
      beside(reader->class->find_hash(reader, entry->previous), 1),
      beside(reader->class->find_previous(reader, entry->hash), -1),
  };
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    ledger_entry moved = *entry;
    unsigned char hash[LEDGER_DIGEST_SIZE];
    moved.number = places[i];
    if (places[i] > 0 && places[i] != entry->number && ledger_entry_hash(&moved, hash) &&
        is_same(hash, entry->hash)) {
      return places[i];
    }
  }
  return 0;
}

/* ---- One entry ---- */

static bool is_data_sound(ledger_check *check, const ledger_row *row) {
  unsigned char digest[LEDGER_DIGEST_SIZE];
  char *rows = NULL, *details = NULL;
  size_t rows_size, details_size;
  const ledger_data *data = &row->data;
  check->has_memory =
      ledger_data_digest(data, digest) &&
      ledger_unpack(data->rows.data, data->rows.size, LEDGER_ROWS_MAX, &rows, &rows_size) &&
      ledger_unpack(data->details.data, data->details.size, LEDGER_TEXT_MAX, &details,
                    &details_size);
  bool is_sound = check->has_memory && is_same(digest, row->entry.data_digest) && rows != NULL &&
                  details != NULL && ledger_digest(rows, rows_size, digest) &&
                  is_same(digest, row->entry.rows_digest);
  free(rows);
  free(details);
  return is_sound;
}

static void add_removed(ledger_check *check, int64_t number) {
  if (check->removed_count == check->removed_room) {
    size_t room = check->removed_room > 0 ? 2 * check->removed_room : REMOVED_ROOM;
    removed_data *grown = realloc(check->removed, room * sizeof *grown);
    check->has_memory = grown != NULL;
    if (grown == NULL) {
      return;
    }
    check->removed = grown;
    check->removed_room = room;
  }
  check->removed[check->removed_count++] = (removed_data){.number = number};
}

static int compare_numbers(const void *one, const void *other) {
  const removed_data *a = one, *b = other;
  return (a->number > b->number) - (a->number < b->number);
}

static void mark_removed(ledger_check *check, int64_t number) {
  const removed_data key = {.number = number};
  removed_data *found =
      check->removed_count == 0
          ? NULL
          : bsearch(&key, check->removed, check->removed_count, sizeof key, compare_numbers);
  if (found != NULL) {
    found->is_explained = true;
  }
}

static bool check_data(ledger_check *check, const ledger_row *row) {
  if (row->entry.kind != LEDGER_DECISION) {
    return !row->has_data;
  }
  check->report->decisions++;
  if (row->has_data) {
    return is_data_sound(check, row);
  }
  check->report->removed++;
  add_removed(check, row->entry.number);
  return true;
}

/* The link to the one before is judged only if that is sound by itself. An entry that is in the
 * place of another may show that the one before was inserted. */
static void check_link(ledger_check *check, const ledger_entry *entry, bool is_in_place) {
  const prior_entry *prior = &check->prior;
  if (prior->number != entry->number - 1 || !prior->is_sound ||
      is_same(entry->previous, prior->hash)) {
    return;
  }
  if (prior->number >= check->state.first && is_same(entry->previous, prior->previous)) {
    report(check, LEDGER_INSERTED, prior->number, 0);
  } else if (is_in_place) {
    report(check, LEDGER_UNLINKED, entry->number, 0);
  }
}

static void check_expected(ledger_check *check, const ledger_entry *entry) {
  char hash[LEDGER_HEX_SIZE];
  ledger_hex(entry->hash, hash);
  if (check->expected != NULL && entry->number == check->expected_number) {
    check->was_expected_seen = true;
    if (strcmp(hash, check->expected) != 0) {
      report(check, LEDGER_EXPECTED, entry->number, 0);
    }
  }
}

static void check_content(ledger_check *check, const ledger_row *row) {
  const ledger_entry *entry = &row->entry;
  unsigned char hash[LEDGER_DIGEST_SIZE];
  check->has_memory = ledger_entry_hash(entry, hash);
  bool is_sound = check->has_memory && !row->is_damaged && is_same(hash, entry->hash);
  int64_t place = is_sound ? entry->number : find_place(check, entry);
  if (!is_sound) {
    report(check, place > 0 ? LEDGER_MOVED : LEDGER_CHANGED, entry->number, place);
  }
  bool is_data_whole = check_data(check, row);
  if (is_sound && !is_data_whole && check->has_memory) {
    report(check, LEDGER_CHANGED, entry->number, 0);
  }
  if (place > 0) {
    check_link(check, entry, is_sound);
  }
  if (is_sound && entry->kind == LEDGER_DATA_REMOVED) {
    mark_removed(check, entry->subject);
  } else if (is_sound && entry->kind == LEDGER_ENTRIES_DELETED) {
    check->cut = *entry;
  }
  check->prior = (prior_entry){.number = entry->number, .is_sound = is_sound};
  memcpy(check->prior.hash, entry->hash, LEDGER_DIGEST_SIZE);
  memcpy(check->prior.previous, entry->previous, LEDGER_DIGEST_SIZE);
}

static void check_row(ledger_check *check, const ledger_row *row) {
  int64_t number = row->entry.number;
  check->from = number < INT64_MAX ? number + 1 : number;
  if (number < check->state.first || number > check->state.last) {
    report(check, LEDGER_INSERTED, number, 0);
    return;
  }
  if (number > check->next) {
    report(check, LEDGER_MISSING, check->next, number - 1);
  }
  check->next = number + 1;
  check_expected(check, &row->entry);
  check_content(check, row);
}

/* ---- The end ---- */

/* Without the ledger's own row, that of the last entry there is. */
static int64_t last_number(const ledger_check *check) {
  return check->state.is_there              ? check->state.last
         : check->next > check->state.first ? check->next - 1
                                            : 0;
}

static void check_head(ledger_check *check) {
  const ledger_state *state = &check->state;
  if (!state->is_there) {
    report(check, LEDGER_HEAD, last_number(check), 0);
  } else if (check->next <= state->last) {
    report(check, LEDGER_MISSING, check->next, state->last);
  } else if (check->prior.is_sound && !is_same(check->prior.hash, state->head)) {
    report(check, LEDGER_HEAD, state->last, 0);
  }
  if (state->first > 1 && (check->cut.kind == 0 || check->cut.subject != state->first - 1 ||
                           !is_same(check->cut.rows_digest, state->before))) {
    report(check, LEDGER_CUT, state->first, 0);
  }
  if (check->expected != NULL && !check->was_expected_seen) {
    report(check, LEDGER_EXPECTED, check->expected_number, 0);
  }
}

/* Of those that are still there: what the service has deleted since they were looked at took with
 * it the entries that may have said why. */
static void check_removed(ledger_check *check) {
  for (size_t i = 0; i < check->removed_count; i++) {
    const removed_data *removed = &check->removed[i];
    if (!removed->is_explained && removed->number >= check->state.first) {
      report(check, LEDGER_NOT_REMOVED, removed->number, 0);
    }
  }
  int64_t orphan;
  if (check->report->problems == 0 && check->reader->class->find_orphan(check->reader, &orphan)) {
    report(check, LEDGER_INSERTED, orphan, 0);
  }
}

/* ---- All of them ---- */

/* The service may have deleted entries, and added others, since the chunk before. */
static bool read_state(ledger_check *check) {
  ledger_state *state = &check->state;
  if (!check->reader->class->state(check->reader, state)) {
    return false;
  }
  if (!state->is_there) {
    state->last = INT64_MAX - 1;
  }
  if (state->first > check->next) {
    check->next = state->first;
    check->prior = (prior_entry){.number = state->first - 1, .is_sound = true};
    memcpy(check->prior.hash, state->before, LEDGER_DIGEST_SIZE);
  }
  return true;
}

static bool on_row(void *context, const ledger_row *row) {
  ledger_check *check = context;
  check_row(check, row);
  check->count++;
  return check->has_memory;
}

/* `*is_last`: there are no more of them, or enough problems. */
static bool check_chunk(ledger_check *check, bool *is_last) {
  ledger_reader *reader = check->reader;
  check->count = 0;
  if (!read_state(check) || !reader->class->read(reader, check->from, on_row, check)) {
    return false;
  }
  bool is_full = check->report->problems > LEDGER_PROBLEMS_MAX;
  *is_last = is_full || !check->has_memory || check->count < reader->class->chunk;
  if (*is_last && !is_full && check->has_memory) {
    check_head(check);
    check_removed(check);
  }
  return true;
}

static bool check_all(ledger_check *check, host_error *error) {
  ledger_reader *reader = check->reader;
  bool ok = true, is_last = false;
  while (ok && !is_last) {
    ok = reader->class->begin(reader) && check_chunk(check, &is_last);
    ok = ok || reader->class->fail(reader, error);
    reader->class->end(reader);
  }
  return ok && (check->has_memory || host_error_set(error, HOST_FAILED, "out of memory"));
}

bool decision_verify(const char *path, int64_t number, const char *expected, ledger_visit each,
                     void *context, ledger_report *result, host_error *error) {
  *result = (ledger_report){.first = 1};
  ledger_check check = {.each = each,
                        .context = context,
                        .report = result,
                        .expected = expected,
                        .expected_number = number,
                        .from = INT64_MIN,
                        .next = INT64_MIN,
                        .has_memory = true};
  bool is_open = postgres_is_url(path) ? ledger_reader_open_server(path, &check.reader, error)
                                       : ledger_reader_open_file(path, &check.reader, error);
  if (!is_open || check.reader == NULL) {
    return is_open;
  }
  bool ok = check_all(&check, error);
  if (check.state.first > 0) { /* it was read */
    result->first = check.state.first;
    result->last = last_number(&check);
    ledger_hex(check.state.is_there ? check.state.head : check.prior.hash, result->head);
  }
  free(check.removed);
  check.reader->class->close(check.reader);
  return ok;
}
