--- Suggests known names for a mistyped one.
-- @module palenca.util.suggest
local suggest = {}

-- Longer names are not compared, since that takes the square of their length.
local LENGTH_MAX = 64

-- The maximum of wrong characters by the length of a name. Of two, any other two would fit; one may
-- be missing.
local function tolerance(length, known)
  return length < 3 and (length == 2 and known == 3 and 1 or 0) or length < 5 and 1
    or length < 9 and 2 or 3
end

-- How many characters have to be inserted, removed, replaced, or swapped with their neighbor.
local function distance(one, other)
  local before, last
  local row = {}
  for j = 0, #other do
    row[j] = j
  end
  for i = 1, #one do
    before, last, row = last, row, { [0] = i }
    local byte = one:byte(i)
    for j = 1, #other do
      local is_same = byte == other:byte(j)
      local least = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (is_same and 0 or 1))
      if i > 1 and j > 1 and byte == other:byte(j - 1) and one:byte(i - 1) == other:byte(j) then
        least = math.min(least, before[j - 2] + 1)
      end
      row[j] = least
    end
  end
  return row[#other]
end

local function words(known)
  if #known > 0 then
    return known
  end
  local list = {}
  for name in pairs(known) do
    list[#list + 1] = name
  end
  return list
end

-- The words of a name, in an order of their own.
local function sorted_words(name)
  local list = {}
  for word in name:lower():gmatch("[^_]+") do
    list[#list + 1] = word
  end
  table.sort(list)
  return #list > 1 and table.concat(list, "_") or nil
end

--- The known name that is nearest to another one, if it is near enough to be meant, or has the same
-- words in another order. Capitals count as lower case.
-- @param name what was written
-- @tparam table known the names, as a list or as keys
-- @treturn ?string
function suggest.nearest(name, known)
  if type(name) ~= "string" or #name > LENGTH_MAX then
    return nil
  end
  local small, in_order = name:lower(), sorted_words(name)
  local best, nearest
  for _, one in ipairs(words(known)) do
    if in_order and type(one) == "string" and one ~= name and #one == #name
      and sorted_words(one) == in_order
    then
      return one
    end
    local allowed = type(one) == "string" and one ~= name and tolerance(#name, #one)
    if allowed and math.abs(#one - #name) <= allowed then
      local count = distance(small, one:lower())
      if count <= allowed and (not best or count < best or (count == best and one < nearest))
      then
        best, nearest = count, one
      end
    end
  end
  return nearest
end

--- What to say of it behind a message.
-- @param name what was written
-- @tparam table known the names, as a list or as keys
-- @treturn string such as `; did you mean 'uber'?`, or nothing
function suggest.text(name, known)
  local nearest = suggest.nearest(name, known)
  return nearest and "; did you mean '" .. nearest .. "'?" or ""
end

--- Makes a check of whether a text is one of a few words.
-- @tparam {string,...} known the words
-- @tparam string problem a format of the text, for one that is none of them
-- @treturn function returns the text; or nil and the problem, with a suggestion
function suggest.one_of(known, problem)
  return function(text)
    for _, word in ipairs(known) do
      if text == word then
        return text
      end
    end
    return nil, problem:format(text) .. suggest.text(text, known)
  end
end

return suggest
