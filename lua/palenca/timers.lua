--- Registers the functions that a script runs at an interval.
-- @module palenca.timers
local argcheck = require("palenca.util.argcheck")
local number_text = require("palenca.util.number_text")

local timers = {}

local INTERVAL_MIN, INTERVAL_MAX = 0.1, 366 * 86400

local option_types = { name = "string", timeout = "seconds" }

-- Whether a program runs the timers.
local is_served = false

local list, by_name = {}, {}

--- Lets scripts register timers; for the program.
function timers.serve()
  is_served = true
end

--- Sets aside what is registered, for a test that registers its own.
-- @tparam[opt] table others what to have instead, as this function has returned it; default: none,
-- and that scripts may register timers
-- @treturn table what was registered
function timers.exchange(others)
  local before = { is_served = is_served, list = list, by_name = by_name }
  others = others or { is_served = true, list = {}, by_name = {} }
  is_served, list, by_name = others.is_served, others.list, others.by_name
  return before
end

-- The default name of a timer is its interval and its number among those with the same interval: so
-- it is recognized when other parts of the script change.
local function default_name(interval)
  local name = number_text.format("every %.10g s", interval)
  local count, found = 1, name
  while by_name[found] do
    count = count + 1
    found = string.format("%s (%d)", name, count)
  end
  return found
end

local function check_interval(interval)
  argcheck.dot("palenca.every", interval, 3)
  if type(interval) ~= "number" or not (interval >= INTERVAL_MIN and interval <= INTERVAL_MAX) then
    error(number_text.format("palenca.every: interval must be a number of seconds from %g to %d "
      .. "(366 days), got %s", INTERVAL_MIN, INTERVAL_MAX, argcheck.shown(interval)), 3)
  end
end

--- Runs a function at an interval, in `palenca serve` and `palenca dev`; anywhere else this raises
-- an error.
--
-- One of the program's workers calls the function each time, never two at once. The first time is
-- one interval after the script was served with this timer for the first time, and the next ones
-- an interval after the start of the last one; a restart of the program or a reload does not change
-- that. If runs were due while the program did not run, one is made. A failure is logged, and the
-- next time is an interval later; the same after a kill.
--
-- A timer is identified by its name. A new interval counts from its last time. A timer that is no
-- longer in the script is removed.
-- @tparam number interval seconds, from 0.1 to 366 days
-- @tparam[opt] table options an unknown one is an error
-- @tparam string options.name default: `every 60 s`, with a number if there are several; set a
-- name if a later change of the interval must not restart it
-- @tparam number options.timeout seconds that it may take, its waits included; default: as for
-- handlers
-- @tparam function body called without arguments
function timers.every(interval, options, body)
  if body == nil and type(options) ~= "table" then
    options, body = nil, options
  end
  check_interval(interval)
  options = argcheck.fields("palenca.every", options, option_types, 2)
  if type(body) ~= "function" then
    error("palenca.every: the function to call is missing, got " .. argcheck.shown(body), 2)
  end
  local name = options.name or default_name(interval)
  if name:find("%c") then
    error("palenca.every: name must have no control characters", 2)
  elseif by_name[name] then
    error(string.format("palenca.every: there is another timer with the name '%s'", name), 2)
  elseif not is_served then
    error("palenca.every: timers run in 'palenca serve' and 'palenca dev' only", 2)
  end
  local timer = {
    name = name,
    interval = interval,
    timeout = options.timeout,
    body = body,
  }
  list[#list + 1], by_name[name] = timer, timer
end

--- The registered timers.
-- @treturn {table,...} each with `name`, `interval`, `timeout` and `body`, in the order of
-- registration
function timers.list()
  return list
end

--- The timer of a name.
-- @tparam string name
-- @treturn ?table as in @{list}
function timers.find(name)
  return by_name[name]
end

--- The registered timers, for the log.
-- @treturn {string,...} such as "every 60 s", or "cleanup (every 60 s)"
function timers.descriptions()
  local texts = {}
  for i, timer in ipairs(list) do
    local text = number_text.format("every %.10g s", timer.interval)
    local is_named = timer.name:find(text, 1, true) ~= 1
    texts[i] = is_named and timer.name .. " (" .. text .. ")" or timer.name
  end
  return texts
end

return timers
