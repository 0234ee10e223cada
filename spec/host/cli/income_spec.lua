--- Runs `palenca income` and `palenca decide` on files of rows.
local cjson = require("cjson")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local LAST = "2026-03-31"

local function palenca(arguments, options)
  return process.run(process.program(), arguments, options)
end

local function date_before(days)
  return os.date("!%Y-%m-%d", 1774958400 - days * 86400) -- noon of 2026-03-31
end

-- One row a day up to LAST; `change` may alter a row, or return false to leave it out.
local function daily(count, amount, change)
  local rows = {}
  for back = 0, count - 1 do
    local row = {
      earning_date = date_before(back), amount = amount, currency = "mxn", count_trips = 6,
    }
    if not change or change(row, back) ~= false then
      rows[#rows + 1] = row
    end
  end
  return rows
end

describe("palenca income and palenca decide", function()
  local directory, clear, rule

  setup(function()
    directory, clear = process.directory()
    rule = directory .. "/rule.lua"
    process.write_file(rule, 'return { version = "spec-1" }\n')
  end)

  teardown(function()
    clear()
  end)

  local function write_rows(rows, as_lines)
    local path = directory .. "/rows.json"
    local texts = {}
    for at, row in ipairs(rows) do
      texts[at] = cjson.encode(row)
    end
    local text = as_lines and table.concat(texts, "\n") or "[" .. table.concat(texts, ",") .. "]"
    process.write_file(path, text)
    return path
  end

  local function income(rows, ...)
    return palenca({ "income", "--rows", write_rows(rows), "--as-of", LAST, ... })
  end

  local function decide(rows, ...)
    return palenca({
      "decide", "--rows", write_rows(rows), "--as-of", LAST, "--rule", rule,
      "--installment", "3000.00", ...,
    })
  end

  it("computes an income from a JSON array and from JSON lines alike", function()
    local rows = daily(60, 500)
    local status, out, err = income(rows, "--json")
    assert.are.equal(0, status, err)
    local object = cjson.decode(out)
    assert.are.equal("15208.33", object.monthly_income)
    assert.are.equal(LAST, object.as_of)
    local _, lines = palenca({
      "income", "--rows", write_rows(rows, true), "--as-of", LAST, "--json",
    })
    assert.are.equal(out, lines)
  end)

  it("writes figures with a word on each, and weeks and months with their ranges", function()
    for language, words in pairs({
      en = { "As of 2026%-03%-31", "Monthly income +15208%.33  %S", "2026%-03%-01  2026%-03%-31" },
      es = { "Al 2026%-03%-31", "Ingreso mensual +15208%.33  %S", "2026%-03%-01  2026%-03%-31" },
      pt = { "Até 2026%-03%-31", "Renda mensal +15208%.33  %S", "2026%-03%-01  2026%-03%-31" },
    }) do
      local status, out = income(daily(60, 500), "--lang", language)
      assert.are.equal(0, status)
      for _, word in ipairs(words) do
        assert.truthy(out:find(word), out)
      end
    end
  end)

  it("says that it counts up to yesterday without --as-of", function()
    local status, out = palenca({ "income", "--rows", write_rows(daily(3, 500)) })
    assert.are.equal(0, status)
    assert.truthy(out:find("^As of %d%d%d%d%-%d%d%-%d%d %(yesterday%)\n"), out)
  end)

  it("merges the accounts that the rows of a file name", function()
    local rows = daily(60, 300, function(row)
      row.account, row.platform = "one", "uber"
    end)
    for _, row in ipairs(daily(60, 200)) do
      row.account, row.platform = "two", "rappi"
      rows[#rows + 1] = row
    end
    local status, out, err = income(rows, "--json")
    assert.are.equal(0, status, err)
    local object = cjson.decode(out)
    assert.are.equal("15208.33", object.monthly_income)
    assert.are.equal("18000.00", object.platforms.uber.total)
    assert.are.equal("12000.00", object.platforms.rappi.total)
    assert.are.same({}, object.problems)
  end)

  local outcomes = {
    { 0, "approve", daily(60, 500) },
    { 3, "refer", daily(60, 500, function(row, back)
      row.amount = back < 28 and 300 or 500
    end) },
    { 4, "decline", daily(60, 100) },
    { 4, "decline", daily(90, 500, function(_, back)
      return back > 20 -- nothing for three weeks
    end) },
    { 5, "undecidable", daily(20, 400) },
  }
  for at, case in ipairs(outcomes) do
    it("exits with " .. case[1] .. " for " .. case[2] .. ", case " .. at, function()
      local status, out, err = decide(case[3], "--json")
      assert.are.equal(case[1], status, err .. out)
      assert.are.equal(case[2], cjson.decode(out).verdict.outcome)
      local same, text = decide(case[3])
      assert.are.equal(case[1], same)
      assert.truthy(text:find("For the worker: %S"), text)
    end)
  end

  it("takes obligations off what can be paid", function()
    local rows = daily(60, 500)
    assert.are.equal(0, (decide(rows, "--obligations", "1562.50")))
    assert.are.equal(4, (decide(rows, "--obligations", "1562.51")))
    assert.are.equal(0, (decide(rows, "--currency", "MXN")))
    assert.are.equal(5, (decide(rows, "--currency", "cop")))
    assert.are.equal(2, (decide(rows, "--currency", "pesos")))
  end)

  it("says reasons with value and limit in three languages", function()
    for language, texts in pairs({
      es = { "es de 3\u{202f}000.00 MXN; el máximo es de 912.50 MXN.",
        "hasta 912.50 MXN al mes." },
      pt = { "é de 3.000,00 MXN; a máxima é de 912,50 MXN.", "até 912,50 MXN por mês." },
      en = { "is 3,000.00 MXN; the highest is 912.50 MXN.", "up to 912.50 MXN a month." },
    }) do
      local _, out = decide(daily(60, 100), "--lang", language)
      for _, text in ipairs(texts) do
        assert.truthy(out:find(text, 1, true), out)
      end
    end
  end)

  it("says what was decided on", function()
    for language, text in pairs({
      es = "Se evaluó un pago mensual de 3\u{202f}000.00 MXN, con otras obligaciones de "
        .. "1\u{202f}200.50 MXN al mes, según los ingresos hasta el 2026-03-31 y la regla "
        .. "spec-1.",
      pt = "Foi avaliada uma parcela mensal de 3.000,00 MXN, com outras obrigações de "
        .. "1.200,50 MXN por mês, conforme a renda até 2026-03-31 e a regra spec-1.",
      en = "Assessed: a monthly installment of 3,000.00 MXN, with other obligations of "
        .. "1,200.50 MXN a month, on the income up to 2026-03-31, by rule spec-1.",
    }) do
      local _, out = decide(daily(60, 500), "--lang", language, "--obligations", "1200.5")
      assert.truthy(out:find("\n\n" .. text .. "\n\n", 1, true), out)
      local _, page = palenca({ "report", "--rows", write_rows(daily(60, 500)), "--as-of", LAST,
        "--rule", rule, "--installment", "3000.00", "--obligations", "1200.5", "--lang", language })
      assert.truthy(page:find("<p>" .. text .. "</p>", 1, true), page)
    end
    local _, out = decide(daily(60, 500), "--json", "--currency", "COP")
    assert.are.same({ installment = "3000.00", obligations = "0", currency = "cop" },
      cjson.decode(out).request)
    _, out = decide(daily(60, 500), "--json")
    assert.are.equal("mxn", cjson.decode(out).request.currency)
    -- nothing is known of any currency
    assert.truthy(select(2, decide({})):find("installment of 3,000.00, with other obligations of "
      .. "0.00 a month", 1, true))
  end)

  it("names the accounts of an income, and shows the amounts that one lacks", function()
    local rows = daily(60, 300, function(row)
      row.account, row.platform = "one", "uber"
    end)
    for _, row in ipairs(daily(60, 200, function(row, back)
      row.account, row.platform = "two", "rappi"
      row.amount = back ~= 9 and row.amount or nil
    end)) do
      rows[#rows + 1] = row
    end
    local _, out = income(rows)
    assert.truthy(out:find("As of 2026-03-31\nAccount: uber one\nAccount: rappi two\n\n", 1,
      true), out)
    local _, page = palenca({ "report", "--rows", write_rows(rows), "--as-of", LAST, "--rule", rule,
      "--installment", "3000.00" })
    local note = "Records without an amount on days with other amounts: 1 (rappi: 1). They count "
      .. "as nothing: the income may be higher."
    assert.truthy(out:find("\n- " .. note .. "\n", 1, true), out)
    assert.truthy(select(2, decide(rows)):find("\n- " .. note .. "\n", 1, true))
    assert.truthy(page:find("<p>" .. note .. "</p>", 1, true), page)
    assert.truthy(page:find("<li>" .. note .. "</li>", 1, true), page)
  end)

  local wrong = {
    { { "income" }, "missing argument 'ACCOUNT', or %-%-rows FILE" },
    { { "income", "an-account", "--rows", "x" }, "only one can be meant" },
    { { "income", "foo" }, "^palenca: 'foo' is not an id, such as cb39ee15%-[%x-]+\n" },
    { { "income", "--rows", "x", "--as-of", "2026-02-30" }, "'2026%-02%-30' is not a date" },
    { { "income", "--rows", "x", "--as-of", "2026-02-01", "--since", "2026-02-02" },
      "%-%-since %(2026%-02%-02%) is after" },
    { { "income", "--rows", "x", "--lang", "fr" }, "'fr' is not es, pt or en" },
    { { "decide", "--rows", "x", "--installment", "1" }, "missing option %-%-rule" },
    { { "decide", "--rows", "x", "--rule", "r" }, "missing option %-%-installment" },
    { { "decide", "--rows", "x", "--rule", "r", "--installment", "-1" }, "." },
    { { "decide", "--rows", "x", "--rule", "r", "--installment", "1e3" },
      "'1e3' is not an amount" },
    { { "decide", "--rows", "x", "--rule", "r", "--installment", "900.000" },
      "%-%-installment: '900%.000' has three decimals; write 900000 or 900%.00\n" },
    { { "decide", "--rows", "x", "--rule", "r", "--installment", "1", "--obligations", "1.505" },
      "%-%-obligations: '1%.505' has three decimals; write 1505, or at most 2 decimals\n" },
    { { "report", "--rows", "x", "--rule", "r", "--installment", "1.500", "--currency", "cop" },
      "%-%-installment: '1%.500' has three decimals; write 1500 or 1%.50\n" },
    { { "decide", "--rows", "x", "--rule", "r", "--installment", "0" }, "'0' is not above 0" },
    { { "decide", "--rows", "x", "--rule", "r", "--installment", "0.00" }, "is not above 0" },
    { { "decide", "--rows", "x", "--rule", "r", "--installment=-5" }, "'%-5' is not above 0" },
  }
  helper.it_rejects(wrong)

  local unreadable = {
    { "nothing", nil, "No such file" },
    { "no JSON", "[{]", "rows.json" },
    { "a line that is no JSON", '{"earning_date":"2026-03-01"}\n{"earning', "line 2" },
    { "a row that is no object", "[1]", "row 1: not an object" },
    { "an account that is a number", '{"account":1}', "row 1: account must be a text" },
    { "a date of no calendar", '{"earning_date":"2026-02-30","amount":1,"currency":"mxn"}',
      "earning_date" },
    { "an amount of 16 digits", '{"earning_date":"2026-02-03","amount":99999999999999.25,'
      .. '"currency":"mxn"}', "amount" },
  }
  for _, case in ipairs(unreadable) do
    it("fails with one line at " .. case[1], function()
      local path = directory .. "/bad_rows.json"
      os.remove(path)
      if case[2] then
        process.write_file(path, case[2])
      end
      local status, out, err = palenca({ "income", "--rows", path, "--as-of", LAST })
      assert.are.equal(1, status)
      assert.are.equal("", out)
      assert.truthy(err:find(case[3], 1, true), err)
      assert.truthy(err:find("^palenca: [^\n]+\n$"), err)
      assert.is_nil(err:find("%.lua:%d"), err)
    end)
  end

  it("fails when the rule cannot be used", function()
    local bad = directory .. "/bad_rule.lua"
    for text, problem in pairs({
      ["return { version = 1, max_gaps = 3 }"] = "max_gaps",
      ["return { version = 1, ratio = 2 }"] = "ratio",
      ["os.exit(0)"] = "os",
      ["return {"] = "bad_rule.lua",
    }) do
      process.write_file(bad, text)
      local status, out, err = palenca({
        "decide", "--rows", write_rows(daily(60, 500)), "--rule", bad, "--installment", "1",
      })
      assert.are.equal(1, status, text)
      assert.are.equal("", out)
      assert.truthy(err:find(problem, 1, true), err)
    end
  end)

  it("fails when the result cannot be written", function()
    local path = write_rows(daily(60, 500))
    local status, _, err = process.run("/bin/sh", {
      "-c", 'exec "$0" decide --rows "$1" --rule "$2" --installment 1 --as-of "$3" > /dev/full',
      process.program(), path, rule, LAST,
    })
    assert.are.equal(1, status)
    assert.truthy(err:find("palenca: [^\n]*[Ss]pace"), err)
  end)
end)
