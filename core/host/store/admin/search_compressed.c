/* Looks for texts in what is compressed in a database, beside whoever serves from it. */
#include "server_query.h"
#include "text_search.h"

#include "clock.h"
#include "store/postgres/url.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/ledger.h"
#include "store/sqlite/responses.h"

#define ZLIB_CONST
#include <zlib.h>

#define SNAPSHOT_MS 20 /* of a transaction: the log grows for as long as one is open */

/* An id, and what is compressed. */
#define RESPONSES                                                                                  \
  "SELECT id, responses FROM event_responses WHERE id > ?1 AND size > 0 AND omitted = 0"           \
  " ORDER BY id"
#define DECISIONS                                                                                  \
  "SELECT number, rows, details FROM decision_data WHERE number > ?1 ORDER BY number"

/* At a server. */
#define PAGE 64 /* whose blobs are in memory */
#define SERVER_RESPONSES                                                                           \
  "SELECT id, responses FROM palenca.event_responses WHERE id > $1::bigint AND size > 0"           \
  " AND omitted = 0 ORDER BY id LIMIT $2::bigint"
#define SERVER_DECISIONS                                                                           \
  "SELECT number, rows, details FROM palenca.decision_data WHERE number > $1::bigint"              \
  " ORDER BY number LIMIT $2::bigint"

typedef struct {
  event_file file;
  server_query server;
  text_search *texts;
  bool is_found;
  z_stream inflater;
  event_compressed_found each;
  void *context;
  host_error *error;
} search;

static bool on_found(void *context, int64_t offset, size_t which) {
  search *s = context;
  (void)offset;
  (void)which;
  s->is_found = true;
  return false;
}

/* Its end is Z_STREAM_END, unless a text was found, or it is damaged. */
static int search_blob(search *s, const void *data, size_t size) {
  z_stream *inflater = &s->inflater;
  int code = inflateReset(inflater);
  inflater->next_in = data;
  inflater->avail_in = (uInt)size;
  text_search_begin(s->texts);
  while (code == Z_OK && !s->is_found) {
    inflater->next_out = (Bytef *)text_search_room(s->texts);
    inflater->avail_out = TEXT_SEARCH_PIECE;
    code = inflate(inflater, Z_NO_FLUSH);
    (void)text_search_add(s->texts, TEXT_SEARCH_PIECE - inflater->avail_out);
  }
  if (!s->is_found) {
    (void)text_search_end(s->texts);
  }
  return code;
}

static bool search_column(search *s, const void *data, size_t size, event_compressed *found) {
  int code = search_blob(s, data, size);
  if (code == Z_MEM_ERROR || (data == NULL && size > 0)) {
    return host_error_set(s->error, HOST_FAILED, "out of memory");
  }
  found->is_damaged = found->is_damaged || (!s->is_found && code != Z_STREAM_END);
  return true;
}

static bool search_row(search *s, sqlite3_stmt *row, event_compressed *found) {
  bool ok = true;
  *found = (event_compressed){.id = sqlite3_column_int64(row, 0)};
  s->is_found = false;
  for (int i = 1; ok && !s->is_found && i < sqlite3_column_count(row); i++) {
    const void *data = sqlite3_column_blob(row, i);
    ok = search_column(s, data, (size_t)sqlite3_column_bytes(row, i), found);
  }
  return ok;
}

/* Up to the next one that has a text, or is damaged, or until the transaction is to end. */
static bool search_some(search *s, sqlite3_stmt *query, event_compressed *at, bool *is_end) {
  int64_t until = clock_steady_ms() + SNAPSHOT_MS;
  int step;
  bool ok = true;
  (void)sqlite3_bind_int64(query, 1, at->id);
  do {
    step = event_file_step(query);
    ok = step != SQLITE_ROW || search_row(s, query, at);
  } while (ok && step == SQLITE_ROW && !s->is_found && !at->is_damaged &&
           clock_steady_ms() < until);
  ok = ok &&
       (step == SQLITE_ROW || step == SQLITE_DONE || event_file_fail(&s->file, "read", s->error));
  (void)sqlite3_reset(query);
  *is_end = step == SQLITE_DONE;
  return ok;
}

static bool search_table(search *s, const char *text, bool is_decision) {
  event_compressed at = {.id = INT64_MIN};
  sqlite3_stmt *query = NULL;
  bool is_end = false;
  bool ok = sqlite3_prepare_v2(s->file.db, text, -1, &query, NULL) == SQLITE_OK ||
            event_file_fail(&s->file, "read", s->error);
  while (ok && !is_end) {
    ok = search_some(s, query, &at, &is_end);
    if (ok && !is_end && (s->is_found || at.is_damaged)) {
      at.is_decision = is_decision;
      s->each(s->context, &at);
    }
  }
  (void)sqlite3_finalize(query);
  return ok;
}

static bool search_tables(search *s) {
  return (!event_responses_are_there(s->file.db) || search_table(s, RESPONSES, false)) &&
         (s->file.version < LEDGER_SCHEMA_VERSION || search_table(s, DECISIONS, true));
}

static bool search_file(search *s, const char *path) {
  if (!event_file_open_to_read(&s->file, path, s->error)) {
    return false;
  }
  bool ok = search_tables(s);
  event_file_close(&s->file);
  return ok;
}

/* ---- At a server ---- */

static bool search_server_row(search *s, const PGresult *rows, int row, event_compressed *found) {
  bool ok = true;
  *found = (event_compressed){.id = server_query_integer(&s->server, rows, row, 0)};
  s->is_found = false;
  for (int i = 1; ok && !s->is_found && i < s->server.pq->nfields(rows); i++) {
    ledger_text blob = server_query_bytes(&s->server, rows, row, i);
    ok = search_column(s, blob.data, blob.size, found);
  }
  return ok;
}

static bool search_server_table(search *s, const char *url, const char *text, bool is_decision) {
  int count = PAGE;
  bool ok = true;
  event_compressed at = {.id = INT64_MIN};
  while (ok && count == PAGE) {
    values_add_integer(&s->server.parameters, at.id);
    values_add_integer(&s->server.parameters, PAGE);
    PGresult *rows = server_query_run(&s->server, text);
    ok = rows != NULL || server_query_fail(&s->server, url, s->error);
    count = ok ? s->server.pq->ntuples(rows) : 0;
    for (int i = 0; ok && i < count; i++) {
      ok = search_server_row(s, rows, i, &at);
      at.is_decision = is_decision;
      if (ok && (s->is_found || at.is_damaged)) {
        s->each(s->context, &at);
      }
    }
    s->server.pq->clear(rows);
  }
  return ok;
}

static bool search_server(search *s, const char *url) {
  if (!server_query_open(&s->server, url, s->error)) {
    return false;
  }
  bool ok = search_server_table(s, url, SERVER_RESPONSES, false) &&
            search_server_table(s, url, SERVER_DECISIONS, true);
  server_query_close(&s->server);
  return ok;
}

bool event_store_search_compressed(const char *path, const event_search_text *texts, size_t count,
                                   event_compressed_found each, void *context, host_error *error) {
  search s = {.each = each, .context = context, .error = error};
  s.texts = text_search_new(texts, count, on_found, &s);
  bool has_memory = s.texts != NULL && inflateInit(&s.inflater) == Z_OK;
  bool ok = !has_memory             ? host_error_set(error, HOST_FAILED, "out of memory")
            : postgres_is_url(path) ? search_server(&s, path)
                                    : search_file(&s, path);
  if (has_memory) {
    (void)inflateEnd(&s.inflater);
  }
  text_search_free(s.texts);
  return ok;
}
