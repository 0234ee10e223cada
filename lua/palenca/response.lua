--- Reads the API's answers: the envelope, both kinds of error body, and what is neither.
-- @module palenca.response
local errors = require("palenca.errors")
local json = require("palenca.json")

local response = {}

-- Where the limit was hit, the end of the window tells as much as Retry-After.
local function retry_after(result)
  if result.retry_after or result.status ~= 429 or not result.rate_reset then
    return result.retry_after
  end
  return math.max(0, result.rate_reset - os.time())
end

local function failure(result, fields)
  fields.status = result.status
  fields.request_id = result.request_id
  fields.retry_after = retry_after(result)
  fields.attempts = result.attempts
  return errors.new(fields)
end

local function text_of(value)
  return type(value) == "string" and value or nil
end

-- {"error": {"code", "message", "errors": [{"message", "location"}]}}
local function from_envelope(result, problem)
  local code = text_of(problem.code)
  local details = {}
  for _, detail in ipairs(type(problem.errors) == "table" and problem.errors or {}) do
    if type(detail) == "table" then
      details[#details + 1] =
        { message = text_of(detail.message), location = text_of(detail.location) }
    end
  end
  return failure(result, {
    kind = errors.kind(code, result.status),
    code = code,
    message = text_of(problem.message) or code or "the API refused the request",
    errors = #details > 0 and details or nil,
  })
end

-- {"detail": [{"loc": ["body", "start_date"], "msg", "type"}]}, or a plain sentence
local function from_detail(result, detail)
  local kind = errors.kind(nil, result.status)
  if type(detail) == "string" then
    return failure(result, { kind = kind, message = detail })
  end
  local details = {}
  for _, item in ipairs(detail) do
    if type(item) == "table" then
      local place = {}
      for _, step in ipairs(type(item.loc) == "table" and item.loc or {}) do
        place[#place + 1] = tostring(step)
      end
      details[#details + 1] = { message = text_of(item.msg), location = table.concat(place, ".") }
    end
  end
  return failure(result, { kind = kind, message = "the request is not valid", errors = details })
end

-- A proxy's page must not pass for an answer, nor be copied into a log.
local function not_the_api(result)
  local kind = errors.kind(nil, result.status)
  local message = "the answer is not the API's JSON"
  if result.body and result.body:find("^%s*<") then
    message = "the answer is a web page, not the API's JSON: something in between replied"
  elseif not result.body or result.body == "" then
    message = "the answer is empty"
  end
  return failure(result, { kind = kind, message = message })
end

local function read_failure(result, envelope)
  if type(envelope) == "table" and type(envelope.error) == "table" then
    return from_envelope(result, envelope.error)
  elseif type(envelope) == "table"
    and (type(envelope.detail) == "string" or type(envelope.detail) == "table")
  then
    return from_detail(result, envelope.detail)
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
    pagination = envelope.pagination,
  }
end

--- Turns the engine's result into what a caller gets.
-- @tparam table result of the engine
-- @return the answer's `data` (an empty table if it is null); or nil
-- @treturn table `{status=, request_id=, rate_limit=, attempts=, pagination=}`; or the error
function response.read(result)
  if result.kind then
    return nil, failure(result, { kind = result.kind, message = result.message })
  end
  local envelope = result.body and json.decode(result.body)
  local ok = result.status >= 200 and result.status < 300
  if ok and result.status == 204 then
    return {}, meta_of(result, {})
  end
  if not ok or type(envelope) ~= "table" or envelope.success == false then
    return nil, read_failure(result, envelope)
  end
  if envelope.success ~= true and envelope.data == nil then
    return nil, not_the_api(result)
  end
  return envelope.data == nil and {} or envelope.data, meta_of(result, envelope)
end

return response
