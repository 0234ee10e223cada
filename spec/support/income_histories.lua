--- Histories of earnings for the specs and the bench of the income module: written ones, steady
-- ones of many kinds of workers, and random ones that are the same on every Lua.
local date = require("palenca.util.date")
local income = require("palenca.income")

local histories = {}

--- The rows of some days: one for each on which `amount_of` has an amount, oldest first.
-- @tparam string first YYYY-MM-DD
-- @tparam number count of days
-- @param amount_of an amount, or a function of the day's number (from 0) and its weekday (Monday
-- is 0) that returns one, nil for no row, or false for a row without an amount
-- @tparam ?string currency
function histories.rows(first, count, amount_of, currency)
  local rows, start = {}, date.parse(first)
  for number = 0, count - 1 do
    local amount = amount_of
    if type(amount_of) == "function" then
      amount = amount_of(number, date.weekday(start + number) - 1)
    end
    if amount ~= nil then
      rows[#rows + 1] = {
        earning_date = date.text(start + number),
        amount = amount or nil,
        currency = currency or "mxn",
      }
    end
  end
  return rows
end

--- Some days before a date, or after it.
function histories.shift(text, days)
  return date.text(date.parse(text) + days)
end

--- The report of a pager that has read them all.
function histories.report(rows)
  return { complete = true, rows = #rows }
end

--- What income.analyze finds in rows that have all been read.
-- @tparam table rows
-- @tparam string as_of YYYY-MM-DD
-- @tparam ?table options others of income.analyze
function histories.analyze(rows, as_of, options)
  local all = { as_of = as_of, report = histories.report(rows) }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return income.analyze(rows, all)
end

--- A row of a day.
-- @tparam string day YYYY-MM-DD
-- @param amount
-- @tparam ?table more fields
function histories.row(day, amount, more)
  local new = { earning_date = day, amount = amount, currency = "mxn" }
  for name, value in pairs(more or {}) do
    new[name] = value
  end
  return new
end

--- Asserts the named figures only.
function histories.assert_figures(expected, figures)
  local same = require("luassert").same -- which the bench does without
  for name, value in pairs(expected) do
    same(value, figures[name], name)
  end
end

--- What a call raises.
function histories.problem_of(...)
  local ok, message = pcall(...)
  assert(not ok, "nothing was raised")
  return message
end

-- What is earned on each weekday, Monday first.
local WEEKS = {
  { "daily", { 500, 500, 500, 500, 500, 500, 500 } },
  { "daily, more at the weekend", { 380.25, 401.1, 390, 420.75, 610.5, 890.05, 720.3 } },
  { "six days, rows of 0 on Sundays", { 450, 450, 450, 450, 500, 650, 0 } },
  { "Monday to Friday", { 700, 700, 700, 700, 700 } },
  { "Saturdays and Sundays", { [6] = 1200, [7] = 1100 } },
  { "three days a week", { [1] = 900, [3] = 950.5, [5] = 1100 } },
  { "two days far apart", { [2] = 1500, [6] = 1500 } },
  { "one payment a week", { [5] = 3500 } },
  { "payments with an adjustment the next day", { [1] = 4000, [2] = -120.35 } },
  { "a day without amount each week", { 500, 500, false, 500, 500, 500, 500 } },
}

-- As many days as the platforms return, and more.
local LENGTHS = { 50, 60, 90, 180 }

--- Forty kinds of steady workers: each week is like the others.
function histories.steady_kinds()
  local kinds = {}
  for _, week in ipairs(WEEKS) do
    for _, length in ipairs(LENGTHS) do
      kinds[#kinds + 1] = {
        name = week[1],
        days = length,
        amount_of = function(_, weekday)
          return week[2][weekday + 1]
        end,
      }
    end
  end
  return kinds
end

--- Workers whose weeks are not like each other: for these the day may make a difference.
function histories.unsteady_kinds()
  local random = histories.random(11)
  local noise = {}
  for number = 0, 999 do
    noise[number] = random(7) < 5 and 20000 + random(60000) or nil
  end
  local kinds = {
    { "one payment a month", function(number) return number % 30 == 0 and 15000 or nil end },
    { "one payment in two weeks", function(number) return number % 14 == 0 and 7000 or nil end },
    { "any days, any amounts", function(number)
      return noise[number] and noise[number] / 100
    end },
    { "1 % less each day", function(number) return 50000 * 0.99 ^ number end },
    { "stopped half a year ago", function(number) return number < 180 and 500 or nil end },
  }
  for at, kind in ipairs(kinds) do
    kinds[at] = { name = kind[1], days = 90, amount_of = kind[2] }
  end
  return kinds
end

--- Visits a kind's history as it is seen on each of some dates: the last days up to that date.
-- @tparam table kind
-- @tparam string first date
-- @tparam number count of dates
-- @tparam function visit gets the rows and the date
function histories.each_date(kind, first, count, visit)
  local start = histories.shift(first, 1 - kind.days)
  local all = histories.rows(start, kind.days + count - 1, kind.amount_of)
  local from, to = 1, 0
  for offset = 0, count - 1 do
    local earliest, latest = histories.shift(start, offset), histories.shift(first, offset)
    while all[to + 1] and date.parse(all[to + 1].earning_date) <= date.parse(latest) do
      to = to + 1
    end
    while all[from] and date.parse(all[from].earning_date) < date.parse(earliest) do
      from = from + 1
    end
    local rows = {}
    for at = to, from, -1 do
      rows[#rows + 1] = all[at]
    end
    visit(rows, latest)
  end
end

--- Numbers from 0 to `limit` - 1 that are the same on every Lua.
function histories.random(seed)
  return function(limit)
    seed = seed * 16807 % 2147483647
    return seed % limit
  end
end

local AMOUNTS = {
  function(random) return (random(300000) - 20000) / 100 end,
  function(random) return (random(300000) - 20000) / 100 end,
  function(random) return random(900) end,
  function(random) return ("%d.%03d"):format(random(900), random(1000)) end,
  function(random) return ("-%d.5"):format(random(90)) end,
  function(random) return random(1000) / 10 + random(1000) / 1000 end,
  function(random) return random(100000) / 3 end,
  function() return nil end,
}

local function random_row(random, given, style)
  local row = { earning_date = given, currency = "mxn", count_trips = random(20) }
  row.amount = AMOUNTS[random(style) + 1](random)
  if random(4) == 0 then
    row.cash_amount = random(20000) / 100
  end
  if random(40) == 0 then
    row.currency = ({ " MXN", "Mxn ", "usd", "", "pesos" })[random(5) + 1]
  end
  return row
end

local function copy(row)
  local new = {}
  for name, value in pairs(row) do
    new[name] = value
  end
  return new
end

--- A random stream with its options: gaps, nulls, duplicates, conflicts, odd currencies, long
-- decimals.
-- @tparam number seed from 1
-- @treturn table rows
-- @treturn table options
function histories.random_history(seed)
  local random = histories.random(seed * 7919 + 1)
  for _ = 1, 5 do
    random(2)
  end
  local rows, days = {}, 20 + random(150)
  local style, density = ({ 1, 3, 8, 8 })[random(4) + 1], 1 + random(6)
  local is_odd = random(3) == 0
  for number = 0, days do
    if random(7) < density then
      local row = random_row(random, histories.shift("2026-01-01", number), style)
      row.currency = is_odd and row.currency or "mxn"
      rows[#rows + 1] = row
      if is_odd and random(30) == 0 then
        rows[#rows + 1] = copy(row)
        rows[#rows].amount = random(2) == 0 and row.amount or 7
      end
    end
  end
  local options = { as_of = histories.shift("2026-01-01", days + random(12) - 1) }
  if random(5) > 0 then
    options.report = { complete = random(9) > 0, rows = #rows }
  end
  if random(4) == 0 then
    options.start_date = histories.shift("2026-01-01", random(days))
  end
  return rows, options
end

return histories
