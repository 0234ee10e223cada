--- Measures what spec/bench/queue prints: queue.lua [EVENTS [ROUNDS]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local faults = require("spec.faults.helper")
local process = require("spec.support.process")

local EVENTS, ROUNDS = tonumber(arg[1] or 100000), tonumber(arg[2] or 3)
local CONNECTIONS, ACCOUNTS = 64, 1024

-- Handlers begin, and wait as long as a file is there.
local function fill(workers)
  local directory = bench.directory()
  local handled, pause = directory .. "/handled", directory .. "/pause"
  io.open(pause, "w"):close()
  local served = bench.serve(faults.PAUSED_RECORDING, {
    directory = directory,
    arguments = { "--workers", tostring(workers) },
    env = { SPEC_HANDLED = handled, SPEC_PAUSE = pause },
  })
  local counts = bench.loaded(bench.start_load(served.port, {
    connections = CONNECTIONS, accounts = ACCOUNTS, count = EVENTS,
  }))
  assert(counts.acked == EVENTS, "not all got 200")
  return served, handled, pause
end

local function drain(served, handled, pause)
  local began = uv.hrtime()
  assert(os.remove(pause))
  process.poll_for(function()
    return uv.fs_stat(handled).size >= EVENTS * faults.RECORD_SIZE
  end, "all events to be handled")
  while not bench.is_idle(served.db) do
    uv.sleep(10)
  end
  return (uv.hrtime() - began) / 1e9
end

local function round(workers)
  local served, handled, pause = fill(workers)
  local queued = bench.memory(served.pid)
  local seconds = drain(served, handled, pause)
  local most = bench.memory(served.pid, "VmHWM")
  assert(served:stop() == 0, served:describe())
  local records = faults.records(handled)
  faults.assert_order(records)
  faults.assert_once(records)
  return { queued = queued, most = most, rate = EVENTS / seconds / workers }
end

bench.run(function(stage)
  local results = { {}, {} }
  for number = 1, ROUNDS do
    for workers = 1, 2 do
      bench.progress("round %d of %d: %d workers", number, ROUNDS, workers)
      results[workers][number] = round(workers)
      stage:clear()
    end
  end
  bench.progress("")
  print(string.format("%-34s %12s %12s %24s", EVENTS .. " events, " .. ROUNDS .. " rounds",
    "queued MiB", "at most MiB", "handled/s and worker"))
  local median = {}
  for workers = 1, 2 do
    local one = bench.medians(results[workers])
    median[workers] = one
    print(string.format("%-34s %12.1f %12.1f %24.0f", "workers: " .. workers, one.queued, one.most,
      one.rate))
  end
  for workers = 1, 2 do
    bench.target("most_mib_" .. workers, median[workers].most, "<=", 64)
    bench.target("handled_per_worker_" .. workers, median[workers].rate, ">=", 5000)
  end
end)
