/* The listener for whoever watches the process: metrics and health, on a thread of its own. */
#ifndef PALENCA_HOST_MONITOR_SERVER_H
#define PALENCA_HOST_MONITOR_SERVER_H

#include "common/host_error.h"
#include "http/request_queue.h"

#include <stdbool.h>

typedef struct monitor monitor;

/* Listens at an address or a Unix socket, as http_server_options has it; `build` are the labels of
 * palenca_build_info. NULL: the reason is in `error`, and no file is left. */
monitor *monitor_start(const char *listen, const char *build, host_error *error);

const char *monitor_address(const monitor *m);
/* Whether only this machine can reach it. */
bool monitor_is_local(const monitor *m);

/* ---- The admin page, whose requests another thread responds to ---- */

/* The requests that are not its own, of a listener that only this machine can reach: those of GET,
 * or those of POST. They wait in the queue, of the one monitor there is, until it is left, and get
 * 503 before and after. NULL: there is no monitor. */
http_queue *monitor_take_requests(bool is_post);
void monitor_leave_requests(http_queue *queue);

/* Waits for its thread, which waits for nobody; all queues have been left. NULL is
 * allowed. */
void monitor_stop(monitor *m);

#endif
