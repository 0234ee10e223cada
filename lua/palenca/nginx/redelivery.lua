--- What was delivered lately, for all workers of an nginx: each event is handled once.
--
-- In a `lua_shared_dict`, under a digest of the body: whether a worker is at it, or the id of one
-- that is done; and how often it was tried.
-- @module palenca.nginx.redelivery
local core = require("palenca.core")

local Redelivery = {}
Redelivery.__index = Redelivery

local redelivery = {}

-- A worker that is at an event says so again and again; one that has ended is not waited for.
local LEASE = 30
local RENEW = 10
-- The sender gives up after 30 s.
local PATIENCE = 25
local LOOK = 0.05

local RUNNING = ""

--- The memory of an endpoint.
-- @param dict `ngx.shared.NAME`
-- @tparam number window seconds that an event is remembered; 0: not at all
function redelivery.new(dict, window)
  return setmetatable({ dict = dict, window = window }, Redelivery)
end

local function set(self, how, key, value, ttl)
  local ok, problem, forced = self.dict[how](self.dict, key, value, ttl)
  if forced or (not ok and problem ~= "exists") then
    ngx.log(ngx.WARN, "palenca: the lua_shared_dict is too small to remember deliveries for ",
      self.window, " seconds")
  end
  return ok, problem
end

local function digest_of(body)
  return (core.sign({}, "palenca redelivery", body))
end

-- The first receipt names the event for all its redeliveries; a later same body is another one.
local function number_of(self, key)
  set(self, "add", key .. ":first", ngx.now(), self.window)
  local first = self.dict:get(key .. ":first") or ngx.now()
  local attempt = self.dict:incr(key .. ":tries", 1, 0, self.window)
  return first, attempt or 1
end

local function delivery_of(key, first, attempt)
  local id = string.format("%s-%x", key:sub(1, 16), first * 1000)
  return { key = key, id = id, attempt = attempt, received_at = first }
end

--- Begins with a body, or waits until another worker is done with it.
-- @tparam string body as it was received
-- @treturn string "begun": it is the caller's to handle, and to finish; "done" before; or "busy":
-- another worker is still at it
-- @return of a begun one a table: `key, id, attempt, received_at`; of a done one its id
function Redelivery:begin(body)
  local key = digest_of(body)
  if self.window == 0 then
    return "begun", delivery_of(key, ngx.now(), 1)
  end
  local deadline = ngx.now() + PATIENCE
  while true do
    local ok, problem = set(self, "add", key, RUNNING, LEASE)
    if ok or problem ~= "exists" then -- what cannot be remembered is handled all the same
      return "begun", delivery_of(key, number_of(self, key))
    end
    local state = self.dict:get(key)
    if state and state ~= RUNNING then
      return "done", state
    elseif ngx.now() > deadline then
      return "busy"
    end
    ngx.sleep(LOOK)
  end
end

--- Runs `handle` and remembers whether it succeeded; if not, the event may come again.
-- @tparam table delivery of @{begin}
-- @tparam function handle
-- @treturn boolean whether it did not raise
-- @return what it raised
function Redelivery:run(delivery, handle)
  if self.window == 0 then
    return pcall(handle)
  end
  local renewal = ngx.thread.spawn(function()
    while true do
      ngx.sleep(RENEW)
      self.dict:set(delivery.key, RUNNING, LEASE)
    end
  end)
  local ok, problem = pcall(handle)
  ngx.thread.kill(renewal)
  if ok then
    -- the window is counted from the first receipt
    local left = delivery.received_at + self.window - ngx.now()
    set(self, "set", delivery.key, delivery.id, math.max(left, LOOK))
  else
    self.dict:delete(delivery.key)
  end
  return ok, problem
end

return redelivery
