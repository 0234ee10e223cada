/* The connection to PostgreSQL on the loop: statements are sent one after the other without waiting
 * for a result, and results are handed over as they come. */
#ifndef PALENCA_HOST_STORE_POSTGRES_LINK_H
#define PALENCA_HOST_STORE_POSTGRES_LINK_H

#include "libpq.h"
#include "statements.h"
#include "values.h"

#include <uv.h>

#define LINK_STEPS_MAX 1024
#define LINK_SHORT_COMMIT "a commit was canceled while it waited for the standbys"

/* Called on the loop. None of them may close the link but on_idle and on_lost. */
typedef struct {
  /* The result of a statement: its rows, or its failure; or, for STATEMENT_SYNC, that all that was
   * sent before it has come to its end. */
  void (*on_result)(void *context, statement_id id, const PGresult *result);
  /* All that was sent has its result. */
  void (*on_idle)(void *context);
  /* There is no connection any more. */
  void (*on_lost)(void *context, const char *reason);
  /* Another process has notified. */
  void (*on_notice)(void *context);
} link_callbacks;

/* To be zero-initialized. */
typedef struct {
  const libpq *pq;
  const link_callbacks *callbacks;
  void *context;
  PGconn *connection; /* NULL: there is none */
  uv_poll_t *poll;
  statement_id steps[LINK_STEPS_MAX]; /* sent, and without a result; a ring */
  int first, count;
  bool has_result; /* the first of them */
  bool is_lost;    /* to be reported when the loop turns */
  /* A commit that was not waited for: it is on this server, and may not be on the standbys. */
  bool has_short_commit;
} postgres_link;

/* Takes over a connection in pipeline mode. False: the loop has no room for it; it is closed. */
bool link_open(postgres_link *link, uv_loop_t *loop, PGconn *connection);
/* Whether the server warns, as it does where a commit did not wait for the standbys. */
bool link_is_warning(const libpq *pq, const PGresult *notice);
/* Closes it at once, if it is open. */
void link_close(postgres_link *link);

/* Sends a statement with its parameters, which are emptied; NULL: it has none. What cannot be sent
 * is a connection that is lost, or memory that is lacking, and ends the connection. */
void link_send(postgres_link *link, statement_id id, values *parameters);
/* Ends a group of statements: after a failure the rest of them is skipped. */
void link_sync(postgres_link *link);

#endif
