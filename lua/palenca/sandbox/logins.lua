--- Acts out a worker connecting an account: what becomes of it, and which webhooks hear of it.
-- @module palenca.sandbox.logins
local catalogue = require("palenca.sandbox.catalogue")
local render = require("palenca.sandbox.render")
local reply = require("palenca.sandbox.reply")
local validate = require("palenca.sandbox.validate")

local logins = {}

local fields = {
  { name = "platform", check = validate.one_of(catalogue.platforms, "platform") },
  { name = "identifier", check = validate.string },
  { name = "external_id", check = validate.string },
  { name = "user_id", check = validate.uuid },
  { name = "widget_id", check = validate.uuid },
  { name = "country", check = validate.one_of(catalogue.countries, "country") },
}

local login_shape = render.shape {
  "login_id", "user_id", "account_id", "external_id", "platform", "status", "status_details",
}

-- An identifier of the magic form says where it goes and how it ends; any other succeeds.
local function read_identifier(identifier)
  local platform, case = (identifier or ""):lower():match(
    "^([%w_]+)%+([%w_]+)@palenca%-tests%.com$")
  if catalogue.platforms[platform or ""] then
    return platform, case
  end
  return nil, case
end

local function outcome_of(case)
  if case == "incomplete" then
    return { status = "incomplete" }
  elseif catalogue.errors[case] then
    return { status = "error", status_details = case }
  end
  return { status = "success", warning = catalogue.warnings[case] and case or nil }
end

local function find_user(store, given)
  if given.user_id then
    return store.users[given.user_id]
  end
  return store.users_by_external_id[given.external_id or false]
    or store:create_user { external_id = given.external_id, widget_id = given.widget_id }
end

local function make_event(login, action, details)
  return {
    user_id = login.user_id,
    account_id = login.account_id,
    -- The API sends Python's word for nothing, as a string.
    external_id = login.external_id or "None",
    platform = login.platform,
    status_details = details,
    webhook_action = action,
  }
end

local function announce(sandbox, login)
  local story = {
    make_event(login, "login.created", "pending_for_data"),
    make_event(login, "login." .. login.status, login.status_details),
  }
  for _, webhook in ipairs(sandbox.store.webhooks) do
    local events = {}
    for _, event in ipairs(story) do
      if webhook.is_active and (webhook.wants["*"] or webhook.wants[event.webhook_action]) then
        events[#events + 1] = event
      end
    end
    if #events > 0 then
      sandbox.deliveries:queue(webhook, events, sandbox.webhook_delay)
    end
  end
end

local function connect(store, user, platform, given, outcome)
  local account = store:create_account(user, {
    platform = platform,
    country = given.country or catalogue.home_country[platform] or "mx",
    identifier = given.identifier,
    status = outcome.status,
    status_details = outcome.status_details,
    warning = outcome.warning,
  })
  return store:create_login {
    user_id = user.user_id,
    account_id = account.account_id,
    external_id = user.external_id,
    platform = platform,
    status = outcome.status,
    status_details = outcome.status_details,
  }
end

local function start(sandbox, given)
  local platform, case = read_identifier(given.identifier)
  platform = platform or given.platform
  if not platform then
    return nil, 422, "bad_request", "a platform, or an identifier that names one, is required"
  elseif catalogue.code_cases[case or ""] then
    return nil, 422, "bad_request",
      ("the case %s asks for a code, which is not available yet"):format(case)
  end
  local user = find_user(sandbox.store, given)
  if not user then
    return nil, 404, "not_found", "there is no such user"
  end
  local login = connect(sandbox.store, user, platform, given, outcome_of(case))
  announce(sandbox, login)
  return login
end

local function create(sandbox, request)
  local given, faults = validate.body(fields, request.body)
  if not given then
    return reply.invalid(faults)
  end
  local login, status, code, message = start(sandbox, given)
  if not login then
    return reply.failure(status, code, message)
  end
  return reply.success(login_shape(login), 201)
end

--- The routes of this module.
logins.routes = {
  { "POST", "/sandbox/logins", create, public = true },
}

return logins
