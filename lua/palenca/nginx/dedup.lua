--- Records what was delivered lately, for all workers of an nginx, so that each event is handled
-- once.
--
-- In a `lua_shared_dict`, under a digest of the body: the claim of the attempt that is at it, or,
-- once it is done, its id; and how often it was tried.
-- @module palenca.nginx.dedup
local core = require("palenca.core")
local rate_limited_log = require("palenca.nginx.rate_limited_log")

local Dedup = {}
Dedup.__index = Dedup

local dedup = {}

local LOOK = 0.05

-- No id of an event starts with this.
local CLAIM = "claim "

--- The memory of an endpoint.
-- @tparam table options `dict`: an `ngx.shared.NAME`; in seconds, `redelivery_window`: how long an
-- event is remembered (0: not at all), `redelivery_lease`: how long a claim lasts that is not
-- renewed, and `redelivery_wait`: how long the outcome of another attempt is waited for
function dedup.new(options)
  return setmetatable({
    dict = options.dict, window = options.redelivery_window, lease = options.redelivery_lease,
    wait = options.redelivery_wait,
  }, Dedup)
end

local warnings = rate_limited_log.new(60)

local function set(self, how, key, value, ttl)
  local ok, problem, forced = self.dict[how](self.dict, key, value, ttl)
  if forced or (not ok and problem ~= "exists") then
    local what = string.format("for %d seconds: its lua_shared_dict is too small", self.window)
    warnings:write(ngx.WARN, "palenca: a delivery is not remembered " .. what,
      "palenca: %d more deliveries are not remembered " .. what)
  end
  return ok, problem
end

local function digest_of(body)
  return (core.sign({}, "palenca redelivery", body))
end

-- ---- claims ----------------------------------------------------------------------------

local count = 0

-- Another one for each attempt, whichever worker makes it.
local function new_claim()
  count = count + 1
  return string.format("%s%d.%d", CLAIM, ngx.worker.pid(), count)
end

-- Whether the event is still this attempt's. A claim that ran out, since a handler has blocked the
-- worker for too long, is taken up again, unless another attempt has started since.
local function holds(self, delivery)
  return set(self, "add", delivery.key, delivery.claim, self.lease)
    or self.dict:get(delivery.key) == delivery.claim
end

-- A worker that is at an event says so again and again; one that has ended is not waited for.
local function keep(self, delivery)
  repeat
    ngx.sleep(self.lease / 3)
    local is_held = holds(self, delivery)
    if is_held then
      self.dict:expire(delivery.key, self.lease)
    end
  until not is_held
end

-- ---- deliveries ------------------------------------------------------------------------

-- The first receipt sets the id for all duplicates; a later equal body is another event.
local function number_of(self, key)
  set(self, "add", key .. ":first", ngx.now(), self.window)
  local first = self.dict:get(key .. ":first") or ngx.now()
  local attempt = self.dict:incr(key .. ":tries", 1, 0, self.window)
  return first, attempt or 1
end

local function delivery_of(key, claim, first, attempt)
  local id = string.format("%s-%x", key:sub(1, 16), first * 1000)
  return { key = key, claim = claim, id = id, attempt = attempt, received_at = first }
end

--- Claims a body, or waits until another attempt has handled it.
-- @tparam string body as it was received
-- @treturn string "started": it is the caller's to handle, and to finish; "done" before; or "busy":
-- another attempt is still at it
-- @return of a started one a table: `key, claim, id, attempt, received_at`; of a done one its id
function Dedup:begin(body)
  local key = digest_of(body)
  if self.window == 0 then
    return "started", delivery_of(key, nil, ngx.now(), 1)
  end
  local claim, deadline = new_claim(), core.steady_time() + self.wait
  while true do
    local ok, problem = set(self, "add", key, claim, self.lease)
    if ok or problem ~= "exists" then -- what cannot be remembered is handled all the same
      return "started", delivery_of(key, claim, number_of(self, key))
    end
    local state = self.dict:get(key)
    if state and state:sub(1, #CLAIM) ~= CLAIM then
      return "done", state
    elseif core.steady_time() >= deadline then
      return "busy"
    end
    ngx.sleep(LOOK)
  end
end

-- Leaves alone what another attempt has claimed meanwhile.
local function finish(self, delivery, is_handled)
  if not holds(self, delivery) then
    return
  elseif is_handled then
    -- the window is counted from the first receipt
    local left = delivery.received_at + self.window - ngx.now()
    -- the machine's time may have been set meanwhile
    left = math.min(math.max(left, LOOK), self.window)
    set(self, "set", delivery.key, delivery.id, left)
  else
    self.dict:delete(delivery.key)
  end
end

--- Runs `handle` and remembers whether it succeeded; if not, the event may come again.
-- @tparam table delivery of @{begin}
-- @tparam function handle
-- @treturn boolean whether it did not raise
-- @return what it raised
function Dedup:run(delivery, handle)
  if self.window == 0 then
    return pcall(handle)
  end
  local renewal = ngx.thread.spawn(keep, self, delivery)
  local ok, problem = pcall(handle)
  ngx.thread.kill(renewal)
  finish(self, delivery, ok)
  return ok, problem
end

return dedup
