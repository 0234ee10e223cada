-- Seconds of the steady clock, in LuaJIT.
local ffi = require "ffi"

ffi.cdef [[
  struct time { long seconds, nanoseconds; };
  int clock_gettime(int clock, struct time *time);
]]

return function()
  local time = ffi.new("struct time")
  ffi.C.clock_gettime(1, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end
