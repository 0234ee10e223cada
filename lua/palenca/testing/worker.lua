--- Makes the workers of a test: an account with its user, rows of earnings and profile.
-- @module palenca.testing.worker
local api_values = require("palenca.util.api_values")
local argcheck = require("palenca.util.argcheck")
local date = require("palenca.util.date")
local json = require("palenca.util.json")
local strict = require("palenca.strict")
local suggest = require("palenca.util.suggest")

local worker = {}

local FIELDS = {
  account_id = "uuid", user_id = "string", external_id = "string", platform = "string",
  country = "string", currency = "string", status = "string", status_details = "string",
  warning = "string", days = "count", amount = "any", rows = "table", trips = "table",
  profile = "table", employment = "table", changes = "count",
}

local DAYS, AMOUNT, TRIPS = 120, 500, 10

local VALUES = {
  platform = api_values.platforms, country = api_values.countries,
  status = api_values.login_statuses, warning = api_values.warnings,
}

--- An id in UUID form, the same in each test.
-- @tparam number kind 1 to 9
-- @tparam number number from 1
-- @treturn string
function worker.id(kind, number)
  return ("00000000-0000-4000-800%d-%012d"):format(kind, number)
end

local function check_numbers(what, row, names, level)
  for _, name in ipairs(names) do
    local value = row[name]
    if value ~= nil and value ~= json.null and type(value) ~= "number" then
      error(("%s.%s must be a number, got %s"):format(what, name, argcheck.shown(value)), level + 1)
    end
  end
end

local home_currencies = {}
for _, currency in pairs(api_values.countries) do
  home_currencies[currency] = true
end

local function check_currency(what, currency, level)
  if type(currency) == "string" and not api_values.currencies[currency:lower()] then
    local meant = suggest.text(currency, home_currencies)
    error(("%s: no currency is '%s'%s"):format(what, currency,
      meant ~= "" and meant or suggest.text(currency, api_values.currencies)), level + 1)
  end
end

local function copy(row)
  local copied = {}
  for name, value in pairs(row) do
    copied[name] = value
  end
  return copied
end

-- Rows as they were given, the newest first.
local function given_rows(rows, currency, level)
  local list, places = {}, {}
  for at, row in ipairs(rows) do
    local what = ("test:worker: rows[%d]"):format(at)
    strict.check_fields(what, "Earning", row, level + 1)
    argcheck.value(what .. ".earning_date", row.earning_date, "date", level + 1)
    check_numbers(what, row, { "amount", "cash_amount", "count_trips" }, level + 1)
    check_currency(what, row.currency, level + 1)
    list[at] = copy(row)
    if row.amount ~= nil and row.currency == nil then
      list[at].currency = currency
    end
    places[list[at]] = at
  end
  table.sort(list, function(one, other)
    if one.earning_date ~= other.earning_date then
      return one.earning_date > other.earning_date
    end
    return places[one] < places[other]
  end)
  return list
end

-- A row for each of the last days; of a function's, where it returns an amount.
local function daily_rows(given, currency, today)
  local amount, list = given.amount == nil and AMOUNT or given.amount, {}
  for ago = 1, given.days or DAYS do
    local day = date.text(today - ago)
    local of_day = type(amount) == "function" and amount(day, ago) or amount
    if type(of_day) == "number" then
      list[#list + 1] = { earning_date = day, amount = of_day, currency = currency,
        count_trips = TRIPS }
    end
  end
  return list
end

-- Tables with names are joined name by name, what else there is is replaced.
local function join(made, given)
  for name, value in pairs(given or {}) do
    local inner = made[name]
    if type(inner) == "table" and type(value) == "table" and #value == 0
      and not json.is_array(inner) then
      join(inner, value)
    else
      made[name] = value
    end
  end
  return made
end

local function profile_of(self, given)
  return join({
    account_id = self.account_id,
    external_id = self.external_id,
    profile = {
      first_name = "Ana", last_name = "García", email = "ana.garcia@example.com",
      birthday = "1990-05-17", phone = "5500000000", city_name = "Ciudad de México",
    },
    ids_info = json.array({}),
  }, given)
end

local function employment_of(self, given)
  return join({
    platform = self.platform, account_id = self.account_id, external_id = self.external_id,
  }, given)
end

--- Raises if the details of a status are like documented ones, and are none of them.
-- @tparam string what the call, for the message
-- @tparam ?string details
-- @tparam number level of the caller to blame
function worker.check_details(what, details, level)
  local meant = not api_values.status_details[details or ""]
    and suggest.nearest(details, api_values.status_details)
  if meant then
    error(("%s: status_details '%s' is not documented; did you mean '%s'?"):format(what, details,
      meant), level + 1)
  end
end

local function check(given, level)
  argcheck.fields("test:worker", given, FIELDS, level + 1)
  for name, known in pairs(VALUES) do
    argcheck.one_of("test:worker: " .. name, given[name], known, level + 1)
  end
  worker.check_details("test:worker", given.status_details, level + 1)
  if given.currency and not given.currency:find("^%a%a%a$") then
    error("test:worker: currency must be of three letters, got " .. argcheck.shown(given.currency),
      level + 1)
  end
  check_currency("test:worker: currency", given.currency, level + 1)
  if given.rows and (given.days or given.amount) then
    error("test:worker: either rows or days and amount can be given", level + 1)
  end
  local amount = given.amount
  if amount ~= nil and type(amount) ~= "number" and type(amount) ~= "function" then
    error("test:worker: amount must be a number or a function, got " .. argcheck.shown(amount),
      level + 1)
  end
  strict.check_fields("test:worker: profile", "Profile", given.profile, level + 1)
  strict.check_fields("test:worker: employment", "Employment", given.employment, level + 1)
  for at, trip in ipairs(given.trips or {}) do
    strict.check_fields(("test:worker: trips[%d]"):format(at), "Trip", trip, level + 1)
  end
end

local SHOWN = { "account_id", "user_id", "external_id", "platform", "country", "status",
  "status_details" }

--- What a test gets of a worker. Reading another field raises.
-- @tparam table from the worker
-- @treturn table `account_id`, `user_id`, `external_id`, `platform`, `country`, `status`,
-- `status_details`
function worker.shown(from)
  local shown = {}
  for _, name in ipairs(SHOWN) do
    shown[name] = from[name]
  end
  return strict.seal(shown, "a worker", SHOWN)
end

--- Makes a worker.
-- @tparam number number from 1, which the ids are made of
-- @tparam table given what is known of the worker
-- @tparam number now Unix time
-- @tparam number level of the caller to blame
-- @treturn table `account_id`, `user_id`, `external_id`, `platform`, `country` and what the
-- stand-in of the API responds with
function worker.new(number, given, now, level)
  given = given or {}
  check(given, level + 1)
  local country = given.country or "mx"
  local currency = given.currency or api_values.countries[country]
  local self = {
    account_id = given.account_id or worker.id(1, number),
    user_id = given.user_id or worker.id(2, number),
    login_id = worker.id(3, number),
    external_id = given.external_id or "worker-" .. number,
    platform = given.platform or "uber",
    country = country,
    status = given.status or "success",
    status_details = given.status_details,
    warning = given.warning,
    connected = now,
    changes = given.changes or 0,
    trips = given.trips or {},
  }
  self.rows = given.rows and given_rows(given.rows, currency, level + 1)
    or daily_rows(given, currency, date.day_of(now))
  self.profile = profile_of(self, given.profile)
  self.employment = employment_of(self, given.employment)
  return self
end

return worker
