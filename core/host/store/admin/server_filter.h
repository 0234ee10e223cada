/* Filters of events at PostgreSQL. */
#ifndef PALENCA_HOST_STORE_ADMIN_SERVER_FILTER_H
#define PALENCA_HOST_STORE_ADMIN_SERVER_FILTER_H

#include "server_query.h"
#include "store/event_admin.h"

#define SERVER_TABLES " FROM palenca.events AS e LEFT JOIN palenca.bodies AS b USING (id)"

/* Conditions on these tables, of the first parameters. An account, error or platform of "" is any,
 * and a state below 0. */
#define SERVER_FILTER                                                                              \
  " action LIKE $1::text AND ($2::text = '' OR account_id = $2)"                                   \
  " AND received_at >= $3::bigint AND received_at < $4::bigint"                                    \
  " AND ($5::text = '' OR error ILIKE $5)"                                                         \
  " AND ($6::text = '' OR palenca.platform_of(body) = $6)"                                         \
  " AND ($7::bigint < 0 OR state = $7)"

/* False: it names a state that there is not. */
bool server_filter_check(const event_filter *filter, host_error *error);
/* Adds these parameters; the statement's own are from $8 on. */
void server_filter_add(server_query *query, const event_filter *filter);
/* Below 0: any. */
int64_t server_filter_state(const event_filter *filter);

#endif
