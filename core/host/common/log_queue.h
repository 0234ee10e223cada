/* Queues lines of the log for a thread that writes them to standard error, so that a slow reader or
 * a stopped terminal delays no thread that receives or handles events. */
#ifndef PALENCA_HOST_COMMON_LOG_QUEUE_H
#define PALENCA_HOST_COMMON_LOG_QUEUE_H

#include "log_entry.h"
#include "log_form.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts the thread, once in the life of a process. Without it (or without memory for it) the
 * caller writes each line itself and waits for that. `json`: the form of entries; `dates`: a
 * person reads them on a terminal. */
void log_begin(bool json, bool dates);

/* The lowest level of entries that are written: "info", "warning" or "error". Before log_begin. */
void log_use_level(const char *level);

/* What is to stand before and behind each line of this level; false: nothing. */
bool log_affixes(const char *level, log_affix *out);

/* The same without the thread, for a process that fails before it starts. */
void log_use_json(bool json);

/* Queues complete lines. While stderr is not read, about a mebibyte or a single larger piece is
 * queued; further lines are dropped, and counted in a line of their own later. */
void log_write(const char *lines, size_t size);

/* Queues an entry. */
void log_put(const log_entry *entry);

/* Queues one without fields. */
void log_message(const char *event, const char *level, const char *message);

/* Logs once in the life of a process that what scripts print cannot be written, for that errno. */
void log_output_failure(int error);

/* Ends the thread, after it has written what is queued, or after a timeout in ms. Later lines
 * are written by the caller. */
void log_end(int64_t timeout_ms);

#endif
