--- The names of events that the API's documentation knows, and suggestions for mistyped ones.
-- @module palenca.host.event_names
local api_values = require("palenca.util.api_values")
local constants = require("palenca.sandbox.data.vendor_constants")
local program_log = require("palenca.host.program_log")
local suggest = require("palenca.util.suggest")

local event_names = {}

local documented = api_values.handled

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name ~= "*" and name or nil
  end
  table.sort(list)
  return list
end

--- The names of events.
-- @treturn {string,...}
function event_names.list()
  return sorted(constants.actions)
end

--- The names of platforms.
-- @treturn {string,...}
function event_names.platforms()
  return sorted(constants.platforms)
end

--- What is wrong with a name. The API may send events that are not documented yet, so for a handler
-- this is a warning only.
-- @tparam string name an event's, a family's, or `*`
-- @treturn ?string nil if it is documented
function event_names.problem(name)
  if not documented[name] then
    return string.format("no documented event fits '%s'%s", name, suggest.text(name, documented))
  end
end

--- The suffix for a message that no event of a name is stored. Stored events may have any name.
-- @tparam ?string name as the user has typed it
-- @tparam boolean json whether it is logged instead, since the output is read by a program
-- @treturn string nothing if it is documented
function event_names.behind_none(name, json)
  local problem = name and event_names.problem(name)
  if problem and json then
    program_log.line("warning: " .. problem,
      { event = "warning", level = "warning", message = problem })
  end
  return problem and not json and ": " .. problem or ""
end

--- Logs a warning for each name that is not documented.
-- @tparam string script the file that handles these events
-- @tparam {string,...} names of events and families; names of another form are ignored
function event_names.warn(script, names)
  for _, name in ipairs(names) do
    local problem = name:find("^[%w_]+%.[%w_*]+$") and event_names.problem(name)
    if problem then
      program_log.line(string.format("%s: warning: %s", script, problem),
        { event = "warning", level = "warning", script = script, message = problem })
    end
  end
end

--- The same for a worker's list of names.
-- @tparam string script
-- @tparam string list such as `login.success, every 60 s`
function event_names.warn_of_list(script, list)
  local names = {}
  for name in (list .. ", "):gmatch("(.-), ") do
    names[#names + 1] = name
  end
  event_names.warn(script, names)
end

return event_names
