--- The response or the fault that a test sets for requests, and whether any request has met it.
-- @module palenca.testing.expectation
local api_values = require("palenca.util.api_values")
local argcheck = require("palenca.util.argcheck")
local path_check = require("palenca.client.path_check")
local suggest = require("palenca.util.suggest")

local expectation = {}

local OUTCOME_FIELDS = {
  method = "method", status = "count", headers = "table", body = "text", kind = "string",
  message = "string", delay = "any", times = "positive", optional = "boolean",
}

local function with_outcome(fields)
  for name, kind in pairs(OUTCOME_FIELDS) do
    fields[name] = kind
  end
  return fields
end

expectation.RESPONSE_FIELDS = with_outcome { path = "string!", data = "any", pagination = "table" }
expectation.FAULT_FIELDS = with_outcome { path = "string", code = "string", retry_after = "count" }
expectation.HTTP_FIELDS = with_outcome { url = "string!", json = "any" }

local failures = { network = true, timeout = true, protocol = true }
local methods = {
  GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true, OPTIONS = true,
}

-- What is mistyped would be met by no request.
local function check_place(what, given, level)
  local problem = given.path and path_check(given.path)
  if problem then
    error(what .. ": path: " .. problem, level + 1)
  end
  local code = not api_values.error_codes[given.code or ""]
    and suggest.text(given.code, api_values.error_codes) or ""
  if code ~= "" then
    error(("%s: code: no documented one is '%s'%s"):format(what, given.code, code), level + 1)
  end
end

--- Raises what is wrong with what a test sets.
-- @tparam string what the method that is called, such as `test:respond`
-- @tparam table given its fields
-- @tparam {[string]=string} fields one of the tables above
-- @tparam integer level whose mistake it is, as for `error`
function expectation.check(what, given, fields, level)
  argcheck.fields(what, given, fields, level + 1)
  if what ~= "test:http" or suggest.nearest(given.method, methods) then
    argcheck.one_of(what .. ": method", given.method, methods, level + 1)
  end
  check_place(what, given, level + 1)
  if given.kind ~= nil and not failures[given.kind] then
    error(("%s: kind must be 'network', 'timeout' or 'protocol', of what has no response, got '%s'")
      :format(what, given.kind), level + 1)
  elseif given.kind and given.status then
    error(what .. ": either kind or status can be given", level + 1)
  elseif given.delay ~= nil and not (type(given.delay) == "number" and given.delay >= 0) then
    error(what .. ": delay must be a number of seconds from 0, got " .. tostring(given.delay),
      level + 1)
  end
end

-- Where the test has set something.
local function place_of(level)
  local info = debug.getinfo(level + 1, "Sl")
  return ("%s:%d"):format(info.short_src, info.currentline)
end

--- Makes one, to be called by a method of the test. It is kept for a look at whether any request
-- has met it, too.
-- @tparam {table,...} expected where it is kept, unless it is optional
-- @tparam string what the method
-- @tparam table given its fields
-- @tparam ?string place the path or URL; nil: any
-- @tparam table outcome `status`, `headers` and `body`
-- @treturn table for @{palenca.testing.api.take}
function expectation.new(expected, what, given, place, outcome)
  outcome.delay = given.delay
  if given.kind then
    outcome.status, outcome.body, outcome.kind = nil, nil, given.kind
    outcome.message = given.message or "the connection was closed"
  end
  local entry = { method = given.method, place = place, times = given.times, used = 0,
    outcome = outcome, what = what, set_at = place_of(3) }
  if not given.optional then
    table.insert(expected, entry)
  end
  return entry
end

--- What was set and no request has met: the test has not shown what it seems to.
-- @tparam {table,...} expected
-- @treturn ?string a sentence; nil: all were met
function expectation.unmet(expected)
  for _, entry in ipairs(expected) do
    if entry.used == 0 then
      return ("%s: no request has met this %s of %s%s; call it where there is one, or with "
        .. "optional = true"):format(entry.set_at, entry.what,
        entry.method and entry.method .. " " or "", entry.place or "any path")
    end
  end
end

--- Headers by their names in lower case.
-- @tparam ?table headers
-- @treturn table
function expectation.lower_names(headers)
  local lower = {}
  for name, value in pairs(headers or {}) do
    lower[tostring(name):lower()] = value
  end
  return lower
end

return expectation
