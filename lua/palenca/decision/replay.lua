--- Computes a recorded decision again; see @{palenca.decision.replay}.
-- @module palenca.decision.replay
local canonical_json = require("palenca.util.canonical_json")
local income = require("palenca.income")

-- Adds the values of a tree, as JSON, by their paths.
local function flatten(value, path, found)
  if type(value) ~= "table" or next(value) == nil then
    found[path] = canonical_json.encode(value)
    return found
  end
  for name, one in pairs(value) do
    local place = type(name) == "number" and ("%s[%d]"):format(path, name)
      or (path ~= "" and path .. "." or "") .. name
    flatten(one, place, found)
  end
  return found
end

local function differences(recorded, computed)
  local before, now, fields, list = flatten(recorded, "", {}), flatten(computed, "", {}), {}, {}
  for _, found in ipairs({ before, now }) do
    for field in pairs(found) do
      if before[field] ~= now[field] and not fields[field] then
        fields[field] = true
        list[#list + 1] = { field = field, recorded = before[field], computed = now[field] }
      end
    end
  end
  table.sort(list, function(a, b)
    return canonical_json.is_before(a.field, b.field)
  end)
  return list
end

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
