-- Checks what is refused before an income is computed.
local income = require("palenca.income")
local helper = require("spec.lua.income_helper")

local row, worker, refusal = helper.row, helper.worker, helper.refusal

describe("palenca.income", function()
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
end)
