/* What people can have done to stored events, and what has come of it. */
#ifndef PALENCA_HOST_STORE_EVENT_ADMIN_H
#define PALENCA_HOST_STORE_EVENT_ADMIN_H

#include "event_store.h"

typedef enum {
  EVENT_ADMIN_REPLAY,      /* event_store_replay */
  EVENT_ADMIN_REPLAY_DEAD, /* event_store_replay_dead */
  EVENT_ADMIN_PURGE        /* event_store_purge */
} event_admin_kind;

typedef struct {
  event_admin_kind kind;
  int64_t id;                      /* of a replay */
  const char *action, *account_id; /* of a replay of dead events; or NULL for all */
  int64_t since;                   /* as in event_filter */
  event_purge purge;               /* of a purge; a dry run reads only */
} event_admin_request;

/* What has been committed so far. */
typedef struct {
  event_replay_result replay;
  event_purge_report purge; /* its `events` counts what was replayed, too */
} event_admin_report;

#endif
