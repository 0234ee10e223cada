/* Keeps the rate limit of one key in a file, for all processes of a user on this machine. */
#ifndef PALENCA_CLIENT_RATE_LIMIT_FILE_H
#define PALENCA_CLIENT_RATE_LIMIT_FILE_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

typedef struct rate_limit_file rate_limit_file;

/* The directory of this user's files below `parent`, made if need be, that no other user can
 * read; -1 with `error` set if there can be none. It is cleaned. */
int rate_limit_directory_open(const char *parent, palenca_error *error);
/* Removes the files that no process has open and whose windows have expired. */
void rate_limit_directory_clean(int directory);

/* The file of that name, made if need be; NULL if it cannot be had. */
rate_limit_file *rate_limit_file_open(int directory, const char *name, size_t limit);
void rate_limit_file_close(rate_limit_file *file);

/* Reads the file's present content, which is locked for others until it is written back. False
 * if another process holds the lock; it never waits. */
bool rate_limit_file_take(rate_limit_file *file, palenca_rate_limit *state);
void rate_limit_file_put_back(rate_limit_file *file, const palenca_rate_limit *state);

#pragma GCC visibility pop

#endif
