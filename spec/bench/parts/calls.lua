-- Calls of many keys in one process, in coroutines over a loop of its own.
-- calls.lua URL CA KEYS EACH: EACH calls of every key at once, its whole limit, and one more that
-- waits for the next window; RELEASE is the command that has the server respond to them. Prints how
-- many were open at once, the bytes and the microseconds of
-- CPU that each had taken when they were sent, those that were sent beyond a limit, and the failed.
-- calls.lua URL CA KEYS EACH COUNT: COUNT calls, EACH at a time. Prints the kilobytes of memory
-- after a tenth of them and at the end, the microseconds of CPU of a call, and how many failed.
local calls = require "palenca.runtime.calls"
local core = require "palenca.core"
local palenca = require "palenca"
local runtime = require "palenca.runtime"

local url, ca, keys, each, count = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4]),
  tonumber(arg[5])
local WINDOW = 60

local own = calls.new(core.engine { max_in_flight = 10000 })

local function resume(thread)
  assert(coroutine.resume(thread))
end

runtime.use {
  submit = function(request)
    return own:submit(request)
  end,
  wait = function(call)
    call.waiter = coroutine.running()
    while not calls.result(call) do
      coroutine.yield()
    end
    return call.result
  end,
}

local function step(max_wait)
  own:step(max_wait, function(call)
    resume(call.waiter)
  end)
end

local function resident()
  collectgarbage()
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match("^VmRSS:%s*(%d+)")
    if kilobytes then
      return tonumber(kilobytes)
    end
  end
end

local function client_of(key, limit, observer)
  return palenca.new {
    api_key = key, base_url = url, ca_file = ca, max_retries = 0, rate_limit = limit,
    on_attempt = observer,
  }
end

local open, failed = 0, 0

local function spawn(read)
  open = open + 1
  resume(coroutine.create(function()
    local data, err = read()
    open = open - 1
    if not data then
      failed = failed + 1
      io.stderr:write(tostring(err), "\n")
    end
  end))
end

local function call(client)
  spawn(function()
    return client.accounts:get("cb39ee15-f29f-427d-9119-0c627575610d")
  end)
end

local function finish()
  while open > 0 do
    step(1)
  end
end

-- By when the attempts of each key began, how many had as many before them as the limit allows.
local function beyond_limit(began)
  local beyond = 0
  for _, times in ipairs(began) do
    table.sort(times)
    for at = each + 1, #times do
      if times[at] - times[at - each] < WINDOW then
        beyond = beyond + 1
      end
    end
  end
  return beyond
end

local function burst()
  local clients, began = {}, {}
  for key = 1, keys do
    local times = {}
    began[key] = times
    clients[key] = client_of("key-" .. key, each, function(attempt)
      times[#times + 1] = core.steady_time() - attempt.seconds
    end)
  end
  local memory, time = resident(), os.clock()
  for _ = 1, each do
    for _, client in ipairs(clients) do
      call(client)
    end
  end
  step(0)
  local all = open
  time, memory = os.clock() - time, resident() - memory
  assert(os.execute(os.getenv("RELEASE")), "the server does not release the calls")
  for _, client in ipairs(clients) do
    call(client)
  end
  finish()
  print(("%d %.0f %.1f %d %d"):format(all, memory * 1024 / all, time * 1e6 / all,
    beyond_limit(began), failed))
end

local function run()
  local clients = {}
  for key = 1, keys do
    clients[key] = client_of("key-" .. key, 2000)
  end
  local done, early, time = 0, nil, os.clock()
  while done < count do
    for _ = 1, each do
      done = done + 1
      call(clients[done % keys + 1])
    end
    finish()
    if not early and done >= count / 10 then
      early = resident()
    end
  end
  time = os.clock() - time
  print(("%d %d %.1f %d"):format(early, resident(), time * 1e6 / done, failed))
end

-- The connection is there, and what is made once, before anything is measured.
local first = client_of("first", 0)
spawn(function()
  return first.countries:list()
end)
finish()
if count then
  run()
else
  burst()
end
