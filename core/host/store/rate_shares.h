/* How processes that have one store divide an API key's rate limit among them: what the store is
 * asked for, and whom it gives it to. */
#ifndef PALENCA_HOST_STORE_RATE_SHARES_H
#define PALENCA_HOST_STORE_RATE_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_SHARE_KEY_SIZE 32

/* Turns are requests to the API. Times are milliseconds. */
typedef struct {
  unsigned char key[RATE_SHARE_KEY_SIZE]; /* a digest of it */
  int64_t owner;                          /* whose share it is; no other process has this number */
  int64_t asked_at;     /* on the owner's clock: an earlier request that comes later is void */
  int64_t limit;        /* turns in a window, over all owners */
  int64_t kept;         /* turns that the owner has, and keeps for `hold` at most */
  int64_t unused;       /* turns that it had and returns; it has used the rest of what it had */
  int64_t wanted;       /* turns beyond what is kept */
  int64_t spare;        /* so many are not taken for that */
  bool is_waiting;      /* the owner has none, and cannot go on */
  int64_t blocked;      /* for how long nobody may send; 0: not known */
  int64_t hold, window; /* what is used counts for a window, from when it is said on */
} rate_share_request;

typedef struct {
  int64_t granted, left; /* left: to any owner */
  int64_t wait;          /* after which to ask again, if nothing is granted */
  int64_t blocked;       /* for how long nobody may send; 0: anybody may */
} rate_share_grant;

/* Whoever uses the shares. */
typedef struct {
  void *context;
  /* Has `wake(wake_context)` called, on any thread, when a request is due, until it is called with
   * NULL. */
  void (*watch)(void *context, void (*wake)(void *wake_context), void *wake_context);
  /* On the loop, when woken and a few times a second: up to `max` requests that are due; each is
   * ended by `grant`, with NULL if nobody knows what has become of it. */
  size_t (*collect)(void *context, rate_share_request *requests, size_t max);
  void (*grant)(void *context, const rate_share_request *request, const rate_share_grant *grant);
} rate_share_user;

#endif
