--- The day of the application makes no difference: 40 kinds of steady workers, on 365 dates each.
-- How far each figure moves is what `spec/bench/income` prints.
local histories = require("spec.support.income_histories")
local income = require("palenca.income")

local RULE, REQUEST = { version = 1 }, { installment = "1500.00" }
local DATES, FIRST = 365, "2026-01-01"

-- What of each must be the same on all dates.
local function describe_application(rows, date)
  local figures = income.analyze(rows, { as_of = date, report = histories.report(rows) })
  local verdict = income.decide(figures, RULE, REQUEST)
  return ("%s, trend %g, regularity %g, stability %g"):format(verdict.outcome, figures.trend,
    figures.regularity, figures.stability), figures.median_week
end

describe("the day of the application", function()
  local kinds = histories.steady_kinds()

  it("is tried with 40 kinds of workers", function()
    assert.equal(40, #kinds)
  end)

  for _, kind in ipairs(kinds) do
    it(("makes no difference to %s, %d days"):format(kind.name, kind.days), function()
      local seen, medians, dates = {}, {}, 0
      histories.each_date(kind, FIRST, DATES, function(rows, date)
        local said, median = describe_application(rows, date)
        seen[said], medians[median], dates = true, true, dates + 1
      end)
      assert.same({ ["approve, trend 0, regularity 1, stability 1"] = true }, seen)
      assert.is_nil(next(medians, (next(medians))))
      assert.equal(DATES, dates)
    end)
  end

  it("makes no difference to who has stopped, once that is seen", function()
    local outcomes = {}
    histories.each_date(histories.unsteady_kinds()[5], FIRST, DATES, function(rows, date)
      local figures = income.analyze(rows, { as_of = date, report = histories.report(rows) })
      local outcome = income.decide(figures, RULE, REQUEST).outcome
      outcomes[#outcomes + 1] = outcome ~= outcomes[#outcomes] and outcome or nil
    end)
    -- the API returns 90 days: nothing at all in the end, which is no history and no "no"
    assert.same({ "approve", "refer", "decline", "undecidable" }, outcomes)
  end)
end)
