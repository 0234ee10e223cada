--- The handlers that a script registers for events.
-- @module palenca.events
local events = {}

local handlers = {}

--- Registers a handler.
-- @tparam string action an event's name, such as `login.success`; a family, such as `login.*`;
-- or `*` for all
-- @tparam function handler called with the event; an error in it means that the event was not
-- handled and comes again
function events.on(action, handler)
  if type(action) ~= "string" or not (action == "*" or action:find("^[%w_]+%.[%w_*]+$")) then
    error("palenca.on: action must be a name such as 'login.success', 'login.*' or '*'", 2)
  end
  if action ~= "*" and action:find("*", 1, true) and not action:find("^[%w_]+%.%*$") then
    error("palenca.on: '*' stands alone or behind the dot, as in 'login.*'", 2)
  end
  if type(handler) ~= "function" then
    error("palenca.on: handler must be a function, got " .. type(handler), 2)
  end
  handlers[#handlers + 1] = { action = action, handler = handler }
end

local function fits(pattern, action)
  return pattern == "*"
    or pattern == action
    or (pattern:sub(-2) == ".*" and action:sub(1, #pattern - 1) == pattern:sub(1, -2))
end

--- The handlers that an event goes to, in the order of registration.
-- @tparam string action the event's name
-- @treturn {function,...}
function events.matching(action)
  local found = {}
  for _, entry in ipairs(handlers) do
    if fits(entry.action, action) then
      found[#found + 1] = entry.handler
    end
  end
  return found
end

--- What is registered, for reports.
-- @treturn {string,...} the actions, each once, in the order of registration
function events.actions()
  local actions, seen = {}, {}
  for _, entry in ipairs(handlers) do
    if not seen[entry.action] then
      seen[entry.action] = true
      actions[#actions + 1] = entry.action
    end
  end
  return actions
end

return events
