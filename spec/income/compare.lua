-- Compares palenca.income with the reference, field by field.
-- Usage: compare.lua HISTORIES REFERENCE (what histories.py and reference.py have written), with
-- LUA_PATH and LUA_CPATH set to the module. Prints how often each field differs, the first history
-- of each, shrunk, and "N histories, N different"; exits 1 if any is.
local income = require("palenca.income")
local json = require("palenca.json")

local histories_file, reference_file = arg[1], arg[2]
if not reference_file then
  io.stderr:write("usage: compare.lua HISTORIES REFERENCE\n")
  os.exit(2)
end
local SHOWN = 5 -- fields whose first history is shown
local here = arg[0]:match("^(.*)/[^/]*$") or "."
-- keys that are absent without a reason in `unknown`
local OPTIONAL = { platforms = true, by_currency = true, currency = true, max_installment = true }

local function decode(text)
  local value, err = json.decode(text)
  return value ~= nil and value or error(err .. ": " .. text:sub(1, 200), 0)
end

-- What the module makes of a history: {income=, verdict=}, or {failure=} with the message.
local function compute(case, plain)
  local options = { as_of = case.options.as_of, start_date = case.options.start_date,
    allow_incomplete = case.options.allow_incomplete }
  local ok, result = pcall(function()
    local stream
    if plain then
      stream, options.report = case.streams[1].rows, case.streams[1].report
    else
      stream = assert(income.merge(case.streams))
    end
    local found = assert(income.analyze(stream, options))
    local verdict = assert(income.decide(found, case.rule, case.request))
    local data = {}
    for key, value in pairs(verdict) do
      data[key] = type(value) ~= "function" and value or nil
    end
    local text = json.canonical(found)
    assert(text == json.canonical(assert(income.analyze(stream, options))), "analyze is not pure")
    return { income = decode(text), verdict = decode(json.canonical(data)) }
  end)
  if ok then
    return result
  end
  local message = type(result) == "table" and result.message or result
  return { failure = tostring(message) }
end

local compare_tables

-- Whether a key that the reference does not have is a difference, or a field of the module's own.
local function is_known(expected, key)
  local name = tostring(key):gsub("_minor$", "")
  return OPTIONAL[name] or type(key) == "number" or (expected.unknown or {})[name] ~= nil
end

local function compare(path, expected, found, put)
  if type(expected) == "table" and type(found) == "table" then
    compare_tables(path, expected, found, put)
  elseif expected ~= found then
    put(path, expected, found)
  end
end

function compare_tables(path, expected, found, put)
  for key, value in pairs(expected) do
    local name = type(key) == "number" and "[]" or "." .. key
    if not (key == "metric" and found.metric == nil) then
      compare(path .. name, value, found[key], put)
    end
  end
  for key, value in pairs(found) do
    if expected[key] == nil and is_known(expected, key) then
      put(path .. (type(key) == "number" and "[]" or "." .. key), nil, value)
    end
  end
end

-- Calls put(path, expected, found) for each difference.
local function differences(case, expected, plain, put)
  local found = compute(case, plain)
  if expected.error then
    local message = found.failure
    local wrong = not message and "no error"
      or not message:find(expected.field, 1, true) and message
      or expected.row and not message:find(tostring(expected.row), 1, true) and message
    if wrong then
      put("error", expected.error, wrong)
    end
  elseif found.failure then
    put("error", nil, found.failure)
  else
    if plain then
      found.income.platforms = expected.income.platforms
    end
    compare("income", expected.income, found.income, put)
    compare("verdict", expected.verdict, found.verdict, put)
  end
end

-- What the reference makes of one history.
local function ask_reference(case)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(json.encode(case), "\n")
  file:close()
  local process = io.popen(("python3 '%s/reference.py' <'%s'"):format(here, name))
  local line = process:read("*l")
  process:close()
  os.remove(name)
  return decode(line)
end

-- A copy without COUNT rows of a stream from FIRST on; a count that was true stays so.
local function without(case, at, first, count)
  local copy = decode(json.encode(case))
  local stream, rows, before = copy.streams[at], {}, #case.streams[at].rows
  for number, row in ipairs(case.streams[at].rows) do
    if number < first or number >= first + count then
      rows[#rows + 1] = row
    end
  end
  stream.rows = rows
  for _, key in ipairs({ "rows", "total_items" }) do
    if stream.report and stream.report[key] == before then
      stream.report[key] = #rows
    end
  end
  return copy
end

-- The first difference at PATH as text, or nil.
local function shows(case, plain, path)
  local text
  differences(case, ask_reference(case), plain, function(where, expected, found)
    if where == path and not text then
      text = ("%s: expected %s, found %s"):format(path, tostring(expected), tostring(found))
    end
  end)
  return text
end

-- Drops rows in ever smaller runs for as long as the difference stays.
local function shrink(case, plain, path)
  for at = 1, #case.streams do
    local size = #case.streams[at].rows
    while size >= 1 do
      local first = 1
      while first <= #case.streams[at].rows do
        local smaller = without(case, at, first, size)
        if shows(smaller, plain, path) then
          case = smaller
        else
          first = first + size
        end
      end
      size = math.floor(size / 2)
    end
  end
  return case
end

local counts, order, firsts = {}, {}, {}
local total, different = 0, 0

local function check(number, case, expected, plain)
  local seen
  differences(case, expected, plain, function(path, wanted, found)
    seen = true
    if not counts[path] then
      counts[path] = 0
      order[#order + 1] = path
      firsts[path] = { number = number, case = case, plain = plain,
        text = ("expected %s, found %s"):format(tostring(wanted), tostring(found)) }
    end
    counts[path] = counts[path] + 1
  end)
  return seen
end

local reference = assert(io.open(reference_file))
for line in io.lines(histories_file) do
  local case, expected = decode(line), decode(reference:read("*l") or "")
  total = total + 1
  local seen = check(total, case, expected, false)
  -- one account needs no merge; what is then missing are its name and warning
  if #case.streams == 1 and not case.streams[1].warning then
    seen = check(total, case, expected, true) or seen
  end
  different = different + (seen and 1 or 0)
end
for at, path in ipairs(order) do
  local first = firsts[path]
  print(("%6d times %s, first in line %d: %s"):format(counts[path], path, first.number, first.text))
  if at <= SHOWN then
    -- an amount beyond all numbers cannot be written again: its line has to do
    local ok, small = pcall(shrink, first.case, first.plain, path)
    if ok then
      print("  " .. (shows(small, first.plain, path) or "not reproduced alone"))
      print("  " .. (first.plain and "without merge " or "") .. json.encode(small))
    end
  end
end
print(("%d histories, %d different"):format(total, different))
os.exit(different == 0)
