/* Reads what a database has of the ledger. */
#include "row.h"

#include <string.h>

bool ledger_is_number(int64_t number) {
  return number >= 1 && number <= LEDGER_NUMBER_MAX;
}

bool ledger_copy_digest(const void *bytes, size_t size, unsigned char digest[LEDGER_DIGEST_SIZE]) {
  memset(digest, 0, LEDGER_DIGEST_SIZE);
  if (size != LEDGER_DIGEST_SIZE) {
    return false;
  }
  memcpy(digest, bytes, LEDGER_DIGEST_SIZE);
  return true;
}

void ledger_check_state(ledger_state *state, bool is_sound) {
  state->is_there = is_sound && ledger_is_number(state->first) && state->last <= LEDGER_NUMBER_MAX;
  state->first = ledger_is_number(state->first) ? state->first : 1;
}
