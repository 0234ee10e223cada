/* Forgetting a person at PostgreSQL: as the functions of event_admin.h. */
#ifndef PALENCA_HOST_STORE_ADMIN_SERVER_FORGET_H
#define PALENCA_HOST_STORE_ADMIN_SERVER_FORGET_H

#include "store/event_admin.h"

bool server_forget_scan(const char *url, int64_t after, bool reads_attempts, event_visit selects,
                        event_visit each, void *context, int64_t *last, host_error *error);
bool server_forget_remove(const char *url, const event_forget *what, event_forget_report *report,
                          host_error *error);
bool server_forget_ids(const char *url, const char *account_id, const char *user_id,
                       host_error *error);
bool server_forget_search(const char *url, const event_search_text *texts, size_t count,
                          event_search_found each, void *context, event_search_report *report,
                          host_error *error);

#endif
