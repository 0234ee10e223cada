--- What happens to the machines in a round.
local uv = require("luv")
local hosts = require("spec.machines.parts.hosts")
local network = require("spec.machines.parts.network")
local process = require("spec.support.process")
local server = require("spec.machines.parts.server")

local faults = {}

local LEASE = hosts.LEASE_SECONDS

-- Lets the load go on for some seconds.
local function pause(seconds)
  local timer, is_over = uv.new_timer(), false
  timer:start(math.floor(seconds * 1000), 0, function()
    is_over = true
  end)
  process.wait_for(function()
    return is_over
  end, "a timer")
  timer:close()
end

local function between(min, max)
  return min + (max - min) * math.random()
end

--- Lets the load go on for a time between two, in seconds.
function faults.pause(min, max)
  pause(between(min, max))
end

-- Waits until a handler has started at a host that will still run when its lease has expired.
local function await_handler(host)
  local file = assert(io.open(hosts.HANDLED))
  file:seek("end")
  process.poll_for(function()
    for line in file:lines() do
      local at, seconds = line:match("^starts %S+ %S+ %d+ (%w+)/%d+ (%S+)")
      if at == host and tonumber(seconds) > LEASE then
        return true
      end
    end
  end, "a handler at " .. host)
  file:close()
end

local function cut(host, other, seconds)
  return {
    text = ("%s and the %s cut off for %.1f s"):format(host, other, seconds),
    seconds = seconds,
    start = function()
      network.cut(host, other)
    end,
    finish = function()
      network.join(host, other)
    end,
  }
end

-- By name, what makes one, of a host: what is said of it, for how many seconds it lasts, what
-- starts and ends it, and what is waited for before.
local KINDS = {
  ["host-kill"] = function(host)
    return {
      text = "kill -9 of " .. host,
      seconds = between(0, 4),
      start = function()
        hosts.kill(host)
      end,
      finish = function()
        hosts.revive(host)
      end,
    }
  end,
  ["server-kill"] = function()
    return { text = "kill -9 of PostgreSQL", seconds = between(0, 2), start = server.kill,
      finish = server.start, is_of_server = true }
  end,
  ["power-cut"] = function()
    return { text = "power cut of PostgreSQL", seconds = between(0, 2), start = server.cut_power,
      finish = server.restore_power, is_of_server = true }
  end,
  partition = function(host)
    local fault = cut(host, "database", between(LEASE + 1.5, LEASE + 4))
    fault.prepare = await_handler
    return fault
  end,
  ["short-partition"] = function(host)
    return cut(host, "database", between(0.1, LEASE - 1))
  end,
  ["load-partition"] = function(host)
    return cut(host, "load", between(1, 4))
  end,
  ["host-stop"] = function(host)
    local seconds = between(LEASE + 1.5, LEASE + 4)
    return {
      text = ("%s stopped for %.1f s"):format(host, seconds),
      seconds = seconds,
      prepare = await_handler,
      start = function()
        hosts.signal(host, "sigstop")
      end,
      finish = function()
        hosts.signal(host, "sigcont")
      end,
    }
  end,
  ["server-stop"] = function()
    local seconds = between(0.5, LEASE + 2)
    return {
      text = ("PostgreSQL stopped for %.1f s"):format(seconds),
      seconds = seconds,
      start = server.stop,
      finish = server.continue,
      is_of_server = true,
    }
  end,
}

--- The kinds of faults.
faults.NAMES = {}
for name in pairs(KINDS) do
  table.insert(faults.NAMES, name)
end
table.sort(faults.NAMES)

local function shuffled(list)
  local copy = table.move(list, 1, #list, 1, {})
  for i = #copy, 2, -1 do
    local j = math.random(i)
    copy[i], copy[j] = copy[j], copy[i]
  end
  return copy
end

--- Draws the faults of rounds: each kind once before one comes again.
-- @tparam {string,...} names of the kinds
-- @treturn function that returns those of a round: one, or two, which are of different machines
function faults.drawer(names)
  local deck = {}
  local function draw(host)
    if #deck == 0 then
      deck = shuffled(names)
    end
    local kind = table.remove(deck)
    local fault = KINDS[kind](host)
    fault.kind, fault.host = kind, host
    return fault
  end
  return function()
    local at = shuffled(network.hosts)
    local first = draw(at[1])
    if math.random(4) > 1 then
      return { first }
    end
    local second = draw(at[2])
    if first.is_of_server and second.is_of_server then
      table.insert(deck, second.kind)
      return { first }
    end
    return { first, second }
  end
end

--- Has the faults of a round happen, side by side.
-- @treturn string what has happened
function faults.happen(list)
  local texts, passed = {}, 0
  for i, fault in ipairs(list) do
    texts[i] = fault.text
    if fault.prepare then
      fault.prepare(fault.host)
    end
  end
  for _, fault in ipairs(list) do
    fault.start()
  end
  table.sort(list, function(a, b)
    return a.seconds < b.seconds
  end)
  for _, fault in ipairs(list) do
    pause(fault.seconds - passed)
    passed = fault.seconds
    fault.finish()
  end
  return table.concat(texts, ", ")
end

return faults
