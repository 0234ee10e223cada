/* Waits for the results of statements, for some seconds at most. */
#include "blocking.h"

#include "clock.h"

#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>

#define RESPONSE_MS 10000

/* False: none has come, and from now on none will. */
static bool wait_for_result(const libpq *pq, PGconn *connection, int64_t until) {
  while (pq->isBusy(connection)) {
    struct pollfd socket = {.fd = pq->socket(connection), .events = POLLIN};
    int64_t left = until - clock_steady_ms();
    if (left <= 0) {
      (void)shutdown(socket.fd, SHUT_RDWR); /* or closing would wait for it */
      return false;
    }
    (void)poll(&socket, 1, (int)left);
    if (socket.revents != 0 && pq->consumeInput(connection) == 0) {
      return true; /* the result is that the connection is lost */
    }
  }
  return true;
}

static PGresult *last_result(const libpq *pq, PGconn *connection, int is_sent) {
  int64_t until = clock_steady_ms() + RESPONSE_MS;
  PGresult *last = NULL;
  while (is_sent == 1 && wait_for_result(pq, connection, until)) {
    PGresult *next = pq->getResult(connection);
    if (next == NULL) {
      return last;
    }
    pq->clear(last);
    last = next;
  }
  pq->clear(last);
  return NULL;
}

PGresult *blocking_run(const libpq *pq, PGconn *connection, const char *text) {
  return last_result(pq, connection, pq->sendQuery(connection, text));
}

PGresult *blocking_run_with(const libpq *pq, PGconn *connection, const char *text,
                            const values *parameters) {
  const char *data[VALUES_MAX];
  int sizes[VALUES_MAX], formats[VALUES_MAX];
  if (parameters->has_failed) {
    return NULL;
  }
  values_point(parameters, data, sizes, formats);
  return last_result(
      pq, connection,
      pq->sendQueryParams(connection, text, parameters->count, NULL, data, sizes, formats, 1));
}

PGresult *blocking_prepare(const libpq *pq, PGconn *connection, const char *name,
                           const char *text) {
  return last_result(pq, connection, pq->sendPrepare(connection, name, text, 0, NULL));
}
