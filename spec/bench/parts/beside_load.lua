--- What a command costs those who send webhooks meanwhile: the same load beside it and without it,
-- in pairs.
local bench = require("spec.bench.parts.bench")
local process = require("spec.support.process")

local beside_load = {}

local WARM_UP = 1 -- seconds, of which nothing is measured
local CONNECTIONS, ACCOUNTS = 16, 1600

-- Of a copy of the database; `act` is called with the server, its directory, the load and the
-- result.
local function measure(options, act)
  local directory = bench.directory()
  local db = directory .. "/events.db"
  assert(process.run("/bin/cp", { options.db, db }) == 0)
  assert(process.run("/bin/sync", { db }) == 0) -- not by the first checkpoint
  local served = options.serve(directory)
  local function start(seconds, tag)
    return bench.start_load(served.port, { connections = CONNECTIONS, accounts = ACCOUNTS,
      rate = options.rate, seconds = seconds, tag = tag })
  end
  bench.loaded(start(WARM_UP, 3))
  local load, result = start(options.seconds, 2), {}
  if act then
    act(served, directory, load, result)
  end
  local counts = bench.loaded(load)
  assert(counts.others == 0 and counts.broken == 0, "not all got 200")
  assert(served:stop() == 0, served:describe())
  process.run("/bin/rm", { "-r", directory })
  result.p50_ms, result.p99_ms, result.max_ms = counts.p50_ms, counts.p99_ms, counts.max_ms
  result.rate = counts.rate
  return result
end

--- Measures and prints a line for each.
-- @tparam table options `db`, a closed database; `serve`, which serves a directory with a copy of
-- it; `rounds`; `rate` (webhooks a second), `seconds`; `without` and `beside`, names of the lines
-- @tparam function act is called with the server, its directory, the load, and a table for its
-- results
-- @treturn table the medians of what is measured beside it; `of_without`, the median of the
-- ratios of `p99_ms`
function beside_load.run(options, act)
  local without, beside = bench.pairs(options.rounds, function()
    return measure(options)
  end, function()
    return measure(options, act)
  end)
  local one, other = bench.medians(without), bench.medians(beside)
  print(("%-36s %12s %8s %8s %8s"):format("", "responses/s", "p50 ms", "p99 ms", "max ms"))
  for _, line in ipairs({ { options.without, one }, { options.beside, other } }) do
    print(("%-36s %12.0f %8.2f %8.2f %8.2f"):format(line[1], line[2].rate, line[2].p50_ms,
      line[2].p99_ms, line[2].max_ms))
  end
  other.of_without = bench.median_ratio(beside, without, "p99_ms")
  return other
end

return beside_load
