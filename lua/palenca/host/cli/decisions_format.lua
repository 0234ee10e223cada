--- How recorded decisions are shown: a line, a JSON object, or a page with all there is.
-- @module palenca.host.cli.decisions_format
local income = require("palenca.income")
local json = require("palenca.util.json")
local masking = require("palenca.host.masking")
local redact = require("palenca.util.redact")
local time_argument = require("palenca.host.cli.time_argument")
local user_error = require("palenca.host.user_error")

local decisions_format = {}

-- Without these there is nothing to show.
local FACTS = { "verdict", "rule", "request" }

local function fail(entry, what)
  user_error("decision %d was changed: %s; see 'palenca decisions verify'", entry.number, what)
end

local function has_facts(value)
  for _, name in ipairs(FACTS) do
    if type(value[name]) ~= "table" then
      return false
    end
  end
  local reasons, version = value.verdict.reasons, value.rule.version
  for _, reason in ipairs(type(reasons) == "table" and reasons or {}) do
    if type(reason) ~= "table" or type(reason.code) ~= "string" then
      return false
    end
  end
  return type(reasons) == "table" and type(value.verdict.outcome) == "string"
    and (type(version) == "string" or type(version) == "number")
end

local function read(entry, name)
  local value = entry[name] and json.decode(entry[name])
  if type(value) ~= "table" or name == "facts" and not has_facts(value) then
    fail(entry, "its " .. name .. " cannot be read")
  end
  return value
end

-- Whatever was made of a decision, that is what is said of it.
local function guarded(format)
  return function(entry, ...)
    local ok, text = pcall(format, entry, ...)
    if text == "not enough memory" then
      error(text, 0)
    elseif not ok then
      fail(entry, "it cannot be shown (" .. tostring(text) .. ")")
    end
    return text
  end
end

--- Decodes a decision.
-- @tparam table entry as `host.decisions.list` returns it
-- @tparam ?boolean with_rows whether that was asked for rows and details
-- @treturn table all of it, as `show --json` has it, but for its times
-- @raise when it was changed, so that there is nothing to decode
function decisions_format.decode(entry, with_rows)
  local facts, rows, details = read(entry, "facts"), nil, nil
  if with_rows and not entry.is_removed then
    rows, details = read(entry, "rows"), read(entry, "details")
  end
  local all = {
    number = entry.number,
    event_id = entry.event_id,
    attempt = entry.attempt,
    replay = entry.replay > 0 and entry.replay or nil,
    recorded_at = entry.recorded_at,
    account_id = entry.account_id ~= "" and entry.account_id or nil,
    is_removed = entry.is_removed,
    rows_digest = entry.rows_digest,
    previous = entry.previous,
    hash = entry.hash,
    rows = rows,
    figures = details and details.figures,
    request_ids = details and details.request_ids,
  }
  for _, name in ipairs({ "as_of", "module_version", "modules", "request", "rule", "script",
    "verdict" }) do
    all[name] = facts[name]
  end
  return all
end

local function rule_version(entry)
  local version = entry.rule and entry.rule.version
  return version ~= nil and tostring(version) or "-"
end

local function codes(entry)
  local list = {}
  for at, reason in ipairs(entry.verdict.reasons) do
    list[at] = reason.code
  end
  return list
end

local line = guarded(function(entry)
  local reasons = table.concat(codes(entry), ", ")
  local text = string.format("%d  %s  event %d  %-11s  rule %s%s%s", entry.number,
    time_argument.text(entry.recorded_at), entry.event_id, entry.verdict.outcome,
    rule_version(entry), reasons ~= "" and "  " .. reasons or "",
    entry.is_removed and "  rows removed" or "")
  return redact.escape_line(redact.identity(text))
end)

local object = guarded(function(entry)
  return redact.escape_json(json.canonical(masking.value({
    number = entry.number,
    event_id = entry.event_id,
    attempt = entry.attempt,
    replay = entry.replay,
    account_id = entry.account_id,
    recorded_at = time_argument.text(entry.recorded_at),
    as_of = entry.as_of,
    outcome = entry.verdict.outcome,
    reasons = json.array(codes(entry)),
    rule_version = entry.rule.version,
    rows_removed = entry.is_removed,
    hash = entry.hash,
  })))
end)

--- Makes what `list` calls for each decision.
-- @tparam table given the options: `outcome, limit, json`
-- @tparam function show called with each text
-- @treturn function for `host.decisions.list`
function decisions_format.filter(given, show)
  local format = given.json and object or line
  return function(entry)
    local decoded = decisions_format.decode(entry)
    if not given.outcome or decoded.verdict.outcome == given.outcome then
      show(format(decoded))
    end
  end
end

--- All of a decision as an object, which `palenca.decision.replay` takes.
-- @tparam table entry decoded
-- @tparam boolean raw with identity numbers
-- @treturn string
function decisions_format.whole_object(entry, raw)
  local shown = raw and entry or masking.value(entry)
  local recorded_at = entry.recorded_at
  shown.recorded_at = time_argument.text(recorded_at)
  local text = redact.escape_json(json.canonical(shown))
  shown.recorded_at = recorded_at
  return text
end

local function fields_of(entry)
  local request = entry.request
  return {
    { "number", entry.number },
    { "event", entry.event_id },
    { "attempt", entry.attempt },
    { "replay", entry.replay },
    { "account", entry.account_id },
    { "recorded at", time_argument.text(entry.recorded_at) },
    { "as of", entry.as_of },
    { "outcome", entry.verdict.outcome },
    { "rule", rule_version(entry) },
    { "installment", request.installment },
    { "obligations", request.obligations },
    { "currency of both", request.currency },
    { "module", entry.module_version },
    { "script", entry.script },
    { "modules", entry.modules },
    { "rows", entry.is_removed and "removed" or entry.rows_digest },
    { "before", entry.previous },
    { "hash", entry.hash },
  }
end

--- All of a decision for a person.
-- @tparam table given decoded
-- @tparam boolean raw with identity numbers
-- @treturn string
-- @function page
decisions_format.page = guarded(function(given, raw)
  local entry = raw and given or masking.value(given)
  local lines = {}
  for _, field in ipairs(fields_of(entry)) do
    if field[2] ~= nil then
      lines[#lines + 1] = redact.escape_line(("%-12s %s"):format(field[1], tostring(field[2])))
    end
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = redact.escape_line(income.explain(entry.verdict, "en").analyst, true)
  if entry.figures then
    lines[#lines + 1] = ""
    lines[#lines + 1] = redact.escape_line(income.table(entry.figures, "en"), true)
  end
  if entry.rows then
    lines[#lines + 1] = ""
    lines[#lines + 1] = redact.escape_line(json.canonical(entry.rows), true)
  end
  return table.concat(lines, "\n")
end)

--- A decision in words.
-- @tparam table entry decoded
-- @tparam string language `es`, `pt` or `en`
-- @tparam boolean as_json as an object
-- @treturn string
-- @function explanation
decisions_format.explanation = guarded(function(entry, language, as_json)
  local words = income.explain(masking.value(entry.verdict), language)
  if as_json then
    return redact.escape_json(json.canonical({ number = entry.number, event_id = entry.event_id,
      outcome = entry.verdict.outcome, analyst = words.analyst, worker = words.worker }))
  end
  local text = ("decision %d, event %d, %s\n\n%s\n\n%s"):format(entry.number, entry.event_id,
    entry.as_of, words.analyst, words.worker)
  return redact.escape_line(text, true)
end)

return decisions_format
