/* The pace of one key in a file, for all processes of a user on this machine. */
#ifndef PALENCA_CLIENT_RATE_LIMIT_FILE_H
#define PALENCA_CLIENT_RATE_LIMIT_FILE_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

typedef struct pace_file pace_file;

/* The directory of this user's files below `parent`, made if need be, that nobody else can look
 * into; -1 with `error` set if there can be none. It is cleaned. */
int pace_directory_open(const char *parent, palenca_error *error);
/* Removes the files that nobody has open and that say nothing any more. */
void pace_directory_clean(int directory);

/* The file of that name, made if need be; NULL if it cannot be had. */
pace_file *pace_file_open(int directory, const char *name, size_t limit);
void pace_file_close(pace_file *file);

/* Fills in what the file says at this moment, which nobody else can read or change until it is
 * put back. False if somebody else has it, for a moment: it never waits. */
bool pace_file_take(pace_file *file, palenca_pace *pace);
void pace_file_put_back(pace_file *file, const palenca_pace *pace);

#pragma GCC visibility pop

#endif
