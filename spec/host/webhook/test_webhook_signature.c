/* Tests of the check of signatures: any of the secrets will do, and rejections say no more than
 * why.
 */
#include "support/unit_test.h"
#include "webhook/signature.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char body[] = "{\"data\":{\"webhook_action\":\"login.success\"}}\r\n \0x";
#define BODY_SIZE (sizeof body - 1)

static webhook_signature *make(const char *digest, const char *encoding, const char *prefix,
                               const char *const *secrets, size_t count) {
  host_error error = {.kind = HOST_OK};
  webhook_signature_options options = {
      .header = "X-Signature",
      .form = {.digest = digest, .encoding = encoding, .prefix = prefix},
      .secrets = secrets,
      .secret_count = count,
  };
  webhook_signature *signature = webhook_signature_new(&options, &error);
  assert_int_equal(signature == NULL, error.kind != HOST_OK);
  return signature;
}

static const char *check(const webhook_signature *signature, const char *value) {
  return webhook_signature_rejection(signature, &value, value != NULL, body, BODY_SIZE);
}

UNIT_TEST(takes_each_secret_in_each_form) {
  static const char *const digests[] = {"sha1", "sha256", "sha384", "sha512", NULL};
  static const char *const encodings[] = {"hex", "base64", NULL};
  static const char *const prefixes[] = {"", "sha256=", NULL};
  static const char *const secrets[] = {"the new one", "the old one"};
  for (int n = 0; n < 5 * 3 * 3; n++) {
    palenca_signature_options form = {digests[n % 5], encodings[n / 5 % 3], prefixes[n / 15]};
    webhook_signature *s = make(form.digest, form.encoding, form.prefix, secrets, 2);
    for (int i = 0; i < 2; i++) {
      char value[PALENCA_SIGNATURE_MAX];
      palenca_error problem;
      assert_true(palenca_signature_make(&form, secrets[i], strlen(secrets[i]), body, BODY_SIZE,
                                         value, &problem));
      assert_null(check(s, value));
      /* over every byte of the body */
      const char *values[] = {value};
      assert_string_equal(webhook_signature_rejection(s, values, 1, body, BODY_SIZE - 1),
                          "the signature does not fit");
    }
    webhook_signature_free(s);
  }
}

UNIT_TEST(says_why_and_no_more) {
  static const char *const secrets[] = {"secret"};
  webhook_signature *s = make("sha256", "hex", "sha256=", secrets, 1);
  char good[PALENCA_SIGNATURE_MAX];
  palenca_error problem;
  palenca_signature_options form = {"sha256", "hex", "sha256="};
  assert_true(palenca_signature_make(&form, "secret", 6, body, BODY_SIZE, good, &problem));
  const char *twice[] = {good, good};
  assert_string_equal(check(s, NULL), "not signed");
  assert_string_equal(webhook_signature_rejection(s, twice, 2, body, BODY_SIZE),
                      "signed more than once");
  assert_string_equal(check(s, good + 7), "the signature has another prefix");
  assert_string_equal(check(s, ""), "the signature has another prefix");
  assert_string_equal(check(s, "sha256="),
                      "the signature has not the length of this digest and encoding");
  char spaced[PALENCA_SIGNATURE_MAX + 3];
  (void)snprintf(spaced, sizeof spaced, "%s \t", good);
  assert_null(check(s, spaced));
  (void)snprintf(spaced, sizeof spaced, "%s .", good);
  assert_string_equal(check(s, spaced),
                      "the signature has not the length of this digest and encoding");
  assert_string_equal(check(s, " \t"), "the signature has another prefix");
  good[70] = good[70] == '0' ? '1' : '0';
  assert_string_equal(check(s, good), "the signature does not fit");
  webhook_signature_free(s);
}

UNIT_TEST(rejects_settings_that_do_not_work) {
  static const char *const secrets[] = {"secret"};
  static const char *const empty[] = {"secret", ""};
  assert_null(make("md5", NULL, NULL, secrets, 1));
  assert_null(make(NULL, "base32", NULL, secrets, 1));
  assert_null(make(NULL, NULL, "a prefix of more than thirty-one characters", secrets, 1));
  assert_null(make(NULL, NULL, NULL, empty, 2));
  webhook_signature_free(NULL);
}
