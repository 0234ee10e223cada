/* The signals that end or reload the program, and what children find of them.
 *
 * They are blocked in all threads, and taken by the main thread when it asks for them.
 */
#ifndef PALENCA_HOST_COMMON_SIGNALS_H
#define PALENCA_HOST_COMMON_SIGNALS_H

#include <signal.h>

/* Before any other thread is started, so that all inherit it: SIGINT, SIGTERM and SIGHUP wait until
 * they are asked for, and SIGPIPE and SIGXFSZ are failed writes. Children that are forked have it
 * all as it usually is. */
void signals_begin(void);
/* For a command that leaves them to end it, as it would have been ended before. */
void signals_release(void);
/* SIGINT, SIGTERM and SIGHUP. */
void signals_stop_set(sigset_t *set);
/* SIGPIPE and SIGXFSZ, which a child must have its default for. */
void signals_ignored_set(sigset_t *set);

#endif
