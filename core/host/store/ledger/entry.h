/* An entry of the ledger of decisions: its digests, and what of it is compressed.
 *
 * Entries are numbered from 1 and chained: the hash of each covers that of the one before. What can
 * be removed of a decision, its data, enters the hash by digests only, so that the chain stays
 * whole without it. A removal is an entry itself. */
#ifndef PALENCA_HOST_STORE_LEDGER_ENTRY_H
#define PALENCA_HOST_STORE_LEDGER_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_DIGEST_SIZE 32 /* SHA-256 */
#define LEDGER_HEX_SIZE (2 * LEDGER_DIGEST_SIZE + 1)

/* Bytes of JSON, before they are compressed: of the rows, and of the facts and the details each. */
#define LEDGER_ROWS_MAX 1048576
#define LEDGER_TEXT_MAX 262144

/* The values are stored in databases: they never change. */
typedef enum {
  LEDGER_DECISION = 1,
  LEDGER_DATA_REMOVED = 2,    /* that of an earlier decision */
  LEDGER_ENTRIES_DELETED = 3, /* the first ones, up to a number */
} ledger_kind;

typedef struct {
  const char *data;
  size_t size;
} ledger_text;

typedef struct {
  int64_t number;
  int64_t kind;    /* a ledger_kind */
  int64_t subject; /* the event's id; of the other kinds the number of an entry */
  int64_t attempt, replay;
  int64_t recorded_at; /* Unix milliseconds */
  ledger_text facts;   /* JSON */
  /* Of the rows' JSON; of LEDGER_ENTRIES_DELETED the hash of the last one deleted. */
  unsigned char rows_digest[LEDGER_DIGEST_SIZE];
  unsigned char data_digest[LEDGER_DIGEST_SIZE]; /* of the data */
  unsigned char previous[LEDGER_DIGEST_SIZE];    /* the hash of the entry before */
  unsigned char hash[LEDGER_DIGEST_SIZE];
} ledger_entry;

/* What can be removed of a decision. */
typedef struct {
  ledger_text account_id, user_id; /* empty: the event has none */
  ledger_text rows, details;       /* compressed */
} ledger_data;

/* All of these return false without memory. */

bool ledger_digest(const char *text, size_t size, unsigned char digest[LEDGER_DIGEST_SIZE]);
bool ledger_data_digest(const ledger_data *data, unsigned char digest[LEDGER_DIGEST_SIZE]);

/* The hash of an entry, of all of its fields but `hash`. */
bool ledger_entry_hash(const ledger_entry *entry, unsigned char hash[LEDGER_DIGEST_SIZE]);

void ledger_hex(const unsigned char digest[LEDGER_DIGEST_SIZE], char text[LEDGER_HEX_SIZE]);

/* Compresses a text with zlib. The caller frees `packed`. */
bool ledger_pack(const char *text, size_t size, char **packed, size_t *packed_size);

/* The text again, NUL-terminated, which the caller frees; `*text` is NULL if there is none of at
 * most `max` bytes in it. */
bool ledger_unpack(const char *packed, size_t packed_size, size_t max, char **text, size_t *size);

#endif
