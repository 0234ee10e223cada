/* The listener for whoever watches the process: metrics and health, on a thread of its own. */
#ifndef PALENCA_HOST_MONITOR_SERVER_H
#define PALENCA_HOST_MONITOR_SERVER_H

#include "common/host_error.h"

#include <stdbool.h>

typedef struct monitor monitor;

/* Listens at an address or a Unix socket, as http_server_options has it; `build` are the labels of
 * palenca_build_info. NULL: the reason is in `error`, and no file is left. */
monitor *monitor_start(const char *listen, const char *build, host_error *error);

const char *monitor_address(const monitor *m);
/* Whether only this machine can reach it. */
bool monitor_is_local(const monitor *m);

/* Waits for its thread, which waits for nobody. NULL is allowed. */
void monitor_stop(monitor *m);

#endif
