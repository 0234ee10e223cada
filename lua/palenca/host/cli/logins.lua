--- palenca logins: shows attempts to connect accounts.
-- @module palenca.host.cli.logins
local api_command = require("palenca.host.cli.api_command")
local date_argument = require("palenca.host.cli.date_argument")
local rows_command = require("palenca.host.cli.rows_command")

local DAYS = 30

-- Of some accounts: the API has no search for these.
local function of_accounts(api, given)
  local all = {}
  for _, account in ipairs(given.accounts) do
    local data, err = api.accounts:logins(account)
    api_command.must(data, err, "account " .. account)
    for _, login in ipairs(data.logins or {}) do
      local day = type(login.created_at) == "string" and login.created_at:sub(1, 10) or nil
      if (not given.since or day and day >= given.since)
        and (not given["until"] or day and day <= given["until"]) then
        login.account_id = login.account_id or account
        all[#all + 1] = login
      end
    end
  end
  return all
end

local function read(api, given)
  if #given.accounts > 0 then
    return of_accounts(api, given)
  end
  local period = rows_command.period(given, function()
    return date_argument.days_ago(DAYS)
  end)
  return api_command.must(api_command.read_rows(api.logins:search(period)))
end

return rows_command.new({
  name = "logins",
  summary = "Show attempts to connect accounts, newest first.",
  noun = "logins",
  argument = { name = "accounts", help = "Only those of these accounts; all of them, unless "
    .. "--since is set.", argname = "ACCOUNT", args = "*", convert = rows_command.id },
  since = DAYS .. " days ago",
  filters = { "platform", "status" },
  newest = "created_at",
  columns = {
    { name = "created_at" },
    { name = "account_id" },
    { name = "platform" },
    { name = "status" },
    { name = "status_details" },
    { name = "source" },
    { name = "id" },
  },
  read = read,
})
