/* What a filter of events is in SQL. */
#ifndef PALENCA_HOST_STORE_SQLITE_FILTER_H
#define PALENCA_HOST_STORE_SQLITE_FILTER_H

#include "store/event_admin.h"

#include <sqlite3.h>

#define EVENT_FILTER_SIZE 1024 /* of the text, with its terminating zero */

/* The platform is in the body alone, which is an object with the member `data`. */
#define EVENT_PLATFORM                                                                             \
  "(SELECT json_extract(CAST(body AS TEXT), '$.data.platform') FROM bodies"                        \
  " WHERE bodies.id = events.id AND json_valid(CAST(body AS TEXT)))"

/* The conditions on rows of `events`, each after " AND ": on all but the state and the ids. What is
 * not asked for is not among them, so that rows are looked at fast. */
void event_filter_conditions(const event_filter *filter, char text[EVENT_FILTER_SIZE]);

/* Binds their parameters, which are numbered from 11 on. What the filter points to has to stay. */
bool event_filter_bind(sqlite3_stmt *statement, const event_filter *filter);

/* Whether its conditions read the bodies. */
bool event_filter_reads_bodies(const event_filter *filter);

#endif
