--- The three `palenca serve`: started, and started again when they end, as a service manager does.
local uv = require("luv")
local network = require("spec.machines.parts.network")
local process = require("spec.support.process")

local hosts = { LEASE_SECONDS = 2, PORT = 8080, SECRET = "secret-of-the-rounds" }

local WORK = "/run/machines"
hosts.HANDLED = WORK .. "/handled"

local list, url = {}, nil -- by name; the database's

local function start(host)
  local path, line = network.command(host.name, process.program(), { "serve",
    "spec/machines/parts/handler.lua", "--listen", network.address(host.name) .. ":" .. hosts.PORT,
    "--lease-timeout", tostring(hosts.LEASE_SECONDS), "--redelivery-window", "3600",
    "--signature-header", "X-Signature", "--drain-timeout", "10" })
  host.process = process.start(path, line, { log = host.log, env = { PALENCA_DB = url,
    PALENCA_WEBHOOK_SECRET = hosts.SECRET, MACHINES_HOST = host.name,
    MACHINES_HANDLED = hosts.HANDLED } })
end

--- Starts all of them.
function hosts.start(database_url)
  url = database_url
  for _, name in ipairs(network.hosts) do
    list[name] = { name = name, log = ("%s/%s.log"):format(WORK, name), restarts = 0 }
    start(list[name])
  end
  local timer = uv.new_timer()
  timer:start(500, 500, function()
    for _, host in pairs(list) do
      if host.process.code and not host.is_down then
        if host.process.signal ~= 0 then
          host.fault = ("%s died by signal %d"):format(host.name, host.process.signal)
        end
        host.restarts = host.restarts + 1
        start(host)
      end
    end
  end)
  hosts.timer = timer
end

--- Kills one; it is not started again until @{revive}.
function hosts.kill(name)
  local host = list[name]
  host.is_down = true
  host.process:kill("sigkill")
  host.process:wait_exit()
end

function hosts.revive(name)
  list[name].is_down = false
  start(list[name])
end

function hosts.signal(name, signal)
  list[name].process:kill(signal)
end

--- Ends all of them the polite way; returns what was wrong with them.
function hosts.stop()
  hosts.timer:close()
  local faults = {}
  for _, name in ipairs(network.hosts) do
    local host = list[name]
    local status = host.process:stop()
    faults[#faults + 1] = host.fault
    if status ~= 0 then
      faults[#faults + 1] = ("%s ended with %d"):format(name, status)
    end
  end
  return faults
end

--- The texts of their logs, by name.
function hosts.logs()
  local logs = {}
  for name, host in pairs(list) do
    local file = assert(io.open(host.log))
    logs[name] = file:read("a")
    file:close()
  end
  return logs
end

return hosts
