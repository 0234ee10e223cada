/* What people ask of events at PostgreSQL: as the functions of event_admin.h, whose databases in
 * files have one writer; here everybody writes. */
#ifndef PALENCA_HOST_STORE_ADMIN_SERVER_EVENTS_H
#define PALENCA_HOST_STORE_ADMIN_SERVER_EVENTS_H

#include "store/event_admin.h"

/* `timeout_ms`: 0 if it may take whatever it takes. */
bool server_events_list(const char *url, const event_filter *filter, int64_t timeout_ms,
                        event_visit each, void *context, int64_t *next, host_error *error);
bool server_events_show(const char *url, int64_t id, event_visit each, void *context,
                        host_error *error);
bool server_events_attempts(const char *url, int64_t id, int64_t max, event_attempt_visit each,
                            void *context, int64_t *left_out, host_error *error);
bool server_events_count_states(const char *url, int64_t states[EVENT_STATES], host_error *error);
bool server_events_stats(const char *url, event_stats *stats, host_error *error);
bool server_events_replay(const char *url, int64_t id, event_replay_result *result,
                          host_error *error);
bool server_events_replay_dead(const char *url, const event_filter *filter, int64_t *count,
                               host_error *error);
bool server_events_replay_matching(const char *url, const event_filter *filter,
                                   event_admin_stop stop, int64_t *replayed, int64_t *left_out,
                                   host_error *error);
bool server_events_purge_matching(const char *url, const event_filter *filter, bool dry_run,
                                  event_admin_stop stop, event_purge_report *report,
                                  host_error *error);
bool server_events_purge(const char *url, const event_purge *what, event_purge_report *report,
                         host_error *error);

/* Of stats.c: adds to the counts of an action and a state. False: out of memory. */
bool event_stats_add(event_stats *stats, const char *action, int state, int64_t count,
                     int64_t oldest);

#endif
