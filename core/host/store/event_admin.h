/* What people ask of stored events, beside whoever serves from the file.
 *
 * What reads opens the file read-only, whether another process serves from it or not, and closed
 * ones where nothing can be written; its transactions are short, and it holds nothing up while it
 * calls back. What writes asks the process that serves, at a socket beside the file; without one it
 * holds the lock of the file meanwhile, and brings one of an earlier version to this one. If the
 * lock has a holder that does not respond for some seconds, it fails. False on failure, with the
 * reason in `error`, also if the file is missing or not an event store's. */
#ifndef PALENCA_HOST_STORE_EVENT_ADMIN_H
#define PALENCA_HOST_STORE_EVENT_ADMIN_H

#include "common/host_error.h"
#include "event.h"

typedef struct {
  int64_t id;
  const char *action;
  const char *account_id; /* or NULL */
  const char *platform;   /* of its body; NULL if that names none */
  const char *state;
  int attempts; /* of the last replay, if there was any */
  int replays;
  int64_t received_at;
  int64_t due_at;      /* when its retry is due; 0: it does not wait for one */
  int64_t finished_at; /* 0: it is not done or dead */
  const char *error;   /* of the last failed attempt, or NULL */
  const char *body;    /* of event_store_show; else NULL */
  size_t body_size;
  event_trace trace;         /* likewise */
  const char *attempts_text; /* of event_store_scan: errors and lines of its attempts, or NULL */
} event_summary;             /* valid during the call that receives it */

typedef bool (*event_visit)(void *context, const event_summary *event);

typedef struct {
  const char *state;      /* a state's name, or NULL for all */
  const char *action;     /* or a family such as "login.*", or NULL for all */
  const char *account_id; /* or NULL for all */
  const char *platform;   /* or NULL for all */
  const char *error;      /* a part of it, in upper or lower case, or NULL for all */
  int64_t since;          /* received at or after this */
  int64_t until;          /* received before this; 0: whenever */
  int64_t limit;          /* the first N in that order; 0: all */
  int64_t after;          /* only those with an id above this */
  int64_t before;         /* only those with an id below this; 0: all */
  bool oldest_first;
} event_filter;

/* Calls `each` for the stored events, newest first unless the filter says otherwise, until it
 * returns false. An event that changes during the listing is shown as it was when its page of a few
 * hundred was read; those that are stored meanwhile are not shown. */
bool event_store_list(const char *path, const event_filter *filter, event_visit each, void *context,
                      host_error *error);

/* The same, for at most about so many milliseconds: the events that no time was left for have an id
 * below `next`, as those have that the limit has left out; 0: there are none. */
bool event_store_list_some(const char *path, const event_filter *filter, int64_t timeout_ms,
                           event_visit each, void *context, int64_t *next, host_error *error);

/* Calls `each` once, if there is an event of this id. */
bool event_store_show(const char *path, int64_t id, event_visit each, void *context,
                      host_error *error);

typedef struct {
  int replay, attempt;
  int64_t started_at; /* Unix milliseconds; 0: not known */
  int64_t duration;   /* milliseconds; -1: not known */
  const char *outcome;
  const char *error; /* or NULL */
  const char *lines; /* the last that its handlers have logged, or NULL */
  int64_t lines_left_out;
} event_attempt; /* valid during the call that receives it */

typedef bool (*event_attempt_visit)(void *context, const event_attempt *attempt);

/* Calls `each` for the latest `max` attempts of an event that have ended (0: for all), in their
 * order, until it returns false; `*left_out` is the number of those before them. In a file of an
 * earlier version there are none. */
bool event_store_attempts(const char *path, int64_t id, int64_t max, event_attempt_visit each,
                          void *context, int64_t *left_out, host_error *error);

typedef enum {
  EVENT_REPLAYED,
  EVENT_NOT_FOUND,
  EVENT_UNFINISHED, /* it is still going to run */
} event_replay_result;

/* Makes a done or dead event received again, under its id and with no attempt counted: a new run
 * of the same event, in the order of its id among those of its account that wait. A process that
 * serves from the file begins it within a second. */
bool event_store_replay(const char *path, int64_t id, event_replay_result *result,
                        host_error *error);

/* The same for all dead events of the filter's action and account since its time, in steps; `count`
 * is their number, also on failure. */
bool event_store_replay_dead(const char *path, const event_filter *filter, int64_t *count,
                             host_error *error);

typedef struct {
  event_state state;       /* EVENT_DONE or EVENT_DEAD */
  int64_t finished_before; /* only those that were done, or dead, before this */
  bool dry_run;            /* only reports */
} event_purge;

typedef struct {
  int64_t events;
  int64_t kept;      /* others that would run again if they came again now: within the window */
  int64_t bytes;     /* of what they hold */
  int64_t file_size; /* after it */
} event_purge_report;

/* Asked between the steps of what this process does itself: the reason with which that fails before
 * its end, or NULL. Without a function it goes on. */
typedef struct {
  const char *(*reason)(void *context);
  void *context;
} event_admin_stop;

const char *event_admin_stop_reason(const event_admin_stop *stop);

/* Runs all events of a filter again that are done or dead, in steps, whatever its limit, order and
 * ids are; `replayed` is their number, also on failure, and `left_out` that of those that are going
 * to run anyway. */
bool event_store_replay_matching(const char *path, const event_filter *filter,
                                 event_admin_stop stop, int64_t *replayed, int64_t *left_out,
                                 host_error *error);

/* Deletes finished events, except those received within the last service's dedup window, in
 * steps, and frees their space, at once or when the last reader has ended. The report includes
 * what was done before a failure. A dry run reads only. */
bool event_store_purge(const char *path, const event_purge *what, event_purge_report *report,
                       host_error *error);

/* The same for those of a filter, as above, that are done or dead. */
bool event_store_purge_matching(const char *path, const event_filter *filter, bool dry_run,
                                event_admin_stop stop, event_purge_report *report,
                                host_error *error);

typedef struct {
  char *action;
  int64_t states[EVENT_STATES]; /* how many events are in each */
} event_action_stats;

typedef struct {
  int64_t states[EVENT_STATES];
  int64_t oldest_unfinished; /* when it was received; 0: there is none */
  /* Bytes; `free_size` of the file are not in use. At a server the first is the size of the tables,
   * and the others are below 0. */
  int64_t file_size, log_size, free_size;
  event_action_stats *actions;
  size_t action_count;
} event_stats;

/* Counts the events. The caller calls event_stats_free, also on failure. */
bool event_store_stats(const char *path, event_stats *stats, host_error *error);
void event_stats_free(event_stats *stats);

/* Only how many events are in each state, which does not read them. */
bool event_store_count_states(const char *path, int64_t states[EVENT_STATES], host_error *error);

/* ---- Forgetting a person ---- */

/* Calls `each` for those events after an id that `selects` returns true for, oldest first, with
 * their bodies and the texts of their attempts, until it returns false. `selects` is called while
 * the file is being read: it must be short, and what it gets has no copy, and the texts of attempts
 * only if it `reads_attempts`. `*last` is the id up to which there were events. */
bool event_store_scan(const char *path, int64_t after, bool reads_attempts, event_visit selects,
                      event_visit each, void *context, int64_t *last, host_error *error);

#define EVENT_FORGET_MAX 100

typedef struct {
  int64_t ids[EVENT_FORGET_MAX]; /* of events */
  size_t id_count;
  int64_t numbers[EVENT_FORGET_MAX]; /* of decisions */
  size_t number_count;
} event_forget;

typedef struct {
  int64_t events, attempts; /* that were removed, and those that had been made of them */
  int64_t decisions;        /* of which rows, details and ids were removed */
  int64_t running;          /* events that are left, since their handlers run */
} event_forget_report;

/* Removes events in any state, and what is removable of decisions; the ledger records it. What is
 * not there is no failure. */
bool event_store_forget(const char *path, const event_forget *what, event_forget_report *report,
                        host_error *error);

/* Remembers, by a part of a digest of it, that the id of an account or of a user was forgotten, so
 * that no event is queued for a login of before; each may be NULL. */
bool event_store_forget_ids(const char *path, const char *account_id, const char *user_id,
                            host_error *error);

/* At a server: frees the space of rows that were removed, if the role of the URL may; `*is_done`
 * says whether. When that space is overwritten is the server's affair. */
bool event_store_vacuum(const char *url, bool *is_done, host_error *error);

/* Overwrites all that is left in the file of rows that were removed or moved, and in its log.
 * That is by itself no proof, and on disk after event_store_search only. */
bool event_store_overwrite(const char *path, host_error *error);

typedef struct {
  const char *data;
  size_t size; /* from EVENT_SEARCH_MIN */
} event_search_text;

#define EVENT_SEARCH_MIN 2
#define EVENT_SEARCH_FOUND_MAX 100

/* `which` of the texts is in the file of this name, at this byte; or, at a server, in the table's
 * column of this name, in so many rows. */
typedef void (*event_search_found)(void *context, const char *name, int64_t offset, size_t which);

typedef struct {
  int64_t files, bytes; /* that were read; at a server tables, and what they take */
  int64_t found;        /* after EVENT_SEARCH_FOUND_MAX it ends */
} event_search_report;

/* Looks for texts in the bytes of the database and of all files beside it whose names begin with
 * its name, and syncs those, so that they stay as they were read. This process must not have the
 * database open. At a server, in all rows of its tables. */
bool event_store_search(const char *path, const event_search_text *texts, size_t count,
                        event_search_found each, void *context, event_search_report *report,
                        host_error *error);

/* Something compressed in which one of the texts is, or that is damaged, so that it may be. */
typedef struct {
  bool is_decision; /* rows and details of the decision with this number; else recorded responses */
  int64_t id;       /* of the event of these */
  bool is_damaged;
} event_compressed;

typedef void (*event_compressed_found)(void *context, const event_compressed *found);

/* Looks for texts in what is compressed in the database: a search of its bytes does not find them.
 */
bool event_store_search_compressed(const char *path, const event_search_text *texts, size_t count,
                                   event_compressed_found each, void *context, host_error *error);

/* Removes a database without events, and the files beside it, unless another process uses it, or it
 * was not closed in order. Returns whether it did. */
bool event_store_remove_empty(const char *path);

/* ---- Backups ---- */

typedef struct {
  int64_t pages;  /* of the file, as far as is known */
  int64_t copied; /* of these */
} event_backup_report;

/* Called at least every 100 ms while it works. False: it is to end, with HOST_STOPPED. */
typedef bool (*event_backup_progress)(void *context, const event_backup_report *report);

/* Copies the database to `file`, with all that was committed before it began: beside it first
 * (`file`.partial), then synced and renamed, so that it is there as a whole or not at all. A
 * process that serves copies in slices; without one this process reads the database. What is at
 * `file` is replaced only if `overwrites`. */
bool event_store_backup(const char *path, const char *file, bool overwrites,
                        event_backup_progress progress, void *context, event_backup_report *report,
                        host_error *error);

typedef struct {
  int64_t events;
  int64_t last_id; /* new events have ids above it */
} event_restore_report;

/* Makes a database at `path`, where there must be none, of a backup whose integrity it checks. Ids
 * that the lost database may have used since the backup are skipped. */
bool event_store_restore(const char *file, const char *path, event_backup_progress progress,
                         void *context, event_restore_report *report, host_error *error);

/* ---- Events that are missing ---- */

typedef struct {
  const char *account_id;
  const char *user_id; /* or NULL */
  const char *body;
  int64_t began; /* when the login began, in Unix milliseconds */
  int64_t after; /* the id of an event after which it may have come */
} event_queue_request;

/* When the last login.success was received that was deleted since it was old, or by people but for
 * event_store_forget: whether one of before has come is not known. 0: none was. */
bool event_store_last_purged(const char *path, int64_t *received_at, host_error *error);

/* Queues a `login.success` of which no webhook has come, unless one of that account has meanwhile,
 * one was queued within a day, or the account or the user was forgotten since the login began;
 * `*is_queued` says whether. For a day, one that comes is a duplicate of it. */
bool event_store_queue(const char *path, const event_queue_request *what, bool *is_queued,
                       host_error *error);

/* Of several processes that serve from a database one looks for what is missing. */
typedef enum {
  EVENT_RECONCILE_WAIT, /* another one is at it */
  EVENT_RECONCILE_OWN,
  EVENT_RECONCILE_DONE, /* another one has done it since this one has asked */
} event_reconcile_turn;

/* `*asked`: 0 with the first call of a process, and what that has set with others. Who has the turn
 * keeps it for half a minute, and for longer by another call. */
bool event_store_take_reconciling(const char *path, int64_t *asked, event_reconcile_turn *turn,
                                  host_error *error);
/* Ends the turn; if it was not done, another process has it next. */
bool event_store_end_reconciling(const char *path, int64_t asked, bool is_done, host_error *error);

/* ---- The requests to the process that serves ---- */

typedef enum {
  EVENT_ADMIN_REPLAY,          /* event_store_replay */
  EVENT_ADMIN_REPLAY_DEAD,     /* event_store_replay_dead */
  EVENT_ADMIN_PURGE,           /* event_store_purge */
  EVENT_ADMIN_FORGET,          /* event_store_forget */
  EVENT_ADMIN_OVERWRITE,       /* event_store_overwrite */
  EVENT_ADMIN_BACKUP,          /* event_store_backup */
  EVENT_ADMIN_QUEUE,           /* event_store_queue */
  EVENT_ADMIN_REPLAY_MATCHING, /* event_store_replay_matching */
  EVENT_ADMIN_PURGE_MATCHING   /* event_store_purge_matching */
} event_admin_kind;

typedef struct {
  event_admin_kind kind;
  int64_t id;                      /* of a replay */
  const char *action, *account_id; /* of a replay of dead events; or NULL for all */
  int64_t since;                   /* as in event_filter */
  event_purge purge;               /* of a purge; a dry run reads only, also of one by a filter */
  event_filter filter;             /* of what concerns all that match it */
  event_forget forget;             /* of forgetting */
  const char *user_id;             /* likewise, with `account_id`: whose ids to remember, or NULL */
  const char *file;                /* of a backup: what exists, and is written to */
  event_queue_request queue;
  bool is_alone;         /* no process serves: no handler runs. Not in the request's line */
  event_admin_stop stop; /* likewise */
} event_admin_request;

/* What has been committed so far. */
typedef struct {
  event_replay_result replay;
  event_purge_report purge; /* its `events` counts what was replayed, too, and `kept` what not */
  event_forget_report forget;
  event_backup_report backup;
} event_admin_report;

#endif
