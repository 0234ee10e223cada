/* The client's rate limiters as users of shares. */
#ifndef PALENCA_HOST_LUA_RATE_SHARES_H
#define PALENCA_HOST_LUA_RATE_SHARES_H

#include "store/rate_shares.h"

extern const rate_share_user rate_shares_of_client;

#endif
