--- Takes the place of the engine and of the clock in tests: its calls go to a function, and nothing
-- is sent.
--
-- Its time goes on only while all code waits, and then at once to where the next thing happens.
-- Whether and when an attempt is repeated is decided as the engine does it.
-- @module palenca.testing.engine
local core = require("palenca.core")

local Engine = {}
Engine.__index = Engine

local engine = {}

-- The jitter of waits between retries: always the same, so that a test has the same times.
local JITTER = 250
local TIMEOUT = 30

--- Makes an engine.
-- @tparam number unix_time seconds
-- @tparam function respond called with each attempt's request; returns its outcome, `status`,
-- `headers` (by lower-case names) and `body`, or `kind` and `message`; and `delay` in seconds
-- @treturn Engine
function engine.new(unix_time, respond)
  return setmetatable({
    time = 0, -- seconds; never goes back
    origin = unix_time, -- when that was 0
    respond = respond,
    last = 0, -- the id of the last call
    calls = {}, -- by their ids, those without a result
    done = {}, -- those with one, to be taken
    attempts = {}, -- those to be observed
  }, Engine)
end

--- Seconds of the monotonic clock.
function Engine:now()
  return self.time
end

--- Seconds since 1970.
function Engine:unix_time()
  return self.origin + self.time
end

-- The limits of a request: those of a client are in its template, which cannot be read.
local function limits_of(request)
  local from = request.client or request
  return {
    timeout = from.timeout or TIMEOUT,
    deadline = from.deadline or math.huge,
    max_retries = from.max_retries or 0,
  }
end

local function timed_out(seconds)
  return { kind = "timeout", message = "no complete response in time", delay = seconds }
end

-- One attempt: its outcome, and when it has it.
local function attempt(self, call)
  call.number = call.number + 1
  call.started = math.max(self.time, call.due)
  local outcome = self.respond(call.request)
  local left = math.min(call.limits.timeout, call.deadline - call.started)
  if (outcome.delay or 0) > left then
    outcome = timed_out(left)
  end
  call.outcome, call.due = outcome, call.started + (outcome.delay or 0)
end

-- The headers that the engine reads.
local function read_headers(outcome)
  local headers = outcome.headers or {}
  return tonumber(headers["retry-after"]), headers["x-request-id"], headers
end

local function header_block(headers)
  local lines = {}
  for name, value in pairs(headers) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      lines[#lines + 1] = name .. ": " .. one
    end
  end
  table.sort(lines)
  return table.concat(lines, "\r\n")
end

local function result_of(call)
  local outcome = call.outcome
  local retry_after, request_id, headers = read_headers(outcome)
  return {
    id = call.id,
    status = outcome.status,
    kind = outcome.kind,
    message = outcome.message,
    body = outcome.body,
    headers = call.request.keep_headers and header_block(headers) or nil,
    request_id = request_id,
    retry_after = retry_after,
    rate_limit = tonumber(headers["x-ratelimit-limit"]),
    rate_remaining = tonumber(headers["x-ratelimit-remaining"]),
    rate_reset = tonumber(headers["x-ratelimit-reset"]),
    attempts = call.number,
  }
end

-- Seconds until an attempt is repeated; nil if it is not.
local function repeat_in(call)
  local outcome = call.outcome
  local wait = core.retry_wait({
    number = call.number,
    max_retries = call.limits.max_retries,
    idempotent = call.request.idempotent,
    sent = outcome.kind ~= nil,
    kind = outcome.kind,
    status = outcome.status,
    retry_after = read_headers(outcome),
    random = JITTER,
  })
  return wait and call.due + wait < call.deadline and wait or nil
end

local function record_attempt(self, call, wait)
  if call.request.observe then
    self.attempts[#self.attempts + 1] = {
      id = call.id,
      number = call.number,
      status = call.outcome.status,
      kind = call.outcome.kind,
      duration = call.due - call.started,
      retry_in = wait,
      request_id = select(2, read_headers(call.outcome)),
    }
  end
end

-- ---- what palenca.runtime.calls asks of an engine --------------------------------------

--- Takes a request. It raises what the engine raises of one that is not valid: its caller has
-- checked it.
function Engine:submit(request)
  self.last = self.last + 1
  local limits = limits_of(request)
  local call = { id = self.last, request = request, limits = limits, number = 0, due = self.time,
    deadline = self.time + limits.deadline }
  self.calls[call.id] = call
  return call.id
end

local function first_due(self)
  local first
  for _, call in pairs(self.calls) do
    if not first or call.due < first.due or call.due == first.due and call.id < first.id then
      first = call
    end
  end
  return first
end

-- Starts an attempt, or ends one, of the call that is due.
local function advance(self, call)
  if not call.outcome then
    attempt(self, call)
    return
  end
  local wait = repeat_in(call)
  record_attempt(self, call, wait)
  if wait then
    call.due, call.outcome = call.due + wait, nil
    return
  end
  self.calls[call.id] = nil
  self.done[#self.done + 1] = result_of(call)
end

function Engine:step(max_wait)
  local until_time = self.time + max_wait
  while #self.done == 0 and #self.attempts == 0 do
    local call = first_due(self)
    if not call or call.due > until_time then
      self.time = until_time
      return
    end
    self.time = math.max(self.time, call.due)
    advance(self, call)
  end
end

function Engine:take()
  return table.remove(self.done, 1)
end

function Engine:take_attempt()
  return table.remove(self.attempts, 1)
end

function Engine:cancel(id)
  self.calls[id] = nil
end

function Engine:next_deadline()
  local call = first_due(self)
  return #self.done > 0 and 0 or call and math.max(0, call.due - self.time) or nil
end

function Engine:active()
  local count = 0
  for _ in pairs(self.calls) do
    count = count + 1
  end
  return count
end

return engine
