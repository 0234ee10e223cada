--- What a handler reads of the API, as it is recorded: writes its parts, and reads them again.
--
-- The parts are in the order of time: requests, and the responses to them by the requests' numbers.
-- A request is its method, its path with the query, and its body; its headers, the key among them,
-- are not recorded. Of `palenca.http` it is the method and a digest of the URL, and of a response
-- to it whether there was one, and its status.
-- @module palenca.host.response_recording
local host = require("palenca.host")
local json = require("palenca.util.json")

local Recording = {}
Recording.__index = Recording

local response_recording = {}

-- These are in databases: they never change.
local API, HTTP, RESPONSE = 1, 2, 3
local REQUEST_FORM = "<Bs4s4s4"
local RESPONSE_FORM = "<BI4ds4s4"

-- Of a result of the engine, beside its body.
local FIELDS = { "status", "attempts", "kind", "message", "request_id", "rate_limit",
  "rate_remaining", "rate_reset", "retry_after", "window_left" }

--- What a request is recorded by.
-- @tparam table request of the engine
-- @treturn boolean whether it is one of the API's
-- @treturn string the method
-- @treturn string the path with the query, or a digest of the URL
-- @treturn string the body; of another system `""`
function response_recording.identity(request)
  if request.template then -- only the client's requests have one
    return true, request.method, request.path, request.body or ""
  end
  return false, request.method, host.sha256(request.url), ""
end

--- Makes one for a run of an event's handlers.
-- @param handle of `own_thread.recording`
-- @tparam function now the seconds of a clock
-- @treturn Recording
function response_recording.new(handle, now)
  return setmetatable({ handle = handle, now = now, began = now(), count = 0, is_whole = true },
    Recording)
end

--- Records a request.
-- @tparam table request of the engine
-- @treturn integer its number
function Recording:request(request)
  self.count = self.count + 1
  if self.is_whole then
    local is_api, method, place, body = response_recording.identity(request)
    self.is_whole = self.handle:add(REQUEST_FORM:pack(is_api and API or HTTP, method, place, body))
  end
  return self.count
end

--- Records the response to a request, or that there is none.
-- @tparam integer number of the request
-- @tparam boolean is_api whether it is one of the API's
-- @tparam table result of the engine
function Recording:response(number, is_api, result)
  if not self.is_whole then
    return
  end
  local fields, body = {}, is_api and result.body
  for _, name in ipairs(FIELDS) do
    fields[name] = result[name]
  end
  fields.has_body = body and true or nil
  self.is_whole = self.handle:add(RESPONSE_FORM:pack(RESPONSE, number, self.now() - self.began,
    json.encode(fields), body or ""))
end

local function read_request(text, at, kind)
  local _, method, place, body
  _, method, place, body, at = REQUEST_FORM:unpack(text, at)
  return { is_api = kind == API, method = method, place = place, body = body }, at
end

local function read_response(text, at, requests)
  local _, number, seconds, fields, body
  _, number, seconds, fields, body, at = RESPONSE_FORM:unpack(text, at)
  local request, result = requests[number], json.decode(fields)
  if not request or type(result) ~= "table" then
    error("a response without its request")
  end
  result.body = result.has_body and body or nil
  result.has_body = nil
  request.seconds, request.result = seconds, result
  return at
end

local function read(text)
  local requests, at = {}, 1
  while at <= #text do
    local kind = text:byte(at)
    if kind == RESPONSE then
      at = read_response(text, at, requests)
    elseif kind == API or kind == HTTP then
      requests[#requests + 1], at = read_request(text, at, kind)
    else
      error("an unknown part")
    end
  end
  return requests
end

--- Reads a recording.
-- @tparam string text
-- @treturn ?{table,...} the requests in their order: `is_api`, `method`, `place`, `body`, and of
-- those with a response `result`, the engine's, and `seconds`, when it came; nil if it is damaged
function response_recording.read(text)
  local ok, requests = pcall(read, text)
  return ok and requests or nil
end

return response_recording
