/* The tables of the ledger of decisions at PostgreSQL, and of who was forgotten, and functions:
 * version 4 of the schema. */
#include "schema_parts.h"
#include "store/ledger/entry.h"

/* The functions name the kinds by these numbers. */
_Static_assert(LEDGER_DECISION == 1 && LEDGER_DATA_REMOVED == 2 && LEDGER_ENTRIES_DELETED == 3,
               "the kinds are stored in databases");

#define ZEROS "decode(repeat('00', 32), 'hex')"
/* LEDGER_NUMBER_MAX */
#define NUMBER_MAX "9007199254740992"

/* What a decision says, its facts, its digests and the chain, is in `decisions`, with entries about
 * removals; what can be removed of it, compressed, in `decision_data`. The only row of `ledger`
 * says what the first entry and the last one have to be; whoever appends one has it locked until
 * the commit, so that the entries of all processes are one chain.
 *
 * `forgotten` has ids of accounts and users, by a part of their digests. */
const char postgres_ledger_tables[] =
    "CREATE TABLE palenca.decisions ("
    " number bigint PRIMARY KEY,"
    " kind bigint NOT NULL,"
    " subject bigint NOT NULL,"
    " attempt bigint NOT NULL,"
    " replay bigint NOT NULL,"
    " recorded_at bigint NOT NULL,"
    " facts bytea NOT NULL,"
    " rows_digest bytea NOT NULL CHECK (octet_length(rows_digest) = 32),"
    " data_digest bytea NOT NULL CHECK (octet_length(data_digest) = 32),"
    " previous bytea NOT NULL CHECK (octet_length(previous) = 32),"
    " hash bytea NOT NULL CHECK (octet_length(hash) = 32));"
    "CREATE INDEX decisions_subject ON palenca.decisions (subject) WHERE kind = 1;"
    "CREATE TABLE palenca.decision_data ("
    " number bigint PRIMARY KEY,"
    " account_id bytea NOT NULL,"
    " user_id bytea NOT NULL,"
    " rows bytea NOT NULL,"
    " details bytea NOT NULL);"
    "ALTER TABLE palenca.decision_data ALTER COLUMN rows SET STORAGE EXTERNAL,"
    " ALTER COLUMN details SET STORAGE EXTERNAL;"
    "CREATE TABLE palenca.ledger ("
    " id bigint PRIMARY KEY,"
    " first bigint NOT NULL,"
    " last bigint NOT NULL,"
    " before bytea NOT NULL CHECK (octet_length(before) = 32),"
    " head bytea NOT NULL CHECK (octet_length(head) = 32))"
    " WITH (fillfactor = 50, autovacuum_vacuum_threshold = 100);"
    "INSERT INTO palenca.ledger VALUES (1, 1, 0, " ZEROS ", " ZEROS ");"
    "CREATE TABLE palenca.forgotten (id bigint PRIMARY KEY, at timestamptz NOT NULL);";

const char postgres_ledger_functions[] =
    /* Whatever somebody has done to it by hand, entries can be added. */
    "CREATE FUNCTION palenca.lock_ledger(OUT state palenca.ledger) LANGUAGE plpgsql AS $$"
    " BEGIN"
    " SELECT * INTO state FROM palenca.ledger WHERE id = 1 FOR UPDATE;"
    " IF NOT FOUND THEN"
    " INSERT INTO palenca.ledger VALUES (1, 1, 0, " ZEROS ", " ZEROS ") ON CONFLICT DO NOTHING;"
    " SELECT * INTO state FROM palenca.ledger WHERE id = 1 FOR UPDATE;"
    " END IF;"
    " END $$;"
    /* Fills in number, time, previous and hash of the entries, and adds them; returns the number
     * before the first of them. A hash covers each field as LENGTH:BYTES, as ledger_entry_hash of
     * entry.h has it. */
    "CREATE FUNCTION palenca.append_entries(entries palenca.decisions[]) RETURNS bigint"
    " LANGUAGE plpgsql AS $$"
    " DECLARE state palenca.ledger; entry palenca.decisions;"
    " BEGIN"
    " state := palenca.lock_ledger();"
    " IF state.last NOT BETWEEN 1 AND " NUMBER_MAX " THEN state.last := 0; END IF;"
    " state.last := greatest(state.last,"
    " (SELECT max(number) FROM palenca.decisions WHERE number <= " NUMBER_MAX "));"
    " FOREACH entry IN ARRAY entries LOOP"
    " state.last := state.last + 1;"
    " entry.number := state.last;"
    " entry.recorded_at := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;"
    " entry.previous := state.head;"
    " entry.hash := sha256(convert_to(format('18:palenca decision 1,%s:%s,%s:%s,%s:%s,%s:%s,%s:%s,"
    "%s:%s,%s:', length(entry.number::text), entry.number, length(entry.kind::text), entry.kind,"
    " length(entry.subject::text), entry.subject, length(entry.attempt::text), entry.attempt,"
    " length(entry.replay::text), entry.replay, length(entry.recorded_at::text),"
    " entry.recorded_at, octet_length(entry.facts)), 'UTF8') || entry.facts"
    " || convert_to(format(',64:%s,64:%s,64:%s,', encode(entry.rows_digest, 'hex'),"
    " encode(entry.data_digest, 'hex'), encode(entry.previous, 'hex')), 'UTF8'));"
    " INSERT INTO palenca.decisions SELECT entry.*;"
    " state.head := entry.hash;"
    " END LOOP;"
    " UPDATE palenca.ledger SET last = state.last, head = state.head WHERE id = 1;"
    " RETURN state.last - cardinality(entries);"
    " END $$;";

/* Removals are entries as well, and appended first: locks are taken in this order by all. */
const char postgres_ledger_removals[] =
    "CREATE FUNCTION palenca.append_removal(removal bigint, subject bigint, digest bytea)"
    " RETURNS void LANGUAGE plpgsql AS $$"
    " BEGIN"
    " PERFORM palenca.append_entries(ARRAY[ROW(NULL, removal, subject, 0, 0, NULL, ''::bytea,"
    " digest, " ZEROS ", NULL, NULL)::palenca.decisions]);"
    " END $$;"
    /* Removes the data of a decision; whether there was any. */
    "CREATE FUNCTION palenca.remove_decision_data(entry bigint) RETURNS boolean"
    " LANGUAGE plpgsql AS $$"
    " BEGIN"
    " PERFORM palenca.lock_ledger();"
    " DELETE FROM palenca.decision_data WHERE number = entry;"
    " IF NOT FOUND THEN RETURN false; END IF;"
    " PERFORM palenca.append_removal(2, entry, " ZEROS ");"
    " RETURN true;"
    " END $$;"
    /* The number up to which the first entries are to go, or NULL. They are in the order of time,
     * but for those of a clock that was set back: nothing is read beyond the first young one. */
    "CREATE FUNCTION palenca.last_old_decision(before bigint, max_count bigint) RETURNS bigint"
    " LANGUAGE plpgsql AS $$"
    " DECLARE first_one bigint; young bigint;"
    " BEGIN"
    " SELECT min(number) INTO first_one FROM palenca.decisions"
    " WHERE kind = 1 AND number <= " NUMBER_MAX ";"
    " SELECT coalesce(min(number), first_one + max_count) INTO young FROM palenca.decisions"
    " WHERE kind = 1 AND recorded_at >= before AND number >= first_one"
    " AND number < first_one + max_count;"
    " RETURN (SELECT max(number) FROM palenca.decisions WHERE kind = 1 AND recorded_at < before"
    " AND number >= first_one AND number < young);"
    " END $$;"
    /* Deletes up to so many of the first entries that are older than so many milliseconds, and
     * returns how many. Another process may have done so before this one has the lock. */
    "CREATE FUNCTION palenca.delete_old_decisions(age_ms bigint, max_count bigint) RETURNS bigint"
    " LANGUAGE plpgsql AS $$"
    " DECLARE digest bytea; deleted bigint; last_one bigint;"
    " before bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint - age_ms;"
    " BEGIN"
    " IF palenca.last_old_decision(before, max_count) IS NULL THEN RETURN 0; END IF;"
    " PERFORM palenca.lock_ledger();"
    " last_one := palenca.last_old_decision(before, max_count);"
    " IF last_one IS NULL THEN RETURN 0; END IF;"
    " SELECT hash INTO digest FROM palenca.decisions WHERE number = last_one;"
    " PERFORM palenca.append_removal(3, last_one, digest);"
    " DELETE FROM palenca.decision_data WHERE number <= last_one;"
    " DELETE FROM palenca.decisions WHERE number <= last_one;"
    " GET DIAGNOSTICS deleted = ROW_COUNT;"
    " UPDATE palenca.ledger SET first = last_one + 1, before = digest WHERE id = 1;"
    " RETURN deleted;"
    " END $$;";

const char postgres_forget_functions[] =
    /* Waits for transactions that write events: those that one of them puts may have lower ids than
     * others that are there already. */
    "CREATE FUNCTION palenca.await_writers() RETURNS void LANGUAGE plpgsql AS $$"
    " DECLARE writers text[]; deadline timestamptz := clock_timestamp() + interval '10 seconds';"
    " BEGIN"
    " SELECT array_agg(l.virtualtransaction) INTO writers FROM pg_locks AS l"
    " JOIN pg_database AS d ON d.oid = l.database WHERE d.datname = current_database()"
    " AND l.relation = 'palenca.events'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted;"
    " WHILE EXISTS (SELECT FROM pg_locks AS l WHERE l.virtualtransaction = ANY (writers)"
    " AND l.mode = 'RowExclusiveLock') LOOP"
    " IF clock_timestamp() > deadline THEN"
    " RAISE EXCEPTION 'a transaction that writes events does not end'; END IF;"
    " PERFORM pg_sleep(0.005);"
    " END LOOP;"
    " END $$;";
