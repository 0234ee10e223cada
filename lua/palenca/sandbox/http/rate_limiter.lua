--- Counts requests per key in fixed windows, as the API's rate limit does.
-- @module palenca.sandbox.http.rate_limiter
local rate_limiter = {}
rate_limiter.__index = rate_limiter

local WINDOW = 60

--- Makes a limiter.
-- @tparam table settings `rate_limit`, requests per window; 0 switches it off; read anew each time
-- @tparam function clock returns Unix time in seconds
-- @treturn limiter the limiter
function rate_limiter.new(settings, clock)
  return setmetatable({ settings = settings, clock = clock, windows = {} }, rate_limiter)
end

--- Counts one request.
-- @tparam string key whose request it is
-- @tparam number offset how far the clock is ahead of the client's, in seconds
-- @treturn boolean whether it is within the limit
-- @treturn table the headers that say how much of the limit is left; empty without a limit
function rate_limiter:count(key, offset)
  local limit = self.settings.rate_limit
  if limit == 0 then
    return true, {}
  end
  local now = self.clock()
  local window = self.windows[key]
  -- The second test is for a clock that was set back: its window would last too long.
  if not window or now >= window.ends or now < window.ends - WINDOW then
    -- Windows start on a full second, so that the header can name their end exactly.
    window = { ends = math.floor(now) + WINDOW, used = 0 }
    self.windows[key] = window
  end
  local allowed = window.used < limit
  if allowed then
    window.used = window.used + 1
  end
  local headers = {
    ["X-RateLimit-Limit"] = tostring(limit),
    ["X-RateLimit-Remaining"] = tostring(math.max(limit - window.used, 0)),
    -- in the client's time: it computes its wait from this
    ["X-RateLimit-Reset"] = tostring(math.ceil(window.ends - offset)),
  }
  if not allowed then
    headers["Retry-After"] = tostring(math.ceil(window.ends - now))
  end
  return allowed, headers
end

return rate_limiter
