/* Removes events, and what is removable of decisions, at PostgreSQL. */
#include "server_forget.h"

#include "server_query.h"
#include "store/ledger/id_digest.h"

#include <string.h>

/* An event that runs is left to its handler; unless its process is gone, whose end of it then
 * changes nothing. */
static const char lock_text[] =
    "SELECT id, attempts::bigint, state::bigint FROM palenca.events AS e"
    " WHERE id = ANY ($1::bigint[]) AND (state <> 1 OR NOT EXISTS (SELECT FROM palenca.hosts AS h"
    " WHERE h.id = e.owner AND NOT h.is_dead AND h.expires_at >= clock_timestamp()))"
    " ORDER BY id FOR UPDATE";

/* What was queued for an account may have been purged since. */
#define WITHOUT_EVENT " AND NOT EXISTS (SELECT FROM palenca.events AS q WHERE q.id = m.event)"

/* Of the events that are locked; each sees what was committed before that. Themselves are the last,
 * and marks come before receipts, as where events are stored: nobody waits in a circle. A table
 * that has more of an event has its statement here. */
static const char *const removals[] = {
    "DELETE FROM palenca.reconciled WHERE event = ANY ($1::bigint[])",
    "DELETE FROM palenca.reconciled AS m USING palenca.events AS e"
    " WHERE e.id = ANY ($1::bigint[]) AND m.account_id = e.account_id" WITHOUT_EVENT,
    "DELETE FROM palenca.attempts WHERE id = ANY ($1::bigint[])",
    "DELETE FROM palenca.traces WHERE id = ANY ($1::bigint[])",
    "DELETE FROM palenca.receipts AS r USING palenca.bodies AS b"
    " WHERE b.id = ANY ($1::bigint[]) AND r.hash = b.hash AND r.event = b.id",
    "DELETE FROM palenca.event_responses WHERE id = ANY ($1::bigint[])",
    "DELETE FROM palenca.bodies WHERE id = ANY ($1::bigint[])",
    "DELETE FROM palenca.events WHERE id = ANY ($1::bigint[])",
};

static void add_list(server_query *query, const int64_t *numbers, size_t count) {
  values_begin_array(&query->parameters, VALUES_INTEGER);
  for (size_t i = 0; i < count; i++) {
    values_add_integer_element(&query->parameters, numbers[i]);
  }
}

static bool run_counting(server_query *query, const char *text, int64_t *count) {
  PGresult *row = server_query_run(query, text);
  *count = row != NULL ? server_query_integer(query, row, 0, 0) : 0;
  query->pq->clear(row);
  return row != NULL;
}

static bool remove_marks(server_query *query, const event_forget *what) {
  int64_t ignored;
  add_list(query, what->numbers, what->number_count);
  return run_counting(query,
                      "WITH m AS (DELETE FROM palenca.reconciled AS m USING palenca.decision_data"
                      " AS d WHERE d.number = ANY ($1::bigint[])"
                      " AND m.account_id = convert_from(d.account_id, 'UTF8')" WITHOUT_EVENT
                      " RETURNING 1) SELECT count(*) FROM m",
                      &ignored);
}

/* First: while its event is there, whose they are can still be found. */
static bool remove_decisions(server_query *query, const event_forget *what,
                             event_forget_report *report) {
  if (!remove_marks(query, what)) {
    return false;
  }
  add_list(query, what->numbers, what->number_count);
  return run_counting(query,
                      "SELECT count(*) FILTER (WHERE palenca.remove_decision_data(n))"
                      " FROM unnest($1::bigint[]) AS n",
                      &report->decisions);
}

static bool run(server_query *query, const char *text) {
  PGresult *result = server_query_run(query, text);
  query->pq->clear(result);
  return result != NULL;
}

typedef struct {
  int64_t ids[EVENT_FORGET_MAX], attempts, unfinished;
  size_t count;
} locked_events;

static bool lock_events(server_query *query, const event_forget *what, locked_events *locked) {
  *locked = (locked_events){.count = 0};
  add_list(query, what->ids, what->id_count);
  PGresult *rows = server_query_run(query, lock_text);
  for (int i = 0; rows != NULL && i < query->pq->ntuples(rows); i++) {
    locked->ids[locked->count++] = server_query_integer(query, rows, i, 0);
    locked->attempts += server_query_integer(query, rows, i, 1);
    locked->unfinished += server_query_integer(query, rows, i, 2) < EVENT_DONE;
  }
  query->pq->clear(rows);
  return rows != NULL;
}

static bool remove_rows(server_query *query, const locked_events *locked) {
  bool ok = true;
  for (size_t i = 0; ok && i < sizeof removals / sizeof *removals; i++) {
    add_list(query, locked->ids, locked->count);
    ok = run(query, removals[i]);
  }
  /* Others of an account may run now. */
  return ok && (locked->unfinished == 0 || run(query, "SELECT pg_notify('palenca', '')"));
}

static bool remove_events(server_query *query, const event_forget *what,
                          event_forget_report *report) {
  locked_events locked;
  if (!run(query, "BEGIN") || !lock_events(query, what, &locked) || !remove_rows(query, &locked) ||
      !run(query, "COMMIT")) {
    return false;
  }
  report->events = (int64_t)locked.count;
  report->attempts = locked.attempts;
  add_list(query, what->ids, what->id_count);
  return run_counting(query, "SELECT count(*) FROM palenca.events WHERE id = ANY ($1::bigint[])",
                      &report->running);
}

bool server_forget_remove(const char *url, const event_forget *what, event_forget_report *report,
                          host_error *error) {
  server_query query;
  *report = (event_forget_report){.events = 0};
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  bool ok = ((what->number_count == 0 || remove_decisions(&query, what, report)) &&
             (what->id_count == 0 || remove_events(&query, what, report))) ||
            server_query_fail(&query, url, error);
  server_query_close(&query);
  return ok;
}

static bool remember(server_query *query, const char *id) {
  int64_t digest;
  if (id == NULL) {
    return true;
  }
  query->parameters.has_failed = !id_digest(id, &digest) || query->parameters.has_failed;
  values_add_integer(&query->parameters, digest);
  return run(query, "INSERT INTO palenca.forgotten VALUES ($1::bigint, now())"
                    " ON CONFLICT (id) DO UPDATE SET at = excluded.at");
}

/* That an event of the account was queued. */
static bool remove_mark(server_query *query, const char *account_id) {
  if (account_id == NULL) {
    return true;
  }
  server_query_add_text(query, account_id);
  return run(query, "DELETE FROM palenca.reconciled WHERE account_id = $1::text");
}

bool server_forget_ids(const char *url, const char *account_id, const char *user_id,
                       host_error *error) {
  server_query query;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  bool ok = (remember(&query, account_id) && remove_mark(&query, account_id) &&
             remember(&query, user_id)) ||
            server_query_fail(&query, url, error);
  server_query_close(&query);
  return ok;
}

/* ---- Space ---- */

/* Whoever owns a table, or the database, may. */
static const char tables_text[] =
    "SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid), bool_and("
    "pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE')"
    " OR CASE WHEN current_setting('server_version_num')::integer >= 170000"
    " THEN has_table_privilege(c.oid, 'MAINTAIN') ELSE false END)::integer::bigint"
    " FROM pg_class AS c JOIN pg_database AS d ON d.datname = current_database()"
    " WHERE c.relkind = 'r' AND c.relnamespace = 'palenca'::regnamespace";

/* Nothing waits for it: the files are not made smaller. */
static bool run_vacuum(server_query *query, const char *tables) {
  static const char vacuum[] = "VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) ";
  palenca_buffer text = {.data = NULL};
  bool has_memory = palenca_buffer_append(&text, vacuum, sizeof vacuum - 1) &&
                    palenca_buffer_append(&text, tables, strlen(tables) + 1);
  PGresult *result = has_memory ? server_query_run(query, text.data) : NULL;
  palenca_buffer_free(&text);
  query->pq->clear(result);
  return result != NULL;
}

bool event_store_vacuum(const char *url, bool *is_done, host_error *error) {
  server_query query;
  *is_done = false;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  PGresult *row = server_query_run(&query, tables_text);
  bool may = row != NULL && server_query_integer(&query, row, 0, 1) != 0;
  bool ok = row != NULL && (!may || run_vacuum(&query, server_query_text(&query, row, 0, 0)));
  query.pq->clear(row);
  *is_done = ok && may;
  ok = ok || server_query_fail(&query, url, error);
  server_query_close(&query);
  return ok;
}
