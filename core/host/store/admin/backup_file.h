/* A file that is written beside its place, and then put there as a whole. Whoever writes it holds a
 * lock on it, by which one that was left by a process that died is known. */
#ifndef PALENCA_HOST_STORE_ADMIN_BACKUP_FILE_H
#define PALENCA_HOST_STORE_ADMIN_BACKUP_FILE_H

#include "common/host_error.h"

#include <stdbool.h>
#include <sys/stat.h>

#define EVENT_BACKUP_PARTIAL ".partial" /* the suffix of what is being written */

typedef struct {
  char *name;    /* absolute */
  char *partial; /* the name of what is written */
  int fd;        /* of it, with the lock; -1: none */
  bool overwrites;
} event_backup_file;

/* Creates `name`.partial, for its owner alone; made by root, it belongs to the owner of `like`.
 * NULL for `like`: it stays root's. False on failure, with nothing left. */
bool event_backup_file_open(event_backup_file *file, const char *name, bool overwrites,
                            const struct stat *like, host_error *error);

/* Has SQLite not look for a log beside it: to be called when it is complete. */
bool event_backup_file_complete(event_backup_file *file, host_error *error);

/* Syncs it, gives it its name, and closes it. */
bool event_backup_file_keep(event_backup_file *file, host_error *error);

/* Removes what was written, unless it was kept. */
void event_backup_file_close(event_backup_file *file);

/* Removes a partial file that no process holds the lock of. */
void event_backup_file_remove_orphan(const char *partial);

#endif
