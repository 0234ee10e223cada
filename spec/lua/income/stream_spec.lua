--- Streams of several accounts, and what is wrong with rows and options, with exact messages.
local canonical = require("palenca.util.json").canonical
local histories = require("spec.support.income_histories")
local income = require("palenca.income")

local analyze, row = histories.analyze, histories.row
local has, problem_of = histories.assert_figures, histories.problem_of

describe("palenca.income.merge", function()
  local function account(name, platform, first, count, amount)
    local rows = histories.rows(first, count, amount)
    return { rows = rows, report = histories.report(rows), account = name, platform = platform }
  end

  it("adds the accounts of a person, whose days are no conflict", function()
    local stream = income.merge({
      account("a", "uber", "2026-01-01", 60, 300), account("b", "didi", "2026-01-01", 60, 200),
      account("c", "uber", "2026-02-01", 10, "0.001"),
    })
    local figures = income.analyze(stream, { as_of = "2026-03-01" })
    has({
      problems = {}, identical_rows = 0, monthly_income = "15208.33",
      platforms = {
        didi = { total = "12000.00", total_minor = 1200000, active_days = 60,
          uncounted_rows = 0 },
        uber = { total = "18000.01", total_minor = 1800001, active_days = 60,
          uncounted_rows = 0 },
      },
    }, figures)
    assert.equal("30000.01", figures.qualifying_basis.sum)
  end)

  it("takes rows of the same account as one account's, and all others apart", function()
    local one = account("a", "uber", "2026-01-01", 60, 500)
    local figures = income.analyze(income.merge({ one, one }), { as_of = "2026-03-01" })
    has({ identical_rows = 60, monthly_income = "15208.33", problems = {} }, figures)
    one.account = nil
    has({ identical_rows = 0, monthly_income = "30416.66" },
      income.analyze(income.merge({ one, one }), { as_of = "2026-03-01" }))
  end)

  it("knows a day that one account knows", function()
    local known = { rows = { row("2026-01-01", 5) }, report = { complete = true } }
    local unknown = { rows = { row("2026-01-01") }, report = { complete = true } }
    -- but it makes no amounts of an account that has none
    has({ unknown_days = 0, uncounted_rows = 1, problems = { "unknown_amounts" } },
      income.analyze(income.merge({ known, unknown }), { as_of = "2026-01-01" }))
  end)

  it("shows the amounts that an account lacks beside others, and lends on few of them only",
    function()
      for lacking, problems in pairs({ [22] = {}, [23] = { "unknown_amounts" } }) do
        local stream = income.merge({ account("a", "uber", "2026-01-01", 90, 500),
          account("b", "didi", "2026-01-01", 90, function(number)
            return number >= lacking and 10
          end), account("c", "didi", "2026-03-30", 2, 10) })
        local figures = income.analyze(stream, { as_of = "2026-03-31" })
        has({ unknown_days = 0, uncounted_rows = lacking, problems = problems }, figures)
        has({ uncounted_rows = lacking }, figures.platforms.didi)
        has({ uncounted_rows = 0 }, figures.platforms.uber)
        local verdict = income.decide(figures, { version = 1 }, { installment = 1 })
        assert.equal(problems[1] and "undecidable" or "approve", verdict.outcome)
        for language, note in pairs({
          en = "Notes\n- Records without an amount on days with other amounts: %d (didi: %d). ",
          es = "Notas\n- Registros sin monto en días con otros montos: %d (didi: %d). ",
          pt = "Observações\n- Registros sem valor em dias com outros valores: %d (didi: %d). ",
        }) do
          assert.matches(note:format(lacking, lacking), income.table(figures, language), 1, true)
        end
      end
      -- an account that came late is judged by its own days; with days before the start, by those
      local late = income.merge({ account("a", nil, "2026-01-01", 90, 500),
        account("b", nil, "2026-03-28", 4, function(number) return number < 2 and 10 end) })
      has({ uncounted_rows = 2, problems = { "unknown_amounts" } },
        income.analyze(late, { as_of = "2026-03-31" }))
      late.accounts[2].rows[5] = row("2026-02-01", 10)
      late.accounts[2].report = nil
      has({ problems = { "completeness_unknown" } },
        income.analyze(late, { as_of = "2026-03-31", start_date = "2026-03-20" }))
    end)

  it("is nothing but data", function()
    local json = require("palenca.util.json")
    local stream = income.merge({ account("a", "uber", "2026-01-01", 60, 53.25) })
    local again = json.decode(json.canonical(stream))
    assert.equal(canonical(income.analyze(stream, { as_of = "2026-03-01" })),
      canonical(income.analyze(again, { as_of = "2026-03-01" })))
    local none = income.analyze(income.merge({}), { as_of = "2026-03-01" })
    has({ problems = { "no_rows" }, platforms = {} }, none)
    assert.matches('"months":[],', canonical(none), 1, true)
    assert.matches('"platforms":{},"problems":["no_rows"],', canonical(none), 1, true)
  end)

  it("names what is wrong", function()
    for expected, accounts in pairs {
      ['accounts: expected a list of accounts, got "x"'] = "x",
      ['accounts[1]: unknown field "row" (known: account, platform, report, rows, warning)'
        .. "; did you mean 'rows'?"] = { { row = {} } },
      ["accounts[1].rows: expected a list of rows, got nil"] = { {} },
      ['accounts[1].warning: expected a text that is not empty, got ""'] =
        { { rows = {}, warning = "" } },
      ["accounts[1].account: expected a text that is not empty, got 5"] =
        { { rows = {}, account = 5 } },
      ["accounts[1].report.complete: expected a boolean, got nil"] = { { rows = {}, report = {} } },
      ["accounts[1].rows: expected a list of rows without holes"] = { { rows = { rows = {} } } },
    } do
      assert.equal("palenca.income: " .. expected, problem_of(income.merge, accounts))
    end
    assert.equal('palenca.income: accounts: the platform of account "a": expected "uber" as before,'
      .. ' got "didi"', problem_of(income.analyze, income.merge({
        account("a", "uber", "2026-01-01", 1, 1), account("a", "didi", "2026-01-01", 1, 1),
      }), { as_of = "2026-01-01" }))
    assert.equal("palenca.income: options.report: the accounts of a merged stream have their own",
      problem_of(income.analyze, income.merge({}), { as_of = "2026-01-01", report = {} }))
    assert.equal("palenca.income: accounts[2].rows[1].amount: expected a finite number or decimal "
      .. 'text, got "x"', problem_of(income.analyze, income.merge({
        account("a", "uber", "2026-01-01", 1, 1), account("b", "didi", "2026-01-01", 1, "x"),
      }), { as_of = "2026-01-01" }))
  end)
end)

describe("what cannot be read", function()
  local good = row("2026-01-01", 1)

  it("is an error that names row, field and value, wherever the row stands", function()
    local date = "expected a date, YYYY-MM-DD, of 2000 to 2099, got "
    local number = "expected a finite number or decimal text, got "
    local long = "expected at most 15 digits of minor units, got "
    for _, case in ipairs {
      { "earning_date", "2026-02-29", date .. '"2026-02-29"' },
      { "earning_date", "2026-1-1", date .. '"2026-1-1"' },
      { "earning_date", "1999-12-31", date .. '"1999-12-31"' },
      { "earning_date", "2100-01-01", date .. '"2100-01-01"' },
      { "earning_date", "2026-01-01T00:00:00", date .. '"2026-01-01T00:00:00"' },
      { "earning_date", "2026-13-01", date .. '"2026-13-01"' },
      { "earning_date", "2026-00-01", date .. '"2026-00-01"' },
      { "earning_date", "2026-01-00", date .. '"2026-01-00"' },
      { "earning_date", "2026-01-3a", date .. '"2026-01-3a"' },
      { "earning_date", "2026-0:-01", date .. '"2026-0:-01"' },
      { "earning_date", 20260101, date .. "20260101" },
      { "amount", "1,5", number .. '"1,5"' }, { "amount", "1e3", number .. '"1e3"' },
      { "amount", "", number .. '""' }, { "amount", "5.", number .. '"5."' },
      { "amount", ".5", number .. '".5"' }, { "amount", "+5", number .. '"+5"' },
      { "amount", true, number .. "true" }, { "amount", {}, number .. "a table" },
      { "amount", 0 / 0, number .. "nan" }, { "amount", -1 / 0, number .. "-inf" },
      { "amount", 1e13, long .. "10000000000000" }, { "amount", -1e300, long .. "-1e+300" },
      { "amount", "10000000000000", long .. '"10000000000000"' },
      { "amount", "10000000000000.001", long .. '"10000000000000.001"' },
      { "cash_amount", "x\n", number .. '"x\\n"' },
      { "cash_amount", 1e14, long .. "100000000000000" },
    } do
      for _, as_of in ipairs { "2026-01-01", "2020-01-01" } do
        local bad = row("2026-01-02", 1)
        bad[case[1]] = case[2]
        assert.equal(("palenca.income: rows[2].%s: %s"):format(case[1], case[3]),
          problem_of(analyze, { good, bad }, as_of))
      end
    end
    assert.equal("palenca.income: rows[2]: expected a row, got 5",
      problem_of(analyze, { good, 5 }, "2026-01-01"))
    assert.equal("9999999999999.99", analyze({ row("2026-01-01", "9999999999999.99") },
      "2026-01-01").months[1].total)
  end)

  it("is a sum that passes 15 digits", function()
    local rows = { row("2026-01-01", 9999999999999.99), row("2026-01-02", 0.01) }
    assert.equal("palenca.income: rows: the amounts in mxn sum up to more than 15 digits of minor "
      .. "units", problem_of(analyze, rows, "2026-01-02"))
    -- a part of a minor unit counts as one, and cash is bounded, too
    rows[2].amount = "0.001"
    assert.matches("sum up to more than 15 digits", problem_of(analyze, rows, "2026-01-02"))
    for at, cash in ipairs { 9999999999999.98, "0.001" } do
      rows[at].amount, rows[at].cash_amount = 1, cash
    end
    assert.equal("2.00", analyze(rows, "2026-01-02").months[1].total)
    rows[2].cash_amount = "0.011"
    assert.matches("sum up to more than 15 digits", problem_of(analyze, rows, "2026-01-02"))
  end)

  it("are options and rows of another form", function()
    local date = "expected a date, YYYY-MM-DD, of 2000 to 2099, got "
    for expected, options in pairs {
      ["options: expected a table, got nil"] = false,
      ["options.as_of: " .. date .. "nil"] = {},
      ['options.as_of: ' .. date .. '"today"'] = { as_of = "today" },
      ["options.start_date: " .. date .. "5"] = { as_of = "2026-01-01", start_date = 5 },
      ['options.start_date: expected no day after options.as_of, got "2026-01-02"'] =
        { as_of = "2026-01-01", start_date = "2026-01-02" },
      ['options: unknown field "end_date" (known: allow_incomplete, as_of, report, start_date)'] =
        { as_of = "2026-01-01", zone = 1, end_date = 1 },
      ["options.allow_incomplete: expected a boolean, got 1"] =
        { as_of = "2026-01-01", allow_incomplete = 1 },
      ["options.report: expected the report of a pager, got true"] =
        { as_of = "2026-01-01", report = true },
      ["options.report.complete: expected a boolean, got nil"] =
        { as_of = "2026-01-01", report = {} },
      ['options.report.rows: expected a number of rows, got the text "5"'] =
        { as_of = "2026-01-01", report = { complete = true, rows = "5" } },
      ["options.report.total_items: expected a number of rows, got true"] =
        { as_of = "2026-01-01", report = { complete = true, rows = 0, total_items = true } },
    } do
      assert.equal("palenca.income: " .. expected,
        problem_of(income.analyze, {}, options or nil))
    end
    assert.equal("palenca.income: rows: expected a list of rows, got nil",
      problem_of(income.analyze, nil, { as_of = "2026-01-01" }))
    assert.equal("palenca.income: rows: expected a list of rows without holes",
      problem_of(income.analyze, { pager = 1 }, { as_of = "2026-01-01" }))
  end)
end)
