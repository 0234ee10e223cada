--- The network of the machines: where each is, how a program runs in one, and how two are cut off
-- from each other.
local process = require("spec.support.process")

local network = { hosts = { "host1", "host2", "host3" } }

local NUMBERS = { host1 = 1, host2 = 2, host3 = 3, database = 4, load = 5 }

--- Its address.
function network.address(machine)
  return ("10.77.%d.2"):format(NUMBERS[machine])
end

--- The program and the arguments that start a program at a machine.
function network.command(machine, path, arguments)
  local line = { "--net=/run/netns/" .. machine, path }
  table.move(arguments, 1, #arguments, 3, line)
  return "/usr/bin/nsenter", line
end

-- The router is the namespace of the first process.
local function route(change, from, to)
  local status, _, err = process.run("/usr/bin/nsenter", { "--net=/proc/1/ns/net", "ip", "rule",
    change, "from", network.address(from), "to", network.address(to), "blackhole" })
  assert(status == 0, err)
end

local cuts = {} -- how many there are of two machines

--- From now on the router drops what two machines send each other, and says so to neither.
function network.cut(one, other)
  local key = one .. " " .. other
  cuts[key] = (cuts[key] or 0) + 1
  if cuts[key] == 1 then
    route("add", one, other)
    route("add", other, one)
  end
end

--- Ends that, unless they were cut off once more.
function network.join(one, other)
  local key = one .. " " .. other
  cuts[key] = cuts[key] - 1
  if cuts[key] == 0 then
    route("del", one, other)
    route("del", other, one)
  end
end

return network
