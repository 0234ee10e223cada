/* Connects to PostgreSQL, and checks that it keeps what is promised. */
#include "session.h"

#include "blocking.h"
#include "link.h"
#include "schema.h"
#include "statements.h"
#include "url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION_MIN 150000

static bool starts_with(const char *line, const char *word) {
  return strncmp(line, word, strlen(word)) == 0;
}

/* Where an error's message goes on, from the beginning of one of its lines. The statement's text
 * and its place in functions are left out: they are of the program, not of the server. */
static const char *skip_statement(const char *line) {
  if (starts_with(line, "LINE ")) {
    line += strcspn(line, "\n");
    line += *line == '\n';
    line += strcspn(line, "\n"); /* the caret */
    line += *line == '\n';
  }
  bool is_inside = starts_with(line, "CONTEXT:") || starts_with(line, "QUERY:");
  return is_inside ? line + strlen(line) : line;
}

void session_reason(const char *message, char *to, size_t size) {
  size_t used = 0;
  while (*message != '\0' && used + 3 < size) {
    if (*message != '\n') {
      to[used++] = *message == '\t' ? ' ' : *message;
      message++;
      continue;
    }
    message = skip_statement(message + 1);
    if (*message != '\0') {
      to[used++] = ';';
      to[used++] = ' ';
      message += strspn(message, "\t ");
    }
  }
  to[used] = '\0';
}

void session_last_reason(const libpq *pq, const PGconn *connection, char *to, size_t size) {
  session_reason(pq->errorMessage(connection), to, size);
  if (to[0] == '\0') {
    (void)snprintf(to, size, "the server does not respond");
  }
}

static bool fail(const libpq *pq, const PGconn *connection, host_error *error) {
  char reason[500];
  session_last_reason(pq, connection, reason, sizeof reason);
  return host_error_set(error, HOST_FAILED, "%s", reason);
}

/* What libpq says of a URL that it cannot read may have all of it in it, with the password. */
static bool can_be_read(const libpq *pq, const char *url, host_error *error) {
  PQconninfoOption *options = pq->conninfoParse(url, NULL);
  pq->conninfoFree(options);
  return (options != NULL && postgres_url_is_clear(url)) ||
         host_error_set(error, HOST_FAILED,
                        "it is not a URL such as postgresql://user@host/database?sslmode=require; "
                        "a parameter may be misspelt, or a special character not be escaped");
}

static void ignore_notice(void *context, const PGresult *notice) {
  (void)context;
  (void)notice;
}

static bool run(const libpq *pq, PGconn *connection, const char *text) {
  PGresult *result = blocking_run(pq, connection, text);
  bool ok = pq->resultStatus(result) == PGRES_COMMAND_OK;
  pq->clear(result);
  return ok;
}

/* What stands before `dbname` holds unless the URL says otherwise. */
static PGconn *connect_for(const libpq *pq, const char *url, const char *attributes,
                           host_error *error) {
  static const char *const names[] = {"connect_timeout",           "tcp_user_timeout",
                                      "keepalives_idle",           "keepalives_interval",
                                      "keepalives_count",          "target_session_attrs",
                                      "fallback_application_name", "dbname",
                                      "client_encoding",           NULL};
  const char *const settings[] = {"5",        "10000",   "5", "2",    "3",
                                  attributes, "palenca", url, "UTF8", NULL};
  if (!can_be_read(pq, url, error)) {
    return NULL;
  }
  PGconn *connection = pq->connectdbParams(names, settings, 1);
  if (pq->status(connection) != CONNECTION_OK) {
    (void)fail(pq, connection, error);
    pq->finish(connection);
    return NULL;
  }
  (void)pq->setNoticeReceiver(connection, ignore_notice, NULL);
  if (!run(pq, connection, "SET lock_timeout = '3s'")) { /* whoever has locked what */
    (void)fail(pq, connection, error);
    pq->finish(connection);
    return NULL;
  }
  return connection;
}

PGconn *session_connect(const libpq *pq, const char *url, host_error *error) {
  return connect_for(pq, url, "any", error);
}

/* ---- What it must keep ---- */

enum {
  VERSION,
  IN_RECOVERY,
  READ_ONLY,
  ENCODING,
  FSYNC,
  SYNCHRONOUS,
  SYNCHRONOUS_SOURCE,
  SETTINGS
};

static const char settings_text[] =
    "SELECT current_setting('server_version_num'), pg_is_in_recovery(),"
    " current_setting('transaction_read_only'), current_setting('server_encoding'),"
    " current_setting('fsync'), setting, source FROM pg_settings"
    " WHERE name = 'synchronous_commit'";

static bool is_durable(const char *synchronous) {
  return strcmp(synchronous, "on") == 0 || strcmp(synchronous, "remote_apply") == 0;
}

static bool check_row(const libpq *pq, const PGresult *row, bool *is_weak, host_error *error) {
  const char *is[SETTINGS];
  for (int i = 0; i < SETTINGS; i++) {
    is[i] = pq->getvalue(row, 0, i);
  }
  if (strtol(is[VERSION], NULL, 10) < VERSION_MIN) {
    return host_error_set(error, HOST_FAILED, "it is older than PostgreSQL 15");
  }
  if (is[IN_RECOVERY][0] == 't' || strcmp(is[READ_ONLY], "on") == 0) {
    return host_error_set(error, HOST_FAILED, "it is a read-only standby, or read-only");
  }
  if (strcmp(is[ENCODING], "UTF8") != 0) {
    return host_error_set(error, HOST_FAILED, "its encoding is %s, and UTF8 is needed",
                          is[ENCODING]);
  }
  if (strcmp(is[FSYNC], "on") != 0) {
    return host_error_set(error, HOST_FAILED,
                          "its fsync is off: events that were acknowledged would be lost");
  }
  *is_weak = !is_durable(is[SYNCHRONOUS]);
  if (*is_weak && strcmp(is[SYNCHRONOUS_SOURCE], "client") != 0) {
    return host_error_set(error, HOST_FAILED,
                          "its synchronous_commit is %s: events that were acknowledged would be "
                          "lost, unless the URL asks for that",
                          is[SYNCHRONOUS]);
  }
  return true;
}

static bool check_settings(const libpq *pq, PGconn *connection, bool *is_weak, host_error *error) {
  PGresult *row = blocking_run(pq, connection, settings_text);
  bool ok = pq->resultStatus(row) == PGRES_TUPLES_OK && pq->ntuples(row) == 1
                ? check_row(pq, row, is_weak, error)
                : fail(pq, connection, error);
  pq->clear(row);
  return ok;
}

/* ---- Its beginning ---- */

/* Plans must not depend on statistics, which are those of another hour: every statement has its
 * index. Nothing may wait for long: a transaction is as long as a few others. */
static const char setup_text[] =
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;"
    "SET enable_mergejoin = off; SET jit = off; SET plan_cache_mode = force_generic_plan;"
    "SET max_parallel_workers_per_gather = 0;"
    "SET lock_timeout = '2s'; SET statement_timeout = '9s';"
    "SET idle_in_transaction_session_timeout = '10s'; SET search_path = '';"
    "SET default_transaction_isolation = 'read committed';"
    "LISTEN palenca";

static bool end(const libpq *pq, PGresult *result) {
  ExecStatusType status = pq->resultStatus(result);
  pq->clear(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* An array of bigint in binary form: the header of 20 bytes, and 12 for each element. */
static bool copy_ids(const libpq *pq, const PGresult *row, int column, session *opened) {
  int size = pq->getlength(row, 0, column);
  opened->last_count = size > 20 ? (size_t)(size - 20) / 12 : 0;
  opened->last_ids = calloc(opened->last_count + 1, sizeof *opened->last_ids);
  if (opened->last_ids == NULL) {
    return false;
  }
  const unsigned char *bytes = (const unsigned char *)pq->getvalue(row, 0, column) + 20;
  for (size_t i = 0; i < opened->last_count; i++, bytes += 12) {
    uint64_t id = 0;
    for (int j = 4; j < 12; j++) {
      id = id << 8 | bytes[j];
    }
    opened->last_ids[i] = (int64_t)id;
  }
  return true;
}

static bool open_host(const session_request *request, session *opened) {
  const libpq *pq = request->pq;
  char name[256] = "";
  (void)gethostname(name, sizeof name - 1);
  values parameters = {.count = 0};
  values_add_integer(&parameters, request->host);
  values_add_text(&parameters, name);
  values_add_integer(&parameters, request->lease_ms);
  PGresult *row = blocking_run_with(pq, opened->connection,
                                    "SELECT host, host_epoch, last_batch, last_ids"
                                    " FROM palenca.open_host($1, $2, $3)",
                                    &parameters);
  values_free(&parameters);
  bool ok = pq->resultStatus(row) == PGRES_TUPLES_OK && pq->ntuples(row) == 1;
  if (ok) {
    opened->host = values_integer(pq, row, 0, 0);
    opened->epoch = values_integer(pq, row, 0, 1);
    opened->last_batch = values_integer(pq, row, 0, 2);
    ok = copy_ids(pq, row, 3, opened);
  }
  pq->clear(row);
  return ok;
}

/* What the server has leased to this process, which has never heard of it. */
static bool release_unknown(const session_request *request, const session *opened) {
  const libpq *pq = request->pq;
  return end(pq,
             blocking_run_with(pq, opened->connection,
                               "WITH t AS (UPDATE palenca.timers SET owner = NULL, due_at = now()"
                               " WHERE owner = $1::bigint AND name <> ALL ($3::text[]))"
                               " UPDATE palenca.events SET state = 0, owner = NULL,"
                               " attempts = attempts - 1 WHERE state = 1 AND owner = $1::bigint"
                               " AND id <> ALL ($2::bigint[])",
                               &request->held));
}

typedef struct {
  const libpq *pq;
  bool is_warned;
} commit_notices;

static void note_warning(void *context, const PGresult *notice) {
  commit_notices *notices = context;
  notices->is_warned = notices->is_warned || link_is_warning(notices->pq, notice);
}

/* Until this commit and all before it are where synchronous_commit wants them: what the earlier
 * connection has left in doubt counts from then on. */
static bool commit(const libpq *pq, PGconn *connection, host_error *error) {
  commit_notices notices = {.pq = pq};
  (void)pq->setNoticeReceiver(connection, note_warning, &notices);
  bool ok = run(pq, connection, "COMMIT");
  (void)pq->setNoticeReceiver(connection, ignore_notice, NULL);
  if (ok && notices.is_warned) {
    return host_error_set(error, HOST_FAILED, LINK_SHORT_COMMIT);
  }
  return ok || fail(pq, connection, error);
}

static bool enter(const session_request *request, session *opened, host_error *error) {
  const libpq *pq = request->pq;
  bool ok =
      end(pq, blocking_run(pq, opened->connection, "SELECT palenca.raise_ids()")) &&
      run(pq, opened->connection, "BEGIN") && open_host(request, opened) &&
      (request->host == 0 || opened->host != request->host || release_unknown(request, opened));
  return ok ? commit(pq, opened->connection, error) : fail(pq, opened->connection, error);
}

static bool count_unfinished(const libpq *pq, session *opened) {
  PGresult *row = blocking_run(pq, opened->connection,
                               "SELECT (SELECT count(*) FROM palenca.events WHERE state = 0)"
                               " + (SELECT count(*) FROM palenca.events WHERE state IN (1, 2))");
  bool ok = pq->resultStatus(row) == PGRES_TUPLES_OK;
  opened->unfinished = ok ? strtoll(pq->getvalue(row, 0, 0), NULL, 10) : 0;
  pq->clear(row);
  return ok;
}

static bool store_window(const session_request *request, const session *opened) {
  char text[128];
  (void)snprintf(text, sizeof text,
                 "UPDATE palenca.serving SET dedup_window_ms = %lld WHERE dedup_window_ms <> %lld",
                 (long long)request->dedup_window, (long long)request->dedup_window);
  return run(request->pq, opened->connection, text);
}

static bool begin(const session_request *request, session *opened, host_error *error) {
  const libpq *pq = request->pq;
  PGconn *connection = opened->connection;
  if (!check_settings(pq, connection, &opened->is_weak, error)) {
    return false;
  }
  if (!(request->is_first ? postgres_schema_prepare : postgres_schema_check)(pq, connection,
                                                                             error)) {
    return false;
  }
  if (!run(pq, connection, setup_text)) {
    return fail(pq, connection, error);
  }
  if (!enter(request, opened, error)) {
    return false;
  }
  bool ok =
      (!request->is_first || (store_window(request, opened) && count_unfinished(pq, opened))) &&
      statements_prepare(pq, connection) && pq->setnonblocking(connection, 1) == 0 &&
      pq->enterPipelineMode(connection) == 1;
  return ok || fail(pq, connection, error);
}

bool session_open(const session_request *request, session *opened, host_error *error) {
  *opened = (session){.connection = connect_for(request->pq, request->url, "read-write", error)};
  if (opened->connection == NULL) {
    return false;
  }
  if (!begin(request, opened, error)) {
    request->pq->finish(opened->connection);
    free(opened->last_ids);
    *opened = (session){.connection = NULL};
    return false;
  }
  return true;
}
