/* Decides whether an attempt is repeated, and after what wait. */
#include "palenca.h"

#define BACKOFF_BASE_MS 500
#define BACKOFF_MAX_MS 20000

/* A server that names a wait beyond this is left to the caller. */
#define RETRY_AFTER_MAX_MS 120000

/* Dates have no fractions of a second, and a response takes a while to arrive. */
#define SKEW_MS 2000

/* Servers in between have statuses of their own, such as 520 to 530, and all may pass; except
 * for those of 5xx that stay until an operator changes something. */
static bool is_temporary(int status) {
  switch (status) {
  case 501: /* not implemented */
  case 505: /* version of HTTP not supported */
  case 506: /* variant also negotiates */
  case 508: /* loop detected */
  case 510: /* not extended */
  case 511: /* a network's login page */
  case 526: /* the certificate of the server behind the proxy is invalid */
    return false;
  default:
    return status == 408 || (status >= 500 && status <= 599);
  }
}

static bool may_repeat(const palenca_attempt *attempt) {
  if (attempt->kind == PALENCA_OK) {
    if (attempt->status == 429) {
      return true;
    }
    return attempt->idempotent && is_temporary(attempt->status);
  }
  if (attempt->kind != PALENCA_NETWORK && attempt->kind != PALENCA_TIMEOUT) {
    return false;
  }
  return attempt->idempotent || !attempt->sent;
}

int64_t palenca_limit_wait(int64_t retry_after_ms, int64_t window_left_ms) {
  bool is_believed = window_left_ms <= PALENCA_RATE_WINDOW_MS + SKEW_MS;
  if (window_left_ms > retry_after_ms && (is_believed || retry_after_ms < 0)) {
    return window_left_ms;
  }
  return retry_after_ms;
}

palenca_decision palenca_retry_decide(const palenca_attempt *attempt, uint64_t random) {
  palenca_decision decision = {false, 0};
  if (attempt->number < 1 || attempt->number > attempt->max_retries || !may_repeat(attempt)) {
    return decision;
  }
  int64_t ceiling = BACKOFF_MAX_MS;
  if (attempt->number - 1 < 6 && ((int64_t)BACKOFF_BASE_MS << (attempt->number - 1)) < ceiling) {
    ceiling = (int64_t)BACKOFF_BASE_MS << (attempt->number - 1);
  }
  decision.wait_ms = (int64_t)(random % (uint64_t)(ceiling + 1));
  int64_t asked = attempt->retry_after_ms;
  if (attempt->status == 429) {
    asked = palenca_limit_wait(asked, attempt->window_left_ms);
  }
  if (asked > RETRY_AFTER_MAX_MS) {
    return decision;
  }
  if (asked >= 0) { /* the jitter spreads calls that waited for the same time */
    decision.wait_ms = asked + decision.wait_ms / 4;
  }
  decision.retry = true;
  return decision;
}
