--- Generates the earnings of a worker, day by day, in pages.
-- @module palenca.sandbox.data.earnings
local constants = require("palenca.sandbox.data.vendor_constants")
local date = require("palenca.util.date")
local history_patterns = require("palenca.sandbox.data.history_patterns")
local random = require("palenca.sandbox.data.random")
local render = require("palenca.sandbox.data.render")

local row_shape = render.shape {
  "amount", "currency", "earning_date", "cash_amount", "count_trips",
}

-- How busy each day is, Monday to Sunday: the weekend is when people ride and order.
local week = { 0.85, 0.9, 0.95, 1.0, 1.15, 1.35, 1.2 }

local earnings = {}
earnings.__index = earnings

--- Wraps rows, newest first.
-- @tparam table rows each `amount`, `currency`, `earning_date`, `cash_amount`, `count_trips`
-- @treturn earnings the rows, searchable by date; `count` says how many they are
function earnings.new(rows)
  local days = {}
  for at, row in ipairs(rows) do
    days[at] = date.parse(row.earning_date)
  end
  return setmetatable({ count = #rows, days = days, made = rows, texts = {} }, earnings)
end

--- One row.
-- @tparam integer at its position, the newest one's is 1
-- @treturn table the row
function earnings:row(at)
  local row = self.made[at]
  if not row then
    row = self.make(self.days[at])
    self.made[at] = row
  end
  return row
end

--- All rows, newest first.
-- @treturn table a list of its own
function earnings:rows()
  local list = {}
  for at = 1, self.count do
    list[at] = self:row(at)
  end
  return list
end

-- Money read from a file may have lost its point: 179.0 is 179 there.
local function row_text(row)
  return row_shape({
    amount = row.amount and row.amount + 0.0,
    currency = row.currency,
    earning_date = row.earning_date,
    cash_amount = row.cash_amount and row.cash_amount + 0.0,
    count_trips = row.count_trips,
  }).text
end

-- Money is made in hundredths, so that an amount has two decimals and no third one hidden.
local function round(hundredths, step)
  return math.max(step, math.floor(hundredths / step + 0.5) * step)
end

-- From 1 - spread to 1 + spread.
local function vary(stream, spread)
  return 1 - spread + stream:real() * 2 * spread
end

local function make_row(stream, habits, day, factor)
  local trips = habits.trips * week[date.weekday(day)] * vary(stream, habits.spread.trips)
  trips = math.max(1, math.floor(trips * factor + 0.5))
  local fare = habits.country.fare * vary(stream, habits.spread.fare)
  local amount = round(trips * fare * 100, habits.country.step)
  local cash
  if habits.cash_share then
    local share = habits.cash_share * (0.5 + stream:real())
    cash = math.floor(amount * math.min(share, 1) / habits.country.step) * habits.country.step
  end
  return {
    amount = amount / 100,
    currency = habits.country.currency,
    earning_date = date.text(day),
    cash_amount = cash and cash / 100,
    count_trips = trips,
  }
end

-- So little that four weeks are never a fifth below the four before by chance alone: a steady
-- worker is steady in the eyes of a lender.
local spread = { trips = 0.1, fare = 0.06 }

local function make_habits(stream, platform, country)
  local first_rest = stream:between(1, 4)
  return {
    country = constants.countries[country],
    trips = stream:between(9, 14),
    spread = spread,
    cash_share = constants.takes_cash[platform] and 0.2 + stream:real() * 0.4 or nil,
    rest = { [first_rest] = true, [stream:between(1, 4)] = true },
  }
end

-- Besides the rest days, a worker is away for some days once in eight weeks, early in a week.
local AWAY_EVERY, AWAY_DAYS = 56, 2
-- 1970-01-05, the first Monday.
local MONDAY = 4

-- The same for every login of an account: a later one must find the days before as they were.
local function first_away(stream)
  return MONDAY + 7 * stream:between(0, AWAY_EVERY // 7 - 1) + stream:between(0, 2)
end

-- The days with a row, newest first; those of a pattern with copies several times.
local function worked_days(away_from, habits, pattern, today, history)
  local days = {}
  for day = today - 1, today - history, -1 do
    local is_away = (day - away_from) % AWAY_EVERY < AWAY_DAYS
    if not is_away and not habits.rest[date.weekday(day)] and pattern.works(day) then
      for _ = 1, pattern.copies do
        days[#days + 1] = day
      end
    end
  end
  return days
end

--- The length of a history.
-- @tparam string platform a platform code
-- @param history a number of days; "typical" or nil: as many as are usual on that platform
-- @treturn integer the number of days
function earnings.days(platform, history)
  if math.type(history) == "integer" then
    return history
  end
  return constants.history_days[platform] or constants.default_history_days
end

--- Generates the earnings of an account: a weekly rhythm with rest days, now and then some days
-- without work, and what the account's pattern makes of it. Equal arguments have equal rows, and a
-- later login has equal rows for the days that both cover.
-- @tparam table account `account_id`, which chance is drawn from, `platform`, `country`, `pattern`
-- (nil: the default one), `created` (Unix time of its first login)
-- @tparam integer today the day of the login, which has no row yet: it is not over
-- @tparam integer history how many days before it may have a row
-- @treturn earnings the rows
function earnings.generate(account, today, history)
  local id = account.account_id
  local habits = make_habits(random.new(id, "habits"), account.platform, account.country)
  local pattern = history_patterns.of(account.pattern, {
    account_id = id, first = date.day_of(account.created), history = history,
  })
  local stream = random.new(id, "days")
  local days = worked_days(first_away(random.new(id, "away")), habits, pattern, today, history)
  -- a page shows few of them, so that each is made when it is asked for
  return setmetatable({
    count = #days,
    days = days,
    made = {},
    texts = {},
    make = function(day)
      local row = make_row(stream:fork(day), habits, day, pattern.factor(day))
      if pattern.is_unknown(day) then
        row.amount, row.cash_amount = nil, nil
      end
      return row
    end,
  }, earnings)
end

-- The tutorial shows these three rows.
local tutorial_start = {
  { amount = 179.0, count_trips = 6 },
  { amount = 246.0, count_trips = 9 },
  { amount = 53.0, count_trips = 6 },
}

--- The earnings of the vendor's tutorial account: every day from 2024-09-01 to 2025-03-14.
-- @treturn earnings the rows, the same for every seed
function earnings.tutorial()
  local stream = random.new("tutorial", "earnings")
  local habits = {
    country = constants.countries.mx, trips = 8, spread = { trips = 0.25, fare = 0.15 },
  }
  local rows = {}
  for day = date.parse("2025-03-14"), date.parse("2024-09-01"), -1 do
    local row = make_row(stream, habits, day, 1)
    local known = tutorial_start[#rows + 1]
    if known then
      row.amount, row.count_trips = known.amount, known.count_trips
    end
    rows[#rows + 1] = row
  end
  return earnings.new(rows)
end

-- The number of days at the front that are later than a given one.
local function count_later(days, limit)
  local low, high = 0, #days
  while low < high do
    local middle = (low + high + 1) // 2
    if days[middle] > limit then
      low = middle
    else
      high = middle - 1
    end
  end
  return low
end

--- Where the rows between two dates are, both dates included.
-- @tparam string start_date the earlier date
-- @tparam string end_date the later date
-- @treturn integer how many rows come before them
-- @treturn integer how many they are
function earnings:between(start_date, end_date)
  local before = count_later(self.days, date.parse(end_date))
  return before, count_later(self.days, date.parse(start_date) - 1) - before
end

--- The JSON of some rows, without the brackets around them.
-- @tparam integer first the position of the first row
-- @tparam integer last the position of the last row
-- @treturn string the rows, separated by commas
function earnings:json(first, last)
  -- Rows never change, so each is rendered once and a page only joins them.
  for index = first, last do
    self.texts[index] = self.texts[index] or row_text(self:row(index))
  end
  return table.concat(self.texts, ",", first, last)
end

return earnings
