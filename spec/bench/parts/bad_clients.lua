--- Measures what spec/bench/bad_clients prints: bad_clients.lua [ROUNDS [SECONDS [RATE]]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")

local ROUNDS, SECONDS = tonumber(arg[1] or 9), tonumber(arg[2] or 1)
local RATE = tonumber(arg[3] or 500)
local CONNECTIONS = 16
-- What bad clients do at first, in milliseconds: connect, and fill all buffers at once.
local WARM_UP = 500

local BESIDE = {
  { "alone" },
  { "slow", "slow" },
  { "endless", "endless" },
  { "pipelining", "pipeline" },
  { "never reading", "unread" },
  { "all of them", "slow", "endless", "pipeline", "unread" },
}

local function measure(stage, served, kinds, tag)
  local bad
  if #kinds > 0 then
    bad = stage:start("/usr/bin/env", { "python3", "spec/bench/parts/bad_clients.py",
      tostring(served.port), table.unpack(kinds) })
    bad:wait_output("stdout", "(started)")
  end
  uv.sleep(WARM_UP)
  local used = bench.cpu({ served.pid })
  local counts = bench.loaded(bench.start_load(served.port, {
    connections = CONNECTIONS, accounts = 1000, tag = tag, seconds = SECONDS, rate = RATE,
  }))
  assert(counts.others == 0 and counts.broken == 0, "not all good clients got 200")
  counts.server = (bench.cpu({ served.pid }) - used) / counts.seconds
  if bad then
    assert(bad:stop() == 0, bad:describe())
    counts.bad = 0
    for _, one in pairs(helper.json.decode(bad.stdout:match("{.*"))) do
      counts.bad = counts.bad + one.sent / 1e6
    end
  end
  return counts
end

bench.run(function(stage)
  local results = {}
  for number = 1, ROUNDS do
    local served = bench.serve("")
    for turn = 1, #BESIDE do -- another one first in each round: the database grows
      local at = (turn + number - 2) % #BESIDE + 1
      local beside = BESIDE[at]
      bench.progress("round %d of %d: %s", number, ROUNDS, beside[1])
      results[at] = results[at] or {}
      results[at][number] = measure(stage, served, table.move(beside, 2, #beside, 1, {}),
        10 * number + at)
    end
    stage:clear()
  end
  bench.progress("")
  print(string.format("%-34s %10s %8s %8s %8s %7s %8s", RATE .. " webhooks/s of good clients",
    "acked/s", "p50 ms", "p99 ms", "max ms", "CPU", "bad MB"))
  local median = {}
  for at, beside in ipairs(BESIDE) do
    local one = bench.medians(results[at])
    median[at] = one
    print(string.format("%-34s %10.0f %8.2f %8.2f %8.2f %6.0f%% %8.1f", beside[1], one.rate,
      one.p50_ms, one.p99_ms, one.max_ms, 100 * one.server, one.bad or 0))
  end
  for at = 2, #BESIDE do
    bench.target("p99_beside_" .. BESIDE[at][1]:gsub(" ", "_"),
      median[at].p99_ms / median[1].p99_ms, "<=", 2)
  end
end)
