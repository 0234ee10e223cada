/* The tables of the event store, and how those of earlier versions become them. */
#ifndef PALENCA_HOST_STORE_SQLITE_SCHEMA_H
#define PALENCA_HOST_STORE_SQLITE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

/* "PALE", in the header of the file: what distinguishes it from other databases. */
#define EVENT_SCHEMA_APPLICATION_ID 0x50414c45
#define EVENT_SCHEMA_VERSION 8

/* Since version 4, what SQLite counts changes of the schema with begins here in a file that we
 * write to. In one that SQLite's backup makes it begins at 1. */
#define EVENT_SCHEMA_COOKIE 0x40000000

/* Both are atomic; the error is the connection's last error. */
bool event_schema_create(sqlite3 *db);

/* From an earlier version, or a backup. Rewrites the file of version 1: as much space again is
 * needed meanwhile. */
bool event_schema_migrate(sqlite3 *db, bool *has_changed);

#endif
