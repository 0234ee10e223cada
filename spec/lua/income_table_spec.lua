-- Checks the months of an income as text.
local income = require("palenca.income")
local helper = require("spec.lua.income_helper")

local row, worker = helper.row, helper.worker

describe("palenca.income", function()
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
