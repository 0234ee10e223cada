--- How a shadow run is shown: the events that changed, a matrix of outcomes, what was not played.
-- @module palenca.host.cli.shadow_format
local json = require("palenca.util.json")
local masking = require("palenca.host.masking")
local plural = require("palenca.host.cli.plural")
local redact = require("palenca.util.redact")

local shadow_format = {}

local OUTCOMES = { "approve", "refer", "decline", "undecidable", "done", "failed" }
-- Fields that are shown of a change, beside the outcome and the reasons.
local FIELDS_SHOWN = 3

local function codes(outcome)
  local list = outcome.reasons or {}
  return #list > 0 and table.concat(list, ", ") or "none"
end

-- Those of the verdict first, without what is said anyway.
local function order_fields(fields)
  local of_verdict, others = {}, {}
  for _, one in ipairs(fields) do
    local name = one.field:match("^verdict%.(.*)$")
    if not name then
      others[#others + 1] = { one.field, one }
    elseif name ~= "outcome" and name ~= "rule_version" and not name:find("^reasons") then
      of_verdict[#of_verdict + 1] = { name, one }
    end
  end
  return table.move(others, 1, #others, #of_verdict + 1, of_verdict)
end

local function describe_fields(parts, fields)
  local list = order_fields(fields)
  for at = 1, math.min(#list, FIELDS_SHOWN) do
    local name, one = list[at][1], list[at][2]
    parts[#parts + 1] = ("%s %s -> %s"):format(name, one.recorded or "nothing",
      one.computed or "nothing")
  end
  if #list > FIELDS_SHOWN then
    parts[#parts + 1] = plural.count(#list - FIELDS_SHOWN, "more field")
  end
end

--- An event that changed, as a line.
-- @tparam table change of palenca.host.shadow
-- @treturn string
function shadow_format.line(change)
  local before, now, parts = change.before, change.now, {}
  if codes(before) ~= codes(now) then
    parts[1] = ("reasons %s -> %s"):format(codes(before), codes(now))
  end
  describe_fields(parts, change.fields or {})
  for _, side in ipairs({ { "failed with", before.error }, { "fails with", now.error } }) do
    if side[2] then
      parts[#parts + 1] = side[1] .. ": " .. side[2]:match("[^\n]*")
    end
  end
  return redact.escape_line(redact.identity(("event %d  %s -> %s%s%s"):format(change.event_id,
    before.outcome, now.outcome, parts[1] and "  " or "", table.concat(parts, "; "))))
end

--- The same as an object.
-- @tparam table change
-- @treturn string
function shadow_format.object(change)
  return redact.escape_json(json.canonical(masking.value({
    event_id = change.event_id,
    old = change.before,
    new = change.now,
    fields = change.fields,
  })))
end

local function occurring(matrix)
  local rows, columns = {}, {}
  for _, outcome in ipairs(OUTCOMES) do
    local is_new = false
    for _, row in pairs(matrix) do
      is_new = is_new or row[outcome] ~= nil
    end
    rows[#rows + 1] = matrix[outcome] and outcome or nil
    columns[#columns + 1] = is_new and outcome or nil
  end
  return rows, columns
end

-- Events by their old outcome, one a line, and their new one.
local function matrix_text(matrix)
  local rows, columns = occurring(matrix)
  local lines = { "old \\ new   " }
  for _, column in ipairs(columns) do
    lines[1] = lines[1] .. ("%13s"):format(column)
  end
  for _, row in ipairs(rows) do
    local line = ("%-12s"):format(row)
    for _, column in ipairs(columns) do
      line = line .. ("%13d"):format(matrix[row][column] or 0)
    end
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n")
end

local function sorted_reasons(reasons)
  local list = {}
  for reason, ids in pairs(reasons) do
    list[#list + 1] = { reason = reason, ids = ids, count = #ids }
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then
      return a.count > b.count
    end
    return a.reason < b.reason
  end)
  return list
end

--- What the run has found, for a person.
-- @tparam table found as palenca.host.cli.shadow_run has it
-- @treturn string
function shadow_format.summary(found)
  local lines = {}
  if found.played > 0 then
    lines[1] = matrix_text(found.matrix)
    lines[2] = ""
  end
  lines[#lines + 1] = ("%s, %d played: %d with another outcome, %d with the same one and another "
    .. "verdict, %d with another error"):format(plural.count(found.total, "event"), found.played,
      found.other_outcomes, found.other_verdicts, found.other_errors)
  if found.played < found.total then
    lines[#lines + 1] = ("not played: %d"):format(found.total - found.played)
  end
  for _, one in ipairs(sorted_reasons(found.reasons)) do
    lines[#lines + 1] = ("%8d  %s; the first is event %d"):format(one.count, one.reason, one.ids[1])
  end
  if found.not_sent > 0 then
    lines[#lines + 1] = ("requests of palenca.http that were not sent: %d"):format(found.not_sent)
  end
  return redact.escape_line(redact.identity(table.concat(lines, "\n")), true)
end

--- The same as an object.
-- @tparam table found
-- @treturn string
function shadow_format.summary_object(found)
  local cells, reasons = json.array({}), json.array({})
  local rows, columns = occurring(found.matrix)
  for _, row in ipairs(rows) do
    for _, column in ipairs(columns) do
      local count = found.matrix[row][column]
      cells[#cells + 1] = count and { old = row, new = column, count = count } or nil
    end
  end
  for at, one in ipairs(sorted_reasons(found.reasons)) do
    reasons[at] = { reason = redact.identity(one.reason), count = one.count,
      event_ids = json.array(one.ids) }
  end
  return redact.escape_json(json.canonical({
    events = found.total,
    played = found.played,
    other_outcomes = found.other_outcomes,
    other_verdicts = found.other_verdicts,
    other_errors = found.other_errors,
    matrix = cells,
    not_played = reasons,
    http_not_sent = found.not_sent,
  }))
end

return shadow_format
