--- Says that a table has no field of a name, which is mistyped.
-- @module palenca.util.unknown_field
local suggest = require("palenca.util.suggest")

local unknown_field = {}

local function names_of(known)
  local names = {}
  for name in pairs(known) do
    if type(name) == "string" and not name:find("^_") then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- Shorter words, such as `id`, are parts of too many names.
local WORD_MIN = 4
local ALIKE_MAX = 6

-- The names that have a word in common with one, such as `monthly_income` with `monthly_average`.
local function alike(name, names)
  local words, found = {}, {}
  for word in name:gmatch("[^_]+") do
    words[word] = #word >= WORD_MIN
  end
  for _, one in ipairs(names) do
    local is_alike = false
    for word in one:gmatch("[^_]+") do
      is_alike = is_alike or words[word]
    end
    if is_alike and not one:find("_minor$") then
      found[#found + 1] = "'" .. one .. "'"
    end
  end
  return found
end

-- What may have been meant.
local function suggestion(name, names)
  local text = suggest.text(name, names)
  local found = text == "" and alike(name, names) or {}
  if #found == 0 or #found > ALIKE_MAX then
    return text
  end
  local last = table.remove(found)
  return ("; did you mean %s%s?"):format(#found > 0 and table.concat(found, ", ") .. " or " or "",
    last)
end

--- Writes the message.
-- @tparam string what the table is called, such as `a client`
-- @tparam string name of the field
-- @tparam table known the fields that there are, as keys; those that begin with `_` are not named
-- @treturn string
function unknown_field.text(what, name, known)
  local names = names_of(known)
  return ("%s has no field '%s' (known: %s)%s"):format(what, name, table.concat(names, ", "),
    suggestion(name, names))
end

-- What looks into any table reads names such as `__name`. Most names are known: each call reads
-- options that are not set.
local function is_mistyped(name, known)
  return not rawget(known, name) and type(name) == "string" and not name:find("^_")
end

--- Makes an `__index` that raises, and blames the code that reads the field.
-- @tparam string what as for @{text}
-- @tparam table known likewise
-- @tparam[opt=error] function report raises; called with the text and a level, as `error` is
-- @treturn function
function unknown_field.rejector(what, known, report)
  report = report or error
  return function(_, name)
    if is_mistyped(name, known) then
      report(unknown_field.text(what, name, known), 2)
    end
  end
end

--- Has the reading of a field that a table does not have raise.
-- @tparam table own it has no metatable, and gets one
-- @tparam string what as for @{text}
-- @tparam[opt] table known as for @{text}; default: the fields of the table
-- @treturn table the same
function unknown_field.seal(own, what, known)
  return setmetatable(own, { __index = unknown_field.rejector(what, known or own) })
end

return unknown_field
