--- Measures what spec/bench/decision prints: decision.lua [EVENTS [ROUNDS]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local decision_trips = require("spec.bench.parts.decision_trips")
local process = require("spec.support.process")

local EVENTS, ROUNDS = tonumber(arg[1] or 500), tonumber(arg[2] or 5)
local ROWS = { 60, 400 }

-- The rows of each event are its own: amounts with cents, trips, and on some days cash.
local SCRIPT = [[
  local palenca = require "palenca"
  local rows_count, records = tonumber(os.getenv "BENCH_ROWS"), os.getenv "BENCH_RECORDS" == "1"
  local first = 1735689600 -- 2025-01-01
  local function day(at)
    return os.date("!%Y-%m-%d", first + (at - 1) * 86400)
  end
  local last = day(rows_count)

  palenca.on("*", function(event)
    local seed = event.id % 1000003
    local function random(limit)
      seed = seed * 48271 % 2147483647
      return seed % limit
    end
    local rows = {}
    for at = 1, rows_count do
      rows[at] = { earning_date = day(at), amount = 200 + random(60000) / 100, currency = "mxn",
        count_trips = random(30), cash_amount = random(3) == 0 and random(9000) / 100 or nil }
    end
    local stream = palenca.income.merge{ { rows = rows, account = event.account_id,
      platform = "uber", report = { complete = true, rows = rows_count } } }
    local income = palenca.income.analyze(stream, { as_of = last })
    local verdict = palenca.income.decide(income, { version = "2026-11" },
      { installment = "3000.00" })
    if records then
      palenca.decision.record(event, { stream = stream, income = income, verdict = verdict })
    end
  end)
]]

local function sql(db, text)
  local status, out, err = process.run("/usr/bin/sqlite3", { db, text })
  assert(status == 0, err)
  return tonumber(out)
end

-- Returns the milliseconds of CPU of an event, and the bytes of a decision.
local function round(stage, rows, records)
  local served = bench.serve(SCRIPT, {
    arguments = { "--workers", "1" },
    env = { BENCH_ROWS = tostring(rows), BENCH_RECORDS = records and "1" or "0" },
  })
  local began = bench.cpu({ served.pid })
  local counts = bench.loaded(bench.start_load(served.port,
    { connections = 16, accounts = 64, count = EVENTS }))
  assert(counts.acked == EVENTS, "not all got 200")
  while not bench.is_idle(served.db) do
    uv.sleep(20)
  end
  local cpu = 1000 * (bench.cpu({ served.pid }) - began) / EVENTS
  assert(served:stop() == 0, served:describe())
  local bytes = sql(served.db, "SELECT coalesce(sum(length(facts) + length(rows) + length(details) "
    .. "+ length(account_id) + length(user_id) + 4 * 32 + 6 * 8), 0) FROM decisions "
    .. "JOIN decision_data USING (number)")
  local pages = sql(served.db, "SELECT coalesce(sum(pgsize), 0) FROM dbstat "
    .. "WHERE name IN ('decisions', 'decision_data')")
  stage:clear()
  return cpu, bytes / EVENTS, pages / EVENTS
end

local function recorded(stage)
  local results = {}
  for number = 1, ROUNDS do
    for _, rows in ipairs(ROWS) do
      bench.progress("round %d of %d: %d rows", number, ROUNDS, rows)
      results[rows] = results[rows] or {}
      local without = round(stage, rows, false)
      local with, bytes, pages = round(stage, rows, true)
      results[rows][number] =
        { with = with, without = without, bytes = bytes, pages = pages, ratio = with / without }
    end
  end
  print(("%-6s %12s %14s %16s %16s %8s"):format("rows", "bytes", "bytes of pages",
    "CPU ms without", "CPU ms with", "ratio"))
  for _, rows in ipairs(ROWS) do
    local median = bench.medians(results[rows])
    results[rows] = median
    print(("%-6d %12.0f %14.0f %16.2f %16.2f %8.2f"):format(rows, median.bytes, median.pages,
      median.without, median.with, median.ratio))
  end
  print()
  bench.target("bytes_of_60_rows", results[60].bytes, "<=", 3000)
  bench.target("bytes_of_400_rows", results[400].bytes, "<=", 8000)
  bench.target("cpu_ratio_of_60_rows", results[60].ratio, "<=", 2)
  bench.target("cpu_ratio_of_400_rows", results[400].ratio, "<=", 2)
end

bench.run(function(stage)
  decision_trips.run(stage, ROUNDS)
  print()
  recorded(stage)
end)
