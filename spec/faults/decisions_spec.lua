--- Ends `palenca serve` while handlers record decisions, by kill -9 and by a power cut that loses
-- what was not synced: an event is done, and its decision and its recording there, or none of them.
-- SPEC_ROUNDS: three times how often (18); SPEC_SEED: the same times as in an earlier run.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local power_cut = require("spec.support.power_cut")
local process = require("spec.support.process")

local ROUNDS = math.ceil(tonumber(os.getenv("SPEC_ROUNDS") or 18) / 3)

local function new_seed()
  local file = assert(io.open("/dev/urandom", "rb"))
  local seed = string.unpack("<I4", file:read(4))
  file:close()
  return seed
end
local SEED = tonumber(os.getenv("SPEC_SEED") or new_seed())

-- How much of what was not synced has reached the disk: nothing, a part, or (kill -9) all.
local SHARES = { 0, 1, 0.5, 0.9, 0, 0.1 }

-- It has recorded when it writes to the file, and ends a little later. The attempt that a process
-- dies in counts, and an event may be in many.
local SCRIPT = [[
  local palenca = require "palenca"
  local file = assert(io.open(os.getenv "SPEC_HANDLED", "a"))
  file:setvbuf("no")
  palenca.on("*", { max_attempts = 1000, retry_wait = 0.01 }, function(event)
    local stream = { { earning_date = "2026-01-01", amount = tonumber(event.external_id),
      currency = "mxn" } }
    local income = palenca.income.analyze(stream, { as_of = "2026-01-01" })
    local verdict = palenca.income.decide(income, { version = 1 }, { installment = 1 })
    palenca.decision.record(event, { stream = stream, income = income, verdict = verdict })
    file:write(event.id, "\n")
    if event.id % 3 == 0 then
      palenca.sleep(0.002)
    end
  end)
]]

describe("decisions of palenca serve", function()
  local stage = helper.stage_for_each()
  local directory, db, disk

  local function serve(handled)
    local env = power_cut.environment(directory .. "/db", disk)
    env.PALENCA_API_KEY, env.SPEC_HANDLED = "spec-key", handled
    local served = stage:start(process.program(), { "serve", directory .. "/script.lua", "--listen",
      "127.0.0.1:0", "--db", db, "--workers", "2", "--record-responses" }, { env = env })
    served.url = served:wait_output("stderr", "receiving webhooks at (http://%S+),")
    return served
  end

  -- How many are done, after the next process has opened the database.
  local function assert_both_or_neither(round)
    local lost = helper.query(db, "SELECT count(*) FROM events WHERE state = 3 AND (SELECT count(*)"
      .. " FROM decisions WHERE kind = 1 AND subject = events.id) <> 1")
    local unrecorded = helper.query(db, "SELECT count(*) FROM events"
      .. " LEFT JOIN event_responses AS recorded ON recorded.id = events.id AND attempt = attempts"
      .. " WHERE (state = 3) <> (recorded.id IS NOT NULL)")
    assert(unrecorded == "0", ("seed %d, round %d: %s done without a recording, or the reverse")
      :format(SEED, round, unrecorded))
    local early = helper.query(db, "SELECT count(*) FROM decisions WHERE subject NOT IN"
      .. " (SELECT id FROM events WHERE state = 3)")
    assert(lost == "0" and early == "0", ("seed %d, round %d: %s done without a decision, %s "
      .. "decisions of events that are not done"):format(SEED, round, lost, early))
    local status, out = process.run(process.program(), { "decisions", "verify", "--db", db })
    assert(status == 0, out)
    return tonumber(helper.query(db, "SELECT count(*) FROM decisions"))
  end

  it("are there with the end of their event, or neither is, at " .. ROUNDS .. " ends", function()
    print("seed " .. SEED)
    math.randomseed(SEED)
    directory = stage:directory()
    db, disk = directory .. "/db/events.db", directory .. "/disk"
    assert(process.run("/bin/mkdir", { directory .. "/db" }) == 0)
    process.write_file(directory .. "/script.lua", SCRIPT)
    local handled = 0
    for round = 1, ROUNDS do
      local list = directory .. "/handled." .. round
      process.write_file(list, "")
      local served = serve(list)
      local connections = math.random(4, 48)
      local counts = faults.loaded(faults.load(stage, served.url, {
        connections = connections, accounts = 2 * connections, tag = round,
        first = round * 1000000, kill = served.pid,
        ["kill-after"] = math.random(connections, 12 * connections),
        ["kill-delay"] = math.random() * 0.05, seconds = 60,
      }))
      assert.is_true(counts.killed)
      assert.are.equal(128 + 9, served:wait_exit())
      local share = SHARES[(round - 1) % #SHARES + 1]
      if share < 1 then
        power_cut.strike(directory .. "/db", disk, function()
          return share > 0 and math.random() < share
        end)
      end
      handled = handled + select(2, helper.read_file(list):gsub("\n", ""))
      assert_both_or_neither(round)
    end
    local served = serve(directory .. "/handled")
    helper.ask_until(function()
      return helper.query(db, "SELECT count(*) FROM events WHERE state <> 3") == "0"
    end, "all events to be done")
    assert.are.equal(0, served:stop())
    local recorded = assert_both_or_neither(ROUNDS + 1)
    assert.is_true(handled > 0 and recorded > 0)
  end)
end)
