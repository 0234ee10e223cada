/* Shared by the tests of the scan of webhook bodies. */
#include "webhook_scan_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

void free_strings(strings *all) {
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++) {
    free(all->text[i]);
  }
}

static void decode_fields(const palenca_webhook_text *fields, strings *out) {
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++) {
    size_t size = fields[i].text != NULL ? fields[i].decoded_size : 0;
    out->size[i] = size;
    out->text[i] = malloc(size + 1);
    assert_non_null(out->text[i]);
    palenca_webhook_decode(&fields[i], out->text[i]);
    assert_int_equal(out->text[i][size], '\0');
    assert_true(fields[i].text == NULL || (size > 0 && size <= fields[i].size));
  }
}

bool scan_strings(const char *body, size_t size, strings *out, palenca_error *error) {
  palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS];
  char *copy = malloc(size + (size == 0));
  assert_non_null(copy);
  memcpy(copy, body, size);
  memset(fields, 'x', sizeof fields);
  *error = (palenca_error){.kind = PALENCA_OK};
  bool ok = palenca_webhook_scan(copy, size, fields, error);
  assert_int_equal(error->kind, ok ? PALENCA_OK : PALENCA_INVALID);
  assert_true(ok == (error->message[0] == '\0'));
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++) {
    assert_true(ok || fields[i].text == NULL);
  }
  decode_fields(fields, out);
  free(copy);
  assert_true(!ok || out->size[PALENCA_WEBHOOK_ACTION] > 0);
  return ok;
}

void assert_fields(const char *body, const char *action, const char *account_id) {
  strings out;
  palenca_error error;
  if (!scan_strings(body, strlen(body), &out, &error)) {
    fail_msg("%s: %s", body, error.message);
  }
  assert_string_equal(out.text[PALENCA_WEBHOOK_ACTION], action);
  assert_string_equal(out.text[PALENCA_WEBHOOK_ACCOUNT_ID], account_id);
  free_strings(&out);
}

void assert_rejected(const char *body, size_t size, const char *part_of_reason) {
  strings out;
  palenca_error error;
  if (scan_strings(body, size, &out, &error)) {
    fail_msg("accepted: %s", body);
  }
  free_strings(&out);
  if (strstr(error.message, part_of_reason) == NULL) {
    fail_msg("%s: %s", body, error.message);
  }
}
