--- Changes JSON texts at random: replaces, adds, doubles or nests values, and changes bytes.
--
-- The same seed makes the same texts on every Lua.
local mutations = {}

--- A generator of random numbers.
-- @tparam number seed
-- @treturn function n → a whole number from 1 to n
function mutations.random(seed)
  local state = seed % 2147483646 + 1
  return function(n)
    state = state * 16807 % 2147483647
    return math.floor(state / 2147483647 * n) + 1
  end
end

local function skip_blanks(text, at)
  return text:find("[^ \t\r\n]", at)
end

-- The place of the quote that ends the string which starts at `at`.
local function end_of_string(text, at)
  while true do
    at = text:find('[\\"]', at + 1)
    if text:sub(at, at) == '"' then
      return at
    end
    at = at + 1 -- what is escaped
  end
end

local walk

-- What is between brackets. `members` of the spans are removed together with their names.
local function walk_inside(text, at, close, spans, depth)
  at = skip_blanks(text, at + 1)
  while text:sub(at, at) ~= close do
    local first = at
    if close == "}" then
      at = text:match("^%s*:%s*()", end_of_string(text, at) + 1)
    end
    local value = walk(text, at, spans, depth + 1)
    value.member = first
    at = skip_blanks(text, value.last + 1)
    if text:sub(at, at) == "," then
      at = skip_blanks(text, at + 1)
    end
  end
  return at
end

function walk(text, at, spans, depth)
  local span = { first = at, depth = depth }
  spans[#spans + 1] = span
  local opening = text:sub(at, at)
  if opening == "{" or opening == "[" then
    span.last = walk_inside(text, at, opening == "{" and "}" or "]", spans, depth)
  elseif opening == '"' then
    span.last = end_of_string(text, at)
  else
    span.last = text:match("^[^%s,%]}]+()", at) - 1
  end
  return span
end

--- Finds the values in a JSON text, which is a valid one.
-- @tparam string text
-- @treturn {table,...} `first`, `last` (where it is), `depth`, and where its `member` begins
function mutations.spans(text)
  local spans = {}
  walk(text, skip_blanks(text, 1), spans, 0)
  return spans
end

local values = {
  "null", "true", "false", "0", "-0", "1", "2", "3", "-1", "1.5", "0.1", "1e3", "1e15", "1e16",
  "1e308", "1e999", "-1e999", "9007199254740993", "99999999999999999999", '""', '"text"', '"5"',
  '"None"', '"true"', '"\\u0000"', '"\\ud800"', '"\195\40"', "[]", "{}", "[null]", "[null,{}]",
  "[{},null,{}]", "[[]]", "[1,2]", '["a"]', '{"a":1}', '{"1":{}}', '{"message":5,"code":[]}',
  '{"total_items":2}', '{"page":1,"items_per_page":2,"total_items":4,"total_pages":2}',
  '[null,{"message":"m","location":["a",null,2]}]', ("[1,"):rep(40) .. "2" .. ("]"):rep(40),
}
local deep = {
  ('{"a":'):rep(700) .. "1" .. ("}"):rep(700), ("["):rep(1500) .. ("]"):rep(1500),
}

local function another_value(random, text, spans)
  if random(5) == 1 then -- something that stands elsewhere
    local span = spans[random(#spans)]
    return text:sub(span.first, span.last)
  elseif random(60) == 1 then
    return deep[random(#deep)]
  end
  return values[random(#values)]
end

-- What responses have somewhere.
local names = {
  "success", "data", "pagination", "pagination", "error", "detail", "errors", "message", "code",
  "total_items", "users", "earnings", "loc", "msg", "location", "webhook_action",
}

local wraps = { { "[", "]" }, { "[null,", "]" }, { '{"data":', "}" }, { '{"message":', "}" } }

-- A value in another place's stead; what is around it is chosen as often as what is within.
local function change_value(random, text, spans)
  local span = spans[random(#spans)]
  for _ = 1, random(3) - 1 do
    local other = spans[random(#spans)]
    span = other.depth < span.depth and other or span
  end
  local before, value = text:sub(1, span.first - 1), text:sub(span.first, span.last)
  local behind = text:sub(span.last + 1)
  local way = random(10)
  if way <= 6 then
    return before .. another_value(random, text, spans) .. behind
  elseif way == 7 then
    local wrap = wraps[random(#wraps)]
    return before .. wrap[1] .. value .. wrap[2] .. behind
  elseif way == 8 and value:find("^{..") then -- one more member, or one of the same name
    return before .. value:sub(1, -2) .. ',"' .. names[random(#names)] .. '":'
      .. another_value(random, text, spans) .. "}" .. behind
  elseif not span.member then
    return before .. value .. value .. behind
  elseif way == 8 then -- twice
    local member = text:sub(span.member, span.last)
    return text:sub(1, span.last) .. "," .. member .. behind
  end
  -- left out, with the comma on one side of it
  local rest, count = behind:gsub("^%s*,", "")
  before = text:sub(1, span.member - 1)
  return (count == 1 and before or before:gsub(",%s*$", "")) .. rest
end

local function change_bytes(random, text)
  local at, way = random(#text), random(4)
  if way == 1 then
    return text:sub(1, at - 1)
  elseif way == 2 then
    return text:sub(1, at - 1) .. text:sub(at + random(8))
  elseif way == 3 then
    return text:sub(1, at) .. text:sub(at)
  end
  return text:sub(1, at - 1) .. string.char(random(256) - 1) .. text:sub(at + 1)
end

--- Changes a text once, and now and then once more in its bytes.
-- @tparam function random
-- @tparam string text
-- @tparam {table,...} spans its values
-- @treturn string
function mutations.change(random, text, spans)
  local way = random(20)
  if way <= 2 then
    return change_bytes(random, text)
  end
  local changed = change_value(random, text, spans)
  if way == 3 and #changed > 0 then
    return change_bytes(random, changed)
  end
  return changed
end

return mutations
