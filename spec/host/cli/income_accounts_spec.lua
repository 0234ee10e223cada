--- Runs `palenca income`, `decide` and `report` on accounts of the API.
local cjson = require("cjson")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local function palenca(arguments, env)
  return process.run(process.program(), arguments, { env = env })
end

describe("the income of accounts", function()
  local stage = helper.stage_for_each()
  local directory, rule, url, key

  before_each(function()
    local _
    directory = stage:directory()
    rule = process.write_file(directory .. "/rule.lua", 'return { version = "spec-1" }\n')
    _, url, key = stage:sandbox()
  end)

  local function login(body)
    local response = http.request("POST", url .. "/sandbox/logins", cjson.encode(body),
      { ["content-type"] = "application/json" })
    assert.are.equal(201, response.status, response.body)
    return cjson.decode(response.body).data.account_id
  end

  local function call(...)
    return palenca({ ... }, { PALENCA_API_KEY = key, PALENCA_BASE_URL = url })
  end

  it("reads the tutorial's account", function()
    local status, out, err = call("income", "cb39ee15-f29f-427d-9119-0c627575610d", "--json",
      "--as-of", "2025-03-14", "--since", "2024-09-01")
    assert.are.equal(0, status, err)
    local object = cjson.decode(out)
    assert.are.same({}, object.problems)
    assert.are.equal("mxn", object.currency)
    assert.truthy(object.platforms.uber)
    assert.are.equal(195, object.days_observed)
  end)

  it("merges accounts, and counts one that is named twice once", function()
    local first = login({ platform = "uber", external_id = "worker-7" })
    local second = login({ platform = "rappi", country = "mx", external_id = "worker-7" })
    local _, one = call("income", first, "--json")
    local _, twice = call("income", first, first, "--json")
    assert.are.equal(one, twice)
    local status, both, err = call("income", first, second, "--json")
    assert.are.equal(0, status, err)
    local platforms = cjson.decode(both).platforms
    assert.truthy(platforms.uber and platforms.rappi)
  end)

  it("rejects accounts of different users, unless they are said to be one person", function()
    local first = login({ platform = "uber", external_id = "worker-7" })
    local second = login({ platform = "rappi", country = "mx", external_id = "worker-8" })
    for _, more in ipairs({ { "income" }, { "report" },
      { "decide", "--rule", rule, "--installment", "1" } }) do
      table.move({ first, second }, 1, 2, #more + 1, more)
      local status, out, err = call(table.unpack(more))
      assert.are.same({ 1, "" }, { status, out })
      assert.truthy(err:find("^palenca: the accounts are of 2 users %(" .. first:gsub("%-", "%%-")
        .. " of user [^\n]*: compute each alone, or say with %-%-one%-person [^\n]*\n$"), err)
    end
    local status, out, err = call("income", "--one-person", first, second, "--json")
    assert.are.equal(0, status, err)
    local platforms = cjson.decode(out).platforms
    assert.truthy(platforms.uber and platforms.rappi)
  end)

  it("has all that it reads of several accounts in flight at once", function()
    local held = {}
    local server = stage:server(function(request)
      held[#held + 1] = request
      for _, one in ipairs(#held == 4 and held or {}) do
        one.respond(404, '{"success":false,"error":{"code":"none","message":"none"}}')
      end
    end)
    local ids = { "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002" }
    local ended = stage:palenca({ "income", ids[1], ids[2] },
      { env = { PALENCA_API_KEY = "k", PALENCA_BASE_URL = server.url } })
    assert.are.equal(1, ended:wait_exit())
    assert.truthy(ended.stderr:find("not_found", 1, true), ended.stderr)
    for _, id in ipairs(ids) do
      assert.truthy(server:find("/v1/accounts/" .. id .. "?add_user_id=true"))
      assert.truthy(server:find("/v1/accounts/" .. id .. "/earnings/search"))
    end
  end)

  it("never approves an account with a warning", function()
    local account = login({
      platform = "uber", identifier = "uber+fleet_account@palenca-tests.com",
    })
    local status, out, err = call("decide", account, "--rule", rule, "--installment", "1",
      "--json")
    assert.are.equal(5, status, err)
    assert.truthy(out:find('"account_warning:fleet_account"', 1, true), out)
  end)

  it("writes the incomes of many accounts, and of one person, as CSV and as JSON", function()
    local accounts = { login({ platform = "uber" }), login({ platform = "didi" }) }
    local file = process.write_file(directory .. "/accounts.csv", "account_id;platform\n"
      .. accounts[1] .. ";uber\n" .. accounts[2] .. ";didi\n")
    local function batch(name, ...)
      local status, out, err = call("income", "--accounts-file", file, "--out",
        directory .. "/" .. name, "--as-of", "2026-11-01", ...)
      assert.are.equal(0, status, err)
      return out
    end
    assert.truthy(batch("json"):find("^2 of 2 accounts are in .*: 2 read now, 0 before\n$"))
    assert.truthy(batch("json"):find("0 read now, 2 before", 1, true))
    assert.are.equal(2, cjson.decode(batch("csv", "--csv", "--json")).written)
    for _, account in ipairs(accounts) do
      local one = select(2, call("income", account, "--as-of", "2026-11-01", "--json"))
      local found = cjson.decode(helper.read_file(directory .. "/json/" .. account .. ".jsonl"))
      assert.are.same({ account, "success" }, { found.account, found.last_login })
      found.account, found.platform, found.last_login, found.connected = nil, nil, nil, nil
      assert.are.same(cjson.decode(one), found)
      local csv = select(2, call("income", account, "--as-of", "2026-11-01", "--csv"))
      assert.are.equal(csv, helper.read_file(directory .. "/csv/" .. account .. ".csv"))
      local heading, row = csv:match("^(account,platform,last_login,connected,[^\n]*)\n([^\n]*)")
      assert.truthy(heading:find(",monthly_income,", 1, true), heading)
      assert.truthy(row:find("^" .. account:gsub("%-", "%%-") .. ",%l+,success,%d+%-"), row)
      assert.truthy(row:find("," .. found.monthly_income .. ",", 1, true), row)
    end
    local status, _, err = call("income", accounts[1], "--csv", "--json")
    assert.are.equal(2, status)
    assert.truthy(err:find("only one can be meant", 1, true), err)
    status, _, err = call("income", accounts[1], "--accounts-file", file, "--out", directory)
    assert.are.equal(2, status)
    assert.truthy(err:find("goes with neither accounts nor --rows", 1, true), err)
  end)

  it("goes on after an account with a row that is malformed", function()
    local bad, right = "00000000-0000-4000-8000-000000000001",
      "00000000-0000-4000-8000-000000000002"
    local server = stage:server(function(request)
      local data = { account_id = right, platform = "uber", status = "success" }
      local pagination
      if request.path:find("/earnings/search", 1, true) then
        data = { earnings = { { earning_date = "2026-03-01", currency = "mxn",
          amount = request.path:find(bad, 1, true) and "x" or 10.5 } } }
        pagination = { page = 1, items_per_page = 100, total_items = 1, total_pages = 1 }
      elseif request.path:find("/platforms", 1, true) then
        data = cjson.empty_array
      end
      request.respond(200, cjson.encode({ success = true, data = data,
        pagination = pagination }))
    end)
    local file = process.write_file(directory .. "/two.txt", bad .. "\n" .. right .. "\n")
    for name, format in pairs({ income = "jsonl", report = "html" }) do
      local out_directory = directory .. "/malformed-" .. name
      local status, out, err = palenca({ name, "--accounts-file", file, "--out", out_directory,
        "--as-of", "2026-03-31" }, { PALENCA_API_KEY = "k", PALENCA_BASE_URL = server.url })
      assert.are.equal(1, status)
      assert.truthy(out:find("^1 of 2 accounts are in "), out .. err)
      assert.truthy(err:find("^palenca: account " .. bad:gsub("%-", "%%-")
        .. ": [^\n]*rows%[1%]%.amount: expected a finite number[^\n]*\n"), err)
      assert.truthy(helper.read_file(out_directory .. "/" .. right .. "." .. format))
    end
  end)

  it("writes the decisions on many accounts as CSV and as JSON", function()
    local steady, banned = login({ platform = "uber" }),
      login({ identifier = "uber+banned@palenca-tests.com" })
    local file = process.write_file(directory .. "/decided.csv",
      "account_id\n" .. steady .. "\n" .. banned .. "\n")
    local function batch(name, ...)
      return call("decide", "--accounts-file", file, "--out", directory .. "/" .. name, "--as-of",
        "2026-11-01", "--rule", rule, "--installment", "1.00", ...)
    end
    local status, out, err = batch("decided")
    assert.are.equal(0, status, err)
    assert.truthy(out:find("^2 of 2 accounts are in .*: 2 read now, 0 before\nof those read now: "
      .. "1 approve, 0 refer, 0 decline, 1 undecidable; 1 never connected\n$"), out)
    assert.are.equal(0, (batch("decided_csv", "--csv")))
    for account, expected in pairs({ [steady] = { "approve", {}, "mxn", "success" },
      [banned] = { "undecidable", "no_rows", nil, "error" } }) do
      local found = cjson.decode(helper.read_file(directory .. "/decided/" .. account
        .. ".jsonl"))
      local reasons = found.reasons[1] or found.reasons
      assert.are.same(expected, { found.outcome, reasons, found.currency, found.last_login })
      assert.are.same({ account, "1.00", "0", "2026-11-01", "spec-1" }, { found.account,
        found.installment, found.obligations, found.as_of, found.rule_version })
      local _, one = call("decide", account, "--as-of", "2026-11-01", "--rule", rule,
        "--installment", "1.00", "--json")
      one = cjson.decode(one)
      assert.are.same({ one.verdict.max_installment, one.income.monthly_income },
        { found.max_installment, found.monthly_income })
      local heading, row = helper.read_file(directory .. "/decided_csv/" .. account .. ".csv")
        :match("^([^\n]*)\n([^\n]*)\n$")
      assert.are.equal("account,platform,last_login,connected,outcome,reasons,max_installment,"
        .. "monthly_income,currency,installment,obligations,as_of,as_of_reason,rule_version,"
        .. "uncounted_rows",
        heading)
      assert.truthy(row:find("," .. found.outcome .. "," .. table.concat(found.reasons, " ")
        .. ",", 1, true), row)
    end
    status, out, err = batch("decided", "--currency", "cop")
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("another --currency: none then, cop now", 1, true), err)
    status, out, err = call("decide", steady, "--csv", "--rule", rule, "--installment", "1")
    assert.are.same({ 2, "" }, { status, out })
    assert.truthy(err:find("--csv goes with --accounts-file", 1, true), err)
  end)

  it("fails with one line at an account that does not exist, and at a wrong key", function()
    local nobody = "00000000-0000-4000-8000-000000000000"
    for problem, env in pairs({
      ["^palenca: account 0[%x-]+: not_found: "] = { PALENCA_API_KEY = key,
        PALENCA_BASE_URL = url },
      ["^palenca: account 0[%x-]+: auth: "] = { PALENCA_API_KEY = "wrong",
        PALENCA_BASE_URL = url },
      ["^palenca: [^\n]*no API key"] = { PALENCA_BASE_URL = url },
    }) do
      local status, out, err = palenca({ "income", nobody }, env)
      assert.are.equal(1, status)
      assert.are.equal("", out)
      assert.truthy(err:find(problem .. "[^\n]*\n$"), err)
    end
  end)
end)
