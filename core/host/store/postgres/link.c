/* Sends statements to PostgreSQL and receives their results on the loop. */
#include "link.h"

#include "session.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Watching ---- */

static void on_closed(uv_handle_t *handle) {
  free(handle);
}

/* What is watched is a descriptor of its own: libpq closes the socket by itself when it fails, and
 * the number may be another connection's before the loop turns. */
static uv_poll_t *open_poll(uv_loop_t *loop, int socket) {
  uv_poll_t *poll = malloc(sizeof *poll);
  int watched = poll != NULL ? fcntl(socket, F_DUPFD_CLOEXEC, 0) : -1;
  if (watched >= 0 && uv_poll_init(loop, poll, watched) == 0) {
    return poll;
  }
  if (watched >= 0) {
    (void)close(watched);
  }
  free(poll);
  return NULL;
}

static void close_poll(uv_poll_t *poll) {
  uv_os_fd_t watched = -1;
  (void)uv_fileno((uv_handle_t *)poll, &watched);
  uv_close((uv_handle_t *)poll, on_closed);
  (void)close(watched);
}

void link_close(postgres_link *link) {
  if (link->poll != NULL) {
    close_poll(link->poll);
  }
  link->poll = NULL;
  if (link->connection != NULL) {
    link->pq->finish(link->connection);
  }
  link->connection = NULL;
  link->first = link->count = 0;
  link->has_result = link->is_lost = link->has_short_commit = false;
}

static void lose(postgres_link *link) {
  char reason[500];
  session_reason(link->has_short_commit ? LINK_SHORT_COMMIT
                                        : link->pq->errorMessage(link->connection),
                 reason, sizeof reason);
  link_close(link);
  link->callbacks->on_lost(link->context, reason[0] != '\0' ? reason : "the connection was closed");
}

/* ---- Results ---- */

bool link_is_warning(const libpq *pq, const PGresult *notice) {
  const char *severity = pq->resultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  return severity != NULL && strcmp(severity, "WARNING") == 0;
}

/* A commit that was canceled in its wait for the standbys succeeds, with a warning. Whether they
 * have it by now is known once another commit has waited for them: that of the next connection. */
static void on_warning(void *context, const PGresult *notice) {
  postgres_link *link = context;
  if (link->count > 0 && link->steps[link->first] == STATEMENT_COMMIT &&
      link_is_warning(link->pq, notice)) {
    link->is_lost = link->has_short_commit = true;
  }
}

static void end_step(postgres_link *link) {
  link->first = (link->first + 1) % LINK_STEPS_MAX;
  link->count--;
  link->has_result = false;
}

/* False: nothing more has come, though libpq said so. */
static bool take_result(postgres_link *link) {
  statement_id step = link->steps[link->first];
  PGresult *result = link->pq->getResult(link->connection);
  if (result == NULL) {
    bool is_end = link->has_result;
    if (is_end) {
      end_step(link);
    }
    return is_end;
  }
  bool is_sync = link->pq->resultStatus(result) == PGRES_PIPELINE_SYNC;
  if (is_sync == (step == STATEMENT_SYNC) && !link->has_result) {
    link->callbacks->on_result(link->context, step, result);
  }
  link->has_result = true;
  if (is_sync) {
    end_step(link);
  }
  link->pq->clear(result);
  return true;
}

static void take_notices(postgres_link *link) {
  PGnotify *notice;
  while ((notice = link->pq->notifies(link->connection)) != NULL) {
    if (notice->be_pid != link->pq->backendPID(link->connection)) {
      link->callbacks->on_notice(link->context);
    }
    link->pq->freemem(notice);
  }
}

static void flush(postgres_link *link);

static void on_ready(uv_poll_t *handle, int status, int events) {
  postgres_link *link = handle->data;
  (void)status;
  (void)events;
  bool was_busy = link->count > 0;
  if (!link->is_lost && link->pq->consumeInput(link->connection) == 0) {
    link->is_lost = true;
  }
  while (link->count > 0 && !link->pq->isBusy(link->connection) && take_result(link)) {
  }
  if (link->is_lost || link->pq->status(link->connection) == CONNECTION_BAD) {
    lose(link);
    return;
  }
  take_notices(link);
  flush(link);
  if (was_busy && link->count == 0) {
    link->callbacks->on_idle(link->context);
  }
}

/* ---- Sending ---- */

static void watch(postgres_link *link, int events) {
  (void)uv_poll_start(link->poll, events, on_ready);
}

static void flush(postgres_link *link) {
  int left = link->pq->flush(link->connection);
  link->is_lost = link->is_lost || left < 0;
  watch(link, left == 0 ? UV_READABLE : UV_READABLE | UV_WRITABLE);
}

static void add_step(postgres_link *link, statement_id id, bool is_sent) {
  if (link->count == LINK_STEPS_MAX || !is_sent) {
    link->is_lost = true; /* a socket that is shut down is readable, and writable */
    watch(link, UV_READABLE | UV_WRITABLE);
    return;
  }
  link->steps[(link->first + link->count++) % LINK_STEPS_MAX] = id;
}

void link_send(postgres_link *link, statement_id id, values *parameters) {
  static const values none;
  const values *given = parameters != NULL ? parameters : &none;
  const char *data[VALUES_MAX];
  int sizes[VALUES_MAX], formats[VALUES_MAX];
  values_point(given, data, sizes, formats);
  bool is_sent = !link->is_lost && !given->has_failed &&
                 link->pq->sendQueryPrepared(link->connection, statement_name(id), given->count,
                                             data, sizes, formats, 1) == 1;
  add_step(link, id, is_sent);
  if (parameters != NULL) {
    values_reset(parameters);
  }
}

void link_sync(postgres_link *link) {
  add_step(link, STATEMENT_SYNC, !link->is_lost && link->pq->pipelineSync(link->connection) == 1);
  flush(link);
}

bool link_open(postgres_link *link, uv_loop_t *loop, PGconn *connection) {
  link->connection = connection;
  link->poll = open_poll(loop, link->pq->socket(connection));
  if (link->poll == NULL) {
    link_close(link);
    return false;
  }
  link->poll->data = link;
  (void)link->pq->setNoticeReceiver(connection, on_warning, link);
  watch(link, UV_READABLE);
  return true;
}
