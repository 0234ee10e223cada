--- Holds what the sandbox knows: users, accounts, logins, webhooks and more, as plain records that
-- name each other by id.
-- @module palenca.sandbox.data.store
local collection = require("palenca.sandbox.data.collection")
local date = require("palenca.util.date")
local earnings = require("palenca.sandbox.data.earnings")
local people = require("palenca.sandbox.data.people")
local random = require("palenca.sandbox.data.random")

local store = {}
store.__index = store

--- The widget of those who name none; the one that the examples name.
store.DEFAULT_WIDGET = "b679c2fb-a096-4c26-a902-245f9bce66d9"

-- The id field of each kind of record.
local kinds = {
  user = "user_id",
  account = "account_id",
  login = "login_id",
  webhook = "webhook_id",
  widget = "id",
  consent = "consent_id",
  delivery = "delivery_id",
  earnings = "account_id",
}

-- Earnings and persons are made anew from the account's id when they are asked for again, so only
-- those of the accounts used last are held.
local HELD = 1000

local function add_tutorial(self)
  local user_id = "d1c9b98b-3190-479e-99db-04060ff3997f"
  local created = date.parse("2025-03-15") * 86400 + 12 * 3600
  self:save("user", { user_id = user_id, widget_id = store.DEFAULT_WIDGET, created = created })
  self:save("account", {
    account_id = "cb39ee15-f29f-427d-9119-0c627575610d",
    user_id = user_id,
    platform = "uber",
    country = "mx",
    status = "success",
    created = created,
    connected = created,
    history = "tutorial",
  })
  self:save("login", {
    login_id = "5fb1c2a4-3b8c-4c0e-9a51-2f6f5d6f7a10",
    account_id = "cb39ee15-f29f-427d-9119-0c627575610d",
    user_id = user_id,
    platform = "uber",
    source = "widget",
    status = "success",
    created = created,
    updated = created,
  })
end

--- Makes a store that holds the tutorial's account and nothing else.
-- @tparam integer seed what ids and keys are drawn from
-- @tparam function clock returns Unix time in seconds
-- @tparam ?function on_change called with the kind of each record that was saved or removed
-- @treturn store the store
function store.new(seed, clock, on_change)
  local self = setmetatable({
    seed = seed,
    clock = clock,
    on_change = on_change or function() end,
    streams = {},
    by_external_id = {},
    accounts_of_user = {},
    logins_of_account = {},
    consents_of_gov_id = {},
    held = { young = {}, old = {}, count = 0 },
  }, store)
  for kind, key in pairs(kinds) do
    self[kind] = collection.new(key)
  end
  self:widget_of(nil)
  add_tutorial(self)
  return self
end

--- Notes every change from now on in a journal; what the journal holds is taken over first.
-- @tparam journal book the journal
-- @tparam table entries what it holds, as `journal.open` returns it
-- @tparam integer runs how many runs have written to it
function store:attach(book, entries, runs)
  for _, entry in ipairs(entries) do
    if entry.kind == "meta" then
      goto continue
    elseif not kinds[entry.kind] then
      error(("%s: it holds a record of an unknown kind, %s"):format(book.path, entry.kind), 0)
    elseif entry.record then
      self:save(entry.kind, entry.record)
    else
      self:remove(entry.kind, entry.id)
    end
    ::continue::
  end
  -- ids drawn in an earlier run must not come again
  self.run = runs + 1
  self.streams = {}
  self.journal = book
  book:record("meta", "run", { number = self.run })
end

--- The stream of chance for one purpose, so that one kind of id does not depend on how many of
-- another were drawn.
-- @tparam string purpose its name
-- @treturn random the stream
function store:stream(purpose)
  local stream = self.streams[purpose]
  if not stream then
    local later = self.run and self.run > 1 and self.run or nil
    stream = random.new(self.seed, purpose, later)
    self.streams[purpose] = stream
  end
  return stream
end

-- What is found by another record's id: a list of records for each.
local function enter(index, id, record)
  if id then
    index[id] = index[id] or {}
    table.insert(index[id], record)
  end
end

local function leave(index, id, record)
  for at, entry in ipairs(id and index[id] or {}) do
    if entry == record then
      table.remove(index[id], at)
      break
    end
  end
  if id and index[id] and #index[id] == 0 then
    index[id] = nil
  end
end

local function indexed(self, kind, change, record)
  if kind == "account" then
    change(self.accounts_of_user, record.user_id, record)
  elseif kind == "login" then
    change(self.logins_of_account, record.account_id, record)
  elseif kind == "consent" then
    change(self.consents_of_gov_id, record.gov_id, record)
  elseif kind == "user" then
    change(self.by_external_id, record.external_id, record)
  end
end

--- Keeps a record, and notes it.
-- @tparam string kind its kind
-- @tparam table record the record, with its id; the ids of other records in it only change by
-- @{store:move_account}
function store:save(kind, record)
  local known = self[kind]:get(record[kinds[kind]])
  if known ~= record then
    if known then
      indexed(self, kind, leave, known)
    end
    indexed(self, kind, enter, record)
  end
  self[kind]:put(record)
  if kind == "earnings" then
    self:forget(record.account_id)
  end
  if self.journal then
    self.journal:record(kind, record[kinds[kind]], record)
  end
  self.on_change(kind)
end

--- Removes a record.
-- @tparam string kind its kind
-- @tparam string id its id
function store:remove(kind, id)
  local known = self[kind]:remove(id)
  if known then
    indexed(self, kind, leave, known)
    if self.journal then
      self.journal:record(kind, id, nil)
    end
    self.on_change(kind)
  end
end

--- The present time.
-- @treturn integer Unix time in whole seconds
function store:now()
  return math.floor(self.clock())
end

--- The widget with an id, made when it is named for the first time: the id of a real one works.
-- @tparam ?string id the id; nil: the default one
-- @treturn table the widget
function store:widget_of(id)
  local widget = self.widget:get(id or store.DEFAULT_WIDGET)
  if not widget then
    widget = {
      id = id or store.DEFAULT_WIDGET,
      name = id and "Widget " .. id:sub(1, 8) or "Sandbox",
      created = self:now(),
    }
    self:save("widget", widget)
  end
  return widget
end

--- Makes a user.
-- @tparam table given `user_id`, `external_id`, `widget_id`, all optional
-- @treturn table the user
function store:create_user(given)
  local user = {
    user_id = given.user_id or self:stream("users"):uuid(),
    external_id = given.external_id,
    widget_id = self:widget_of(given.widget_id).id,
    created = self:now(),
  }
  self:save("user", user)
  return user
end

--- Finds a user by the id of your own system; of several, the last one created.
-- @tparam ?string external_id the id
-- @treturn ?table the user
function store:user_by_external_id(external_id)
  local found = external_id and self.by_external_id[external_id]
  return found and found[#found]
end

--- The accounts of a user, in the order in which they were connected.
-- @tparam string user_id the user
-- @treturn table the accounts
function store:accounts_of(user_id)
  return self.accounts_of_user[user_id] or {}
end

--- The logins of an account, the first one first.
-- @tparam string account_id the account
-- @treturn table the logins
function store:logins_of(account_id)
  return self.logins_of_account[account_id] or {}
end

--- The consents that were given for an identity number, the first one first.
-- @tparam string gov_id the number
-- @treturn table the consents
function store:consents_of(gov_id)
  return self.consents_of_gov_id[gov_id] or {}
end

-- The consents of an account. Not found by its identity number: after a login from another country
-- that is another one.
local function consents_of_account(self, account_id)
  local found = {}
  for _, consent in ipairs(self.consent.list) do
    if consent.account_id == account_id then
      found[#found + 1] = consent
    end
  end
  return found
end

--- Reassigns an account to another user, with its logins and consents.
-- @tparam table account the account
-- @tparam table user the user
function store:move_account(account, user)
  leave(self.accounts_of_user, account.user_id, account)
  account.user_id = user.user_id
  enter(self.accounts_of_user, user.user_id, account)
  self:save("account", account)
  for _, login in ipairs(self:logins_of(account.account_id)) do
    login.user_id = user.user_id
    self:save("login", login)
  end
  for _, consent in ipairs(consents_of_account(self, account.account_id)) do
    consent.user_id, consent.external_id = user.user_id, user.external_id
    self:save("consent", consent)
  end
end

--- Removes an account with its logins and consents.
-- @tparam table account the account
function store:delete_account(account)
  for _, login in ipairs({ table.unpack(self:logins_of(account.account_id)) }) do
    self:remove("login", login.login_id)
  end
  for _, consent in ipairs(consents_of_account(self, account.account_id)) do
    self:remove("consent", consent.consent_id)
  end
  self:remove("earnings", account.account_id)
  self:remove("account", account.account_id)
  self:forget(account.account_id)
end

--- Removes a user with their accounts.
-- @tparam table user the user
function store:delete_user(user)
  for _, account in ipairs({ table.unpack(self:accounts_of(user.user_id)) }) do
    self:delete_account(account)
  end
  self:remove("user", user.user_id)
end

-- Something made from an account's id, held while it is in use.
local function hold(self, name, account, make)
  local held = self.held
  local key = name .. account.account_id
  local found = held.young[key]
  if not found then
    found = held.old[key] or make(account)
    held.count = held.count + 1
    if held.count > HELD then
      held.old, held.young, held.count = held.young, {}, 1
    end
    held.young[key] = found
  end
  return found
end

--- Discards the generated data of an account, so that it is generated again.
-- @tparam string account_id the account
function store:forget(account_id)
  for _, name in ipairs({ "earnings/", "person/" }) do
    self.held.young[name .. account_id] = nil
    self.held.old[name .. account_id] = nil
  end
end

--- The earnings of an account.
-- @tparam table account the account
-- @treturn earnings its rows; none if it was never connected
function store:earnings_of(account)
  return hold(self, "earnings/", account, function()
    local kept = self.earnings:get(account.account_id)
    if kept then
      return earnings.new(kept.rows)
    elseif not account.connected then
      return earnings.new({})
    elseif account.history == "tutorial" then
      return earnings.tutorial()
    end
    return earnings.generate(account, date.day_of(account.connected),
      earnings.days(account.platform, account.history))
  end)
end

--- The person behind an account.
-- @tparam table account the account
-- @treturn table as from @{people.generate}; empty if the account was never connected
function store:person_of(account)
  if not account.connected then
    return {}
  end
  return hold(self, "person/", account, people.generate)
end

--- The identity number of an account's person.
-- @tparam table account the account
-- @treturn ?string the number; nil if the account was never connected
function store:gov_id_of(account)
  local ids = self:person_of(account).ids_info
  return ids and ids[1].value
end

return store
