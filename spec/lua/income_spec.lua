-- Checks the income module: exact sums, months, the lender's figures and what it refuses.
local income = require("palenca.income")

local function row(date, amount, trips, cash, currency)
  return {
    earning_date = date,
    amount = amount,
    currency = currency or "mxn",
    count_trips = trips,
    cash_amount = cash,
  }
end

local function shuffled(rows)
  local copy = {}
  for index, item in ipairs(rows) do
    copy[index] = item
  end
  for index = #copy, 2, -1 do
    local other = math.random(index)
    copy[index], copy[other] = copy[other], copy[index]
  end
  return copy
end

local function minor_of(amount, currency)
  return income.summarize({ row("2025-03-14", amount, nil, nil, currency) }).total_minor
end

local function refusal(...)
  local ok, message = pcall(income.summarize, ...)
  assert.is_false(ok)
  return message
end

local function month_names(summary)
  local names = {}
  for index, month in ipairs(summary.months) do
    names[index] = month.month
  end
  return table.concat(names, " ")
end

-- Worked out by hand: 1500.25 + 1200.30 + 1350.45 = 4051.00; a third is 1350.33..;
-- 3 x 1200.30 / 4051.00 = 88.88.. %; 30 % of 1350.33 is 405.099; 100 / 4051 = 2.46.. %.
local function worker()
  return {
    row("2025-03-31", 450.40, 7, 100.0),
    row("2025-03-01", 900.05, 9),
    row("2025-02-11", 0.30, 1),
    row("2025-02-10", 1200, 12),
    row("2025-01-31", 500.15, 5),
    row("2025-01-01", 1000.10),
  }
end

describe("palenca.income", function()
  describe("a worker worked out by hand", function()
    local summary = income.summarize(worker())

    it("has the exact total", function()
      assert.equal(405100, summary.total_minor)
      assert.equal("4051.00", summary.total)
      assert.equal("mxn", summary.currency)
    end)

    it("has its months, oldest first", function()
      assert.same({
        {
          month = "2025-01", total_minor = 150025, total = "1500.25", days = 2,
          days_without_amount = 0, trips = 5, active = true, partial = false, counted = true,
        },
        {
          month = "2025-02", total_minor = 120030, total = "1200.30", days = 2,
          days_without_amount = 0, trips = 13, active = true, partial = false, counted = true,
        },
        {
          month = "2025-03", total_minor = 135045, total = "1350.45", days = 2,
          days_without_amount = 0, trips = 16, active = true, partial = false, counted = true,
          cash_minor = 10000, cash = "100.00",
        },
      }, summary.months)
    end)

    it("has the lender's figures", function()
      assert.equal(135033, summary.average_month_minor)
      assert.equal("1350.33", summary.average_month)
      assert.equal(3, summary.active_months)
      assert.equal(3, summary.counted_months)
      assert.equal(summary.months[2], summary.lowest_month)
      assert.equal(88.8, summary.consistency)
      assert.is_true(summary.verifiable)
      assert.equal(40509, summary.max_installment_minor)
      assert.equal("405.09", summary.max_installment)
    end)

    it("has trips, cash, days and dates", function()
      assert.equal(34, summary.trips)
      assert.equal(10000, summary.cash_minor)
      assert.equal("100.00", summary.cash)
      assert.equal(2.4, summary.cash_share)
      assert.equal(6, summary.days)
      assert.equal(6, summary.rows)
      assert.equal(0, summary.rows_outside_period)
      assert.equal(0, summary.days_without_amount)
      assert.equal(0, summary.repeated_days)
      assert.equal(0, summary.rounded_rows)
      assert.equal("2025-01-01", summary.first_date)
      assert.equal("2025-03-31", summary.last_date)
    end)

    it("has the same fields under its currency", function()
      for name, value in pairs(summary.currencies.mxn) do
        assert.same(value, summary[name], name)
      end
      assert.is_nil(next(summary.currencies, "mxn"))
    end)
  end)

  describe("reading an amount", function()
    it("takes the decimal that the shortest text names", function()
      for text, minor in pairs({
        ["179.0"] = 17900, ["246"] = 24600, ["4.35"] = 435, ["1.1"] = 110, ["0.07"] = 7,
        ["0.29"] = 29, ["1.15"] = 115, ["8.2"] = 820, ["1e3"] = 100000, ["0.01"] = 1,
        ["1234567.89"] = 123456789, ["9999999999999.99"] = 999999999999999,
        ["-4.35"] = -435, ["0"] = 0, ["-0.0"] = 0, ["100"] = 10000, ["1e-2"] = 1,
      }) do
        local summary = income.summarize({ row("2025-03-14", tonumber(text)) })
        assert.equal(minor, summary.total_minor, text)
        assert.equal(0, summary.rounded_rows, text)
      end
    end)

    it("rounds finer fractions half away from zero and counts the rows", function()
      for text, minor in pairs({
        ["1.005"] = 101, ["10.005"] = 1001, ["1.0049"] = 100, ["-1.005"] = -101,
        ["0.005"] = 1, ["0.0049"] = 0, ["0.0005"] = 0, ["1e-300"] = 0, ["0.995"] = 100,
        ["2.675"] = 268, ["-0.001"] = 0, ["0.125"] = 13,
      }) do
        local summary = income.summarize({ row("2025-03-14", tonumber(text)) })
        assert.equal(minor, summary.total_minor, text)
        assert.equal(1, summary.rounded_rows, text)
      end
      local noisy = income.summarize({ row("2025-03-14", 0.1 + 0.2) })
      assert.equal(30, noisy.total_minor)
      assert.equal(1, noisy.rounded_rows)
    end)

    it("counts a row once when amount and cash are both rounded", function()
      local summary = income.summarize({ row("2025-03-14", 1.005, 1, 0.333) })
      assert.equal(1, summary.rounded_rows)
      assert.equal(33, summary.cash_minor)
    end)

    it("reads every cent below a thousand back", function()
      for cents = 0, 99999 do
        if minor_of(cents / 100) ~= cents then
          error(("%d cents"):format(cents))
        end
      end
    end)

    it("knows the currencies without cents", function()
      assert.equal(15000, minor_of(15000.0, "clp"))
      assert.equal(250000, minor_of(250000, "PYG"))
      local summary = income.summarize({ row("2025-03-14", 1234.5, nil, nil, "clp") })
      assert.equal(1235, summary.total_minor)
      assert.equal("1235", summary.total)
      assert.equal(1, summary.rounded_rows)
      assert.equal(123450, minor_of(1234.5, "xyz"))
    end)

    it("gives integers where the Lua has them", function()
      if math.type then
        local summary = income.summarize(worker())
        for _, name in ipairs({
          "total_minor", "average_month_minor", "max_installment_minor", "trips", "cash_minor",
        }) do
          assert.equal("integer", math.type(summary[name]), name)
        end
        assert.equal("integer", math.type(
          income.summarize({ row("2025-01-01", 1.5, 6.0) }).trips))
      end
    end)

    it("never gives a negative zero", function()
      local summary = income.summarize({ row("2025-03-14", -0.0), row("2025-03-15", -0.001) })
      assert.equal("0.00", summary.total)
      assert.is_true(1 / summary.total_minor > 0)
    end)
  end)

  describe("sums of random rows", function()
    local function random_rows(count)
      local rows, cents, trips = {}, 0, 0
      for index = 1, count do
        local amount = math.random(-5000, 2000000)
        local rides = math.random(0, 30)
        cents, trips = cents + amount, trips + rides
        rows[index] = row(("2025-%02d-%02d"):format(math.random(12), math.random(28)),
          amount / 100, rides)
      end
      return rows, cents, trips
    end

    it("equal the sum of their cents", function()
      for _ = 1, 200 do
        local rows, cents, trips = random_rows(math.random(60))
        local summary = income.summarize(rows)
        local by_month, days = 0, 0
        for _, month in ipairs(summary.months) do
          by_month, days = by_month + month.total_minor, days + month.days
        end
        assert.equal(cents, summary.total_minor)
        assert.equal(cents, by_month)
        assert.equal(trips, summary.trips)
        assert.equal(summary.days, days)
        assert.equal(#rows, summary.days + summary.repeated_days)
        assert.equal(0, summary.rounded_rows)
      end
    end)

    it("do not depend on the order of the rows", function()
      for _ = 1, 50 do
        local rows = random_rows(40)
        assert.same(income.summarize(rows), income.summarize(shuffled(rows)))
      end
    end)

    it("have an average and a consistency that the sums bear out", function()
      for _ = 1, 200 do
        local rows = {}
        for index = 1, math.random(12) do
          rows[index] = row(("2025-%02d-10"):format(index), math.random(2000000) / 100)
        end
        local summary = income.summarize(rows)
        local total, count = summary.total_minor, #rows
        local average = summary.average_month_minor
        assert.is_true(average * count <= total and (average + 1) * count > total)
        local tenths = math.floor(summary.consistency * 10 + 0.5)
        local part = summary.lowest_month.total_minor * count * 1000
        assert.is_true(tenths * total <= part and (tenths + 1) * total > part)
      end
    end)

    it("leave the rows as they were", function()
      local rows = worker()
      income.summarize(rows, { full_months_only = true })
      assert.same(worker(), rows)
    end)
  end)

  describe("sums too large to be exact", function()
    -- 9 x 9999999999999.99 + 71992547410.00 = 90071992547409.91, which is 2^53 - 1 cents.
    local function largest()
      local rows = { row("2025-03-10", 71992547410) }
      for day = 1, 9 do
        rows[day + 1] = row(("2025-03-%02d"):format(day), 9999999999999.99)
      end
      return rows
    end

    it("go up to 2^53 - 1", function()
      local summary = income.summarize(largest())
      assert.equal("90071992547409.91", summary.total)
      assert.equal("90071992547409.91", summary.average_month)
      assert.equal(100, summary.consistency)
      assert.equal("27021597764222.97", summary.max_installment)
    end)

    it("are refused beyond it", function()
      local rows = largest()
      rows[#rows + 1] = row("2025-03-11", 0.01)
      assert.matches("too large", refusal(rows))
    end)

    it("begin with a single amount of which a double cannot tell the cents", function()
      assert.matches("earnings%[1%]%.amount", refusal({ row("2025-03-01", 10000000000000) }))
      assert.matches("earnings%[1%]%.amount", refusal({ row("2025-03-01", -1e13) }))
      assert.matches("earnings%[1%]%.amount", refusal({ row("2025-03-01", 1e15, 1, nil, "clp") }))
      assert.equal(999999999999999, minor_of(999999999999999, "clp"))
    end)
  end)

  describe("null", function()
    it("is not zero", function()
      local summary = income.summarize({
        row("2025-03-01", nil, 4), row("2025-03-02", 0, 0), row("2025-03-03", 10),
      })
      assert.equal(2, summary.days)
      assert.equal(1, summary.days_without_amount)
      assert.equal(1, summary.months[1].days_without_amount)
      assert.equal(4, summary.trips)
      assert.equal("10.00", summary.total)
    end)

    it("leaves trips and cash unknown when no row tells them", function()
      local summary = income.summarize({ row("2025-03-01", 10) })
      assert.is_nil(summary.trips)
      assert.is_nil(summary.cash_minor)
      assert.is_nil(summary.cash)
      assert.is_nil(summary.cash_share)
      assert.is_nil(summary.months[1].trips)
    end)

    it("differs from no cash at all", function()
      local summary = income.summarize({ row("2025-03-01", 10, nil, 0) })
      assert.equal(0, summary.cash_minor)
      assert.equal(0, summary.cash_share)
    end)

    it("in the amount keeps its cash out of the share", function()
      local summary = income.summarize({
        row("2025-03-01", 10, nil, 5), row("2025-03-02", nil, nil, 3),
      })
      assert.equal(500, summary.cash_minor)
      assert.equal(50, summary.cash_share)
    end)

    it("in a whole month makes it unknown, not a month of zero", function()
      local summary = income.summarize({
        row("2025-01-15", 100), row("2025-02-15", nil, 3), row("2025-03-15", 50),
      })
      assert.is_false(summary.months[2].counted)
      assert.is_false(summary.months[2].active)
      assert.equal(2, summary.counted_months)
      assert.equal("75.00", summary.average_month)
      assert.equal("2025-03", summary.lowest_month.month)
    end)
  end)

  describe("months", function()
    it("without rows between others count as zero", function()
      local summary = income.summarize({ row("2024-11-05", 90), row("2025-02-05", 60) })
      assert.equal("2024-11 2024-12 2025-01 2025-02", month_names(summary))
      assert.same({
        month = "2024-12", total_minor = 0, total = "0.00", days = 0, days_without_amount = 0,
        active = false, partial = false, counted = true,
      }, summary.months[2])
      assert.equal(2, summary.active_months)
      assert.equal("37.50", summary.average_month)
      assert.equal("2024-12", summary.lowest_month.month)
      assert.equal(0, summary.consistency)
      assert.is_false(summary.verifiable)
    end)

    it("are partial where the rows begin or end, without a period", function()
      local summary = income.summarize({
        row("2025-01-02", 1), row("2025-02-15", 1), row("2025-03-30", 1),
      })
      assert.is_true(summary.months[1].partial)
      assert.is_false(summary.months[2].partial)
      assert.is_true(summary.months[3].partial)
    end)

    it("are partial where the period begins or ends", function()
      local rows = { row("2025-01-20", 1), row("2025-03-02", 1) }
      local function partial(first, last)
        local summary = income.summarize(rows, { start_date = first, end_date = last })
        return { summary.months[1].partial, summary.months[3].partial }
      end
      assert.same({ false, false }, partial("2025-01-01", "2025-03-31"))
      assert.same({ true, true }, partial("2025-01-02", "2025-03-30"))
      assert.same({ false, false }, partial("2024-06-15", "2025-05-15"))
    end)

    it("end with the leap day", function()
      local function partial(last)
        return income.summarize({ row(last, 1) }, { start_date = last:sub(1, 8) .. "01" })
          .months[1].partial
      end
      assert.is_false(partial("2024-02-29"))
      assert.is_true(partial("2024-02-28"))
      assert.is_false(partial("2025-02-28"))
      assert.is_false(partial("2000-02-29"))
      assert.is_false(partial("2100-02-28"))
    end)

    it("leave rows outside of the period out and count them", function()
      local summary = income.summarize(worker(), {
        start_date = "2025-01-31", end_date = "2025-02-10",
      })
      assert.equal("1700.15", summary.total)
      assert.equal(2, summary.rows)
      assert.equal(4, summary.rows_outside_period)
    end)

    it("run on to the end of the period when asked to", function()
      local rows = { row("2025-01-20", 30) }
      assert.equal("2025-01", month_names(income.summarize(rows, { end_date = "2025-03-15" })))
      local summary = income.summarize(rows, { end_date = "2025-03-15", until_end_date = true })
      assert.equal("2025-01 2025-02 2025-03", month_names(summary))
      assert.is_true(summary.months[3].partial)
      assert.equal("10.00", summary.average_month)
    end)

    it("that are partial can be left out of the figures", function()
      local summary = income.summarize(worker(), {
        start_date = "2025-01-01", end_date = "2025-03-31", full_months_only = true,
      })
      assert.equal(3, summary.counted_months)
      summary = income.summarize(worker(), { end_date = "2025-04-02", full_months_only = true,
        start_date = "2025-01-02" })
      assert.equal("2025-01", summary.months[1].month)
      assert.is_false(summary.months[1].counted)
      assert.equal(2, summary.counted_months)
      assert.equal(2, summary.active_months)
      assert.equal("1275.37", summary.average_month)
      assert.equal("3050.90", summary.total)
      assert.is_false(summary.verifiable)
    end)

    it("may all be left out", function()
      local summary = income.summarize({ row("2025-01-15", 10) }, { full_months_only = true })
      assert.equal(0, summary.counted_months)
      assert.is_nil(summary.average_month)
      assert.is_nil(summary.lowest_month)
      assert.is_nil(summary.consistency)
      assert.equal(0, summary.max_installment_minor)
      assert.equal("10.00", summary.total)
    end)

    it("accept a date with a time", function()
      local summary = income.summarize({ row("2025-01-15T00:00:00", 10) })
      assert.equal("2025-01-15", summary.first_date)
    end)
  end)

  describe("negative amounts", function()
    it("are summed like others", function()
      local summary = income.summarize({ row("2025-01-01", 100), row("2025-01-02", -30.5) })
      assert.equal("69.50", summary.total)
    end)

    it("round the average down and give no instalment", function()
      local summary = income.summarize({
        row("2025-01-01", -0.01), row("2025-02-01", 0), row("2025-03-01", -0.01),
      })
      assert.equal(-1, summary.average_month_minor)
      assert.equal("-0.01", summary.average_month)
      assert.is_nil(summary.consistency)
      assert.is_nil(summary.cash_share)
      assert.equal(0, summary.max_installment_minor)
      assert.is_false(summary.verifiable)
    end)

    it("make a consistency of 0, not below", function()
      local summary = income.summarize({ row("2025-01-01", 100), row("2025-02-01", -10) })
      assert.equal(0, summary.consistency)
      assert.equal(-1000, summary.lowest_month.total_minor)
      assert.is_false(summary.months[2].active)
    end)
  end)

  describe("currencies", function()
    it("are never added", function()
      local summary = income.summarize({
        row("2025-01-01", 100), row("2025-01-01", 5000, 3, nil, "clp"), row("2025-03-01", 1),
        row("2025-03-01", nil, 2, nil, "clp"),
      })
      assert.equal("101.00", summary.currencies.mxn.total)
      assert.equal("5000", summary.currencies.clp.total)
      assert.equal(5, summary.currencies.clp.trips)
      assert.is_nil(summary.total)
      assert.is_nil(summary.months)
      assert.is_nil(summary.verifiable)
      assert.is_nil(summary.currency)
      assert.equal(4, summary.rows)
      assert.equal(1, summary.days_without_amount)
      assert.equal(0, summary.repeated_days)
    end)

    it("are the same in either case", function()
      local summary = income.summarize({
        row("2025-01-01", 1, nil, nil, "MXN"), row("2025-01-02", 1, nil, nil, "mxn"),
      })
      assert.equal("2.00", summary.total)
    end)

    it("that no row names are unknown, or as the options say", function()
      local rows = { { earning_date = "2025-01-01", amount = 1.5 }, row("2025-01-02", 2) }
      local summary = income.summarize(rows)
      assert.equal("1.50", summary.currencies.unknown.total)
      assert.equal("2.00", summary.currencies.mxn.total)
      assert.is_nil(summary.total)
      assert.equal("3.50", income.summarize(rows, { currency = "MXN" }).total)
      rows[1].currency = ""
      assert.equal("1.50", income.summarize(rows).currencies.unknown.total)
    end)

    it("are not needed by a row without an amount", function()
      local bare = { earning_date = "2025-01-03", count_trips = 2 }
      local summary = income.summarize({ row("2025-01-02", 2, 1), bare })
      assert.equal("2.00", summary.total)
      assert.equal(3, summary.trips)
      assert.equal(1, summary.days_without_amount)
      local other = row("2025-01-02", 2, 1, nil, "brl")
      summary = income.summarize({ row("2025-01-02", 2), bare, other })
      assert.equal(1, summary.days_without_amount)
      assert.equal(3, summary.rows)
      assert.is_nil(summary.currencies.unknown)
    end)
  end)

  describe("no rows", function()
    it("make an empty summary that can be read like any other", function()
      local summary = income.summarize({})
      assert.same({}, summary.months)
      assert.same({}, summary.currencies)
      assert.equal(0, summary.rows)
      assert.equal(0, summary.total_minor)
      assert.equal("0.00", summary.total)
      assert.equal(0, summary.active_months)
      assert.equal(0, summary.max_installment_minor)
      assert.is_false(summary.verifiable)
      assert.is_nil(summary.currency)
      assert.is_nil(summary.average_month_minor)
      assert.is_nil(summary.consistency)
    end)

    it("are not made up by rows that tell nothing", function()
      local summary = income.summarize({ { earning_date = "2025-01-03" } })
      assert.same({}, summary.currencies)
      assert.equal(1, summary.rows)
      assert.equal(1, summary.days_without_amount)
      assert.same({}, summary.months)
    end)
  end)

  it("sums and counts two rows for one day", function()
    local summary = income.summarize({ row("2025-01-03", 1), row("2025-01-03", 1) })
    assert.equal("2.00", summary.total)
    assert.equal(1, summary.days)
    assert.equal(1, summary.repeated_days)
  end)

  describe("the verdict", function()
    local function months(...)
      local rows = {}
      for index, amount in ipairs({ ... }) do
        rows[index] = row(("2025-%02d-01"):format(index), amount)
      end
      return rows
    end

    it("wants three active months", function()
      assert.is_false(income.summarize(months(100, 100)).verifiable)
      assert.is_true(income.summarize(months(100, 100, 100)).verifiable)
      assert.is_true(income.summarize(months(100, 100), { min_active_months = 2 }).verifiable)
    end)

    it("wants 60 percent, exactly", function()
      local summary = income.summarize(months(60, 100, 140))
      assert.equal(60, summary.consistency)
      assert.is_true(summary.verifiable)
      summary = income.summarize(months(59.99, 100, 140.01))
      assert.equal(59.9, summary.consistency)
      assert.is_false(summary.verifiable)
      assert.is_true(income.summarize(months(59.99, 100, 140.01),
        { min_consistency = 59.9 }).verifiable)
    end)

    it("takes the share of the instalment from the options", function()
      local summary = income.summarize(months(0.99), { installment_percent = 33.3 })
      assert.equal(32, summary.max_installment_minor)
      assert.equal("0.29", income.summarize(months(0.99)).max_installment)
      assert.equal("0.99",
        income.summarize(months(0.99), { installment_percent = 100 }).max_installment)
    end)
  end)

  describe("a pager's report", function()
    it("that is complete is carried over", function()
      local summary = income.summarize(worker(), { report = { complete = true } })
      assert.is_true(summary.complete)
      assert.is_true(summary.verifiable)
      assert.is_nil(income.summarize(worker()).complete)
    end)

    it("that is incomplete is refused", function()
      assert.matches("incomplete", refusal(worker(), { report = { complete = false } }))
      assert.matches("incomplete", refusal({}, {
        report = { complete = false }, allow_incomplete = false,
      }))
    end)

    it("that is incomplete is carried over when allowed, and never verifiable", function()
      local summary = income.summarize(worker(), {
        report = { complete = false }, allow_incomplete = true,
      })
      assert.is_false(summary.complete)
      assert.is_false(summary.verifiable)
      assert.equal("4051.00", summary.total)
    end)

    it("must be a report", function()
      assert.matches("report%.complete", refusal({}, { report = {} }))
      assert.matches("options%.report", refusal({}, { report = "complete" }))
    end)
  end)

  describe("mistakes in the calling code", function()
    it("name the row and the field", function()
      local good = row("2025-01-01", 1)
      for field, values in pairs({
        amount = { "179.0", true, 0 / 0, 1 / 0, -1 / 0 },
        cash_amount = { "1", {}, 0 / 0 },
        count_trips = { "6", 1.5, -1, 1 / 0, 0 / 0 },
        currency = { 5, true },
        earning_date = { 20250101, "yesterday", "2025-13-01", "2025-02-29", "2025-00-10",
          "2025-01-00", "2025-04-31", "2025-1-1", "2025-01-011", "" },
      }) do
        for _, value in ipairs(values) do
          local bad = row("2025-01-02", 1)
          bad[field] = value
          assert.matches("earnings%[2%]%." .. field, refusal({ good, bad }))
        end
      end
      assert.matches("earnings%[2%]%.earning_date", refusal({ good, { amount = 1 } }))
      assert.matches("earnings%[2%]: ", refusal({ good, 5 }))
    end)

    it("in the rows themselves are told", function()
      assert.matches("array", refusal(nil))
      assert.matches("array", refusal("rows"))
      assert.matches("array", refusal({ rows = {} }))
      assert.matches("array", refusal({ [2] = row("2025-01-01", 1) }))
    end)

    it("in the options are told", function()
      for name, values in pairs({
        start_date = { 5, "soon", "2025-02-30" },
        end_date = { 5, "soon" },
        full_months_only = { 1 },
        allow_incomplete = { "yes" },
        currency = { 5 },
        min_consistency = { "60", -1, 101, 59.99, 0 / 0 },
        installment_percent = { 30.05, -1, {} },
        min_active_months = { 2.5, -1, 0 / 0 },
      }) do
        for _, value in ipairs(values) do
          assert.matches("options%." .. name, refusal({}, { [name] = value }))
        end
      end
      assert.matches("unknown option", refusal({}, { starts = "2025-01-01" }))
      assert.matches("options: ", refusal({}, "2025-01-01"))
      assert.matches("until_end_date", refusal({}, { until_end_date = true }))
      assert.matches("after", refusal({}, { start_date = "2025-02-01", end_date = "2025-01-01" }))
    end)
  end)

  describe("format", function()
    it("writes exact decimals", function()
      assert.equal("1234.50", income.format(123450, "mxn"))
      assert.equal("0.05", income.format(5, "mxn"))
      assert.equal("-0.05", income.format(-5, "mxn"))
      assert.equal("-12.30", income.format(-1230))
      assert.equal("0.00", income.format(0, "brl"))
      assert.equal("1234", income.format(1234, "CLP"))
      assert.equal("-7", income.format(-7, "pyg"))
      assert.equal("90071992547409.91", income.format(9007199254740991, "mxn"))
      assert.equal("-90071992547409.91", income.format(-9007199254740991, "mxn"))
      assert.equal("0.00", income.format(-0.0))
      assert.equal("1.00", income.format(100.0))
    end)

    it("reads back as the same cents", function()
      for _ = 1, 2000 do
        local cents = math.random(-1000000000, 1000000000)
        assert.equal(cents, minor_of(tonumber(income.format(cents, "mxn"))))
      end
    end)

    it("refuses what is not minor units", function()
      for _, bad in ipairs({ 1.5, "100", 2 ^ 53, -2 ^ 53, 1 / 0, 0 / 0, {} }) do
        assert.has_error(function() income.format(bad, "mxn") end)
      end
      assert.has_error(function() income.format(nil) end)
      assert.has_error(function() income.format(1, 2) end)
    end)
  end)

  describe("table", function()
    it("writes the months with numbers aligned to the right", function()
      assert.equal(table.concat({
        "month    days  trips    cash      mxn",
        "2025-01     2      5       -  1500.25",
        "2025-02     2     13       -  1200.30",
        "2025-03     2     16  100.00  1350.45",
        "total       6     34  100.00  4051.00",
      }, "\n"), income.table(income.summarize(worker())))
    end)

    it("marks partial months, and tells unknown from zero", function()
      assert.equal(table.concat({
        "month     days  trips  cash    mxn",
        "2025-01*     1      -     -  10.00",
        "2025-02      0      -     -      -",
        "2025-03      0      -     -   0.00",
        "2025-04*     1      3     -   5.50",
        "total        2      3     -  15.50",
        "* part of the month",
      }, "\n"), income.table(income.summarize({
        row("2025-01-20", 10), row("2025-02-01"), row("2025-04-02", 5.5, 3),
      })))
    end)

    it("writes one table a currency", function()
      local text = income.table(income.summarize({
        row("2025-01-01", 100), row("2025-01-31", 5000, 3, nil, "clp"),
      }))
      local clp, mxn = text:find("clp", 1, true), text:find("mxn", 1, true)
      assert.is_true(clp < mxn)
      assert.matches("5000\n\nmonth", text)
    end)

    it("says when there is nothing", function()
      assert.equal("no earnings", income.table(income.summarize({})))
    end)

    it("refuses what is not a summary", function()
      assert.has_error(function() income.table({}) end)
      assert.has_error(function() income.table(nil) end)
    end)
  end)
end)
