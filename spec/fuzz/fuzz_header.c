/* Fuzzes the reader of a response's header lines, and the check of what goes into a request's. */
#include "fuzz.h"
#include "palenca.h"

static void check_meta(const palenca_meta *meta) {
  MUST(meta->rate_limit >= -1 && meta->rate_remaining >= -1 && meta->rate_reset >= -1);
  MUST(meta->retry_after_ms >= -1 && meta->retry_after_ms <= 86400 * 1000);
  MUST(meta->retry_at >= -1 && meta->server_time >= -1);
  MUST(palenca_meta_window_left(meta, 1750420800000) >= -1);
  const char *end = memchr(meta->request_id, '\0', sizeof meta->request_id);
  MUST(end != NULL);
  for (const char *c = meta->request_id; c < end; c++) {
    MUST(*c >= ' ' && *c <= '~');
  }
}

/* What is accepted cannot end the line that it stands in, nor begin another one. */
static void check_sent(const uint8_t *data, size_t size) {
  char *name = fuzz_text(data, size);
  const char *value = name + strlen(name);
  size_t value_size = (size_t)(name + size - value);
  palenca_error error = {0};
  if (palenca_header_check(name, value, value_size, &error)) {
    MUST(strpbrk(name, ":\r\n \t") == NULL && name[0] != '\0');
    MUST(memchr(value, '\r', value_size) == NULL && memchr(value, '\n', value_size) == NULL &&
         memchr(value, '\0', value_size) == NULL);
  } else {
    MUST(error.kind == PALENCA_USAGE && error.message[0] != '\0');
  }
  if (palenca_method_check(name, NULL)) {
    MUST(strpbrk(name, " \r\n") == NULL && strlen(name) <= 16);
  }
  free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  palenca_meta meta;
  palenca_meta_clear(&meta);
  const char *line = (const char *)data, *end = line + size;
  while (line < end) {
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    const char *next = newline != NULL ? newline + 1 : end;
    palenca_meta_read(&meta, line, (size_t)(next - line), 1750420800);
    check_meta(&meta);
    line = next;
  }
  check_sent(data, size);
  return 0;
}
