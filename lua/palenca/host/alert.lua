--- Sends alerts about dead letters. An alert is stored by the event store, in the transactions that
-- end the dead ones, as an event of its own, whose body is that of no webhook.
-- @module palenca.host.alert
local core = require("palenca.core")
local external_http = require("palenca.client.external_http")
local json = require("palenca.util.json")

local alert = {}

alert.ACTION = "palenca.alert"

--- How often one is sent before it is abandoned: for about a day.
alert.MAX_ATTEMPTS = 32

--- Max seconds of an attempt.
alert.TIMEOUT = 30

-- Of a request.
local TIMEOUT = 10

--- Reads what an alert is about.
-- @tparam string body of an event
-- @treturn ?table `since` and `until` (Unix milliseconds), `count`, `events` (ids); nil if it is no
-- alert
function alert.read(body)
  local text = body:find('^{"alert":') and json.decode(body)
  return type(text) == "table" and type(text.alert) == "table" and text.alert or nil
end

local function date(milliseconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", milliseconds // 1000)
end

--- Sends one; raises what is wrong, so that it is tried again.
-- @tparam table settings `url` and `secret`
-- @tparam integer id of its event: the same in every attempt
-- @tparam table about as @{read} has it
function alert.send(settings, id, about)
  local body = json.encode({
    type = "dead_letters",
    id = id,
    since = date(about.since),
    ["until"] = date(about["until"]),
    count = about.count,
    events = json.array(about.events),
  })
  local response, problem = external_http({
    method = "POST",
    url = settings.url,
    headers = {
      ["Content-Type"] = "application/json",
      ["X-Palenca-Signature"] = assert(core.sign({}, settings.secret, body)),
    },
    body = body,
    timeout = TIMEOUT,
    max_retries = 0,
  })
  if not response then
    error(problem, 0)
  elseif response.status < 200 or response.status > 299 then
    error(("the receiver of alerts responded %d"):format(response.status), 0)
  end
end

return alert
