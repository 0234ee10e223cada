--- Verdicts: each check at its limit, and that what is not known is never approved nor declined.
local canonical = require("palenca.util.json").canonical
local histories = require("spec.support.income_histories")
local income = require("palenca.income")
local json = require("palenca.util.json")

local RULE = { version = "2026-11" }
local SMALL = { installment = "3000.00", obligations = "0.00" }

local analyze, problem_of = histories.analyze, histories.problem_of

local function daily(days, amount)
  return analyze(histories.rows("2026-01-01", days, amount),
    histories.shift("2026-01-01", days - 1))
end

local function with(changes)
  local figures = daily(60, 500)
  for name, value in pairs(changes) do
    figures[name] = value
  end
  return figures
end

local function codes(verdict)
  local list = {}
  for at, reason in ipairs(verdict.reasons) do
    list[at] = reason.code
  end
  return table.concat(list, " ")
end

describe("palenca.income.decide", function()
  it("compares amounts of one currency only", function()
    local figures = analyze(histories.rows("2026-01-01", 60, 500), "2026-03-01")
    local same = income.decide(figures, RULE, { installment = "3000.00", currency = "MXN" })
    assert.same({ "approve", "4562.50" }, { same.outcome, same.max_installment })
    assert.same(same, income.decide(figures, RULE, { installment = "3000.00" }))
    local other = income.decide(figures, RULE, { installment = "300000", currency = "clp" })
    assert.same({ outcome = "undecidable", rule_version = "2026-11", currency = "mxn", reasons = {
      { code = "other_currency", metric = "currency", value = "mxn", limit = "clp" },
    } }, other)
    assert.equal("No decision is possible under rule 2026-11; this is not a decline. The income is "
      .. "in MXN, and the requested installment in CLP.", other:explain("en").analyst)
    -- which has no decimals
    assert.error_matches(function()
      income.decide(figures, RULE, { installment = "3000.50", currency = "clp" })
    end, "expected at most 0 decimals", 1, true)
    for _, wrong in ipairs { "pesos", "", 5, false } do
      assert.error_matches(function()
        income.decide(figures, RULE, { installment = "3000.00", currency = wrong })
      end, "palenca.income: request.currency: expected a currency of three letters, such as mxn",
        1, true)
    end
  end)

  it("approves 60 days of 500, up to 4562.50 and not a cent less", function()
    local verdict = income.decide(daily(60, 500), RULE, SMALL)
    assert.same({
      outcome = "approve", reasons = {}, rule_version = "2026-11", currency = "mxn",
      max_installment = "4562.50", max_installment_minor = 456250,
    }, setmetatable(verdict, nil))
    assert.equal("approve", income.decide(daily(60, 500), RULE, { installment = "4562.5" }).outcome)
    verdict = income.decide(daily(60, 500), RULE, { installment = "4562.51" })
    assert.same({ "decline", "4562.50" }, { verdict.outcome, verdict.max_installment })
    assert.same({
      { code = "installment_too_high", metric = "installment", value = "4562.51",
        limit = "4562.50" },
    }, verdict.reasons)
    verdict = income.decide(daily(60, 500), RULE, { installment = 4000, obligations = "562.51" })
    assert.same({ "decline", "3999.99" }, { verdict.outcome, verdict.max_installment })
    verdict = income.decide(daily(60, 500), RULE, { installment = 1, obligations = 5000 })
    assert.same({ "decline", "-437.50" }, { verdict.outcome, verdict.max_installment })
  end)

  it("decides on the histories whose figures are known by hand", function()
    local stopped = income.decide(analyze(histories.rows("2026-01-01", 181, 500), "2026-11-28"),
      RULE, SMALL)
    assert.same({ "decline", "no_recent_income" }, { stopped.outcome, stopped.reasons[1].code })
    assert.is_nil(stopped.max_installment)
    local rows = histories.rows("2026-09-01", 90, function(number)
      return number % 30 == 0 and 10000 or 0
    end)
    assert.equal("decline", income.decide(analyze(rows, "2026-11-29"), RULE, SMALL).outcome)
    local twice = { { earning_date = "2026-01-01", amount = 179, currency = "mxn" },
      { earning_date = "2026-01-01", amount = 180, currency = "mxn" } }
    assert.equal("undecidable", income.decide(analyze(twice, "2026-01-01"), RULE, SMALL).outcome)
    assert.equal("undecidable insufficient_history unknown_monthly_income",
      (function(verdict)
        return verdict.outcome .. " " .. codes(verdict):match("^%S+ %S+")
      end)(income.decide(daily(20, 400), RULE, SMALL)))
  end)

  it("does not approve a decline, nor three payments in 60 days", function()
    local rows = {}
    for month, amount in ipairs { 20000, 17000, 14450, 12282.50, 10440.13, 8874.11 } do
      rows[month] = { earning_date = ("2026-%02d-28"):format(month), amount = amount,
        currency = "mxn" }
    end
    local verdict = income.decide(analyze(rows, "2026-06-30"), RULE, SMALL)
    assert.equal("decline", verdict.outcome)
    assert.equal("few_active_weeks irregular_income long_gap unstable_income installment_too_high",
      codes(verdict))
    assert.same({ value = "3000.00", limit = "2699.20", code = "installment_too_high",
      metric = "installment" }, verdict.reasons[5]) -- 8874.11 x 365 / 360 x 0.3
    rows = {}
    for at, date in ipairs { "2026-01-31", "2026-02-01", "2026-03-31" } do
      rows[at] = { earning_date = date, amount = 10000, currency = "mxn" }
    end
    assert.equal("decline", income.decide(analyze(rows, "2026-03-31"), RULE, SMALL).outcome)
  end)

  it("never declines who works on Saturdays and Sundays, on any of 365 dates", function()
    for offset = 0, 364 do
      local first = histories.shift("2026-01-01", offset)
      local rows = histories.rows(first, 50, function(number, weekday)
        return weekday >= 5 and 1800 + number or nil
      end)
      local figures = analyze(rows, histories.shift(first, 49))
      local verdict = income.decide(figures, RULE, SMALL)
      assert.equal("approve", verdict.outcome)
      assert.is_true(figures.trend >= 0 and figures.trend < 0.02) -- as the amounts rise
    end
  end)

  it("has a limit for each check", function()
    for _, case in ipairs {
      { { days_observed = 42 }, "approve" },
      { { days_observed = 41 }, "undecidable", "insufficient_history" },
      { { days_since_last_income = 14 }, "approve" },
      { { days_since_last_income = 15 }, "decline", "no_recent_income" },
      { { active_weeks = 5 }, "approve" },
      { { active_weeks = 4 }, "decline", "few_active_weeks" },
      { { regularity = 0.75 }, "approve" },
      { { regularity = 0.7499 }, "decline", "irregular_income" },
      { { longest_gap = 21 }, "approve" },
      { { longest_gap = 22 }, "refer", "long_gap" },
      { { stability = 0.5 }, "approve" },
      { { stability = 0.4999 }, "refer", "unstable_income" },
      { { trend = -0.2 }, "approve" },
      { { trend = -0.2001 }, "refer", "declining_income" },
      { { stability = 0.4, regularity = 0.5 }, "decline", "irregular_income unstable_income" },
    } do
      local verdict = income.decide(with(case[1]), RULE, SMALL)
      assert.same({ case[2], case[3] or "" }, { verdict.outcome, codes(verdict) })
      assert.equal(verdict.outcome == "approve" or verdict.outcome == "refer",
        verdict.max_installment ~= nil)
    end
    local none = daily(60, 500)
    none.trend, none.days_since_last_income = nil, nil
    assert.equal("no_recent_income", codes(income.decide(none, RULE, SMALL)))
    assert.same({ code = "long_gap", metric = "longest_gap", value = 22, limit = 21 },
      income.decide(with { longest_gap = 22 }, RULE, SMALL).reasons[1])
  end)

  it("refers what is unstable even if the installment is too high", function()
    local verdict = income.decide(with { stability = 0.1 }, RULE, { installment = 9000 })
    assert.same({ "refer", "4562.50" }, { verdict.outcome, verdict.max_installment })
    assert.equal("unstable_income installment_too_high", codes(verdict))
  end)

  it("takes other limits", function()
    local rule = {
      version = 7, min_days_observed = 60, max_days_since_last = 0, min_active_weeks = 7,
      min_regularity = 1, max_gap = 0, min_stability = 1, max_decline = 0, ratio = 0.2501,
    }
    local verdict = income.decide(daily(60, 500), rule, SMALL)
    -- 30000 x 365 / 720 x 0.2501 = 3803.60..
    assert.same({ "approve", "3803.60", 7 },
      { verdict.outcome, verdict.max_installment, verdict.rule_version })
    -- 0.0029 x 10000 is less than 29 in doubles; 15208.33.. x 0.0029 = 44.104..
    rule.ratio = 0.0029
    assert.equal("44.10", income.decide(daily(60, 500), rule, { installment = 1 }).max_installment)
    rule.min_days_observed = 61
    assert.equal("undecidable", income.decide(daily(60, 500), rule, SMALL).outcome)
  end)

  it("is the same of an income that was JSON meanwhile", function()
    for seed = 1, 60 do
      local figures = income.analyze(histories.random_history(seed))
      local again = json.decode(canonical(figures))
      local request = { installment = 900, obligations = "10" }
      assert.equal(canonical(income.decide(figures, RULE, request)),
        canonical(income.decide(again, RULE, request)))
    end
  end)

  it("rounds once, from the exact income", function()
    -- 100.01 over 90 days: 33.8005.. a month; of the rounded 33.80 it would be 33.80 all the same,
    -- so a ratio of 1 and decimals that the currency has not: 0.009 x 90 x 365 / 1080 = 0.27375
    local rule = { version = 1, ratio = 1, min_stability = 0 }
    local figures = analyze(histories.rows("2026-01-01", 90, "0.0099"), "2026-03-31")
    assert.equal("0.30", figures.qualifying_income) -- 0.301125
    rule.ratio = 0.9999
    assert.equal("0.30", income.decide(figures, rule, { installment = 0 }).max_installment)
  end)
end)

describe("what is not known is never approved, nor declined", function()
  local rows = histories.rows("2026-01-01", 90, 500)

  -- Each spoils the stream, its options or the figures in one way.
  local FAULTS = {
    { "incomplete", function(account) account.report.complete = false end },
    { "incomplete", function(account) account.report.rows = 91 end },
    { "incomplete", function(account) account.report.total_items = 91 end },
    { "completeness_unknown", function(account) account.report = nil end },
    { "future_rows", function(account)
      table.insert(account.rows, { earning_date = "2026-04-01", amount = 5, currency = "mxn" })
      if account.report then
        account.report.rows = account.report.rows + 1
      end
    end },
    { "mixed_currencies", function(account) account.rows[80].currency = "usd" end },
    { "unknown_currency", function(account) account.rows[81].currency = "" end },
    { "conflicting_days", function(account)
      account.rows[82].earning_date = account.rows[83].earning_date
      account.rows[82].amount = 501
    end },
    { "unknown_amounts", function(account)
      for at = 1, 30 do
        account.rows[at].amount = nil
      end
    end },
    { "account_warning:rider_account", function(account) account.warning = "rider_account" end },
    { "account_warning:anything_else", function(account) account.warning = "anything_else" end },
    { "no_rows", function(account)
      account.rows = {}
      account.report = account.report and { complete = account.report.complete, rows = 0 }
    end },
  }
  local NAMES = { "monthly_income", "qualifying_income", "regularity", "stability" }
  local PROBLEMS = {
    "incomplete", "completeness_unknown", "no_rows", "future_rows", "mixed_currencies",
    "unknown_currency", "conflicting_days", "unknown_amounts", "account_warning:x",
    "a_problem_of_the_future",
  }

  local function spoiled(mask)
    local account = { rows = {}, report = histories.report(rows) }
    for at, row in ipairs(rows) do
      account.rows[at] = {
        earning_date = row.earning_date, amount = row.amount, currency = row.currency,
      }
    end
    for at, fault in ipairs(FAULTS) do
      if math.floor(mask / 2 ^ (at - 1)) % 2 == 1 then
        fault[2](account)
      end
    end
    return account
  end

  it("by any combination of what can be wrong with the data", function()
    for mask = 0, 2 ^ #FAULTS - 1 do
      local stream = income.merge({ spoiled(mask) })
      for _, allow in ipairs { false, true } do
        local figures = income.analyze(stream, { as_of = "2026-03-31", allow_incomplete = allow })
        local verdict = income.decide(figures, RULE, SMALL)
        assert.equal(mask == 0 and "approve" or "undecidable", verdict.outcome, mask)
        assert.equal(mask == 0, verdict.max_installment ~= nil)
      end
    end
  end)

  it("by each fault alone, which is the reason", function()
    for at, fault in ipairs(FAULTS) do
      local figures = income.analyze(income.merge({ spoiled(2 ^ (at - 1)) }),
        { as_of = "2026-03-31" })
      assert.equal(fault[1], figures.problems[1])
      assert.equal(fault[1], income.decide(figures, RULE, SMALL).reasons[1].code)
    end
  end)

  -- Those that are nil, by the digits of a mask in base 2; what is left of the mask.
  local function without(figures, names, mask)
    for _, name in ipairs(names) do
      if mask % 2 == 1 then
        figures[name], figures[name .. "_minor"] = nil, nil
      end
      mask = math.floor(mask / 2)
    end
    return mask
  end

  it("by any combination of problems and figures that are nil, good or bad as the rest may be",
    function()
      local good = analyze(rows, "2026-03-31")
      local bad = { days_since_last_income = 90, active_weeks = 0, longest_gap = 90 }
      for mask = 0, 2 ^ (#NAMES + #PROBLEMS + 1) - 1 do
        local figures = {}
        for name, value in pairs(good) do
          figures[name] = value
        end
        local rest = without(figures, NAMES, mask)
        figures.problems = {}
        for _, problem in ipairs(PROBLEMS) do
          table.insert(figures.problems, rest % 2 == 1 and problem or nil)
          rest = math.floor(rest / 2)
        end
        for name, value in pairs(rest == 1 and bad or {}) do
          figures[name] = value
        end
        local verdict = income.decide(figures, RULE, SMALL)
        local is_known = mask % 2 ^ (#NAMES + #PROBLEMS) == 0
        local expected = not is_known and "undecidable" or rest == 1 and "decline" or "approve"
        if verdict.outcome ~= expected or (verdict.max_installment ~= nil) ~= (mask == 0) then
          error(("%d: %s, not %s"):format(mask, verdict.outcome, expected))
        end
      end
    end)

  it("by a few rows without amounts, however long ago", function()
    for days = 1, 120 do
      local figures = analyze({ { earning_date = "2026-01-01", currency = "mxn" } },
        histories.shift("2026-01-01", days - 1))
      assert.equal("undecidable", income.decide(figures, RULE, SMALL).outcome, days)
    end
  end)

  it("by a history of any length that is too short", function()
    for days = 1, 41 do
      assert.equal("undecidable", income.decide(daily(days, 500), RULE, SMALL).outcome, days)
    end
  end)

  it("while cash may be unknown everywhere", function()
    local figures = daily(60, 500)
    assert.is_nil(figures.cash_share)
    assert.equal("approve", income.decide(figures, RULE, SMALL).outcome)
  end)
end)

local KNOWN = "(known: max_days_since_last, max_decline, max_gap, min_active_weeks, "
  .. "min_days_observed, min_regularity, min_stability, ratio, version)"

describe("what is wrong with a rule or a request", function()
  local figures = daily(60, 500)

  it("is named with its value", function()
    for expected, rule in pairs {
      ["rule: expected a table, got nil"] = false,
      ["rule.version: expected a text or a whole number, got nil"] = {},
      ['rule.version: expected a text or a whole number, got ""'] = { version = "" },
      ['rule: unknown field "max_income_share" ' .. KNOWN] = { version = 1, max_income_share = 5 },
      ["rule.max_gap: expected a whole number from 0 to 100000, got 2.5"] =
        { version = 1, max_gap = 2.5 },
      ['rule.max_gap: expected a whole number from 0 to 100000, got the text "21"'] =
        { version = 1, max_gap = "21" },
      ['rule.ratio: expected a number from 0 to 1 with at most four decimals, got the text "0.3"'] =
        { version = 1, ratio = "0.3" },
      ["rule.ratio: expected a number from 0 to 1 with at most four decimals, got 30"] =
        { version = 1, ratio = 30 },
      ["rule.ratio: expected a number from 0 to 1 with at most four decimals, got 0.33333"] =
        { version = 1, ratio = 0.33333 },
      ["rule.min_stability: expected a number from 0 to 1 with at most four decimals, got nan"] =
        { version = 1, min_stability = 0 / 0 },
    } do
      assert.equal("palenca.income: " .. expected,
        problem_of(income.decide, figures, rule or nil, SMALL))
    end
    for expected, request in pairs {
      ["request: expected a table, got nil"] = false,
      ["request.installment: expected decimal text or a whole number, got nil"] = {},
      ["request.installment: expected decimal text or a whole number, got 3000.5"] =
        { installment = 3000.5 },
      ['request.installment: expected a finite number or decimal text, got "3,000"'] =
        { installment = "3,000" },
      ['request.installment: expected at most 2 decimals, got "0.001"'] = { installment = "0.001" },
      ["request.installment: '900.000' has three decimals; write 900000 or 900.00"] =
        { installment = "900.000" },
      ["request.obligations: '1.500' has three decimals; write 1500 or 1.50"] =
        { installment = 1, obligations = "1.500" },
      ["request.installment: '0.5000' has 4 decimals; write 5000 or 0.50"] =
        { installment = "0.5000" },
      ["request.installment: expected no negative amount, got -1"] = { installment = -1 },
      ['request.obligations: expected a finite number or decimal text, got "x"'] =
        { installment = 1, obligations = "x" },
      ['request: unknown field "instalment" (known: currency, installment, obligations)'
        .. "; did you mean 'installment'?"] =
        { installment = 1, instalment = 1 },
    } do
      assert.equal("palenca.income: " .. expected,
        problem_of(income.decide, figures, RULE, request or nil))
    end
    -- a currency of three decimals has them
    assert.equal("other_currency", income.decide(figures, RULE, { installment = "900.000",
      currency = "KWD" }).reasons[1].code)
    local clp = analyze(histories.rows("2026-01-01", 60, 500, "clp"), "2026-03-01")
    assert.equal("approve", income.decide(clp, RULE, { installment = "900.00" }).outcome)
    assert.equal('palenca.income: request.installment: expected at most 0 decimals, got "1.5"',
      problem_of(income.decide, clp, RULE, { installment = "1.5" }))
    assert.equal("palenca.income: income: expected what palenca.income.analyze returned",
      problem_of(income.decide, {}, RULE, SMALL))
  end)
end)

describe("palenca.income.load_rule", function()
  local path = os.tmpname()

  local function load_text(text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    return income.load_rule(path)
  end

  teardown(function()
    os.remove(path)
  end)

  it("reads a file of Lua and fills in the defaults", function()
    assert.same({
      version = "a", min_days_observed = 42, max_days_since_last = 14, min_active_weeks = 5,
      min_regularity = 0.75, max_gap = 28, min_stability = 0.5, max_decline = 0.2, ratio = 0.3,
    }, load_text('-- of November\nreturn { version = "a", max_gap = 7 * 4 }'))
  end)

  it("keeps all of Lua from it, and takes no compiled one", function()
    for _, text in ipairs {
      'return { version = os.time() }', 'return { version = require("os") and "a" }',
      'return { version = _G.tostring(1) }', string.dump(function() return { version = 1 } end),
      'return { version = ', 'return 5', 'return { version = "a", max_gaps = 5 }', "",
    } do
      assert.matches(path, problem_of(load_text, text), 1, true)
    end
    assert.matches("compiled", problem_of(load_text, string.dump(function() end)))
    assert.equal("palenca.income: " .. path
      .. ': unknown field "max_gaps" ' .. KNOWN .. "; did you mean 'max_gap'?",
      problem_of(load_text, 'return { version = "a", max_gaps = 5 }'))
    assert.matches("no/such/file", problem_of(income.load_rule, "/no/such/file"), 1, true)
    assert.matches("expected a path", problem_of(income.load_rule, nil))
  end)
end)
