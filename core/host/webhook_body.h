/* Validates a webhook's body as JSON and reads the fields the host needs from it. */
#ifndef PALENCA_HOST_WEBHOOK_BODY_H
#define PALENCA_HOST_WEBHOOK_BODY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  char action[128];     /* data.webhook_action */
  char account_id[128]; /* data.account_id; "" if absent, null or "None" */
} webhook_fields;

/* False for what is not a JSON object with a usable data.webhook_action; `reason`
 * says why, in words that hold nothing of the body. */
bool webhook_body_read(const char *body, size_t size, webhook_fields *fields, char *reason,
                       size_t reason_size);

#endif
