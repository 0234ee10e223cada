/* By what an id that was forgotten is remembered. */
#include "id_digest.h"

#include "entry.h"

#include <string.h>

bool id_digest(const char *id, int64_t *number) {
  unsigned char digest[LEDGER_DIGEST_SIZE];
  *number = 0;
  if (id == NULL) {
    return true;
  }
  if (!ledger_digest(id, strlen(id), digest)) {
    return false;
  }
  uint64_t bits = 0;
  for (int i = 0; i < 8; i++) {
    bits = bits << 8 | digest[i];
  }
  *number = (int64_t)(bits >> 1 | 1);
  return true;
}
