/* Decides whether a webhook was signed with one of the secrets that are set. */
#include "signature.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct webhook_signature {
  char *header, *digest, *encoding, *prefix;
  palenca_signature_options form; /* points at these */
  size_t size;                    /* of every signature */
  char **secrets;
  size_t secret_count;
};

static char *copy(const char *text) {
  return text != NULL ? strdup(text) : NULL;
}

static bool copy_all(webhook_signature *s, const webhook_signature_options *options) {
  s->header = copy(options->header);
  s->form.digest = s->digest = copy(options->form.digest);
  s->form.encoding = s->encoding = copy(options->form.encoding);
  s->form.prefix = s->prefix = copy(options->form.prefix);
  s->secrets = calloc(options->secret_count, sizeof *s->secrets);
  if (s->header == NULL || s->secrets == NULL || (options->form.digest && !s->digest) ||
      (options->form.encoding && !s->encoding) || (options->form.prefix && !s->prefix)) {
    return false;
  }
  for (; s->secret_count < options->secret_count; s->secret_count++) {
    if ((s->secrets[s->secret_count] = strdup(options->secrets[s->secret_count])) == NULL) {
      return false;
    }
  }
  return s->secret_count > 0;
}

webhook_signature *webhook_signature_new(const webhook_signature_options *options,
                                         host_error *error) {
  char sample[PALENCA_SIGNATURE_MAX];
  palenca_error problem;
  webhook_signature *s = calloc(1, sizeof *s);
  if (s == NULL || !copy_all(s, options)) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
    webhook_signature_free(s);
    return NULL;
  }
  for (size_t i = 0; i < s->secret_count; i++) {
    const char *secret = s->secrets[i];
    if (!palenca_signature_make(&s->form, secret, strlen(secret), "", 0, sample, &problem)) {
      (void)host_error_set(error, HOST_FAILED, "%s", problem.message);
      webhook_signature_free(s);
      return NULL;
    }
  }
  s->size = strlen(sample);
  OPENSSL_cleanse(sample, sizeof sample);
  return s;
}

void webhook_signature_free(webhook_signature *s) {
  if (s == NULL) {
    return;
  }
  for (size_t i = 0; i < s->secret_count; i++) {
    OPENSSL_cleanse(s->secrets[i], strlen(s->secrets[i]));
    free(s->secrets[i]);
  }
  free(s->secrets);
  free(s->header);
  free(s->digest);
  free(s->encoding);
  free(s->prefix);
  free(s);
}

const char *webhook_signature_header(const webhook_signature *s) {
  return s->header;
}

/* Whether a value, without what stands before its first =, is as long as a signature without a
 * prefix. */
static bool has_prefix(const webhook_signature *s, const char *value, size_t size) {
  const char *equals = memchr(value, '=', size);
  return equals != NULL && size - (size_t)(equals + 1 - value) == s->size;
}

const char *webhook_signature_rejection(const webhook_signature *s, const char *const *values,
                                        size_t value_count, const char *body, size_t body_size) {
  if (value_count == 0) {
    return "not signed";
  }
  if (value_count > 1) {
    return "signed more than once";
  }
  size_t size = strlen(values[0]);
  /* blanks after a header are no part of its value */
  while (size > 0 && (values[0][size - 1] == ' ' || values[0][size - 1] == '\t')) {
    size--;
  }
  if (s->prefix != NULL && strncmp(values[0], s->prefix, strlen(s->prefix)) != 0) {
    return "the signature has another prefix";
  }
  if (size != s->size && (s->prefix == NULL || s->prefix[0] == '\0') &&
      has_prefix(s, values[0], size)) {
    return "the signature has a prefix, such as sha256=, and --signature-prefix names none";
  }
  if (size != s->size) {
    return "the signature has not the length of this digest and encoding";
  }
  for (size_t i = 0; i < s->secret_count; i++) {
    palenca_error problem;
    if (palenca_signature_check(&s->form, s->secrets[i], strlen(s->secrets[i]), body, body_size,
                                values[0], size, &problem)) {
      return NULL;
    }
  }
  return "the signature does not fit";
}
