/* Writes metrics in Prometheus's text format. */
#ifndef PALENCA_HOST_MONITOR_EXPOSITION_H
#define PALENCA_HOST_MONITOR_EXPOSITION_H

#include "buffer.h"

#include <stdbool.h>

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* All metrics of the process; `build` are the labels of palenca_build_info, as they are written.
 * False: out of memory. */
bool exposition_write(palenca_buffer *out, const char *build);

#endif
