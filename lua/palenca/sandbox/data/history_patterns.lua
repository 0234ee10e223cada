--- How a worker's history runs, so that it leads to one outcome of a decision: steadily, downward,
-- with an end, with faults in the data.
-- @module palenca.sandbox.data.history_patterns
--
-- A pattern counts from the day on which the account was first connected, not from its last login:
-- a worker who was new then has a longer history later, and the days of before stay as they were.
local random = require("palenca.sandbox.data.random")

local history_patterns = {}

-- Full weeks are counted from a Monday; 1970-01-01 was a Thursday.
local function week_of(day)
  return (day + 3) // 7
end

local DECLINE_DAYS, DECLINE_TO, DECLINE_MIN = 84, 0.25, 0.05

-- Weeks with work and without it, two of each in four: over twelve weeks there are never more than
-- eight with work, however they lie.
local function is_working_week(week, weeks)
  local stream = weeks:fork(week // 4)
  local first = stream:between(0, 3)
  local second = (first + stream:between(1, 3)) % 4
  return week % 4 == first or week % 4 == second
end

local YEAR, HEIGHT_AGO, SWING = 365, 28, 0.45

-- What a pattern does. `works(ago, given, day)`: whether the worker may have worked on a day, `ago`
-- of them before the account was connected; `factor(ago, given, day)`: how much of the usual;
-- `is_unknown(ago)`: whether the amount is null; `copies`: how often each row comes; `chance`: the
-- names of the streams of chance that it draws from, which are in `given`.
local kinds = {
  steady = {},
  declining = {
    factor = function(ago)
      local part = DECLINE_TO + (1 - DECLINE_TO) * ago / DECLINE_DAYS
      return math.max(DECLINE_MIN, math.min(1, part))
    end,
  },
  seasonal = {
    factor = function(ago)
      local away = (ago - HEIGHT_AGO) % YEAR
      return 1 + SWING * (1 - 4 * math.min(away, YEAR - away) / YEAR)
    end,
  },
  stopped = {
    works = function(ago, given)
      return ago > math.min(120, given.history // 2)
    end,
  },
  irregular = {
    chance = { "weeks", "days", "amounts" },
    works = function(_, given, day)
      return is_working_week(week_of(day), given.weeks) and given.days:fork(day):chance(0.6)
    end,
    factor = function(_, given, day)
      return 0.3 + 1.7 * given.amounts:fork(day):real()
    end,
  },
  new = {
    works = function(ago)
      return ago <= 20
    end,
  },
  duplicate_rows = { copies = 2 },
  nulls = {
    is_unknown = function(ago)
      return ago > 7 and ago <= 49
    end,
  },
}

--- The pattern of those who name none.
history_patterns.default = "steady"

--- The names of all patterns, as keys.
history_patterns.names = {}
for name in pairs(kinds) do
  history_patterns.names[name] = true
end

--- The pattern of one account's history.
-- @tparam ?string name one of @{history_patterns.names}; nil: the default one
-- @tparam table given `account_id`, which chance is drawn from; `first`: the day on which the
-- account was first connected; `history`: how many days before a login may have rows
-- @treturn table `works(day)`, `factor(day)`, `is_unknown(day)`, `copies`
function history_patterns.of(name, given)
  local kind = kinds[name or history_patterns.default]
  local drawn = { first = given.first, history = given.history }
  for _, purpose in ipairs(kind.chance or {}) do
    drawn[purpose] = random.new(given.account_id, "pattern", purpose)
  end
  local function bind(part, default)
    return function(day)
      if not part then
        return default
      end
      return part(drawn.first - day, drawn, day)
    end
  end
  return {
    works = bind(kind.works, true),
    factor = bind(kind.factor, 1),
    is_unknown = bind(kind.is_unknown, false),
    copies = kind.copies or 1,
  }
end

return history_patterns
