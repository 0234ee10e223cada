--- The rows of earnings that the API has of accounts, and what it says of the accounts themselves.
-- @module palenca.host.cli.account_rows
local account_state = require("palenca.host.cli.account_state")
local last_day = require("palenca.host.cli.last_day")
local runtime = require("palenca.runtime")
local user_error = require("palenca.host.user_error")

local account_rows = {}

-- Users that are named in a message.
local USERS_NAMED_MAX = 3

-- Of the account itself, beside its rows.
local function read_details(api, account)
  local state, err = account_state.read(api, account)
  if err then
    return nil, err
  end
  return {
    user = account.user_id,
    status = account.status,
    state = state,
    created = account_state.day_of(account.created_at),
    connected = account_state.day_of(account.last_successful_connection),
    data_of = last_day.of_login(account.last_successful_connection),
  }
end

-- Returns the account with its rows, and its details; or nil and the API's error.
local function read_account(api, id, first, last)
  local report
  local account, rows = runtime.gather(function()
    return api.accounts:get(id, { add_user_id = true })
  end, function()
    local all
    all, report = api.accounts:earnings(id, { start_date = first, end_date = last }):all()
    return all, report
  end)
  if account == nil then
    return nil, rows
  end
  local details, err = read_details(api, account)
  if not details then
    return nil, err
  end
  return {
    rows = rows,
    report = report,
    account = id,
    platform = type(account.platform) == "string" and account.platform or nil,
    warning = type(account.warning) == "string" and account.warning or nil,
  }, details
end

-- Each once, since who is named twice earns once, and sorted: the result does not depend on the
-- order of the arguments.
local function each_once(accounts)
  local ids, seen = {}, {}
  for _, id in ipairs(accounts) do
    if not seen[id] then
      seen[id] = true
      ids[#ids + 1] = id
    end
  end
  table.sort(ids)
  return ids
end

--- Reads accounts with their rows, side by side: the rate limit holds over all of them.
-- @tparam Client api
-- @tparam {string,...} given the ids of the accounts
-- @tparam string first the first day
-- @tparam string last the last day
-- @treturn ?{table,...} the accounts, as @{palenca.income.merge} takes them
-- @return account → what the API says of it: `user`, `status`, `state`, `created`, `connected`,
-- `data_of`, each if it is known; or the error of palenca.errors
-- @treturn ?string the account that could not be read
function account_rows.read(api, given, first, last)
  local ids, readers, details, failed = each_once(given), {}, {}, nil
  for at, id in ipairs(ids) do
    readers[at] = function()
      local account, found = read_account(api, id, first, last)
      if account == nil then
        failed = failed or id
        return nil, found -- the error
      end
      details[id] = found
      return account
    end
  end
  local accounts = table.pack(runtime.gather(table.unpack(readers)))
  if accounts[1] == nil then
    return nil, accounts[2], failed
  end
  accounts.n = nil
  return accounts, details
end

--- Raises that accounts are of several users: the sum of what several people earn is nobody's
-- income.
-- @tparam {table,...} accounts of @{read}
-- @tparam {[string]=table} details of @{read}
function account_rows.check_users(accounts, details)
  local named, is_known, count = {}, {}, 0
  for _, account in ipairs(accounts) do
    local id = account.account
    local user = details[id].user
    if user and not is_known[user] then
      is_known[user], count = true, count + 1
      named[#named + 1] = ("%s of user %s"):format(id, user)
    end
  end
  if count > 1 then
    user_error("the accounts are of %d users (%s%s), and an income is one person's: compute each "
      .. "alone, or say with --one-person that they are the same", count,
      table.concat(named, ", ", 1, math.min(count, USERS_NAMED_MAX)),
      count > USERS_NAMED_MAX and ", …" or "")
  end
end

return account_rows
