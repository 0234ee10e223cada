--- Lines of the log that others can cause: each once in a while, and then how many more there were,
-- for what strangers send must not fill a disk. Each worker counts for itself.
-- @module palenca.nginx.sparing_log
local SparingLog = {}
SparingLog.__index = SparingLog

local sparing_log = {}

--- A log of its own.
-- @tparam number window seconds in which each line is written once
function sparing_log.new(window)
  return setmetatable({ window = window, omitted = {} }, SparingLog)
end

--- Writes a line, or counts it. The count is written when the window is over, or the worker ends.
-- @param level of `ngx.log`
-- @tparam string line one of a small number
-- @tparam string more what is written of those that were counted, with `%d` for their number
function SparingLog:write(level, line, more)
  local omitted = self.omitted
  if omitted[line] then
    omitted[line] = omitted[line] + 1
    return
  end
  ngx.log(level, line)
  local is_set = ngx.timer.at(self.window, function()
    if omitted[line] > 0 then
      ngx.log(level, string.format(more, omitted[line]))
    end
    omitted[line] = nil
  end)
  omitted[line] = is_set and 0 or nil -- what could not be told of is not omitted
end

return sparing_log
