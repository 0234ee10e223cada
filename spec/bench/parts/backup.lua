--- Measures what spec/bench/backup prints: backup.lua [ROUNDS [SECONDS [MEGABYTES]]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local process = require("spec.support.process")

local ROUNDS, SECONDS = tonumber(arg[1] or 6), tonumber(arg[2] or 6)
local MEGABYTES = tonumber(arg[3] or 100) -- stored before
local WARM_UP = 1 -- seconds, of which nothing is measured
local CONNECTIONS, ACCOUNTS, RATE = 16, 1600, 1000
local BODY = 1000 -- bytes

local SCRIPT = [[require("palenca").on("*", function() end)]]

local function serve(directory)
  return bench.serve(SCRIPT, { directory = directory, arguments = { "--workers", "1" } })
end

-- A closed database of events that are done.
local function prepare()
  local served = serve()
  assert(served:stop() == 0, served:describe())
  local status, _, err = process.run("/usr/bin/sqlite3", { served.db, ([[
    BEGIN;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
      INSERT INTO events SELECT (SELECT last FROM ids) + i, 'login.success', 'a' || i, 3, 1, 0,
        strftime('%%s', 'now') * 1000, 0, strftime('%%s', 'now') * 1000, NULL FROM n;
    INSERT INTO bodies SELECT id, randomblob(%d) FROM events;
    COMMIT]]):format(MEGABYTES * 1000000 // BODY, BODY) })
  assert(status == 0, err)
  return served.db
end

-- One after the other, until the load has ended.
local function back_up(served, directory, load, result)
  result.seconds, result.backups = 0, 0
  while not load.code do
    local began = uv.hrtime()
    local status, _, err = process.run(process.program(), { "events", "backup", directory
      .. "/backup.db", "--db", served.db, "--overwrite" })
    assert(status == 0, err)
    result.seconds = result.seconds + (uv.hrtime() - began) / 1e9
    result.backups = result.backups + 1
  end
end

local function measure(kept, is_backed_up)
  local directory = bench.directory()
  local db = directory .. "/events.db"
  assert(process.run("/bin/cp", { kept, db }) == 0)
  assert(process.run("/bin/sync", { db }) == 0) -- not by the first checkpoint
  local served = serve(directory)
  bench.loaded(bench.start_load(served.port,
    { connections = CONNECTIONS, accounts = ACCOUNTS, rate = RATE, seconds = WARM_UP, tag = 3 }))
  local load = bench.start_load(served.port,
    { connections = CONNECTIONS, accounts = ACCOUNTS, rate = RATE, seconds = SECONDS, tag = 2 })
  local result = {}
  if is_backed_up then
    back_up(served, directory, load, result)
  end
  local counts = bench.loaded(load)
  assert(counts.others == 0 and counts.broken == 0, "not all got 200")
  assert(served:stop() == 0, served:describe())
  process.run("/bin/rm", { "-r", directory })
  result.p50_ms, result.p99_ms, result.max_ms = counts.p50_ms, counts.p99_ms, counts.max_ms
  result.rate = counts.rate
  return result
end

bench.run(function()
  bench.progress("storing %d MB", MEGABYTES)
  local kept = prepare()
  local idle, busy = {}, {}
  for number = 1, ROUNDS do
    bench.progress("round %d of %d", number, ROUNDS)
    if number % 2 == 1 then -- what changes on the machine meanwhile is for neither of them
      idle[number] = measure(kept, false)
    end
    busy[number] = measure(kept, true)
    idle[number] = idle[number] or measure(kept, false)
    busy[number].of_idle = busy[number].p99_ms / idle[number].p99_ms
    busy[number].each = busy[number].seconds / busy[number].backups
  end
  bench.progress("")
  local one, other = bench.medians(idle), bench.medians(busy)
  print(("%-36s %12s %8s %8s %8s"):format("", "responses/s", "p50 ms", "p99 ms", "max ms"))
  for _, line in ipairs({ { "no backup", one }, { "one backup after the other", other } }) do
    print(("%-36s %12.0f %8.2f %8.2f %8.2f"):format(line[1], line[2].rate, line[2].p50_ms,
      line[2].p99_ms, line[2].max_ms))
  end
  print(("a backup of %d MB takes %.2f s"):format(MEGABYTES, other.each))
  print()
  bench.target("p99_while_backing_up", other.of_idle, "<=", 2)
end)
