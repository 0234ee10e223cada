--- Registers the handlers of a script for events, and finds those of an event.
-- @module palenca.handlers
local argcheck = require("palenca.util.argcheck")

local handlers = {}

local registered = {}
local dead = {} -- the same of functions for dead letters

local option_types = {
  concurrency = "positive",
  max_attempts = "positive",
  timeout = "seconds",
  retry_wait = "seconds",
}

local limits = {} -- action → how many events it fits may run at once
local max_limits = math.huge

local function check_limit(action, concurrency)
  local count = 0
  for _ in pairs(limits) do
    count = count + 1
  end
  if concurrency and not limits[action] and count >= max_limits then
    error(string.format("palenca.on: at most %d actions can have a concurrency limit",
      max_limits), 3)
  end
end

local function check_action(action)
  argcheck.dot("palenca.on", action, 3)
  if type(action) ~= "string" or not (action == "*" or action:find("^[%w_]+%.[%w_*]+$")) then
    error("palenca.on: action must be a name such as 'login.success', 'login.*' or '*', got "
      .. argcheck.shown(action), 3)
  end
  if action ~= "*" and action:find("*", 1, true) and not action:find("^[%w_]+%.%*$") then
    error("palenca.on: '*' must stand alone or after the dot, as in 'login.*', got "
      .. argcheck.shown(action), 3)
  end
end

--- Registers a handler.
--
-- An event goes to all handlers that fit, one after the other, in the order of registration. If one
-- of them fails, all of them run again with the event, unless it has been tried as often as the
-- strictest of them allows.
-- @tparam string action an event's name, such as `login.success`; a family, such as `login.*`;
-- or `*` for all
-- @tparam[opt] table options for `palenca serve`; inside nginx the sender decides when an event is
-- sent again. An unknown one is an error; the defaults are the program's options
-- (`palenca serve --help`)
-- @tparam number options.concurrency how many events that the action fits may run at once, over all
-- workers of the program; those of other actions are not limited. Of several for the same action
-- the minimum applies
-- @tparam number options.max_attempts attempts before an event becomes a dead letter
-- @tparam number options.timeout seconds that the handler may take, its waits included
-- @tparam number options.retry_wait seconds until the second attempt after a failure of this
-- handler; each further wait is four times as long, up to an hour
-- @tparam function handler called with an @{Event}; after an error in it the event runs again
function handlers.on(action, options, handler)
  if handler == nil and type(options) ~= "table" then
    options, handler = nil, options
  end
  check_action(action)
  options = argcheck.fields("palenca.on", options, option_types, 2)
  if type(handler) ~= "function" then
    error("palenca.on: handler must be a function, got " .. argcheck.shown(handler), 2)
  end
  check_limit(action, options.concurrency)
  local entry = { action = action, handler = handler }
  for name in pairs(option_types) do
    entry[name] = options[name]
  end
  entry.family = action:match("^(.*%.)%*$")
  registered[#registered + 1] = entry
  if entry.concurrency then
    limits[action] = math.min(limits[action] or entry.concurrency, entry.concurrency)
  end
end

local function fits(entry, action)
  local family = entry.family
  return entry.action == action
    or entry.action == "*"
    or (family and action:sub(1, #family) == family) or false
end

--- The handlers of an event, in the order of registration.
-- @tparam string action the event's name
-- @treturn {table,...} each with `handler`, the `action` it was registered for, and its options
function handlers.matching(action)
  local found = {}
  for i = 1, #registered do
    local entry = registered[i]
    if fits(entry, action) then
      found[#found + 1] = entry
    end
  end
  return found
end

--- The concurrency limits.
-- @treturn {[string]=number} of each action that was registered with a `concurrency`
function handlers.concurrency_limits()
  return limits
end

--- Sets the maximum of actions with a concurrency limit of their own.
-- @tparam integer count
function handlers.set_max_limits(count)
  max_limits = count
end

--- The registered actions, for the log.
-- @treturn {string,...} the actions, each once, in the order of registration
function handlers.actions()
  local actions, seen = {}, {}
  for _, entry in ipairs(registered) do
    if not seen[entry.action] then
      seen[entry.action] = true
      actions[#actions + 1] = entry.action
    end
  end
  return actions
end

--- Registers a function for dead letters.
--
-- It is called for each event that becomes a dead letter, in `palenca serve` and `palenca dev`: at
-- least once, also after `kill -9`. If it raises, it is called again later, as often as an event is
-- tried and with the same waits; after that its failure is logged, and makes no dead letter.
-- Several are called one after the other, and if one fails, all are called again.
-- @tparam function fn called with the @{Event}, as its handlers had it in the last attempt, and a
-- @{Failure}
function handlers.on_dead(fn)
  if type(fn) ~= "function" then
    error("palenca.on_dead: the argument must be a function, got " .. argcheck.shown(fn), 2)
  end
  dead[#dead + 1] = { action = "palenca.dead", handler = fn }
end

--- The functions for dead letters, in the order of registration.
-- @treturn {table,...} each with `handler`
function handlers.for_dead()
  return dead
end

--- Sets aside what is registered, for a test that registers its own.
-- @tparam[opt] table others what to have instead, as this function has returned it; default: none
-- @treturn table what was registered
function handlers.exchange(others)
  local before = { registered = registered, limits = limits, dead = dead }
  others = others or {}
  registered, limits, dead = others.registered or {}, others.limits or {}, others.dead or {}
  return before
end

--- What a handler is called with. In what `palenca.webhook.parse` returns, `id`, `attempt`,
-- `replay` and `received_at` are nil.
-- @table Event
-- @tfield number|string id a number in `serve`, a text inside nginx
-- @tfield string action such as `login.success`
-- @tfield ?string account_id
-- @tfield ?string user_id
-- @tfield ?string external_id your id of the worker
-- @tfield ?string platform such as `uber`
-- @tfield ?string status_details why a login ended so
-- @tfield ?string webhook_id
-- @tfield integer attempt 1 at the first run
-- @tfield ?integer replay how often it was replayed
-- @tfield ?boolean reconciled true: it was queued by `palenca reconcile`, as no webhook had come
-- @tfield number received_at Unix seconds
-- @tfield ?string traceparent of the webhook's headers, in `palenca serve`
-- @tfield ?string request_id the webhook's header `X-Request-Id`, in `palenca serve`
-- @tfield table data what the body holds as `data`
-- @tfield string body its bytes

--- Why an event is dead: what a function of @{on_dead} is called with.
-- @table Failure
-- @tfield string error the error of the last attempt; identity numbers are masked in it
-- @tfield integer attempts how often it was tried
-- @tfield integer call 1 at the first call for this event

return handlers
