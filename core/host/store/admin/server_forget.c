/* Removes events, and what is removable of decisions, at PostgreSQL. */
#include "server_forget.h"

#include "server_query.h"
#include "store/ledger/id_digest.h"

#include <string.h>

/* An event that runs is left to its handler; unless its process is gone, whose end of it then
 * changes nothing. */
#define CHOSEN                                                                                     \
  "WITH chosen AS MATERIALIZED (SELECT id, state, attempts FROM palenca.events AS e"               \
  " WHERE id = ANY ($1::bigint[]) AND (state <> 1 OR NOT EXISTS (SELECT FROM palenca.hosts AS h"   \
  " WHERE h.id = e.owner AND NOT h.is_dead AND h.expires_at >= clock_timestamp()))"                \
  " ORDER BY id FOR UPDATE)"

/* A table that has more of an event has its line here. */
static const char remove_text[] =
    CHOSEN ", a AS (DELETE FROM palenca.attempts USING chosen WHERE attempts.id = chosen.id)"
           ", t AS (DELETE FROM palenca.traces USING chosen WHERE traces.id = chosen.id)"
           ", b AS (DELETE FROM palenca.bodies USING chosen WHERE bodies.id = chosen.id"
           " RETURNING bodies.id, bodies.hash)"
           ", r AS (DELETE FROM palenca.receipts USING b"
           " WHERE receipts.hash = b.hash AND receipts.event = b.id)"
           ", e AS (DELETE FROM palenca.events USING chosen WHERE events.id = chosen.id)"
           " SELECT count(*), coalesce(sum(attempts), 0)::bigint, count(*) FILTER (WHERE state < 3)"
           " FROM chosen";

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

/* First: while its event is there, whose they are can still be found. */
static bool remove_decisions(server_query *query, const event_forget *what,
                             event_forget_report *report) {
  add_list(query, what->numbers, what->number_count);
  return run_counting(query,
                      "SELECT count(*) FILTER (WHERE palenca.remove_decision_data(n))"
                      " FROM unnest($1::bigint[]) AS n",
                      &report->decisions);
}

static bool remove_events(server_query *query, const event_forget *what,
                          event_forget_report *report) {
  add_list(query, what->ids, what->id_count);
  PGresult *row = server_query_run(query, remove_text);
  if (row == NULL) {
    return false;
  }
  report->events = server_query_integer(query, row, 0, 0);
  report->attempts = server_query_integer(query, row, 0, 1);
  bool was_unfinished = server_query_integer(query, row, 0, 2) > 0;
  query->pq->clear(row);
  if (was_unfinished) { /* others of its account may run now */
    query->pq->clear(server_query_run(query, "SELECT pg_notify('palenca', '')"));
  }
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
  PGresult *result = server_query_run(query, "INSERT INTO palenca.forgotten VALUES"
                                             " ($1::bigint, now()) ON CONFLICT (id)"
                                             " DO UPDATE SET at = excluded.at");
  query->pq->clear(result);
  return result != NULL;
}

bool server_forget_ids(const char *url, const char *account_id, const char *user_id,
                       host_error *error) {
  server_query query;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  bool ok = (remember(&query, account_id) && remember(&query, user_id)) ||
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
