--- Receives, handles, replays, retries, purges, lists and counts at the same time: no event that
-- got 200 is lost, and the database stays intact.
-- SPEC_SECONDS: for how long (3); SPEC_RATE: so many webhooks a second (300).
local uv = require("luv")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local SECONDS = tonumber(os.getenv("SPEC_SECONDS") or 3)
local RATE = tonumber(os.getenv("SPEC_RATE") or 300)

-- One of a hundred events fails for good in its first run.
local SCRIPT = faults.RECORDING .. [[
  palenca.on("*", function(event)
    if event.id % 100 == 0 and not event.replay then
      error("failed at first")
    end
  end)
]]

describe("palenca serve", function()
  local stage = helper.stage_for_each()
  local db

  before_each(function()
    db = stage:directory() .. "/events.db"
  end)

  local function command(name, ...)
    local status, out, err = process.run(process.reader(), { "events", name, "--db", db, ... })
    assert(status == 0, name .. ": " .. err)
    return out
  end

  local function purge()
    return helper.json.decode(command("purge", "--older-than", "0", "--json")).events
  end

  local function replay_some()
    local ids = { "replay", "--db", db }
    for _, event in ipairs(helper.events(db, { "--state", "done", "--limit", "5" })) do
      ids[#ids + 1] = string.format("%d", event.id)
    end
    -- one that was purged meanwhile is not found
    return #ids > 3 and process.run(process.reader(), { "events", table.unpack(ids) })
  end

  local function is_idle()
    local states = helper.json.decode(command("stats", "--json")).states
    return states.received + states.running + states.retry == 0
  end

  it("keeps what it has acknowledged while others replay, retry, purge, list and count", function()
    local handled, acked = db .. ".handled", db .. ".acked"
    local served = stage:serve({ text = SCRIPT, db = db,
      arguments = { "--redelivery-window", "0", "--max-attempts", "1" },
      env = { SPEC_HANDLED = handled } })
    local load = faults.load(stage, served.url, { connections = 16, accounts = 1000, rate = RATE,
      seconds = SECONDS, acked = acked, ["number-actions"] = true })
    local purged, rounds = 0, 0
    local ends = uv.hrtime() + SECONDS * 1e9
    while uv.hrtime() < ends do
      replay_some()
      command("retry-dead")
      purged = purged + purge()
      command("list", "--limit", "50")
      command("stats")
      rounds = rounds + 1
    end
    local counts = faults.loaded(load)
    assert.are.same({ 0, 0 }, { counts.others, counts.broken })
    helper.ask_until(is_idle, "all events to be handled")
    command("retry-dead")
    helper.ask_until(is_idle, "what had failed to be handled")
    assert.are.equal(0, served:stop())

    assert.is_true(rounds > 0 and purged > 0)
    local was_handled, count = {}, 0
    for _, record in ipairs(faults.records(handled)) do
      was_handled[record.key] = true
    end
    for _, record in ipairs(faults.records(acked)) do
      count = count + 1
      assert(was_handled[record.key], "got 200, and never handled: " .. record.key)
    end
    assert.are.equal(counts.acked, count)
    assert.are.equal(count, purged + #helper.events(db))
    assert.are.same({}, helper.events(db, { "--state", "dead" }))
    assert.are.equal("ok", helper.query(db, "PRAGMA integrity_check"))
  end)
end)
