/* Loads libpq when it is first needed. */
#include "libpq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#ifdef __APPLE__
#define LIBRARY "libpq.5.dylib"
#else
#define LIBRARY "libpq.so.5"
#endif

#define FUNCTION(name)                                                                             \
  { "PQ" #name, offsetof(libpq, name) }

static const struct {
  const char *name;
  size_t offset; /* in libpq */
} functions[] = {
    FUNCTION(backendPID),
    FUNCTION(clear),
    FUNCTION(cmdTuples),
    FUNCTION(connectdbParams),
    FUNCTION(conninfoFree),
    FUNCTION(conninfoParse),
    FUNCTION(consumeInput),
    FUNCTION(enterPipelineMode), /* since PostgreSQL 14 */
    FUNCTION(errorMessage),
    FUNCTION(exec),
    FUNCTION(execParams),
    FUNCTION(finish),
    FUNCTION(flush),
    FUNCTION(freemem),
    FUNCTION(getisnull),
    FUNCTION(getlength),
    FUNCTION(getResult),
    FUNCTION(getvalue),
    FUNCTION(isBusy),
    FUNCTION(nfields),
    FUNCTION(notifies),
    FUNCTION(ntuples),
    FUNCTION(pipelineSync),
    FUNCTION(resultErrorField),
    FUNCTION(resultErrorMessage),
    FUNCTION(resultStatus),
    FUNCTION(sendPrepare),
    FUNCTION(sendQuery),
    FUNCTION(sendQueryParams),
    FUNCTION(sendQueryPrepared),
    FUNCTION(setNoticeReceiver),
    FUNCTION(setnonblocking),
    FUNCTION(socket),
    FUNCTION(status),
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static libpq loaded;
static char failure[300]; /* why it could not be loaded; "": it could */

static void load(void) {
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    const char *reason = dlerror();
    (void)snprintf(failure, sizeof failure, "%s", reason != NULL ? reason : LIBRARY);
    return;
  }
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    /* POSIX has dlsym return the address of a function as that of an object. */
    void *address = dlsym(library, functions[i].name);
    if (address == NULL) {
      (void)snprintf(failure, sizeof failure, LIBRARY " is older than version 14: it has no %s",
                     functions[i].name);
      return;
    }
    memcpy((char *)&loaded + functions[i].offset, &address, sizeof address);
  }
}

const libpq *libpq_load(host_error *error) {
  (void)pthread_once(&once, load);
  if (failure[0] == '\0') {
    return &loaded;
  }
  (void)host_error_set(error, HOST_FAILED,
                       "PostgreSQL needs libpq, which could not be loaded: %s; on Debian: apt "
                       "install libpq5",
                       failure);
  return NULL;
}
