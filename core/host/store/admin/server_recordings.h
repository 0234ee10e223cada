/* Events with their recorded responses at PostgreSQL. */
#ifndef PALENCA_HOST_STORE_ADMIN_SERVER_RECORDINGS_H
#define PALENCA_HOST_STORE_ADMIN_SERVER_RECORDINGS_H

#include "recordings.h"

/* As recording_list. */
bool server_recordings_list(const char *url, const recording_filter *filter, recording_visit each,
                            void *context, host_error *error);

#endif
