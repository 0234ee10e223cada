--- palenca.http: sends requests to the user's own systems, not the API's, by the same engine.
-- @module palenca.http
local argcheck = require("palenca.util.argcheck")
local core = require("palenca.core")
local errors = require("palenca.errors")
local http_method = require("palenca.util.http_method")
local inspection = require("palenca.client.inspection")
local json = require("palenca.util.json")
local number_text = require("palenca.util.number_text")
local runtime = require("palenca.runtime")

local fields = {
  method = "method",
  url = "string!",
  headers = "table",
  body = "text",
  json = "any",
  timeout = "seconds",
  max_retries = "retries",
  ca_file = "string",
  proxy = "text",
  min_tls = "tls",
}

-- A value as text; or nil and what is wrong with it.
local function header_value(name, value)
  if type(value) ~= "string" and type(value) ~= "number" then
    return nil, ("headers: %s must be a string or a list of strings, got %s"):format(name,
      argcheck.shown(value))
  end
  value = number_text.text(value)
  local ok, problem = core.check_header(name, value)
  return ok and value, problem
end

local function header_values(name, values)
  if type(values) ~= "table" then
    return header_value(name, values)
  end
  local list = {}
  for at, value in ipairs(values) do
    local problem
    list[at], problem = header_value(name, value)
    if not list[at] then
      return nil, problem
    end
  end
  return #list > 0 and list, ("headers: %s is an empty list"):format(name)
end

local function headers_of(options)
  local headers, seen = {}, {}
  for name, value in pairs(options.headers or {}) do
    if type(name) ~= "string" then
      error("palenca.http: headers must be under names that are strings, got "
        .. argcheck.shown(name), 3)
    end
    local problem
    headers[name], problem = header_values(name, value)
    if not headers[name] then
      error("palenca.http: " .. problem, 3)
    elseif seen[name:lower()] then
      error(("palenca.http: header %s is set twice"):format(name:lower()), 3)
    end
    seen[name:lower()] = true
  end
  return headers
end

local function check_url(url)
  local ok, problem = core.check_url(url)
  if not ok then
    error("palenca.http: " .. problem, 3)
  end
end

local function has_header(headers, header)
  for name in pairs(headers) do
    if name:lower() == header then
      return true
    end
  end
  return false
end

-- Names are looked up in any case.
local any_case = {
  __index = function(headers, name)
    return type(name) == "string" and rawget(headers, name:lower()) or nil
  end,
}

-- Values of a header that comes several times are a list with commas, except for cookies, which may
-- hold commas themselves.
local function parse_headers(block)
  local headers = {}
  for line in (block or ""):gmatch("[^\r\n]+") do
    local name, value = line:match("^([^%s:]+):[ \t]*(.-)[ \t]*$")
    name = name and name:lower()
    if name == "set-cookie" then
      headers[name] = headers[name] or {}
      table.insert(headers[name], value)
    elseif name then
      headers[name] = headers[name] and headers[name] .. ", " .. value or value
    end
  end
  return setmetatable(headers, any_case)
end

local function ca_file_of(options)
  local file = options.ca_file or os.getenv("PALENCA_CA_FILE")
  return file ~= "" and file or nil
end

--- Sends a request.
-- @function http
-- @tparam table options
-- @tparam string options.url http or https; a user name and a password in it must be
-- percent-encoded
-- @tparam ?string options.method default `GET`, or `POST` with a body
-- @tparam ?table options.headers name → value, a string or number, or a list of them that are sent
-- one by one. `Host` and those that frame the request, such as `Content-Length`,
-- `Transfer-Encoding` and `Connection`, are made from it: passing one raises, as does passing one
-- twice, in different case
-- @tparam ?string options.body sent as it is
-- @param[opt] options.json sent as JSON instead, the same bytes for the same value
-- @tparam ?number options.timeout seconds for one attempt, connecting and TLS handshake included;
-- default 30
-- @tparam ?number options.max_retries default 0; a POST or PATCH is repeated only if it cannot have
-- reached the server
-- @tparam ?string options.ca_file certificates to trust instead of the system's; default
-- `$PALENCA_CA_FILE`. If it cannot be read, the error's kind is `network` and it names the file
-- @tparam ?string options.proxy a proxy's URL, `""` for none; default: what curl takes from the
-- environment, such as `$https_proxy`, and none for this machine
-- @tparam ?string options.min_tls `"1.2"` (the default) or `"1.3"`
-- @treturn ?HttpResponse of whatever status. `headers` has the final
-- response's, under names in lower case, and finds a name in any case; values of one that came
-- several times are joined with `", "`, but `headers["set-cookie"]` is always a list of strings
-- @treturn ?palenca.errors.Error why there is no response
local function request(options)
  if type(options) ~= "table" then
    error("palenca.http takes a table, got " .. argcheck.shown(options), 2)
  end
  argcheck.fields("palenca.http", options, fields, 2)
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
    idempotent = http_method.is_idempotent(name),
    keep_headers = true,
    allow_tls_1_2 = options.min_tls ~= "1.3",
    ca_file = ca_file_of(options),
    proxy = options.proxy,
  }))
  if result.kind then
    local err = errors.new({ kind = result.kind, message = result.message,
      attempts = result.attempts, sent_to = errors.sent_to(name, options.url, "by palenca.http") })
    if inspection.on_failure then
      inspection.on_failure(err)
    end
    return nil, err
  end
  if result.unrecorded then -- of a runtime that knows the status alone
    return setmetatable({ status = result.status }, { __index = result.unrecorded })
  end
  local response = {
    status = result.status,
    headers = parse_headers(result.headers),
    body = result.body or "",
  }
  if inspection.on_response then
    inspection.on_response(response)
  end
  return response
end

--- A response.
-- @table HttpResponse
-- @tfield integer status the HTTP status
-- @tfield table headers name → value
-- @tfield string body

return request
