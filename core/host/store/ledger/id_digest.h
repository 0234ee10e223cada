/* By what an id that was forgotten is remembered. */
#ifndef PALENCA_HOST_STORE_LEDGER_ID_DIGEST_H
#define PALENCA_HOST_STORE_LEDGER_ID_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

/* A part of its SHA-256, from which an id, which is random, cannot be guessed; NULL has 0, which no
 * id has. False: out of memory. */
bool id_digest(const char *id, int64_t *number);

#endif
