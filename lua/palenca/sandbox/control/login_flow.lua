--- Simulates a worker who connects an account: its outcome, and the webhooks that receive it.
-- @module palenca.sandbox.control.login_flow
local argcheck = require("palenca.util.argcheck")
local constants = require("palenca.sandbox.data.vendor_constants")
local date = require("palenca.util.date")
local history_patterns = require("palenca.sandbox.data.history_patterns")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local suggest = require("palenca.util.suggest")
local validate = require("palenca.sandbox.http.validate")

local login_flow = {}

-- Seconds that a worker has to type the code.
local CODE_LIFETIME = 600

--- The optional fields of a login that say whose it is and what the account is like.
login_flow.details = {
  { name = "country", check = validate.one_of_few(constants.countries) },
  { name = "external_id", check = validate.string },
  { name = "days", check = validate.history(constants.history_max) },
  { name = "pattern", check = validate.one_of_few(history_patterns.names) },
  { name = "warning", check = validate.one_of_few(constants.warnings) },
}

local fields = {
  { name = "platform", check = validate.one_of(constants.platforms, "platform") },
  { name = "identifier", check = validate.string },
  { name = "user_id", check = validate.uuid },
  { name = "widget_id", check = validate.uuid },
  table.unpack(login_flow.details),
}

local identifier_types = { phone = true, email = true, gov_id = true }

local widget_fields = {
  { name = "password", check = validate.string },
  { name = "consent", check = validate.boolean },
  { name = "identifier_type", check = validate.one_of(identifier_types, "type of identifier") },
  table.unpack(fields),
}

local code_fields = { { name = "code", check = validate.string, required = true } }

local outcome_shape = render.shape { "status", "status_details", "warning" }
local login_shape = render.shape {
  "login_id", "user_id", "account_id", "external_id", "widget_id", "platform", "country",
  "identifier", "source", "status", "status_details", "warning", "created_at", "updated_at",
  "settles_in", "next_step",
}
local started_shape = render.shape {
  "login_id", "user_id", "user_created", "account_id", "external_id", "platform", "country",
  "status", "status_details", "outcome", "next_step",
}

--- The outcomes that a test identifier may name, as keys.
login_flow.cases = { success = true, incomplete = true }
for _, some in ipairs { constants.errors, constants.code_cases, constants.warnings } do
  for case in pairs(some) do
    login_flow.cases[case] = true
  end
end

-- The platform and the outcome of a test identifier; nil of any other.
local function parts_of(identifier)
  return (identifier or ""):lower():match("^([%w_]+)%+([%w_]+)@palenca%-tests%.com$")
end

--- What is wrong with a test identifier: with a mistyped outcome, a login would succeed.
-- @tparam string identifier
-- @treturn ?string nil if nothing is
function login_flow.identifier_problem(identifier)
  local platform, case = parts_of(identifier)
  if not case then
    return ("'%s' is no test identifier, such as rappi+incomplete@palenca-tests.com")
      :format(identifier)
  elseif not constants.platforms[platform] then
    return ("'%s': no platform is '%s'%s"):format(identifier, platform,
      suggest.text(platform, constants.platforms))
  elseif not login_flow.cases[case] then
    return ("'%s': no login ends as '%s' (known: %s)%s"):format(identifier, case,
      table.concat(argcheck.words(login_flow.cases), ", "), suggest.text(case, login_flow.cases))
  end
end

-- An identifier of the magic form says where it goes and how it ends; any other succeeds.
local function read_identifier(identifier)
  local platform, case = parts_of(identifier)
  if constants.platforms[platform or ""] then
    return platform, case
  end
  return nil, case
end

local function outcome_of(case, warning)
  if case == "incomplete" then
    return { status = "incomplete" }
  elseif constants.errors[case] or constants.code_cases[case] then
    return { status = "error", status_details = case }
  end
  return { status = "success", warning = warning or constants.warnings[case] and case or nil }
end

-- The user, nil if there is none with that id; and whether they are new.
local function find_user(store, given)
  if given.user_id then
    return store.user:get(given.user_id), false
  end
  local known = store:user_by_external_id(given.external_id)
  if known then
    return known, false
  end
  return store:create_user { external_id = given.external_id, widget_id = given.widget_id }, true
end

-- Whose a further account of a user is. Noted in it, as the first one may be deleted or go over to
-- another user.
local function person_of(first)
  return first and (first.person or { account_id = first.account_id, country = first.country })
end

-- A worker who connects the same account again has it still.
local function find_account(store, user, platform, given)
  local known = store:accounts_of(user.user_id)
  for _, account in ipairs(known) do
    if account.platform == platform and given.identifier
      and account.identifier == given.identifier then
      return account
    end
  end
  local stream = store:stream("accounts")
  return {
    account_id = stream:uuid(),
    worker_id = stream:uuid(),
    user_id = user.user_id,
    platform = platform,
    country = given.country or constants.home_country[platform] or "mx",
    identifier = given.identifier,
    person = person_of(known[1]),
    created = store:now(),
  }
end

local function make_event(store, login, action, details)
  local user = store.user:get(login.user_id)
  return {
    user_id = login.user_id,
    account_id = login.account_id,
    -- The API sends Python's None, as a string.
    external_id = user and user.external_id or "None",
    platform = login.platform,
    status_details = details,
    webhook_action = action,
  }
end

--- Sends it to the webhooks that are subscribed to it.
-- @param sandbox the sandbox
-- @tparam table events in order, each with the fields of a delivery's `data`
-- @tparam ?string widget_id only those of this widget
-- @tparam ?string login_id the login it comes from
-- @treturn table the deliveries
function login_flow.announce(sandbox, events, widget_id, login_id)
  local made = {}
  for _, webhook in ipairs(sandbox.store.webhook.list) do
    local subscribed = {}
    for _, event in ipairs(events) do
      if webhook.subscribed_to["*"] or webhook.subscribed_to[event.webhook_action] then
        subscribed[#subscribed + 1] = event
      end
    end
    local is_of_widget = not widget_id or widget_id == webhook.widget_id
    if webhook.is_active and #subscribed > 0 and is_of_widget then
      local sent = sandbox.faults:deliver(sandbox.deliveries, webhook, subscribed, login_id)
      table.move(sent, 1, #sent, #made + 1, made)
    end
  end
  return made
end

local function consent(store, login, account)
  local user = store.user:get(login.user_id)
  store:save("consent", {
    consent_id = store:stream("consents"):uuid(),
    gov_id = store:gov_id_of(account),
    account_id = account.account_id,
    user_id = login.user_id,
    external_id = user and user.external_id,
    platform = login.platform,
    widget_id = login.widget_id,
    created = login.created,
  })
end

-- The account has the state of its last login, but keeps data that was read once.
local function update_account(store, login)
  local account = store.account:get(login.account_id)
  account.status, account.status_details = login.status, login.status_details
  if login.status == "success" then
    account.warning = login.warning
    account.connected = store:now()
  end
  store:save("account", account)
  store:forget(account.account_id)
  if login.status == "success" then
    consent(store, login, account)
  end
end

local function finish(store, login)
  login.status, login.status_details = login.outcome.status, login.outcome.status_details
  login.warning = login.outcome.warning
  login.settles_at, login.next_step, login.outcome = nil, nil, nil
  login.updated = store:now()
  store:save("login", login)
  update_account(store, login)
end

--- Ends a login: its outcome becomes its status, and the webhooks receive it.
-- @param sandbox the sandbox
-- @tparam string login_id the login; one that is gone or has ended is left alone
function login_flow.finish(sandbox, login_id)
  local store = sandbox.store
  local login = store.login:get(login_id)
  if not login or login.status ~= "pending" then
    return
  end
  if login.next_step then
    login.outcome = { status = "incomplete", status_details = "validation_time_expired" }
  end
  finish(store, login)
  login_flow.announce(sandbox, {
    make_event(store, login, "login.created", "pending_for_data"),
    make_event(store, login, "login." .. login.status, login.status_details),
  }, login.asked_widget and login.widget_id, login.login_id)
end

local function schedule_outcome(sandbox, login, seconds)
  login.settles_at = sandbox.clock() + seconds
  sandbox.store:save("login", login)
  if seconds == 0 then
    login_flow.finish(sandbox, login.login_id)
  else
    sandbox.timers:add(login.settles_at, login.login_id)
  end
end

--- Resumes the logins that were pending when the store was saved.
-- @param sandbox the sandbox
function login_flow.resume(sandbox)
  for _, login in ipairs(sandbox.store.login.list) do
    if login.settles_at then
      sandbox.timers:add(login.settles_at, login.login_id)
    end
  end
end

local function connect(sandbox, user, platform, given, outcome, source)
  local store = sandbox.store
  local account = find_account(store, user, platform, given)
  account.history = given.days or account.history or sandbox.history
  account.pattern = given.pattern or account.pattern
  account.status, account.status_details = "pending", "pending_for_data"
  account.country = given.country or account.country
  store:save("account", account)
  local login = {
    login_id = store:stream("logins"):uuid(),
    user_id = user.user_id,
    account_id = account.account_id,
    widget_id = store:widget_of(given.widget_id).id,
    asked_widget = given.widget_id ~= nil,
    platform = platform,
    country = account.country,
    identifier = given.identifier,
    source = source,
    status = "pending",
    status_details = "pending_for_data",
    outcome = outcome,
    created = store:now(),
    updated = store:now(),
  }
  store:save("login", login)
  return login
end

--- Creates a login that has ended already, without webhooks.
-- @param sandbox the sandbox
-- @tparam table given `platform`, and maybe `country`, `external_id`, `user_id`, `identifier`
-- @tparam table outcome `status`, `status_details`, `warning`
-- @treturn ?table the login; nil if there is no such user
function login_flow.connect_now(sandbox, given, outcome)
  local store = sandbox.store
  local user = find_user(store, given)
  if not user then
    return nil
  end
  local login = connect(sandbox, user, given.platform, given, outcome, "api")
  finish(store, login)
  return login
end

-- Phone numbers get a code by SMS; so do the magic identifiers that fail on it. What looks like a
-- number is one unless the page says that it asked for something else.
local function asks_for_code(given, case, source)
  if constants.code_cases[case or ""] then
    return true
  elseif source ~= "widget" then
    return false
  elseif given.identifier_type then
    return given.identifier_type == "phone"
  end
  return given.identifier:find("^%+?[%d%s()-]+$") ~= nil
end

local function start(sandbox, given, source)
  local platform, case = read_identifier(given.identifier)
  platform = platform or given.platform
  if not platform then
    return nil, response.failure(422, "bad_request",
      "a platform, or an identifier that names one, is required")
  end
  local outcome = outcome_of(case, given.warning)
  if given.warning and outcome.status ~= "success" then
    return nil, response.failure(422, "bad_request",
      "a login that ends as " .. case .. " leaves no warning", "warning")
  end
  local user, is_new = find_user(sandbox.store, given)
  if not user then
    return nil, response.not_found("user")
  end
  local login = connect(sandbox, user, platform, given, outcome, source)
  local started = { login = login, user_created = is_new }
  if asks_for_code(given, case, source) then
    login.status_details, login.next_step = "validation_pending", "otp"
    schedule_outcome(sandbox, login, CODE_LIFETIME)
    return started
  end
  login.authenticated = outcome.status == "success" and sandbox.store:now() or nil
  schedule_outcome(sandbox, login, sandbox.settings.webhook_delay)
  started.outcome = outcome
  return started
end

local function respond(store, started, status)
  local login, outcome = started.login, started.outcome
  local user = store.user:get(login.user_id)
  return response.success(started_shape {
    login_id = login.login_id,
    user_id = login.user_id,
    user_created = started.user_created,
    account_id = login.account_id,
    external_id = user and user.external_id,
    platform = login.platform,
    country = login.country,
    status = login.status,
    status_details = login.status_details,
    outcome = outcome and outcome_shape(outcome),
    next_step = login.next_step,
  }, status)
end

local function creator(declared, source)
  return function(sandbox, request)
    local given, faults = validate.strict_body(declared, request.body)
    if not given then
      return response.invalid(faults)
    elseif source == "widget" and given.consent ~= true then
      return response.failure(422, "bad_request", "the worker's consent is required", "consent")
    elseif source == "widget" and not (given.identifier or ""):find("%S") then
      return response.failure(422, "bad_request", "who logs in is required", "identifier")
    end
    local started, rejection = start(sandbox, given, source)
    if not started then
      return rejection
    end
    return respond(sandbox.store, started, 201)
  end
end

local function give_code(sandbox, request)
  local store = sandbox.store
  local login = store.login:get(request.ids.login_id)
  if not login then
    return response.not_found("login")
  end
  local given, faults = validate.strict_body(code_fields, request.body)
  if not given then
    return response.invalid(faults)
  elseif not login.next_step then
    return response.failure(409, "bad_request", "this login does not wait for a code")
  elseif not given.code:find("%S") then
    return response.failure(422, "bad_request", "the code is empty", "code")
  end
  local outcome = login.outcome
  login.next_step, login.status_details = nil, "pending_for_data"
  login.authenticated = outcome.status == "success" and store:now() or nil
  sandbox.timers:remove(function(login_id)
    return login_id == login.login_id
  end)
  schedule_outcome(sandbox, login, sandbox.settings.webhook_delay)
  return respond(store, { login = login, outcome = outcome, user_created = false }, 200)
end

--- The JSON of a login, as the console shows it.
-- @param sandbox the sandbox
-- @tparam table login the login
-- @treturn table the object, marked as JSON text
function login_flow.render(sandbox, login)
  local user = sandbox.store.user:get(login.user_id)
  local left = login.settles_at and not login.next_step and login.settles_at - sandbox.clock()
  return login_shape(setmetatable({
    external_id = user and user.external_id,
    created_at = date.timestamp(login.created),
    updated_at = date.timestamp(login.updated),
    settles_in = left and math.max(0, left),
  }, { __index = login }))
end

--- The routes of this module.
login_flow.routes = {
  { "POST", "/sandbox/logins", creator(fields, "api"), public = true, body = true },
  { "POST", "/sandbox/logins/{login_id}/code", give_code, public = true, body = true },
  { "POST", "/widget/logins", creator(widget_fields, "widget"), public = true },
  { "POST", "/widget/logins/{login_id}/code", give_code, public = true },
}

return login_flow
