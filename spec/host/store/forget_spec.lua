--- Forgets persons by `palenca forget`, alone and beside `palenca serve`, and reads the files.
local cjson = require("cjson")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local persons = require("spec.host.store.forget_persons")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")
local uv = require("luv")

local PERSONS = 12
local EVENTS = helper.sanitized and 4 or 8 -- of each

-- By external_id: a handler that dies, one that waits, and one that records a decision.
local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("*", { max_attempts = 1 }, function(event)
    print(event.account_id, event.data.curp, event.data.noise) -- stored with the attempt
    palenca.log.info({ account = event.account_id, curp = event.data.curp,
      backward = event.data.backward and event.data.backward:reverse() })
    if event.external_id == "dies" then
      error(("no account %s of CURP %s: %s"):format(event.account_id, event.data.curp,
        event.data.noise:sub(1, 300)), 0)
    elseif event.external_id == "waits" then
      while not io.open(os.getenv "SPEC_GO") do
        palenca.sleep(0.02)
      end
    end
    local rows = {}
    for at = 1, 30 do
      rows[at] = { earning_date = os.date("!%Y-%m-%d", 1767225600 + at * 86400), currency = "mxn",
        amount = 300 + event.id * at * 7919 % 60000 / 100, curp = event.data.curp,
        note = event.data.noise and event.data.noise:sub(at * 48 - 47, at * 48) }
    end
    local income = palenca.income.analyze(rows, { as_of = "2026-02-01" })
    local verdict = palenca.income.decide(income, { version = 1 }, { installment = 1000 })
    palenca.decision.record(event, { stream = rows, income = income, verdict = verdict })
  end)
]]

local sql = persons.sql

local function wait_all(db)
  helper.ask_until(function()
    return sql(db, "SELECT count(*) FROM events WHERE state < 3") == "0\n"
  end, "all events to end")
end

local function forget(db, ...)
  return process.run(process.program(), { "forget", "--db", db, "--json", ... })
end

local function decisions(db, command, ...)
  return process.run(process.program(), { "decisions", command, "--db", db, ... })
end

local function assert_sound(db)
  if not postgres.is_url(db) then
    assert.are.equal("ok\n", sql(db, "PRAGMA integrity_check"))
  end
end

-- Has the process that serves from a file remove events.
local function ask_process(db, ids)
  local pipe, ended = uv.new_pipe(false), false
  pipe:connect(db .. "-socket", function()
    pipe:write("palenca-admin 3 forget events=" .. table.concat(ids, ",") .. "\n")
    pipe:read_start(function(_, data)
      ended = ended or not data
    end)
  end)
  process.wait_for(function()
    return ended
  end, "the end of the request")
  pipe:close()
end

describe("palenca forget", function()
  local stage, served, db

  -- Once: the tests follow each other, and each forgets others.
  setup(function()
    stage = helper.stage()
    served = stage:serve({ text = SCRIPT, env = { SPEC_GO = "/nowhere" } })
    db = served.db
    for at = 1, EVENTS do
      for number = 1, PERSONS do
        persons.post(served, number, at)
      end
    end
    wait_all(db)
  end)

  teardown(function()
    stage:clear()
  end)

  -- Forgets a person, by arguments, and asserts all that is promised.
  local function assert_forgotten(number, ...)
    local texts, before = persons.texts(db, number, true), persons.others(db, number)
    assert.is_true(persons.are_found(db, texts))
    local events = tonumber(sql(db, "SELECT count(*) FROM events WHERE "
      .. persons.condition(number)))
    local rows = tonumber(sql(db, "SELECT count(*) FROM decision_data WHERE "
      .. persons.condition(number)))
    local status, out, err = forget(db, ...)
    assert.are.equal(0, status, err)
    assert.are.same({}, persons.left(db, texts))
    local report = helper.json.decode(out)
    assert.are.same({ events, events, rows }, { report.events, report.attempts, report.decisions })
    assert.are.equal(before, persons.others(db, number))
    local removed
    status, out = decisions(db, "verify", "--json")
    assert.are.equal(0, status, out)
    removed = helper.json.decode(out).removed
    status, out = decisions(db, "replay")
    assert.are.equal(0, status, out)
    assert.truthy(out:find((", of %d the rows are removed\n"):format(removed), 1, true), out)
    for name in pairs(persons.files(db)) do
      assert.is_nil(err:find(persons.ids(number).user, 1, true), name)
    end
    return out
  end

  it("asks the process that serves, which logs that it was done, and not of whom", function()
    local one = persons.ids(1)
    assert_forgotten(1, "--user", one.user)
    if not postgres.is_url(db) then
      served:wait_output("stderr", "palenca: (forgot %d+ events and the rows of %d+ decisions for "
        .. "'palenca forget')")
    end
    assert.is_nil(served.stderr:find(one.user, 1, true))
    local status, out = forget(db, "--user", one.user)
    assert.are.equal(0, status)
    local again = helper.json.decode(out)
    assert.are.same({ 0, 0, 0 }, { again.events, again.attempts, again.decisions })
    assert_sound(db)
  end)

  it("forgets one account alone", function()
    local one = persons.ids(2)
    local status, out, err = forget(db, "--account", one.accounts[1])
    assert.are.equal(0, status, err)
    assert.are.equal(EVENTS / 2, helper.json.decode(out).events)
    assert.are.same({}, persons.left(db, { account = one.accounts[1] }))
    assert.are.equal(("%d\n"):format(EVENTS / 2),
      sql(db, "SELECT count(*) FROM events WHERE account_id = '" .. one.accounts[2] .. "'"))
  end)

  it("keeps what an account has of another user, and says where else an id is", function()
    local one, other = persons.ids(3), persons.ids(4)
    helper.post(served.url, { user_id = other.user, account_id = one.accounts[1] })
    helper.post(served.url, { user_id = other.user, account_id = other.accounts[1],
      before = one.user })
    wait_all(db)
    local status, out, err = forget(db, "--user", one.user)
    assert.are.same({ 1, "" }, { status, out })
    local named = sql(db, "SELECT id FROM bodies WHERE instr(body, '" .. one.user
      .. "') > 0")
    named = named:match("%d+")
    assert.truthy(err:find("not theirs by user or account: " .. named, 1, true), err)
    assert.truthy(err:find('"kind":"user"', 1, true), err)
    assert.is_nil(err:find(one.user, 1, true))
    assert.are.equal("1\n", sql(db, "SELECT count(*) FROM events WHERE account_id = '"
      .. one.accounts[1] .. "'"))
    assert.are.equal(0, (forget(db, "--user", other.user)))
    assert.are.equal(0, (forget(db, "--user", one.user)))
    assert.are.same({}, persons.left(db, { one.user, one.accounts[1], one.curp }))
  end)

  it("says that an id is in what the handlers of others' events have logged", function()
    local one, other = persons.ids(98), persons.ids(99)
    helper.post(served.url, { user_id = other.user, account_id = other.accounts[1],
      backward = one.user:reverse() })
    wait_all(db)
    local named = sql(db, "SELECT id FROM attempts WHERE instr(lines, '"
      .. one.user .. "') > 0")
    local status, out, err = forget(db, "--user", one.user)
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("not theirs by user or account: " .. named:match("%d+"), 1, true), err)
    assert.are.equal(0, (forget(db, "--user", other.user)))
    assert.are.equal(0, (forget(db, "--user", one.user)))
  end)

  it("waits for a handler that has an event of theirs, and lets it record its decision", function()
    local directory = stage:directory()
    local waiting = stage:serve({ text = SCRIPT, env = { SPEC_GO = directory .. "/go" } })
    local one = persons.ids(5)
    helper.post(waiting.url, { user_id = one.user, account_id = one.accounts[1],
      external_id = "waits", curp = one.curp })
    helper.post(waiting.url, { user_id = one.user, account_id = one.accounts[1],
      external_id = "later", curp = one.curp })
    helper.wait_state(waiting.db, one.accounts[1], "running")
    local command = stage:start(process.program(),
      { "forget", "--user", one.user, "--db", waiting.db, "--json" })
    helper.ask_until(function()
      return sql(waiting.db, "SELECT count(*) FROM events") == "1\n"
    end, "the other event to be removed")
    process.write_file(directory .. "/go", "")
    assert.are.equal(0, command:wait_exit(), command.stderr)
    local report = helper.json.decode(command.stdout)
    assert.are.same({ 2, 1 }, { report.events, report.decisions })
    assert.are.same({}, persons.left(waiting.db, { one.user, one.accounts[1], one.curp }))
    -- the account's later events run
    helper.post(waiting.url, { account_id = one.accounts[1], external_id = "next" })
    helper.wait_state(waiting.db, one.accounts[1], "done")
  end)

  it("forgets events that wait for their retry, and the account goes on", function()
    local failing = stage:serve({ text = [[
      local palenca = require "palenca"
      palenca.on("login.error", { retry_wait = 3600 }, function() error("later", 0) end)
    ]] })
    local one = persons.ids(6)
    helper.post(failing.url, { user_id = one.user, account_id = one.accounts[1],
      webhook_action = "login.error" })
    helper.wait_state(failing.db, one.accounts[1], "retry")
    assert.are.equal(0, (forget(failing.db, "--user", one.user)))
    assert.are.same({}, persons.left(failing.db, { one.user, one.accounts[1] }))
    helper.post(failing.url, { account_id = one.accounts[1] })
    helper.wait_state(failing.db, one.accounts[1], "done")
  end)

  it("finishes what a killed command, and a killed server, have left", function()
    local one = persons.ids(7)
    local texts, before = persons.texts(db, 7, true), persons.others(db, 7)
    local ids = {}
    -- in the command's order: what the account alone says is theirs goes first
    for id in sql(db, ("SELECT id FROM events JOIN bodies USING (id) WHERE %s"
      .. " ORDER BY instr(body, '%s') > 0, id"):format(persons.condition(7), one.user))
      :gmatch("%d+") do
      ids[#ids + 1] = id
    end
    if not postgres.is_url(db) then
      ask_process(db, { table.unpack(ids, 1, #ids // 2) })
    end
    for _, milliseconds in ipairs({ 5, 20, 60 }) do
      local command = stage:start(process.program(), { "forget", "--user", one.user, "--db", db })
      uv.sleep(milliseconds)
      command:kill("sigkill")
      command:wait_exit()
    end
    served:kill("sigkill")
    served:wait_exit()
    for _, milliseconds in ipairs({ 5, 20, 60 }) do
      local command = stage:start(process.program(), { "forget", "--user", one.user, "--db", db })
      uv.sleep(milliseconds)
      command:kill("sigkill")
      command:wait_exit()
    end
    local status, _, err = forget(db, "--user", one.user)
    assert.are.equal(0, status, err)
    assert.are.same({}, persons.left(db, texts))
    assert.are.equal(before, persons.others(db, 7))
    assert.are.equal(0, (decisions(db, "verify")))
  end)

  it("works alone when no process serves, and overwrites what others have left #file", function()
    -- by a program that does not: in the pages of all rows
    local status, _, problem = process.run("/usr/bin/sqlite3", { db, "PRAGMA secure_delete = OFF;"
      .. " CREATE TEMP TABLE was AS SELECT id, error FROM events;"
      .. " UPDATE events SET error = '" .. persons.noises[8][1]:sub(1, 300) .. "';"
      .. " UPDATE events SET error = (SELECT error FROM was WHERE was.id = events.id);"
      .. " PRAGMA journal_mode = DELETE" })
    assert.are.equal(0, status, problem)
    assert_forgotten(8, "--user", persons.ids(8).user)
    assert.are.equal("ok\n", sql(db, "PRAGMA integrity_check"))
    assert.are.equal("0\n", sql(db, "PRAGMA freelist_count"))
  end)

  it("removes the events of accounts whose ids are too short to be looked for", function()
    local one = "5c1f2f6e-6f0b-4d7c-9a55-short0000001"
    local again = stage:serve({ text = SCRIPT, env = { SPEC_GO = "/nowhere" } })
    for _, account in ipairs({ "7", "id" }) do
      helper.post(again.url, { user_id = one, account_id = account, external_id = "decides" })
      helper.post(again.url, { account_id = account, external_id = "dies" })
    end
    wait_all(again.db)
    assert.are.equal(0, again:stop())
    local status, out, err = forget(again.db, "--user", one)
    assert.are.equal(0, status, err)
    assert.are.equal(4, cjson.decode(out).events)
    assert.are.equal("0\n", sql(again.db, "SELECT count(*) FROM events"))
  end)

  it("finds what the compressed responses and rows of others hold", function()
    local one, other = persons.ids(13), persons.ids(14)
    local server = stage:server(function(request)
      request.respond(200, ('{"success":true,"data":{"users":["%s"]}}'):format(one.user))
    end)
    local again = stage:serve({ db = helper.database(stage:directory()), text = [[
      local palenca = require "palenca"
      palenca.on("*", { max_attempts = 1 }, function(event)
        if event.external_id == "responses" or event.external_id == "rows" then
          local data = assert(palenca.new{}:request("GET", "/v1/list"))
          local rows = { { earning_date = "2026-01-05", currency = "mxn", amount = 300,
            note = event.external_id == "rows" and data.users[1] or nil } }
          local income = palenca.income.analyze(rows, { as_of = "2026-02-01" })
          palenca.decision.record(event, { stream = rows, income = income,
            verdict = palenca.income.decide(income, { version = 1 }, { installment = 1000 }) })
        end
      end)
    ]], env = { PALENCA_BASE_URL = server.url }, arguments = { "--record-responses" } })
    helper.post(again.url, { user_id = one.user, account_id = one.accounts[1] })
    helper.post(again.url, { user_id = other.user, account_id = other.accounts[1],
      external_id = "responses" })
    wait_all(again.db)
    local function change(text)
      helper.change_database(again.db, text)
    end
    local id = helper.events(again.db, { "--account", other.accounts[1] })[1].id
    local status, out, err = forget(again.db, "--user", one.user)
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find(("recorded responses of events that are not theirs by user or account: "
      .. "%d"):format(id), 1, true), err)
    helper.post(again.url, { user_id = other.user, account_id = other.accounts[1],
      external_id = "rows" })
    wait_all(again.db)
    assert.are.equal(0, again:stop())
    -- those of a run before the last one
    change("UPDATE event_responses SET replay = 9")
    status, out, err = forget(again.db, "--user", one.user)
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("recorded responses of events", 1, true), err)
    change("UPDATE event_responses SET responses = substr(responses, 1, 2)")
    status, out, err = forget(again.db, "--user", one.user)
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find(("the recorded responses of these events are damaged, and may hold what "
      .. "identifies this person: %d"):format(id), 1, true), err)
    change("DELETE FROM event_responses")
    status, out, err = forget(again.db, "--user", one.user)
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("rows of decisions that are not theirs by user or account: 2", 1, true),
      err)
    change("UPDATE decision_data SET rows = substr(rows, 1, 2) WHERE number = 2")
    status, out, err = forget(again.db, "--user", one.user)
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("the rows of these decisions are damaged, and may hold what identifies "
      .. "this person: 2", 1, true), err)
    assert.are.equal(0, (forget(again.db, "--user", other.user)))
    assert.are.equal(0, (forget(again.db, "--user", one.user)))
  end)

  it("forgets under load, with all other events whole", function()
    local loaded = stage:serve({ text = SCRIPT, db = db, directory = served.directory,
      env = { SPEC_GO = "/nowhere" } })
    local acked = stage:directory() .. "/acked"
    local load = faults.load(stage, loaded.url, { connections = 8, accounts = 64, rate = 100,
      seconds = helper.sanitized and 4 or 2, ["number-actions"] = true, acked = acked })
    helper.ask_until(function()
      return tonumber(sql(db, "SELECT count(*) FROM events")) > 100
    end, "the load to be going")
    local forgotten = {}
    for number = 9, 10 do
      local texts = persons.texts(db, number)
      assert.are.equal(0, (forget(db, "--user", persons.ids(number).user)))
      assert.are.same({}, persons.left(db, texts))
    end
    faults.loaded(load)
    wait_all(db)
    -- and one of those that the load was about
    local user, account = sql(db, "SELECT user_id, account_id FROM decision_data"
      .. " WHERE user_id LIKE '%-1d2f%' LIMIT 1"):match("^(%S+)|(%S+)\n")
    local status, _, err = forget(db, "--user", user)
    assert.are.equal(0, status, err)
    forgotten[account] = true
    assert.are.same({}, persons.left(db, { user, account }))
    local stored = faults.by_key((function()
      local list = {}
      for _, event in ipairs(helper.events(db)) do
        if event.action:find("^numbered") then
          list[#list + 1] = event
        end
      end
      return list
    end)())
    for _, record in ipairs(faults.records(acked)) do
      local wanted = forgotten[record.account] and 0 or 1
      assert.are.equal(wanted, #(stored[record.key] or {}), record.key)
    end
    assert.are.equal(0, (decisions(db, "verify")))
    assert.are.equal(0, (decisions(db, "replay")))
    assert.are.equal(0, loaded:stop())
    assert_sound(db)
  end)

  it("says what is wrong with its arguments, and with the database #file", function()
    for _, case in ipairs({
      { 2, "--user or --account must say who is to be forgotten" },
      { 2, "'abc' is too short for an id", "--user", "abc" },
      { 2, "option '--user' must be used at most 1 time", "--user", "abcd", "--user", "efgh" },
      { 1, "cannot open /nowhere/x.db: No such file or directory", "--user", "abcd", "--db",
        "/nowhere/x.db" },
      { 1, "(schema 2): it can be read once 'palenca serve' has started with it", "--user",
        "abcd" },
    }) do
      local old = stage:directory() .. "/old.db"
      assert(process.run("/usr/bin/sqlite3", { old, "PRAGMA application_id = 0x50414c45;"
        .. "PRAGMA user_version = 2; CREATE TABLE events (id INTEGER PRIMARY KEY)" }) == 0)
      local status, out, err = process.run(process.program(),
        { "forget", "--db", old, table.unpack(case, 3) })
      assert.are.same({ case[1], "" }, { status, out }, err)
      assert.truthy(err:find(case[2], 1, true), err)
    end
  end)
end)
