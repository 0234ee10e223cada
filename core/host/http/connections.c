/* Counts the connections of a server, in all and of an address, and keeps which has waited for
 * longest. */
#include "connections.h"

#include <string.h>

static size_t significant(const net_address *peer) {
  return peer->kind == NET_IPV6 ? 8 : 4;
}

static size_t bucket_of(const net_address *peer) {
  uint64_t hash = 14695981039346656037U;
  for (size_t i = 0; i < significant(peer); i++) {
    hash = (hash ^ peer->bytes[i]) * 1099511628211U;
  }
  return (size_t)((hash ^ hash >> 32) % HTTP_ADDRESS_BUCKETS);
}

void http_connections_init(http_entry *entry) {
  entry->wait = HTTP_WAIT_NOTHING;
  entry->is_counted = false;
}

void http_connections_add(http_connections *all, http_entry *entry) {
  http_entry **bucket = &all->buckets[bucket_of(&entry->peer)];
  entry->is_counted = true;
  entry->next_of_bucket = *bucket;
  entry->link_of_bucket = bucket;
  if (*bucket != NULL) {
    (*bucket)->link_of_bucket = &entry->next_of_bucket;
  }
  *bucket = entry;
  all->count++;
}

void http_connections_remove(http_connections *all, http_entry *entry) {
  if (!entry->is_counted) {
    return;
  }
  entry->is_counted = false;
  *entry->link_of_bucket = entry->next_of_bucket;
  if (entry->next_of_bucket != NULL) {
    entry->next_of_bucket->link_of_bucket = entry->link_of_bucket;
  }
  all->count--;
}

size_t http_connections_of(const http_connections *all, const net_address *peer) {
  size_t count = 0;
  for (const http_entry *e = all->buckets[bucket_of(peer)]; e != NULL; e = e->next_of_bucket) {
    count +=
        e->peer.kind == peer->kind && memcmp(e->peer.bytes, peer->bytes, significant(peer)) == 0;
  }
  return count;
}

static void end_wait(http_connections *all, http_entry *entry) {
  if (entry->wait == HTTP_WAIT_NOTHING) {
    return;
  }
  http_wait_list *list = &all->waits[entry->wait];
  *(entry->older != NULL ? &entry->older->newer : &list->oldest) = entry->newer;
  *(entry->newer != NULL ? &entry->newer->older : &list->newest) = entry->older;
  list->count--;
  entry->wait = HTTP_WAIT_NOTHING;
}

void http_connections_wait(http_connections *all, http_entry *entry, http_wait wait, int64_t now) {
  end_wait(all, entry);
  if (wait == HTTP_WAIT_NOTHING) {
    return;
  }
  http_wait_list *list = &all->waits[wait];
  entry->wait = wait;
  entry->since = now;
  entry->newer = NULL;
  entry->older = list->newest;
  *(entry->older != NULL ? &entry->older->newer : &list->oldest) = entry;
  list->newest = entry;
  list->count++;
}
