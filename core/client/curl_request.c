/* Sets the options of a curl handle as a request asks for. */
#include "curl_request.h"

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

static bool set_headers(const lazy_curl *curl, CURL *easy, struct curl_slist **lines,
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

static bool set_security(const lazy_curl *curl, CURL *easy, const transport_request *request) {
  long lowest = request->allow_tls_1_2 ? CURL_SSLVERSION_TLSv1_2 : CURL_SSLVERSION_TLSv1_3;
  char *ca_file = NULL; /* the system's certificates, unless others are asked for */
  curl->easy_getinfo(easy, CURLINFO_CAINFO, &ca_file);
  /* a proxy from the environment does not reach this machine, and would read the key */
  const char *proxy = request->proxy;
  if (proxy == NULL && palenca_url_is_local(request->url)) {
    proxy = "";
  }
  return curl->easy_setopt(easy, CURLOPT_SSLVERSION, lowest) == CURLE_OK &&
         curl->easy_setopt(easy, CURLOPT_CAINFO,
                           request->ca_file != NULL ? request->ca_file : ca_file) == CURLE_OK &&
         curl->easy_setopt(easy, CURLOPT_PROXY, proxy) == CURLE_OK;
}

/* Servers require its length to be stated as 0. */
static bool takes_body(const char *method) {
  return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static bool set_request(const lazy_curl *curl, CURL *easy, const transport_request *request) {
  if (strcmp(request->method, "HEAD") == 0) {
    curl->easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request->body != NULL || takes_body(request->method)) {
    curl->easy_setopt(easy, CURLOPT_POST, 1L);
    curl->easy_setopt(easy, CURLOPT_POSTFIELDS, request->body != NULL ? request->body : "");
    curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
  } else {
    curl->easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  }
  curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
  /* else curl has a bound of its own for it */
  curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->timeout_ms);
  /* curl repeats a request by itself when an idle connection turns out to be closed, after the
   * server may have read it; what must not be done twice gets a connection of its own, which the
   * next one of its kind could not use either. */
  curl->easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->idempotent ? 0L : 1L);
  curl->easy_setopt(easy, CURLOPT_FORBID_REUSE, request->idempotent ? 0L : 1L);
  curl->easy_setopt(easy, CURLOPT_PIPEWAIT, request->share_connection ? 1L : 0L);
  return curl->easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
         curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
}

bool request_options_set(const lazy_curl *curl, CURL *easy, struct curl_slist **lines,
                         const transport_request *request) {
  return set_headers(curl, easy, lines, request) && set_security(curl, easy, request) &&
         set_request(curl, easy, request);
}
