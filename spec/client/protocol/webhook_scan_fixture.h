/* Shared by the tests of the scan of webhook bodies. */
#ifndef SPEC_CLIENT_WEBHOOK_SCAN_FIXTURE_H
#define SPEC_CLIENT_WEBHOOK_SCAN_FIXTURE_H

#include "palenca.h"

/* Members of `data`. */
#define BOTH "\"webhook_action\":\"login.success\",\"account_id\":\"a-1\""
#define DOCUMENTED                                                                                 \
  "{\"webhook_url\": \"https://example.com/hook\", \"data\": {\"user_id\": \"u-1\", "              \
  "\"account_id\": \"a-1\", \"external_id\": \"None\", \"platform\": \"uber\", "                   \
  "\"status_details\": null, \"webhook_action\": \"login.success\", \"webhook_id\": \"w-1\"}}"

/* As decoded; what is not in the body is empty. */
typedef struct {
  char *text[PALENCA_WEBHOOK_FIELDS];
  size_t size[PALENCA_WEBHOOK_FIELDS];
} strings;

/* Scans a copy that ends where the body does, so that sanitizers see a step beyond it. The strings
 * are to be freed, whatever it returns. */
bool scan_strings(const char *body, size_t size, strings *out, palenca_error *error);
void free_strings(strings *all);

void assert_fields(const char *body, const char *action, const char *account_id);
void assert_rejected(const char *body, size_t size, const char *part_of_reason);

#endif
