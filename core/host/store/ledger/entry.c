/* The digests of the ledger's entries, and their compression. */
#include "entry.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* What the encoding begins with: another one would have another number. */
#define ENTRY_FORM "palenca decision 1"
#define DATA_FORM "palenca decision data 1"

bool ledger_digest(const char *text, size_t size, unsigned char digest[LEDGER_DIGEST_SIZE]) {
  return EVP_Digest(text, size, digest, NULL, EVP_sha256(), NULL) == 1;
}

/* ---- The encoding: each field as LENGTH:BYTES, ---- */

static bool add_bytes(EVP_MD_CTX *hash, const char *data, size_t size) {
  char length[24];
  int length_size = snprintf(length, sizeof length, "%zu:", size);
  return EVP_DigestUpdate(hash, length, (size_t)length_size) == 1 &&
         (size == 0 || EVP_DigestUpdate(hash, data, size) == 1) &&
         EVP_DigestUpdate(hash, ",", 1) == 1;
}

static bool add_integer(EVP_MD_CTX *hash, int64_t value) {
  char text[24];
  int size = snprintf(text, sizeof text, "%lld", (long long)value);
  return add_bytes(hash, text, (size_t)size);
}

static bool add_digest(EVP_MD_CTX *hash, const unsigned char digest[LEDGER_DIGEST_SIZE]) {
  char text[LEDGER_HEX_SIZE];
  ledger_hex(digest, text);
  return add_bytes(hash, text, LEDGER_HEX_SIZE - 1);
}

static bool add_text(EVP_MD_CTX *hash, const ledger_text *text) {
  return add_bytes(hash, text->data, text->size);
}

static EVP_MD_CTX *begin_hash(const char *form) {
  EVP_MD_CTX *hash = EVP_MD_CTX_new();
  if (hash == NULL || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1 ||
      !add_bytes(hash, form, strlen(form))) {
    EVP_MD_CTX_free(hash);
    return NULL;
  }
  return hash;
}

static bool end_hash(EVP_MD_CTX *hash, bool ok, unsigned char digest[LEDGER_DIGEST_SIZE]) {
  ok = ok && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
  EVP_MD_CTX_free(hash);
  return ok;
}

bool ledger_data_digest(const ledger_data *data, unsigned char digest[LEDGER_DIGEST_SIZE]) {
  EVP_MD_CTX *hash = begin_hash(DATA_FORM);
  bool ok = hash != NULL && add_text(hash, &data->account_id) && add_text(hash, &data->user_id) &&
            add_text(hash, &data->rows) && add_text(hash, &data->details);
  return end_hash(hash, ok, digest);
}

bool ledger_entry_hash(const ledger_entry *entry, unsigned char digest[LEDGER_DIGEST_SIZE]) {
  EVP_MD_CTX *hash = begin_hash(ENTRY_FORM);
  bool ok = hash != NULL && add_integer(hash, entry->number) && add_integer(hash, entry->kind) &&
            add_integer(hash, entry->subject) && add_integer(hash, entry->attempt) &&
            add_integer(hash, entry->replay) && add_integer(hash, entry->recorded_at) &&
            add_text(hash, &entry->facts) && add_digest(hash, entry->rows_digest) &&
            add_digest(hash, entry->data_digest) && add_digest(hash, entry->previous);
  return end_hash(hash, ok, digest);
}

void ledger_hex(const unsigned char digest[LEDGER_DIGEST_SIZE], char text[LEDGER_HEX_SIZE]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < LEDGER_DIGEST_SIZE; i++) {
    text[2 * i] = digits[digest[i] >> 4];
    text[2 * i + 1] = digits[digest[i] & 15];
  }
  text[LEDGER_HEX_SIZE - 1] = '\0';
}

/* ---- Compression ---- */

bool ledger_pack(const char *text, size_t size, char **packed, size_t *packed_size) {
  uLong bound = compressBound((uLong)size);
  *packed = malloc(bound);
  if (*packed == NULL || compress2((Bytef *)*packed, &bound, (const Bytef *)text, (uLong)size,
                                   Z_DEFAULT_COMPRESSION) != Z_OK) {
    free(*packed);
    *packed = NULL;
    return false;
  }
  *packed_size = bound;
  return true;
}

/* Whether `packed` has all of a text that fits, and nothing behind it. */
static int unpack(const char *packed, size_t packed_size, char *text, uLongf *size) {
  uLong used = (uLong)packed_size;
  int result = uncompress2((Bytef *)text, size, (const Bytef *)packed, &used);
  return result == Z_OK && used != packed_size ? Z_DATA_ERROR : result;
}

bool ledger_unpack(const char *packed, size_t packed_size, size_t max, char **text, size_t *size) {
  size_t room = packed_size < max / 16 ? packed_size * 8 + 256 : max;
  int result = Z_BUF_ERROR;
  *text = NULL;
  while (result == Z_BUF_ERROR && room <= max) {
    char *grown = realloc(*text, room + 1);
    if (grown == NULL) {
      free(*text);
      *text = NULL;
      return false;
    }
    *text = grown;
    uLongf used = (uLongf)room;
    result = unpack(packed, packed_size, *text, &used);
    *size = used;
    room = room < max && 4 * room > max ? max : 4 * room;
  }
  if (result != Z_OK) {
    free(*text);
    *text = NULL;
    return result != Z_MEM_ERROR;
  }
  (*text)[*size] = '\0';
  return true;
}
