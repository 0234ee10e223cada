--- Estimates how long the rest of a long command takes, from what it has done so far.
-- @module palenca.host.cli.time_left

-- Seconds: before that the first ones, which no limit holds up, would make it look short.
local ELAPSED_MIN = 15

--- Writes the estimate.
-- @tparam integer done how many since the command started
-- @tparam integer left how many are to come
-- @tparam number seconds since it started
-- @treturn ?string such as `about 12 min left`; nil if it is too early to say
return function(done, left, seconds)
  if done < 1 or left < 1 or seconds < ELAPSED_MIN then
    return nil
  end
  local rest = seconds / done * left
  if rest < 90 then
    return ("about %d s left"):format(math.max(10, math.ceil(rest / 10) * 10))
  elseif rest < 90 * 60 then
    return ("about %d min left"):format(math.ceil(rest / 60))
  end
  return ("about %.1f h left"):format(rest / 3600)
end
