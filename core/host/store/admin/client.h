/* Has a work on stored events done: by the process that serves, or without one by this process. */
#ifndef PALENCA_HOST_STORE_ADMIN_CLIENT_H
#define PALENCA_HOST_STORE_ADMIN_CLIENT_H

#include "store/event_admin.h"

typedef struct {
  int64_t connect_ms; /* for the lock to be free, or its holder to listen */
  int64_t silence_ms; /* between two lines of its response */
} event_admin_timeouts;

/* The file is opened for writing only while this process holds its lock. False on failure, with
 * the reason in `error`; the report is of what was done before. */
bool event_admin_run(const char *path, const event_admin_request *request,
                     const event_admin_timeouts *timeouts, event_admin_report *report,
                     host_error *error);

/* Asks the process that serves, and calls `progress` while it works. HOST_UNREACHABLE: there is
 * none, and nothing was done. `path` is absolute. */
bool event_admin_ask(const char *path, const event_admin_request *request,
                     const event_admin_timeouts *timeouts, event_backup_progress progress,
                     void *context, event_admin_report *report, host_error *error);

#endif
