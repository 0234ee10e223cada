--- Kills `palenca serve` and cuts its power while it removes what it has of a person, and while it
-- overwrites what is left.
-- SPEC_ROUNDS: three times how often (18); SPEC_SEED: the same times as in an earlier run.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local power_cut = require("spec.support.power_cut")
local process = require("spec.support.process")
local uv = require("luv")

local ROUNDS = 2 * math.ceil(tonumber(os.getenv("SPEC_ROUNDS") or 18) / 6)
local SEED = tonumber(os.getenv("SPEC_SEED") or os.time())

-- How much of what was not synced is kept; 1: only the process is killed.
local SHARES = { 1, 0, 0.5 }

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("*", function(event)
    local stream = { { earning_date = "2026-01-01", amount = event.id % 1000, currency = "mxn" } }
    local income = palenca.income.analyze(stream, { as_of = "2026-01-01" })
    local verdict = palenca.income.decide(income, { version = 1 }, { installment = 1 })
    palenca.decision.record(event, { stream = stream, income = income, verdict = verdict })
  end)
]]

describe("palenca forget beside a server that is killed", function()
  local stage = helper.stage_for_each()
  local directory, db, disk

  local function serve()
    local env = power_cut.environment(directory .. "/db", disk)
    env.PALENCA_API_KEY = "spec-key"
    local served = stage:start(process.program(), { "serve", directory .. "/script.lua", "--listen",
      "127.0.0.1:0", "--db", db, "--workers", "1" }, { env = env })
    served.url = served:wait_output("stderr", "receiving webhooks at (http://%S+),")
    return served
  end

  local function sql(text)
    local status, out, err = process.run("/usr/bin/sqlite3", { "-readonly", db, text })
    assert(status == 0, err)
    return out
  end

  local function wait_done()
    helper.ask_until(function()
      return sql("SELECT count(*) FROM events WHERE state <> 3") == "0\n"
    end, "all events to be done")
  end

  -- Asks the server, as the command does; returns what it responds, which comes.
  local function ask(request)
    local asked = { text = "" }
    local pipe = uv.new_pipe(false)
    pipe:connect(db .. "-socket", function(problem)
      assert(not problem, problem)
      pipe:write("palenca-admin 3 " .. request .. "\n")
      pipe:read_start(function(_, data)
        asked.text = asked.text .. (data or "")
        if not data then
          asked.is_ended = true
          pipe:close()
        end
      end)
    end)
    return asked
  end

  local function wait_line(asked, status)
    process.wait_for(function()
      return asked.text:find("palenca-admin 3 " .. status, 1, true)
    end, "the line " .. status)
  end

  local function is_stopped(pid)
    for thread in uv.fs_scandir_next, assert(uv.fs_scandir("/proc/" .. pid .. "/task")) do
      local stat = helper.read_file(("/proc/%d/task/%s/stat"):format(pid, thread))
      if stat and not stat:find("%) T ") then
        return false
      end
    end
    return true
  end

  -- Somewhere in the work of the command.
  local function kill_in_command(served, user)
    local command = stage:start(process.program(), { "forget", "--user", user, "--db", db })
    uv.sleep(math.random(5, 120))
    served:kill("sigkill")
    assert.are.equal(128 + 9, served:wait_exit())
    command:kill("sigkill")
    command:wait_exit()
  end

  -- After the server has said that it has started to overwrite, and before it has said that all is
  -- done: if it had when it was stopped, it begins again.
  local function kill_in_overwriting(served, user)
    local ids = sql("SELECT group_concat(id) FROM bodies WHERE instr(body, '" .. user .. "')")
    local numbers = sql("SELECT group_concat(number) FROM decision_data WHERE user_id = '" .. user
      .. "'")
    wait_line(ask(("forget events=%s decisions=%s"):format(ids:match("%S+"),
      numbers:match("%S+"))), "done")
    local overwriting
    repeat
      overwriting = ask("overwrite")
      wait_line(overwriting, "progress")
      uv.sleep(math.random(0, 30))
      served:kill("sigstop")
      process.wait_for(function()
        return is_stopped(served.pid)
      end, "the server to stop")
      uv.run("nowait") -- what it had sent by then
      local is_done = overwriting.text:find("palenca-admin 3 done", 1, true)
      if is_done then
        served:kill("sigcont")
      end
    until not is_done
    served:kill("sigkill")
    assert.are.equal(128 + 9, served:wait_exit())
    process.wait_for(function()
      return overwriting.is_ended
    end, "the end of the connection")
    assert.is_nil(overwriting.text:find("palenca-admin 3 done", 1, true))
  end

  local function others(user)
    return sql(("SELECT id, account_id, error, hex(body) FROM events JOIN bodies USING (id)"
      .. " WHERE instr(body, '%s') = 0 ORDER BY id"):format(user))
  end

  local function assert_gone(...)
    for name, kind in uv.fs_scandir_next, assert(uv.fs_scandir(directory .. "/db")) do
      local bytes = kind == "file" and helper.read_file(directory .. "/db/" .. name) or ""
      for _, text in ipairs({ ... }) do
        assert.is_nil(bytes:find(text, 1, true), name)
      end
    end
  end

  it("finishes afterwards, and nothing else is lost, at " .. ROUNDS .. " ends", function()
    print("seed " .. SEED)
    math.randomseed(SEED)
    directory = stage:directory()
    db, disk = directory .. "/db/events.db", directory .. "/disk"
    assert(process.run("/bin/mkdir", { directory .. "/db" }) == 0)
    process.write_file(directory .. "/script.lua", SCRIPT)
    for round = 1, ROUNDS do
      local served = serve()
      faults.loaded(faults.load(stage, served.url, { connections = 8, accounts = 40, tag = round,
        first = round * 1000000, count = 400 }))
      wait_done()
      local user, account = sql("SELECT user_id, account_id FROM decision_data WHERE user_id"
        .. " IS NOT NULL ORDER BY random() LIMIT 1"):match("^(%S+)|(%S+)\n")
      local before = others(user)
      local kill = round % 2 == 1 and kill_in_overwriting or kill_in_command
      kill(served, user)
      local share = SHARES[(round - 1) // 2 % #SHARES + 1]
      if share < 1 then
        power_cut.strike(directory .. "/db", disk, function()
          return share > 0 and math.random() < share
        end)
      end
      served = serve()
      local about = ("seed %d, round %d"):format(SEED, round)
      assert.are.equal("ok\n", sql("PRAGMA integrity_check"), about)
      assert.is_true(before == others(user), about)
      local status, _, err = process.run(process.program(),
        { "forget", "--user", user, "--db", db })
      assert.are.equal(0, status, about .. err)
      assert_gone(user, account)
      assert.is_true(before == others(user), about)
      assert.are.equal(0, (process.run(process.program(), { "decisions", "verify", "--db", db })))
      assert.are.equal(0, served:stop())
    end
  end)
end)
