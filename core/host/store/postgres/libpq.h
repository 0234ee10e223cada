/* libpq, loaded when it is first needed: who stores in a file does without it, and without the
 * libraries that it depends on. */
#ifndef PALENCA_HOST_STORE_POSTGRES_LIBPQ_H
#define PALENCA_HOST_STORE_POSTGRES_LIBPQ_H

#include "common/host_error.h"

#include <libpq-fe.h>

/* Its functions, under their names without `PQ`. */
typedef struct {
  int (*backendPID)(const PGconn *);
  void (*clear)(PGresult *);
  char *(*cmdTuples)(PGresult *);
  PGconn *(*connectdbParams)(const char *const *, const char *const *, int);
  void (*conninfoFree)(PQconninfoOption *);
  PQconninfoOption *(*conninfoParse)(const char *, char **);
  int (*consumeInput)(PGconn *);
  int (*enterPipelineMode)(PGconn *);
  char *(*errorMessage)(const PGconn *);
  PGresult *(*exec)(PGconn *, const char *);
  PGresult *(*execParams)(PGconn *, const char *, int, const Oid *, const char *const *,
                          const int *, const int *, int);
  void (*finish)(PGconn *);
  int (*flush)(PGconn *);
  void (*freemem)(void *);
  int (*getisnull)(const PGresult *, int, int);
  int (*getlength)(const PGresult *, int, int);
  PGresult *(*getResult)(PGconn *);
  char *(*getvalue)(const PGresult *, int, int);
  int (*isBusy)(PGconn *);
  int (*nfields)(const PGresult *);
  PGnotify *(*notifies)(PGconn *);
  int (*ntuples)(const PGresult *);
  int (*pipelineSync)(PGconn *);
  char *(*resultErrorField)(const PGresult *, int);
  char *(*resultErrorMessage)(const PGresult *);
  ExecStatusType (*resultStatus)(const PGresult *);
  int (*sendPrepare)(PGconn *, const char *, const char *, int, const Oid *);
  int (*sendQuery)(PGconn *, const char *);
  int (*sendQueryParams)(PGconn *, const char *, int, const Oid *, const char *const *, const int *,
                         const int *, int);
  int (*sendQueryPrepared)(PGconn *, const char *, int, const char *const *, const int *,
                           const int *, int);
  PQnoticeReceiver (*setNoticeReceiver)(PGconn *, PQnoticeReceiver, void *);
  int (*setnonblocking)(PGconn *, int);
  int (*socket)(const PGconn *);
  ConnStatusType (*status)(const PGconn *);
} libpq;

/* Loads it with the process's first call; it stays loaded. NULL, with `error` filled, if it cannot
 * be loaded or is too old. Any thread may call this. */
const libpq *libpq_load(host_error *error);

#endif
