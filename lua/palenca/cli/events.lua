--- palenca events: shows what is in the event store.
-- @module palenca.cli.events
local failure = require("palenca.failure")
local host = require("palenca.host")
local json = require("palenca.json")
local options = require("palenca.cli.options")
local redact = require("palenca.redact")

local events = { name = "events", summary = "Look at the stored events." }

function events.define(command)
  command:command_target("events_command")
  local list = command:command("list", "List events, the oldest first.")
  options.add(list, "--db", {
    help = "The database.",
    env = "PALENCA_DB",
    default = "palenca.db",
    argname = "FILE",
  })
  list:option("--state", "Only those in this state.")
    :choices({ "received", "running", "retry", "done", "dead" })
  list:option("--limit", "At most so many; 0: all. Default: 0."):argname("N"):default("0")
    :show_default(false):convert(options.count)
  options.add_json(list)
end

local function timestamp(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(seconds))
    .. string.format(".%03dZ", math.floor(seconds * 1000) % 1000)
end

local function as_text(event)
  local line = string.format("%d  %s  %-8s  attempts %d  %-16s  %s", event.id,
    timestamp(event.received_at), event.state, event.attempts, event.action,
    event.account_id or "-")
  if event.error then
    line = line .. "  " .. event.error:gsub("%s+", " ")
  end
  return redact.line(line)
end

local function as_json(event)
  event.received_at = timestamp(event.received_at)
  return json.encode(event)
end

function events.run(given)
  local count = 0
  local ok, problem = host.list(given.db, { state = given.state, limit = given.limit },
    function(event)
      count = count + 1
      print((given.json and as_json or as_text)(event))
    end)
  if not ok then
    failure("%s", problem)
  end
  if count == 0 and not given.json then
    print("no events")
  end
end

return events
