/* What version 5 of the schema has so that no id of an event is used twice. */
#include "schema_parts.h"

/* Ids are keys of idempotency for others: after the restore of a backup, or a failover that has
 * lost the last commits, they go on above all that there were. Each connection sees to that: they
 * are at least 10,000 for each second of Unix time. What other processes take meanwhile is far
 * below the step, so that they never go back. With the rights of the owner, since who serves has
 * only the right to use them. */
const char postgres_id_functions[] =
    "CREATE FUNCTION palenca.raise_ids() RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
    " SET search_path = '' AS $$"
    " DECLARE least_id bigint := (extract(epoch FROM clock_timestamp()) * 10000)::bigint;"
    " BEGIN"
    " PERFORM pg_advisory_xact_lock(1346456648);"
    " IF (SELECT last_value FROM palenca.event_ids) < least_id - 1000000 THEN"
    " PERFORM setval('palenca.event_ids', least_id);"
    " END IF;"
    " END $$;";
