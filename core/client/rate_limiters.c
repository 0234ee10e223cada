/* Holds the rate limit of every key in the process, shared by engines on any thread and by later
 * ones; or, in files, of every key on the machine; or what others grant of it. */
#include "rate_limiters.h"

#include "clock.h"
#include "protocol/error.h"
#include "protocol/rate_share.h"
#include "rate_limit_file.h"
#include "retry_jitter.h"

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

struct rate_limiter {
  unsigned char digest[RATE_LIMITER_DIGEST_SIZE]; /* the key itself is not stored */
  size_t limit;
  palenca_rate_limit state; /* unless there is a file */
  rate_limit_file *file;
  rate_share share; /* if the limits of the process are divided */
  uint64_t owner;
  int64_t block_news; /* until when the server has said to wait, which others do not know yet */
  size_t references;
  rate_limiter *previous, *next; /* by when they were asked for */
  rate_limiter *next_in_bucket;
};

#define BUCKETS 256 /* a digest is as good as random, and so is its first byte */

struct palenca_rate_limiters {
  pthread_mutex_t mutex;
  size_t references;
  int directory;                  /* of files; -1: none */
  size_t opened;                  /* files, since the directory was cleaned */
  rate_limiter *first;            /* the one that was asked for last comes first */
  rate_limiter *buckets[BUCKETS]; /* the same, by the first byte of their digests */
  void (*wake)(void *context);    /* whoever divides the limits among processes; NULL: nobody */
  void *wake_context;
  bool is_woken; /* and has not collected since */
};

#define BUSY_MS 1

/* Files that stay open without an engine, so that keys that take turns are not opened each time. */
#define IDLE_FILES_MAX 16

/* A long-running process uses many keys. */
#define OPENED_MAX 256

/* ---- the list, and the buckets to find them in ---- */

static void insert_first(palenca_rate_limiters *rate_limiters, rate_limiter *one) {
  one->previous = NULL;
  one->next = rate_limiters->first;
  if (one->next != NULL) {
    one->next->previous = one;
  }
  rate_limiters->first = one;
}

static void take_out(palenca_rate_limiters *rate_limiters, rate_limiter *one) {
  *(one->previous != NULL ? &one->previous->next : &rate_limiters->first) = one->next;
  if (one->next != NULL) {
    one->next->previous = one->previous;
  }
}

static void put_in_bucket(palenca_rate_limiters *rate_limiters, rate_limiter *one) {
  rate_limiter **bucket = &rate_limiters->buckets[one->digest[0]];
  one->next_in_bucket = *bucket;
  *bucket = one;
}

static void take_from_bucket(palenca_rate_limiters *rate_limiters, rate_limiter *one) {
  rate_limiter **at = &rate_limiters->buckets[one->digest[0]];
  while (*at != one) {
    at = &(*at)->next_in_bucket;
  }
  *at = one->next_in_bucket;
}

static rate_limiter *look_up(palenca_rate_limiters *rate_limiters, const unsigned char *digest,
                             size_t limit) {
  rate_limiter *one = rate_limiters->buckets[digest[0]];
  while (one != NULL &&
         (one->limit != limit || memcmp(one->digest, digest, sizeof one->digest) != 0)) {
    one = one->next_in_bucket;
  }
  return one;
}

static void free_rate_limiter(rate_limiter *one) {
  palenca_rate_limit_free(&one->state);
  rate_limit_file_close(one->file);
  free(one);
}

/* Those asked for last come first, and so do their files. */
static bool is_in_use(const palenca_rate_limiters *rate_limiters, const rate_limiter *one,
                      int64_t now, size_t *idle_files) {
  if (one->references > 0 || (rate_limiters->wake != NULL && rate_share_is_in_use(&one->share))) {
    return true;
  }
  if (one->file != NULL) {
    return ++*idle_files <= IDLE_FILES_MAX;
  }
  return palenca_rate_limit_wait(&one->state, now, one->limit - 1) > 0;
}

/* Frees the rate limiters that no engine uses and that would delay no call. Their files stay. */
static void sweep(palenca_rate_limiters *rate_limiters, int64_t now) {
  size_t idle_files = 0;
  for (rate_limiter *one = rate_limiters->first, *next; one != NULL; one = next) {
    next = one->next;
    if (!is_in_use(rate_limiters, one, now, &idle_files)) {
      take_out(rate_limiters, one);
      take_from_bucket(rate_limiters, one);
      free_rate_limiter(one);
    }
  }
}

/* ---- the set of the process ---- */

/* The API counts for each key, however many engines there are, at once or one after the other. */
static palenca_rate_limiters of_process = {
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

palenca_rate_limiters *rate_limiters_of_process(void) {
  static pthread_once_t guarded = PTHREAD_ONCE_INIT;
  pthread_once(&guarded, guard_forks);
  return palenca_rate_limiters_retain(&of_process);
}

/* The module may be unloaded before the process ends. */
__attribute__((destructor)) static void free_all(void) {
  lock();
  of_process.wake = NULL;
  sweep(&of_process, INT64_MAX);
  unlock();
}

/* ---- sets ---- */

palenca_rate_limiters *palenca_rate_limiters_share(const char *parent, palenca_error *error) {
  int directory = rate_limit_directory_open(parent, error);
  if (directory < 0) {
    return NULL;
  }
  palenca_rate_limiters *rate_limiters = calloc(1, sizeof *rate_limiters);
  if (rate_limiters == NULL) {
    close(directory);
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
    return NULL;
  }
  pthread_mutex_init(&rate_limiters->mutex, NULL);
  rate_limiters->references = 1;
  rate_limiters->directory = directory;
  return rate_limiters;
}

palenca_rate_limiters *palenca_rate_limiters_retain(palenca_rate_limiters *rate_limiters) {
  pthread_mutex_lock(&rate_limiters->mutex);
  rate_limiters->references++;
  pthread_mutex_unlock(&rate_limiters->mutex);
  return rate_limiters;
}

void palenca_rate_limiters_release(palenca_rate_limiters *rate_limiters) {
  if (rate_limiters == NULL) {
    return;
  }
  pthread_mutex_lock(&rate_limiters->mutex);
  bool last = --rate_limiters->references == 0;
  pthread_mutex_unlock(&rate_limiters->mutex);
  if (!last) {
    return;
  }
  while (rate_limiters->first != NULL) {
    rate_limiter *next = rate_limiters->first->next;
    free_rate_limiter(rate_limiters->first);
    rate_limiters->first = next;
  }
  close(rate_limiters->directory);
  pthread_mutex_destroy(&rate_limiters->mutex);
  free(rate_limiters);
}

static rate_limit_file *open_file(palenca_rate_limiters *rate_limiters, const unsigned char *digest,
                                  size_t limit) {
  if (++rate_limiters->opened > OPENED_MAX) {
    rate_limit_directory_clean(rate_limiters->directory);
    rate_limiters->opened = 0;
  }
  char name[2 * RATE_LIMITER_DIGEST_SIZE + 32];
  for (size_t i = 0; i < RATE_LIMITER_DIGEST_SIZE; i++) {
    snprintf(name + 2 * i, 3, "%02x", digest[i]);
  }
  snprintf(name + 2 * RATE_LIMITER_DIGEST_SIZE, 32, "-%zu", limit);
  return rate_limit_file_open(rate_limiters->directory, name, limit);
}

static rate_limiter *new_rate_limiter(palenca_rate_limiters *rate_limiters,
                                      const unsigned char *digest, size_t limit) {
  sweep(rate_limiters, clock_steady_ms());
  rate_limiter *one = calloc(1, sizeof *one);
  if (one == NULL) {
    return NULL;
  }
  one->limit = limit;
  if (rate_limiters->directory >= 0) {
    one->file = open_file(rate_limiters, digest, limit);
  }
  /* without its file a key still has a rate limit, by this process */
  if (one->file == NULL && !palenca_rate_limit_init(&one->state, limit)) {
    free(one);
    return NULL;
  }
  retry_jitter_seed(&one->owner);
  one->owner = (one->owner >> 1) | 1;
  memcpy(one->digest, digest, sizeof one->digest);
  put_in_bucket(rate_limiters, one);
  return one;
}

void rate_limiters_digest(const char *key, size_t key_size,
                          unsigned char digest[RATE_LIMITER_DIGEST_SIZE]) {
  SHA256((const unsigned char *)key, key_size, digest);
}

rate_limiter *rate_limiters_find(palenca_rate_limiters *rate_limiters, const unsigned char *digest,
                                 size_t limit) {
  pthread_mutex_lock(&rate_limiters->mutex);
  rate_limiter *one = look_up(rate_limiters, digest, limit);
  if (one != NULL) {
    take_out(rate_limiters, one);
  } else {
    one = new_rate_limiter(rate_limiters, digest, limit);
  }
  if (one != NULL) {
    one->references++;
    insert_first(rate_limiters, one);
  }
  pthread_mutex_unlock(&rate_limiters->mutex);
  return one;
}

void rate_limiters_drop(palenca_rate_limiters *rate_limiters, rate_limiter *one) {
  if (one == NULL) {
    return;
  }
  pthread_mutex_lock(&rate_limiters->mutex);
  if (--one->references == 0 && one->file != NULL) {
    sweep(rate_limiters, clock_steady_ms());
  }
  pthread_mutex_unlock(&rate_limiters->mutex);
}

/* What calls of low priority leave of a window: they may use 95 % of it, if nothing else does. */
#define SPARE_PART 24

/* The mutex is held; what a file says is copied there and back. */
static bool begin(rate_limiter *one) {
  return one->file == NULL || rate_limit_file_take(one->file, &one->state);
}

static void end(rate_limiter *one) {
  if (one->file == NULL) {
    return;
  }
  rate_limit_file_put_back(one->file, &one->state);
  one->state.sent_at = NULL; /* the file's */
}

/* Tells whoever divides the limits that a request for a share is due. */
static void wake_if_due(palenca_rate_limiters *rate_limiters, const rate_limiter *one,
                        int64_t now) {
  bool is_due = one->block_news > now || rate_share_due(&one->share) <= now;
  if (rate_limiters->wake != NULL && is_due && !rate_limiters->is_woken) {
    rate_limiters->is_woken = true;
    rate_limiters->wake(rate_limiters->wake_context);
  }
}

int64_t rate_limiters_take(palenca_rate_limiters *rate_limiters, rate_limiter *one,
                           bool low_priority, int64_t now) {
  size_t spare = low_priority ? one->limit / SPARE_PART : 0;
  int64_t wait = BUSY_MS;
  pthread_mutex_lock(&rate_limiters->mutex);
  if (begin(one)) {
    wait = palenca_rate_limit_wait(&one->state, now, spare);
    if (wait == 0 && rate_limiters->wake != NULL) {
      wait = rate_share_take(&one->share, now, (int64_t)spare);
      wake_if_due(rate_limiters, one, now);
    }
    if (wait == 0) {
      palenca_rate_limit_take(&one->state, now);
    }
    end(one);
  }
  pthread_mutex_unlock(&rate_limiters->mutex);
  return wait;
}

int64_t rate_limiters_left(palenca_rate_limiters *rate_limiters, rate_limiter *one, int64_t now) {
  int64_t left = -1;
  pthread_mutex_lock(&rate_limiters->mutex);
  if (begin(one)) {
    size_t spare = one->limit / SPARE_PART;
    left = (int64_t)palenca_rate_limit_left(&one->state, now, spare);
    if (rate_limiters->wake != NULL) {
      int64_t shared = rate_share_left(&one->share, now, (int64_t)spare);
      left = left < shared ? left : shared;
    }
    end(one);
  }
  pthread_mutex_unlock(&rate_limiters->mutex);
  return left;
}

/* How long another process may have a file. */
#define BLOCK_TIMEOUT_MS 100

void rate_limiters_block(palenca_rate_limiters *rate_limiters, rate_limiter *one, int64_t now,
                         int64_t wait_ms) {
  static const struct timespec pause = {.tv_nsec = 1000000};
  pthread_mutex_lock(&rate_limiters->mutex);
  bool started = begin(one);
  for (int64_t until = clock_steady_ms() + BLOCK_TIMEOUT_MS;
       !started && clock_steady_ms() < until;) {
    nanosleep(&pause, NULL);
    started = begin(one);
  }
  if (started) {
    palenca_rate_limit_block(&one->state, now, wait_ms);
    one->block_news = one->state.blocked_until;
    end(one);
    wake_if_due(rate_limiters, one, now);
  }
  pthread_mutex_unlock(&rate_limiters->mutex);
}

/* ---- the limits of the process, divided among several ---- */

void palenca_rate_limiters_divide(void (*wake)(void *context), void *context) {
  lock();
  of_process.wake = wake;
  of_process.wake_context = context;
  of_process.is_woken = false;
  for (rate_limiter *one = of_process.first; one != NULL; one = one->next) {
    one->share = (rate_share){0}; /* what it had counts as used for whoever divided before */
  }
  unlock();
}

static void request_share(rate_limiter *one, int64_t now, palenca_share_request *request) {
  rate_share_request(&one->share, (int64_t)one->limit, (int64_t)(one->limit / SPARE_PART), now,
                     request);
  memcpy(request->digest, one->digest, sizeof request->digest);
  request->owner = (int64_t)one->owner;
  request->blocked_ms = one->block_news > now ? one->block_news - now : 0;
}

size_t palenca_rate_limiters_collect(palenca_share_request *requests, size_t max) {
  size_t count = 0;
  lock();
  int64_t now = clock_steady_ms();
  of_process.is_woken = false;
  for (rate_limiter *one = of_process.first; one != NULL && count < max; one = one->next) {
    bool has_news = one->block_news > now && !one->share.is_asked;
    if (has_news || rate_share_due(&one->share) <= now) {
      request_share(one, now, &requests[count++]);
    }
  }
  unlock();
  return count;
}

void palenca_rate_limiters_grant(const palenca_share_request *request,
                                 const palenca_share_grant *grant) {
  lock();
  rate_limiter *one = look_up(&of_process, request->digest, (size_t)request->limit);
  if (one != NULL && (int64_t)one->owner == request->owner && one->share.is_asked) {
    int64_t now = clock_steady_ms();
    rate_share_grant(&one->share, grant, now);
    if (grant != NULL && request->blocked_ms > 0) {
      one->block_news = 0;
    }
    if (grant != NULL && grant->blocked_ms > 0) {
      palenca_rate_limit_block(&one->state, now, grant->blocked_ms);
    }
  }
  unlock();
}
