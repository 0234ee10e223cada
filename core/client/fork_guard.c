/* Notices that the process is the child of a fork. A page that the kernel clears in a child says
 * so: looking at it costs nothing, while asking for the process id is a system call, and each call
 * of the API passes here several times. */
#include "fork_guard.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static char *cleared_in_children(void) {
#ifdef MADV_WIPEONFORK
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    return NULL;
  }
  if (madvise(page, size, MADV_WIPEONFORK) == 0) {
    return page;
  }
  munmap(page, size);
#endif
  return NULL;
}

void fork_guard_init(fork_guard *guard) {
  guard->page = cleared_in_children();
  fork_guard_set(guard);
}

void fork_guard_free(fork_guard *guard) {
  if (guard->page != NULL) {
    munmap(guard->page, (size_t)sysconf(_SC_PAGESIZE));
  }
  guard->page = NULL;
}

bool fork_guard_has_forked(const fork_guard *guard) {
  return guard->page != NULL ? guard->page[0] == 0 : guard->process != getpid();
}

void fork_guard_set(fork_guard *guard) {
  guard->process = getpid();
  if (guard->page != NULL) {
    guard->page[0] = 1;
  }
}
