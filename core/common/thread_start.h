/* Threads with stacks of the same size on every platform: by default musl takes 128 KiB, macOS
 * 512 KiB, and glibc what `ulimit -s` says. */
#ifndef PALENCA_COMMON_THREAD_START_H
#define PALENCA_COMMON_THREAD_START_H

#include <pthread.h>
#include <stddef.h>

#define THREAD_STACK_SIZE ((size_t)1024 * 1024)
/* Lua nests up to 200 calls of C functions, which may be other people's. */
#define THREAD_LUA_STACK_SIZE ((size_t)8 * 1024 * 1024)

/* As pthread_create. */
static inline int thread_start(pthread_t *thread, size_t stack_size, void *(*body)(void *context),
                               void *context) {
  pthread_attr_t attributes;
  int problem = pthread_attr_init(&attributes);
  if (problem != 0) {
    return problem;
  }
  problem = pthread_attr_setstacksize(&attributes, stack_size);
  if (problem == 0) {
    problem = pthread_create(thread, &attributes, body, context);
  }
  pthread_attr_destroy(&attributes);
  return problem;
}

#endif
