/* Notices that the process is another one than before: the child of a fork. */
#ifndef PALENCA_FORK_GUARD_H
#define PALENCA_FORK_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

#pragma GCC visibility push(hidden)

typedef struct {
  char *page; /* the kernel clears it in a child; NULL: it cannot, so ids are compared */
  pid_t process;
} fork_guard;

void fork_guard_init(fork_guard *guard);
void fork_guard_free(fork_guard *guard);
/* Whether this is a child of the process that set the guard. */
bool fork_guard_has_forked(const fork_guard *guard);
/* From now on it is this process that counts. */
void fork_guard_set(fork_guard *guard);

#pragma GCC visibility pop

#endif
