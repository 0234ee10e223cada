--- Logs what senders can cause: each line is written once in a window, and then how many more there
-- were, so that requests of strangers cannot fill a disk. Each worker counts for itself.
-- @module palenca.nginx.rate_limited_log
local core = require("palenca.core")
local nginx_lua_state = require("palenca.runtime.nginx_lua_state")

local RateLimitedLog = {}
RateLimitedLog.__index = RateLimitedLog

local rate_limited_log = {}

--- Creates a log.
-- @tparam number window seconds in which each line is written once
function rate_limited_log.new(window)
  return setmetatable({ window = window, entries = {} }, RateLimitedLog)
end

local function finish(_, self, entry)
  if entry.omitted > 0 then
    ngx.log(entry.level, string.format(entry.more, entry.omitted))
  end
  self.entries[entry.line] = nil
end

--- Writes a line, or counts it. The count is written when the window is over, or the worker ends;
-- in a Lua state that is one request's own, and ends with it, not before it is asked again.
-- @param level of `ngx.log`
-- @tparam string line one of a small number
-- @tparam string more what is written of those that were counted, with `%d` for their number
function RateLimitedLog:write(level, line, more)
  local now, entry = core.steady_time(), self.entries[line]
  if entry and not entry.is_timed and now >= entry.ends then
    finish(nil, self, entry)
    entry = nil
  end
  if entry then
    entry.omitted = entry.omitted + 1
  else
    ngx.log(level, line)
    entry = { level = level, line = line, more = more, omitted = 0, ends = now + self.window }
    self.entries[line] = entry
  end
  if not entry.is_timed and nginx_lua_state.is_shared() then -- else a timer would hold the state
    entry.is_timed = ngx.timer.at(entry.ends - now, finish, self, entry)
    -- lines whose number nobody would write are not omitted
    self.entries[line] = entry.is_timed and entry or nil
  end
end

return rate_limited_log
