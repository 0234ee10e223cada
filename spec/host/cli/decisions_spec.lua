--- Records decisions in handlers of `palenca serve`, and drives `palenca decisions`.
local cjson = require("cjson")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local palenca = require("palenca")
local process = require("spec.support.process")

-- How many decisions are computed again elsewhere.
local MANY = helper.sanitized and 100 or 1000

-- What an event's account says is done: DAYS of AMOUNT, and what else.
local SCRIPT = [[
  local palenca = require "palenca"
  local rule = require "rule"
  local DAY = 86400

  local function decide(event, days, amount, currency)
    local rows = {}
    for at = 1, days do
      rows[at] = { earning_date = os.date("!%Y-%m-%d", 1767225600 + (at - 1) * DAY),
        amount = amount + at % 7 * 0.25, currency = currency, count_trips = at % 5,
        cash_amount = at % 3 == 0 and 12.5 or nil, note = event.external_id }
    end
    local stream = palenca.income.merge{ { rows = rows, account = event.account_id,
      platform = "uber", report = { complete = true, rows = days } } }
    local income = palenca.income.analyze(stream,
      { as_of = os.date("!%Y-%m-%d", 1767225600 + (days - 1) * DAY) })
    local verdict = palenca.income.decide(income, rule, { installment = "3000.00" })
    return { stream = stream, income = income, verdict = verdict }
  end

  local kept
  palenca.on("*", { max_attempts = 2, retry_wait = 0.001 }, function(event)
    local days, amount, deed = event.account_id:match("^(%d+) ([%d.]+) ?(.*)$")
    local decision = decide(event, tonumber(days), tonumber(amount), "mxn")
    if deed == "copy" then
      event = { id = event.id, attempt = event.attempt }
    elseif deed == "late" then
      if not kept then
        kept = event
        error("once more", 0)
      end
      event = kept -- the table of the attempt before
    elseif deed == "large" then
      for at = 1, 9000 do
        decision.stream.accounts[1].rows[1]["field " .. at] = ("x"):rep(200)
      end
    end
    palenca.decision.record(event, decision)
    if deed == "twice" then
      palenca.decision.record(event, decision)
    elseif deed == "fails" or deed == "fails once" and event.attempt == 1 then
      error("it has failed", 0)
    end
  end)
]]
local RULE = "return { version = 'spec-1' }\n"

local function decisions(db, ...)
  local arguments = { "decisions", ... }
  arguments[#arguments + 1] = "--db"
  arguments[#arguments + 1] = db
  return process.run(process.program(), arguments)
end

local function shown(db, ...)
  local status, out, err = decisions(db, ...)
  assert(status == 0, err)
  return helper.lines_of_json(out)
end

describe("palenca.decision.record", function()
  local stage = helper.stage_for_each()
  local served

  before_each(function()
    local directory = stage:directory()
    process.write_file(directory .. "/rule.lua", RULE)
    served = stage:serve({ text = SCRIPT, directory = directory, arguments = { "--workers", "1" } })
  end)

  local function error_of(account)
    helper.post(served.url, { account_id = account })
    return helper.wait_state(served.db, account, "dead").error
  end

  it("records with the event's end, with all that the decision follows from", function()
    helper.post(served.url, { account_id = "60 500", user_id = "u-1" })
    local event = helper.wait_state(served.db, "60 500", "done")
    local one = shown(served.db, "show", "1", "--json", "--raw")[1]
    assert.are.equal(event.id, one.event_id)
    assert.are.equal(1, one.attempt)
    assert.are.equal("60 500", one.account_id)
    assert.are.equal("approve", one.verdict.outcome)
    assert.are.equal("spec-1", one.rule.version)
    assert.are.equal("3000.00", one.request.installment)
    assert.are.equal("2026-03-01", one.as_of)
    assert.are.equal(60, #one.rows.stream.accounts[1].rows)
    assert.are.equal("15230.89", one.figures.monthly_income)
    assert.are.equal(palenca.version, one.module_version)
    local _, out = process.run("/usr/bin/sha256sum", { served.directory .. "/script.lua" })
    assert.are.equal(out:match("^%x+"), one.script)
    _, out = process.run("/bin/sh", { "-c",
      'sha256sum "$0" | cut -c1-64 | LC_ALL=C sort | sha256sum', served.directory .. "/rule.lua" })
    assert.are.equal(out:match("^%x+"), one.modules)
    assert.are.equal("u-1", helper.query(served.db, "SELECT user_id FROM decision_data"))
  end)

  it("records nothing for a handler that fails, and one for the attempt that does not", function()
    assert.are.equal("it has failed", error_of("60 500 fails"))
    assert.are.same({}, shown(served.db, "list", "--json"))
    helper.post(served.url, { account_id = "60 500 fails once" })
    helper.wait_state(served.db, "60 500 fails once", "done")
    local list = shown(served.db, "list", "--json")
    assert.are.equal(1, #list)
    assert.are.equal(2, list[1].attempt)
  end)

  it("records another one after a replay", function()
    helper.post(served.url, { account_id = "60 500" })
    local event = helper.wait_state(served.db, "60 500", "done")
    assert.are.equal(0, (process.run(process.program(), { "events", "replay",
      ("%d"):format(event.id), "--db", served.db })))
    local list = helper.ask_until(function()
      local found = shown(served.db, "list", "--json", "--event", ("%d"):format(event.id))
      return #found == 2 and found
    end, "a second decision")
    assert.are.same({ nil, 1 }, { list[1].replay, list[2].replay })
    assert.are.equal(0, (decisions(served.db, "verify")))
  end)

  it("rejects a second one for an attempt, another event, and what is too large", function()
    assert.truthy(error_of("60 500 twice"):find("palenca.decision.record: a decision was recorded "
      .. "for event %d+ in this attempt already"))
    local other = "palenca.decision.record: event must be the one that the handler was called "
      .. "with, while that runs"
    assert.are.equal(other, error_of("60 500 copy"))
    assert.are.equal(other, error_of("60 500 late"))
    assert.truthy(error_of("60 500 large"):find("palenca.decision.record: its rows take %d+ bytes "
      .. "as JSON, and may take 1048576"))
    local list = shown(served.db, "list", "--json")
    assert.are.equal(0, #list)
  end)

  it("records the ids of the API's responses", function()
    local _, url, key = stage:sandbox({ "--accounts", "1" })
    local directory = stage:directory()
    local client = stage:serve({ directory = directory, text = [[
      local palenca = require "palenca"
      local client = palenca.new()
      palenca.on("*", function(event)
        local platforms, meta = client.platforms:list()
        assert(palenca.http{ url = os.getenv "PALENCA_BASE_URL" .. "/sandbox/settings" })
        local stream = {}
        local income = palenca.income.analyze(stream, { as_of = "2026-01-01" })
        local verdict = palenca.income.decide(income, { version = 1 }, { installment = 1 })
        palenca.decision.record(event, { stream = stream, income = income, verdict = verdict })
        print(meta.request_id)
      end)
    ]], env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = url } })
    helper.post(client.url, { account_id = "a" })
    helper.wait_state(client.db, "a", "done")
    local id = client:wait_output("stdout", "^(%S+)\n")
    local one = shown(client.db, "show", "1", "--json")[1]
    assert.are.same({ id }, one.request_ids)
    assert.are.equal("undecidable", one.verdict.outcome)
  end)

  it("deletes old ones only if it is asked to", function()
    helper.post(served.url, { account_id = "60 500" })
    helper.wait_state(served.db, "60 500", "done")
    assert.are.equal(0, served:stop())
    local again = stage:serve({ text = SCRIPT, directory = served.directory, db = served.db,
      arguments = { "--decision-retention", "0.000001" } })
    helper.ask_until(function()
      return #shown(again.db, "list", "--json") == 0
    end, "no decision")
    local status, out = decisions(again.db, "verify")
    assert.are.equal(0, status)
    assert.truthy(out:find("entries 2 to 2, of which 0 are decisions", 1, true), out)
  end)
end)

describe("palenca decisions", function()
  local stage, served

  -- once: the tests only read, or change a copy
  setup(function()
    stage = helper.stage()
    local directory = stage:directory()
    process.write_file(directory .. "/rule.lua", RULE)
    served = stage:serve({ text = SCRIPT, directory = directory })
    for _, account in ipairs({ "60 500", "60 100", "10 500", "200 500" }) do
      helper.post(served.url, { account_id = account, external_id = "GOMC900101HDFRRL09" })
      helper.wait_state(served.db, account, "done")
    end
    assert(served:stop() == 0)
  end)

  teardown(function()
    stage:clear()
  end)

  local function copy()
    return helper.copy_database(served.db, stage:directory())
  end

  it("list lists those of an outcome, an account, an event, a time", function()
    local function numbers(...)
      local list = {}
      for at, one in ipairs(shown(served.db, "list", "--json", ...)) do
        list[at] = ("%d"):format(one.number)
      end
      return table.concat(list, " ")
    end
    local all = shown(served.db, "list", "--json")
    assert.are.same({ "approve", "decline", "undecidable", "approve" }, { all[1].outcome,
      all[2].outcome, all[3].outcome, all[4].outcome })
    assert.are.same({ "installment_too_high" }, all[2].reasons)
    assert.are.equal("1 4", numbers("--outcome", "approve"))
    assert.are.equal("4", numbers("--outcome", "approve", "--limit", "1"))
    assert.are.equal("3 4", numbers("--limit", "2"))
    assert.are.equal("3", numbers("--account", "10 500"))
    assert.are.equal("2", numbers("--event", ("%d"):format(all[2].event_id)))
    assert.are.equal("1 2 3 4", numbers("--since", "1h"))
    assert.are.equal("", numbers("--since", "2999-01-01"))
    local _, out = decisions(served.db, "list", "--outcome", "decline")
    assert.truthy(out:find("^2  %d+%-%d+%-%d+T%S+  event %d+  decline      rule spec%-1  "
      .. "installment_too_high\n$"), out)
    assert.are.equal("no decisions\n", select(2, decisions(served.db, "list", "--account", "x")))
  end)

  it("show masks identity numbers unless it is asked not to", function()
    for _, as in ipairs({ "--json", "--db" }) do
      local extra = as == "--json" and { "--json" } or {}
      local _, masked = decisions(served.db, "show", "1", table.unpack(extra))
      local _, raw = decisions(served.db, "show", "1", "--raw", table.unpack(extra))
      assert.truthy(masked:find("[identity number]", 1, true))
      assert.is_nil(masked:find("GOMC900101HDFRRL09", 1, true))
      assert.truthy(raw:find("GOMC900101HDFRRL09", 1, true))
    end
    local status, out, err = decisions(served.db, "show", "9")
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("there is no decision 9 in", 1, true), err)
  end)

  it("explain says it for the analyst and for the worker, in three languages", function()
    for language, words in pairs({ en = "Decline", es = "Rechazar", pt = "Recusar" }) do
      local one = shown(served.db, "explain", "2", "--json", "--lang", language)[1]
      assert.truthy(one.analyst:find(words, 1, true), one.analyst)
      assert.truthy(#one.worker > 0)
      local _, out = decisions(served.db, "explain", "2", "--lang", language)
      assert.truthy(out:find(one.analyst, 1, true) and out:find(one.worker, 1, true), out)
    end
  end)

  it("verify finds what was changed, and names it", function()
    local status, out = decisions(served.db, "verify")
    assert.are.equal(0, status, out)
    local head = out:match("\nhead (4:%x+)\n")
    assert.truthy(out:find("entries 1 to 4, of which 4 are decisions, 0 of them without rows", 1,
      true), out)
    for change, message in pairs({
      ["UPDATE decisions SET facts = replace(facts, '3000.00', '3000.01') WHERE number = 2"] =
        "entry 2 was changed",
      ["DELETE FROM decisions WHERE number IN (2, 3)"] = "entries 2 to 3 are missing",
      ["DELETE FROM decisions WHERE number = 4"] = "entry 4 is missing",
      ["DELETE FROM decision_data WHERE number = 3"] =
        "entry 3 has no rows, and no entry says that they were removed",
      ["UPDATE ledger SET head = zeroblob(32)"] = "the ledger's own row does not fit its last "
        .. "entry, 4",
      ["UPDATE decisions SET number = -number WHERE number IN (2, 3);"
        .. "UPDATE decisions SET number = 5 + number WHERE number < 0"] =
        "entry 2 is in the place of another: it was recorded as entry 3",
    }) do
      local db = copy()
      helper.change_database(db, change)
      status, out = decisions(db, "verify")
      assert.are.equal(1, status, change)
      assert.truthy(out:find(message, 1, true), change .. ": " .. out)
      local status_json, json = decisions(db, "verify", "--json")
      local report = cjson.decode(json)
      assert.are.equal(1, status_json)
      assert.are.equal(report.problem_count, #report.problems)
      assert.truthy(json:find(message, 1, true), json)
    end
    assert.are.equal(0, (decisions(served.db, "verify", "--head", head)))
    status, out = decisions(served.db, "verify", "--head", "3" .. head:sub(2))
    assert.are.equal(1, status)
    assert.truthy(out:find("entry 3 does not have the hash of --head", 1, true), out)
    assert.are.equal(2, (decisions(served.db, "verify", "--head", "3:12")))
  end)

  it("has entries whose hashes are those of the form that the guide describes", function()
    local directory = stage:directory()
    local function digest(fields)
      for at, field in ipairs(fields) do
        fields[at] = #field .. ":" .. field .. ","
      end
      local path = process.write_file(directory .. "/bytes", table.concat(fields))
      return select(2, process.run("/usr/bin/sha256sum", { path })):match("^%x+")
    end
    local function bytes(hex)
      return (hex:gsub("%x%x", function(byte)
        return string.char(tonumber(byte, 16))
      end))
    end
    local previous = ("0"):rep(64)
    for number = 1, 4 do
      local row = helper.query(served.db, "SELECT number, kind, subject, attempt, replay, "
        .. "recorded_at, hex(facts), lower(hex(rows_digest)), lower(hex(data_digest)), "
        .. "lower(hex(hash)), hex(account_id), hex(user_id), hex(rows), hex(details) "
        .. "FROM decisions JOIN decision_data USING (number) WHERE number = " .. number)
      local fields = {}
      for field in (row .. "|"):gmatch("([^|]*)|") do
        fields[#fields + 1] = field
      end
      assert.are.equal(fields[9], digest({ "palenca decision data 1", bytes(fields[11]),
        bytes(fields[12]), bytes(fields[13]), bytes(fields[14]) }))
      assert.are.equal(fields[10], digest({ "palenca decision 1", fields[1], fields[2], fields[3],
        fields[4], fields[5], fields[6], bytes(fields[7]), fields[8], fields[9], previous }))
      previous = fields[10]
    end
  end)

  it("replay says match, differs with the fields, or rows removed", function()
    local status, out = decisions(served.db, "replay")
    assert.are.equal(0, status, out)
    assert.truthy(out:find("4 match, 0 differ, of 0 the rows are removed", 1, true), out)
    local db = copy()
    helper.change_database(db, [[UPDATE decisions SET facts = replace(facts, '"outcome":"decline"',
      '"outcome":"approve"') WHERE number = 2; DELETE FROM decision_data WHERE number = 3]])
    status, out = decisions(db, "replay")
    assert.are.equal(1, status)
    assert.truthy(out:find('\n2  event %d+  differs\n  verdict.outcome: recorded "approve", '
      .. 'computed "decline"\n3  event %d+  rows removed\n'), out)
    local list = {}
    status, out = decisions(db, "replay", "2", "3", "4", "--json")
    for at, one in ipairs(helper.lines_of_json(out)) do
      list[at] = one.result
    end
    assert.are.same({ 1, "differs", "rows removed", "match" }, { status, table.unpack(list) })
  end)

  it("says what was changed beyond reading, without a trace", function()
    for change, call in pairs({
      ["decisions SET facts = 'x'"] = { "facts", "list" },
      [ [[decisions SET facts = replace(facts, '"outcome":"decline"', '"outcome":5')]] ] =
        { "facts", "list" },
      [ [[decisions SET facts = replace(facts, '"reasons":[', '"reasons":["x",')]] ] =
        { "facts", "show" },
      ["decision_data SET rows = zeroblob(1)"] = { "rows", "replay" },
      ["decision_data SET details = zeroblob(1)"] = { "details", "show" },
    }) do
      local db = copy()
      helper.change_database(db, "UPDATE " .. change .. " WHERE number = 2")
      local status, _, err = decisions(db, call[2], call[2] ~= "list" and "2" or nil)
      assert.are.same({ 1, "palenca: decision 2 was changed: its " .. call[1] .. " cannot be read; "
        .. "see 'palenca decisions verify'\n" }, { status, err }, change)
    end
  end)

  it("reads a database of before, which has none #file", function()
    local db = copy()
    helper.change_database(db, "DROP TABLE reconciled; DROP TABLE decisions; "
      .. "DROP TABLE decision_data; DROP TABLE ledger;"
      .. "PRAGMA user_version = 4")
    assert.are.equal(4, #helper.events(db))
    assert.are.equal("no decisions\n", select(2, decisions(db, "list")))
    local status, out = decisions(db, "verify")
    assert.are.same({ 0, "no entries\nthe chain is whole\n" }, { status, out })
  end)
end)

describe("many decisions", function()
  local stage = helper.stage_for_each()

  -- Entries of a file, one a line, computed again by the module in a Lua of its own.
  local AGAIN = [[
    local palenca = require("palenca")
    local count = 0
    for line in io.lines(arg[1]) do
      local entry = palenca.json.decode(line)
      local result, fields = palenca.decision.replay(entry)
      if result ~= "match" then
        error(entry.number .. " " .. fields[1].field)
      end
      count = count + 1
    end
    print(count)
  ]]

  it("are computed again to the byte, in another process and under LuaJIT", function()
    local directory = stage:directory()
    process.write_file(directory .. "/rule.lua", RULE)
    local script = SCRIPT:gsub('event.account_id:match%b()', [[
      ("%%d %%d.%%02d"):format(20 + event.external_id %% 70, 300 + event.external_id,
        event.external_id %% 100):match("^(%%d+) ([%%d.]+) ?(.*)$")]])
    local served = stage:serve({ text = script, directory = directory })
    assert.are.equal(MANY, faults.loaded(faults.load(stage, served.url,
      { connections = 16, accounts = 64, count = MANY })).acked)
    helper.ask_until(function()
      return helper.query(served.db, "SELECT count(*) FROM events WHERE state = 3")
        == tostring(MANY)
    end, "all decisions")
    assert.are.equal(0, served:stop())
    local status, out = decisions(served.db, "replay")
    assert.are.equal(0, status)
    assert.truthy(out:find(MANY .. " match, 0 differ", 1, true), out:sub(-200))
    local arguments = { "show", "--json", "--raw" }
    for number = 1, MANY do
      arguments[#arguments + 1] = tostring(number)
    end
    status, out = decisions(served.db, table.unpack(arguments))
    assert.are.equal(0, status)
    local entries = process.write_file(directory .. "/entries", out)
    local again = process.write_file(directory .. "/again.lua", AGAIN)
    local build = process.reader():match("^(.*)/bin/") -- its module needs no sanitizer
    for program, folder in pairs({ ["/usr/bin/luajit"] = "luajit", ["/usr/bin/lua5.4"] = "5.4" }) do
      status, out = process.run(program, { again, entries }, { env = {
        LUA_PATH = "lua/?.lua;lua/?/init.lua;;",
        LUA_CPATH = build .. "/lua/" .. folder .. "/?.so;;",
      } })
      assert.are.same({ 0, MANY .. "\n" }, { status, out }, folder)
    end
  end)
end)
