--- What becomes of an event whose handler has failed: the words for it, and when it comes again.
-- @module palenca.host.retry_policy
local redact = require("palenca.util.redact")

local retry_policy = {}

local FIRST_WAIT = 5
local LONGEST_WAIT = 3600
-- However long a server wants to be left alone.
local LONGEST_WISH = 86400
-- Written with every event that is stored, so that a long one would delay their answers.
local TEXT_MAX = 4000

-- What a script raises may be an object of its own, whose fields may raise as well.
local function wish(problem)
  return problem.repeat_after or problem.retry_after
end

local function wished_wait(problem)
  if type(problem) ~= "table" then
    return 0
  end
  local ok, seconds = pcall(wish, problem)
  if not ok or type(seconds) ~= "number" or seconds ~= seconds or seconds <= 0 then
    return 0
  end
  return math.min(seconds, LONGEST_WISH)
end

--- How long to wait before the next attempt: 5 s, 20 s, 80 s, … with a quarter of jitter, so that
-- what failed together does not come back together; and as long as the error asks for.
-- @tparam number attempt how many there were
-- @param problem what was raised, as @{plain} has it
-- @tparam ?number first the wait after the first one, in seconds; default 5
-- @treturn number seconds
function retry_policy.wait(attempt, problem, first)
  first = first or FIRST_WAIT
  local grown = math.min(first * 4 ^ (attempt - 1), math.max(first, LONGEST_WAIT))
  return math.max(grown * (0.875 + 0.25 * math.random()),
    wished_wait(problem) * (1 + 0.1 * math.random()))
end

--- Puts what was raised into words that may be stored: bounded, without identity numbers.
-- @param problem what was raised, or what @{plain} made of it
-- @treturn string
function retry_policy.describe(problem)
  return type(problem) == "table" and problem.text or redact.problem(problem, TEXT_MAX)
end

--- Takes out of what was raised all that is needed of it. An object's methods are code of the
-- script's, which may not come back: this is for where such code runs within its limits.
-- @param problem what was raised
-- @treturn string|table the same text; of anything else a table without methods, with its `text`
-- and with `retry_after`, the seconds to wait at least
function retry_policy.plain(problem)
  if type(problem) == "string" then
    return problem
  end
  return { text = redact.problem(problem, TEXT_MAX), retry_after = wished_wait(problem) }
end

return retry_policy
