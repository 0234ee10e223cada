--- Has events of a person arrive while `palenca forget` is at a certain step, which waits for them.
local cjson = require("cjson")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local USER = "5c1f2f6e-6f0b-4d7c-9a55-000000000001"
local ACCOUNT = "acc0aaaa-0000-4000-8000-000000000001"

-- Records a decision, with rows that name the person.
local HANDLERS = [[
  local palenca = require "palenca"
  palenca.on("*", function(event)
    local rows = { { earning_date = "2026-01-05", currency = "mxn", amount = 300,
      note = event.user_id } }
    local income = palenca.income.analyze(rows, { as_of = "2026-02-01" })
    palenca.decision.record(event, { stream = rows, income = income,
      verdict = palenca.income.decide(income, { version = 1 }, { installment = 1000 }) })
  end)
]]

-- The command, in which a function of the store waits until it is let go; before the first few of
-- its calls.
local COMMAND = [[
  local host = require "palenca.host"
  local palenca = require "palenca"
  local db, user, name, directory, times = ...
  local original, calls = host.forget[name], 0
  host.forget[name] = function(...)
    calls = calls + 1
    if calls <= tonumber(times) then
      assert(io.open(directory .. "/at-" .. calls, "w")):close()
      while not io.open(directory .. "/go-" .. calls) do
        palenca.sleep(0.01)
      end
    end
    return original(...)
  end
  os.exit(require("palenca.host.cli.forget").run({ db = db, user = user, account = {},
    json = true }))
]]

describe("palenca forget while events of the person arrive", function()
  local stage = helper.stage_for_each()

  local function sql(db, text)
    return helper.query(db, text) .. "\n"
  end

  -- One, which gets a decision.
  local function arrive(served, count)
    helper.post(served.url, { user_id = USER, account_id = ACCOUNT, external_id = tostring(count) })
    helper.ask_until(function()
      return sql(served.db, "SELECT count(*) FROM events WHERE state < 3") == "0\n"
    end, "the event to be done")
  end

  -- Forgets the person, and has an event come before each of the first calls of a function.
  local function forget(name, times)
    local served = stage:serve({ text = HANDLERS })
    local directory = stage:directory()
    arrive(served, 0)
    helper.post(served.url, { user_id = "another-person", account_id = "another-account" })
    local command = stage:start(process.program(), { "run", process.write_file(directory
      .. "/command.lua", COMMAND), served.db, USER, name, directory, tostring(times) },
      { env = { PALENCA_API_KEY = "spec-key" } })
    for call = 1, times do
      process.wait_for(function()
        return command.code or helper.read_file(directory .. "/at-" .. call)
      end, "call " .. call)
      arrive(served, call)
      process.write_file(directory .. "/go-" .. call, "")
    end
    local status = command:wait_exit()
    return status, command.stdout, command.stderr, served.db
  end

  it("does not take a decision that comes during the proof for somebody else's", function()
    local status, out, err, db = forget("search_compressed", 1)
    assert.are.same({ 0, 1 }, { status, status == 0 and cjson.decode(out).decisions }, err)
    -- it is stored, like any that comes later
    assert.are.equal("1\n", sql(db, "SELECT count(*) FROM decision_data WHERE user_id = '" .. USER
      .. "'"))
  end)

  it("removes those that come before the files are read, however often", function()
    local status, out, err, db = forget("search", 5)
    assert.are.same({ 0, 6 }, { status, status == 0 and cjson.decode(out).decisions }, err)
    assert.are.equal("0\n", sql(db, "SELECT count(*) FROM decision_data WHERE user_id = '" .. USER
      .. "'"))
  end)
end)
