--- palenca.testing: a script runs without a network, at the test's time, with what the test sets.
local handlers = require("palenca.handlers")
local json = require("palenca.util.json")
local palenca = require("palenca")
local process = require("spec.support.process")
local recorder = require("palenca.decision.recorder")
local runtime = require("palenca.runtime")
local testing = require("palenca.testing")

local PERIOD = { start_date = "2020-01-01", end_date = "2026-03-01" }

describe("palenca.testing", function()
  local directory, remove, test

  before_each(function()
    directory, remove = process.directory()
  end)

  after_each(function()
    if test then test:stop() end
    test = nil
    remove()
  end)

  local function write(name, text)
    return process.write_file(directory .. "/" .. name, text)
  end

  local function start(options)
    test = testing.start(options)
    return test
  end

  -- Starts a test of a script with these lines, behind those that require palenca.
  local function load(lines, options)
    start(options)
    return test:load(write("script.lua", "local palenca = require 'palenca'\n" .. lines))
  end

  describe("time", function()
    it("is that of the test, and goes on while the script waits only", function()
      start { time = "2026-03-02T12:00:00Z" }
      assert.equal(1772452800, test:now())
      local run = test:call(function()
        palenca.sleep(3600)
        return os.time(), os.date("!%H:%M"), os.date("!%Y", 0), os.time { year = 2000, month = 1,
          day = 1, hour = 12 }
      end)
      assert.equal(1772456400, run.returned[1])
      assert.equal("13:00", run.returned[2])
      assert.equal("1970", run.returned[3])
      assert.is_true(run.returned[4] < 1000000000)
      assert.equal(3600, run.seconds)
      test:advance(60)
      assert.equal(1772456460, test:now())
      assert.is_true(os.time() ~= 1772456460)
    end)

    it("is a text or seconds", function()
      assert.equal(86400, start({ time = 86400 }):now())
      test:stop()
      assert.equal(1772409600, start({ time = "2026-03-02" }):now())
      test:stop()
      assert.has_error(function() testing.start { time = "today" } end)
    end)
  end)

  it("has the environment of the test, and nothing of the machine's under PALENCA_", function()
    start { env = { LENDER_URL = "u", PALENCA_TIMEOUT = "7" } }
    local run = test:call(function()
      return os.getenv("LENDER_URL"), palenca.new().timeout, os.getenv("PALENCA_BASE_URL"),
        os.getenv("PATH")
    end)
    assert.same({ "u", 7 }, { run.returned[1], run.returned[2] })
    assert.is_nil(run.returned[3])
    assert.equal(os.getenv("PATH"), run.returned[4])
  end)

  describe("a script", function()
    it("gets its arguments, and requires what stands beside it, anew in each test", function()
      write("beside.lua", "loads = (loads or 0) + 1\n"
        .. "require('palenca').on('login.success', function() print('beside', loads) end)")
      local path = write("script.lua", "print(arg[0] == (...), select('#', ...))\n"
        .. "require 'beside'")
      for expected = 1, 2 do
        start()
        assert.same({ "true\t2" }, test:load(path, path, "x").printed)
        assert.same({ "beside\t" .. expected }, test:event("login.success").printed)
        test:stop()
      end
      loads = nil -- luacheck: ignore 111
    end)

    it("that fails to load raises", function()
      local function problem_of(text)
        start()
        local ok, problem = pcall(test.load, test, write("script.lua", text))
        test:stop()
        assert.is_false(ok)
        return tostring(problem)
      end
      assert.truthy(problem_of("error('no rule')"):find("no rule", 1, true))
      assert.truthy(problem_of("x ="):find("script.lua:1:", 1, true))
    end)

    it("ends by os.exit if it is run, and raises if it is served", function()
      start()
      local path = write("script.lua", "print(...) os.exit(tonumber(...))")
      local run = test:run(path, "3")
      assert.same({ 3, false, { "3" } }, { run.exit, run.ok, run.printed })
      assert.is_true(test:run(path, "0").ok)
      assert.has_error(function() test:load(path, "0") end)
      assert.truthy(test:call(function() os.exit(1) end).error:find("os.exit is not available"))
    end)
  end)

  describe("an event", function()
    it("goes to none where the script has no handler for it, which is no failure", function()
      start()
      palenca.on("login.success", function() error("not this one") end)
      local run = test:event("login.error", test:worker { status = "error" })
      assert.same({ true, 0, nil }, { run.ok, run.handlers, run.error })
      assert.equal("login.error", run.event.action)
    end)

    it("goes to the handlers that fit, in their order, with the fields of serve", function()
      load [[
        palenca.on("login.*", { max_attempts = 2 }, function(event) print("family", event.id) end)
        palenca.on("user.created", function() print("other") end)
        palenca.on("login.success", function(event)
          print(event.action, event.account_id, event.user_id, event.external_id, event.platform,
            event.attempt, event.replay, event.received_at == os.time(), event.data.account_id)
        end)]]
      local worker = test:worker { external_id = "seven", platform = "didi" }
      local run = test:event("login.success", worker)
      assert.same({ true, 2, nil }, { run.ok, run.handlers, run.error })
      assert.same({ "family\t1", table.concat({ "login.success", worker.account_id, worker.user_id,
        "seven", "didi", "1", "nil", "true", worker.account_id }, "\t") }, run.printed)
      assert.equal(worker.account_id, run.event.account_id)
      run = test:event("login.success", { account_id = "a" }, { id = "x", attempt = 3, replay = 2 })
      assert.same({ "x", 3, 2, "a" },
        { run.event.id, run.event.attempt, run.event.replay, run.event.account_id })
    end)

    it("has the body that the test says, which must be a webhook's", function()
      load [[palenca.on("*", function(event) print(event.data.extra) end)]]
      local body = '{"data": {"webhook_action": "login.success", "account_id": "a", "extra": 5}}'
      assert.same({ "5" }, test:event("login.success", nil, { body = body }).printed)
      assert.has_error(function() test:event("login.success", nil, { body = "{}x" }) end)
    end)

    it("that fails says what a handler raised, and where", function()
      load [[palenca.on("login.success", function() error({ reason = 5 }) end)
        palenca.on("login.error", function() error("broken") end)]]
      assert.same({ reason = 5 }, test:event("login.success").error)
      local run = test:event("login.error")
      assert.is_false(run.ok)
      assert.truthy(run.error:find("script.lua:3: broken", 1, true), run.error)
      assert.truthy(run.trace:find("script.lua:3:", 1, true))
    end)

    it("has what was printed, logged and sent by it alone", function()
      load [[local client = palenca.new()
        palenca.on("login.success", function(event)
          palenca.log.warn{ message = "seen", number = event.id }
          client.accounts:get(event.account_id)
          palenca.http{ url = "https://own.example/", json = { id = event.id } }
        end)]]
      local worker = test:worker()
      test:http { url = "https://own.example/" }
      for id = 1, 2 do
        local run = test:event("login.success", worker)
        assert.is_nil(run.error)
        assert.same({ 1, 1, 1, 0 }, { #run.logged, #run.requests, #run.http, #run.printed })
        assert.same({ "warning", "seen", id },
          { run.logged[1].level, run.logged[1].message, run.logged[1].number })
        assert.equal("/v1/accounts/" .. worker.account_id, run.requests[1].path)
        assert.same({ "POST", { id = id } }, { run.http[1].method, run.http[1].json })
      end
      assert.same({ 2, 2 }, { #test.requests, #test.http_requests })
    end)
  end)

  describe("a dead letter", function()
    local SCRIPT = [[
      palenca.on("login.success", function() error "CURP GAAA900517MDFRNN08 is not known" end)
      palenca.on_dead(function(event, failure)
        palenca.http { url = "https://pager.example", json = { event.action, event.account_id,
          event.attempt, failure.error, failure.attempts, failure.call } }
      end)
      palenca.on_dead(function(event) print(event.id, event.data.webhook_action) end)
    ]]

    it("goes to each function of palenca.on_dead, with its error as it is stored", function()
      load(SCRIPT)
      test:http { url = "https://pager.example" }
      local worker = test:worker()
      local failed = test:event("login.success", worker, { attempt = 3 })
      local run = test:dead("login.success", worker, { id = 7, attempt = 3, error = failed.error })
      assert.same({ true, 2, { "7\tlogin.success" } }, { run.ok, run.handlers, run.printed })
      local sent = run.http[1].json
      assert.truthy(sent[4]:find("script.lua:2: CURP [identity number] is not known", 1, true),
        sent[4])
      sent[4] = nil
      assert.same({ "login.success", worker.account_id, 3, nil, 3, 1 }, sent)
    end)

    it("is by default that of the last attempt, and may be given again", function()
      load("palenca.on_dead(function(_, failure) print(failure.cal) end)")
      local _, problem = pcall(test.dead, test, "login.error")
      assert.truthy(problem:find("has no field 'cal' (known: ", 1, true), problem)
      assert.has_error(function() test:stop() end)
      load("palenca.on_dead(function(_, failure) print(failure.attempts, failure.error, "
        .. "failure.call) end)")
      local run = test:dead("login.error", { platform = "didi" }, { call = 2, error = "oh" })
      assert.same({ "8\toh\t2" }, run.printed)
    end)

    it("is rejected where no function is for it, or with a field that there is not", function()
      load("palenca.on('*', print)")
      local _, problem = pcall(test.dead, test, "login.success")
      assert.truthy(problem:find("no script with palenca.on_dead was loaded", 1, true), problem)
      test:stop()
      load("palenca.on_dead(print)")
      _, problem = pcall(test.dead, test, "login.success", {}, { eror = "x" })
      assert.truthy(problem:find("unknown field 'eror'.*did you mean 'error'%?"), problem)
      _, problem = pcall(test.dead, test, "login.sucess")
      assert.truthy(problem:find("did you mean 'login.success'?", 1, true), problem)
    end)
  end)

  it("runs a timer of the script by its name", function()
    load [[palenca.every(60, { name = "hourly" }, function() print("now") end)]]
    assert.same({ "now" }, test:timer("hourly").printed)
    assert.has_error(function() test:timer("daily") end)
  end)

  describe("a worker", function()
    local function client()
      return palenca.new { max_retries = 3 }
    end

    it("has days with the same amount, or those of a function, up to yesterday", function()
      start { time = "2026-03-02T12:00:00Z" }
      local worker = test:worker { days = 3, amount = 10.5, country = "br" }
      local rows, report = client().accounts:earnings(worker.account_id, PERIOD):all()
      assert.same({ "2026-03-01", 10.5, "brl" },
        { rows[1].earning_date, rows[1].amount, rows[1].currency })
      assert.same({ 3, true }, { #rows, report.complete })
      worker = test:worker { days = 4, amount = function(day, ago)
        return day ~= "2026-02-28" and ago * 10 or nil
      end }
      rows = client().accounts:earnings(worker.account_id, PERIOD):all()
      assert.same({ 3, 10, 30 }, { #rows, rows[1].amount, rows[2].amount })
    end)

    it("has the rows that the test says, newest first, within the dates asked for", function()
      start()
      local worker = test:worker { rows = {
        { earning_date = "2026-01-01", amount = 1 }, { earning_date = "2026-01-03" },
        { earning_date = "2026-01-02", amount = 2, currency = "usd" },
      } }
      local rows = client().accounts:earnings(worker.account_id, PERIOD):all()
      assert.same({ "2026-01-03", "2026-01-02", "2026-01-01" },
        { rows[1].earning_date, rows[2].earning_date, rows[3].earning_date })
      assert.same({ nil, "usd", "mxn" }, { rows[1].amount, rows[2].currency, rows[3].currency })
      rows = client().accounts:earnings(worker.account_id,
        { start_date = "2026-01-02", end_date = "2026-01-02" }):all()
      assert.equal(1, #rows)
    end)

    it("has a history in pages, which changes as often as the test says", function()
      start()
      local expected = { [0] = { 1, true }, { 2, true }, [3] = { 3, false } }
      for changes, seen in pairs(expected) do
        local worker = test:worker { days = 250, changes = changes }
        local rows, report = client().accounts:earnings(worker.account_id, PERIOD):all()
        assert.truthy(rows)
        assert.same(seen, { report.readings, report.complete }, changes)
      end
    end)

    it("has account, user, login, profile and employment, until it is deleted", function()
      start()
      local worker = test:worker { warning = "rider_account",
        profile = { profile = { first_name = "Eva" } },
        employment = { employment_info = { status = "employed" } } }
      local id, api = worker.account_id, client()
      assert.equal("rider_account", api.accounts:get(id).warning)
      assert.equal(worker.user_id, api.accounts:get(id, { add_user_id = true }).user_id)
      assert.equal(worker.user_id, api.accounts:user(id).user_id)
      assert.equal("Eva", api.accounts:profile(id).profile.first_name)
      assert.equal("employed", api.accounts:employment(id).employment_info.status)
      assert.same({}, (api.accounts:events(id, PERIOD):all()))
      assert.equal("García", api.accounts:profile(id).profile.last_name)
      local login = api.accounts:logins(id).logins[1]
      assert.equal(id, api.logins:get(login.id).account_id)
      assert.equal(id, api.users:accounts(worker.user_id).accounts[1].account_id)
      assert.equal(id, api.accounts:delete(id).account_id)
      local gone, err = api.accounts:get(id)
      assert.same({ nil, "not_found", 404 }, { gone, err.kind, err.status })
      local user, meta = api.users:create { external_id = "new" }
      assert.same({ 201, "new" }, { meta.status, api.users:get(user.user_id).external_id })
    end)

    it("is rejected with a field that there is not, or of a wrong type", function()
      start()
      for field, value in pairs { amout = 5, days = -1, amount = "5", rows = { { ammount = 5 } },
        profile = { first_name = "Eva" }, trips = { { amont = 1 } } } do
        assert.has_error(function() test:worker { [field] = value } end)
      end
      assert.has_error(function() test:worker { rows = {}, days = 5 } end)
      local _, problem = pcall(test.worker, test, { rows = { { ammount = 5 } } })
      assert.truthy(problem:find("worker: rows[1]: unknown field 'ammount'", 1, true), problem)
      assert.truthy(problem:find("did you mean 'amount'?", 1, true), problem)
    end)

    it("is rejected with an unknown field inside of another", function()
      start()
      for text, given in pairs {
        ["worker: profile.profile: unknown field 'first_nam' (known: address, birthday, "] =
          { profile = { profile = { first_nam = "Eva" } } },
        ["worker: profile.ids_info[2]: unknown field 'typ' (known: "] =
          { profile = { ids_info = { {}, { typ = "RFC" } } } },
        ["worker: profile.ids_info must be a list"] = { profile = { ids_info = { type = "RFC" } } },
        ["worker: profile.bank_info must be a table, got string"] =
          { profile = { bank_info = "BBVA" } },
        ["worker: employment.employment_info.employment_files[1]: unknown field 'ulr' (known: "] =
          { employment = { employment_info = { employment_files = { { ulr = "" } } } } },
        ["worker: employment.employment_history[1]: unknown field 'employr' (known: "] =
          { employment = { employment_history = { { employr = "" } } } },
      } do
        local _, problem = pcall(test.worker, test, given)
        assert.truthy(tostring(problem):find(text, 1, true), text .. "\n" .. tostring(problem))
        assert.is_true(not text:find("unknown", 1, true) or problem:find("; did you mean '") ~= nil)
      end
      local _, problem = pcall(function()
        test:worker { profile = { profile = { first_nam = "Eva" } } }
      end)
      assert.truthy(problem:find("^spec/lua/testing/session_spec.lua:%d+: .*; did you mean "
        .. "'first_name'%?$"), problem)
      assert.truthy(test:worker { profile = { bank_info = json.null, ids_info = json.null } })
    end)
  end)

  it("gives workers ids of their own, also after one was deleted", function()
    start()
    local first, second = test:worker(), test:worker()
    palenca.new().accounts:delete(first.account_id)
    assert.is_true(test:worker().account_id ~= second.account_id)
  end)

  describe("a decision", function()
    local RECORD = [[
      palenca.on("*", function(event)
        local rows = {}
        for day = 1, 28 do
          rows[day] = { earning_date = ("2026-02-%02d"):format(day), amount = 1, currency = "mxn" }
        end
        local income = palenca.income.analyze(rows,
          { as_of = "2026-02-28", report = { complete = true } })
        local verdict = palenca.income.decide(income, { version = "7" }, { installment = "1" })
        local given = { stream = rows, income = income, verdict = verdict }
        palenca.decision.record(event, given)
        if event.action == "login.error" then error("later") end
        if event.action == "login.retry" then palenca.decision.record(event, given) end
        if event.action == "login.created" then palenca.decision.record({}, given) end
      end)]]

    it("is what the ledger would have, if the event ends well", function()
      load(RECORD)
      local decision = test:event("login.success").decision
      assert.same({ "undecidable", "7", "2026-02-28" },
        { decision.verdict.outcome, decision.verdict.rule_version, decision.as_of })
      assert.same({ 28, "1" }, { #decision.rows.stream, decision.request.installment })
      assert.equal(28, decision.income.days_observed)
      assert.is_nil(test:event("login.error").decision)
    end)

    it("is rejected as it really is", function()
      load(RECORD)
      assert.truthy(test:event("login.retry").error:find("recorded for event 1 in this attempt"))
      assert.truthy(test:event("login.created").error:find("event must be the one"))
    end)
  end)

  describe("a test that is stopped", function()
    it("leaves the module as it was", function()
      local before = { runtime = runtime.use(nil), record = recorder.current(), print = print,
        time = os.time, getenv = os.getenv, exit = os.exit,
        strict = getmetatable(palenca), analyze = palenca.income.analyze }
      runtime.use(before.runtime)
      load [[palenca.on("*", print)]]
      test:event("login.success")
      test:stop()
      assert.same({}, handlers.actions())
      assert.equal(before.runtime, runtime.use(before.runtime))
      assert.same({ before.record, before.print, before.time, before.getenv, before.exit },
        { recorder.current(), print, os.time, os.getenv, os.exit })
      assert.equal(before.strict, getmetatable(palenca))
      assert.equal(before.analyze, palenca.income.analyze)
      local profile, err = palenca.new({ api_key = "k", base_url = "http://127.0.0.1:9",
        max_retries = 0 }).accounts:profile("cb39ee15-f29f-427d-9119-0c627575610d")
      assert.is_nil(profile)
      assert.is_nil(err.reason)
      assert.has_error(function() palenca.every(60, print) end)
    end)

    it("is not used any more; the next one is rejected while it goes on", function()
      start()
      assert.has_error(function() testing.start() end)
      assert.has_error(function() test:call(print) end)
      test = testing.start()
      assert.is_true(test:call(function() end).ok)
    end)
  end)
end)
