--- Compares two values as JSON, field by field.
-- @module palenca.decision.differences
local canonical_json = require("palenca.util.canonical_json")

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

--- The fields that differ.
-- @tparam table recorded
-- @tparam table computed
-- @treturn {table,...} in the order of their names, `{field=, recorded=, computed=}` each, as JSON
-- texts; one that is not there is nil
return function(recorded, computed)
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
