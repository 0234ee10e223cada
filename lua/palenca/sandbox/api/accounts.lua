--- Gets and deletes accounts, moves them to another user, and responds with their user, their
-- profile and a search of their earnings.
-- @module palenca.sandbox.api.accounts
local date = require("palenca.util.date")
local paging = require("palenca.sandbox.http.paging")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local search_request = require("palenca.sandbox.http.search_request")
local validate = require("palenca.sandbox.http.validate")

local accounts = {}

local account_fields = {
  "account_id", "country", "platform", "identifier", "worker_id", "gov_id",
  "last_successful_connection", "warning", "status", "status_details", "message",
  "recommendation", "next_step", "created_at",
}
local account_shape = render.shape(account_fields)
local account_with_user_shape = render.shape { "user_id", table.unpack(account_fields) }

local profile_data_shape = render.shape {
  "account_id", "external_id", "profile", "ids_info", "bank_info", "vehicle_info",
  "metrics_info",
}
local id_shape = render.shape { "type", "name", "value" }
local parts = {
  profile = render.shape {
    "first_name", "last_name", "email", "birthday", "phone", "address", "city_name",
    "picture_url", "worker_role",
  },
  bank_info = render.shape {
    "account_number", "holder_name", "holder_address", "bank_name", "bank_code",
  },
  vehicle_info = render.shape { "type", "brand", "model", "year", "license_plate", "vin" },
  metrics_info = render.shape {
    "acceptance_rate", "cancellation_rate", "thumps_up", "rating", "lifetime_trips",
    "time_since_first_trip", "level_name", "debt_pending", "debt_paid", "activation_status",
  },
}
local earnings_shape = render.shape { "account_id", "earnings" }

local user_shape = render.shape { "user_id", "external_id", "widget_id" }
local reassigned_shape = render.shape {
  "account_id", "new_user_id", "old_user_id", "old_user_deleted",
}

local earnings_fields = {
  { name = "start_date", check = validate.date, required = true },
  { name = "end_date", check = validate.date, required = true },
  paging.field,
}

local reassign_fields = {
  { name = "user_id", check = validate.uuid },
  { name = "external_id", check = validate.string },
  { name = "smart", check = validate.boolean, default = false },
}

local messages = {
  error = "the login ended in an error",
  incomplete = "the worker did not finish the login",
  pending = "the data is being read",
}

--- The JSON of an account.
-- @tparam store store the store
-- @tparam table account the account
-- @tparam[opt=false] boolean with_user whether to name its user
-- @treturn table the object, marked as JSON text
function accounts.render(store, account, with_user)
  local list = store:logins_of(account.account_id)
  local values = setmetatable({
    gov_id = store:gov_id_of(account),
    message = messages[account.status],
    last_successful_connection = account.connected and date.timestamp(account.connected),
    next_step = #list > 0 and list[#list].next_step or nil,
    created_at = date.timestamp(account.created),
  }, { __index = account })
  return (with_user and account_with_user_shape or account_shape)(values)
end

--- The JSON of an account's profile; all of it is null if the account was never connected.
-- @tparam store store the store
-- @tparam table account the account
-- @treturn table the object, marked as JSON text
function accounts.render_profile(store, account)
  local person = store:person_of(account)
  local user = store.user:get(account.user_id)
  local ids = {}
  for index, id in ipairs(person.ids_info or {}) do
    ids[index] = id_shape(id)
  end
  local data = {
    account_id = account.account_id,
    external_id = user and user.external_id,
    ids_info = render.array(ids),
  }
  for name, shape in pairs(parts) do
    data[name] = person[name] and shape(person[name])
  end
  return profile_data_shape(data)
end

--- Wraps a handler of what belongs to an account, which gets that account as well.
-- @tparam function handler gets the sandbox, the account and the request
-- @treturn function the handler of a route; it responds with 404 for an account that does not exist
function accounts.of(handler)
  return function(sandbox, request)
    local account = sandbox.store.account:get(request.ids.account_id)
    return account and handler(sandbox, account, request) or response.not_found("account")
  end
end

local function get(sandbox, account, request)
  local with_user, rejection = search_request.query_switch(request.query, "add_user_id", false)
  return rejection or response.success(accounts.render(sandbox.store, account, with_user))
end

local function delete(sandbox, account)
  local gone = accounts.render(sandbox.store, account)
  sandbox.store:delete_account(account)
  return response.success(gone)
end

local function get_user(sandbox, account)
  return response.success(user_shape(sandbox.store.user:get(account.user_id)))
end

local function find_new_user(store, given)
  if given.user_id then
    return store.user:get(given.user_id)
  end
  return store:user_by_external_id(given.external_id)
    or given.smart and store:create_user { external_id = given.external_id }
end

-- How `smart` works is not documented; here it makes a user for an external_id that is new, and
-- deletes one who is left without an account.
local function reassign(sandbox, account, request)
  local given, faults = validate.body(reassign_fields, request.body)
  if not given then
    return response.invalid(faults)
  elseif (given.user_id == nil) == (given.external_id == nil) then
    return response.failure(422, "bad_request", "either user_id or external_id is required",
      "user_id")
  end
  local store = sandbox.store
  local user, old_user_id = find_new_user(store, given), account.user_id
  if not user then
    return response.not_found("user")
  elseif user.user_id == old_user_id then
    return response.failure(422, "bad_request", "the account is this user's already", "user_id")
  end
  store:move_account(account, user)
  local deleted = given.smart and #store:accounts_of(old_user_id) == 0
  if deleted then
    store:delete_user(store.user:get(old_user_id))
  end
  return response.success(reassigned_shape {
    account_id = account.account_id,
    new_user_id = user.user_id,
    old_user_id = old_user_id,
    old_user_deleted = deleted,
  })
end

local function get_profile(sandbox, account)
  return response.success(accounts.render_profile(sandbox.store, account))
end

local function search_earnings(sandbox, account, request)
  local given, rejection = search_request.read_period(earnings_fields, request.body)
  if not given then
    return rejection
  end
  local rows = sandbox.store:earnings_of(account)
  local before, count = rows:between(given.start_date, given.end_date)
  local first, last = paging.range(given.options, count)
  return response.success(earnings_shape {
    account_id = account.account_id,
    earnings = render.raw("[" .. rows:json(before + first, before + last) .. "]"),
  }, 200, paging.describe(given.options, count))
end

--- The routes of this module.
accounts.routes = {
  { "GET", "/v1/accounts/{account_id}", accounts.of(get) },
  { "DELETE", "/v1/accounts/{account_id}", accounts.of(delete) },
  { "GET", "/v1/accounts/{account_id}/user", accounts.of(get_user) },
  { "PATCH", "/v1/accounts/{account_id}/user", accounts.of(reassign) },
  { "GET", "/v1/accounts/{account_id}/profile", accounts.of(get_profile) },
  { "POST", "/v1/accounts/{account_id}/earnings/search", accounts.of(search_earnings) },
}

return accounts
