--- Sends events on demand: any one, or the chain that leads to it, for accounts that exist.
-- @module palenca.sandbox.control.triggers
local constants = require("palenca.sandbox.data.vendor_constants")
local login_flow = require("palenca.sandbox.control.login_flow")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local validate = require("palenca.sandbox.http.validate")

local triggers = {}

local TIMES_MAX = 10000

--- The fields of a request for events.
triggers.fields = {
  { name = "action", check = validate.event_name, required = true },
  { name = "undocumented", check = validate.boolean, default = false },
  { name = "chain", check = validate.boolean, default = false },
  { name = "times", check = validate.integer(1, TIMES_MAX), default = 1 },
  { name = "accounts", check = validate.integer(1, TIMES_MAX), default = 1 },
  { name = "platform", check = validate.one_of(constants.platforms, "platform") },
  { name = "country", check = validate.one_of(constants.countries, "country") },
  { name = "account_id", check = validate.uuid },
  { name = "user_id", check = validate.uuid },
  { name = "external_id", check = validate.string },
  { name = "status_details", check = validate.string },
  { name = "webhook_id", check = validate.uuid },
}

local response_shape = render.shape { "accounts", "deliveries" }

-- The account of an event: the named one, or a new one whose login has ended as the event says.
local function make_account(sandbox, given, status)
  local login = login_flow.connect_now(sandbox, {
    platform = given.platform or "uber",
    country = given.country,
    external_id = given.external_id,
    user_id = given.user_id,
  }, {
    status = status,
    status_details = status == "error" and (given.status_details or "platform_error") or nil,
  })
  return login and sandbox.store.account:get(login.account_id)
end

-- The same body twice is a duplicate to a receiver, which runs it once; and in the API's form only
-- `webhook_id` can differ between two events of one account without naming another worker. So the
-- first event of an account that was made for it names the webhook, and each later one, like all
-- of an account that was there before, has an id of its own there.
local function webhook_id_of(sandbox, given, is_first)
  if given.webhook_id or is_first then
    return given.webhook_id
  end
  return sandbox.store:stream("triggers"):uuid()
end

local function make_event(sandbox, account, action, given, webhook_id)
  local user = sandbox.store.user:get(account.user_id)
  local details = action == given.action and given.status_details or account.status_details
  return {
    user_id = given.user_id or account.user_id,
    account_id = account.account_id,
    external_id = given.external_id or user and user.external_id or "None",
    platform = account.platform,
    status_details = action == "login.created" and "pending_for_data" or details,
    webhook_action = action,
    webhook_id = webhook_id,
  }
end

local function find_accounts(sandbox, given)
  if given.account_id then
    local account = sandbox.store.account:get(given.account_id)
    return account and { account }, response.not_found("account")
  end
  local status = given.action:match("^login%.(%l+)$")
  status = (status == "error" or status == "incomplete") and status or "success"
  local accounts = {}
  for at = 1, math.min(given.accounts, given.times) do
    accounts[at] = make_account(sandbox, given, status)
    if not accounts[at] then
      return nil, response.not_found("user")
    end
  end
  return accounts
end

--- Sends the events, one chain after the other, the accounts taking turns.
-- @param sandbox the sandbox
-- @tparam table given as @{triggers.fields} says
-- @treturn table the response, with the ids of the accounts and of the deliveries
function triggers.respond(sandbox, given)
  if given.account_id and given.accounts > 1 then
    return response.failure(422, "bad_request", "there is one account_id for all events",
      "accounts")
  end
  local unknown = not given.undocumented and validate.undocumented(given.action, constants.events)
  if unknown then
    return response.failure(422, "bad_request", unknown .. " (see undocumented)", "action")
  end
  local accounts, rejection = find_accounts(sandbox, given)
  if not accounts then
    return rejection
  end
  local chain = given.chain and constants.chains[given.action] or {}
  local ids = {}
  for turn = 0, given.times - 1 do
    local account = accounts[turn % #accounts + 1]
    local webhook_id = webhook_id_of(sandbox, given, not given.account_id and turn < #accounts)
    local events = {}
    for at, action in ipairs(chain) do
      events[at] = make_event(sandbox, account, action, given, webhook_id)
    end
    events[#events + 1] = make_event(sandbox, account, given.action, given, webhook_id)
    for _, delivery in ipairs(login_flow.announce(sandbox, events)) do
      ids[#ids + 1] = delivery.delivery_id
    end
  end
  for at, account in ipairs(accounts) do
    accounts[at] = account.account_id
  end
  return response.success(response_shape {
    accounts = render.array(accounts), deliveries = render.array(ids),
  }, 201)
end

return triggers
