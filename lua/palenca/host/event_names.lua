--- The names of events that the API's documentation knows, and what a mistyped one may have meant.
-- @module palenca.host.event_names
local catalogue = require("palenca.sandbox.data.catalogue")
local event_log = require("palenca.host.event_log")
local suggest = require("palenca.util.suggest")

local event_names = {}

-- Today's and older ones, and their families, such as login.*
local documented = {}
for name in pairs(catalogue.actions) do
  documented[name] = true
  documented[name:match("^[^.]+") .. ".*"] = name ~= "*" or nil
end

--- What is wrong with a name. The API may have events that are not documented yet, so this is a
-- warning where somebody waits for them.
-- @tparam string name an event's, a family's, or `*`
-- @treturn ?string nil if it is documented
function event_names.problem(name)
  if not documented[name] then
    return string.format("no documented event fits '%s'%s", name, suggest.text(name, documented))
  end
end

--- What to say of a name behind that nothing of it is stored. What is stored may be of any name.
-- @tparam ?string name as somebody has asked for it
-- @tparam boolean json whether it is logged instead, since the output is read by a program
-- @treturn string nothing if it is documented
function event_names.behind_none(name, json)
  local problem = name and event_names.problem(name)
  if problem and json then
    event_log.line("warning: " .. problem,
      { event = "warning", level = "warning", message = problem })
  end
  return problem and not json and ": " .. problem or ""
end

--- Logs a warning for each name that is not documented.
-- @tparam string script the file that waits for these events
-- @tparam {string,...} names of events and families; what has another form is passed over
function event_names.warn(script, names)
  for _, name in ipairs(names) do
    local problem = name:find("^[%w_]+%.[%w_*]+$") and event_names.problem(name)
    if problem then
      event_log.line(string.format("%s: warning: %s", script, problem),
        { event = "warning", level = "warning", script = script, message = problem })
    end
  end
end

--- The same for the names as a worker says them.
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
