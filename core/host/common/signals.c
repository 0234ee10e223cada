/* Blocks the signals that end or reload the program in all threads, and restores them for
 * children. */
#include "signals.h"

#include <pthread.h>

void signals_stop_set(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGINT);
  sigaddset(set, SIGTERM);
  sigaddset(set, SIGHUP);
}

void signals_ignored_set(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGPIPE);
  sigaddset(set, SIGXFSZ); /* a full disk is a failed write, whatever limit it is that is met */
}

void signals_release(void) {
  sigset_t set;
  signals_stop_set(&set);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Of a module of the script's that forks by itself. */
static void reset_in_child(void) {
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  signals_release();
}

void signals_begin(void) {
  sigset_t set;
  signals_stop_set(&set);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  (void)pthread_atfork(NULL, NULL, reset_in_child);
}
