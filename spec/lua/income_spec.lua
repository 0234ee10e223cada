-- Checks an income as a whole: a worker, sums, currencies and the verdict.
local income = require("palenca.income")
local helper = require("spec.lua.income_helper")

local row, worker = helper.row, helper.worker

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
end)
