--- Makes the errors of calls, with a kind, a message and whether a repeat can help.
-- @module palenca.errors
local advice = require("palenca.advice")
local core = require("palenca.core")
local redact = require("palenca.util.redact")
local shown = require("palenca.util.shown")

local errors = {}

--- A part of a request that is wrong.
-- @table ErrorDetail
-- @tfield ?string message
-- @tfield ?string location such as `start_date`

--- A failure that the network or the API caused.
-- @table Error
-- @tfield string kind `network`, `timeout`, `rate_limited`, `auth`, `invalid`, `not_found`,
-- `platform`, `server` or `protocol`
-- @tfield ?string code the API's own code, if it sent one
-- @tfield ?integer status the HTTP status, if there was a response
-- @tfield string message a sentence for a log; never holds the key
-- @tfield ?{ErrorDetail,...} errors what is wrong with the request
-- @tfield ?string request_id the API's id of the request, which its support asks for
-- @tfield ?number retry_after seconds after which the server may be asked again
-- @tfield string actor who must act: `worker`, `integrator` or `platform`
-- @tfield boolean can_repeat whether another try can help, unchanged or corrected
-- @tfield ?number repeat_after seconds to wait before it, where the API's documentation says so or
-- the server did
-- @tfield ?integer attempts how often the request was sent
-- @tfield ?string sent_to without a response: method and host of the request, and whose it is
local Error = {}
Error.__index = Error

function Error:__tostring()
  local parts = { self.kind, ": " }
  if self.code and self.code ~= self.message and self.code ~= self.kind then
    parts[#parts + 1] = self.code .. ": "
  end
  parts[#parts + 1] = self.message or "unknown failure"
  for _, detail in ipairs(self.errors or {}) do
    parts[#parts + 1] = string.format("; %s: %s", detail.location or "?", detail.message or "?")
  end
  local notes = { self.sent_to }
  if self.status then
    notes[#notes + 1] = "HTTP " .. string.format("%d", self.status)
  end
  if self.attempts and self.attempts > 1 then
    notes[#notes + 1] = string.format("%d attempts", self.attempts)
  end
  if self.request_id then
    notes[#notes + 1] = "request " .. self.request_id
  end
  if #notes > 0 then
    parts[#parts + 1] = " (" .. table.concat(notes, ", ") .. ")"
  end
  -- a server may repeat a worker's input; the fields keep it, but texts are logged
  return redact.identity(table.concat(parts))
end

local function joinable(value)
  local kind = type(value)
  if getmetatable(value) == Error then
    return tostring(value)
  elseif kind ~= "string" and kind ~= "number" then
    error("attempt to concatenate a " .. kind .. " value", 3)
  end
  return value
end

-- So that a message can be made of it. Whoever raises that has no `repeat_after` any more.
function Error.__concat(one, other)
  local first, second = joinable(one), joinable(other) -- no tail call: the level counts callers
  return first .. second
end

-- The statuses do not distinguish a wrong key from a worker's wrong password: both are
-- 401. The codes do.
local kind_of_code = {
  missing_api_key = "auth",
  invalid_api_key = "auth",
  bad_request = "invalid",
  invalid_phone_number = "invalid",
  invalid_email = "invalid",
  too_many_requests = "rate_limited",
  service_unavailable = "server",
  lambda_error = "server",
  request_timeout = "timeout",
  invalid_credentials = "platform",
  platform_unavailable = "platform",
  platform_error = "platform",
  invalid_otp = "platform",
  expired_otp = "platform",
  email_not_validated = "platform",
  login_refused = "platform",
  invalid_otp_auth_key = "platform",
  could_not_send_otp = "platform",
  unable_to_get_performance = "platform",
  recent_login_successful = "platform",
  invalid_otp_session = "platform",
}

--- The kind of a response that says it failed.
-- @tparam ?string code the API's code
-- @tparam number status the HTTP status
-- @treturn string one of the kinds of @{Error}
function errors.kind(code, status)
  return kind_of_code[code] or core.status_kind(status) or "protocol"
end

local languages = { es = true, pt = true, en = true }

--- A sentence for the worker.
-- @function Error:advice
-- @tparam[opt="es"] string lang `es`, `pt` or `en`
-- @treturn string
function Error:advice(lang)
  if getmetatable(self) ~= Error then
    error('err:advice: call it with a colon, as in err:advice("en")', 2)
  end
  lang = lang or "es"
  if not languages[lang] then
    error("advice: lang must be 'es', 'pt' or 'en', got " .. shown(lang), 2)
  end
  return advice.of_call(self.code, self.kind).text[lang]
end

--- What says which request a failure without a response is of. The path may hold personal data.
-- @tparam string method
-- @tparam string url
-- @tparam string whose such as `the API`
-- @treturn string
function errors.sent_to(method, url, whose)
  local host = (url:match("^%a[%w+.-]*://([^/?#]*)") or ""):gsub("^.*@", "")
  return ("%s to %s, %s"):format(method, host, whose)
end

--- Creates an error.
-- @tparam table fields those of @{Error}; who must act is filled in
-- @treturn Error
function errors.new(fields)
  local known = advice.of_call(fields.code, fields.kind)
  fields.actor, fields.can_repeat = known.actor, known.can_repeat
  fields.repeat_after = known.repeat_after or known.can_repeat and fields.retry_after or nil
  return setmetatable(fields, Error)
end

--- Whether a value is an error of this module.
-- @param value anything
-- @treturn boolean
function errors.is(value)
  return getmetatable(value) == Error
end

return errors
