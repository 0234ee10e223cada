/* The share of a rate limit that this process has, where others have theirs: turns for a short
 * time, asked for in some number and ahead of need, so that a call does not wait for a response. */
#ifndef PALENCA_PROTOCOL_RATE_SHARE_H
#define PALENCA_PROTOCOL_RATE_SHARE_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

/* To be zero-initialized. Times come from any steady clock. */
typedef struct {
  int64_t turns; /* that may be used before `ends_at` */
  int64_t ends_at;
  int64_t left;       /* what nobody had, by the last grant */
  int64_t unused;     /* turns that were given up since the last request */
  int64_t used;       /* turns that were used since the last request */
  int64_t used_since; /* the first of them */
  int64_t active_at;  /* the last use, or grant */
  int64_t amount;     /* how many turns to have after the next grant */
  int64_t next_at;    /* turns are not asked for again before this time */
  int64_t waits_since;
  bool waits, waits_normal; /* calls do; some of them are not of low priority */
  bool is_asked;            /* a request is under way */
  bool was_full;            /* the last grant was all that was wanted */
  int64_t asked_at, asked_used, asked_wanted;
} rate_share;

/* 0: a turn is taken. Otherwise the ms after which to ask again. A call of low priority leaves
 * `spare` turns of the whole limit to others; `spare` of others is 0. */
int64_t rate_share_take(rate_share *share, int64_t now, int64_t spare);
/* How many turns calls that leave `spare` may expect now. */
int64_t rate_share_left(const rate_share *share, int64_t now, int64_t spare);
/* Whether it matters to anybody. */
bool rate_share_is_in_use(const rate_share *share);

/* When the next request is due; INT64_MAX: none is. */
int64_t rate_share_due(const rate_share *share);
/* Fills the numbers of a request, which is under way from now on. `spare` is what calls of low
 * priority leave. */
void rate_share_request(rate_share *share, int64_t limit, int64_t spare, int64_t now,
                        palenca_share_request *request);
/* Its end: a grant, or NULL if nobody knows what has become of it. */
void rate_share_grant(rate_share *share, const palenca_share_grant *grant, int64_t now);

#pragma GCC visibility pop

#endif
