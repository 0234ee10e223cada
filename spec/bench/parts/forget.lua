--- Measures what spec/bench/forget prints: forget.lua [ROUNDS [SECONDS [EVENTS]]].
local uv = require("luv")
local beside_load = require("spec.bench.parts.beside_load")
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local ROUNDS, SECONDS = tonumber(arg[1] or 8), tonumber(arg[2] or 8)
local EVENTS = tonumber(arg[3] or 20000) -- stored before
local ACCOUNTS, RATE = 1600, 400

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
local function prepare()
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
  return kept, users
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
  result.each = result.seconds / result.forgotten
end

bench.run(function()
  bench.progress("storing %d events", EVENTS)
  local db, users = prepare()
  local found = beside_load.run({ db = db, serve = serve, rounds = ROUNDS, rate = RATE,
    seconds = SECONDS, without = "nobody is forgotten",
    beside = "one after the other is forgotten" }, function(served, _, load, result)
    forget_all(served, load, users, result)
  end)
  print(("a person of %.0f events is forgotten in %.2f s"):format(found.events / found.forgotten,
    found.each))
  print()
  bench.target("p99_while_forgetting", found.of_without, "<=", 2)
end)
