/* A connection that is ready for the event store: checked, with its statements prepared, and known
 * to the server as a process that serves. */
#ifndef PALENCA_HOST_STORE_POSTGRES_SESSION_H
#define PALENCA_HOST_STORE_POSTGRES_SESSION_H

#include "libpq.h"
#include "values.h"

#include <stdint.h>

typedef struct {
  const libpq *pq;
  const char *url;
  int64_t lease_ms;
  int64_t dedup_window; /* milliseconds */
  bool is_first;        /* the tables are made, if need be */
  int64_t host;         /* as before; 0: none yet */
  /* Three values: the host, and the ids of events and the names of timers that it knows to be
   * leased to it; others that the server takes for leased are released. */
  values held;
} session_request;

typedef struct {
  PGconn *connection;
  int64_t host;  /* another one than before: its leases have expired meanwhile */
  int64_t epoch; /* of this connection */
  int64_t last_batch;
  int64_t *last_ids; /* what the last batch has put; allocated */
  size_t last_count;
  int64_t unfinished; /* of the first one: events that have not ended */
  bool is_weak;       /* synchronous_commit was set to less than `on`, by who has the URL */
} session;

/* Connects without the process's arguments, which a `values` of its own must not change meanwhile.
 * False, with the reason, if there is no server that can be written to. Blocks for a few seconds at
 * most for each host of the URL. */
bool session_open(const session_request *request, session *opened, host_error *error);

/* Connects only, for reading as well. */
PGconn *session_connect(const libpq *pq, const char *url, host_error *error);

/* What a connection, or a result of it, says of its last failure, in one line. */
void session_reason(const char *message, char *to, size_t size);
/* The same of a connection that is not on the loop, whose server may not have responded. */
void session_last_reason(const libpq *pq, const PGconn *connection, char *to, size_t size);

#endif
