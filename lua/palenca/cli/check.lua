--- palenca check: tells whether a script can be served, without sending anything.
-- @module palenca.cli.check
local client = require("palenca.client")
local errors = require("palenca.errors")
local event_names = require("palenca.cli.event_names")
local events = require("palenca.events")
local host = require("palenca.host")
local output = require("palenca.cli.output")
local report = require("palenca.report")
local runtime = require("palenca.runtime")
local script = require("palenca.script")
local timers = require("palenca.timers")

local check = {
  name = "check",
  summary = "Load a script that is to be served, without sending anything; tell what it handles.",
  is_text = true,
}

local FAILED = 1

function check.define(command)
  command:argument("script", "The Lua file."):argname("SCRIPT")
end

local function refuse()
  error(errors.new({ kind = "network", message = "palenca check sends no requests" }), 0)
end

function check.run(given)
  runtime.use({ submit = refuse, wait = refuse, cancel = refuse, sleep = refuse })
  if (os.getenv("PALENCA_API_KEY") or "") == "" then
    client.set_defaults({ api_key = "checked-without-a-key" })
  end
  timers.serve()
  events.limit_caps(host.task.CAPS_MAX)
  output.watch_script()
  local ok, problem = pcall(script.load, given.script)
  output.check_reader()
  if not ok then
    report.problem(tostring(problem), { command = "check" })
    return FAILED
  end
  local actions = events.actions()
  event_names.warn(given.script, actions)
  local texts = timers.descriptions()
  table.move(texts, 1, #texts, #actions + 1, actions)
  if #actions == 0 then
    output.text(given.script .. ": ok, but it handles no event (palenca.on is never called)")
  else
    output.text(string.format("%s: ok, handles %s", given.script, table.concat(actions, ", ")))
  end
end

return check
