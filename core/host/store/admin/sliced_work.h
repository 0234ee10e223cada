/* Runs what people ask of stored events, such as replays and purges, in slices. A slice is short,
 * so that whoever serves does other things in between; and its transaction is its own, so that what
 * was done stays when the rest is not. */
#ifndef PALENCA_HOST_STORE_ADMIN_SLICED_WORK_H
#define PALENCA_HOST_STORE_ADMIN_SLICED_WORK_H

#include "store/event_admin.h"
#include "store/event_store.h"

#include <sqlite3.h>

#define EVENT_ADMIN_SLICE_MS 5

typedef struct event_admin event_admin;

/* Copies the request. `path` is only for the size of the file in the report. NULL: out of memory.
 */
event_admin *event_admin_new(const event_admin_request *request, const char *path);
void event_admin_free(event_admin *admin); /* NULL is allowed */

/* Does some of it, on a connection without a transaction, within EVENT_ADMIN_SLICE_MS and the time
 * of a commit. EVENT_ADMIN_LATER: another process writes and nothing was done, or it took as long
 * as a checkpoint does. EVENT_ADMIN_DONE: see event_admin_error. */
event_admin_result event_admin_step(event_admin *admin, sqlite3 *db);

/* Ends what it has to do with the connection, which is not to be stepped on any more. */
void event_admin_leave(event_admin *admin);

/* Whether events that are to run have come or gone by it. */
bool event_admin_changes_unfinished(const event_admin *admin);

event_admin_kind event_admin_kind_of(const event_admin *admin);

const event_admin_report *event_admin_progress(const event_admin *admin);
/* Why it has not been done to its end; HOST_OK: it has been. */
const host_error *event_admin_error(const event_admin *admin);

#endif
