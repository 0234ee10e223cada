--- Reads the API's responses: the envelope, both kinds of error body, and other content.
-- @module palenca.client.response
local errors = require("palenca.errors")
local json = require("palenca.util.json")
local number_text = require("palenca.util.number_text")

local response = {}

-- Where the limit was hit, the end of the window says as much as Retry-After.
local function retry_after(result)
  if result.retry_after or result.status ~= 429 then
    return result.retry_after
  end
  return result.window_left
end

local function failure(result, fields)
  fields.status = result.status
  fields.request_id = result.request_id
  fields.retry_after = retry_after(result)
  fields.attempts = result.attempts
  return errors.new(fields)
end

local function text_of(value)
  return type(value) == "string" and value ~= "" and value or nil
end

local function word_of(value)
  return type(value) == "number" and number_text.text(value) or text_of(value)
end

-- A null in a list is a hole in a table; the items after it are read as well.
local function items_of(list)
  local places, items = {}, {}
  for place in pairs(type(list) == "table" and list or {}) do
    if type(place) == "number" then
      places[#places + 1] = place
    end
  end
  table.sort(places)
  for at, place in ipairs(places) do
    items[at] = list[place]
  end
  return items
end

-- "start_date", or {"body", "items", 0}
local function location_of(place)
  local steps = {}
  for _, step in ipairs(items_of(place)) do
    steps[#steps + 1] = word_of(step)
  end
  return word_of(place) or #steps > 0 and table.concat(steps, ".") or nil
end

-- {"message", "location"}, {"loc", "msg"}, or a sentence: empty ones are omitted.
local function details_of(list)
  local details = {}
  for _, item in ipairs(items_of(list)) do
    local fields = type(item) == "table" and item or { message = item }
    local message = text_of(fields.message) or text_of(fields.msg)
    local location = location_of(fields.location) or location_of(fields.loc)
    if message or location then
      details[#details + 1] = { message = message, location = location }
    end
  end
  return #details > 0 and details or nil
end

-- {"error": {"code", "message", "errors": [{"message", "location"}]}}
local function from_envelope(result, problem)
  local code = word_of(problem.code)
  return failure(result, {
    kind = errors.kind(code, result.status),
    code = code,
    message = text_of(problem.message) or code or "the API rejected the request",
    errors = details_of(problem.errors),
  })
end

-- {"detail": [{"loc": ["body", "start_date"], "msg", "type"}]}, a plain sentence, or an object
local function from_detail(result, detail)
  if type(detail) == "table" and (detail.message or detail.code) then
    return from_envelope(result, detail)
  end
  return failure(result, {
    kind = errors.kind(nil, result.status),
    message = text_of(detail) or "the request is not valid",
    errors = details_of(detail),
  })
end

-- A proxy's page must not pass for a response, nor be copied into a log.
local function not_the_api(result)
  local kind = errors.kind(nil, result.status)
  local message = "the response is not the API's JSON"
  if result.body and result.body:find("^%s*<") then
    message = "the response is a web page, not the API's JSON: something in between replied"
  elseif not result.body or result.body == "" then
    message = "the response is empty"
  end
  return failure(result, { kind = kind, message = message })
end

local function read_failure(result, envelope)
  if type(envelope) ~= "table" then
    return not_the_api(result)
  elseif type(envelope.error) == "table" then
    return from_envelope(result, envelope.error)
  elseif type(envelope.detail) == "table" or text_of(envelope.detail) then
    return from_detail(result, envelope.detail)
  end
  local message = text_of(envelope.error) or text_of(envelope.message)
  if message then -- of a gateway in between, as a rule
    return from_envelope(result,
      { code = envelope.code, message = message, errors = envelope.errors })
  end
  return not_the_api(result)
end

local function meta_of(result, envelope)
  local rate_limit
  if result.rate_limit then
    rate_limit = {
      limit = result.rate_limit,
      remaining = result.rate_remaining,
      reset = result.rate_reset,
    }
  end
  return {
    status = result.status,
    request_id = result.request_id,
    rate_limit = rate_limit,
    attempts = result.attempts,
    pagination = type(envelope.pagination) == "table" and envelope.pagination or nil,
  }
end

-- Whether a response reports a failure; without a report its data decides.
local function says_failure(envelope)
  return envelope.success == false
    or envelope.success == nil and (envelope.error ~= nil or envelope.data == nil)
end

-- What is wrong with the shape of a successful response.
local function problem_of(envelope, shape)
  local data, pagination = envelope.data, envelope.pagination
  if envelope.success ~= nil and envelope.success ~= true then
    return "the response's field success is neither true nor false"
  elseif shape and data ~= nil and type(data) ~= "table" then
    return "the response's data is neither an object nor a list"
  elseif shape == "page" and pagination ~= nil and type(pagination) ~= "table" then
    return "the response's pagination is not an object"
  end
end

--- Converts the engine's result to the caller's.
-- @tparam table result of the engine
-- @tparam ?string shape what is expected: `table` for an operation, whose data is an object or a
-- list; `page` for one of a search; nil for any type
-- @return the response's `data` (an empty table if it is null); or nil
-- @treturn table `{status=, request_id=, rate_limit=, attempts=, pagination=}`; or the error
function response.read(result, shape)
  if result.kind then
    return nil, failure(result, { kind = result.kind, message = result.message })
  end
  local envelope = result.body and json.decode(result.body)
  local ok = result.status >= 200 and result.status < 300
  if ok and result.status == 204 then
    return {}, meta_of(result, {})
  end
  if not ok or type(envelope) ~= "table" or says_failure(envelope) then
    return nil, read_failure(result, envelope)
  end
  local problem = problem_of(envelope, shape)
  if problem then
    return nil, failure(result, { kind = "protocol", message = problem })
  end
  return envelope.data == nil and {} or envelope.data, meta_of(result, envelope)
end

return response
