--- Answers for accounts: the account itself, its profile, its earnings.
-- @module palenca.sandbox.accounts
local render = require("palenca.sandbox.render")
local reply = require("palenca.sandbox.reply")
local store = require("palenca.sandbox.store")
local validate = require("palenca.sandbox.validate")

local accounts = {}

-- The API leaves the size of a page open; past this bound an answer is larger than any caller
-- has a use for.
local MAX_ITEMS_PER_PAGE = 1000

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

local earnings_fields = {
  { name = "start_date", check = validate.date, required = true },
  { name = "end_date", check = validate.date, required = true },
  { name = "options", fields = {
    { name = "page", check = validate.integer(1), default = 1 },
    { name = "items_per_page", check = validate.integer(1, MAX_ITEMS_PER_PAGE), default = 100 },
  } },
}

local messages = {
  error = "the login ended in an error",
  incomplete = "the worker did not finish the login",
}

--- The JSON of an account.
-- @tparam table account the account
-- @tparam[opt=false] boolean with_user whether to name its user
-- @treturn table the object, marked as JSON text
function accounts.render(account, with_user)
  local ids = store.person_of(account).ids_info
  local values = setmetatable({
    user_id = account.user.user_id,
    gov_id = ids and ids[1].value,
    message = messages[account.status],
  }, { __index = account })
  return (with_user and account_with_user_shape or account_shape)(values)
end

-- What the API's framework takes for true and false in a query.
local booleans = {
  ["true"] = true, ["1"] = true, on = true, yes = true,
  ["false"] = false, ["0"] = false, off = false, no = false,
}

local function get(sandbox, request)
  local account = sandbox.store.accounts[request.ids.account_id]
  if not account then
    return reply.not_found("account")
  end
  local word = ("&" .. (request.query or "")):match("&add_user_id=([^&]*)")
  local with_user = booleans[(word or "false"):lower()]
  if with_user == nil then
    return reply.invalid { {
      loc = { "query", "add_user_id" },
      msg = "must be true or false",
      type = "value_error.boolean",
    } }
  end
  return reply.success(accounts.render(account, with_user))
end

local function get_profile(sandbox, request)
  local account = sandbox.store.accounts[request.ids.account_id]
  if not account then
    return reply.not_found("account")
  end
  local person = store.person_of(account)
  local ids = {}
  for index, id in ipairs(person.ids_info or {}) do
    ids[index] = id_shape(id)
  end
  local data = {
    account_id = account.account_id,
    external_id = account.user.external_id,
    ids_info = render.array(ids),
  }
  for name, shape in pairs(parts) do
    data[name] = person[name] and shape(person[name])
  end
  return reply.success(profile_data_shape(data))
end

-- The rows of one page as a JSON list. The page is compared before it is multiplied: a huge
-- one would wrap around.
local function page_text(rows, before, count, options, pages)
  if options.page > pages then
    return render.raw("[]")
  end
  local first = (options.page - 1) * options.items_per_page
  local last = math.min(first + options.items_per_page, count)
  return render.raw("[" .. rows:json(before + first + 1, before + last) .. "]")
end

local function search_earnings(sandbox, request)
  local account = sandbox.store.accounts[request.ids.account_id]
  if not account then
    return reply.not_found("account")
  end
  local given, faults = validate.body(earnings_fields, request.body)
  if not given then
    return reply.invalid(faults)
  elseif given.start_date > given.end_date then
    return reply.failure(422, "bad_request", "start_date must not be after end_date",
      "start_date")
  end
  local rows = store.earnings_of(account)
  local before, count = rows:between(given.start_date, given.end_date)
  local options = given.options
  local pages = (count + options.items_per_page - 1) // options.items_per_page
  return reply.success(earnings_shape {
    account_id = account.account_id,
    earnings = page_text(rows, before, count, options, pages),
  }, 200, {
    page = options.page,
    items_per_page = options.items_per_page,
    total_items = count,
    total_pages = pages,
  })
end

--- The routes of this module.
accounts.routes = {
  { "GET", "/v1/accounts/{account_id}", get },
  { "GET", "/v1/accounts/{account_id}/profile", get_profile },
  { "POST", "/v1/accounts/{account_id}/earnings/search", search_earnings },
}

return accounts
