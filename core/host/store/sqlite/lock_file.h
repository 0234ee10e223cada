/* The lock file of an event store: one process at a time may write to the database, and the file
 * says which. */
#ifndef PALENCA_HOST_STORE_SQLITE_LOCK_FILE_H
#define PALENCA_HOST_STORE_SQLITE_LOCK_FILE_H

#include "common/host_error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define EVENT_LOCK_HOLDER_SIZE 96

/* Takes the lock of a database and writes there who holds it; `role` is what this process does,
 * such as "palenca serve". Returns the descriptor, which holds the lock until it is closed, or -1
 * with the reason in `error`: HOST_HELD if it is another process. */
int event_lock_take(const char *path, const char *role, host_error *error);

/* The same before there is a database: `like` is a file that is going to be it. */
int event_lock_take_place(const char *path, const char *like, const char *role, host_error *error);

/* Whether no process holds the lock of a database, which need not exist; else, HOST_HELD. */
bool event_lock_is_free(const char *path, host_error *error);

/* Ends the lock. The file stays: who removes it needs the lock, and a reason. */
void event_lock_release(int lock);

/* Who holds the lock of a database, such as "process 123, palenca serve". Empty if that is not
 * known: no process, an earlier version, or one that has only just taken it. */
void event_lock_holder(const char *path, char holder[EVENT_LOCK_HOLDER_SIZE]);

/* Opens a file beside the database, creating it with such of the database's permissions as
 * `mode` has, too. If root creates it, it belongs to the owner of the database, who may serve
 * later. -1 with errno on failure. */
int event_lock_open_beside(const char *path, const char *suffix, mode_t mode);

#endif
