/* Recognizes the URLs of PostgreSQL, and leaves out their passwords. */
#include "url.h"

#include <stdlib.h>
#include <string.h>

static const char *const schemes[] = {"postgresql://", "postgres://"};

/* What stands after the scheme, or NULL. */
static const char *after_scheme(const char *url) {
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    size_t size = strlen(schemes[i]);
    if (strncmp(url, schemes[i], size) == 0) {
      return url + size;
    }
  }
  return NULL;
}

bool postgres_is_url(const char *name) {
  return after_scheme(name) != NULL;
}

/* Of `host:port,host:port/database`; a colon in brackets is an address's. */
static bool has_other_ports_than_numbers(const char *at) {
  bool is_in_brackets = false;
  for (; strchr("/?", *at) == NULL; at++) { /* or its end */
    is_in_brackets = *at == '[' || (is_in_brackets && *at != ']');
    if (*at == ':' && !is_in_brackets) {
      const char *port = at + 1;
      if (strchr(",/?", port[strspn(port, "0123456789")]) == NULL) {
        return true;
      }
    }
  }
  return false;
}

bool postgres_url_is_clear(const char *url) {
  const char *from = after_scheme(url);
  if (from == NULL) {
    return false;
  }
  size_t size = strcspn(from, "?");
  const char *at = memchr(from, '@', size);
  const char *path = memchr(from, '/', size);
  if (at == NULL) {
    return !has_other_ports_than_numbers(from);
  }
  size_t left = size - (size_t)(at + 1 - from);
  return (path == NULL || path > at) && memchr(at + 1, '@', left) == NULL &&
         !has_other_ports_than_numbers(at + 1);
}

typedef struct {
  char *data;
  size_t size, room;
} text;

static void add(text *to, const char *data, size_t size) {
  size_t left = to->room - 1 - to->size;
  size = size < left ? size : left;
  memcpy(to->data + to->size, data, size);
  to->size += size;
  to->data[to->size] = '\0';
}

/* A password may have any character in it that should be escaped: it ends with the last at sign. */
static const char *add_authority(text *to, const char *from) {
  const char *at = strrchr(from, '@');
  const char *colon = at != NULL ? memchr(from, ':', (size_t)(at - from)) : NULL;
  if (colon != NULL) {
    add(to, from, (size_t)(colon - from));
    from = at;
  }
  size_t size = strcspn(from, "/?");
  add(to, from, size);
  return from + size;
}

static bool is_secret(const char *parameter) {
  return strncmp(parameter, "password=", 9) == 0 || strncmp(parameter, "sslpassword=", 12) == 0 ||
         memchr(parameter, '%', strcspn(parameter, "=&")) != NULL;
}

void postgres_url_without_password(const char *url, char *to, size_t size) {
  text copy = {.data = to, .room = size};
  const char *at = after_scheme(url);
  to[0] = '\0';
  if (at == NULL) {
    add(&copy, url, strlen(url));
    return;
  }
  add(&copy, url, (size_t)(at - url));
  at = add_authority(&copy, at);
  size_t path = strcspn(at, "?");
  add(&copy, at, path);
  at += path;
  char separator = '?';
  while (*at != '\0') {
    size_t length = strcspn(++at, "&");
    if (!is_secret(at)) {
      add(&copy, &separator, 1);
      add(&copy, at, length);
      separator = '&';
    }
    at += length;
  }
}

char *postgres_url_for_people(const char *name) {
  size_t size = strlen(name) + 1;
  char *copy = malloc(size);
  if (copy != NULL) {
    postgres_url_without_password(name, copy, size);
  }
  return copy;
}
