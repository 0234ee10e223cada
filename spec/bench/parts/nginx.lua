--- Measures what spec/bench/nginx prints: nginx.lua [ROUNDS [SECONDS]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")
local servers = require("spec.bench.parts.nginx_servers")

local ROUNDS, SECONDS = tonumber(arg[1] or 3), tonumber(arg[2] or 4)
local CONNECTIONS = 64
local EVERY = 2 -- ms between two requests for the other location, whether it has a response or not

local WAYS = {
  { "empty", "an empty handler that sleeps 50 ms" },
  { "proxy_pass", "proxy_pass" },
  { "cosockets", "a client by hand with cosockets" },
  { "module", "the module" },
  { "module_cold", "the module, 64 cold connections by TLS each second" },
  { "module_hung", "the module, names that nobody resolves" },
  { "blocking", "libcurl that blocks" },
}

-- Asks for the other location all the time, over one connection; returns what ends that, and then
-- returns the milliseconds of each response.
local function watch(url)
  local connection = helper.connect(url):wait_connected()
  local asked, responded, times = {}, 0, {}
  connection.socket:nodelay(true)
  connection.socket:read_stop()
  connection.socket:read_start(function(_, data)
    local now = uv.hrtime()
    for _ in (data or ""):gmatch("HTTP/1%.1 200") do
      responded = responded + 1
      times[responded] = (now - asked[responded]) / 1e6
    end
  end)
  local timer = uv.new_timer()
  timer:start(EVERY, EVERY, function()
    asked[#asked + 1] = uv.hrtime()
    connection.socket:write("GET /other HTTP/1.1\r\nHost: bench\r\n\r\n")
  end)
  return function()
    timer:close()
    process.wait_for(function()
      return responded == #asked or connection.ended
    end, "the other location")
    assert(responded == #asked, "the other location got no response")
    connection:close()
    table.sort(times)
    return times
  end
end

local function load(stage, url, seconds)
  local wrk = stage:start("/usr/bin/wrk", { "-t1", "-c" .. CONNECTIONS, "-d" .. seconds .. "s",
    "--timeout", "10s", url })
  assert(wrk:wait_exit() == 0, wrk:describe())
  assert(not wrk.stdout:find("Non-2xx", 1, true) and not wrk.stdout:find("Socket errors", 1, true),
    wrk.stdout)
  return tonumber(wrk.stdout:match("Requests/sec:%s+([%d.]+)")),
    tonumber(wrk.stdout:match("(%d+) requests in"))
end

-- What had been taken of those that block goes on after its clients have gone.
local function wait_idle(measured)
  helper.ask_until(function()
    local began = uv.hrtime()
    http.request("GET", measured.url .. "/other")
    return uv.hrtime() - began < 40e6
  end, "the worker to be idle")
end

local function measure(stage, measured, way)
  local url = measured.url .. "/" .. way
  wait_idle(measured)
  if way ~= "blocking" then
    load(stage, url, 1)
  end
  local before = bench.cpu({ measured.worker })
  local stop = watch(measured.url)
  local rate, count = load(stage, url, SECONDS)
  local used = bench.cpu({ measured.worker }) - before
  local times = stop()
  assert(helper.read_file("/proc/" .. measured.worker .. "/stat"), "the worker has ended")
  return {
    rate = rate, cpu = used / count * 1e6, p99 = times[math.ceil(#times * 0.99)],
    worst = times[#times],
  }
end

-- One after the other in each round, so that what else the machine does strikes all.
local function all_rounds(stage)
  local results = {}
  local measured = servers.start(stage)
  for round = 1, ROUNDS do
    for _, way in ipairs(WAYS) do
      bench.progress("round %d of %d: %s", round, ROUNDS, way[2])
      results[way[1]] = results[way[1]] or {}
      table.insert(results[way[1]], measure(stage, measured, way[1]))
    end
  end
  bench.progress("")
  assert(helper.read_file(measured.log) == "", helper.read_file(measured.log))
  return results
end

-- What a call takes above an empty handler, in each round beside what it takes with cosockets.
local function beside_cosockets(results)
  local ratios = {}
  for round, empty in ipairs(results.empty) do
    ratios[round] = (results.module[round].cpu - empty.cpu)
      / (results.cosockets[round].cpu - empty.cpu)
  end
  return bench.median(ratios)
end

bench.run(function(stage)
  local results, medians = all_rounds(stage), {}
  for way, list in pairs(results) do
    medians[way] = bench.medians(list)
  end
  print(string.format("%-52s %9s %11s %11s %9s", CONNECTIONS .. " connections, " .. ROUNDS
    .. " rounds of " .. SECONDS .. " s", "calls/s", "other p99", "other worst", "CPU/call"))
  for _, way in ipairs(WAYS) do
    local one = medians[way[1]]
    print(string.format("%-52s %9.0f %8.2f ms %8.2f ms %6.0f us", way[2], one.rate, one.p99,
      one.worst, one.cpu))
  end
  local base = medians.proxy_pass
  bench.target("rate_beside_proxy_pass", medians.module.rate / base.rate, ">=", 0.95)
  for _, way in ipairs { "module", "module_cold", "module_hung" } do
    bench.target("other_p99_beside_" .. way, medians[way].p99 / base.p99, "<=", 2)
    bench.target("other_worst_beside_" .. way, medians[way].worst / base.worst, "<=", 5)
  end
  bench.target("cpu_us_above_empty", medians.module.cpu - medians.empty.cpu, "<=", 120)
  bench.target("cpu_beside_cosockets", beside_cosockets(results), "<=", 1.4)
end)
