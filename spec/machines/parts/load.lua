--- Sends signed webhooks to all hosts: of each account the next one once the one before was
-- acknowledged, or some of them at a time; each until it has 200, at another host each time; and a
-- part of them once more afterwards.
local cjson = require("cjson")
local uv = require("luv")
local webhook = require("palenca.webhook")
local hosts = require("spec.machines.parts.hosts")
local http = require("spec.support.http")
local network = require("spec.machines.parts.network")
local process = require("spec.support.process")

local load = {
  events = {}, -- by "account sequence": when it was first sent, and acknowledged, by a count
  counts = { [200] = 0, [503] = 0, none = 0, other = 0, again = 0 },
  last_ok = {}, -- by host: when the last request was sent that got 200, in nanoseconds
}

local ACCOUNTS = 48
-- Every eighth account sends so many at a time, and as many as others all in all.
local AT_ONCE = 3
local PAUSE_MIN_MS, PAUSE_MAX_MS = 150, 350
local TIMEOUT_MS = 5000
-- Of each account every so many-th is handled for seconds: some are under way at each host.
local LONG_EVERY = 40

local happened, open, unacknowledged, is_ending = 0, 0, 0, false

local function next_count()
  happened = happened + 1
  return happened
end

local function after(milliseconds, callback)
  local timer = uv.new_timer()
  timer:start(milliseconds, 0, function()
    timer:close()
    callback()
  end)
end

-- Calls back with the status, or nil if there was no response in time.
local function post(host, request, callback)
  local socket, timer, received = uv.new_tcp(), uv.new_timer(), ""
  local function finish(status)
    if not timer:is_closing() then
      timer:close()
      socket:close()
      callback(status)
    end
  end
  timer:start(TIMEOUT_MS, 0, finish)
  socket:connect(network.address(host), hosts.PORT, function(problem)
    if problem then
      return finish()
    end
    socket:write(request)
    socket:read_start(function(_, data)
      received = received .. (data or "")
      local response = http.take(received)
      if response or not data then
        finish(response and response.status)
      end
    end)
  end)
end

local function request_of(body)
  return table.concat({ "POST /webhooks/palenca HTTP/1.1", "Host: rounds", "Connection: close",
    "Content-Type: application/json", "X-Signature: " .. webhook.sign(body, hosts.SECRET),
    "Content-Length: " .. #body, "", body }, "\r\n")
end

local function count(host, status, sent_at)
  local counts = load.counts
  local key = not status and "none" or counts[status] and status or "other"
  counts[key] = counts[key] + 1
  if status == 200 then
    load.last_ok[host] = math.max(load.last_ok[host] or 0, sent_at)
  end
end

local function send_to(host, request, callback)
  local sent_at = uv.hrtime()
  open = open + 1
  post(host, request, function(status)
    open = open - 1
    count(host, status, sent_at)
    callback(status)
  end)
end

local function any_host_but(other)
  local name
  repeat
    name = network.hosts[math.random(#network.hosts)]
  until name ~= other
  return name
end

local function send_until_acknowledged(event, request, host, done)
  send_to(host, request, function(status)
    if status == 200 then
      event.acknowledged = next_count()
      unacknowledged = unacknowledged - 1
      if math.random(8) == 1 then
        load.counts.again = load.counts.again + 1
        send_to(any_host_but(host), request, function() end)
      end
      done()
    else
      after(math.random(50, 200), function()
        send_until_acknowledged(event, request, any_host_but(host), done)
      end)
    end
  end)
end

local function seconds_of(sequence)
  return sequence % LONG_EVERY == 0 and math.random(20, 50) / 10 or math.random(2, 30) / 1000
end

local send_next

local function send(account)
  local sequence = account.sequence + 1
  account.sequence = sequence
  local body = cjson.encode({ webhook_url = "https://rounds.example.com/", data = {
    webhook_action = "login.success", platform = "uber", account_id = account.name,
    external_id = tostring(sequence), seconds = tostring(seconds_of(sequence)) } })
  local event = { account = account.name, sent = next_count() }
  load.events[account.name .. " " .. sequence] = event
  unacknowledged = unacknowledged + 1
  send_until_acknowledged(event, request_of(body), any_host_but(), function()
    after(account.at_once * math.random(PAUSE_MIN_MS, PAUSE_MAX_MS), function()
      send_next(account)
    end)
  end)
end

function send_next(account)
  if not is_ending then
    send(account)
  end
end

--- Begins.
function load.start()
  for number = 1, ACCOUNTS do
    -- not all begin with the same turn of those that take long
    local account = { name = "account-" .. number, sequence = 1000 + number,
      at_once = number % 8 == 0 and AT_ONCE or 1 }
    for _ = 1, account.at_once do
      after(math.random(0, PAUSE_MAX_MS), function()
        send_next(account)
      end)
    end
  end
end

--- Sends no further event; returns once all that were sent are acknowledged.
function load.stop()
  is_ending = true
  process.wait_for(function()
    return open == 0 and unacknowledged == 0
  end, "acknowledgements")
end

return load
