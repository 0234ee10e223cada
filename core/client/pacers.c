/* The pace of every key in the process, shared by engines on any thread. */
#include "pacers.h"

#if !__has_include(<openssl/sha.h>)
#error "openssl/sha.h is missing: install libssl-dev (Debian) or openssl-devel (Fedora)"
#endif
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct pacer {
  unsigned char digest[PACER_DIGEST_SIZE]; /* the key itself is not kept */
  palenca_pace pace;
  pacer *next;
};

struct palenca_pacers {
  pthread_mutex_t mutex;
  size_t references;
  pacer *first;
};

palenca_pacers *palenca_pacers_new(void) {
  palenca_pacers *pacers = calloc(1, sizeof *pacers);
  if (pacers == NULL)
    return NULL;
  pthread_mutex_init(&pacers->mutex, NULL);
  pacers->references = 1;
  return pacers;
}

palenca_pacers *palenca_pacers_retain(palenca_pacers *pacers) {
  pthread_mutex_lock(&pacers->mutex);
  pacers->references++;
  pthread_mutex_unlock(&pacers->mutex);
  return pacers;
}

void palenca_pacers_release(palenca_pacers *pacers) {
  if (pacers == NULL)
    return;
  pthread_mutex_lock(&pacers->mutex);
  bool last = --pacers->references == 0;
  pthread_mutex_unlock(&pacers->mutex);
  if (!last)
    return;
  while (pacers->first != NULL) {
    pacer *next = pacers->first->next;
    palenca_pace_free(&pacers->first->pace);
    free(pacers->first);
    pacers->first = next;
  }
  pthread_mutex_destroy(&pacers->mutex);
  free(pacers);
}

static pacer *add(palenca_pacers *pacers, const unsigned char *digest, size_t limit) {
  pacer *one = calloc(1, sizeof *one);
  if (one == NULL || !palenca_pace_init(&one->pace, limit)) {
    free(one);
    return NULL;
  }
  memcpy(one->digest, digest, sizeof one->digest);
  one->next = pacers->first;
  pacers->first = one;
  return one;
}

void pacers_digest(const char *key, size_t key_size, unsigned char digest[PACER_DIGEST_SIZE]) {
  SHA256((const unsigned char *)key, key_size, digest);
}

pacer *pacers_find(palenca_pacers *pacers, const unsigned char *digest, size_t limit) {
  pthread_mutex_lock(&pacers->mutex);
  pacer *one = pacers->first;
  while (one != NULL &&
         (one->pace.limit != limit || memcmp(one->digest, digest, sizeof one->digest) != 0))
    one = one->next;
  if (one == NULL)
    one = add(pacers, digest, limit);
  pthread_mutex_unlock(&pacers->mutex);
  return one;
}

/* What bulk calls leave of a window: 95 % of it is theirs, if nobody else wants it. */
#define SPARE_PART 24

int64_t pacers_take(palenca_pacers *pacers, pacer *one, bool bulk, int64_t now) {
  pthread_mutex_lock(&pacers->mutex);
  int64_t wait = palenca_pace_wait(&one->pace, now, bulk ? one->pace.limit / SPARE_PART : 0);
  if (wait == 0)
    palenca_pace_take(&one->pace, now);
  pthread_mutex_unlock(&pacers->mutex);
  return wait;
}

void pacers_block(palenca_pacers *pacers, pacer *one, int64_t now, int64_t wait_ms) {
  pthread_mutex_lock(&pacers->mutex);
  palenca_pace_block(&one->pace, now, wait_ms);
  pthread_mutex_unlock(&pacers->mutex);
}
