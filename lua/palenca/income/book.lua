--- Adds up the rows of one currency, in all and by month, and draws the lender's figures.
-- @module palenca.income.book
local money = require("palenca.income.money")
local months = require("palenca.income.months")

local Book = {}
Book.__index = Book

local book = {}

local function new_sums()
  return { total_minor = 0, days = 0, days_without_amount = 0 }
end

--- An empty book.
-- @tparam ?string currency lower case; nil for rows that name none
-- @treturn table with `sums`, which is added to until `close` makes it the currency's result
function book.new(currency)
  local sums = new_sums()
  sums.currency = currency
  sums.rows, sums.repeated_days, sums.rounded_rows = 0, 0, 0
  return setmetatable({
    sums = sums,
    months = {},
    seen = { amount = {}, nothing = {} },
  }, Book)
end

local function add_to(sums, row, is_new_day)
  sums.total_minor = money.add(sums.total_minor, row.amount)
  sums.cash_minor = money.add(sums.cash_minor, row.cash)
  sums.trips = money.add(sums.trips, row.trips)
  if is_new_day then
    local days = row.amount and "days" or "days_without_amount"
    sums[days] = sums[days] + 1
  end
end

--- Adds a row.
-- @tparam table row one of the results of `palenca.income.input.rows`
function Book:add(row)
  local sums, date = self.sums, row.date
  local seen = row.amount and self.seen.amount or self.seen.nothing
  local is_new_day = not seen[date.text]
  seen[date.text] = true
  self.months[date.month] = self.months[date.month] or new_sums()
  add_to(self.months[date.month], row, is_new_day)
  add_to(sums, row, is_new_day)
  sums.rows = sums.rows + 1
  sums.repeated_days = sums.repeated_days + (is_new_day and 0 or 1)
  sums.rounded_rows = sums.rounded_rows + (row.rounded and 1 or 0)
  self.first, self.last = months.extend(self.first, self.last, date)
end

local function write_amounts(sums, currency)
  sums.total = money.format(sums.total_minor, currency)
  sums.cash = sums.cash_minor and money.format(sums.cash_minor, currency)
end

local function list_months(self, period, settings)
  local list, first = {}, self.first
  if not first then
    return list
  end
  local last = settings.until_end_date and period.last or self.last
  for number = first.month, last.month do
    local month = self.months[number] or new_sums()
    -- Nothing is known of a month whose every row lacks the amount: it is not a month of zero.
    local known = month.days > 0 or month.days_without_amount == 0
    month.month = months.name(number)
    month.active = month.total_minor > 0
    month.partial = months.is_partial(number, period)
    month.counted = known and not (month.partial and settings.full_months_only)
    write_amounts(month, self.sums.currency)
    list[#list + 1] = month
  end
  return list
end

local function add_figures(result)
  local sum, count, active, lowest = 0, 0, 0, nil
  for _, month in ipairs(result.months) do
    if month.counted then
      sum, count = money.add(sum, month.total_minor), count + 1
      active = active + (month.active and 1 or 0)
      if not lowest or month.total_minor < lowest.total_minor then
        lowest = month
      end
    end
  end
  result.counted_months, result.active_months, result.lowest_month = count, active, lowest
  if count > 0 then
    result.average_month_minor = math.floor(sum / count)
    result.average_month = money.format(result.average_month_minor, result.currency)
  end
  if sum > 0 then
    -- Against the exact average, sum / count, not the rounded one.
    result.consistency = money.percent(math.max(lowest.total_minor, 0) * count, sum)
  end
end

local function add_verdict(result, settings)
  result.verifiable = settings.complete ~= false
    and result.active_months >= settings.min_active_months
    and result.consistency ~= nil
    and result.consistency >= settings.min_consistency
  local average = math.max(result.average_month_minor or 0, 0)
  result.max_installment_minor = money.share(average, settings.installment_percent)
  result.max_installment = money.format(result.max_installment_minor, result.currency)
end

--- Makes the sums the currency's result; nothing can be added afterwards.
-- @tparam table period with the dates `first` and `last`
-- @tparam table settings a result of `palenca.income.input.options`
-- @treturn table the result that `palenca.income.summarize` describes
function Book:close(period, settings)
  local result = self.sums
  write_amounts(result, result.currency)
  result.first_date = self.first and self.first.text
  result.last_date = self.last and self.last.text
  result.months = list_months(self, period, settings)
  if result.cash_minor and result.total_minor > 0 then
    result.cash_share = money.percent(math.max(result.cash_minor, 0), result.total_minor)
  end
  add_figures(result)
  add_verdict(result, settings)
  return result
end

return book
