/* Fuzzes the checks of URLs and paths: what they accept, libcurl must understand in the same way.
 */
#include "fuzz.h"
#include "palenca.h"

#include <curl/curl.h>
#include <strings.h>

/* The part of a URL as curl reads it, to be freed by curl; NULL if there is none. */
static char *part_of(CURLU *url, CURLUPart part) {
  char *text = NULL;
  return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static CURLU *parse(const char *text) {
  CURLU *url = curl_url();
  MUST(url != NULL);
  MUST(curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK);
  return url;
}

static void check_path_kept(const char *base, const char *path) {
  char *text = malloc(strlen(base) + strlen(path) + 1);
  MUST(text != NULL);
  strcpy(text, base);
  strcat(text, path);
  CURLU *url = parse(text);
  char *seen_path = part_of(url, CURLUPART_PATH);
  char *query = part_of(url, CURLUPART_QUERY);
  size_t path_size = strcspn(path, "?");
  MUST(seen_path != NULL && strlen(seen_path) == path_size);
  MUST(memcmp(seen_path, path, path_size) == 0);
  if (path[path_size] == '?' && path[path_size + 1] != '\0') {
    MUST(query != NULL && strcmp(query, path + path_size + 1) == 0);
  }
  curl_free(seen_path);
  curl_free(query);
  curl_url_cleanup(url);
  free(text);
}

static void check_base(const char *text) {
  const char *start = strstr(text, "://") + 3;
  const char *end = start + strcspn(start, "/");
  CURLU *url = parse(text);
  char *host = part_of(url, CURLUPART_HOST), *port = part_of(url, CURLUPART_PORT);
  MUST(host != NULL && (host[0] == '[') == (start[0] == '['));
  /* curl writes an IPv6 address in its shortest form */
  MUST(host[0] == '[' || strncasecmp(start, host, strlen(host)) == 0);
  const char *after = host[0] == '[' ? strchr(start, ']') + 1 : start + strlen(host);
  MUST(after == end || (*after == ':' && port != NULL && atoi(after + 1) == atoi(port)));
  CURLUPart none[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
    MUST(part_of(url, none[i]) == NULL);
  }
  if (strncmp(text, "http://", 7) == 0 && palenca_base_url_check(text, false, NULL)) {
    MUST(palenca_url_is_local(text));
  }
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(url);
}

/* Whatever passes, libcurl reads: and it finds this machine in it, or does not, as we do. */
static void check_any(const char *text) {
  CURLU *url = parse(text);
  char *host = part_of(url, CURLUPART_HOST);
  MUST(host != NULL);
  bool is_local = strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
                  (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
  MUST(palenca_url_is_local(text) == is_local);
  curl_free(host);
  curl_url_cleanup(url);
}

static void check_segment(const uint8_t *data, size_t size) {
  palenca_buffer escaped = {0};
  int decoded_size = 0;
  if (palenca_segment_escape((const char *)data, size, &escaped, NULL)) {
    char *decoded = curl_easy_unescape(NULL, escaped.data, (int)escaped.size, &decoded_size);
    MUST(decoded != NULL && (size_t)decoded_size == size && memcmp(decoded, data, size) == 0);
    MUST(strpbrk(escaped.data, "/?#\\ ") == NULL);
    curl_free(decoded);
    palenca_buffer path = {0};
    MUST(palenca_buffer_append(&path, "/", 1));
    MUST(palenca_buffer_append(&path, escaped.data, escaped.size));
    MUST(palenca_path_check(path.data, path.size, NULL));
    check_path_kept("https://host.example", path.data);
    palenca_buffer_free(&path);
  }
  palenca_buffer_free(&escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  palenca_error error = {0};
  char *text = fuzz_text(data, size);
  if (palenca_base_url_check(text, true, &error)) {
    check_base(text);
  } else {
    MUST(error.kind == PALENCA_USAGE && error.message[0] != '\0');
  }
  if (palenca_url_check(text, &error)) {
    check_any(text);
  } else {
    MUST(!palenca_url_is_local(text));
  }
  if (palenca_path_check((const char *)data, size, NULL)) {
    check_path_kept("https://host.example", text);
  }
  check_segment(data, size);
  free(text);
  return 0;
}
