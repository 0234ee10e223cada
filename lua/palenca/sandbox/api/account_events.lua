--- Responses for the single trips behind a day's earnings.
-- @module palenca.sandbox.api.account_events
local accounts = require("palenca.sandbox.api.accounts")
local constants = require("palenca.sandbox.data.vendor_constants")
local date = require("palenca.util.date")
local paging = require("palenca.sandbox.http.paging")
local platforms = require("palenca.sandbox.api.platforms")
local random = require("palenca.sandbox.data.random")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local search_request = require("palenca.sandbox.http.search_request")
local validate = require("palenca.sandbox.http.validate")

local account_events = {}

local event_shape = render.shape {
  "event_id", "type", "timezone", "start_date", "amount", "currency", "duration_sec",
  "distance_km", "start_location", "end_location", "payment_method", "cash_amount",
  "additional_timestamps",
}
local events_shape = render.shape { "account_id", "events" }

local fields = {
  { name = "start_date", check = validate.date, required = true },
  { name = "end_date", check = validate.date, required = true },
  paging.field,
}

local streets = { "Centro", "Norte", "Sur", "Aeropuerto", "Terminal", "Universidad", "Mercado" }

-- A day's work lies between six in the morning and ten in the evening.
local DAY_BEGINS, DAY_LENGTH = 6 * 3600, 16 * 3600

-- Divides a sum into parts of about the same size, without losing a cent.
local function divide(stream, sum, count)
  local weights, total = {}, 0
  for at = 1, count do
    weights[at] = stream:between(60, 140)
    total = total + weights[at]
  end
  local parts, left = {}, sum
  for at = 1, count do
    parts[at] = at < count and sum * weights[at] // total or left
    left = left - parts[at]
  end
  return parts
end

local function hundredths(amount)
  return math.floor(amount * 100 + 0.5)
end

-- The cash of a day comes from its first trips, as far as it goes.
local function spread_cash(amounts, cash)
  local parts = {}
  for at, amount in ipairs(amounts) do
    parts[at] = math.min(amount, cash)
    cash = cash - parts[at]
  end
  return parts
end

-- All trips of a row, the last one of the day first.
local function trips_of(account, row)
  local stream = random.new(account.account_id, "trips", row.earning_date)
  local count = row.count_trips
  local amounts = divide(stream, hundredths(row.amount), count)
  local cash = row.cash_amount and spread_cash(amounts, hundredths(row.cash_amount))
  local midnight = date.parse(row.earning_date) * 86400
  local made = {}
  for at = count, 1, -1 do
    local length = DAY_LENGTH // count
    local start = midnight + DAY_BEGINS + (at - 1) * length + stream:between(0, length // 2)
    made[#made + 1] = event_shape {
      event_id = stream:uuid(),
      type = constants.delivers[account.platform] and "delivery" or "ride",
      timezone = platforms.time_zone(account.country),
      start_date = date.timestamp(start),
      amount = amounts[at] / 100,
      currency = row.currency,
      duration_sec = stream:between(300, math.max(301, length // 2)),
      distance_km = stream:between(80, 2400) / 100,
      start_location = stream:pick(streets),
      end_location = stream:pick(streets),
      payment_method = cash and cash[at] > 0 and "cash" or "card",
      cash_amount = cash and cash[at] / 100,
      additional_timestamps = render.array({}),
    }
  end
  return made
end

-- The trips at some positions of all the trips of some rows; only the rows they are in are made.
local function collect(account, rows, first, last)
  local found, position = {}, 0
  for _, row in ipairs(rows) do
    local count = row.amount and row.count_trips or 0
    if count > 0 and position + count >= first and position < last then
      for at, trip in ipairs(trips_of(account, row)) do
        if position + at >= first and position + at <= last then
          found[#found + 1] = trip
        end
      end
    end
    position = position + count
  end
  return found
end

local function search(sandbox, account, request)
  local given, rejection = search_request.read_period(fields, request.body)
  if not given then
    return rejection
  end
  local earned = sandbox.store:earnings_of(account)
  local before, count = earned:between(given.start_date, given.end_date)
  local rows, total = {}, 0
  for at = 1, count do
    local row = earned:row(before + at)
    rows[at] = row
    total = total + (row.amount and row.count_trips or 0)
  end
  local first, last = paging.range(given.options, total)
  return response.success(events_shape {
    account_id = account.account_id,
    events = render.array(collect(account, rows, first, last)),
  }, 200, paging.describe(given.options, total))
end

--- The routes of this module.
account_events.routes = {
  { "POST", "/v1/accounts/{account_id}/events/search", accounts.of(search) },
}

return account_events
