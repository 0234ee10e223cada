--- Measures what spec/bench/scripts prints: scripts.lua [ROUNDS [SECONDS [RATE]]].
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local ROUNDS, SECONDS = tonumber(arg[1] or 5), tonumber(arg[2] or 3)
local RATE = tonumber(arg[3] or 1000)
local CONNECTIONS, ACCOUNTS = 16, 1024

-- What the handler of a bad event does; the first one is there to compare with.
local DEEDS = {
  { "idle", "does nothing", "" },
  { "loops", "loops for ever", "while true do end" },
  { "blocks", "os.execute 'sleep 5'", 'os.execute "sleep 5"' },
  { "fails", "fails always", 'error("always", 0)' },
  { "fills", "makes a text without end", 'local s = "x" while true do s = s .. s end' },
  { "hoards", "makes texts without end",
    'local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end' },
  { "exits", "calls os.exit", "os.exit(0)" },
}

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("login.success", function() end)
  palenca.on("login.error", function() %s end)
]]

-- Sends bad events, each of an account of its own, and the next one once the last one has ended:
-- there is always one, and never two.
local function misbehave(served, load)
  local log = assert(io.open(served.log))
  local sent, ended = 0, 0
  repeat
    sent = sent + 1
    helper.post(served.url, { account_id = "bad-" .. sent, webhook_action = "login.error" })
    process.poll_for(function()
      local _, lines = (log:read("a")):gsub("account bad%-", "")
      ended = ended + lines
      return ended >= sent or load.code
    end, "the end of a bad event")
  until load.code
  log:close()
end

-- How many events of the others, who do no harm, have been handled by now.
local function count_handled(db)
  local status, out, err =
    process.run(process.program(), { "events", "stats", "--json", "--db", db })
  assert(status == 0, err)
  local counts = helper.json.decode(out).actions["login.success"]
  return counts and counts.done or 0
end

local function measure(deed)
  local served = bench.serve(SCRIPT:format(deed[3]),
    { arguments = { "--workers", "2", "--max-attempts", "1" } })
  local load = bench.start_load(served.port,
    { connections = CONNECTIONS, accounts = ACCOUNTS, rate = RATE, seconds = SECONDS })
  misbehave(served, load)
  local counts = bench.loaded(load)
  assert(counts.others == 0 and counts.broken == 0, "not all got 200")
  counts.handled = count_handled(served.db) / counts.acked
  return counts
end

bench.run(function(stage)
  local results, median = {}, {}
  -- The one that does nothing before each of the others: the disk is not equally fast all the time.
  local function add(number, deed)
    bench.progress("round %d of %d: %s", number, ROUNDS, deed[1])
    results[deed[1]] = results[deed[1]] or {}
    table.insert(results[deed[1]], measure(deed))
    stage:clear()
  end
  for number = 1, ROUNDS do
    for at = 2, #DEEDS do
      add(number, DEEDS[1])
      add(number, DEEDS[at])
    end
  end
  bench.progress("")
  print(string.format("%-28s %10s %8s %8s %8s %16s", "a handler that", "responses/s", "p50 ms",
    "p99 ms", "of idle", "others handled %"))
  for _, deed in ipairs(DEEDS) do
    local one = bench.medians(results[deed[1]])
    median[deed[1]] = one
    one.ratio = one.p99_ms / median.idle.p99_ms
    print(string.format("%-28s %10.0f %8.2f %8.2f %8.2f %16.1f", deed[2], one.rate, one.p50_ms,
      one.p99_ms, one.ratio, 100 * one.handled))
  end
  for at = 2, #DEEDS do
    local name = DEEDS[at][1]
    bench.target("p99_of_idle_" .. name, median[name].ratio, "<=", 2)
    bench.target("handled_" .. name, median[name].handled, ">=", 0.95)
  end
end)
