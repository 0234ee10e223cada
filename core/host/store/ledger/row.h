/* What a database has of the ledger: its own row, and the rows of its entries. */
#ifndef PALENCA_HOST_STORE_LEDGER_ROW_H
#define PALENCA_HOST_STORE_LEDGER_ROW_H

#include "entry.h"

/* Far above any, and so far below the max of integers that entries can follow. */
#define LEDGER_NUMBER_MAX (INT64_C(1) << 53)

/* What the ledger says of itself, in a row beside the entries. */
typedef struct {
  bool is_there;
  int64_t first, last; /* the numbers of the entries; `last` is below `first` if there is none */
  unsigned char before[LEDGER_DIGEST_SIZE]; /* the hash of the entry before the first; or zeros */
  unsigned char head[LEDGER_DIGEST_SIZE];   /* that of the last one */
} ledger_state;

typedef struct {
  ledger_entry entry;
  ledger_data data;
  bool has_data;
  bool is_damaged; /* a column is of another type, or a digest of another size */
} ledger_row;

bool ledger_is_number(int64_t number);

/* Copies a digest. Zeros and false if it has another size. */
bool ledger_copy_digest(const void *bytes, size_t size, unsigned char digest[LEDGER_DIGEST_SIZE]);

/* What was read of the ledger's own row, as far as it can be. */
void ledger_check_state(ledger_state *state, bool is_sound);

#endif
