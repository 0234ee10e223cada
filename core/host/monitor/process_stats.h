/* What the system knows of this process. */
#ifndef PALENCA_HOST_MONITOR_PROCESS_STATS_H
#define PALENCA_HOST_MONITOR_PROCESS_STATS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  int64_t start_ms; /* Unix time */
  int64_t cpu_ms;
  int64_t resident_bytes;
  int64_t open_fds, max_fds;
} process_stats;

/* False: the system does not say. */
bool process_stats_read(process_stats *stats);

#endif
