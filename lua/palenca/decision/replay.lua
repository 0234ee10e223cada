--- Computes a recorded decision again; see @{palenca.decision.replay}.
-- @module palenca.decision.replay
local canonical_json = require("palenca.util.canonical_json")
local differences = require("palenca.decision.differences")
local income = require("palenca.income")

local function compute(entry)
  local figures = income.analyze(entry.rows.stream, entry.rows.options)
  return { figures = figures, verdict = income.decide(figures, entry.rule, entry.request) }
end

--- See @{palenca.decision.replay}.
return function(entry)
  if not entry.rows then
    return "rows removed", {}
  end
  local recorded = { figures = entry.figures, verdict = entry.verdict }
  local ok, computed = pcall(compute, entry)
  if not ok then -- a later version of the module may reject what an earlier one took
    return "differs", { { field = "error", computed = canonical_json.encode(tostring(computed)) } }
  end
  if canonical_json.encode(recorded) == canonical_json.encode(computed) then
    return "match", {}
  end
  return "differs", differences(recorded, computed)
end
