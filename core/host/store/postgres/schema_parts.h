/* What the schema consists of: the texts that schema.c runs, in its order. */
#ifndef PALENCA_HOST_STORE_POSTGRES_SCHEMA_PARTS_H
#define PALENCA_HOST_STORE_POSTGRES_SCHEMA_PARTS_H

extern const char postgres_queue_tables[];
extern const char postgres_queue_functions[];
extern const char postgres_waiting_events[];
extern const char postgres_record_tables[];
extern const char postgres_record_functions[];
extern const char postgres_reconcile_tables[];
extern const char postgres_reconcile_functions[];
extern const char postgres_ledger_tables[];
extern const char postgres_ledger_functions[];
extern const char postgres_ledger_removals[];
extern const char postgres_forget_functions[];
extern const char postgres_rate_tables[];
extern const char postgres_rate_functions[];
extern const char postgres_id_functions[];

#endif
