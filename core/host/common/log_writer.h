/* What the program says on standard error, written by a thread of its own: a reader that does not
 * come, or a terminal that was stopped, must hold nobody up who receives or handles events.
 */
#ifndef PALENCA_HOST_COMMON_LOG_WRITER_H
#define PALENCA_HOST_COMMON_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts the thread, once in the life of a process. Without it, for want of memory too, what is
 * written goes out at once, however long that takes. `json`: how to tell of lines that are lost. */
void log_begin(bool json);

/* This moment, as every line of JSON has it: 2026-03-01T12:30:00Z. */
#define LOG_TIME_SIZE 24
void log_time(char text[LOG_TIME_SIZE]);

/* Takes whole lines. Of what nobody reads, about a mebibyte is kept, or a single larger piece;
 * further lines are dropped, and counted in a line of their own once somebody reads again. */
void log_write(const char *lines, size_t size);

/* Writes a line of its own; what is too long is cut. In text, with "palenca: " and, of an error,
 * "error: " before it, and with what a terminal would interpret escaped; as JSON, with the time,
 * `event` and `level`, which are plain words. */
void log_message(bool json, const char *event, const char *level, const char *message);

/* As set by log_begin. */
bool log_is_json(void);

/* Logs once in the life of a process that what scripts print cannot be written, for that errno. */
void log_output_failure(int error);

/* Ends the thread, after it has written what is kept if that takes no longer than so many ms. What
 * comes later goes out at once. */
void log_end(int64_t timeout_ms);

#endif
