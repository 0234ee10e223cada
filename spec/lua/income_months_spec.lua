-- Checks the months of an income: zero, unknown and partial ones.
local income = require("palenca.income")
local helper = require("spec.lua.income_helper")

local row, worker = helper.row, helper.worker

local function month_names(summary)
  local names = {}
  for index, month in ipairs(summary.months) do
    names[index] = month.month
  end
  return table.concat(names, " ")
end

describe("palenca.income", function()
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
end)
