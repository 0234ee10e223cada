--- Holds what the sandbox knows: users, accounts, logins and webhooks, in plain tables.
-- @module palenca.sandbox.store
local dates = require("palenca.sandbox.dates")
local earnings = require("palenca.sandbox.earnings")
local people = require("palenca.sandbox.people")
local random = require("palenca.sandbox.random")

local store = {}
store.__index = store

local function add_tutorial(self)
  local user = { user_id = "d1c9b98b-3190-479e-99db-04060ff3997f", accounts = {} }
  self:put_user(user)
  self:put_account(user, {
    account_id = "cb39ee15-f29f-427d-9119-0c627575610d",
    platform = "uber",
    country = "mx",
    status = "success",
    created_at = "2025-03-15T12:00:00Z",
    last_successful_connection = "2025-03-15T12:00:00Z",
    earnings = earnings.tutorial(),
  })
end

--- Makes a store that holds the tutorial's account and nothing else.
-- @tparam integer seed what ids and keys are drawn from
-- @tparam function clock returns Unix time in seconds
-- @treturn store the store
function store.new(seed, clock)
  local self = setmetatable({
    seed = seed,
    clock = clock,
    streams = {},
    users = {},
    users_by_external_id = {},
    accounts = {},
    webhooks = {},
  }, store)
  self.default_widget_id = self:stream("widget"):uuid()
  add_tutorial(self)
  return self
end

--- The stream of chance for one purpose, so that one kind of id does not depend on how many of
-- another were drawn.
-- @tparam string purpose its name
-- @treturn random the stream
function store:stream(purpose)
  local stream = self.streams[purpose]
  if not stream then
    stream = random.new(self.seed, purpose)
    self.streams[purpose] = stream
  end
  return stream
end

--- The present moment as the API writes it.
-- @treturn string YYYY-MM-DDThh:mm:ssZ
function store:timestamp()
  return dates.timestamp(self.clock())
end

--- Keeps a user. Of several with one external id, the last is the one found by it.
-- @tparam table user the user, with `user_id`
function store:put_user(user)
  user.widget_id = user.widget_id or self.default_widget_id
  self.users[user.user_id] = user
  if user.external_id then
    self.users_by_external_id[user.external_id] = user
  end
end

--- Makes a user.
-- @tparam table given `user_id`, `external_id`, `widget_id`, all optional
-- @treturn table the user
function store:create_user(given)
  local user = {
    user_id = given.user_id or self:stream("users"):uuid(),
    external_id = given.external_id,
    widget_id = given.widget_id,
    accounts = {},
  }
  self:put_user(user)
  return user
end

--- Keeps an account under its user.
-- @tparam table user the user
-- @tparam table account the account, with `account_id`
function store:put_account(user, account)
  account.user = user
  self.accounts[account.account_id] = account
  user.accounts[#user.accounts + 1] = account
end

--- Makes an account of a login that just ended.
-- @tparam table user whose it is
-- @tparam table given `platform`, `country`, `identifier`, `status`, `status_details`, `warning`
-- @treturn table the account
function store:create_account(user, given)
  local stream = self:stream("accounts")
  local account = {
    account_id = stream:uuid(),
    worker_id = stream:uuid(),
    created_at = self:timestamp(),
    login_day = dates.day_of(self.clock()),
  }
  for name, value in pairs(given) do
    account[name] = value
  end
  if account.status == "success" then
    account.last_successful_connection = account.created_at
  end
  self:put_account(user, account)
  return account
end

--- Gives a login an id of its own.
-- @tparam table login the login
-- @treturn table the login, with `login_id`
function store:create_login(login)
  login.login_id = self:stream("logins"):uuid()
  login.created_at = self:timestamp()
  return login
end

--- The earnings of an account, made up when first asked for: most are never read.
-- @tparam table account the account
-- @treturn earnings its rows; none if its login failed
function store.earnings_of(account)
  if not account.earnings then
    account.earnings = account.status == "success"
      and earnings.generate(
        account.account_id, account.platform, account.country, account.login_day)
      or earnings.new({})
  end
  return account.earnings
end

--- The person behind an account, made up when first asked for.
-- @tparam table account the account
-- @treturn table as from @{people.generate}; empty if its login failed
function store.person_of(account)
  if not account.person then
    account.person = account.status == "success" and people.generate(account) or {}
  end
  return account.person
end

--- Finds a webhook.
-- @tparam string webhook_id its id
-- @treturn ?table the webhook
-- @treturn ?integer its position in `webhooks`, which is in order of creation
function store:find_webhook(webhook_id)
  for index, webhook in ipairs(self.webhooks) do
    if webhook.webhook_id == webhook_id then
      return webhook, index
    end
  end
end

return store
