/* When to look whether connections to a server are open, and how often one may be opened. */
#include "kept_servers.h"

#include <stdlib.h>
#include <string.h>

#define CHECK_MS 1000
#define CONNECT_TIMEOUT_MS 10000
#define TOKENS_MAX 12
#define TOKEN_MS 10000

static void drop(kept_servers *kept, size_t at) {
  free(kept->servers[at].text);
  kept->servers[at] = kept->servers[--kept->count];
}

void kept_servers_free(kept_servers *kept) {
  while (kept->count > 0) {
    drop(kept, kept->count - 1);
  }
}

static kept_server *find(kept_servers *kept, uint64_t origin) {
  for (size_t i = 0; i < kept->count; i++) {
    if (kept->servers[i].origin == origin) {
      return &kept->servers[i];
    }
  }
  return NULL;
}

static const char *copy(char **at, const char *text) {
  if (text == NULL) {
    return NULL;
  }
  size_t size = strlen(text) + 1;
  char *start = memcpy(*at, text, size);
  *at += size;
  return start;
}

static size_t size_of(const char *text) {
  return text != NULL ? strlen(text) + 1 : 0;
}

/* Nothing else of it: no header, which might be a key. */
static char *copy_request(transport_request *to, const transport_request *from) {
  char *text = malloc(size_of(from->url) + size_of(from->ca_file) + size_of(from->proxy));
  char *at = text;
  if (text != NULL) {
    *to = (transport_request){.method = "GET",
                              .url = copy(&at, from->url),
                              .timeout_ms = CONNECT_TIMEOUT_MS,
                              .idempotent = true,
                              .allow_tls_1_2 = from->allow_tls_1_2,
                              .ca_file = copy(&at, from->ca_file),
                              .proxy = copy(&at, from->proxy)};
  }
  return text;
}

static void make_room(kept_servers *kept) {
  size_t first = 0;
  if (kept->count < KEPT_SERVERS_MAX) {
    return;
  }
  for (size_t i = 1; i < kept->count; i++) {
    first = kept->servers[i].until < kept->servers[first].until ? i : first;
  }
  drop(kept, first);
}

bool kept_servers_add(kept_servers *kept, const transport_request *request, uint64_t origin,
                      int64_t until, int64_t now) {
  kept_server *one = find(kept, origin);
  if (one != NULL) {
    one->until = until > one->until ? until : one->until;
    return true;
  }
  kept_server added = {.origin = origin, .until = until, .check_at = now, .tokens = TOKENS_MAX};
  added.text = copy_request(&added.request, request);
  if (added.text == NULL) {
    return false;
  }
  make_room(kept);
  kept->servers[kept->count++] = added;
  return true;
}

kept_server *kept_servers_due(kept_servers *kept, int64_t now) {
  for (size_t i = kept->count; i-- > 0;) {
    kept_server *one = &kept->servers[i];
    if (one->check_at > now) {
      continue;
    }
    if (one->until > now) {
      one->check_at = now + CHECK_MS;
      return one;
    }
    drop(kept, i);
  }
  return NULL;
}

int64_t kept_servers_next(const kept_servers *kept) {
  int64_t next = -1;
  for (size_t i = 0; i < kept->count; i++) {
    if (next < 0 || kept->servers[i].check_at < next) {
      next = kept->servers[i].check_at;
    }
  }
  return next;
}

void kept_servers_recheck(kept_servers *kept, uint64_t origin, int64_t now) {
  kept_server *one = find(kept, origin);
  if (one != NULL) {
    one->check_at = now;
  }
}

bool kept_server_may_connect(kept_server *one, int64_t now) {
  if (one->tokens == TOKENS_MAX) {
    one->token_at = now + TOKEN_MS;
  }
  while (one->tokens < TOKENS_MAX && one->token_at <= now) {
    one->tokens++;
    one->token_at += TOKEN_MS;
  }
  if (one->tokens == 0) {
    return false;
  }
  one->tokens--;
  return true;
}
