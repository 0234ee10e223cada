/* Tests of webhook signatures, with the published vectors of RFC 2202 and RFC 4231. */
#include "palenca.h"
#include "support/unit_test.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const palenca_signature_options defaults = {NULL, NULL, NULL};

typedef struct {
  const char *digest, *key, *data, *hex;
} vector;

#define KEY_0B "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
#define KEY_AA_10 "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
#define KEY_AA_20 KEY_AA_10 KEY_AA_10
#define KEY_AA_80 KEY_AA_20 KEY_AA_20 KEY_AA_20 KEY_AA_20
#define KEY_AA_131 KEY_AA_80 KEY_AA_20 KEY_AA_20 KEY_AA_10 "\xaa"
#define DATA_DD_10 "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
#define DATA_DD_50 DATA_DD_10 DATA_DD_10 DATA_DD_10 DATA_DD_10 DATA_DD_10
#define LARGER_KEY "Test Using Larger Than Block-Size Key - Hash Key First"

static const vector vectors[] = {
    {"sha1", KEY_0B, "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
    {"sha1", "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
    {"sha1", KEY_AA_20, DATA_DD_50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
    {"sha1", KEY_AA_80, LARGER_KEY, "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
    {"sha256", KEY_0B, "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"sha256", "Jefe", "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"sha256", KEY_AA_20, DATA_DD_50,
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"sha256", KEY_AA_131, LARGER_KEY,
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {"sha384", "Jefe", "what do ya want for nothing?",
     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
     "8e2240ca5e69e2c78b3239ecfab21649"},
    {"sha512", "Jefe", "what do ya want for nothing?",
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
     "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
};

static bool make(const palenca_signature_options *options, const char *secret, const char *body,
                 char out[PALENCA_SIGNATURE_MAX]) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  bool ok =
      palenca_signature_make(options, secret, strlen(secret), body, strlen(body), out, &error);
  assert_int_equal(error.kind, ok ? PALENCA_OK : PALENCA_USAGE);
  return ok;
}

/* The copy ends where the signature does, so that sanitizers see a step beyond it. */
static palenca_kind check_bytes(const palenca_signature_options *options, const char *secret,
                                const char *body, const char *signature, size_t size) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  char *copy = malloc(size + (size == 0));
  assert_non_null(copy);
  memcpy(copy, signature, size);
  bool ok = palenca_signature_check(options, secret, strlen(secret), body, strlen(body), copy, size,
                                    &error);
  free(copy);
  assert_true(ok == (error.kind == PALENCA_OK));
  assert_true(ok == (error.message[0] == '\0'));
  assert_true(strstr(error.message, secret) == NULL || secret[0] == '\0');
  return error.kind;
}

static palenca_kind check(const palenca_signature_options *options, const char *secret,
                          const char *body, const char *signature) {
  return check_bytes(options, secret, body, signature, strlen(signature));
}

/* ---- Making ---- */

UNIT_TEST(test_published_vectors) {
  for (size_t i = 0; i < LENGTH(vectors); i++) {
    const vector *v = &vectors[i];
    const palenca_signature_options options = {.digest = v->digest, .encoding = "hex"};
    char out[PALENCA_SIGNATURE_MAX];
    assert_true(make(&options, v->key, v->data, out));
    assert_string_equal(out, v->hex);
    assert_int_equal(check(&options, v->key, v->data, v->hex), PALENCA_OK);
  }
}

UNIT_TEST(test_the_default_is_sha256_in_hex) {
  char out[PALENCA_SIGNATURE_MAX];
  assert_true(make(&defaults, "Jefe", "what do ya want for nothing?", out));
  assert_string_equal(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  assert_int_equal(check(NULL, "Jefe", "what do ya want for nothing?", out), PALENCA_OK);
  memset(out, 0, sizeof out);
  assert_true(make(NULL, "Jefe", "what do ya want for nothing?", out));
  assert_string_equal(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

UNIT_TEST(test_base64) {
  static const struct {
    const char *digest, *expected;
  } rows[] = {
      {"sha1", "7/zfauXrL6LSdBbV8YTfnCWafHk="},
      {"sha256", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="},
  };
  for (size_t i = 0; i < LENGTH(rows); i++) {
    const palenca_signature_options options = {.digest = rows[i].digest, .encoding = "base64"};
    char out[PALENCA_SIGNATURE_MAX];
    assert_true(make(&options, "Jefe", "what do ya want for nothing?", out));
    assert_string_equal(out, rows[i].expected);
    assert_int_equal(check(&options, "Jefe", "what do ya want for nothing?", out), PALENCA_OK);
    char other[PALENCA_SIGNATURE_MAX];
    for (size_t at = 0; at < sizeof other; at++) {
      other[at] = (char)tolower((unsigned char)out[at]);
    }
    assert_int_equal(check(&options, "Jefe", "what do ya want for nothing?", other), PALENCA_AUTH);
  }
}

UNIT_TEST(test_the_longest_fits) {
  static const char prefix[] = "0123456789012345678901234567890";
  const palenca_signature_options longest = {.digest = "sha512", .prefix = prefix};
  char out[PALENCA_SIGNATURE_MAX];
  assert_true(make(&longest, "k", "b", out));
  assert_int_equal(strlen(out), PALENCA_SIGNATURE_MAX - 1);
  assert_memory_equal(out, prefix, sizeof prefix - 1);
  assert_int_equal(check(&longest, "k", "b", out), PALENCA_OK);
  const palenca_signature_options longer = {.prefix = "01234567890123456789012345678901"};
  assert_false(make(&longer, "k", "b", out));
}

UNIT_TEST(test_bodies_are_bytes) {
  char out[PALENCA_SIGNATURE_MAX], other[PALENCA_SIGNATURE_MAX];
  palenca_error error;
  assert_true(palenca_signature_make(&defaults, "k\0a", 3, "a\0b", 3, out, &error));
  assert_true(palenca_signature_make(&defaults, "k\0a", 3, "a\0c", 3, other, &error));
  assert_string_not_equal(out, other);
  assert_true(palenca_signature_make(&defaults, "k\0b", 3, "a\0b", 3, other, &error));
  assert_string_not_equal(out, other);
  assert_true(palenca_signature_make(&defaults, "k", 1, "", 0, out, &error));
  assert_true(palenca_signature_make(&defaults, "k", 1, NULL, 0, other, &error));
  assert_string_equal(out, other);
}

UNIT_TEST(test_mistakes_are_rejected) {
  static const palenca_signature_options wrong[] = {
      {"md5", NULL, NULL},    {"SHA256", NULL, NULL}, {"", NULL, NULL},        {NULL, "HEX", NULL},
      {NULL, "base32", NULL}, {NULL, "", NULL},       {"sha256 ", NULL, NULL},
  };
  char out[PALENCA_SIGNATURE_MAX];
  for (size_t i = 0; i < LENGTH(wrong); i++) {
    assert_false(make(&wrong[i], "k", "b", out));
    assert_int_equal(check(&wrong[i], "k", "b", "00"), PALENCA_USAGE);
  }
  assert_false(make(&defaults, "", "b", out));
  assert_false(palenca_signature_make(&defaults, "", 0, "b", 1, out, NULL));
}

UNIT_TEST(test_an_empty_secret_verifies_nothing) {
  /* the HMAC that anybody can make, with no key at all and an empty body */
  static const char open[] = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
  assert_int_equal(check(&defaults, "", "", open), PALENCA_USAGE);
  assert_int_equal(check(&defaults, "", "", ""), PALENCA_USAGE);
}

/* ---- Checking ---- */

static const char body[] = "{\"data\":{\"webhook_action\":\"login.success\"}}";
static const char secret[] = "key of this webhook";

UNIT_TEST(test_hex_in_either_case) {
  char out[PALENCA_SIGNATURE_MAX];
  assert_true(make(&defaults, secret, body, out));
  assert_int_equal(check(&defaults, secret, body, out), PALENCA_OK);
  for (size_t i = 0; out[i] != '\0'; i++) {
    out[i] = (char)toupper((unsigned char)out[i]);
    assert_int_equal(check(&defaults, secret, body, out), PALENCA_OK);
  }
}

UNIT_TEST(test_prefixes_must_be_there_as_they_are) {
  const palenca_signature_options options = {.prefix = "sha256="};
  char out[PALENCA_SIGNATURE_MAX], changed[PALENCA_SIGNATURE_MAX];
  assert_true(make(&options, secret, body, out));
  assert_memory_equal(out, "sha256=", 7);
  assert_int_equal(check(&options, secret, body, out), PALENCA_OK);
  assert_int_equal(check(&options, secret, body, out + 7), PALENCA_AUTH);
  assert_int_equal(check(&defaults, secret, body, out), PALENCA_AUTH);
  strcpy(changed, out);
  changed[0] = 'S';
  assert_int_equal(check(&options, secret, body, changed), PALENCA_AUTH);
  strcpy(changed, out);
  changed[3] = '1';
  assert_int_equal(check(&options, secret, body, changed), PALENCA_AUTH);
  assert_int_equal(check(&options, secret, body, "sha256="), PALENCA_AUTH);
  const palenca_signature_options capital = {.prefix = "AB="};
  assert_true(make(&capital, secret, body, out));
  assert_int_equal(check(&capital, secret, body, out), PALENCA_OK);
  out[0] = 'a';
  assert_int_equal(check(&capital, secret, body, out), PALENCA_AUTH);
}

UNIT_TEST(test_another_secret_or_body_or_digest_fails) {
  char out[PALENCA_SIGNATURE_MAX];
  assert_true(make(&defaults, secret, body, out));
  assert_int_equal(check(&defaults, "key of that webhook", body, out), PALENCA_AUTH);
  assert_int_equal(check(&defaults, "key of this webhook ", body, out), PALENCA_AUTH);
  assert_int_equal(check(&defaults, "k", body, out), PALENCA_AUTH);
  assert_int_equal(check(&defaults, secret, body + 1, out), PALENCA_AUTH);
  assert_int_equal(check(&defaults, secret, "", out), PALENCA_AUTH);
  const palenca_signature_options sha1 = {.digest = "sha1"};
  const palenca_signature_options base64 = {.encoding = "base64"};
  assert_int_equal(check(&sha1, secret, body, out), PALENCA_AUTH);
  assert_int_equal(check(&base64, secret, body, out), PALENCA_AUTH);
}

UNIT_TEST(test_every_byte_and_the_length_count) {
  char out[PALENCA_SIGNATURE_MAX], longer[2 * PALENCA_SIGNATURE_MAX];
  assert_true(make(&defaults, secret, body, out));
  size_t size = strlen(out);
  for (size_t i = 0; i < size; i++) {
    assert_int_equal(check_bytes(&defaults, secret, body, out, i), PALENCA_AUTH);
    for (int bit = 0; bit < 8; bit++) {
      char kept = out[i];
      out[i] = (char)((unsigned char)out[i] ^ (1U << bit));
      bool is_other_case = tolower((unsigned char)out[i]) == kept;
      assert_int_equal(check(&defaults, secret, body, out),
                       is_other_case ? PALENCA_OK : PALENCA_AUTH);
      out[i] = kept;
    }
  }
  memset(longer, '0', sizeof longer);
  memcpy(longer, out, size);
  for (size_t i = size + 1; i <= sizeof longer; i++) {
    assert_int_equal(check_bytes(&defaults, secret, body, longer, i), PALENCA_AUTH);
  }
  assert_int_equal(check_bytes(&defaults, secret, body, out, size + 1), PALENCA_AUTH);
}
