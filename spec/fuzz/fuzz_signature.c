/* Fuzzes webhook signatures. Of the input, the first byte chooses digest, encoding and prefix, the
 * next 16 are the secret, then a line that is the signature sent, and the rest is the body. */
#include "fuzz.h"
#include "palenca.h"

#include <strings.h>

#define SECRET_SIZE 16

static const char *const digests[] = {NULL, "sha1", "sha256", "sha384", "sha512", "md5"};
static const char *const encodings[] = {NULL, "hex", "base64", "base32"};
static const char *const prefixes[] = {NULL, "sha256=", "a prefix that is far longer than allowed"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 + SECRET_SIZE) {
    return 0;
  }
  palenca_signature_options options = {digests[data[0] % 6], encodings[data[0] / 6 % 4],
                                       prefixes[data[0] / 24 % 3]};
  const char *secret = (const char *)data + 1, *sent = secret + SECRET_SIZE;
  size_t left = size - 1 - SECRET_SIZE;
  const char *newline = memchr(sent, '\n', left);
  size_t sent_size = newline != NULL ? (size_t)(newline - sent) : left;
  const char *body = newline != NULL ? newline + 1 : sent + left;
  size_t body_size = left - (size_t)(body - sent);
  char made[PALENCA_SIGNATURE_MAX];
  palenca_error error = {0};
  bool ok = palenca_signature_make(&options, secret, SECRET_SIZE, body, body_size, made, &error);
  bool accepted = palenca_signature_check(&options, secret, SECRET_SIZE, body, body_size, sent,
                                          sent_size, &error);
  if (!ok) {
    MUST(error.kind == PALENCA_USAGE && !accepted);
    return 0;
  }
  size_t made_size = strnlen(made, sizeof made);
  MUST(made_size < sizeof made);
  MUST(!accepted || (sent_size == made_size && strncasecmp(sent, made, made_size) == 0));
  MUST(palenca_signature_check(&options, secret, SECRET_SIZE, body, body_size, made, made_size,
                               NULL));
  made[made_size - 1 - data[0] % made_size] ^= 1;
  MUST(!palenca_signature_check(&options, secret, SECRET_SIZE, body, body_size, made, made_size,
                                NULL));
  return 0;
}
