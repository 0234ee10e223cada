--- Responses for users: creating, finding, reading and deleting them, listing their accounts.
-- @module palenca.sandbox.api.users
local accounts = require("palenca.sandbox.api.accounts")
local paging = require("palenca.sandbox.http.paging")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local search_request = require("palenca.sandbox.http.search_request")
local validate = require("palenca.sandbox.http.validate")

local users = {}

local user_shape = render.shape { "user_id", "external_id", "widget_id" }
local gone_shape = render.shape { "user_id", "external_id" }
local list_shape = render.shape { "users" }
local accounts_shape = render.shape { "user_id", "accounts" }

local fields = {
  { name = "user_id", check = validate.uuid },
  { name = "external_id", check = validate.string },
  { name = "widget_id", check = validate.uuid },
  { name = "connect_flow_id", check = validate.uuid },
}

local search_fields = {
  { name = "start_date", check = validate.date, required = true },
  { name = "end_date", check = validate.date, required = true },
  { name = "external_id", check = validate.string },
  paging.field,
}

local function create(sandbox, request)
  local given, faults = validate.body(fields, request.body, true)
  if not given then
    return response.invalid(faults)
  elseif sandbox.store.user:get(given.user_id) then
    return response.failure(422, "bad_request", "a user with this id exists", "user_id")
  end
  local user = sandbox.store:create_user {
    user_id = given.user_id,
    external_id = given.external_id,
    widget_id = given.widget_id or given.connect_flow_id,
  }
  return response.success(user_shape(user), 201)
end

-- Wraps a handler of what belongs to a user.
local function of_user(handler)
  return function(sandbox, request)
    local user = sandbox.store.user:get(request.ids.user_id)
    return user and handler(sandbox, user) or response.not_found("user")
  end
end

local function get(_, user)
  return response.success(user_shape(user))
end

local function delete(sandbox, user)
  sandbox.store:delete_user(user)
  return response.success(gone_shape(user))
end

local function list_accounts(sandbox, user)
  local list = {}
  for index, account in ipairs(sandbox.store:accounts_of(user.user_id)) do
    list[index] = accounts.render(sandbox.store, account)
  end
  return response.success(accounts_shape { user_id = user.user_id, accounts = render.array(list) })
end

local function search(sandbox, request)
  local given, rejection = search_request.read_period(search_fields, request.body)
  if not given then
    return rejection
  end
  local found = search_request.created_within(sandbox.store.user:newest(), given, user_shape,
    function(user)
      return not given.external_id or user.external_id == given.external_id
    end)
  -- without pagination: the published shape has none
  return response.success(list_shape { users = found })
end

--- The routes of this module.
users.routes = {
  { "POST", "/v1/users", create },
  { "POST", "/v1/users/search", search },
  { "GET", "/v1/users/{user_id}", of_user(get) },
  { "DELETE", "/v1/users/{user_id}", of_user(delete) },
  { "GET", "/v1/users/{user_id}/accounts", of_user(list_accounts) },
}

return users
