--- palenca accounts: shows the accounts of users.
-- @module palenca.host.cli.accounts
local api_command = require("palenca.host.cli.api_command")
local date_argument = require("palenca.host.cli.date_argument")
local options = require("palenca.host.cli.options")
local rows_command = require("palenca.host.cli.rows_command")
local user_error = require("palenca.host.user_error")

local DAYS = 30

-- Fewer are read before anybody asks how far it is.
local SHOWN_MIN = 20

-- Each once.
local function users_of(api, given)
  local users, seen = {}, {}
  local function add(user)
    if not seen[user] then
      seen[user] = true
      users[#users + 1] = user
    end
  end
  for _, user in ipairs(given.users) do
    add(user)
  end
  if #users > 0 then
    return users
  end
  local search = rows_command.period(given, function()
    return date_argument.days_ago(DAYS)
  end, given.external_id)
  search.external_id = given.external_id
  for _, user in ipairs(api_command.must(api_command.read_rows(api.users:search(search)))) do
    add(user.user_id)
  end
  return users
end

-- Whoever has an account's id looks for it here.
local function fail(api, user, err)
  local account = err.kind == "not_found" and api.accounts:get(user, { add_user_id = true })
  if account and account.user_id then
    user_error("%s is an account, and accounts are listed of users: 'palenca accounts %s', which "
      .. "is its user", user, account.user_id)
  end
  api_command.must(nil, err, "user " .. user)
end

local function read_all(api, users, bar)
  local all = {}
  for _, user in ipairs(users) do
    local data, err = api.users:accounts(user)
    if not data then
      fail(api, user, err)
    end
    for _, account in ipairs(data.accounts or {}) do
      account.user_id = user
      all[#all + 1] = account
    end
    if bar then
      bar:advance()
    end
  end
  return all
end

local function read(api, given, start_progress)
  local users = users_of(api, given)
  local bar = #users >= SHOWN_MIN and start_progress(#users, "users") or nil
  local ok, result = pcall(read_all, api, users, bar)
  if bar then
    bar:clear()
  end
  if not ok then
    error(result, 0)
  end
  return result
end

return rows_command.new({
  name = "accounts",
  summary = "Show the accounts of users, newest first.",
  noun = "accounts",
  dated = "accounts of users created",
  argument = { name = "users", help = "The users' ids. Without any: all who were created since, "
    .. "with a request for each.", argname = "USER", args = "*" },
  since = DAYS .. " days ago",
  filters = { "platform", "status" },
  newest = "created_at",
  define = function(command)
    options.add(command, "--external-id", {
      help = "Only those of the user with this id of your own, whenever it was created.",
      argname = "ID",
    })
  end,
  problem = function(given)
    return #given.users > 0 and given.external_id
      and "users and --external-id: only one can be meant" or nil
  end,
  has_secrets = "With identity numbers, which are masked otherwise.",
  columns = {
    { name = "account_id" },
    { name = "platform" },
    { name = "status" },
    { name = "created_at" },
    { name = "status_details" },
    { name = "country" },
    { name = "warning" },
    { name = "identifier", cut = true },
    { name = "gov_id" },
    { name = "last_successful_connection" },
    { name = "worker_id" },
    { name = "user_id" },
  },
  read = read,
})
