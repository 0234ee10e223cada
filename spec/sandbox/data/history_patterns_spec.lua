--- The patterns of a history: what each makes a lender decide, over many seeds and dates.
local argcheck = require("palenca.util.argcheck")
local constants = require("palenca.sandbox.data.vendor_constants")
local date = require("palenca.util.date")
local helper = require("spec.sandbox.helper")
local income = require("palenca.income")
local json = require("palenca.util.json")

local RULE = dofile("examples/rule.lua")
local SEEDS = 50
local PLATFORMS = { "uber", "didi", "rappi", "indriver", "cabify", "pedidos_ya" }
-- What a worker pays back each month, about a tenth of an income.
local INSTALLMENTS = { mxn = "3000.00", cop = "300000", pen = "500.00", ars = "100000" }

local function read_rows(api, account_id)
  local rows, page = {}, 0
  repeat
    page = page + 1
    local status, response = api:call("POST", "/v1/accounts/" .. account_id .. "/earnings/search", {
      start_date = "2020-01-01", end_date = "2040-01-01",
      options = { page = page, items_per_page = 1000 },
    })
    assert.equal(200, status)
    table.move(response.data.earnings, 1, #response.data.earnings, #rows + 1, rows)
  until page >= response.pagination.total_pages
  return rows
end

-- As examples/applicant.lua reads it, as of the day before.
local function analyze(api, account_id)
  local _, account = api:call("GET", "/v1/accounts/" .. account_id)
  local rows = read_rows(api, account_id)
  local stream = income.merge { {
    rows = rows, report = { complete = true, rows = #rows }, account = account_id,
    platform = account.data.platform, warning = account.data.warning,
  } }
  local found = income.analyze(stream, {
    as_of = date.text(date.day_of(api.now) - 1),
  })
  local verdict = income.decide(found, RULE, {
    installment = INSTALLMENTS[found.currency or "mxn"],
  })
  return found, verdict, rows
end

-- One login; `body` goes over a platform by the seed. The calendar is another for every seed.
local function decide(seed, body)
  local api = helper.new { seed = seed, webhook_delay = 0 }
  api.now = api.now + seed * 13 * 86400
  body.platform = body.platform or PLATFORMS[seed % #PLATFORMS + 1]
  return analyze(api, api:login(body).account_id)
end

local function has_reason(verdict, code)
  for _, reason in ipairs(verdict.reasons) do
    if reason.code == code then
      return true
    end
  end
  return false
end

-- Of each pattern: the outcome, one of its reasons, and what else holds.
local expected = {
  steady = { "approve" },
  declining = { "refer", "declining_income", function(found)
    assert.is_true(found.trend < -0.25, found.trend)
    assert.is_true(found.qualifying_income_minor < 0.8 * found.monthly_income_minor)
  end },
  seasonal = { "approve", nil, function(found, rows)
    local least, most = math.huge, 0
    for at = 2, #found.months - 1 do
      least = math.min(least, found.months[at].total_minor)
      most = math.max(most, found.months[at].total_minor)
    end
    assert.is_true(most > 2 * least, #rows)
  end },
  stopped = { "decline", "no_recent_income", function(found)
    assert.is_true(found.days_since_last_income >= 120)
    assert.equal(0, found.active_weeks)
  end },
  irregular = { "decline", "irregular_income" },
  new = { "undecidable", "insufficient_history", function(found)
    assert.is_true(found.days_observed > 10 and found.days_observed <= 20)
  end },
  duplicate_rows = { "approve", nil, function(found, rows)
    assert.is_true(#rows > 700)
    assert.equal(#rows / 2, found.identical_rows)
    for at = 1, #rows, 2 do
      assert.same(rows[at], rows[at + 1])
    end
  end },
  nulls = { "undecidable", "unknown_amounts", function(found, rows)
    assert.is_true(found.unknown_days > 22)
    for _, row in ipairs(rows) do
      if row.amount == nil then
        assert.is_nil(row.cash_amount)
      end
    end
  end },
}

describe("sandbox patterns", function()
  it("are those that are tested here", function()
    local status, response = helper.new():call("POST", "/sandbox/logins",
      { platform = "uber", pattern = "no such" }, helper.JSON)
    assert.equal(422, status)
    assert.equal("type_error.enum", helper.blames(response, "body.pattern"))
    assert.equal("must be one of " .. table.concat(argcheck.words(expected), ", "),
      response.detail[1].msg)
  end)

  for name, case in pairs(expected) do
    it(("lead to %s from %s, over %d seeds"):format(case[1], name, SEEDS), function()
      for seed = 1, SEEDS do
        local found, verdict, rows = decide(seed, { pattern = name })
        local why = ("seed %d: %s"):format(seed, verdict:explain("en").analyst)
        assert.equal(case[1], verdict.outcome, why)
        assert.is_true(case[2] == nil or has_reason(verdict, case[2]), why)
        if case[3] then
          case[3](found, rows)
        end
      end
    end)
  end

  it("are steady without one, also where a platform has seven weeks only", function()
    for seed = 1, SEEDS do
      for _, days in ipairs { 60, 50 } do
        local _, verdict = decide(seed, { days = days })
        assert.equal("approve", verdict.outcome, verdict:explain("en").analyst)
      end
    end
    local _, _, rows = decide(1, { pattern = "steady", days = 60 })
    assert.same(rows, (select(3, decide(1, { days = 60 }))))
  end)

  it("decline one who stopped, and find nulls, in a short history as well", function()
    for seed = 1, SEEDS do
      local _, verdict = decide(seed, { pattern = "stopped", days = 60 })
      assert.equal("decline", verdict.outcome)
      _, verdict = decide(seed, { pattern = "nulls", days = 60 })
      assert.equal("undecidable", verdict.outcome)
      assert.is_true(has_reason(verdict, "unknown_amounts"))
    end
  end)

  it("draw the same rows from the same seed", function()
    for name in pairs(expected) do
      local _, _, one = decide(7, { pattern = name })
      local _, _, other = decide(7, { pattern = name })
      assert.same(one, other)
      _, _, other = decide(8, { pattern = name, platform = PLATFORMS[8 % #PLATFORMS] })
      assert.not_same(one, other)
    end
  end)

  it("leave the days of before as they were at a later login", function()
    for name in pairs(expected) do
      local api = helper.new { webhook_delay = 0, history = 200 }
      local given = { platform = "uber", external_id = "e", identifier = "x", pattern = name }
      local before = read_rows(api, api:login(given).account_id)
      api.now = api.now + 30 * 86400
      given.pattern = nil
      local account_id = api:login(given).account_id
      local after, first = read_rows(api, account_id), nil
      for at, row in ipairs(after) do
        if before[1] and row.earning_date == before[1].earning_date then
          first = first or at
        end
      end
      if before[1] then
        local oldest = after[#after].earning_date
        for at = first, #after do
          assert.same(before[at - first + 1], after[at], name)
        end
        assert.is_true(before[#before].earning_date <= oldest)
      end
    end
  end)

  it("make one who was new decidable once time has passed", function()
    local api = helper.new { webhook_delay = 0 }
    local given = { platform = "uber", external_id = "e", identifier = "x", pattern = "new" }
    local _, verdict = analyze(api, api:login(given).account_id)
    assert.equal("undecidable", verdict.outcome)
    api.now = api.now + 40 * 86400
    given.pattern = nil
    _, verdict = analyze(api, api:login(given).account_id)
    assert.equal("approve", verdict.outcome, verdict:explain("en").analyst)
  end)

  it("are given to the widget's logins as well", function()
    local api = helper.new { webhook_delay = 0 }
    local status, response = api:call("POST", "/widget/logins", { platform = "uber",
      identifier = "me@example.com", consent = true, pattern = "new" }, helper.JSON)
    assert.equal(201, status)
    assert.is_true(#read_rows(api, response.data.account_id) <= 20)
  end)

  it("have no trips on a day without an amount, and trips on the others", function()
    local api = helper.new { webhook_delay = 0 }
    local login = api:login { platform = "didi", external_id = "e", pattern = "nulls", days = 60 }
    local period = { start_date = "2020-01-01", end_date = "2040-01-01",
      options = { items_per_page = 1000 } }
    local status, response = api:call("POST", "/v1/accounts/" .. login.account_id
      .. "/events/search", period)
    assert.equal(200, status)
    local known, trips = {}, 0
    for _, row in ipairs(read_rows(api, login.account_id)) do
      known[row.earning_date] = row.amount ~= nil
      trips = trips + (row.amount and row.count_trips or 0)
    end
    assert.equal(trips, #response.data.events)
    for _, trip in ipairs(response.data.events) do
      assert.is_true(known[trip.start_date:sub(1, 10)])
    end
    period.external_id, period.options = "e", nil
    status, response = api:call("POST", "/v1/users/earnings/aggregated", period)
    assert.equal(200, status)
    for _, day in ipairs(response.data.earnings) do
      assert.is_true(known[day.earning_date])
    end
  end)
end)

describe("sandbox warnings", function()
  for warning in pairs(constants.warnings) do
    it("leave " .. warning .. " on the account, which makes it undecidable", function()
      local api = helper.new { webhook_delay = 0 }
      local login = api:login { platform = "rappi", warning = warning }
      assert.equal(warning, login.outcome.warning)
      local found, verdict = analyze(api, login.account_id)
      assert.same({ "account_warning:" .. warning }, found.problems)
      assert.equal("undecidable", verdict.outcome)
      local _, profile = api:call("GET", "/v1/accounts/" .. login.account_id .. "/profile")
      assert.equal(warning == "incomplete_profile_data", profile.data.profile.phone == nil)
    end)
  end

  it("are taken from the field rather than from the identifier", function()
    local api = helper.new { webhook_delay = 0 }
    local login = api:login { identifier = "uber+rider_account@palenca-tests.com",
      warning = "id_mismatch" }
    assert.equal("id_mismatch", login.outcome.warning)
  end)

  it("list those that there are to who names another", function()
    local status, response = helper.new():call("POST", "/sandbox/logins",
      { platform = "uber", warning = 7 }, helper.JSON)
    assert.equal(422, status)
    assert.equal("must be one of fleet_account, id_mismatch, incomplete_profile_data, "
      .. "rider_account", response.detail[1].msg)
    assert.equal("type_error.enum", helper.blames(response, "body.warning"))
  end)

  it("are rejected with a login that does not succeed", function()
    local api = helper.new()
    local status, response = api:call("POST", "/sandbox/logins", {
      identifier = "uber+banned@palenca-tests.com", warning = "id_mismatch", external_id = "e",
    }, helper.JSON)
    assert.equal(422, status)
    assert.equal("warning", response.error.errors[1].location)
    assert.same({}, json.decode((select(4, api:call("GET", "/sandbox/logins?status=error", nil,
      helper.JSON)))).data.logins)
  end)
end)
