--- palenca.testing is strict: what the real module does not know fails the test.
local palenca = require("palenca")
local testing = require("palenca.testing")

local asks_for_length = #setmetatable({}, { __len = function() return 1 end }) == 1

describe("palenca.testing is strict about", function()
  local test, worker

  before_each(function()
    test = testing.start()
    worker = test:worker()
    test:http { url = "https://own.example/", optional = true }
  end)

  -- The test fails with this text, with the line to blame; also if the script has caught it.
  local function fails(body, ...)
    local line = debug.getinfo(body, "S").linedefined
    for _, is_caught in ipairs { false, true } do
      local ok, problem = pcall(test.call, test, function()
        if is_caught then
          pcall(body)
        else
          body()
        end
      end)
      assert.is_false(ok, "the test has not failed")
      for _, text in ipairs { ... } do
        assert.truthy(problem:find(text, 1, true), problem)
      end
      local blamed = tonumber(problem:match("strict_spec.lua:(%d+):"))
      assert.is_true(blamed ~= nil and blamed >= line and blamed <= line + 6, problem)
      local stopped, again = pcall(test.stop, test)
      assert.is_false(stopped)
      assert.truthy(again:find(problem, 1, true), again)
      test = testing.start()
      worker = test:worker()
      test:http { url = "https://own.example/", optional = true }
    end
    test:stop()
  end

  after_each(function() test:stop() end)

  it("fields of palenca and its parts", function()
    fails(function() return palenca.onn end, "palenca has no field 'onn'", "did you mean 'on'?")
    test = testing.start()
    fails(function() return palenca.income.analyse end, "palenca.income has no field 'analyse'",
      "did you mean 'analyze'?")
    test = testing.start()
    fails(function() return palenca.log.warning end, "palenca.log has no field 'warning'")
  end)

  it("fields and operations of a client", function()
    fails(function() return palenca.new().acounts end, "a client has no field 'acounts'",
      "did you mean 'accounts'?")
    test = testing.start()
    worker = test:worker()
    fails(function() return palenca.new().accounts:profil(worker.account_id) end,
      "client.accounts has no field 'profil'", "did you mean 'profile'?")
  end)

  it("results of the API, and what is in them", function()
    fails(function() return palenca.new().accounts:get(worker.account_id).plattform end,
      "the API's account has no field 'plattform'", "did you mean 'platform'?")
    test = testing.start()
    worker = test:worker()
    fails(function() return palenca.new().accounts:profile(worker.account_id).first_name end,
      "the API's profile has no field 'first_name'", "vehicle_info); its 'profile' has it")
    test = testing.start()
    worker = test:worker()
    fails(function()
      return palenca.new().accounts:profile(worker.account_id).profile.frist_name
    end, "the API's person has no field 'frist_name'", "did you mean 'first_name'?")
    test = testing.start()
    worker = test:worker()
    fails(function()
      local rows = palenca.new().accounts:earnings(worker.account_id,
        { start_date = "2026-01-01", end_date = "2026-03-01" }):all()
      return rows[1].date
    end, "the API's earning has no field 'date'")
  end)

  local function read()
    return palenca.new().accounts:earnings(worker.account_id,
      { start_date = "2025-09-01", end_date = "2026-03-01" }):all()
  end

  -- Each in a test of its own.
  local function each_fails(list)
    for _, one in ipairs(list) do
      fails(one[1], one[2], one[3])
      test = testing.start()
      worker = test:worker()
    end
  end

  it("reports of pagers, and what comes with a result", function()
    each_fails {
      { function() return select(2, read()).complet end,
        "the report of a pager has no field 'complet'", "did you mean 'complete'?" },
      { function() return select(2, palenca.new().accounts:get(worker.account_id)).requestid end,
        "what comes with a result has no field 'requestid'", "did you mean 'request_id'?" },
    }
  end)

  it("incomes and verdicts, and what is in them", function()
    local function income_of()
      local rows, report = read()
      return palenca.income.analyze(rows, { as_of = "2026-03-01", report = report })
    end
    local function verdict_of()
      return palenca.income.decide(income_of(), { version = 1 }, { installment = "9000.00" })
    end
    each_fails {
      { function() return income_of().month end, "an income has no field 'month'",
        "did you mean 'months'?" },
      { function() return income_of().monthly_averge end, "; did you mean 'monthly_income'?" },
      { function() return income_of().days end, "; did you mean 'active_days', 'days_observed', "
        .. "'days_since_last_income', 'days_worked_per_week', 'unknown_days' or 'window_days'?" },
      { function() return read()[1].date end, "; did you mean 'earning_date'?" },
      { function() return income_of().months[1].ful end, "a month of an income has no field 'ful'",
        "did you mean 'full'?" },
      { function() return income_of().weeks[1].sum end, "a week of an income has no field 'sum'" },
      { function() return verdict_of().outcom end, "a verdict has no field 'outcom'",
        "did you mean 'outcome'?" },
      { function() return verdict_of().reasons[1].cod end,
        "a reason of a verdict has no field 'cod'", "did you mean 'code'?" },
    }
    test:call(function()
      local income, verdict = income_of(), verdict_of()
      assert.is_nil(income.platforms)
      assert.equal("decline", verdict.outcome)
      assert.is_string(verdict:explain("es").analyst)
      assert.equal(palenca.json.canonical(income), palenca.json.canonical(income_of()))
      assert.equal(verdict.outcome, palenca.income.decide(income, { version = 1 },
        { installment = "9000.00" }).outcome)
    end)
  end)

  it("errors", function()
    fails(function()
      local _, err = palenca.new().accounts:get("cb39ee15-f29f-427d-9119-0c627575610d")
      return err.reason
    end, "an error has no field 'reason'")
  end)

  it("responses of palenca.http", function()
    fails(function() return palenca.http { url = "https://own.example/" }.code end,
      "a response of palenca.http has no field 'code'")
  end)

  it("requests that nothing is set for", function()
    assert.has_error(function()
      test:call(function() palenca.new().platforms:list() end)
    end, "palenca.testing has no response to GET /v1/platforms; set one with test:respond{ path = "
      .. "'/v1/platforms', data = … }")
    pcall(test.stop, test)
    test = testing.start()
    assert.has_error(function()
      test:call(function() palenca.http { url = "https://other.example/" } end)
    end, "palenca.testing has no response to palenca.http's GET https://other.example/; set one "
      .. "with test:http{ url = 'https://other.example/' }")
    pcall(test.stop, test)
    test = testing.start()
  end)

  it("fields of an event", function()
    palenca.on("login.success", function(event) return event.acount_id end)
    local ok, problem = pcall(test.event, test, "login.success", worker)
    assert.is_false(ok)
    assert.truthy(problem:find("an event has no field 'acount_id'", 1, true), problem)
    assert.truthy(problem:find("did you mean 'account_id'?", 1, true), problem)
    pcall(test.stop, test)
    test = testing.start()
  end)

  it("what else a script gets: advices, explanations, rules, attempts", function()
    local client = palenca.new { max_retries = 0, on_attempt = function(attempt)
      return attempt.stauts
    end }
    local ok, problem = pcall(test.call, test, function()
      client.accounts:get(worker.account_id)
    end)
    assert.is_false(ok)
    assert.truthy(problem:find("an attempt has no field 'stauts'", 1, true), problem)
    pcall(test.stop, test)
    test = testing.start()
    local es = palenca.advice.of_login("banned").text.es
    each_fails {
      { function() return palenca.advice.of_login("banned").actr end,
        "an advice has no field 'actr'", "did you mean 'actor'?" },
      { function() return palenca.advice.of_login("banned").text.fr end,
        "the text of an advice has no field 'fr' (known: en, es, pt)" },
      { function() return palenca.income.load_rule("examples/rule.lua").versoin end,
        "a rule has no field 'versoin'", "did you mean 'version'?" },
      { function()
        local rows, report = read()
        local income = palenca.income.analyze(rows, { as_of = "2026-03-01", report = report })
        local verdict = palenca.income.decide(income, { version = 1 }, { installment = "1" })
        return verdict:explain("es").analist
      end, "an explanation has no field 'analist'", "did you mean 'analyst'?" },
    }
    test:stop()
    local after = palenca.advice.of_login("banned")
    assert.same({ es, nil, nil }, { after.text.es, after.actr, after.text.fr })
    test = testing.start()
  end)

  it("a field that a part of the result has", function()
    each_fails {
      { function() return palenca.new().users:accounts(worker.user_id).platform end,
        "the API's user accounts has no field 'platform'", "; each of its 'accounts' has it" },
    }
  end)

  it("a result that is taken for a list, and a loop that has a row for its number", function()
    each_fails {
      { function()
        local accounts = palenca.new().users:accounts(worker.user_id)
        for _, account in ipairs(_VERSION < "Lua 5.3" and { accounts[1] } or accounts) do
          print(account) -- the ipairs of Lua 5.1 and 5.2 does not ask for what is not there
        end
      end, "the API's user accounts is not a list: it has the list .accounts" },
      { function() return palenca.new().accounts:get(worker.account_id)[1] end,
        "the API's account is not a list" },
      { function() -- a Lua that does not ask for the length of a table counts nothing
        local accounts = palenca.new().users:accounts(worker.user_id)
        return asks_for_length and #accounts or accounts[1]
      end, "the API's user accounts is not a list: it has the list .accounts" },
      { function()
        local account = palenca.new().accounts:get(worker.account_id)
        return asks_for_length and table.concat(account) or account[1]
      end, "the API's account is not a list" },
      { function()
        for _, row in palenca.new().accounts:earnings(worker.account_id,
          { start_date = "2026-01-01", end_date = "2026-03-01" }):each() do
          print(row.amount)
        end
      end, "pager:each() returns one value, the row: for row in pager:each() do" },
    }
    local count = 0
    for row in palenca.new().accounts:earnings(worker.account_id,
      { start_date = "2026-01-01", end_date = "2026-03-01" }):each() do
      count = count + (row.amount == 500 and 1 or 0)
    end
    assert.equal(60, count)
  end)

  it("nothing that encodes a result", function()
    test:respond { path = "/v1/accounts/" .. worker.account_id, data = {} }
    assert.equal("{}", palenca.json.encode((palenca.new().accounts:get(worker.account_id))))
  end)

  it("calls with a colon of what is called with a dot", function()
    for name, call in pairs {
      ["palenca.log.info"] = function() palenca.log:info { message = "m" } end,
      ["palenca.advice.of_login"] = function() palenca.advice:of_login("banned") end,
      ["palenca.income.analyze"] = function() palenca.income:analyze({}, {}) end,
    } do
      local ok, problem = pcall(call)
      assert.same({ false, name .. ": call it with a dot, as in " .. name .. "(...)" },
        { ok, problem:match("^spec/lua/testing/strict_spec.lua:%d+: (.*)$") })
    end
  end)

  it("what Lua's own messages do not say", function()
    local function error_of(body)
      return tostring(test:call(body).error)
    end
    test:fault { status = 404, code = "not_found", message = "no such account", times = 1 }
    local said = error_of(function()
      return palenca.new().accounts:get(worker.account_id).platform
    end)
    assert.truthy(said:find("; a call before it returned nil and an error: not_found: ", 1, true),
      said)
    said = error_of(function() return nil .. "" end) -- luacheck: ignore
    assert.is_nil(said:find("a call before it", 1, true), said)
    said = error_of(function()
      local rows, report = read()
      return palenca.income.analyze(rows, { as_of = "2026-03-01", report = report }).monthly_income
        > 8000
    end)
    assert.truthy(said:find("the amounts of an income are texts", 1, true), said)
  end)

  it("what it returns to the test itself", function()
    palenca.on("login.success", function(event)
      palenca.new().accounts:get(event.account_id)
      palenca.http { url = "https://own.example/", json = { a = 1 } }
    end)
    local made = test:event("login.success", worker)
    assert.is_nil(worker.status_details)
    assert.is_nil(made.http[1].headers["X-Other"])
    assert.is_nil(made.requests[1].query)
    for text, read_field in pairs {
      ["a worker has no field 'acount_id' (known: account_id, "] = function()
        return worker.acount_id
      end,
      ["a request to the API has no field 'pth'"] = function() return made.requests[1].pth end,
      ["a request of palenca.http has no field 'jsn'"] = function() return made.http[1].jsn end,
      ["an event has no field 'platfrom'"] = function() return made.event.platfrom end,
    } do
      local ok, problem = pcall(read_field)
      assert.is_false(ok, text)
      assert.truthy(problem:find(text, 1, true), problem)
      assert.truthy(problem:find("did you mean '", 1, true) or problem:find("'pth'", 1, true)
        or problem:find("'jsn'", 1, true), problem)
      assert.truthy(problem:find("^spec/lua/testing/strict_spec.lua:%d+: "), problem)
    end
    pcall(test.stop, test)
    test = testing.start()
  end)

  it("the decision that a handler has recorded", function()
    test:load("examples/decide.lua")
    test:http { url = "http://127.0.0.1:9000/*" }
    local decision = test:event("login.success", test:worker()).decision
    assert.equal("approve", decision.verdict.outcome)
    for text, read_field in pairs {
      ["a decision has no field 'verdct'"] = function() return decision.verdct end,
      ["a verdict has no field 'outcom'"] = function() return decision.verdict.outcom end,
      ["an income has no field 'monthly'"] = function() return decision.income.monthly end,
      ["a rule has no field 'ration'"] = function() return decision.rule.ration end,
    } do
      assert.error_matches(read_field, text, 1, true)
    end
  end)

  it("an action that a handler was registered for, if it is like a documented one", function()
    palenca.on("login.sucess", print)
    assert.error_matches(function() test:event("login.success", worker) end,
      "a handler for 'login.sucess', which is no documented action; did you mean 'login.success'?",
      1, true)
    test:stop()
    test = testing.start()
    for _, action in ipairs { "*", "login.*", "vehicle.sold" } do
      palenca.on(action, function() end)
    end
    assert.equal(2, test:event("login.success", test:worker()).handlers)
  end)

  it("events for a script that was not loaded", function()
    assert.has_error(function() test:event("login.success", worker) end,
      "test:event: no script with a handler was loaded; call test:load(path) first")
  end)

  it("what the test itself says", function()
    palenca.on("login.success", print)
    for text, call in pairs {
      ["no documented action is 'login.sucess'; did you mean 'login.success'?"] = function()
        test:event("login.sucess", worker)
      end,
      ["test:event: platform must be one of beat, "] = function()
        test:event("login.success", { platform = "ubr" })
      end,
      ["test:event: unknown field 'acount_id'"] = function()
        test:event("login.success", { acount_id = "a" })
      end,
      ["test:event: status_details 'invalid_credential' is not documented; did you mean "
        .. "'invalid_credentials'?"] = function()
        test:event("login.success", worker, { status_details = "invalid_credential" })
      end,
      ["got 'ubr'; did you mean 'uber'?"] = function() test:worker { platform = "ubr" } end,
      ["test:worker: status must be one of error, incomplete, pending, retry, success, got "
        .. "'sucess'; did you mean 'success'?"] = function()
        test:worker { status = "sucess" }
      end,
      ["test:worker: country must be one of ar, bo, br, "] = function()
        test:worker { country = "MX" }
      end,
      ["test:worker: warning must be one of fleet_account, id_mismatch, "] = function()
        test:worker { warning = "rider" }
      end,
      ["test:worker: currency must be of three letters, got 'mexican'"] = function()
        test:worker { currency = "mexican" }
      end,
      ["test:worker: amount must be a number or a function, got '500'"] = function()
        test:worker { amount = "500" }
      end,
      ["test:worker: rows[1].amount must be a number, got '500'"] = function()
        test:worker { rows = { { earning_date = "2026-01-01", amount = "500" } } }
      end,
      ["test:event: action must be a string that is not empty, got a table"] = function()
        test:event(worker, "login.success")
      end,
      ["test:event: the worker must be a table, got 'a'"] = function()
        test:event("login.success", "a")
      end,
      ["test:worker: profile: unknown field 'last_name' (known: account_id, bank_info, "
        .. "external_id, ids_info, metrics_info, profile, vehicle_info); its 'profile' has it"]
        = function()
        test:worker { profile = { last_name = "Ruiz" } }
      end,
      ["test:event: attempt must be a whole number from 1, got 0"] = function()
        test:event("login.success", worker, { attempt = 0 })
      end,
      ["test:http: unknown field 'path'"] = function() test:http { path = "/" } end,
      ["test:http: field 'url' is missing"] = function() test:http {} end,
      ["test:fault: unknown field 'url'"] = function() test:fault { url = "/" } end,
      ["kind must be 'network', 'timeout' or 'protocol'"] = function()
        test:fault { kind = "slow" }
      end,
      ["delay must be a number of seconds from 0, got soon"] = function()
        test:fault { delay = "soon" }
      end,
      ["a test has no field 'evnt'; did you mean 'event'?"] = function() return test.evnt end,
      ["test:worker: call it with a colon, as in test:worker(...)"] = function()
        test.worker { days = 3 }
      end,
      ["test:timer: the script has no timer 'x' (it has: none)"] = function() test:timer("x") end,
      ["a run has no field 'decisions'; did you mean 'decision'?"] = function()
        return test:call(function() end).decisions
      end,
      ["palenca.testing.start: unknown field 'now'"] = function() testing.start { now = 5 } end,
    } do
      local ok, problem = pcall(call)
      assert.is_false(ok, text)
      assert.truthy(problem:find(text, 1, true), problem)
      assert.truthy(problem:find("^spec/lua/testing/strict_spec.lua:%d+: "), problem)
    end
  end)
end)
