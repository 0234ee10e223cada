--- Shared by the sandbox's specs: a sandbox with a clock to turn, and requests in one line.
local json = require("palenca.util.json")
local sandbox = require("palenca.sandbox")

local helper = {}

helper.KEY = "test-key"
helper.WIDGET = "b679c2fb-a096-4c26-a902-245f9bce66d9"
helper.UNKNOWN = "00000000-0000-4000-8000-000000000000"
helper.TUTORIAL = "cb39ee15-f29f-427d-9119-0c627575610d"
helper.TUTORIAL_USER = "d1c9b98b-3190-479e-99db-04060ff3997f"
-- 2025-06-20, a Friday, at noon.
helper.NOON = 1750420800.0

--- The headers of a request with a body that needs no key.
helper.JSON = { ["content-type"] = "application/json" }

local api = {}
api.__index = api

--- Makes a sandbox to talk to; `options` go over the defaults (no rate limit, clock at NOON).
function helper.new(options)
  local self = setmetatable({ now = helper.NOON }, api)
  local settings = {
    api_key = helper.KEY, seed = 1, rate_limit = 0, webhook_delay = 30,
    clock = function() return self.now end,
  }
  for name, value in pairs(options or {}) do
    settings[name] = value
  end
  self.sandbox = sandbox.new(settings)
  return self
end

--- One request; a table as body is sent as JSON. Gives status, decoded body, headers, text.
function api:call(method, target, body, headers)
  local path, query = target:match("^([^?]*)%??(.*)$")
  if type(body) == "table" then
    body = next(body) == nil and "{}" or json.encode(body)
  end
  local status, response_headers, text = self.sandbox:handle {
    method = method,
    path = path,
    query = query ~= "" and query or nil,
    headers = headers and next(headers) and headers or {
      ["x-api-key"] = not headers and helper.KEY or nil,
      ["content-type"] = "application/json",
    },
    body = body or "",
  }
  return status, json.decode(text), response_headers, text
end

--- Creates a webhook and returns its data; `fields` go over the defaults.
function api:webhook(fields)
  local body = {
    url = "https://example.com/hook", name = "spec", widget_id = helper.WIDGET,
    is_sandbox = true,
  }
  for name, value in pairs(fields or {}) do
    body[name] = value
  end
  local status, response = self:call("POST", "/v1/webhooks", body)
  assert(status == 201, "webhook not created")
  return response.data
end

--- Simulates a login and returns its data.
function api:login(body)
  local status, response = self:call("POST", "/sandbox/logins", body, {})
  assert(status == 201, "login not created")
  return response.data
end

--- Whether a validation report names a field, given as "body.options.page".
function helper.blames(response, place)
  for _, fault in ipairs(response.detail or {}) do
    if table.concat(fault.loc, ".") == place and fault.msg and fault.type then
      return fault.type
    end
  end
  return nil
end

return helper
