--- Responses of the API for logins: one, those of an account, those of a period.
-- @module palenca.sandbox.api.logins
local accounts = require("palenca.sandbox.api.accounts")
local date = require("palenca.util.date")
local paging = require("palenca.sandbox.http.paging")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local search_request = require("palenca.sandbox.http.search_request")
local validate = require("palenca.sandbox.http.validate")

local logins = {}

--- The company that the sandbox's key belongs to.
logins.COMPANY = "c0ffee00-5a0d-4b0c-8e0f-0a1b2c3d4e5f"

local login_shape = render.shape {
  "created_at", "updated_at", "id", "bulk_id", "status", "platform", "source", "status_details",
  "authenticated_at", "message", "company_id", "recommendation", "automatic_retry",
  "has_insights", "insights_status", "insights_status_details", "account_id",
}
local list_shape = render.shape { "logins" }

local messages = {
  error = "the login ended in an error",
  incomplete = "the worker did not finish the login",
  pending = "the data is being read",
}
local recommendations = {
  error = "let the worker try again later",
  incomplete = "ask the worker to try again",
}

local search_fields = {
  { name = "start_date", check = validate.date, required = true },
  { name = "end_date", check = validate.date, required = true },
  paging.field,
}

--- The JSON of a login, as the API sends it.
-- @tparam table login the login
-- @treturn table the object, marked as JSON text
function logins.render(login)
  return login_shape {
    created_at = date.timestamp(login.created),
    updated_at = date.timestamp(login.updated),
    id = login.login_id,
    status = login.status,
    platform = login.platform,
    source = login.source,
    status_details = login.status_details,
    authenticated_at = login.authenticated and date.timestamp(login.authenticated),
    message = messages[login.status],
    company_id = logins.COMPANY,
    recommendation = recommendations[login.status],
    automatic_retry = false,
    has_insights = false,
    account_id = login.account_id,
  }
end

local function get(sandbox, request)
  local login = sandbox.store.login:get(request.ids.login_id)
  return login and response.success(logins.render(login)) or response.not_found("login")
end

local function list(sandbox, account)
  local found = {}
  for _, login in ipairs(sandbox.store:logins_of(account.account_id)) do
    table.insert(found, 1, logins.render(login))
  end
  return response.success(list_shape { logins = render.array(found) })
end

local function search(sandbox, request)
  local given, rejection = search_request.read_period(search_fields, request.body)
  if not given then
    return rejection
  end
  -- without pagination: the published shape has none
  return response.success(list_shape {
    logins = search_request.created_within(sandbox.store.login:newest(), given, logins.render),
  })
end

--- The routes of this module.
logins.routes = {
  { "POST", "/v1/logins/search", search },
  { "GET", "/v1/logins/{login_id}", get },
  { "GET", "/v1/accounts/{account_id}/logins", accounts.of(list) },
}

return logins
