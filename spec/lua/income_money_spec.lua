-- Checks that amounts are read, added and written exactly.
local income = require("palenca.income")
local helper = require("spec.lua.income_helper")

local row, worker, minor_of, refusal = helper.row, helper.worker, helper.minor_of, helper.refusal

describe("palenca.income", function()
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
end)
