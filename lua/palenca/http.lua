--- Requests to the user's own systems, by the same engine as the API's.
-- @module palenca.http
local check = require("palenca.check")
local core = require("palenca.core")
local errors = require("palenca.errors")
local json = require("palenca.json")
local method = require("palenca.method")
local runtime = require("palenca.runtime")

local fields = {
  method = "method",
  url = "string!",
  headers = "table",
  body = "text",
  json = "any",
  timeout = "seconds",
  max_retries = "retries",
}

-- What a header's name is made of.
local TOKEN = "^[%w!#$%%&'*+.^_`|~-]+$"

local function headers_of(options)
  local headers = {}
  for name, value in pairs(options.headers or {}) do
    if type(name) ~= "string" or (type(value) ~= "string" and type(value) ~= "number") then
      error("palenca.http: headers must be strings under names that are strings", 3)
    end
    if not name:find(TOKEN) or (tostring(value):gsub("\t", "")):find("%c") then
      error("palenca.http: a header holds characters that no header may have", 3)
    end
    headers[name] = tostring(value)
  end
  return headers
end

local function check_url(url)
  local scheme, authority = url:match("^(https?://)([^/?#]+)")
  if not scheme or url:find("[%c%s]") then
    error("palenca.http: url must start with http:// or https:// and hold no spaces", 3)
  end
  if not core.check_base_url(scheme .. authority:gsub("^.*@", ""), true) then
    error("palenca.http: url has no valid host and port", 3)
  end
end

local function has_header(headers, wanted)
  for name in pairs(headers) do
    if name:lower() == wanted then
      return true
    end
  end
  return false
end

local function parse_headers(block)
  local headers = {}
  for name, value in (block or ""):gmatch("([^\r\n:]+):[ \t]*([^\r\n]*)") do
    headers[name:lower()] = value
  end
  return headers
end

--- Sends a request.
-- @function http
-- @tparam table options
-- @tparam string options.url http or https
-- @tparam string options.method default `GET`, or `POST` with a body
-- @tparam table options.headers name → value
-- @tparam string options.body sent as it is
-- @param options.json sent as JSON instead
-- @tparam number options.timeout seconds for one attempt, connecting and TLS handshake included;
-- default 30
-- @tparam number options.max_retries default 0; a POST or PATCH is repeated only if it cannot have
-- reached the server
-- @treturn ?table `{status=, headers= (names in small letters), body=}`, of whatever status
-- @treturn ?palenca.errors.Error why there is no answer
local function request(options)
  if type(options) ~= "table" then
    error("palenca.http takes a table, got " .. type(options), 2)
  end
  check.fields("palenca.http", options, fields, 2)
  check_url(options.url)
  local name = options.method or ((options.body or options.json ~= nil) and "POST" or "GET")
  local headers, body = headers_of(options), options.body
  if options.json ~= nil then
    if body then
      error("palenca.http: pass body or json, not both", 2)
    end
    body = json.encode(options.json)
    if not has_header(headers, "content-type") then
      headers["Content-Type"] = "application/json"
    end
  end
  local result = runtime.wait(runtime.submit({
    method = name,
    url = options.url,
    headers = headers,
    body = body,
    timeout = options.timeout,
    max_retries = options.max_retries,
    repeatable = method.is_repeatable(name),
    keep_headers = true,
    allow_tls_1_2 = true,
  }))
  if result.kind then
    return nil,
      errors.new({ kind = result.kind, message = result.message, attempts = result.attempts })
  end
  return {
    status = result.status,
    headers = parse_headers(result.headers),
    body = result.body or "",
  }
end

return request
