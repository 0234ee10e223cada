/* What a service manager, such as systemd, passes to a process and hears from it, by the protocols
 * of sd_listen_fds(3) and sd_notify(3). Without one there is neither, and nothing is done. */
#ifndef PALENCA_HOST_COMMON_SERVICE_MANAGER_H
#define PALENCA_HOST_COMMON_SERVICE_MANAGER_H

#include "host_error.h"

#include <stdbool.h>
#include <stdint.h>

/* The listening socket that was passed to this process, which owns its descriptor from now on; -1:
 * none was. False: what was passed cannot be used, with the reason in `error`. */
bool service_manager_socket(int *fd, host_error *error);

/* Sends lines such as "READY=1". Returns whether somebody received them; it waits for a second at
 * most. */
bool service_manager_notify(const char *lines);

/* Microseconds within which "WATCHDOG=1" has to be sent, again and again; 0: it need not be. */
int64_t service_manager_watchdog_us(void);

#endif
