--- The figures of an income, each worked out by hand or from exact fractions.
local canonical = require("palenca.util.json").canonical
local histories = require("spec.support.income_histories")
local income = require("palenca.income")

local analyze, row, has = histories.analyze, histories.row, histories.assert_figures

describe("palenca.income.analyze", function()
  it("finds the same income of 500 a day, seen over 60 days on any date", function()
    for offset = 0, 364 do
      local first = histories.shift("2026-01-01", offset)
      has({
        days_observed = 60, window_days = 60, monthly_income = "15208.33",
        monthly_income_minor = 1520833, income_30d = "15000.00", income_60d = "30000.00",
        median_week = "3500.00", low_week = "3500.00", regularity = 1, stability = 1, trend = 0,
        longest_gap = 0, days_since_last_income = 0, days_worked_per_week = 7, problems = {},
        qualifying_income = "15208.33", qualifying_basis = { sum = "30000.00", days = 60 },
      }, analyze(histories.rows(first, 60, 500), histories.shift(first, 59)))
    end
  end)

  it("counts the days of a week from a single known day", function()
    local rows = histories.rows("2026-01-01", 1, 500)
    has({ days_observed = 1, active_days = 1, days_worked_per_week = 7 },
      analyze(rows, "2026-01-01"))
    has({ days_observed = 1 }, analyze(rows, "2026-01-01", { start_date = "2026-01-01" }))
  end)

  it("finds none of a worker who stopped five months ago", function()
    has({
      monthly_income = "0.00", longest_gap = 151, days_since_last_income = 151,
      unknown = { trend = "no_income", cash_share = "no_cash_amounts" },
    }, analyze(histories.rows("2026-01-01", 181, 500), "2026-11-28"))
  end)

  it("takes the lower income after a decline", function()
    local rows = {}
    for month, amount in ipairs { 20000, 17000, 14450, 12282.50, 10440.13, 8874.11 } do
      rows[month] = row(("2026-%02d-28"):format(month), amount)
    end
    has({
      monthly_income = "10678.52", trend = -0.1501, qualifying_income = "8997.36",
      qualifying_basis = { sum = "8874.11", days = 30 },
    }, analyze(rows, "2026-06-30"))
  end)

  it("does not take three payments in 60 days for work", function()
    local rows = { row("2026-01-31", 10000), row("2026-02-01", 10000), row("2026-03-31", 10000) }
    has({
      days_observed = 60, full_weeks = 8, active_weeks = 0, longest_gap = 57, regularity = 0,
      stability = 0,
    }, analyze(rows, "2026-03-31"))
    rows = histories.rows("2026-09-01", 90, function(number)
      return number % 30 == 0 and 10000 or 0
    end)
    has({ days_worked_per_week = 0.2333, full_weeks = 12, active_weeks = 2, regularity = 0.1666 },
      analyze(rows, "2026-11-29"))
  end)

  it("takes rows that are the same for one", function()
    local rows = histories.rows("2026-01-01", 212, 500)
    for at = 1, 212 do
      rows[212 + at] = row(rows[at].earning_date, at % 2 == 0 and 500 or "500.00",
        { currency = " MXN\t" })
    end
    has({ identical_rows = 212, monthly_income = "15208.33", problems = {} },
      analyze(rows, "2026-07-31"))
  end)

  it("distinguishes different rows of one day, and sums them", function()
    has({ problems = { "conflicting_days" }, identical_rows = 0 },
      analyze({ row("2026-01-01", 179), row("2026-01-01", 180) }, "2026-01-01"))
    has({ problems = { "conflicting_days" }, identical_rows = 1, unknown_days = 0 },
      analyze({ row("2026-01-01", 179), row("2026-01-01"), row("2026-01-01") }, "2026-01-01"))
    local figures = analyze({ row("2026-01-01", 179, { a = { 1 } }),
      row("2026-01-01", 179, { a = { 1 } }), row("2026-01-01", 179, { a = { 2 } }) }, "2026-01-01")
    assert.same({ "conflicting_days" }, figures.problems)
    assert.equal("358.00", figures.months[1].total)
    assert.equal(1, figures.identical_rows)
  end)

  it("says what 20 and 28 days do not show", function()
    local figures = analyze(histories.rows("2026-01-01", 20, 400), "2026-01-20")
    assert.is_nil(figures.monthly_income)
    assert.is_nil(figures.monthly_income_minor)
    for _, name in ipairs { "monthly_income", "income_30d", "income_60d", "income_90d", "trend",
      "qualifying_income", "regularity", "stability" } do
      assert.equal("insufficient_history", figures.unknown[name], name)
    end
    -- 28 x 400 x 365 / (12 x 30)
    has({ monthly_income = "11355.55", window_days = 30 },
      analyze(histories.rows("2026-01-01", 28, 400), "2026-01-28"))
    has({ trend = 0 }, analyze(histories.rows("2026-01-01", 42, 400), "2026-02-11"))
    assert.is_nil(analyze(histories.rows("2026-01-01", 41, 400), "2026-02-10").trend)
  end)

  it("knows no monthly income if more than one in four days of the window are unknown", function()
    local function history(first_null, last_null)
      local rows = histories.rows("2026-01-01", 120, function(number)
        return not (number >= first_null and number <= last_null) and 500
      end)
      return analyze(rows, "2026-04-30")
    end
    local figures = history(32, 58)
    assert.equal(27, figures.unknown_days)
    assert.equal("unknown_amounts", figures.unknown.monthly_income)
    has({ problems = { "unknown_amounts" }, income_30d = "15000.00", longest_gap = 0 }, figures)
    figures = history(32, 53) -- 22 of 90: it is 68 x 500 x 365 / (12 x 68)
    has({ problems = {}, monthly_income = "15208.33", unknown_days = 22 }, figures)
    assert.equal("unknown_amounts", history(110, 119).unknown.income_30d)
  end)

  it("is 0 trend for who works on Saturdays and Sundays, on any of 365 dates", function()
    for offset = 0, 364 do
      local first = histories.shift("2026-01-01", offset)
      local rows = histories.rows(first, 50, function(_, weekday)
        return weekday >= 5 and 1000 or nil
      end)
      assert.equal(0, analyze(rows, histories.shift(first, 49)).trend)
    end
  end)

  it("counts from the start date, if rows go back to it", function()
    local rows = histories.rows("2026-01-01", 60, 500)
    has({ days_observed = 10 }, analyze(rows, "2026-03-01", { start_date = "2026-02-20" }))
    has({ days_observed = 60 }, analyze(rows, "2026-03-01", { start_date = "2025-02-20" }))
    -- nothing on the first days: the history goes back beyond them all the same
    table.remove(rows, 51)
    has({ days_observed = 10, longest_gap = 1 },
      analyze(rows, "2026-03-01", { start_date = "2026-02-20" }))
    -- who has earned before, and nothing since the start date, was observed all the same
    has({ problems = { "no_rows" }, days_observed = 10, longest_gap = 10, unknown_days = 0 },
      analyze({ row("2026-01-01", 5) }, "2026-03-01", { start_date = "2026-02-20" }))
    has({ problems = { "no_rows" }, days_observed = 0, longest_gap = 0 },
      analyze({}, "2026-03-01", { start_date = "2026-02-20" }))
  end)

  it("leaves what is outside of the days out of everything", function()
    local rows = histories.rows("2026-01-01", 60, 500)
    local inside = analyze(rows, "2026-03-01", { start_date = "2026-01-11" })
    local outside = {
      row("2026-01-05", 1, { currency = "usd", cash_amount = 7 }), row("2026-01-05", -2),
    }
    for at, extra in ipairs(outside) do
      table.insert(rows, at, extra)
    end
    assert.equal(canonical(inside),
      canonical(analyze(rows, "2026-03-01", { start_date = "2026-01-11" })))
    rows[#rows + 1] = row("2026-03-02", 99)
    has({ problems = { "future_rows" }, monthly_income = inside.monthly_income },
      analyze(rows, "2026-03-01", { start_date = "2026-01-11" }))
  end)

  it("keeps decimals that the currency has not, until the end", function()
    -- a third of a cent a day: 90 x 0.003 = 0.27, and no day's rounding adds up
    local figures = analyze(histories.rows("2026-01-01", 90, "0.003"), "2026-03-31")
    has({ income_90d = "0.27", income_30d = "0.09", median_week = "0.02", stability = 1, trend = 0,
      qualifying_basis = { sum = "0.27", days = 90 } }, figures)
    assert.equal(90, figures.active_days)
    -- 0.30000000000000004 is more than 0.3
    figures = analyze(histories.rows("2026-01-01", 30, 0.1 + 0.2), "2026-01-30")
    has({ income_30d = "9.00", qualifying_basis = { sum = "9.0000000000000012", days = 30 } },
      figures)
    figures = analyze({ row("2026-01-01", "-0.001"), row("2026-01-02", "0.0005") }, "2026-01-02")
    has({ adjustments = 1, adjustments_total = "-0.01", active_days = 1 }, figures)
    assert.equal("-0.01", figures.months[1].total)
    local clp = analyze(histories.rows("2026-01-01", 30, 100.5, "CLP"), "2026-01-30")
    has({ income_30d = "3015", currency = "clp" }, clp)
  end)

  it("has the decimals of ISO 4217", function()
    for currency, expected in pairs {
      kwd = "45.036", tnd = "45.036", clf = "45.0369", uyw = "45.0369", jpy = "45", xof = "45",
      pyg = "45", usd = "45.03", xyz = "45.03",
    } do
      local rows = histories.rows("2026-01-01", 30, "1.50123", currency)
      has({ income_30d = expected, qualifying_basis = { sum = "45.0369", days = 30 } },
        analyze(rows, "2026-01-30"))
    end
  end)

  it("takes a double with noise for the decimal that it is", function()
    local figures = analyze(histories.rows("2026-01-01", 30, 1234.5600000000001), "2026-01-30")
    has({ income_30d = "37036.80", qualifying_basis = { sum = "37036.800000000006", days = 30 } },
      figures)
  end)

  it("knows no money of a history whose rows all lack the amount", function()
    local figures = analyze({ row("2026-01-01"), row("2026-01-20") }, "2026-03-31")
    has({ currency = "mxn", unknown_days = 2, problems = {}, regularity = 0, longest_gap = 70 },
      figures)
    for _, name in ipairs { "monthly_income", "income_30d", "qualifying_income", "stability",
      "trend", "cash_known" } do
      assert.is_nil(figures[name], name)
      assert.equal("unknown_amounts", figures.unknown[name], name)
    end
  end)

  it("lends on no trend that no number can say", function()
    -- the weeks before the last four have one cent, and the window has much more
    local function history(amount)
      return analyze(histories.rows("2026-01-01", 90, function(number)
        return number == 0 and 1e12 or number == 40 and 0.01 or number == 89 and amount or 0
      end), "2026-03-31")
    end
    has({ trend = -900719925475 }, history(-9007199254.74))
    local figures = history(-9007199254.75)
    assert.is_nil(figures.qualifying_income)
    has({ trend = "too_large", qualifying_income = "too_large" }, figures.unknown)
  end)

  it("knows no qualifying income of a decline whose last 30 days are unknown", function()
    local function history(nulls) -- so many of the last 28 days, and the two before
      return analyze(histories.rows("2026-01-01", 90, function(number)
        return not (number >= 60 and number < 62 + nulls) and (number < 62 and 1000 or 850)
      end), "2026-03-31")
    end
    -- (19550 - 26000) / 26000; 23 x 850 x 365 / 360
    has({ trend = -0.2481, qualifying_income = "19821.52" }, history(5))
    local figures = history(6)
    has({ trend = -0.2808, problems = {} }, figures)
    assert.is_string(figures.monthly_income)
    assert.equal("unknown_amounts", figures.unknown.qualifying_income)
    assert.same({ "unknown_qualifying_income" }, { income.decide(figures, { version = 1 },
      { installment = 1 }).reasons[1].code })
  end)

  it("rounds toward minus infinity below 0, too", function()
    local figures = analyze(histories.rows("2026-01-01", 28, -1), "2026-01-28")
    has({ monthly_income = "-28.39", adjustments = 28, adjustments_total = "-28.00",
      active_days = 0, median_week = "-7.00" }, figures) -- -28 x 365 / 360 = -28.388..
    figures = analyze(histories.rows("2026-01-01", 56, function(number)
      return number < 28 and 3 or number == 55 and -1 or 1
    end), "2026-02-25")
    has({ trend = -0.6905 }, figures) -- (26 - 84) / 84 = -0.69047..
  end)

  it("takes the middle of an even number of weeks, and the nearest rank", function()
    -- six full weeks of 7, 14, 21, 28, 35 and 42.07
    local rows = histories.rows("2026-01-05", 42, function(number)
      return math.floor(number / 7) + 1
    end)
    rows[42].amount = 6.07
    has({ full_weeks = 6, median_week = "24.50", low_week = "14.00", stability = 0.5714 },
      analyze(rows, "2026-02-15"))
  end)

  it("allows a full week one day without amount", function()
    local function weeks(nulls)
      return analyze(histories.rows("2026-01-05", 42, function(number, weekday)
        return not (number < 7 and weekday < nulls) and 10
      end), "2026-02-15")
    end
    has({ full_weeks = 6, low_week = "70.00" }, weeks(1))
    has({ full_weeks = 5 }, weeks(2))
    assert.equal(1, weeks(1).weeks[1].unknown_days)
  end)

  it("shows months with their range, and which are complete", function()
    local figures = analyze(histories.rows("2026-01-15", 60, function(number)
      return number ~= 17 and 10
    end), "2026-03-15")
    assert.same({
      { month = "2026-01", from = "2026-01-15", to = "2026-01-31", total = "170.00",
        total_minor = 17000, active_days = 17, unknown_days = 0, full = false },
      { month = "2026-02", from = "2026-02-01", to = "2026-02-28", total = "270.00",
        total_minor = 27000, active_days = 27, unknown_days = 1, full = true },
      { month = "2026-03", from = "2026-03-01", to = "2026-03-15", total = "150.00",
        total_minor = 15000, active_days = 15, unknown_days = 0, full = false },
    }, figures.months)
  end)

  it("reports cash as far as it is known", function()
    local figures = analyze({
      row("2026-01-01", 100, { cash_amount = 25 }), row("2026-01-02", 200),
      row("2026-01-03", nil, { cash_amount = 9 }),
    }, "2026-01-03")
    has({ cash_share = 0.25, cash_known = 0.3333 }, figures)
    assert.is_nil(figures.unknown.cash_share)
  end)

  it("is the same whatever the order of the rows, and leaves them as they were", function()
    for seed = 1, 40 do
      local rows, options = histories.random_history(seed)
      local before, text = canonical(rows), canonical(income.analyze(rows, options))
      assert.equal(before, canonical(rows))
      local random = histories.random(seed)
      for at = #rows, 2, -1 do
        local other = random(at) + 1
        rows[at], rows[other] = rows[other], rows[at]
      end
      assert.equal(text, canonical(income.analyze(rows, options)))
    end
  end)

  -- The sum is of Lua 5.4; what each other Lua computes must have it, too.
  it("has the same bytes on every Lua", function()
    local sum = 0
    for seed = 1, 400 do
      local rows, options = histories.random_history(seed)
      local figures = income.analyze(rows, options)
      local verdict = income.decide(figures, { version = 1 }, { installment = 900 })
      local text = canonical(figures) .. canonical(verdict)
      for at = 1, #text do
        sum = (sum * 31 + text:byte(at)) % 4294967296
      end
    end
    assert.equal(4012876032, sum)
  end)

  it("returns integers where the Lua has them", function()
    if not math.type then
      return
    end
    local function check(value, path)
      for name, item in pairs(value) do
        if type(item) == "table" then
          check(item, path .. "." .. name)
        elseif type(item) == "number" and (tostring(name):find("_minor$")
          or tostring(name):find("days") and name ~= "days_worked_per_week"
          or tostring(name):find("weeks$") or name == "longest_gap" or name == "adjustments") then
          assert.equal("integer", math.type(item), path .. "." .. name)
        end
      end
    end
    for seed = 1, 60 do
      check(income.analyze(histories.random_history(seed)), "income")
    end
  end)
end)

describe("the problems of an income", function()
  local rows = histories.rows("2026-01-01", 60, 500)

  it("distinguish an incomplete history from an unknown one", function()
    local function problems(report)
      return income.analyze(rows, { as_of = "2026-03-01", report = report }).problems
    end
    assert.same({}, problems({ complete = true, rows = 60 }))
    assert.same({}, problems({ complete = true }))
    assert.same({ "incomplete" }, problems({ complete = false, rows = 60 }))
    assert.same({}, problems({ complete = true, rows = 60, total_items = 60 }))
    for _, count in ipairs { 59, 61 } do
      assert.same({ "incomplete" }, problems({ complete = true, rows = count }))
      assert.same({ "incomplete" }, problems({ complete = true, rows = 60, total_items = count }))
    end
    assert.same({ "completeness_unknown" }, problems(nil))
  end)

  it("keep what is lent on from an incomplete history, unless that is allowed", function()
    local options = { as_of = "2026-03-01", report = { complete = false, rows = 60 } }
    local figures = income.analyze(rows, options)
    assert.equal("15208.33", figures.monthly_income)
    assert.is_nil(figures.qualifying_income)
    assert.equal("incomplete", figures.unknown.qualifying_income)
    options.allow_incomplete = true
    figures = income.analyze(rows, options)
    assert.equal("15208.33", figures.qualifying_income)
    assert.same({ "incomplete" }, figures.problems)
  end)

  it("keep currencies apart", function()
    local mixed = histories.rows("2026-01-01", 60, 10, "USD")
    for _, one in ipairs(rows) do
      mixed[#mixed + 1] = one
    end
    local accounts = income.merge({
      { rows = mixed, report = histories.report(mixed), account = "a", platform = "uber" },
    })
    local figures = income.analyze(accounts, { as_of = "2026-03-01" })
    assert.same({ "mixed_currencies", "conflicting_days" }, figures.problems)
    assert.is_nil(figures.currency)
    assert.is_nil(figures.monthly_income)
    assert.equal("mixed_currencies", figures.unknown.monthly_income)
    assert.equal("15208.33", figures.by_currency.mxn.monthly_income)
    local usd = figures.by_currency.usd
    has({ monthly_income = "304.16", stability = 1, trend = 0, cash_known = 0,
      qualifying_basis = { sum = "600.00", days = 60 },
      unknown = { cash_share = "no_cash_amounts", income_90d = "insufficient_history" } }, usd)
    assert.is_nil(usd.regularity)
    has({ stability = "mixed_currencies", trend = "mixed_currencies" }, figures.unknown)
    has({ active_days = 60, regularity = 1, days_observed = 60 }, figures)
    assert.is_nil(figures.months[1].total)
    assert.same({ uber = { active_days = 60, uncounted_rows = 0 } }, figures.platforms)
  end)

  it("report an amount without a currency, but need none without an amount", function()
    for _, currency in ipairs { "", "  ", "pesos", "m1n", 5, false } do
      local figures = analyze({ row("2026-01-01", 5, { currency = currency }) }, "2026-01-01")
      assert.same({ "unknown_currency" }, figures.problems)
      assert.is_nil(figures.by_currency)
      assert.equal("unknown_currency", figures.unknown.income_30d)
    end
    local bare = { earning_date = "2026-01-02" }
    local figures = analyze({ row("2026-01-01", 5), bare }, "2026-01-02")
    has({ problems = { "unknown_amounts" }, currency = "mxn", unknown_days = 1 }, figures)
    assert.equal("brl", analyze({ row("2026-01-01", nil, { currency = "BRL" }) },
      "2026-01-01").currency)
    assert.equal("unknown_amounts", analyze({ bare }, "2026-01-02").unknown.currency)
  end)

  it("have an order", function()
    local all = {
      row("2026-01-01", 1), row("2026-01-01", 2), row("2026-01-02", 3, { currency = "usd" }),
      row("2026-01-03", 3, { currency = "" }), row("2027-01-01", 3),
      { earning_date = "2026-01-04" }, { earning_date = "2026-01-05" },
    }
    local stream = income.merge({
      { rows = all, warning = "rider_account" }, { rows = {}, warning = "fleet_account" },
      { rows = {}, warning = "rider_account", report = { complete = false } },
    })
    assert.same({
      "incomplete", "completeness_unknown", "future_rows", "mixed_currencies", "unknown_currency",
      "conflicting_days", "unknown_amounts", "account_warning:fleet_account",
      "account_warning:rider_account",
    }, income.analyze(stream, { as_of = "2026-01-05" }).problems)
  end)
end)
