--- The checks of `palenca decisions`: of the chain, and of decisions by computing them again.
-- @module palenca.host.cli.decisions_check
local decisions_format = require("palenca.host.cli.decisions_format")
local host = require("palenca.host")
local json = require("palenca.util.json")
local masking = require("palenca.host.masking")
local output = require("palenca.host.cli.output")
local plural = require("palenca.host.cli.plural")
local redact = require("palenca.util.redact")
local replay = require("palenca.decision.replay")
local user_error = require("palenca.host.user_error")

local decisions_check = {}

-- Fields of a decision that are shown where it differs.
local SHOWN = 20

--- Reads a head; for argparse.
-- @tparam string text such as `12:` and 64 hexadecimal digits
-- @treturn ?table `{number=, hash=}`
-- @treturn ?string what is wrong
function decisions_check.head(text)
  local number, hash = text:match("^(%d+):(%x+)$")
  if not number or #hash ~= 64 or not math.tointeger(tonumber(number)) then
    return nil, string.format("'%s' is not a head, a number and a hash such as 12:d0f3…", text)
  end
  return { number = math.tointeger(tonumber(number)), hash = hash:lower() }
end

--- Reads a decision.
-- @tparam string db the database
-- @tparam integer number of the entry
-- @treturn table as `host.decisions.list` has it, decoded
-- @raise if there is none
function decisions_check.read(db, number)
  local found
  local ok, problem = host.decisions.list(db, { number = number, with_rows = true },
    function(entry)
      found = decisions_format.decode(entry, true)
    end)
  if not ok then
    user_error("%s", problem)
  elseif not found then
    user_error("there is no decision %d in %s", number, host.events.shown_name(db))
  end
  return found
end

-- ---- the chain -----------------------------------------------------------------------

local messages = {
  changed = "entry %d was changed",
  inserted = "entry %d was inserted",
  moved = "entry %d is in the place of another: it was recorded as entry %d",
  unlinked = "entry %d does not continue the one before: one of the two was replaced",
  not_removed = "entry %d has no rows, and no entry says that they were removed",
  cut = "the entries before entry %d are missing, and no entry says that they were deleted",
  head = "the ledger's own row does not fit its last entry, %d",
  expected = "entry %d does not have the hash of --head, or is not there any more",
}

local function describe(problem)
  if problem.kind ~= "missing" then
    return messages[problem.kind]:format(problem.number, problem.other)
  elseif problem.number == problem.other then
    return ("entry %d is missing"):format(problem.number)
  end
  return ("entries %d to %d are missing"):format(problem.number, problem.other)
end

-- Nothing for a ledger without entries.
local function head_of(report)
  return report.last >= report.first and ("%d:%s"):format(report.last, report.head) or nil
end

local function summary(report)
  local lines = {}
  if not head_of(report) then
    lines[1] = "no entries"
  else
    lines[1] = ("entries %d to %d, of which %d are decisions, %d of them without rows")
      :format(report.first, report.last, report.decisions, report.removed)
    lines[2] = "head " .. head_of(report)
  end
  lines[#lines + 1] = report.problems == 0 and "the chain is whole"
    or plural.count(report.problems, "problem")
  return table.concat(lines, "\n")
end

--- Checks the chain.
-- @tparam table given the options: `db, head, json`
-- @treturn integer the exit status
function decisions_check.verify(given)
  local head, found = given.head or {}, json.array({})
  local report, problem = host.decisions.verify(given.db, head.number, head.hash,
    function(one)
      local message = describe(one)
      found[#found + 1] = { kind = one.kind, number = one.number, message = message,
        other = one.other > 0 and one.other or nil }
      if not given.json then
        output.line(message)
      end
    end)
  if not report then
    user_error("%s", problem)
  elseif given.json then
    output.json({ first = report.first, last = report.last, decisions = report.decisions,
      removed = report.removed, head = head_of(report), problem_count = report.problems,
      problems = found })
  else
    output.line(summary(report))
  end
  return report.problems == 0 and 0 or 1
end

-- ---- the computation -----------------------------------------------------------------

local function show_field(difference)
  local text = ("  %s: recorded %s, computed %s"):format(difference.field,
    difference.recorded or "nothing", difference.computed or "nothing")
  return redact.escape_line(redact.identity(text))
end

local function show_result(given, entry, result, differences)
  if given.json then
    output.line(json.canonical({
      number = entry.number,
      event_id = entry.event_id,
      result = result,
      fields = #differences > 0 and masking.value(differences) or nil,
    }))
    return
  end
  output.line(("%d  event %d  %s"):format(entry.number, entry.event_id, result))
  for at = 1, math.min(#differences, SHOWN) do
    output.line(show_field(differences[at]))
  end
  if #differences > SHOWN then
    output.line(("  and %d more"):format(#differences - SHOWN))
  end
end

--- Computes decisions again: those of the numbers, or all.
-- @tparam table given the options: `db, numbers, json`
-- @treturn integer the exit status
function decisions_check.replay(given)
  local counts = { match = 0, differs = 0, ["rows removed"] = 0 }
  local function check(entry)
    local result, differences = replay(entry)
    counts[result] = counts[result] + 1
    show_result(given, entry, result, differences)
  end
  for _, number in ipairs(given.numbers) do
    check(decisions_check.read(given.db, number))
  end
  if #given.numbers == 0 then
    local ok, problem = host.decisions.list(given.db, { with_rows = true }, function(entry)
      check(decisions_format.decode(entry, true))
    end)
    if not ok then
      user_error("%s", problem)
    end
  end
  if not given.json then
    output.line(("%d match, %d differ, of %d the rows are removed"):format(counts.match,
      counts.differs, counts["rows removed"]))
  end
  return counts.differs == 0 and 0 or 1
end

return decisions_check
