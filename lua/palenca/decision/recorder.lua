--- What records decisions: set by the program, out of the reach of `palenca.decision`.
-- @module palenca.decision.recorder
local recorder = {}

local current

--- Sets it; nil: there is no ledger.
-- @tparam ?function record called with the event, a function that makes the entry's texts (of what
-- there is to say about the script, and the request ids), and one that raises a text
function recorder.use(record)
  current = record
end

--- Returns it.
-- @treturn ?function nil: there is no ledger
function recorder.current()
  return current
end

return recorder
