--- Restarts `palenca serve`, and changes its version, under load below a holder of its socket:
-- every request has its response.
-- SPEC_RESTARTS: how many restarts, and how many changes of version (1). With it the slowest
-- response may take 2 s; without, beside other tests on a busy machine, 4 s.
local uv = require("luv")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local RESTARTS = tonumber(os.getenv("SPEC_RESTARTS") or 1)
-- Seconds: more than the slowest response may take, and less than the handler that is running.
local DRAIN_TIMEOUT, HANDLER = 5, 60
local SLOWEST_MS = os.getenv("SPEC_RESTARTS") and 2000 or 4000

local SCRIPT = faults.RECORDING:gsub('"%*"', '"numbered.*"') .. ([[
  palenca.on("long.one", function(event)
    io.stderr:write("long handler starts\n")
    palenca.sleep(%d)
  end)
]]):format(HANDLER)

describe("palenca serve, with a socket that outlives it", function()
  local stage = helper.stage_for_each()

  -- Programs of two versions, and the path that is one of them at a time.
  local function versions(directory)
    local path = directory .. "/palenca"
    local function install(version)
      assert(process.run("/bin/cp", { process.program(), path .. ".new" }) == 0)
      if version == 2 then -- the same but for its text of the version
        assert(process.run("/bin/sed", { "-i", "s/0\\.1\\.0/0.1.1/g", path .. ".new" }) == 0)
      end
      assert(uv.fs_rename(path .. ".new", path))
    end
    install(1)
    return path, install
  end

  local function hold(directory, program)
    local held = stage:start("/usr/bin/python3", { "spec/support/socket_holder.py", program,
      "serve", process.write_file(directory .. "/script.lua", SCRIPT), "--db",
      directory .. "/events.db", "--workers", "2", "--drain-timeout", tostring(DRAIN_TIMEOUT) },
      { env = { PALENCA_API_KEY = "spec-key", SPEC_HANDLED = directory .. "/handled" } })
    stage:at_end(function()
      held:stop()
    end)
    held.url = held:wait_output("stderr", "receiving webhooks at (http://%S+),")
    return held
  end

  local function load(url, directory, first, extra)
    local options = { connections = 16, accounts = 64, rate = 200, tag = first, first = first * 1e6,
      acked = directory .. "/acked" .. first, ["number-actions"] = true }
    for name, value in pairs(extra or {}) do
      options[name] = value
    end
    return faults.load(stage, url, options)
  end

  local function end_load(sender, restarts)
    sender:kill("sigterm")
    local counts = faults.loaded(sender)
    print(string.format("%d restarts: %d acknowledged, %d others, %d broken, slowest %.0f ms",
      restarts, counts.acked, counts.others, counts.broken, counts.max_ms))
    assert.are.same({ 0, 0 }, { counts.others, counts.broken })
    assert.is_true(counts.max_ms <= SLOWEST_MS, counts.max_ms .. " ms")
  end

  local function assert_handled(directory)
    local handled = faults.records(directory .. "/handled")
    local stored = faults.by_key(helper.events(directory .. "/events.db", { "--state", "done" }))
    for _, first in ipairs({ 1, 2 }) do
      for _, record in ipairs(faults.records(directory .. "/acked" .. first)) do
        assert(stored[record.key], "acknowledged, and not done: " .. record.key)
        assert(#stored[record.key] == 1, "stored twice: " .. record.key)
      end
    end
    faults.assert_order(handled)
  end

  it("responds to all at " .. RESTARTS .. " restarts and as many changes of version", function()
    local directory = stage:directory()
    local program, install = versions(directory)
    local held = hold(directory, program)
    helper.post(held.url, { webhook_action = "long.one", account_id = "long" })
    local kept = load(held.url, directory, 1)
    local fresh = load(held.url, directory, 2, { fresh = true })
    for i = 1, 2 * RESTARTS do
      helper.wait_lines(held, "stderr", "long handler starts", i)
      if i > RESTARTS then
        install(i % 2 + 1)
      end
      held:kill("sighup")
      helper.wait_lines(held, "stdout", "started", i + 1)
    end
    helper.wait_lines(held, "stderr", "long handler starts", 2 * RESTARTS + 1)
    end_load(kept, 2 * RESTARTS)
    end_load(fresh, 2 * RESTARTS)
    helper.ask_until(function()
      return helper.query(directory .. "/events.db",
        "SELECT count(*) FROM events WHERE state <> 3") == "1" -- the long one
    end, "all events to be done")
    assert_handled(directory)
    -- those that were aborted while they waited do not count
    assert.are.equal("1", helper.query(directory .. "/events.db",
      "SELECT attempts FROM events WHERE state <> 3"))
    assert.are.equal(0, held:stop())
    assert.are.equal(2 * RESTARTS + 1, select(2, held.stdout:gsub("ended 0", "")))
  end)
end)
