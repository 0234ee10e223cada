--- Runs a script's handlers over events again, with the responses and the time of then; nothing
-- that they do through `palenca` leaves the process.
-- @module palenca.host.shadow
local canonical_json = require("palenca.util.canonical_json")
local client = require("palenca.client")
local differences = require("palenca.decision.differences")
local errors = require("palenca.errors")
local handlers = require("palenca.handlers")
local host = require("palenca.host")
local json = require("palenca.util.json")
local ledger = require("palenca.decision.recorder")
local log = require("palenca.log")
local response_player = require("palenca.host.response_player")
local response_recording = require("palenca.host.response_recording")
local retry_policy = require("palenca.host.retry_policy")
local runtime = require("palenca.runtime")
local scheduler = require("palenca.host.scheduler")
local script_event = require("palenca.webhook.script_event")
local script_loader = require("palenca.host.script_loader")
local timers = require("palenca.timers")
local user_error = require("palenca.host.user_error")

local own_thread = host.own_thread

local Shadow = {}
Shadow.__index = Shadow

local shadow = {}

-- Maximum seconds to load a script, as a worker has them.
local LOAD_TIMEOUT = 300
-- Above this share of the memory limit, what the script keeps leaves too little to handlers.
local MOSTLY = 0.75
-- Seconds of the player's clock in one step; a handler's end is never later.
local STEP = 60

local function nothing() end

-- ---- what is in the place of the world -----------------------------------------------

-- The present, as the script sees it; a given time is its own.
local function replace_clock(player)
  local time, date = os.time, os.date
  os.time = function(...) -- luacheck: ignore 122
    if select("#", ...) == 0 or (...) == nil then
      return math.floor(player:unix_time())
    end
    return time(...)
  end
  os.date = function(format, at) -- luacheck: ignore 122
    return date(format or "%c", at or math.floor(player:unix_time()))
  end
end

-- What the script writes on standard output and standard error, and its log.
local function discard_output()
  local sink = assert(io.open("/dev/null", "w"))
  io.stdout, io.stderr = sink, sink -- luacheck: ignore 122
  io.output(sink)
  print, warn = nothing, nothing -- luacheck: ignore 121
  log.use_writer(nothing)
end

-- Of an identity that is said in a reason, what tells one event from another is taken out, so that
-- events with the same reason can be counted.
local function place_of(path)
  return (path:gsub("%?.*", "?…"):gsub("[^/?]+", function(part)
    return part:find("%d") and not part:find("^v%d+$") and "{id}" or part
  end))
end

local function set_unplayable(self, reason)
  self.unplayable = self.unplayable or reason
  error("palenca shadow: " .. reason, 0)
end

-- Of a response to palenca.http the status is all that is known.
local function check_unrecorded(self)
  return function(_, name)
    if name == "headers" or name == "body" then
      set_unplayable(self, "it reads a response of palenca.http, which is not recorded")
    end
  end
end

local function why_missing(call)
  local what = call.is_api and call.method .. " " .. place_of(call.path) or "palenca.http"
  return call.is_recorded and ("it waits for a response to %s that had not come then"):format(what)
    or ("it requests %s, which was not recorded"):format(what)
end

-- Requests are made without being waited for, too, as the next pages of a search.
local function replace_runtime(self)
  local own = self.schedule:runtime()
  local wait, wait_any = own.wait, own.wait_any
  function own.wait(call)
    local missing = self.player:missing(call.id)
    if missing then
      set_unplayable(self, why_missing(missing))
    end
    return wait(call)
  end
  -- Of calls side by side, some may have been aborted then, when another one had failed.
  function own.wait_any(calls, seconds)
    local missing
    for _, call in ipairs(calls) do
      missing = self.player:missing(call.id)
      if not missing then
        break
      end
    end
    if missing and not seconds then
      set_unplayable(self, why_missing(missing))
    end
    return wait_any(calls, seconds)
  end
  function own.submit(request)
    if not self.event then
      error(errors.new({ kind = "network", message = "palenca shadow sends no requests" }), 0)
    end
    return self.schedule_submit(request)
  end
  return own
end

-- As a worker has it, but that the entry goes nowhere.
local function record_decision(self, event, make, fail)
  if event ~= self.event then
    fail("event must be the one that the handler was called with, while that runs")
  elseif self.facts then
    fail("a decision was recorded for event %d in this attempt already", event.id)
  end
  local facts, rows, details = make({}, self.task.request_ids)
  local entry, problem = own_thread.decision(facts, rows, details, event.account_id or "",
    event.user_id or "")
  if not entry then
    fail("%s", problem)
  end
  self.facts = json.decode(facts)
end

-- ---- one event -----------------------------------------------------------------------

local function run_handlers(self, event, entries)
  local outcome
  self.event, self.facts = event, nil
  self.schedule:spawn(("event %d"):format(event.id), function(run)
    self.task = run
    for _, entry in ipairs(entries) do
      self.schedule:limit(run, entry.timeout or self.timeout)
      entry.handler(event)
    end
  end, function(ok, problem)
    if ok then
      local facts = self.facts
      outcome = { outcome = facts and facts.verdict.outcome or "done", facts = facts }
    else
      outcome = { outcome = "failed", error = retry_policy.describe(problem) }
    end
  end)
  while not outcome do
    self.schedule:step(STEP)
  end
  self.event = nil
  self.player:abandon()
  self.schedule:step(0)
  return outcome
end

local function play(self, recorded, requests)
  self.player:begin(requests, recorded.started_at)
  self.unplayable = nil
  local event, entries, reason = script_event.scan(recorded.body)
  if not event then
    return { outcome = "failed",
      error = retry_policy.describe(errors.new({ kind = "invalid", message = reason })) }
  elseif #entries == 0 then
    return { outcome = "done" }
  end
  script_event.complete(event, recorded)
  local outcome = run_handlers(self, event, entries)
  if self.unplayable then
    return nil, self.unplayable
  end
  return outcome
end

-- What the event's end was then; nil and why that is not known.
local function outcome_then(recorded)
  if recorded.state == "dead" then
    return { outcome = "failed", error = recorded.error }
  elseif not recorded.has_decision then
    return { outcome = "done" }
  end
  local facts = recorded.facts and json.decode(recorded.facts)
  if type(facts) == "table" and type(facts.verdict) == "table" then
    return { outcome = facts.verdict.outcome, facts = facts }
  end
  return nil, recorded.facts and "its decision cannot be read" or "its decision was deleted"
end

local function requests_of(recorded)
  if recorded.state ~= "done" and recorded.state ~= "dead" then
    return nil, "it has not ended yet"
  elseif not recorded.is_recorded then
    return nil, "its last attempt was not recorded"
  elseif recorded.omitted == "too large" then
    return nil, ("its responses are larger than the --recording-limit of then, %d MiB")
      :format(recorded.size // 1048576)
  elseif recorded.omitted then
    return nil, "there was no memory to record its responses"
  end
  local requests = recorded.responses and response_recording.read(recorded.responses)
  return requests, not requests and "its recording is damaged" or nil
end

local function codes_of(facts)
  local codes = {}
  for at, reason in ipairs(facts and facts.verdict.reasons or {}) do
    codes[at] = reason.code
  end
  return facts and json.array(codes) or nil
end

local function shown(outcome)
  return { outcome = outcome.outcome, error = outcome.error, reasons = codes_of(outcome.facts) }
end

-- Another version of the rule alone is no other verdict.
local function verdict_text(facts)
  if not facts then
    return nil
  end
  local fields = {}
  for name, value in pairs(facts.verdict) do
    fields[name] = name ~= "rule_version" and value or nil
  end
  return canonical_json.encode(fields)
end

-- What a decision says, and what it follows from beside the rows and the script.
local function compared(facts)
  local fields = {}
  for _, name in ipairs({ "as_of", "request", "rule", "verdict" }) do
    fields[name] = facts[name]
  end
  return fields
end

-- The same error of another version is raised at another line, with other addresses in it.
local function error_text(outcome)
  local text = outcome.error and outcome.error:match("[^\n]*")
  return text and text:gsub("^[^:%s]+:%d+: ", ""):gsub("0x%x+", "0x")
end

local function compare(recorded, before, now)
  local is_other = before.outcome ~= now.outcome
  local result = { id = recorded.id, before = before.outcome, now = now.outcome }
  if is_other or verdict_text(before.facts) ~= verdict_text(now.facts)
    or error_text(before) ~= error_text(now)
  then
    result.change = { before = shown(before), now = shown(now) }
    if before.facts and now.facts then
      result.change.fields = json.array(differences(compared(before.facts), compared(now.facts)))
    end
  end
  return result
end

--- Runs the handlers over an event.
-- @tparam table recorded as `host.recordings.list` has it
-- @treturn table `id`; `before` and `now`, the outcomes, and with another verdict or error
-- `change`: both with error and reason codes, and the fields that differ; or `reason`, why it
-- cannot be played
function Shadow:run(recorded)
  local requests, reason = requests_of(recorded)
  local before, now
  if requests then
    before, reason = outcome_then(recorded)
  end
  if before then
    now, reason = play(self, recorded, requests)
  end
  if host.limits.has_stopped_finalizer() then
    user_error("a finalizer (__gc) of the script was stopped: CPU timeout exceeded")
  elseif collectgarbage("count") > self.memory_limit * 1024 * MOSTLY then
    collectgarbage()
    if collectgarbage("count") > self.memory_limit * 1024 * MOSTLY then
      user_error("the script keeps nearly all of the %d MiB it may take (--memory-limit)",
        self.memory_limit)
    end
  end
  return now and compare(recorded, before, now) or { id = recorded.id, reason = reason }
end

--- The requests to other systems that were not sent.
-- @treturn integer
function Shadow:not_sent()
  return self.player.not_sent
end

local function load(self, path)
  local ok, problem = pcall(self.schedule.run, self.schedule, "the script", function()
    script_loader.load(path)
  end, LOAD_TIMEOUT)
  if not ok then
    user_error("%s", type(problem) == "table" and problem.text or path .. ": " .. problem)
  end
end

--- Loads a script; raises if it does not load. Once in a Lua state, on a thread of its own.
-- @tparam table options `script`, its path; `timeout` and `cpu_timeout` of a handler, in seconds;
-- `memory_limit` (MiB)
-- @treturn Shadow
function shadow.new(options)
  local player = response_player.new(host.unix_time())
  local self = setmetatable({
    player = player,
    timeout = options.timeout,
    memory_limit = options.memory_limit,
    event = nil, -- the one whose handlers run
    facts = nil, -- of the decision that they have recorded
    unplayable = nil, -- why it cannot be played
  }, Shadow)
  self.schedule = scheduler.new(options.cpu_timeout, options.memory_limit, retry_policy.plain, {
    engine = player,
    now = function()
      return player:now()
    end,
  })
  self.schedule_submit = self.schedule:runtime().submit
  runtime.use(replace_runtime(self))
  replace_clock(player)
  player.unrecorded = check_unrecorded(self)
  discard_output()
  if (os.getenv("PALENCA_API_KEY") or "") == "" then
    client.set_defaults({ api_key = "shadow-without-a-key" })
  end
  ledger.use(function(event, make, fail)
    record_decision(self, event, make, fail)
  end)
  timers.serve()
  handlers.set_max_limits(own_thread.LIMITS_MAX)
  script_loader.forbid_exit()
  load(self, options.script)
  return self
end

return shadow
