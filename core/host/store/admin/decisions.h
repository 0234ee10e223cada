/* What people ask of the ledger of decisions, beside whoever serves from the file.
 *
 * The file is opened read-only, as for events; one of an earlier version has no decisions.
 * False on failure, with the reason in `error`. */
#ifndef PALENCA_HOST_STORE_ADMIN_DECISIONS_H
#define PALENCA_HOST_STORE_ADMIN_DECISIONS_H

#include "common/host_error.h"
#include "store/ledger/entry.h"

typedef struct {
  int64_t number, event_id, attempt, replay;
  int64_t recorded_at;        /* Unix milliseconds */
  const char *facts;          /* JSON */
  const char *rows, *details; /* JSON; NULL: not asked for, or not there */
  const char *account_id;     /* "" if the event has none; NULL: not there */
  const char *user_id;        /* likewise */
  bool has_data;              /* its rows, details and ids were not removed */
  char rows_digest[LEDGER_HEX_SIZE], hash[LEDGER_HEX_SIZE], previous[LEDGER_HEX_SIZE];
} decision_summary; /* valid during the call that receives it */

typedef bool (*decision_visit)(void *context, const decision_summary *decision);

typedef struct {
  int64_t number;         /* this one only; 0: all */
  int64_t event_id;       /* or 0 for all */
  const char *account_id; /* or NULL for all; of those whose data was not removed */
  const char *user_id;    /* likewise */
  int64_t since;          /* recorded at or after this */
  int64_t limit;          /* the newest N; 0: all */
  bool with_rows;         /* with rows and details */
} decision_filter;

/* Calls `each` for the decisions, oldest first, until it returns false. */
bool decision_list(const char *path, const decision_filter *filter, decision_visit each,
                   void *context, host_error *error);

typedef enum {
  LEDGER_CHANGED,     /* the entry is not as it was recorded */
  LEDGER_MISSING,     /* the entries from `number` to `other` */
  LEDGER_INSERTED,    /* the entry was not recorded */
  LEDGER_MOVED,       /* in the place of the entry is what was recorded as entry `other` */
  LEDGER_UNLINKED,    /* the entry does not continue the one before */
  LEDGER_NOT_REMOVED, /* its rows are missing, and no entry says that they were removed */
  LEDGER_CUT,         /* the entries before `number` are missing, and no entry says so */
  LEDGER_HEAD,        /* the ledger's own row is not that of its last entry, `number` */
  LEDGER_EXPECTED,    /* the entry has not the hash that was expected of it */
} ledger_problem_kind;

typedef struct {
  ledger_problem_kind kind;
  int64_t number, other;
} ledger_problem;

typedef void (*ledger_visit)(void *context, const ledger_problem *problem);

#define LEDGER_PROBLEMS_MAX 100 /* after which a check ends */

typedef struct {
  int64_t first, last; /* the entries there should be */
  int64_t decisions;   /* among them */
  int64_t removed;     /* of the decisions, without rows */
  int64_t problems;
  char head[LEDGER_HEX_SIZE]; /* the hash of the last one */
} ledger_report;

/* Checks every entry, and calls `each` for what is wrong. `expected` is NULL or the hash, in
 * hexadecimal, that entry `number` is known to have. */
bool decision_verify(const char *path, int64_t number, const char *expected, ledger_visit each,
                     void *context, ledger_report *report, host_error *error);

#endif
