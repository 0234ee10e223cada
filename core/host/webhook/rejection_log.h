/* Decides which rejected requests are logged: the first few of each cause, then the number of the
 * others.
 *
 * Requests from strangers must not fill a disk with log lines.
 */
#ifndef PALENCA_HOST_WEBHOOK_REJECTION_LOG_H
#define PALENCA_HOST_WEBHOOK_REJECTION_LOG_H

#include "common/net_address.h"

#include <stdint.h>

typedef struct {
  int status;
  const char *cause;
  const net_address *client; /* NULL: this stands for `count` requests that were not logged */
  bool is_proxy;             /* the client is behind that address, and not known */
  uint64_t count;
} rejection;

typedef void rejection_write(void *context, const rejection *record);

typedef struct rejection_log rejection_log;

/* NULL: out of memory. */
rejection_log *rejection_log_new(rejection_write *write, void *context);
/* NULL is allowed. */
void rejection_log_free(rejection_log *log);
/* `cause` is one of a small number of texts, and copied. */
void rejection_log_record(rejection_log *log, int64_t now, int status, const char *cause,
                          const net_address *client, bool is_proxy);
/* Logs the number of requests that were not logged, once their window is over. */
void rejection_log_run(rejection_log *log, int64_t now);
/* Ms until run has something to log; -1: nothing. */
int64_t rejection_log_timeout(const rejection_log *log, int64_t now);

#endif
