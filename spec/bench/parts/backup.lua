--- Measures what spec/bench/backup prints: backup.lua [ROUNDS [SECONDS [MEGABYTES]]].
local uv = require("luv")
local beside_load = require("spec.bench.parts.beside_load")
local bench = require("spec.bench.parts.bench")
local process = require("spec.support.process")

local ROUNDS, SECONDS = tonumber(arg[1] or 6), tonumber(arg[2] or 6)
local MEGABYTES = tonumber(arg[3] or 100) -- stored before
local RATE = 1000
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
  local seconds, backups = 0, 0
  while not load.code do
    local began = uv.hrtime()
    local status, _, err = process.run(process.program(), { "events", "backup", directory
      .. "/backup.db", "--db", served.db, "--overwrite" })
    assert(status == 0, err)
    seconds = seconds + (uv.hrtime() - began) / 1e9
    backups = backups + 1
  end
  result.each = seconds / backups
end

bench.run(function()
  bench.progress("storing %d MB", MEGABYTES)
  local found = beside_load.run({ db = prepare(), serve = serve, rounds = ROUNDS, rate = RATE,
    seconds = SECONDS, without = "no backup", beside = "one backup after the other" }, back_up)
  print(("a backup of %d MB takes %.2f s"):format(MEGABYTES, found.each))
  print()
  bench.target("p99_while_backing_up", found.of_without, "<=", 2)
end)
