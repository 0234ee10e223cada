/* Decides whether a webhook was signed with one of the secrets that are set. */
#ifndef PALENCA_HOST_WEBHOOK_SIGNATURE_H
#define PALENCA_HOST_WEBHOOK_SIGNATURE_H

#include "common/host_error.h"
#include "palenca.h"

typedef struct webhook_signature webhook_signature;

typedef struct {
  const char *header; /* the request header that holds the signature */
  palenca_signature_options form;
  const char *const *secrets; /* any of them will do, so that one can be replaced by the next */
  size_t secret_count;
} webhook_signature_options;

/* Everything is copied. NULL on failure, with the reason in `error`. */
webhook_signature *webhook_signature_new(const webhook_signature_options *options,
                                         host_error *error);
/* NULL is allowed. */
void webhook_signature_free(webhook_signature *signature);

const char *webhook_signature_header(const webhook_signature *signature);

/* `values` are those of the header in one request. NULL if the body is signed; otherwise what is
 * wrong, in words without the received or the expected signature. */
const char *webhook_signature_rejection(const webhook_signature *signature,
                                        const char *const *values, size_t value_count,
                                        const char *body, size_t body_size);

#endif
