--- palenca check: tells whether a script can be served, without sending anything.
-- @module palenca.cli.check
local catalogue = require("palenca.sandbox.catalogue")
local client = require("palenca.client")
local errors = require("palenca.errors")
local events = require("palenca.events")
local host = require("palenca.host")
local runtime = require("palenca.runtime")
local script = require("palenca.script")
local timers = require("palenca.timers")

local check = {
  name = "check",
  summary = "Load a script that is to be served, without sending anything; tell what it handles.",
}

local FAILED = 1

-- Those that the API's documentation names, today's and older ones.
local known = {}
for action in pairs(catalogue.actions) do
  known[action] = true
  known[action:match("^[^.]+") .. ".*"] = true
end

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
  local ok, problem = pcall(script.load, given.script)
  if not ok then
    io.stderr:write("palenca check: " .. tostring(problem) .. "\n")
    return FAILED
  end
  local actions = events.actions()
  for _, action in ipairs(actions) do
    if action ~= "*" and not known[action] then
      io.stderr:write(string.format("%s: warning: no documented event fits '%s'\n",
        given.script, action))
    end
  end
  local texts = timers.descriptions()
  table.move(texts, 1, #texts, #actions + 1, actions)
  if #actions == 0 then
    print(given.script .. ": ok, but it handles no event (palenca.on is never called)")
  else
    print(string.format("%s: ok, handles %s", given.script, table.concat(actions, ", ")))
  end
end

return check
