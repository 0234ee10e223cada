/* The log on standard error, written by a thread of its own, so that a slow reader or a stopped
 * terminal delays no thread that receives or handles events.
 *
 */
#ifndef PALENCA_HOST_COMMON_LOG_WRITER_H
#define PALENCA_HOST_COMMON_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts the thread, once in the life of a process. Without it (or without memory for it) the
 * caller writes each line itself and waits for that. `json`: the format of the line that counts
 * dropped ones. */
void log_begin(bool json);

/* The current time, as in every line of JSON: 2026-03-01T12:30:00Z. */
#define LOG_TIME_SIZE 24
void log_time(char text[LOG_TIME_SIZE]);

/* Queues complete lines. While stderr is not read, about a mebibyte or a single larger piece is
 * queued; further lines are dropped, and counted in a line of their own later. */
void log_write(const char *lines, size_t size);

/* Writes a line of its own; what is too long is cut. In text, with "palenca: " and, of an error,
 * "error: " before it, and with what a terminal would interpret escaped; as JSON, with the time,
 * `event` and `level`, which are plain words. */
void log_message(bool json, const char *event, const char *level, const char *message);

/* As set by log_begin. */
bool log_is_json(void);

/* Logs once in the life of a process that what scripts print cannot be written, for that errno. */
void log_output_failure(int error);

/* Ends the thread, after it has written what is queued, or after a timeout in ms. Later lines
 * are written by the caller. */
void log_end(int64_t timeout_ms);

#endif
