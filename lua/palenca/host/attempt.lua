--- An attempt at an event: what is logged of it, and its outcome, which is stored and logged.
-- @module palenca.host.attempt
local attempt_log = require("palenca.host.attempt_log")
local dead_notice = require("palenca.host.dead_notice")
local handlers = require("palenca.handlers")
local host = require("palenca.host")
local program_log = require("palenca.host.program_log")
local retry_policy = require("palenca.host.retry_policy")

local attempt = {}

local own_thread = host.own_thread

local function max_attempts(defaults, entries)
  local min
  for _, entry in ipairs(entries) do
    local own = entry.max_attempts or defaults.max_attempts
    min = math.min(min or own, own)
  end
  return min or defaults.max_attempts
end

--- Starts one. What is logged about the event when it ends is kept, whatever the script changes in
-- it.
-- @tparam table lease of the event
-- @tparam ?table event what is read of it; nil: nothing could be
-- @tparam {table,...} entries the handlers that fit
-- @tparam table defaults `max_attempts` and `retry_wait`, in seconds, of handlers without their own
-- @treturn table for the functions here and those of @{palenca.host.program_log}; may get
-- `decision` and `responses`, which are stored with the outcome, `lines`, as of
-- @{palenca.host.attempt_log}, and `is_notice`: what says of an event that it is dead makes no dead
-- letter of its own
function attempt.new(lease, event, entries, defaults)
  local self = {
    lease = lease,
    id = lease.id,
    action = event and event.action,
    platform = event and event.platform,
    account_id = event and event.account_id,
    user_id = event and event.user_id,
    attempt = lease.attempt,
    handlers = #entries,
    max_attempts = max_attempts(defaults, entries),
    retry_wait = defaults.retry_wait,
    traceparent = lease.traceparent,
    request_id = lease.request_id,
  }
  self.label = program_log.label(self)
  return self
end

-- With all that is stored of the attempt.
local function finish(self, outcome, text, retry_at, notice)
  own_thread.finish(self.id, outcome, text, retry_at, self.decision, self.responses, notice,
    attempt_log.text(self.lines))
end

--- Ends one whose handlers have all succeeded.
-- @tparam table self
-- @tparam number seconds that they took
function attempt.succeed(self, seconds)
  if self.lines then
    finish(self, "done")
  else -- thousands a second
    own_thread.finish(self.id, "done", nil, nil, self.decision, self.responses)
  end
  program_log.handled(self, seconds)
end

-- Stored with the end of an event, so that whoever wants to know of it does, whatever happens.
local function notice_of(self, text)
  return #handlers.for_dead() > 0 and dead_notice.write(self.lease, text) or nil
end

local function give_up(self, text, trace)
  if self.is_notice then
    finish(self, "done")
    program_log.failed(self, "abandoned", nil, text, trace)
    return
  end
  finish(self, "dead", text, nil, notice_of(self, text))
  program_log.failed(self, "dead", nil, text, trace)
end

--- Ends one that has failed: its event is tried again, or is dead.
-- @tparam table self
-- @param problem what was raised, as @{palenca.host.retry_policy} takes it
-- @tparam ?number retry_wait seconds after the first failure, of the handler that has failed
-- @tparam ?string trace where it was raised
function attempt.fail(self, problem, retry_wait, trace)
  local text = retry_policy.describe(problem)
  if self.attempt >= self.max_attempts then
    give_up(self, text, trace)
  else
    local wait = retry_policy.wait(self.attempt, problem, retry_wait or self.retry_wait)
    finish(self, "retry", text, host.unix_time() + wait)
    program_log.failed(self, "retry", wait, text, trace)
  end
end

--- Returns whether all attempts were made before: the process died during the last one, or
-- max_attempts was higher then.
-- @tparam table self
-- @treturn boolean
function attempt.is_spent(self)
  return self.attempt > self.max_attempts
end

--- Ends such a one. The event keeps the error of its last attempt.
-- @tparam table self
function attempt.end_spent(self)
  local text = string.format("max_attempts (%d) reached: the process died during the last attempt",
    self.max_attempts)
  if self.is_notice then
    give_up(self, text)
    return
  end
  finish(self, "dead", nil, nil, notice_of(self, text))
  program_log.failed(self, "dead", nil, text)
end

return attempt
