--- Holds the annotations of the language server, luacheck's std and the list of results to the
-- code: what it takes and returns stands in them, and nothing else does.
local json = require("palenca.util.json")
local palenca = require("palenca")
local process = require("spec.support.process")
local reader = require("spec.sandbox.reader")
local testing = require("palenca.testing")

local FILES = {
  "lua/palenca/meta/palenca.lua", "lua/palenca/meta/palenca/results.lua",
  "lua/palenca/meta/palenca/testing.lua", "lua/palenca/meta/palenca/nginx.lua",
  "lua/palenca/meta/palenca/runtime.lua", "lua/palenca/meta/palenca/runtime/calls.lua",
}

local ACCOUNT = "cb39ee15-f29f-427d-9119-0c627575610d"
local USER = "d1c9b98b-3190-479e-99db-04060ff3997f"
local WIDGET = "b679c2fb-a096-4c26-a902-245f9bce66d9"
local PERIOD = { start_date = "2024-09-01", end_date = "2026-03-01" }

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

-- Classes: name → field → type; functions: name → { parameters, options' class }. The file is read
-- here by its own rules, not by those that made it.
local function parse(paths)
  local classes, functions, last, params = {}, {}, nil, {}
  for _, path in ipairs(paths) do
    for line in read(path):gmatch("[^\n]+") do
      local class = line:match("^%-%-%-@class ([%w_.]+)")
      local field, kind = line:match("^%-%-%-@field ([%w_]+) (.*)$")
      local param, of = line:match("^%-%-%-@param ([%w_.]+%??) (%S+)")
      local name, given = line:match("^function ([%w_.:]+)%((.-)%) end$")
      if class then
        assert.is_nil(classes[class], class .. " is declared twice")
        classes[class] = { fields = {} }
        last = class
      elseif field then
        classes[last].fields[field] = kind
      elseif param then
        params[#params + 1] = { name = param, kind = of }
      elseif name then
        functions[name], params = { params = params, given = given }, {}
      end
    end
  end
  return classes, functions
end

local function names(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

-- What a call says it knows, when it is given what there is not.
local function known_by(call, ...)
  local ok, problem = pcall(call, ...)
  assert.is_false(ok)
  local list = tostring(problem):match("unknown field [^(]*%(known: ([^)]*)%)")
  local found = {}
  for name in (list or error(problem)):gmatch("[%w_]+") do
    found[#found + 1] = name
  end
  return found
end

describe("the annotations", function()
  local classes, functions = parse(FILES)

  local function fields_of(class)
    assert.truthy(classes[class], class .. " is not declared")
    return names(classes[class].fields)
  end

  local function options_of(name, at)
    local from = functions[name]
    assert.truthy(from, name .. " is not declared")
    return from.params[at].kind
  end

  it("are what spec/support/annotations makes of the reference", function()
    local directory, remove = process.directory()
    finally(remove)
    local status, _, err = process.run("/usr/bin/lua5.4", { "spec/support/annotations", directory })
    assert.equal(0, status, err)
    for _, path in ipairs { "meta", "luacheck_fields.lua", "strict/reference.lua" } do
      local same, said = process.run("/usr/bin/diff",
        { "-r", "lua/palenca/" .. path, directory .. "/" .. path })
      assert.equal(0, same, "run spec/support/annotations: " .. said)
    end
  end)

  it("are all the files there are, which load in every Lua", function()
    local _, list = process.run("/usr/bin/find", { "lua/palenca/meta", "-name", "*.lua" })
    local found = {}
    for path in list:gmatch("[^\n]+") do
      found[#found + 1] = path
    end
    local expected = { table.unpack(FILES) }
    table.sort(found)
    table.sort(expected)
    assert.same(expected, found)
    for _, path in ipairs(FILES) do
      assert.truthy(read(path):find("^%-%-%-@meta"), path)
      for _, lua in ipairs { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit" } do
        local status, _, err = process.run("/usr/bin/env", { lua, path })
        assert.is_true(status == 0 or status == 127, err)
      end
    end
  end)

  it("refer to classes that are declared", function()
    for _, path in ipairs(FILES) do
      for line in read(path):gmatch("[^\n]+") do
        if line:find("^%-%-%-@%l+ ") and not line:find("^%-%-%-@meta") then
          local kinds = line:gsub("^(%-%-%-@param %S+ %S+).*", "%1")
            :gsub("^(%-%-%-@field %S+ %S+).*", "%1")
          for name in kinds:gmatch("palenca%.[%w_.]+") do
            assert.truthy(classes[name] or classes[name:gsub("%.$", "")], name .. " in " .. line)
          end
        end
      end
    end
  end)

  it("have every function of palenca and its parts, and no other", function()
    local expected = {}
    for name, value in pairs(palenca) do
      if type(value) == "function" then
        expected["palenca." .. name] = true
      end
      for part, inner in pairs(type(value) == "table" and value or {}) do
        if type(inner) == "function" then
          expected["palenca." .. name .. "." .. part] = true
        end
      end
    end
    local found = {}
    for name in pairs(functions) do
      if name:find("^palenca%.") then
        found[name] = true
      end
    end
    assert.same(names(expected), names(found))
  end)

  it("have every method of what it makes, and no other", function()
    local client = palenca.new { api_key = "k" }
    local test = testing.start()
    test:worker()
    local pager = client.accounts:earnings(ACCOUNT, PERIOD)
    local own = getmetatable(client).__index
    local of = {
      Pager = getmetatable(pager).__index, Client = getmetatable(own).__index,
      Test = select(2, debug.getupvalue(getmetatable(test).__index, 1)),
      Calls = getmetatable(require("palenca.runtime.calls").new({})).__index,
    }
    for name, resource in pairs(client) do
      if type(resource) == "table" then
        of[name] = resource
        assert.truthy(classes["palenca.Client"].fields[name], name)
      end
    end
    test:stop()
    for owner, methods in pairs(of) do
      local expected, found = {}, {}
      for name, value in pairs(methods) do
        expected[#expected + 1] = type(value) == "function" and not name:find("^_") and name or nil
      end
      for name in pairs(functions) do
        found[#found + 1] = name:match("^" .. owner .. ":(.*)$")
      end
      table.sort(expected)
      table.sort(found)
      assert.same(expected, found, owner)
    end
    for _, name in ipairs { "runtime", "testing", "runtime.calls" } do
      local expected, found = {}, {}
      for method, value in pairs(require("palenca." .. name)) do
        expected[#expected + 1] = type(value) == "function" and method or nil
      end
      for method in pairs(functions) do
        found[#found + 1] = method:match("^" .. name:match("%w+$") .. "%.([%w_]+)$")
      end
      table.sort(expected)
      table.sort(found)
      assert.same(expected, found, name)
    end
  end)

  it("have every option that a function takes, and no other", function()
    local function every(...) return palenca.every(60, ...) end
    local function on(...) return palenca.on("*", ...) end
    local function parse_webhook(options) return palenca.webhook.parse("{}", {}, options) end
    for name, case in pairs {
      ["palenca.new"] = { palenca.new, 1 },
      ["palenca.http"] = { palenca.http, 1 },
      ["palenca.on"] = { on, 2 },
      ["palenca.every"] = { every, 2 },
      ["palenca.webhook.parse"] = { parse_webhook, 3 },
      ["testing.start"] = { testing.start, 1 },
      ["testing.sandbox"] = { testing.sandbox, 1 },
    } do
      assert.same(known_by(case[1], { zzz = 1 }), fields_of(options_of(name, case[2])), name)
    end
    local test = testing.start()
    for _, name in ipairs { "worker", "respond", "fault", "http" } do
      assert.same(known_by(test[name], test, { zzz = 1 }),
        fields_of(options_of("Test:" .. name, 1)), name)
    end
    test:stop()
  end)

  it("have every option of an operation, required if it is so, and no other", function()
    local client, count = palenca.new { api_key = "k" }, 0
    local operations = require("palenca.client.resources").operations()
    for name, operation in pairs(operations) do
      local resource, method = name:match("^(%w+):([%w_]+)$")
      local from = assert(functions[name], name)
      local at = operation.id and 2 or 1
      local expected = {}
      for field, kind in pairs(operation.fields or {}) do
        expected[field] = kind:sub(-1) == "!" and "required" or "optional"
      end
      local found = {}
      local class = from.params[at] and classes[from.params[at].kind]
      for field, kind in pairs(class and class.fields or {}) do
        found[field] = kind:find("^%S+%?") and "optional" or "required"
      end
      assert.same(expected, found, name)
      assert.equal(operation.id ~= nil, from.params[1] ~= nil and from.params[1].kind == "string",
        name)
      assert.is_function(client[resource][method])
      count = count + 1
    end
    assert.equal(28, count)
  end)

  -- ---- what is returned ------------------------------------------------------------------

  -- All fields of a value, and of what is in it, are in the class; `seen` has those that were.
  local function check(value, class, seen, place)
    local known = classes["palenca." .. class]
    assert.truthy(known, class)
    for name, field in pairs(value) do
      local kind = known.fields[name]
      assert.truthy(kind, ("%s.%s of %s is not in the annotations"):format(place, name, class))
      seen[class .. "." .. name] = true
      local inner, list = kind:match("^palenca%.(%w+)(%[?%]?)")
      if inner and type(field) == "table" and field ~= reader.null then
        for at, one in ipairs(list == "[]" and field or { field }) do
          check(one, inner, seen, place .. "." .. name .. (list == "[]" and at or ""))
        end
      end
    end
  end

  local function check_seen(seen, list)
    for class in list:gmatch("%w+") do
      for name in pairs(classes["palenca." .. class].fields) do
        assert.truthy(seen[class .. "." .. name], class .. "." .. name .. " is returned by nothing")
      end
    end
  end

  it("have every field that the sandbox's responses have, and no other", function()
    local helper = require("spec.sandbox.helper")
    local api, seen = helper.new(), {}
    local reference = require("palenca.strict.reference")
    local function see(class, method, path, body)
      local _, _, _, text = api:call(method, path, body)
      local data = reader.read(text).data
      assert.truthy(data and data ~= reader.null, path .. text)
      check(data, class, seen, path)
      return data
    end
    local function see_list(class, list)
      assert.is_true(#list > 0, class)
      for at, one in ipairs(list) do
        check(one, class, seen, class .. at)
      end
    end
    local account = "/v1/accounts/" .. ACCOUNT
    see("Account", "GET", account .. "?add_user_id=true")
    see("Profile", "GET", account .. "/profile")
    see("AccountLogins", "GET", account .. "/logins")
    see("User", "GET", account .. "/user")
    see("UserAccounts", "GET", "/v1/users/" .. USER .. "/accounts")
    local search = { start_date = "2025-01-01", end_date = "2025-03-01", user_id = USER,
      options = { details = true } }
    see("AggregatedEarnings", "POST", "/v1/users/earnings/aggregated", search)
    see("Widget", "GET", "/v1/widgets/" .. WIDGET)
    api:webhook { events = { "*" } }
    see("Webhooks", "GET", "/v1/webhooks")
    local function data_of(method, path, body)
      return reader.read(select(4, api:call(method, path, body))).data
    end
    see_list("Platform", data_of("GET", "/v1/platforms"))
    see_list("Country", data_of("GET", "/v1/countries"))
    see_list("Earning", data_of("POST", account .. "/earnings/search", search).earnings)
    see_list("Trip", data_of("POST", account .. "/events/search", search).events)
    local login = data_of("POST", "/sandbox/logins", { platform = "imss", country = "mx" })
    api.now = api.now + 60
    api.sandbox:next_delivery()
    see("Employment", "GET", "/v1/accounts/" .. login.account_id .. "/employment")
    local moved = api:call("POST", "/v1/users", {}) and data_of("POST", "/v1/users", {})
    see("Reassignment", "PATCH", account .. "/user", { user_id = moved.user_id })
    for name in pairs(reference.returns) do
      assert.truthy(functions[name], name)
    end
    check_seen(seen, [[Account Profile Person IdInfo BankInfo VehicleInfo Metrics AccountLogins
      Login User UserAccounts AggregatedEarnings AggregatedPlatform AggregatedDay
      AggregatedDetail Widget Webhooks Webhook Platform Country Earning Trip Employment
      EmploymentInfo EmploymentFile Job Reassignment]])
  end)

  it("have every field of metas, reports, attempts, errors, events and http's responses", function()
    local seen, attempts = {}, {}
    local test = testing.start()
    finally(function() test:stop() end)
    local client = palenca.new { max_retries = 1, on_attempt = function(attempt)
      attempts[#attempts + 1] = attempt
    end }
    local worker = test:worker()
    local limits = { ["X-RateLimit-Limit"] = "120", ["X-RateLimit-Remaining"] = "7",
      ["X-RateLimit-Reset"] = "1", ["X-Request-Id"] = "r" }
    local _, meta = client.accounts:earnings(worker.account_id, PERIOD):page(1)
    check(meta, "Meta", seen, "meta")
    test:respond { path = "/v1/own", data = {}, headers = limits }
    _, meta = client:request("GET", "/v1/own")
    check(meta, "Meta", seen, "meta")
    test:worker { days = 250, changes = 3, account_id = ACCOUNT }
    check(select(2, client.accounts:earnings(ACCOUNT, PERIOD):all()), "Report", seen, "report")
    test:fault { status = 422, retry_after = 3, headers = limits, body = json.encode { detail = {
      { loc = { "body", "start_date" }, msg = "wrong", type = "t" } } } }
    local err = select(2, client.accounts:get(worker.account_id))
    check(err, "Error", seen, "error")
    test:fault { code = "too_many_requests", status = 429, retry_after = 3, headers = limits }
    check(select(2, client.accounts:get(worker.account_id)), "Error", seen, "error")
    test:fault { kind = "network" }
    check(select(2, client.accounts:get(worker.account_id)), "Error", seen, "error")
    for _, attempt in ipairs(attempts) do
      check(attempt, "Attempt", seen, "attempt")
    end
    test:http { url = "https://own.example/" }
    check(palenca.http { url = "https://own.example/" }, "HttpResponse", seen, "response")
    palenca.on("*", function() end)
    local subject = { account_id = "a", user_id = "u", external_id = "e", platform = "uber",
      status_details = "s", webhook_id = "w" }
    check(test:event("login.error", subject, { replay = 1, traceparent = "t",
      request_id = "r" }).event, "Event", seen, "event")
    check(test:event("login.success", subject, { body = [[{"reconciled": true, "data":
      {"webhook_action": "login.success"}}]] }).event, "Event", seen, "event")
    check(palenca.advice.of_login("login_refused"), "Advice", seen, "advice")
    seen["Error.advice"] = type(err.advice) == "function"
    check_seen(seen, "Meta RateLimit Pagination Report Attempt Error ErrorDetail HttpResponse "
      .. "Event Advice AdviceText")
  end)

  it("have every field of an income and a verdict, and of what they are made of", function()
    local date = require("palenca.util.date")
    local seen, rows, other = {}, {}, {}
    for ago = 0, 200 do
      local day = date.text(date.parse("2026-03-01") - ago)
      rows[#rows + 1] = { earning_date = day, amount = ago == 3 and -5 or 100, currency = "mxn",
        cash_amount = 10 }
      other[#other + 1] = { earning_date = day, amount = 10, currency = "usd", cash_amount = 1 }
    end
    local report = { complete = true }
    local income = palenca.income.analyze(palenca.income.merge {
      { rows = rows, report = report, account = "a", platform = "uber", warning = "rider_account" },
    }, { as_of = "2026-03-01" })
    check(income, "Income", seen, "income")
    for _, platform in pairs(income.platforms) do
      check(platform, "IncomePlatform", seen, "platform")
    end
    local mixed = palenca.income.analyze(palenca.income.merge {
      { rows = rows, report = report }, { rows = other, report = report },
    }, { as_of = "2026-03-01" })
    check(mixed, "Income", seen, "income")
    for _, money in pairs(mixed.by_currency) do
      check(money, "IncomeOfCurrency", seen, "money")
    end
    local plain = palenca.income.analyze(rows, { as_of = "2026-03-01", report = report })
    for _, installment in ipairs { "1", "1000000" } do
      local verdict = palenca.income.decide(plain, { version = "7" }, { installment = installment })
      check(verdict, "Verdict", seen, "verdict")
      seen["Verdict.explain"] = type(verdict.explain) == "function"
      check(verdict:explain("es"), "Explanation", seen, "explanation")
    end
    local known = {}
    for name in pairs(palenca.income.load_rule("examples/rule.lua")) do
      known[#known + 1] = name
    end
    table.sort(known)
    assert.same(known, fields_of("palenca.Rule"))
    for class, call in pairs {
      AccountRows = function(given) palenca.income.merge { given } end,
      Rule = function(given) palenca.income.decide(plain, given, { installment = "1" }) end,
      ["decide.options"] = function(given)
        palenca.income.decide(plain, { version = "7" }, given)
      end,
      ["analyze.options"] = function(given) palenca.income.analyze(rows, given) end,
    } do
      local full = class:find("%.") and "palenca.income." .. class or "palenca." .. class
      for name in pairs(classes[full] and classes[full].fields or error(full)) do
        local ok, problem = pcall(call, { [name] = {} })
        assert.is_true(ok or not problem:find("unknown field", 1, true), problem)
      end
      assert.has_error(function() call { zzz = 1 } end)
    end
    check_seen(seen, "Income IncomeBasis IncomeWeek IncomeMonth IncomePlatform IncomeOfCurrency "
      .. "Verdict Reason Explanation")
  end)
end)
