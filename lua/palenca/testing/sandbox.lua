--- The sandbox as the API of a test, in the same process and at the test's time.
-- @module palenca.testing.sandbox
local argcheck = require("palenca.util.argcheck")
local json = require("palenca.util.json")

local Sandbox = {}
Sandbox.__index = Sandbox

local sandbox = {}

local KEY = "testing"
local FIELDS = { accounts = "count", seed = "count", history = "count", rate_limit = "count" }

-- Raises with what to do instead.
local function load_sandbox(level)
  local ok, module = false, _VERSION
  if _VERSION >= "Lua 5.4" then
    ok, module = pcall(require, "palenca.sandbox")
  end
  if not ok then
    error(("palenca.testing.start: palenca.sandbox cannot be loaded here: it is a part of the "
      .. "program ('palenca run' of a test) and of the source tree, for Lua 5.4, and not of the "
      .. "rock. Use test:worker without it, or palenca.testing.sandbox (%s)"):format(
      tostring(module):match("^[^\n]*")), level + 1)
  end
  return module
end

--- Makes one.
-- @tparam table session whose time it has
-- @param options true, or `accounts`, `seed`, `history`, `rate_limit`
-- @tparam number level of the caller to blame
-- @treturn Sandbox
function sandbox.new(session, options, level)
  if options == true then
    options = {}
  end
  options = argcheck.fields("palenca.testing.start: sandbox", options, FIELDS, level + 1)
  local module = load_sandbox(level + 1)
  return setmetatable({
    session = session,
    identifier_problem = module.identifier_problem,
    instance = module.new {
      api_key = KEY, seed = options.seed, accounts = options.accounts, history = options.history,
      rate_limit = options.rate_limit or 0, webhook_delay = 0,
      clock = function()
        return session.engine:unix_time()
      end,
    },
  }, Sandbox)
end

-- Headers by lower-case names, as the stand-in of the engine reads them.
local function lower_names(headers)
  local lower = {}
  for name, value in pairs(headers) do
    lower[name:lower()] = value
  end
  return lower
end

--- Responds to a request.
-- @tparam table request `method`, `path`, `query`, `language`
-- @tparam ?string body
-- @treturn table the outcome of the attempt
function Sandbox:respond(request, body)
  local status, headers, text, effects = self.instance:handle {
    method = request.method, path = request.path, query = request.query, body = body or "",
    headers = {
      ["x-api-key"] = KEY, ["content-type"] = "application/json",
      ["accept-language"] = request.language,
    },
  }
  local delay = effects and effects.delay
  if effects and (effects.drop or effects.cut) then
    return { kind = "network", message = "the connection was closed", delay = delay }
  end
  return { status = status, headers = lower_names(headers), body = text, delay = delay }
end

-- Calls one of the sandbox's own operations.
local function control(self, method, path, fields, level)
  local outcome = self:respond({ method = method, path = path }, fields and json.encode(fields))
  local response = json.decode(outcome.body)
  if outcome.status >= 300 then
    local first = response.detail and response.detail[1]
    error("test:worker: " .. (first and ("%s %s"):format(first.loc[#first.loc], first.msg)
      or response.error.message), level + 1)
  end
  return response.data
end

-- Ends the logins that are due.
local function finish_logins(self)
  local delivery, wait
  repeat
    delivery, wait = self.instance:next_delivery()
    if delivery then
      self.instance:delivered(delivery, { status = 200, body = "", seconds = 0 })
    elseif wait and wait <= 60 then
      self.session.engine.time = self.session.engine.time + wait
    end
  until not delivery and (not wait or wait > 60)
end

--- Has a worker log in.
-- @tparam ?table fields of the sandbox's logins, such as `platform`, `pattern`, `days`
-- @tparam number level of the caller to blame
-- @treturn table `account_id`, `user_id`, `external_id`, `platform`, `country`, `status`,
-- `status_details`
function Sandbox:worker(fields, level)
  local given = { platform = "uber" }
  for name, value in pairs(fields or {}) do
    given[name] = value
  end
  local identifier = type(given.identifier) == "string" and given.identifier or ""
  local problem = identifier:find("@palenca-tests.com", 1, true)
    and self.identifier_problem(identifier)
  if problem then
    error("test:worker: identifier " .. problem, level + 1)
  end
  local login = control(self, "POST", "/sandbox/logins", given, level + 1)
  finish_logins(self)
  local account = control(self, "GET", "/v1/accounts/" .. login.account_id, nil, level + 1)
  return {
    account_id = login.account_id, user_id = login.user_id, external_id = login.external_id,
    platform = login.platform, country = login.country, status = account.status,
    status_details = account.status_details,
  }
end

return sandbox
