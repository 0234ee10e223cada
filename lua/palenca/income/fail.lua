--- Raises what is wrong with an argument: what it is, what was expected, and what it was.
-- @module palenca.income.fail
local argcheck = require("palenca.util.argcheck")
local canonical_json = require("palenca.util.canonical_json")
local suggest = require("palenca.util.suggest")

local fail = {}

local SHOWN = 60 -- characters of a text

--- What is expected of a date.
fail.DATE = "a date, YYYY-MM-DD, of 2000 to 2099"

--- Whether a value is a pager, in place of its rows.
-- @param value anything
-- @treturn boolean
function fail.is_pager(value)
  local own = getmetatable(value)
  return type(own) == "table" and own.__name == "palenca pager"
end

--- Writes a value for a message, on one line.
-- @param value anything
-- @treturn string
function fail.show(value)
  local kind = type(value)
  if kind == "string" then
    if #value > SHOWN then
      value = value:sub(1, SHOWN) .. "..."
    end
    return canonical_json.encode(value)
  elseif kind == "number" then
    if value ~= value then
      return "nan"
    elseif value == math.huge or value == -math.huge then
      return value > 0 and "inf" or "-inf"
    end
    return canonical_json.number(value)
  elseif kind == "nil" or kind == "boolean" then
    return tostring(value)
  end
  -- a pager names the function that returns its rows
  return (kind == "userdata" or fail.is_pager(value)) and tostring(value) or "a " .. kind
end

--- Raises for what has to be a number: of a text the message says that it is one, since it may be
-- of digits.
-- @tparam string place such as `rule.ratio`
-- @tparam string expected such as `"expected a number from 0 to 1"`
-- @param value what it was
function fail.number(place, expected, value)
  local shown = (type(value) == "string" and "the text " or "") .. fail.show(value)
  error(("palenca.income: %s: %s, got %s"):format(place, expected, shown), 0)
end

--- Raises. No line of a file is blamed: the mistake is in the data.
-- @tparam string place such as `rows[3].amount`
-- @tparam string expected such as `"expected a date"`
-- @param value what it was
function fail.value(place, expected, value)
  error(("palenca.income: %s: %s, got %s"):format(place, expected, fail.show(value)), 0)
end

--- Raises if a table has a field that is not known.
-- @tparam string place what the table is called
-- @param given the table
-- @tparam table known whose keys are the known fields
function fail.unless_known(place, given, known)
  if type(given) ~= "table" then
    fail.value(place, "expected a table", given)
  end
  local unknown, meant
  for name in pairs(given) do
    local shown = known[name] == nil and fail.show(name)
    -- the first by name: `pairs` has no order of its own
    if shown and (not unknown or canonical_json.is_before(shown, unknown)) then
      unknown, meant = shown, suggest.text(name, known)
    end
  end
  if unknown then
    error(("palenca.income: %s: unknown field %s (known: %s)%s"):format(place, unknown,
      table.concat(argcheck.words(known), ", "), meant), 0)
  end
end

return fail
