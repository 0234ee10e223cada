--- Responses for what a user earned over all their accounts.
-- @module palenca.sandbox.api.aggregated_earnings
local date = require("palenca.util.date")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local search_request = require("palenca.sandbox.http.search_request")
local validate = require("palenca.sandbox.http.validate")

local aggregated_earnings = {}

local response_shape = render.shape { "platforms_count", "platforms", "earnings" }
local platform_shape = render.shape { "platform", "account_id", "last_successful_connection" }
local earning_shape = render.shape {
  "earning_date", "amount", "currency", "count_trips", "details", "currency_note",
}
local detail_shape = render.shape { "platform", "account_id", "amount", "count_trips" }

local fields = {
  { name = "user_id", check = validate.uuid },
  { name = "external_id", check = validate.string },
  { name = "start_date", check = validate.date, required = true },
  { name = "end_date", check = validate.date, required = true },
  { name = "options", fields = {
    { name = "details", check = validate.boolean, default = false },
  } },
}

local NOTE = "this day has earnings in several currencies, which are not added up"

-- Added in hundredths: a sum of floats need not be the sum of the amounts.
local function add(days, account, row)
  local key = row.earning_date .. row.currency
  local day = days[key]
  if not day then
    day = { date = row.earning_date, currency = row.currency, sum = 0, trips = 0, details = {} }
    days[key] = day
    days[#days + 1] = day
  end
  day.sum = day.sum + math.floor(row.amount * 100 + 0.5)
  day.trips = day.trips + (row.count_trips or 0)
  table.insert(day.details, detail_shape {
    platform = account.platform,
    account_id = account.account_id,
    amount = row.amount + 0.0,
    count_trips = row.count_trips,
  })
end

local function collect(store, list, given)
  local days = {}
  for _, account in ipairs(list) do
    local earned = store:earnings_of(account)
    local before, count = earned:between(given.start_date, given.end_date)
    for at = before + 1, before + count do
      local row = earned:row(at)
      if row.amount then
        add(days, account, row)
      end
    end
  end
  table.sort(days, function(one, other)
    if one.date ~= other.date then
      return one.date > other.date
    end
    return one.currency < other.currency
  end)
  return days
end

local function render_days(days, with_details)
  local rendered = {}
  for at, day in ipairs(days) do
    local before, after = days[at - 1], days[at + 1]
    local mixed = before and before.date == day.date or after and after.date == day.date
    rendered[at] = earning_shape {
      earning_date = day.date,
      amount = day.sum / 100,
      currency = day.currency,
      count_trips = day.trips,
      details = with_details and render.array(day.details) or nil,
      currency_note = mixed and NOTE or nil,
    }
  end
  return render.array(rendered)
end

local function search(sandbox, request)
  local given, rejection = search_request.read_period(fields, request.body)
  if not given then
    return rejection
  elseif not given.user_id and not given.external_id then
    return response.failure(422, "bad_request", "user_id or external_id is required", "user_id")
  end
  local store = sandbox.store
  local user = given.user_id and store.user:get(given.user_id)
    or not given.user_id and store:user_by_external_id(given.external_id)
  if not user then
    return response.not_found("user")
  end
  local connected, rendered = {}, {}
  for _, account in ipairs(store:accounts_of(user.user_id)) do
    if account.connected then
      connected[#connected + 1] = account
      rendered[#rendered + 1] = platform_shape {
        platform = account.platform,
        account_id = account.account_id,
        last_successful_connection = date.text(date.day_of(account.connected)),
      }
    end
  end
  return response.success(response_shape {
    platforms_count = #rendered,
    platforms = render.array(rendered),
    earnings = render_days(collect(store, connected, given), given.options.details),
  })
end

--- The routes of this module.
aggregated_earnings.routes = {
  { "POST", "/v1/users/earnings/aggregated", search },
}

return aggregated_earnings
