/* The rate limit of every key in the process, shared by engines on any thread and by later ones;
 * on the machine, or divided among several by whoever grants shares. */
#ifndef PALENCA_CLIENT_RATE_LIMITERS_H
#define PALENCA_CLIENT_RATE_LIMITERS_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

typedef struct rate_limiter rate_limiter;

#define RATE_LIMITER_DIGEST_SIZE 32

/* What is stored of a key. */
void rate_limiters_digest(const char *key, size_t key_size,
                          unsigned char digest[RATE_LIMITER_DIGEST_SIZE]);

/* The set of the process, to be released. It does not end with those that have it. */
palenca_rate_limiters *rate_limiters_of_process(void);

/* The rate limiter of a key, by its digest, and limit, made if need be; to be dropped, or it lives
 * as long as the set. NULL: out of memory. */
rate_limiter *rate_limiters_find(palenca_rate_limiters *rate_limiters, const unsigned char *digest,
                                 size_t limit);
/* What it has counted is remembered as long as it matters. NULL is allowed. */
void rate_limiters_drop(palenca_rate_limiters *rate_limiters, rate_limiter *one);

/* 0: the turn is taken, send now. Otherwise the ms after which to ask again. Bulk requests leave
 * some room for others. */
int64_t rate_limiters_take(palenca_rate_limiters *rate_limiters, rate_limiter *one,
                           bool low_priority, int64_t now);
/* How many requests of low priority may be sent now; -1: another process has the file. */
int64_t rate_limiters_left(palenca_rate_limiters *rate_limiters, rate_limiter *one, int64_t now);
void rate_limiters_block(palenca_rate_limiters *rate_limiters, rate_limiter *one, int64_t now,
                         int64_t wait_ms);

#pragma GCC visibility pop

#endif
