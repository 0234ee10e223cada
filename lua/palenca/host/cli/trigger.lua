--- palenca trigger: makes events, through the sandbox or straight to a receiver.
-- @module palenca.host.cli.trigger
local api_values = require("palenca.util.api_values")
local argcheck = require("palenca.util.argcheck")
local constants = require("palenca.sandbox.data.vendor_constants")
local client = require("palenca.client")
local core = require("palenca.core")
local event_names = require("palenca.host.event_names")
local options = require("palenca.host.cli.options")
local program_log = require("palenca.host.program_log")
local suggest = require("palenca.util.suggest")
local trigger_sender = require("palenca.host.cli.trigger_sender")

local trigger = { name = "trigger", summary = "Make events, as a login would." }

local FAILED, WRONG_USAGE = 1, 2

local fields = { "account_id", "external_id", "status_details", "user_id", "webhook_id" }

local function action(text)
  if not text:find("^[%w_]+%.[%w_]+$") then
    return nil, string.format("'%s' is not an event's name, such as login.success", text)
  end
  return text
end

local function url(text)
  if not core.check_url(text) then
    return nil, string.format("'%s' is not a URL, such as http://127.0.0.1:8080/…", text)
  end
  return text
end

-- The variable may have the API's URL as its own examples write it.
local function sandbox_url(text)
  local checked, problem = url(text)
  if not checked then
    return nil, problem
  end
  return client.root_of(checked)
end

local function known(set, what)
  return function(text)
    if not set[text] then
      return nil, string.format("'%s' is not a %s that is known%s", text, what,
        suggest.text(text, set))
    end
    return text
  end
end

local status_details = options.no_typo("status_details", argcheck.words(api_values.status_details))

local function override(text)
  local name, value = text:match("^([%w_]+)=(.*)$")
  if not name then
    return nil, string.format("--set: '%s' is not FIELD=VALUE", text)
  end
  for _, field in ipairs(fields) do
    if field == name then
      local _, problem = status_details(name == "status_details" and value or "")
      return not problem and { name = name, value = value } or nil, problem
    end
  end
  return nil, string.format("--set: '%s' is none of the fields %s%s", name,
    table.concat(fields, ", "), suggest.text(name, fields))
end

function trigger.define(command)
  command:argument("action", "The event, such as login.success."):argname("ACTION"):convert(action)
  options.add(command, "--sandbox", {
    help = "The sandbox that makes the accounts and sends the events to its webhooks.",
    env = "PALENCA_BASE_URL",
    default = "http://127.0.0.1:8400",
    convert = sandbox_url,
    argname = "URL",
  })
  options.add(command, "--url", {
    help = "Send straight to this receiver instead, for accounts that exist nowhere.",
    env = "PALENCA_WEBHOOK_URL",
    convert = url,
    argname = "URL",
  })
  command:flag("--undocumented", "Send it although the API's documentation does not name it.")
  command:flag("--chain", "Send the events that lead to it first: login.created before "
    .. "login.success.")
  options.add(command, "--times", {
    help = "How many times. No two events are the same to the receiver: what repeats for an "
      .. "account has a webhook_id of its own, unless --set names one.",
    default = 1,
    convert = options.positive,
    argname = "N",
  })
  options.add(command, "--accounts", {
    help = "For how many accounts, which take turns.", default = 1, convert = options.positive,
    argname = "N",
  })
  options.add(command, "--platform", {
    help = "The platform of the accounts.",
    default = "uber",
    convert = known(constants.platforms, "platform"),
    words = event_names.platforms(),
    argname = "NAME",
  })
  options.add(command, "--country", {
    help = "Their country; otherwise one where the platform is at home.",
    convert = known(constants.countries, "country"),
    argname = "CODE",
  })
  options.add(command, "--set", {
    help = "Override a field of the event: " .. table.concat(fields, ", ") .. ". May be repeated.",
    convert = override,
    is_list = true,
    argname = "FIELD=VALUE",
  })
  options.add_json(command)
end

local function problem_of(given)
  local unknown = not given.undocumented and event_names.problem(given.action)
  if unknown then
    return "unknown action: " .. unknown .. " (see --undocumented)"
  elseif given.fields.account_id and given.accounts > 1 then
    return "--set account_id names one account, and --accounts several"
  end
end

function trigger.run(given)
  given.fields = {}
  for _, set in ipairs(given.set) do
    given.fields[set.name] = set.value
  end
  local problem = problem_of(given)
  if problem then
    program_log.problem(problem, "Try 'palenca trigger --help'.")
    return WRONG_USAGE
  end
  local all_taken
  if given.url then
    all_taken, problem = trigger_sender.send(given)
  else
    all_taken, problem = trigger_sender.ask_sandbox(given)
  end
  if problem then
    program_log.problem(problem)
  end
  return all_taken and 0 or FAILED
end

return trigger
