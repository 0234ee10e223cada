/* The pace of every key in the process, shared by engines on any thread and kept from one to the
 * next; or on the machine. */
#ifndef PALENCA_CLIENT_RATE_LIMITERS_H
#define PALENCA_CLIENT_RATE_LIMITERS_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

typedef struct pacer pacer;

#define PACER_DIGEST_SIZE 32

/* What is kept of a key. */
void pacers_digest(const char *key, size_t key_size, unsigned char digest[PACER_DIGEST_SIZE]);

/* The set of the process, to be released. It does not end with those that have it. */
palenca_pacers *pacers_of_process(void);

/* The pacer of a key, by its digest, and limit, made if need be; to be dropped, or it lives as long
 * as the set. NULL: out of memory. */
pacer *pacers_find(palenca_pacers *pacers, const unsigned char *digest, size_t limit);
/* What it has counted is remembered as long as it matters. NULL is allowed. */
void pacers_drop(palenca_pacers *pacers, pacer *one);

/* 0: the turn is taken, send now. Otherwise the ms after which to ask again. Bulk requests leave
 * some room for others. */
int64_t pacers_take(palenca_pacers *pacers, pacer *one, bool bulk, int64_t now);
void pacers_block(palenca_pacers *pacers, pacer *one, int64_t now, int64_t wait_ms);

#pragma GCC visibility pop

#endif
