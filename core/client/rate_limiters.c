/* The pace of every key in the process, shared by engines on any thread and kept from one to the
 * next; or on the machine. */
#include "rate_limiters.h"

#include "clock.h"
#include "protocol/error.h"
#include "rate_limit_file.h"

#if !__has_include(<openssl/sha.h>)
#error "openssl/sha.h is missing: install libssl-dev (Debian) or openssl-devel (Fedora)"
#endif
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct pacer {
  unsigned char digest[PACER_DIGEST_SIZE]; /* the key itself is not kept */
  size_t limit;
  palenca_pace pace; /* unless there is a file */
  pace_file *file;
  size_t references;
  pacer *next;
};

struct palenca_pacers {
  pthread_mutex_t mutex;
  size_t references;
  int directory; /* of files; -1: none */
  size_t opened; /* files, since the directory was cleaned */
  pacer *first;  /* the one that was asked for last comes first */
};

#define BUSY_MS 1

/* Files that stay open without an engine, so that keys that take turns are not opened each time. */
#define IDLE_FILES_MAX 16

/* A process that goes on for long comes by many keys. */
#define OPENED_MAX 256

static void free_pacer(pacer *one) {
  palenca_pace_free(&one->pace);
  pace_file_close(one->file);
  free(one);
}

/* Those asked for last come first, and so do their files. */
static bool is_wanted(const pacer *one, int64_t now, size_t *idle_files) {
  if (one->references > 0)
    return true;
  if (one->file != NULL)
    return ++*idle_files <= IDLE_FILES_MAX;
  return palenca_pace_wait(&one->pace, now, one->limit - 1) > 0;
}

/* Frees those that no engine has and that would hold nobody back. What a file says stays there. */
static void sweep(palenca_pacers *pacers, int64_t now) {
  size_t idle_files = 0;
  for (pacer **at = &pacers->first; *at != NULL;) {
    pacer *one = *at;
    if (is_wanted(one, now, &idle_files)) {
      at = &one->next;
    } else {
      *at = one->next;
      free_pacer(one);
    }
  }
}

/* ---- the set of the process ---- */

/* The API counts for each key, however many engines there are, at once or one after the other. */
static palenca_pacers of_process = {
    .mutex = PTHREAD_MUTEX_INITIALIZER, .references = 1, .directory = -1};

static void lock(void) {
  pthread_mutex_lock(&of_process.mutex);
}

static void unlock(void) {
  pthread_mutex_unlock(&of_process.mutex);
}

/* A child gets the mutex as it is at the fork: it must not be that of a thread it does not have. */
static void guard_forks(void) {
  pthread_atfork(lock, unlock, unlock);
}

palenca_pacers *pacers_of_process(void) {
  static pthread_once_t guarded = PTHREAD_ONCE_INIT;
  pthread_once(&guarded, guard_forks);
  return palenca_pacers_retain(&of_process);
}

/* The module may be unloaded before the process ends. */
__attribute__((destructor)) static void free_all(void) {
  lock();
  sweep(&of_process, INT64_MAX);
  unlock();
}

/* ---- sets ---- */

palenca_pacers *palenca_pacers_share(const char *parent, palenca_error *error) {
  int directory = pace_directory_open(parent, error);
  if (directory < 0)
    return NULL;
  palenca_pacers *pacers = calloc(1, sizeof *pacers);
  if (pacers == NULL) {
    close(directory);
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
    return NULL;
  }
  pthread_mutex_init(&pacers->mutex, NULL);
  pacers->references = 1;
  pacers->directory = directory;
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
    free_pacer(pacers->first);
    pacers->first = next;
  }
  close(pacers->directory);
  pthread_mutex_destroy(&pacers->mutex);
  free(pacers);
}

static pace_file *open_file(palenca_pacers *pacers, const unsigned char *digest, size_t limit) {
  if (++pacers->opened > OPENED_MAX) {
    pace_directory_clean(pacers->directory);
    pacers->opened = 0;
  }
  char name[2 * PACER_DIGEST_SIZE + 32];
  for (size_t i = 0; i < PACER_DIGEST_SIZE; i++)
    snprintf(name + 2 * i, 3, "%02x", digest[i]);
  snprintf(name + 2 * PACER_DIGEST_SIZE, 32, "-%zu", limit);
  return pace_file_open(pacers->directory, name, limit);
}

static pacer *new_pacer(palenca_pacers *pacers, const unsigned char *digest, size_t limit) {
  sweep(pacers, clock_steady_ms());
  pacer *one = calloc(1, sizeof *one);
  if (one == NULL)
    return NULL;
  one->limit = limit;
  if (pacers->directory >= 0)
    one->file = open_file(pacers, digest, limit);
  /* without its file a key is still paced, by this process */
  if (one->file == NULL && !palenca_pace_init(&one->pace, limit)) {
    free(one);
    return NULL;
  }
  memcpy(one->digest, digest, sizeof one->digest);
  return one;
}

void pacers_digest(const char *key, size_t key_size, unsigned char digest[PACER_DIGEST_SIZE]) {
  SHA256((const unsigned char *)key, key_size, digest);
}

/* Takes it out of the set. */
static pacer *take_out(palenca_pacers *pacers, const unsigned char *digest, size_t limit) {
  for (pacer **at = &pacers->first; *at != NULL; at = &(*at)->next) {
    pacer *one = *at;
    if (one->limit == limit && memcmp(one->digest, digest, sizeof one->digest) == 0) {
      *at = one->next;
      return one;
    }
  }
  return NULL;
}

pacer *pacers_find(palenca_pacers *pacers, const unsigned char *digest, size_t limit) {
  pthread_mutex_lock(&pacers->mutex);
  pacer *one = take_out(pacers, digest, limit);
  if (one == NULL)
    one = new_pacer(pacers, digest, limit);
  if (one != NULL) {
    one->references++;
    one->next = pacers->first;
    pacers->first = one;
  }
  pthread_mutex_unlock(&pacers->mutex);
  return one;
}

void pacers_drop(palenca_pacers *pacers, pacer *one) {
  if (one == NULL)
    return;
  pthread_mutex_lock(&pacers->mutex);
  if (--one->references == 0 && one->file != NULL)
    sweep(pacers, clock_steady_ms());
  pthread_mutex_unlock(&pacers->mutex);
}

/* What bulk calls leave of a window: 95 % of it is theirs, if nobody else wants it. */
#define SPARE_PART 24

/* The mutex is held; what a file says is copied there and back. */
static bool begin(pacer *one) {
  return one->file == NULL || pace_file_take(one->file, &one->pace);
}

static void end(pacer *one) {
  if (one->file == NULL)
    return;
  pace_file_put_back(one->file, &one->pace);
  one->pace.sent_at = NULL; /* the file's */
}

int64_t pacers_take(palenca_pacers *pacers, pacer *one, bool bulk, int64_t now) {
  int64_t wait = BUSY_MS;
  pthread_mutex_lock(&pacers->mutex);
  if (begin(one)) {
    wait = palenca_pace_wait(&one->pace, now, bulk ? one->limit / SPARE_PART : 0);
    if (wait == 0)
      palenca_pace_take(&one->pace, now);
    end(one);
  }
  pthread_mutex_unlock(&pacers->mutex);
  return wait;
}

/* How long another process may have a file. */
#define BLOCK_TIMEOUT_MS 100

void pacers_block(palenca_pacers *pacers, pacer *one, int64_t now, int64_t wait_ms) {
  static const struct timespec moment = {.tv_nsec = 1000000};
  pthread_mutex_lock(&pacers->mutex);
  bool begun = begin(one);
  for (int64_t until = clock_steady_ms() + BLOCK_TIMEOUT_MS; !begun && clock_steady_ms() < until;) {
    nanosleep(&moment, NULL);
    begun = begin(one);
  }
  if (begun) {
    palenca_pace_block(&one->pace, now, wait_ms);
    end(one);
  }
  pthread_mutex_unlock(&pacers->mutex);
}
