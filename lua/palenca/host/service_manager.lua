--- Notifies the service manager, such as systemd, of what happens to the service, if there is one.
-- @module palenca.host.service_manager
local core = require("palenca.core")
local host = require("palenca.host")

local service_manager = {}

local Watchdog = {}
Watchdog.__index = Watchdog

-- Seconds that the main loop waits, if nothing else is sooner.
local WAIT_MAX = 1

--- It has started, or has reloaded its script.
-- @tparam string status a line for those who ask the manager
function service_manager.ready(status)
  host.notify("READY=1\nSTATUS=" .. status:gsub("%c", " "))
end

--- A reload has started; @{ready} ends it.
function service_manager.reloading()
  host.notify(string.format("RELOADING=1\nMONOTONIC_USEC=%d", core.steady_time() * 1e6 // 1))
end

--- It ends.
-- @tparam number timeout seconds that this may take
function service_manager.stopping(timeout)
  host.notify(string.format("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d", timeout * 1e6 // 1))
end

--- Makes what feeds the manager's watchdog, if that asks for it.
-- @treturn Watchdog with `wait`, the max seconds between two calls of @{Watchdog:feed}
function service_manager.watchdog()
  local timeout = host.watchdog()
  return setmetatable({
    timeout = timeout,
    wait = timeout and math.min(WAIT_MAX, timeout / 4) or WAIT_MAX,
  }, Watchdog)
end

--- Feeds the watchdog, if that is due: four times in its timeout, and only while the loop that
-- receives and stores has a heartbeat. The main loop, which calls this, shows that it runs, too.
function Watchdog:feed()
  local now = core.steady_time()
  local is_due = self.timeout and now >= (self.next or 0)
  if is_due and host.metrics.loop_silence() < self.timeout / 2 then
    self.next = now + self.timeout / 4
    host.notify("WATCHDOG=1")
  end
end

return service_manager
