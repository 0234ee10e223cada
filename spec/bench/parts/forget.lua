--- Measures what spec/bench/forget prints: forget.lua [ROUNDS [SECONDS [EVENTS]]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local ROUNDS, SECONDS = tonumber(arg[1] or 8), tonumber(arg[2] or 8)
local WARM_UP = 1 -- seconds, of which nothing is measured
local EVENTS = tonumber(arg[3] or 20000) -- stored before
local CONNECTIONS, ACCOUNTS, RATE = 16, 1600, 400

-- Each user has an account, and every event a decision.
local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("*", function(event)
    local rows = {}
    for at = 1, 30 do
      rows[at] = { earning_date = os.date("!%Y-%m-%d", 1767225600 + at * 86400), currency = "mxn",
        amount = 200 + event.id * at % 60000 / 100, note = event.account_id }
    end
    local income = palenca.income.analyze(rows, { as_of = "2026-02-01" })
    local verdict = palenca.income.decide(income, { version = 1 }, { installment = 1000 })
    palenca.decision.record(event, { stream = rows, income = income, verdict = verdict })
  end)
]]

local function serve(directory)
  return bench.serve(SCRIPT, { directory = directory, arguments = { "--workers", "1" } })
end

-- A closed database of events that are done; returns its path, and the users that it has.
local function prepare(stage)
  local served = serve()
  local counts = bench.loaded(bench.start_load(served.port,
    { connections = 64, accounts = ACCOUNTS, count = EVENTS }))
  assert(counts.acked == EVENTS, "not all got 200")
  while not bench.is_idle(served.db) do
    uv.sleep(50)
  end
  local users, seen = {}, {}
  assert(served:stop() == 0, served:describe())
  local status, out, err = process.run("/usr/bin/sqlite3",
    { served.db, "SELECT DISTINCT user_id FROM decision_data ORDER BY random() LIMIT 500" })
  assert(status == 0, err)
  for user in out:gmatch("%S+") do
    assert(not seen[user])
    seen[user] = true
    users[#users + 1] = user
  end
  local kept = bench.directory() .. "/events.db"
  assert(process.run("/bin/cp", { served.db, kept }) == 0)
  return kept, users, stage
end

-- With the next of the users each time, until the load has ended.
local function forget_all(served, load, users, result)
  while not load.code do
    local began = uv.hrtime()
    local user = assert(table.remove(users), "no user is left")
    local status, out, err =
      process.run(process.program(), { "forget", "--user", user, "--db", served.db, "--json" })
    assert(status == 0, err)
    result.seconds = (result.seconds or 0) + (uv.hrtime() - began) / 1e9
    result.events = (result.events or 0) + helper.json.decode(out).events
    result.forgotten = (result.forgotten or 0) + 1
  end
end

local function measure(kept, users)
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
  if users then
    forget_all(served, load, users, result)
  end
  local counts = bench.loaded(load)
  assert(counts.others == 0 and counts.broken == 0, "not all got 200")
  assert(served:stop() == 0, served:describe())
  process.run("/bin/rm", { "-r", directory })
  result.p50_ms, result.p99_ms, result.max_ms = counts.p50_ms, counts.p99_ms, counts.max_ms
  result.rate = counts.rate
  return result
end

bench.run(function(stage)
  bench.progress("storing %d events", EVENTS)
  local kept, users = prepare(stage)
  local idle, busy = {}, {}
  for number = 1, ROUNDS do
    bench.progress("round %d of %d", number, ROUNDS)
    if number % 2 == 1 then -- what changes on the machine meanwhile is for neither of them
      idle[number] = measure(kept)
    end
    busy[number] = measure(kept, users)
    idle[number] = idle[number] or measure(kept)
    busy[number].of_idle = busy[number].p99_ms / idle[number].p99_ms
    busy[number].each = busy[number].seconds / busy[number].forgotten
  end
  bench.progress("")
  local one, other = bench.medians(idle), bench.medians(busy)
  print(("%-36s %12s %8s %8s %8s"):format("", "responses/s", "p50 ms", "p99 ms", "max ms"))
  for _, line in ipairs({ { "nobody is forgotten", one }, { "one after the other is forgotten",
    other } }) do
    print(("%-36s %12.0f %8.2f %8.2f %8.2f"):format(line[1], line[2].rate, line[2].p50_ms,
      line[2].p99_ms, line[2].max_ms))
  end
  print(("a person of %.0f events is forgotten in %.2f s"):format(other.events / other.forgotten,
    other.each))
  print()
  bench.target("p99_while_forgetting", other.of_idle, "<=", 2)
end)
