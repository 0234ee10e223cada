/* A request's headers as curl takes them. */
#include "curl_headers.h"

#include <string.h>
#include <strings.h>

#define CURL_ASKS_BEFORE 1024 /* bytes of a body; newer curls wait with larger ones only */

static bool add_line(const lazy_curl *curl, struct curl_slist **to, const char *line) {
  struct curl_slist *longer = curl->slist_append(*to, line);
  if (longer == NULL) {
    return false;
  }
  *to = longer;
  return true;
}

static bool add_header(const lazy_curl *curl, struct curl_slist **to,
                       const palenca_header *header) {
  palenca_buffer line = {0};
  /* curl omits a header that is empty after its colon, and sends it for a semicolon */
  bool empty = header->value_size == 0;
  bool ok = palenca_buffer_append(&line, header->name, strlen(header->name)) &&
            palenca_buffer_append(&line, empty ? ";" : ": ", empty ? 1 : 2) &&
            palenca_buffer_append(&line, header->value, header->value_size);
  ok = ok && add_line(curl, to, line.data);
  palenca_buffer_free(&line);
  return ok;
}

static bool is_header(const char *line, const palenca_header *header) {
  size_t size = strlen(header->name);
  if (strncmp(line, header->name, size) != 0) {
    return false;
  }
  if (header->value_size == 0) {
    return strcmp(line + size, ";") == 0;
  }
  return strncmp(line + size, ": ", 2) == 0 &&
         strncmp(line + size + 2, header->value, header->value_size) == 0 &&
         line[size + 2 + header->value_size] == '\0';
}

/* A line without a value takes a header out that curl adds by itself: a wait for
 * permission to send a large body, and a form's content type for any body. */
static size_t lines_without_value(const transport_request *request, const char *lines[2]) {
  size_t count = 0;
  bool has_type = false;
  for (size_t i = 0; i < request->header_count; i++) {
    has_type = has_type || strcasecmp(request->headers[i].name, "content-type") == 0;
  }
  if (!has_type) {
    lines[count++] = "Content-Type:";
  }
  if (request->body_size > CURL_ASKS_BEFORE) {
    lines[count++] = "Expect:";
  }
  return count;
}

static bool has_lines(const struct curl_slist *line, const transport_request *request,
                      const char *const *more, size_t count) {
  for (size_t i = 0; i < request->header_count; i++, line = line->next) {
    if (line == NULL || !is_header(line->data, &request->headers[i])) {
      return false;
    }
  }
  for (size_t i = 0; i < count; i++, line = line->next) {
    if (line == NULL || strcmp(line->data, more[i]) != 0) {
      return false;
    }
  }
  return line == NULL;
}

bool request_headers_set(const lazy_curl *curl, CURL *easy, struct curl_slist **lines,
                         const transport_request *request) {
  const char *more[2];
  size_t count = lines_without_value(request, more);
  if (*lines != NULL && has_lines(*lines, request, more, count)) {
    return true;
  }
  curl->slist_free_all(*lines);
  *lines = NULL;
  for (size_t i = 0; i < request->header_count; i++) {
    if (!add_header(curl, lines, &request->headers[i])) {
      return false;
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (!add_line(curl, lines, more[i])) {
      return false;
    }
  }
  return curl->easy_setopt(easy, CURLOPT_HTTPHEADER, *lines) == CURLE_OK;
}
