--- Ends `palenca serve` under load at random times, by kill -9 and by a power cut that loses what
-- was not synced: no event that got 200 is missing then.
-- SPEC_ROUNDS: how often (30); SPEC_SEED: the same times as in an earlier run.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local power_cut = require("spec.support.power_cut")
local process = require("spec.support.process")

local ROUNDS = tonumber(os.getenv("SPEC_ROUNDS") or 30)
-- Then the events of a database are checked to the last one, and another one is started.
local ROUNDS_PER_DATABASE = 6

local function new_seed()
  local file = assert(io.open("/dev/urandom", "rb"))
  local seed = string.unpack("<I4", file:read(4))
  file:close()
  return seed
end
local SEED = tonumber(os.getenv("SPEC_SEED") or new_seed())

-- How much of what was not synced has reached the disk: nothing, a part, or (kill -9) all.
local function lose_unsynced(share)
  return function()
    return share > 0 and math.random() < share
  end
end
local LOSSES = { { "a power cut", 0 }, { "a power cut", 0.1 }, { "kill -9", 1 },
  { "a power cut", 0 }, { "a power cut", 0.5 }, { "a power cut", 0.9 } }

describe("palenca serve", function()
  local stage = helper.stage_for_each()

  -- A database with what is known of its events.
  local function new_world(program)
    local directory = stage:directory()
    local world = {
      program = program,
      directory = directory .. "/db",
      db = directory .. "/db/events.db",
      disk = directory .. "/disk",
      script = process.write_file(directory .. "/script.lua", faults.RECORDING),
      acked = directory .. "/acked",
      handled = directory .. "/handled",
      round = 0,
    }
    assert(process.run("/bin/mkdir", { world.directory }) == 0)
    return world
  end

  local function serve(world)
    local env = power_cut.environment(world.directory, world.disk)
    env.PALENCA_API_KEY, env.SPEC_HANDLED = "spec-key", world.handled
    local served = stage:start(world.program, { "serve", world.script, "--listen", "127.0.0.1:0",
      "--db", world.db, "--workers", "2" }, { env = env })
    served.url = served:wait_output("stderr", "receiving webhooks at (http://%S+),")
    return served
  end

  local function missing(world)
    local stored, lost = faults.by_key(helper.events(world.db)), {}
    for _, record in ipairs(faults.records(world.acked)) do
      if not stored[record.key] then
        lost[#lost + 1] = record.key
      end
    end
    return lost
  end

  -- Serves, loads, and ends it in the middle; returns how many events got 200.
  local function strike(world, share)
    local served = serve(world)
    local lost = missing(world) -- after the round before
    world.round = world.round + 1
    local connections = math.random(1, 96)
    local load = faults.load(stage, served.url, {
      connections = connections,
      accounts = 4 * connections,
      tag = connections,
      first = world.round * 1000000,
      ["number-actions"] = true,
      acked = world.acked,
      kill = served.pid,
      ["kill-after"] = math.random(1, 30 * connections),
      ["kill-delay"] = math.random() * 0.02,
      seconds = 60,
    })
    local counts = faults.loaded(load)
    assert.is_true(counts.killed)
    assert.are.equal(128 + 9, served:wait_exit())
    if share < 1 then
      power_cut.strike(world.directory, world.disk, lose_unsynced(share))
    end
    return counts.acked, lost
  end

  local function wait_all_done(world)
    helper.ask_until(function()
      return helper.query(world.db, "SELECT count(*) FROM events WHERE state <> 3") == "0"
    end, "all events to be done")
  end

  local function assert_whole(world)
    assert.are.equal("ok", helper.query(world.db, "PRAGMA integrity_check"))
    local stored = faults.by_key(helper.events(world.db))
    local handled, was_handled = faults.records(world.handled), {}
    for _, record in ipairs(handled) do
      local events = assert(stored[record.key], "handled, and not stored: " .. record.key)
      assert(events[1].id == record.id, "stored twice: " .. record.key)
      was_handled[record.key] = true
    end
    for _, record in ipairs(faults.records(world.acked)) do
      assert(was_handled[record.key], "got 200, and never handled: " .. record.key)
    end
    faults.assert_order(handled)
  end

  local function finish(world)
    local served = serve(world)
    assert.are.same({}, missing(world))
    wait_all_done(world)
    assert.are.equal(0, served:stop())
    assert_whole(world)
  end

  it("loses no event that it acknowledged, at " .. ROUNDS .. " kills at random times", function()
    print("seed " .. SEED)
    math.randomseed(SEED)
    local world
    for round = 1, ROUNDS do
      world = world or new_world(process.program())
      local name, share = table.unpack(LOSSES[(round - 1) % #LOSSES + 1])
      local _, lost = strike(world, share)
      assert(#lost == 0, string.format("seed %d, %s before round %d: %d events are lost, first %s",
        SEED, name, round, #lost, lost[1]))
      if round % ROUNDS_PER_DATABASE == 0 or round == ROUNDS then
        finish(world)
        world = nil
      end
    end
  end)

  it("would lose events if it did not sync each commit, which this test notices", function()
    math.randomseed(SEED)
    local world = new_world(faults.built("palenca_normal"))
    local acked, lost = 0, 0
    for _ = 1, 5 do
      acked = acked + strike(world, 0)
      lost = #missing(world)
      if lost > 0 then
        break
      end
    end
    assert(lost > 0, "none of " .. acked .. " events is lost with synchronous=NORMAL")
  end)
end)
