/* Joins the client's rate limiters and the event store that divides the limits of keys among the
 * processes that serve from it. */
#include "rate_shares.h"

#include "palenca.h"

#include <string.h>

_Static_assert(sizeof((palenca_share_request *)0)->digest == RATE_SHARE_KEY_SIZE,
               "the store takes the client's digests");

/* At once. */
#define REQUESTS_MAX 16

static void watch(void *context, void (*wake)(void *wake_context), void *wake_context) {
  (void)context;
  palenca_rate_limiters_divide(wake, wake_context);
}

static rate_share_request to_store(const palenca_share_request *from) {
  rate_share_request request = {.owner = from->owner,
                                .asked_at = from->asked_at,
                                .limit = from->limit,
                                .kept = from->kept,
                                .unused = from->unused,
                                .wanted = from->wanted,
                                .spare = from->spare,
                                .is_waiting = from->is_waiting,
                                .blocked = from->blocked_ms,
                                .hold = PALENCA_SHARE_HOLD_MS,
                                .window = PALENCA_SHARE_WINDOW_MS};
  memcpy(request.key, from->digest, sizeof request.key);
  return request;
}

static size_t collect(void *context, rate_share_request *requests, size_t max) {
  palenca_share_request due[REQUESTS_MAX];
  (void)context;
  size_t count = palenca_rate_limiters_collect(due, max < REQUESTS_MAX ? max : REQUESTS_MAX);
  for (size_t i = 0; i < count; i++) {
    requests[i] = to_store(&due[i]);
  }
  return count;
}

static void grant(void *context, const rate_share_request *to, const rate_share_grant *granted) {
  palenca_share_request request = {
      .owner = to->owner, .limit = to->limit, .blocked_ms = to->blocked};
  palenca_share_grant share;
  (void)context;
  memcpy(request.digest, to->key, sizeof request.digest);
  if (granted != NULL) {
    share = (palenca_share_grant){.granted = granted->granted,
                                  .left = granted->left,
                                  .wait_ms = granted->wait,
                                  .blocked_ms = granted->blocked};
  }
  palenca_rate_limiters_grant(&request, granted != NULL ? &share : NULL);
}

const rate_share_user rate_shares_of_client = {.watch = watch, .collect = collect, .grant = grant};
