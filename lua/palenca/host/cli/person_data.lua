--- Finds what is stored of a person: events, decisions, and what identifies the person in them.
-- @module palenca.host.cli.person_data
local host = require("palenca.host")
local redact = require("palenca.util.redact")
local user_error = require("palenca.host.user_error")

local PersonData = {}
PersonData.__index = PersonData

local person_data = {}

--- The minimum length of an id that is looked for: a shorter one would be found in other words.
person_data.ID_SIZE_MIN = 4

local function check(result, problem)
  if not result then
    user_error("%s", problem)
  end
  return result
end

--- Starts with what is known of a person.
-- @tparam string db the database
-- @tparam ?string user_id
-- @tparam {string,...} accounts ids of accounts that are the person's, whomever their events name
-- @treturn PersonData with `events` and `decisions`, lists of ids and numbers that are found and
-- were not taken; `shared`, the accounts that are others' as well; `is_server`, whether the
-- database is at one
function person_data.new(db, user_id, accounts)
  local self = setmetatable({
    db = db,
    is_server = host.events.is_server(db),
    user_id = user_id,
    accounts = accounts,
    is_account = {},
    found_accounts = {},
    is_found = {},
    shared = {},
    kinds = {},
    events = {},
    decisions = {},
    last_event = 0,
    seen = {},
  }, PersonData)
  for _, id in ipairs(accounts) do
    self.is_account[id] = true
    self.kinds[id] = "account"
  end
  if user_id then
    self.kinds[user_id] = "user"
  end
  return self
end

-- What must not be in the files any more. Only in memory: it is neither shown nor logged. Whoever
-- has an account that is forgotten alone may have others, with the same numbers.
local function add_numbers(self, text)
  for _, number in ipairs(self.user_id and text and redact.identity_numbers(text) or {}) do
    self.kinds[number] = self.kinds[number] or "identity number"
  end
end

local function add_account(self, id)
  if id and id ~= "" and not self.is_account[id] and not self.is_found[id] then
    self.is_found[id] = true
    table.insert(self.found_accounts, id)
  end
end

-- Each once: `at` is where in the list.
local function add(self, kind, id, at)
  local key = kind .. id
  if not self.seen[key] then
    self.seen[key] = true
    table.insert(self[kind], at or #self[kind] + 1, id)
    return true
  end
end

local function add_event(self, event, at)
  if add(self, "events", event.id, at) then
    add_numbers(self, event.body)
    add_numbers(self, event.error)
    add_numbers(self, event.attempts)
  end
end

local function add_decision(self, entry)
  if add(self, "decisions", entry.number) then
    add_numbers(self, entry.rows)
    add_numbers(self, entry.details)
  end
end

local function each_decision(self, filter, each)
  filter.with_rows = true
  check(host.decisions.list(self.db, filter, each))
end

-- ---- the user, and the accounts that were named ----------------------------------------

local function find_events(self)
  return check(host.forget.events(self.db, {
    after = self.last_event,
    user_id = self.user_id,
    accounts = self.accounts,
    texts = {},
  }, function(event)
    add_event(self, event)
    if self.user_id and event.user_id == self.user_id then
      add_account(self, event.account_id)
    end
  end))
end

local function find_decisions(self)
  if self.user_id then
    each_decision(self, { user_id = self.user_id }, function(entry)
      add_decision(self, entry)
      add_account(self, entry.account_id)
    end)
  end
  for _, id in ipairs(self.accounts) do
    each_decision(self, { account_id = id }, function(entry)
      add_decision(self, entry)
    end)
  end
end

-- ---- the accounts that were found -------------------------------------------------------

-- An account may have been reassigned: what names another user is not this person's.
local function is_theirs(self, owner, account_id)
  if owner and owner ~= "" and owner ~= self.user_id then
    self.shared[account_id] = true
    return false
  end
  return true
end

-- Before those that name the user: without these nothing would say whose account it is, should the
-- command be ended in between.
local function find_of_accounts(self, accounts, after)
  local at = 1
  check(host.forget.events(self.db, { after = after, accounts = accounts, texts = {} },
    function(event)
      if is_theirs(self, event.user_id, event.account_id) and not self.seen["events" .. event.id]
      then
        add_event(self, event, at)
        at = at + 1
      end
    end))
  for _, id in ipairs(accounts) do
    each_decision(self, { account_id = id }, function(entry)
      if is_theirs(self, entry.user_id, id) then
        add_decision(self, entry)
      end
    end)
  end
end

--- Finds what has come since the last time.
function PersonData:find()
  local known = table.move(self.found_accounts, 1, #self.found_accounts, 1, {})
  local last = find_events(self)
  find_decisions(self)
  local new = table.move(self.found_accounts, #known + 1, #self.found_accounts, 1, {})
  if #known > 0 then
    find_of_accounts(self, known, self.last_event)
  end
  if #new > 0 then
    find_of_accounts(self, new, 0)
  end
  self.last_event = last
end

--- Takes some of what is found.
-- @tparam integer max of events, and of decisions
-- @treturn {integer,...} ids of events
-- @treturn {integer,...} numbers of decisions
function PersonData:take(max)
  local taken = {}
  for _, kind in ipairs({ "events", "decisions" }) do
    local list = self[kind]
    taken[kind] = table.move(list, 1, math.min(#list, max), 1, {})
    self[kind] = table.move(list, max + 1, #list, 1, {})
  end
  return taken.events, taken.decisions
end

--- Puts events back that could not be removed.
-- @tparam {integer,...} ids
function PersonData:put_back(ids)
  table.move(ids, 1, #ids, #self.events + 1, self.events)
end

--- What no file may hold.
-- @treturn {string,...} texts
-- @treturn {[string]=string} what each of them is: `user`, `account`, `identity number`
function PersonData:texts()
  local kinds, list = {}, {}
  for text, kind in pairs(self.kinds) do
    kinds[text] = kind
  end
  for _, id in ipairs(self.found_accounts) do
    if not self.shared[id] and #id >= person_data.ID_SIZE_MIN then
      kinds[id] = kinds[id] or "account"
    end
  end
  for text in pairs(kinds) do
    list[#list + 1] = text
  end
  table.sort(list)
  return list, kinds
end

--- The ids of the events that have one of these texts in them.
-- @tparam {string,...} texts
-- @treturn {integer,...}
function PersonData:events_with(texts)
  local ids = {}
  check(host.forget.events(self.db, { after = 0, accounts = {}, texts = texts }, function(event)
    ids[#ids + 1] = event.id
  end))
  return ids
end

-- Those that are not known to be of the person.
local function of_others(self, kind, found)
  local others = {}
  for _, id in ipairs(found) do
    if not self.seen[kind .. id] then
      others[#others + 1] = id
    end
  end
  return others
end

--- What is compressed in the database of others and has one of these texts in it, or is damaged, so
-- that it may have: no file shows it.
-- @tparam {string,...} texts
-- @treturn {[string]={integer,...}} `responses` and `damaged_responses`, ids of the events whose
-- recorded responses these are; `decisions` and `damaged_decisions`, numbers of those whose rows or
-- details these are
function PersonData:compressed_with(texts)
  local found = { responses = {}, damaged_responses = {}, decisions = {}, damaged_decisions = {} }
  check(host.forget.search_compressed(self.db, texts, function(kind, id, is_damaged)
    table.insert(found[is_damaged and "damaged_" .. kind or kind], id)
  end))
  self:find() -- what has come since the files were read is of the person, and stored like any other
  for kind, ids in pairs(found) do
    found[kind] = of_others(self, kind:find("responses$") and "events" or "decisions", ids)
  end
  return found
end

return person_data
