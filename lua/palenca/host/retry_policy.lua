--- Decides when an event whose handler has failed is tried again, and writes its error.
-- @module palenca.host.retry_policy
local redact = require("palenca.util.redact")

local retry_policy = {}

local LONGEST_WAIT = 3600
-- Maximum seconds of a wait, whatever Retry-After a server sends.
local LONGEST_WISH = 86400
-- Maximum bytes of an error's text: it is written in the transaction that new events wait for.
local TEXT_MAX = 4000

-- An error of a script may be an object whose fields raise as well.
local function wish(problem)
  return problem.repeat_after or problem.retry_after
end

local function requested_wait(problem)
  if type(problem) ~= "table" then
    return 0
  end
  local ok, seconds = pcall(wish, problem)
  if not ok or type(seconds) ~= "number" or seconds ~= seconds or seconds <= 0 then
    return 0
  end
  return math.min(seconds, LONGEST_WISH)
end

--- The wait before the next attempt: the first one, four times as long, … with a quarter of jitter,
-- so that events that failed together are not retried together; at least the error's `retry_after`.
-- @tparam number attempt the number of attempts so far
-- @param problem what was raised, as @{plain} has it
-- @tparam number first the wait after the first one, in seconds
-- @treturn number seconds
function retry_policy.wait(attempt, problem, first)
  local grown = math.min(first * 4 ^ (attempt - 1), math.max(first, LONGEST_WAIT))
  return math.max(grown * (0.875 + 0.25 * math.random()),
    requested_wait(problem) * (1 + 0.1 * math.random()))
end

--- The text of an error as it may be stored: bounded, without identity numbers.
-- @param problem what was raised, or what @{plain} made of it
-- @treturn string
function retry_policy.describe(problem)
  return type(problem) == "table" and rawget(problem, "text") or redact.problem(problem, TEXT_MAX)
end

--- Extracts from an error what is needed later. The methods of an error object are code of the
-- script, which may not return: this must run within the script's limits.
-- @param problem what was raised
-- @treturn string|table the same text; of anything else a table without methods, with its `text`
-- and with `retry_after`, the minimum wait in seconds
function retry_policy.plain(problem)
  if type(problem) == "string" then
    return problem
  end
  return { text = redact.problem(problem, TEXT_MAX), retry_after = requested_wait(problem) }
end

return retry_policy
