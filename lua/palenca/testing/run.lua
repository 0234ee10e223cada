--- Runs the code of a test's script, and collects what comes of it.
-- @module palenca.testing.run
local date = require("palenca.util.date")
local globals = require("palenca.testing.globals")
local json = require("palenca.util.json")
local redact = require("palenca.util.redact")
local script = require("palenca.testing.script")
local script_event = require("palenca.webhook.script_event")
local strict = require("palenca.strict")
local suggest = require("palenca.util.suggest")

local run = {}

local FIELDS = { "ok", "error", "event", "handlers", "decision", "printed", "logged", "requests",
  "http", "seconds", "exit", "returned", "trace" }

-- A test that reads what a run does not have would always pass.
local metatable = {
  __index = function(_, name)
    for _, known in ipairs(FIELDS) do
      if name == known then
        return nil
      end
    end
    error(("a run has no field '%s'%s"):format(tostring(name), suggest.text(name, FIELDS)), 2)
  end,
}

-- What os.exit raises.
local Exit = {}

local function exit_of(may_exit)
  return function(status)
    if not may_exit then
      error("os.exit is not available in a script that is served; raise an error instead", 2)
    end
    error(setmetatable({ status = (status == nil or status == true) and 0
      or status == false and 1 or status }, Exit), 0)
  end
end

local function rest(list, from)
  local new = {}
  for at = from + 1, #list do
    new[#new + 1] = list[at]
  end
  return new
end

local function with_trace(problem)
  return { problem = problem, trace = debug.traceback("", 2) }
end

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local function pack(...)
  return { n = select("#", ...), ... }
end

local function protected_call(self, made, body, ...)
  local arguments = pack(...)
  local results = pack(xpcall(function()
    return body(unpack(arguments, 1, arguments.n))
  end, with_trace))
  made.ok = results[1]
  if made.ok then
    made.returned = { unpack(results, 2, results.n) }
    return
  end
  made.error, made.trace = strict.hint(results[2].problem, self.last_failure), results[2].trace
  if getmetatable(made.error) == Exit then
    made.exit, made.error, made.trace = made.error.status, nil, nil
    made.ok = made.exit == 0
  end
end

local function execute(self, may_exit, body, ...)
  if self.is_stopped then
    error("the test was stopped", 3)
  elseif self.running then
    error("the script of this test is running already", 3)
  end
  local made = setmetatable({ printed = {} }, metatable)
  local began, requests, sent, logged = self:now(), #self.requests, #self.http_requests,
    #self.log_lines
  local restore = globals.replace({ clock = function() return self:now() end, env = self.env,
    exit = exit_of(may_exit), printed = made.printed })
  self.running = made
  self.last_failure = false
  protected_call(self, made, body, ...)
  self.running = false
  restore()
  made.seconds = self:now() - began
  made.requests, made.http = rest(self.requests, requests), rest(self.http_requests, sent)
  made.logged = rest(self.log_lines, logged)
  if self.violation then
    error(self.violation, 0)
  end
  return made
end

--- Runs a function.
-- @tparam table self the session
-- @tparam function body
-- @param ... its arguments
-- @treturn table the run
function run.code(self, body, ...)
  return execute(self, false, body, ...)
end

--- Runs a script once.
-- @tparam table self the session
-- @tparam string path
-- @tparam boolean may_exit whether it may end by `os.exit`
-- @param ... its arguments
-- @treturn table the run
function run.script(self, path, may_exit, ...)
  local chunk, problem = script.read(self.script, path)
  if not chunk then
    error(problem, 3)
  end
  -- in a function of Lua 5.1 with `...`, `arg` is a local
  local before = rawget(_G, "arg")
  rawset(_G, "arg", { [0] = path, ... })
  local ok, made = pcall(execute, self, may_exit, chunk, ...)
  rawset(_G, "arg", before)
  return ok and made or error(made, 0)
end

-- ---- events ----------------------------------------------------------------------------

-- As a worker of `palenca serve` does; what it keeps is not shared with the test.
local function run_handlers(self, event, entries, failure)
  strict.examine(self.report, "Event", event)
  self.current_event, self.recorded = event, false
  local made = execute(self, false, function()
    for _, entry in ipairs(entries) do
      entry.handler(event, failure)
    end
  end)
  made.event, made.handlers = event, #entries
  made.decision = made.ok and self.recorded or nil
  self.current_event, self.recorded = false, false
  return made
end

--- Runs the handlers of an event.
-- @tparam table self the session
-- @tparam string body of the webhook
-- @tparam table lease `id`, `attempt`, `replay`, `received_at`
-- @treturn ?table the run; nil if the body is no webhook
-- @treturn ?string why it is none
function run.event(self, body, lease)
  local event, entries, reason = script_event.scan(body)
  if not event then
    return nil, reason
  end
  lease.body = body
  script_event.complete(event, lease)
  return run_handlers(self, event, entries)
end

local ERROR_MAX = 4000

--- Runs the functions of `palenca.on_dead`.
-- @tparam table self the session
-- @tparam {table,...} entries of @{palenca.handlers.for_dead}
-- @tparam string body of the webhook
-- @tparam table lease `id`, `attempt`, `replay`, `received_at`
-- @tparam table failure `error`, a text or what a handler has raised, and `call`
-- @treturn ?table the run; nil if the body is no webhook
-- @treturn ?string why it is none
function run.dead(self, entries, body, lease, failure)
  local event, _, reason = script_event.scan(body)
  if not event then
    return nil, reason
  end
  lease.body = body
  script_event.complete(event, lease)
  local entry = { error = redact.problem(failure.error, ERROR_MAX), attempts = lease.attempt,
    call = failure.call }
  strict.examine(self.report, "Failure", entry)
  return run_handlers(self, event, entries, entry)
end

local DECISION = { "verdict", "rule", "request", "as_of", "income", "rows" }
local DECISION_CLASSES = { verdict = "Verdict", rule = "Rule", income = "Income" }

local DIGEST = ("0"):rep(64)

--- What `palenca.decision.record` calls: keeps what the ledger would have.
-- @tparam table self the session
-- @tparam table event the one of the handler
-- @tparam function make makes the texts of the entry
-- @tparam function fail raises
function run.record(self, event, make, fail)
  if event ~= self.current_event then
    fail("event must be the one that the handler was called with, while that runs")
  elseif self.recorded then
    fail("a decision was recorded for event %s in this attempt already", tostring(event.id))
  end
  local facts, rows, details = make({ script = DIGEST }, {})
  facts, details = json.decode(facts), json.decode(details)
  self.recorded = strict.seal({
    verdict = facts.verdict, rule = facts.rule, request = facts.request, as_of = facts.as_of,
    income = details.figures, rows = json.decode(rows),
  }, "a decision", DECISION)
  for name, class in pairs(DECISION_CLASSES) do
    strict.examine(error, class, self.recorded[name])
  end
end

--- Reads a time.
-- @tparam string text such as `2026-03-02T12:00:00Z` or `2026-03-02`
-- @treturn ?number Unix seconds; nil if it is none
function run.parse_time(text)
  local day, hour, minute, second = text:match("^(%d+%-%d+%-%d+)T(%d%d):(%d%d):(%d%d)Z$")
  local number = date.parse(day or text)
  if not number or day and (hour > "23" or minute > "59" or second > "59") then
    return nil
  end
  return number * 86400 + (day and hour * 3600 + minute * 60 + second or 0)
end

return run
