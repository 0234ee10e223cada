--- palenca check --online: tries what a call to the API needs, one after the other.
-- @module palenca.host.cli.check_online
local api_command = require("palenca.host.cli.api_command")
local host = require("palenca.host")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local runtime = require("palenca.runtime")

local check_online = {}

-- An operation that changes nothing, and that needs a key.
local PATH = "/v1/webhooks"
-- Seconds for the response; a person waits for it.
local TIMEOUT = 15
-- Seconds that two clocks may differ: less is the way of the response, and Date's whole seconds.
local CLOCK_MAX = 10

local NO_RESPONSE = "not tried: there was no response"

local function time_of_day(seconds)
  return os.date("%H:%M:%S", math.floor(seconds))
end

local function is_of_tls(result)
  local message = result.message or ""
  return message:find("SSL") or message:find("TLS") or message:find("certificate")
    or message:find("CA file")
end

-- ---- what is checked; each returns true, false, or nil if it cannot be known, and a sentence

local function check_response(_, result, seconds)
  if not result.status then
    return false, ("%s: %s"):format(result.kind, result.message)
  end
  return true, ("HTTP %d after %.2f s"):format(result.status, seconds)
end

local function check_tls(api, result)
  if api.base_url:find("^http:") then
    return nil, "none: the address is plain http"
  elseif result.status then
    return true, ("the certificate is valid, TLS %s"):format(
      api.min_tls == "1.2" and "1.2 or later" or "1.3")
  elseif is_of_tls(result) then
    return false, result.message
  end
  return nil, NO_RESPONSE
end

local function check_key(api, result)
  if not result.status then
    return nil, NO_RESPONSE
  end
  local data, err = api:_read(result, "table", "GET")
  if data then
    return true, "accepted"
  elseif result.status == 429 then
    return nil, "not known: the limit is used up"
  elseif err.kind == "auth" then
    return false, tostring(err) .. "; sandbox and production have a key each"
  end
  return false, "not known: " .. tostring(err)
end

-- The response's time is one between those of request and response, cut to the second.
local function check_clock(_, result, seconds, received)
  local server = result.server_time
  if not server then
    return nil, result.status and "not known: the response has no Date" or NO_RESPONSE
  end
  local behind, ahead = server - received, received - seconds - (server + 1)
  if behind > CLOCK_MAX then
    return false, ("this machine is %.0f s behind the API: set its clock"):format(behind)
  elseif ahead > CLOCK_MAX then
    return false, ("this machine is %.0f s ahead of the API: set its clock"):format(ahead)
  end
  return true, ("within %d s of the API's"):format(CLOCK_MAX)
end

local function check_limit(api, result, _, received)
  local limit, left = result.rate_limit, result.rate_remaining
  if not limit then
    return nil, result.status and "not known: the response does not say it" or NO_RESPONSE
  end
  local text = ("%d requests a minute, %s left until %s"):format(limit, left or "unknown",
    time_of_day(received + (result.window_left or 0)))
  if result.status == 429 or left == 0 then
    return false, text .. ": it is used up, by others with this key"
  elseif api.rate_limit == 0 or api.rate_limit > limit then
    return false, ("%s; --rate-limit is %s"):format(text,
      api.rate_limit == 0 and "0: none" or "higher: " .. api.rate_limit)
  end
  return true, text
end

local CHECKS = {
  { "response", check_response },
  { "tls", check_tls },
  { "key", check_key },
  { "clock", check_clock },
  { "limit", check_limit },
}

local WORDS = { [true] = "ok", [false] = "FAILED" }

local function show(given, name, is_well, text)
  if given.json then
    output.json({ check = name, ok = is_well, message = text })
  else
    output.text(("%-9s %-7s %s"):format(name, WORDS[is_well] or "-", text))
  end
end

local function send(api)
  local started = host.unix_time()
  local result = runtime.wait(api:_submit("GET", PATH, nil, { idempotent = true }))
  local received = host.unix_time()
  return result, received - started, received
end

--- Runs the checks, and shows them.
-- @tparam table given the parsed options
-- @treturn integer the exit status: 1 if one of them fails
function check_online.run(given)
  return api_command.run("check", nil, function()
    local api = api_command.client(given, { max_retries = 0, timeout = TIMEOUT })
    show(given, "address", true, api.base_url)
    local result, seconds, received = send(api)
    local status = 0
    for _, check in ipairs(CHECKS) do
      local is_well, text = check[2](api, result, seconds, received)
      status = is_well == false and 1 or status
      show(given, check[1], is_well, text)
    end
    return status
  end)
end

--- Adds its options.
-- @param command of argparse
function check_online.define(command)
  command:flag("--online", "Try key, clock, TLS and limit by one request to the API, and say what "
    .. "is wrong.")
  command:flag("--json", "With --online: write lines of JSON.")
  options.add_client(command)
end

return check_online
