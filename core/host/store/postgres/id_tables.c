/* What version 5 of the schema has so that no id of an event is used twice. */
#include "schema_parts.h"

/* More than others take while this is computed. */
#define STEP "1000"

/* Ids are keys of idempotency for others: after the restore of a backup, or a failover that has
 * lost the last commits, they go on above all that there were. Each connection sees to that: they
 * are at least 10,000 for each second of Unix time, and fewer events are received in one. It has
 * the rights of the tables' owner, since who serves may only take the next id. */
const char postgres_id_functions[] =
    "CREATE FUNCTION palenca.raise_ids() RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
    " SET search_path = '' AS $$"
    " BEGIN"
    " PERFORM pg_advisory_xact_lock(1346456648);"
    " PERFORM setval('palenca.event_ids', " STEP " + greatest(last_value,"
    " (extract(epoch FROM clock_timestamp()) * 10000)::bigint)) FROM palenca.event_ids;"
    " END $$;";
