--- Enters rows into sums by day and currency, in one pass over them.
--
-- A day is an index here: 1 is the last day, 2 the one before, so that the API's order, newest
-- first, fills arrays from their beginning.
-- @module palenca.income.ledger
local api_amount = require("palenca.income.api_amount")
local date = require("palenca.util.date")
local exact = require("palenca.income.exact")
local fail = require("palenca.income.fail")
local money = require("palenca.income.money")

local floor = math.floor
local parse_day, read_amount = date.parse_in_century, api_amount.read

local ledger = {}

local LIMIT = 999999999999999 -- minor units that a sum may have: fifteen digits

-- What rows of one currency sum up to. `extras` are the decimals beyond the currency's: rare, and
-- kept as text until all are known. `size` is the sum without signs, which bounds every other;
-- `cash_size` that of the cash.
local function new_series(currency)
  return {
    currency = currency,
    decimals = money.decimals(currency),
    sums = {},
    extras = {},
    limbs = 0,
    size = 0,
    cash_size = 0,
    cash = 0,
    cash_rows = 0,
    cash_of = 0,
    adjustments = 0,
    adjustments_total = 0,
  }
end

-- Trimmed and lower case. Only the letters of ASCII: what else is one the locale says.
local function normalized_currency(text)
  text = text:match("^[ \t\r\n\v\f]*(.-)[ \t\r\n\v\f]*$"):gsub("[A-Z]", function(letter)
    return string.char(letter:byte() + 32)
  end)
  return text
end

-- Nil if it is not three letters.
local function clean_currency(text)
  return type(text) == "string" and normalized_currency(text):match("^[a-z][a-z][a-z]$") or nil
end

local function is_same_value(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for name, value in pairs(a) do
    if not is_same_value(value, b[name]) then
      return false
    end
  end
  for name in pairs(b) do
    if a[name] == nil then
      return false
    end
  end
  return true
end

local function comparable_currency(text)
  if type(text) ~= "string" then
    return text
  end
  text = normalized_currency(text)
  return text ~= "" and text or nil
end

local COMPARE = {
  amount = api_amount.is_same,
  cash_amount = api_amount.is_same,
  currency = function(a, b)
    return comparable_currency(a) == comparable_currency(b)
  end,
}

local function is_same_row(a, b)
  for name, value in pairs(a) do
    if not (COMPARE[name] or is_same_value)(value, b[name]) then
      return false
    end
  end
  for name, value in pairs(b) do
    if a[name] == nil and not (COMPARE[name] or is_same_value)(nil, value) then
      return false
    end
  end
  return true
end

-- Keeps an account's rows by day, from the first on: now that two of a day have met, or a second
-- currency. Until then a day's sum is enough to know that it has a row.
local function keep_rows(book, account, at)
  account.seen = {}
  for part, given in ipairs(account.parts) do
    for earlier = 1, part == #account.parts and at - 1 or #given.rows do
      local row = given.rows[earlier]
      local index = book.last + 1 - parse_day(row.earning_date)
      account.seen[index] = account.seen[index] or { row }
    end
  end
end

-- Whether a row is new to its account and day; one that is not is counted.
local function is_new(book, seen, row, index)
  local list = seen[index]
  if not list then
    seen[index] = { row }
    return true
  end
  for at = 1, #list do
    if is_same_row(list[at], row) then
      book.identical_rows = book.identical_rows + 1
      return false
    end
  end
  list[#list + 1] = row
  book.is_conflicting = true
  return true
end

local function series_for(book, account, raw, at)
  local key = type(raw) == "string" and raw or ""
  local series = account.by_raw[key]
  if not series then
    local currency = clean_currency(raw)
    series = account.by_currency[currency or ""]
    if not series then
      if next(account.by_currency) and not account.seen then
        keep_rows(book, account, at)
      end
      series = new_series(currency)
      account.by_currency[currency or ""] = series
    end
    account.by_raw[key] = series
  end
  return series
end

local function keep_extra(series, key, text, negative)
  local extras = series.extras
  extras[#extras + 1] = { key, text, negative }
  series.limbs = math.max(series.limbs, math.ceil(#text / exact.LIMB_DIGITS))
end

-- The size of an amount in whole minor units, rounded up.
local function size_of(minor, extra)
  return (minor < 0 and -minor or minor) + (extra and 1 or 0)
end

local function fail_amount(place, index, row, field, expected)
  fail.value(("%s[%d].%s"):format(place, index, field), expected, row[field])
end

local function enter_adjustment(series, minor, extra)
  series.adjustments = series.adjustments + 1
  series.adjustments_total = series.adjustments_total + minor
  if extra then
    keep_extra(series, "adjustments_total", extra, true)
  end
end

local function enter_cash(series, minor, extra, negative, cash, cash_extra, cash_negative)
  series.cash_rows = series.cash_rows + 1
  series.cash, series.cash_of = series.cash + cash, series.cash_of + minor
  series.cash_size = series.cash_size + size_of(cash, cash_extra)
  if extra then
    keep_extra(series, "cash_of", extra, negative)
  end
  if cash_extra then
    keep_extra(series, "cash", cash_extra, cash_negative)
  end
end

local function enter(series, index, minor, extra, negative)
  local sums = series.sums
  sums[index] = (sums[index] or 0) + minor
  series.size = series.size + size_of(minor, extra)
  if extra then
    keep_extra(series, index, extra, negative)
  end
  if minor < 0 or negative and extra then
    enter_adjustment(series, minor, extra)
  end
end

-- A row's amounts are looked at even if the row enters nothing: what cannot be read is a mistake
-- wherever it stands.
local function enter_row(book, account, series, row, at, index)
  local minor, extra, negative = row.amount, nil, nil
  if minor ~= nil then
    minor, extra, negative = read_amount(minor, series.decimals)
    if not minor then
      fail_amount(account.place, at, row, "amount", extra)
    end
  end
  local cash, cash_extra, cash_negative = row.cash_amount, nil, nil
  if cash ~= nil then
    cash, cash_extra, cash_negative = read_amount(cash, series.decimals)
    if not cash then
      fail_amount(account.place, at, row, "cash_amount", cash_extra)
    end
  end
  if index < 1 or index > book.limit then
    return
  end
  if not account.seen and (series.sums[index] or account.blank[index]) then
    keep_rows(book, account, at)
  end
  if account.seen and not is_new(book, account.seen, row, index) then
    return
  end
  book.rows = book.rows + 1
  if not minor then
    series.is_named, book.unknown[index] = true, true
    account.blank[index] = (account.blank[index] or 0) + 1
    return
  end
  enter(series, index, minor, extra, negative)
  if cash then
    enter_cash(series, minor, extra, negative, cash, cash_extra, cash_negative)
  end
end

local function check_row(place, at, row)
  if type(row) ~= "table" then
    fail.value(("%s[%d]"):format(place, at), "expected a row", row)
  end
  fail.value(("%s[%d].earning_date"):format(place, at), "expected " .. fail.DATE,
    row.earning_date)
end

-- What nearly all rows are: the first of its day, of the currency of the one before, with an amount
-- of whole minor units and no cash. Any other is for `enter_row`.
local function enter_account(book, account, given)
  local rows, place, limit, first_index = given.rows, given.place, book.limit, account.first_index
  local blank, end_number, entered = account.blank, book.last + 1, 0
  local raw, series, sums, scale
  account.place, account.parts[#account.parts + 1] = place, given
  for at = 1, #rows do
    local row = rows[at]
    local number = type(row) == "table" and parse_day(row.earning_date) or check_row(place, at, row)
    local index = end_number - number
    local currency, value = row.currency, row.amount
    if currency ~= raw or not series then
      raw, series = currency, series_for(book, account, currency, at)
      sums, scale = series.sums, 10.0 ^ series.decimals
    end
    local minor = type(value) == "number" and floor(value * scale + 0.5) or -1
    if minor >= 0 and minor <= LIMIT and minor / scale == value and index >= 1 and index <= limit
      and not sums[index] and not blank[index] and not account.seen and row.cash_amount == nil then
      sums[index] = minor
      series.size, entered = series.size + minor, entered + 1
    else
      enter_row(book, account, series, row, at, index)
    end
    if index > first_index then
      first_index = index
    elseif index < 1 then
      book.has_future = true
    end
  end
  account.first_index = first_index
  book.first_index = math.max(book.first_index, first_index)
  book.rows = book.rows + entered
end

-- Adds what one series has to another, of the same currency.
local function add_series(sum, series)
  for index, minor in pairs(series.sums) do
    sum.sums[index] = (sum.sums[index] or 0) + minor
  end
  for _, extra in ipairs(series.extras) do
    sum.extras[#sum.extras + 1] = extra
  end
  sum.limbs = math.max(sum.limbs, series.limbs)
  for _, name in ipairs({ "size", "cash_size", "cash", "cash_rows", "cash_of", "adjustments",
    "adjustments_total" }) do
    sum[name] = sum[name] + series[name]
  end
  sum.is_named = sum.is_named or series.is_named
end

-- Reads the decimals beyond the currency's, as numbers of the same scale.
local function close(series)
  if series.size > LIMIT or series.cash_size > LIMIT then
    error(("palenca.income: rows: the amounts in %s sum up to more than 15 digits of minor units")
      :format(series.currency or "no currency"), 0)
  end
  local width = series.limbs * exact.LIMB_DIGITS
  series.fractions = {}
  for _, extra in ipairs(series.extras) do
    local key, text, negative = extra[1], extra[2], extra[3]
    local value = exact.from_digits(text .. ("0"):rep(width - #text), negative)
    series.fractions[key] = exact.add(series.fractions[key] or 0, value)
  end
  return series
end

-- One series of each currency over some accounts. That of a single account is taken as it is.
local function combine(accounts)
  local combined, count = {}, {}
  for _, account in ipairs(accounts) do
    for currency, series in pairs(account.by_currency) do
      count[currency] = (count[currency] or 0) + 1
      if count[currency] == 1 then
        combined[currency] = series
      else
        if count[currency] == 2 then
          local first = combined[currency]
          combined[currency] = new_series(series.currency)
          add_series(combined[currency], first)
        end
        add_series(combined[currency], series)
      end
    end
  end
  for _, series in pairs(combined) do
    close(series)
  end
  return combined
end

local function by_platform(accounts)
  local platforms = {}
  for _, account in ipairs(accounts) do
    local platform = account.platform
    if platform then
      platforms[platform] = platforms[platform] or {}
      table.insert(platforms[platform], account)
    end
  end
  for platform, list in pairs(platforms) do
    platforms[platform] = combine(list)
  end
  return platforms
end

-- Rows of the same account are one account's, in however many parts they were given.
local function account_for(book, given)
  local id = given.account
  local account = id and book.by_id[id]
  if not account then
    account = { by_raw = {}, by_currency = {}, blank = {}, parts = {}, first_index = 0 }
    book.accounts[#book.accounts + 1] = account
    if id then
      book.by_id[id] = account
    end
  end
  if account.platform and given.platform and account.platform ~= given.platform then
    fail.value("accounts: the platform of account " .. fail.show(id),
      "expected " .. fail.show(account.platform) .. " as before", given.platform)
  end
  account.platform = account.platform or given.platform
  return account
end

local function has_amount(by_currency, index)
  for _, series in pairs(by_currency) do
    if series.sums[index] then
      return true
    end
  end
  return false
end

-- What each account's rows without an amount mean: `uncounted`, the number of those that count as
-- nothing, since their day is known by another row; `unknown`, by day, whether the account by
-- itself has no amount.
local function add_lacking(book)
  for _, account in ipairs(book.accounts) do
    account.uncounted, account.unknown = 0, {}
    for index, count in pairs(account.blank) do
      account.uncounted = account.uncounted + (book.unknown[index] and 0 or count)
      account.unknown[index] = not has_amount(account.by_currency, index) or nil
    end
    account.has_unknown = next(account.unknown) ~= nil
  end
end

--- Enters the rows of all accounts.
-- @tparam {table,...} accounts as from `palenca.income.merge.read`
-- @tparam integer last the last day
-- @tparam ?integer start the first day that counts; nil if the rows' first does
-- @treturn table `first_index` (of the first row's day, 0 without one), `rows`, `unknown` (by day:
-- true if it has rows, but none with the amount), `has_unknown`, `accounts` (each with its own
-- `first_index`, `unknown` and `has_unknown`; its `platform`; and `uncounted`, its rows without an
-- amount on days that are known by others), `identical_rows`,
-- `is_conflicting`, `has_future`, `series` (by currency; "" for none), `platforms` (by name, the
-- series of each)
-- @raise if a row cannot be read, or a sum would pass 15 digits
function ledger.enter(accounts, last, start)
  local book = {
    accounts = {}, by_id = {}, unknown = {}, last = last, first_index = 0, rows = 0,
    identical_rows = 0, is_conflicting = false, has_future = false,
    limit = start and last - start + 1 or math.huge,
  }
  for _, given in ipairs(accounts) do
    enter_account(book, account_for(book, given), given)
  end
  book.series = combine(book.accounts)
  for index in pairs(book.unknown) do
    book.unknown[index] = not has_amount(book.series, index) or nil
  end
  book.has_unknown = next(book.unknown) ~= nil
  add_lacking(book)
  book.platforms = by_platform(book.accounts)
  return book
end

return ledger
