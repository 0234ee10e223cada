--- Answers for users: creating one, reading one, listing its accounts.
-- @module palenca.sandbox.users
local accounts = require("palenca.sandbox.accounts")
local render = require("palenca.sandbox.render")
local reply = require("palenca.sandbox.reply")
local validate = require("palenca.sandbox.validate")

local users = {}

local user_shape = render.shape { "user_id", "external_id", "widget_id" }
local accounts_shape = render.shape { "user_id", "accounts" }

local fields = {
  { name = "user_id", check = validate.uuid },
  { name = "external_id", check = validate.string },
  { name = "widget_id", check = validate.uuid },
  { name = "connect_flow_id", check = validate.uuid },
}

local function create(sandbox, request)
  local given, faults = validate.body(fields, request.body, true)
  if not given then
    return reply.invalid(faults)
  elseif sandbox.store.users[given.user_id or false] then
    return reply.failure(422, "bad_request", "a user with this id exists", "user_id")
  end
  local user = sandbox.store:create_user {
    user_id = given.user_id,
    external_id = given.external_id,
    widget_id = given.widget_id or given.connect_flow_id,
  }
  return reply.success(user_shape(user), 201)
end

local function get(sandbox, request)
  local user = sandbox.store.users[request.ids.user_id]
  return user and reply.success(user_shape(user)) or reply.not_found("user")
end

local function list_accounts(sandbox, request)
  local user = sandbox.store.users[request.ids.user_id]
  if not user then
    return reply.not_found("user")
  end
  local list = {}
  for index, account in ipairs(user.accounts) do
    list[index] = accounts.render(account)
  end
  return reply.success(accounts_shape { user_id = user.user_id, accounts = render.array(list) })
end

--- The routes of this module.
users.routes = {
  { "POST", "/v1/users", create },
  { "GET", "/v1/users/{user_id}", get },
  { "GET", "/v1/users/{user_id}/accounts", list_accounts },
}

return users
