/* Looks for texts in all tables at PostgreSQL. */
#include "server_forget.h"
#include "server_query.h"

#include <stdio.h>
#include <string.h>

/* Every column of texts or bytes; of others nothing can be in a text. */
static const char columns_text[] =
    "SELECT c.relname || '.' || a.attname, c.oid::regclass::text, CASE WHEN a.atttypid ="
    " 'bytea'::regtype THEN format('%I || decode('''', ''hex'')', a.attname)"
    " ELSE format('convert_to(%I::text, ''UTF8'')', a.attname) END"
    " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
    " WHERE c.relkind = 'r' AND c.relnamespace = 'palenca'::regnamespace AND a.attnum > 0"
    " AND NOT a.attisdropped AND a.atttypid IN ('bytea'::regtype, 'text'::regtype,"
    " 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype, 'text[]'::regtype)"
    " ORDER BY c.oid, a.attnum";

static const char table_count_text[] = "SELECT count(*) FROM pg_class WHERE relkind = 'r'"
                                       " AND relnamespace = 'palenca'::regnamespace";

typedef struct {
  server_query query;
  const event_search_text *texts;
  size_t count;
  event_search_found each;
  void *context;
  event_search_report *report;
} search;

static bool add(palenca_buffer *to, const char *text) {
  return palenca_buffer_append(to, text, strlen(text));
}

/* A row with how many rows have each of the texts, read once. */
static bool write_query(const search *s, const char *table, const char *column,
                        palenca_buffer *text) {
  bool ok = add(text, "SELECT ");
  for (size_t i = 1; ok && i <= s->count; i++) {
    char count[120];
    (void)snprintf(count, sizeof count,
                   "%scount(*) FILTER (WHERE position(($1::bytea[])[%zu] IN bytes) > 0)",
                   i > 1 ? ", " : "", i);
    ok = add(text, count);
  }
  return ok && add(text, " FROM (SELECT ") && add(text, column) && add(text, " AS bytes FROM ") &&
         add(text, table) && add(text, " OFFSET 0) AS read") && palenca_buffer_append(text, "", 1);
}

static void report_column(search *s, const char *name, const PGresult *row) {
  for (size_t i = 0; i < s->count && s->report->found < EVENT_SEARCH_FOUND_MAX; i++) {
    int64_t rows = server_query_integer(&s->query, row, 0, (int)i);
    if (rows > 0) {
      s->report->found++;
      s->each(s->context, name, rows, i);
    }
  }
}

static bool search_column(search *s, const PGresult *columns, int at) {
  palenca_buffer text = {.data = NULL};
  values_begin_array(&s->query.parameters, VALUES_BYTES);
  for (size_t i = 0; i < s->count; i++) {
    values_add_element(&s->query.parameters, s->texts[i].data, s->texts[i].size);
  }
  bool has_memory = write_query(s, server_query_text(&s->query, columns, at, 1),
                                server_query_text(&s->query, columns, at, 2), &text);
  PGresult *row = has_memory ? server_query_run(&s->query, text.data) : NULL;
  if (row != NULL) {
    report_column(s, server_query_text(&s->query, columns, at, 0), row);
  }
  palenca_buffer_free(&text);
  s->query.pq->clear(row);
  return row != NULL;
}

static bool search_columns(search *s) {
  PGresult *columns = server_query_run(&s->query, columns_text);
  bool ok = columns != NULL;
  for (int i = 0; ok && s->count > 0 && i < s->query.pq->ntuples(columns); i++) {
    ok = search_column(s, columns, i);
  }
  s->query.pq->clear(columns);
  return ok;
}

static bool measure(search *s) {
  PGresult *row = server_query_run(&s->query, table_count_text);
  s->report->files = row != NULL ? server_query_integer(&s->query, row, 0, 0) : 0;
  s->query.pq->clear(row);
  return row != NULL && server_query_size(&s->query, &s->report->bytes);
}

bool server_forget_search(const char *url, const event_search_text *texts, size_t count,
                          event_search_found each, void *context, event_search_report *report,
                          host_error *error) {
  search s = {.texts = texts, .count = count, .each = each, .context = context, .report = report};
  *report = (event_search_report){.files = 0};
  if (!server_query_open(&s.query, url, error)) {
    return false;
  }
  bool ok = (search_columns(&s) && measure(&s)) || server_query_fail(&s.query, url, error);
  server_query_close(&s.query);
  return ok;
}
