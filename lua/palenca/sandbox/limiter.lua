--- Counts requests per key in fixed windows, as the API's rate limit does.
-- @module palenca.sandbox.limiter
local limiter = {}
limiter.__index = limiter

local WINDOW = 60

--- Makes a limiter.
-- @tparam integer limit requests per window; 0 switches it off
-- @tparam function clock returns Unix time in seconds
-- @treturn limiter the limiter
function limiter.new(limit, clock)
  return setmetatable({ limit = limit, clock = clock, windows = {} }, limiter)
end

--- Counts one request.
-- @tparam string key whose request it is
-- @treturn boolean whether it is within the limit
-- @treturn table the headers that tell the client where it stands; empty when switched off
function limiter:count(key)
  if self.limit == 0 then
    return true, {}
  end
  local now = self.clock()
  local window = self.windows[key]
  -- The second test is for a clock that was set back: its window would last too long.
  if not window or now >= window.ends or now < window.ends - WINDOW then
    -- Windows begin on a whole second, so that the header can name their end exactly.
    window = { ends = math.floor(now) + WINDOW, used = 0 }
    self.windows[key] = window
  end
  local allowed = window.used < self.limit
  if allowed then
    window.used = window.used + 1
  end
  local headers = {
    ["X-RateLimit-Limit"] = tostring(self.limit),
    ["X-RateLimit-Remaining"] = tostring(self.limit - window.used),
    ["X-RateLimit-Reset"] = tostring(window.ends),
  }
  if not allowed then
    headers["Retry-After"] = tostring(math.ceil(window.ends - now))
  end
  return allowed, headers
end

return limiter
