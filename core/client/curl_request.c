/* Sets the options of a curl handle as a request asks for; it keeps those of the request before. */
#include "curl_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CURL_ASKS_BEFORE 1024 /* bytes of a body; newer curls wait with larger ones only */
#define CURL_CONNECTS_FOR_MS 300000
#define LINES_OF_OURS 3 /* at most */

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

/* Servers require its length to be stated as 0. */
static bool takes_body(const char *method) {
  return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static method_class class_of(const transport_request *request) {
  if (strcmp(request->method, "HEAD") == 0) {
    return METHOD_HEAD;
  }
  bool has_body = request->body != NULL || takes_body(request->method);
  return has_body ? METHOD_WITH_BODY : METHOD_WITHOUT_BODY;
}

static bool has_header(const transport_request *request, const char *name) {
  size_t i = 0;
  while (i < request->header_count && strcasecmp(request->headers[i].name, name) != 0) {
    i++;
  }
  return i < request->header_count;
}

/* A line without a value takes a header out that curl adds by itself: a wait for permission to send
 * a large body, and a form's content type for any body. Bodies are decoded by response_sink. */
static size_t lines_of_ours(const transport_request *request, const char *lines[LINES_OF_OURS]) {
  size_t count = 0;
  if (!has_header(request, "Accept-Encoding")) {
    lines[count++] = "Accept-Encoding: gzip";
  }
  if (class_of(request) == METHOD_WITH_BODY && !has_header(request, "Content-Type")) {
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

static bool set_headers(const lazy_curl *curl, easy_handle *handle,
                        const transport_request *request) {
  const char *more[LINES_OF_OURS];
  size_t count = lines_of_ours(request, more);
  struct curl_slist **lines = &handle->lines;
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
  return curl->easy_setopt(handle->easy, CURLOPT_HTTPHEADER, *lines) == CURLE_OK;
}

/* ---- what is the same as before ------------------------------------------------------- */

void easy_handle_init(easy_handle *handle, CURL *easy) {
  memset(handle, 0, sizeof *handle);
  handle->easy = easy;
  for (int i = 0; i < NUMBER_OPTIONS; i++) {
    handle->numbers[i] = -1; /* which no request has */
  }
}

void easy_handle_free(const lazy_curl *curl, easy_handle *handle) {
  if (handle->easy != NULL) {
    curl->easy_cleanup(handle->easy);
  }
  if (handle->lines != NULL) {
    curl->slist_free_all(handle->lines);
  }
  if (handle->parsed != NULL) {
    curl->url_cleanup(handle->parsed);
  }
  free(handle->url);
  free(handle->method);
  free(handle->ca_file);
  free(handle->proxy);
}

static bool is_same(const char *one, const char *other) {
  return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

bool easy_handle_has_url(const easy_handle *handle, const char *url) {
  return handle->url != NULL && strcmp(handle->url, url) == 0;
}

static bool set_number(const lazy_curl *curl, easy_handle *handle, number_option which,
                       long value) {
  static const CURLoption options[NUMBER_OPTIONS] = {
      [OPTION_TLS_VERSION] = CURLOPT_SSLVERSION,
      [OPTION_TIMEOUT] = CURLOPT_TIMEOUT_MS,
      [OPTION_CONNECT_TIMEOUT] = CURLOPT_CONNECTTIMEOUT_MS,
      [OPTION_FRESH_CONNECT] = CURLOPT_FRESH_CONNECT,
      [OPTION_FORBID_REUSE] = CURLOPT_FORBID_REUSE,
      [OPTION_PIPEWAIT] = CURLOPT_PIPEWAIT,
  };
  if (handle->numbers[which] == value) {
    return true;
  }
  handle->numbers[which] = value;
  return curl->easy_setopt(handle->easy, options[which], value) == CURLE_OK;
}

/* curl copies the text as well, and does not show it. */
static bool set_text(const lazy_curl *curl, easy_handle *handle, CURLoption option, char **last,
                     const char *text) {
  char *copy = text != NULL ? strdup(text) : NULL;
  free(*last);
  *last = copy;
  return (text == NULL || copy != NULL) &&
         curl->easy_setopt(handle->easy, option, text) == CURLE_OK;
}

/* ---- where it goes, and what it is ---------------------------------------------------- */

static bool set_ca_file(const lazy_curl *curl, easy_handle *handle, const char *file) {
  char *system = NULL; /* the system's certificates, unless others are asked for */
  if (is_same(handle->ca_file, file)) {
    return true;
  }
  if (file != NULL) {
    return set_text(curl, handle, CURLOPT_CAINFO, &handle->ca_file, file);
  }
  free(handle->ca_file);
  handle->ca_file = NULL;
  curl->easy_getinfo(handle->easy, CURLINFO_CAINFO, &system);
  return curl->easy_setopt(handle->easy, CURLOPT_CAINFO, system) == CURLE_OK;
}

static CURLU *parse(const lazy_curl *curl, const char *url) {
  const unsigned flags = CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS;
  CURLU *parsed = curl->url();
  if (parsed != NULL && curl->url_set(parsed, CURLUPART_URL, url, flags) != CURLUE_OK) {
    curl->url_cleanup(parsed);
    return NULL;
  }
  return parsed;
}

/* A text alone curl would parse for each request, and write again, which is a tenth of all that it
 * does. With the parsed URL alone, libcurl 7.88 takes the text of the first for that of all. */
static bool set_url(const lazy_curl *curl, easy_handle *handle, const char *url) {
  CURLU *before = handle->parsed;
  handle->parsed = parse(curl, url);
  bool ok = curl->easy_setopt(handle->easy, CURLOPT_CURLU, handle->parsed) == CURLE_OK;
  if (before != NULL) {
    curl->url_cleanup(before);
  }
  handle->is_local = palenca_url_is_local(url);
  return ok && set_text(curl, handle, CURLOPT_URL, &handle->url, url);
}

static bool set_server(const lazy_curl *curl, easy_handle *handle,
                       const transport_request *request) {
  long lowest = request->allow_tls_1_2 ? CURL_SSLVERSION_TLSv1_2 : CURL_SSLVERSION_TLSv1_3;
  if (!easy_handle_has_url(handle, request->url) && !set_url(curl, handle, request->url)) {
    return false;
  }
  /* a proxy from the environment does not reach this machine, and would read the key */
  const char *proxy = request->proxy == NULL && handle->is_local ? "" : request->proxy;
  return set_number(curl, handle, OPTION_TLS_VERSION, lowest) &&
         set_ca_file(curl, handle, request->ca_file) &&
         (is_same(handle->proxy, proxy) ||
          set_text(curl, handle, CURLOPT_PROXY, &handle->proxy, proxy));
}

static void set_class(const lazy_curl *curl, easy_handle *handle, method_class class) {
  if (handle->class == class) {
    return;
  }
  handle->class = class;
  if (class == METHOD_HEAD) {
    curl->easy_setopt(handle->easy, CURLOPT_NOBODY, 1L);
  } else if (class == METHOD_WITH_BODY) {
    curl->easy_setopt(handle->easy, CURLOPT_POST, 1L);
  } else {
    curl->easy_setopt(handle->easy, CURLOPT_HTTPGET, 1L);
  }
}

static bool set_method(const lazy_curl *curl, easy_handle *handle,
                       const transport_request *request) {
  method_class class = class_of(request);
  set_class(curl, handle, class);
  if (class == METHOD_WITH_BODY) {
    curl_off_t size = (curl_off_t)request->body_size;
    curl->easy_setopt(handle->easy, CURLOPT_POSTFIELDS, request->body != NULL ? request->body : "");
    curl->easy_setopt(handle->easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
  }
  return is_same(handle->method, request->method) ||
         set_text(curl, handle, CURLOPT_CUSTOMREQUEST, &handle->method, request->method);
}

static bool set_numbers(const lazy_curl *curl, easy_handle *handle,
                        const transport_request *request, bool waits) {
  /* curl repeats a request by itself when an idle connection turns out to be closed, after the
   * server may have read it; what must not be done twice gets a connection of its own, which the
   * next one of its kind could not use either. */
  long is_single = request->idempotent ? 0L : 1L;
  /* curl has a bound of its own for it, which costs no timer */
  long connect_timeout = request->timeout_ms > CURL_CONNECTS_FOR_MS ? request->timeout_ms : 0L;
  return set_number(curl, handle, OPTION_TIMEOUT, request->timeout_ms) &&
         set_number(curl, handle, OPTION_CONNECT_TIMEOUT, connect_timeout) &&
         set_number(curl, handle, OPTION_FRESH_CONNECT, is_single) &&
         set_number(curl, handle, OPTION_FORBID_REUSE, is_single) &&
         set_number(curl, handle, OPTION_PIPEWAIT, waits ? 1L : 0L);
}

bool easy_handle_set_request(const lazy_curl *curl, easy_handle *handle,
                             const transport_request *request, bool waits) {
  return set_headers(curl, handle, request) && set_server(curl, handle, request) &&
         set_method(curl, handle, request) && set_numbers(curl, handle, request, waits);
}
