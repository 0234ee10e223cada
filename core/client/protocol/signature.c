/* Makes the HMAC of a webhook's body, in hex or base64 after a prefix, and compares it with a
 * received one in constant time; no timestamp is part of it. */
#include "error.h"

#include <limits.h>
#if !__has_include(<openssl/crypto.h>)
#error "openssl/crypto.h is missing: install libssl-dev (Debian) or openssl-devel (Fedora)"
#endif
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

static const palenca_signature_options defaults = {0};

#define OR_DEFAULT(value, fallback) ((value) != NULL ? (value) : (fallback))

static const EVP_MD *find_digest(const char *name) {
  if (strcmp(name, "sha1") == 0) {
    return EVP_sha1();
  }
  if (strcmp(name, "sha256") == 0) {
    return EVP_sha256();
  }
  if (strcmp(name, "sha384") == 0) {
    return EVP_sha384();
  }
  if (strcmp(name, "sha512") == 0) {
    return EVP_sha512();
  }
  return NULL;
}

static void encode_hex(const unsigned char *raw, unsigned size, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (unsigned i = 0; i < size; i++) {
    *out++ = digits[raw[i] >> 4];
    *out++ = digits[raw[i] & 15];
  }
  *out = '\0';
}

bool palenca_signature_make(const palenca_signature_options *options, const char *secret,
                            size_t secret_size, const char *body, size_t body_size,
                            char out[PALENCA_SIGNATURE_MAX], palenca_error *error) {
  options = OR_DEFAULT(options, &defaults);
  const char *encoding = OR_DEFAULT(options->encoding, "hex");
  const char *prefix = OR_DEFAULT(options->prefix, "");
  const EVP_MD *digest = find_digest(OR_DEFAULT(options->digest, "sha256"));
  size_t prefix_size = strlen(prefix);
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned raw_size = 0;
  if (digest == NULL) {
    return palenca_error_set(error, PALENCA_USAGE, "digest must be sha1, sha256, sha384 or sha512");
  }
  if (prefix_size > 31) {
    return palenca_error_set(error, PALENCA_USAGE, "prefix is longer than 31 characters");
  }
  if (secret_size == 0 || secret_size > INT_MAX) {
    return palenca_error_set(error, PALENCA_USAGE, "secret is empty");
  }
  if (HMAC(digest, secret, (int)secret_size, (const unsigned char *)body, body_size, raw,
           &raw_size) == NULL) {
    return palenca_error_set(error, PALENCA_NO_MEMORY, "the digest could not be computed");
  }
  memcpy(out, prefix, prefix_size);
  if (strcmp(encoding, "hex") == 0) {
    encode_hex(raw, raw_size, out + prefix_size);
  } else if (strcmp(encoding, "base64") == 0) {
    EVP_EncodeBlock((unsigned char *)out + prefix_size, raw, (int)raw_size);
  } else {
    return palenca_error_set(error, PALENCA_USAGE, "encoding must be hex or base64");
  }
  return true;
}

bool palenca_signature_check(const palenca_signature_options *options, const char *secret,
                             size_t secret_size, const char *body, size_t body_size,
                             const char *signature, size_t signature_size, palenca_error *error) {
  options = OR_DEFAULT(options, &defaults);
  char expected[PALENCA_SIGNATURE_MAX];
  char received[PALENCA_SIGNATURE_MAX];
  if (!palenca_signature_make(options, secret, secret_size, body, body_size, expected, error)) {
    return false;
  }
  bool hex = options->encoding == NULL || strcmp(options->encoding, "hex") == 0;
  size_t prefix_size = options->prefix != NULL ? strlen(options->prefix) : 0;
  bool equal = signature_size == strlen(expected);
  if (equal) {
    memcpy(received, signature, signature_size);
    for (size_t i = prefix_size; hex && i < signature_size; i++) {
      if (received[i] >= 'A' && received[i] <= 'F') {
        received[i] = (char)(received[i] - 'A' + 'a');
      }
    }
    equal = CRYPTO_memcmp(received, expected, signature_size) == 0;
  }
  OPENSSL_cleanse(expected, sizeof expected);
  if (!equal) {
    return palenca_error_set(error, PALENCA_AUTH, "the signature does not match the body");
  }
  return true;
}
