--- Takes the place of the engine and of the clock: responds to requests with what was recorded, at
-- the time at which it came, and sends nothing.
--
-- Its time goes on only while all code waits, and then at once to where the next thing happens.
-- @module palenca.host.response_player
local canonical_json = require("palenca.util.canonical_json")
local json = require("palenca.util.json")
local response_recording = require("palenca.host.response_recording")

local Player = {}
Player.__index = Player

local response_player = {}

-- What a request to another system gets that was not made then.
local SENT = 200

--- Makes a player, at a time.
-- @tparam number unix_time seconds
-- @treturn Player
function response_player.new(unix_time)
  return setmetatable({
    time = 0, -- seconds; never goes back
    origin = unix_time, -- when that was 0
    last = 0, -- the id of the last call
    calls = {}, -- by their ids, those without a result
    done = {}, -- those with one, to be taken
    recorded = {}, -- by its identity, how each request went, in their order
    used = {}, -- likewise, how many of them have been made
    not_sent = 0, -- requests to other systems
    unrecorded = nil, -- called as `__index` for what is not known of a response to them
  }, Player)
end

--- Seconds of the monotonic clock.
function Player:now()
  return self.time
end

--- Seconds since 1970.
function Player:unix_time()
  return self.origin + self.time
end

-- Encoders write the fields of an object in any order.
local function plain(body)
  local value = body ~= "" and json.decode(body)
  local ok, text = pcall(canonical_json.encode, value)
  return ok and type(value) == "table" and text or body
end

local function key_of(is_api, method, place, body)
  return table.concat({ is_api and "api" or "http", method, place, plain(body) }, "\n")
end

--- Begins with a recording; what was in flight has no result any more.
-- @tparam {table,...} requests as `response_recording.read` has them
-- @tparam number started_at the time, Unix seconds
function Player:begin(requests, started_at)
  self.origin = started_at - self.time
  self.began, self.recorded, self.used = self.time, {}, {}
  for _, request in ipairs(requests) do
    local key = key_of(request.is_api, request.method, request.place, request.body)
    self.recorded[key] = self.recorded[key] or {}
    table.insert(self.recorded[key], request)
  end
end

--- Gives all that is in flight a result, so that nobody holds it any more.
function Player:abandon()
  for id, call in pairs(self.calls) do
    self.calls[id] = nil
    call.result = { kind = "network", message = "nobody waits for it" }
    self.done[#self.done + 1] = call
  end
end

--- Whether a call will have no result, since none was recorded.
-- @tparam integer id
-- @treturn ?table `is_api`, `method`, `path`, and `is_recorded`: it was made then as well, and had
-- none when the handler ended; nil if it will have one
function Player:missing(id)
  local call = self.calls[id]
  return call and not call.due and call or nil
end

-- ---- what palenca.runtime.calls asks of an engine --------------------------------------

function Player:submit(request)
  local is_api, method, place, body = response_recording.identity(request)
  local key = key_of(is_api, method, place, body)
  local at = (self.used[key] or 0) + 1
  local recorded = self.recorded[key] and self.recorded[key][at]
  self.used[key] = at
  self.last = self.last + 1
  local call = { id = self.last, is_api = is_api, method = method, path = request.path,
    is_recorded = recorded ~= nil }
  if recorded and recorded.result then
    call.result, call.due = recorded.result, math.max(self.time, self.began + recorded.seconds)
  elseif not recorded and not is_api then
    call.result, call.due = { status = SENT, attempts = 1 }, self.time
  end
  if not is_api then
    self.not_sent = self.not_sent + 1
    if call.result then
      call.result.unrecorded = self.unrecorded
    end
  end
  self.calls[call.id] = call
  return call.id
end

local function first_due(self)
  local first
  for _, call in pairs(self.calls) do
    if call.due and (not first or call.due < first.due
      or call.due == first.due and call.id < first.id)
    then
      first = call
    end
  end
  return first
end

function Player:step(max_wait)
  local call = first_due(self)
  if not call or call.due > self.time + max_wait then
    self.time = self.time + max_wait
    return
  end
  self.time = math.max(self.time, call.due)
  self.calls[call.id] = nil
  self.done[#self.done + 1] = call
end

function Player:take()
  local call = table.remove(self.done, 1)
  if call then
    call.result.id = call.id
  end
  return call and call.result
end

function Player:take_attempt() -- luacheck: ignore 212
  return nil
end

function Player:cancel(id)
  self.calls[id] = nil
end

return response_player
