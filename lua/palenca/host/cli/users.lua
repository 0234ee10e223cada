--- palenca users: shows users.
-- @module palenca.host.cli.users
local api_command = require("palenca.host.cli.api_command")
local date_argument = require("palenca.host.cli.date_argument")
local options = require("palenca.host.cli.options")
local rows_command = require("palenca.host.cli.rows_command")

local DAYS = 30

local function read(api, given)
  local search = rows_command.period(given, function()
    return date_argument.days_ago(DAYS)
  end, given.external_id)
  search.external_id = given.external_id
  return api_command.must(api_command.read_rows(api.users:search(search)))
end

return rows_command.new({
  name = "users",
  summary = "Show the users that were created in a time, in the API's order: newest first.",
  noun = "users",
  dated = "users created",
  since = DAYS .. " days ago",
  define = function(command)
    options.add(command, "--external-id", {
      help = "Only the one with this id of your own, whenever it was created.",
      argname = "ID",
    })
  end,
  has_secrets = "With identity numbers, which are masked otherwise.",
  columns = {
    { name = "user_id" },
    { name = "external_id", cut = true },
    { name = "widget_id" },
  },
  read = read,
})
