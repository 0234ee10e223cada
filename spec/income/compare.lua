-- Compares palenca.income with the reference, field by field.
-- Usage: compare.lua HISTORIES REFERENCE (what histories.py and reference.py have written), with
-- LUA_PATH and LUA_CPATH set to the module: every history is to have the same bytes. Prints how
-- often each field differs, two histories, shrunk, and "N histories, N different"; exits 1 if any
-- does.
local income = require("palenca.income")
local json = require("palenca.util.json")

local histories_file, reference_file = arg[1], arg[2]
if not reference_file then
  io.stderr:write("usage: compare.lua HISTORIES REFERENCE\n")
  os.exit(2)
end
local SHOWN = 2 -- histories that are shown
local here = arg[0]:match("^(.*)/[^/]*$") or "."

local function decode(text)
  local value, err = json.decode(text)
  return value ~= nil and value or error(err .. ": " .. text:sub(1, 200), 0)
end

local function analyze(case, plain)
  local options = { as_of = case.options.as_of, start_date = case.options.start_date,
    allow_incomplete = case.options.allow_incomplete }
  if plain then
    options.report = case.streams[1].report
    return income.analyze(case.streams[1].rows, options)
  end
  return income.analyze(income.merge(case.streams), options)
end

local platforms_of = setmetatable({}, { __mode = "k" }) -- by case, of the merged stream

-- What the module makes of a history, as canonical text; or nil and the message of a failure.
local function compute(case, plain)
  local ok, result = pcall(function()
    local found = analyze(case, plain)
    local verdict = income.decide(found, case.rule, case.request)
    if plain then
      found.platforms = platforms_of[case] or analyze(case, false).platforms
    else
      platforms_of[case] = found.platforms
    end
    return json.canonical({ income = found, verdict = verdict })
  end)
  return ok and result or nil, result
end

-- Calls put(path, expected, found) for each difference between two values.
local function compare(path, expected, found, put)
  if type(expected) ~= "table" or type(found) ~= "table" then
    if expected ~= found then
      put(path, expected, found)
    end
    return
  end
  local keys, known = {}, {}
  for _, side in ipairs({ expected, found }) do
    for key in pairs(side) do
      keys[#keys + 1], known[key] = not known[key] and key or nil, true
    end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    compare(path .. (type(key) == "number" and "[]" or "." .. key), expected[key], found[key], put)
  end
end

-- The same for a history and the line of the reference.
local function differences(case, line, plain, put)
  local text, message = compute(case, plain)
  if text == line then
    return
  end
  local expected = decode(line)
  if expected.error then
    local wrong = text and "no error" or not message:find(expected.field, 1, true) and message
      or expected.row and not message:find(("[%d]"):format(expected.row), 1, true) and message
    if wrong then
      put("error", expected.error, wrong)
    end
  elseif not text then
    put("error", nil, message)
  else
    local count = 0
    compare("", expected, decode(text), function(...)
      count = count + 1
      put(...)
    end)
    if count == 0 then
      put("bytes", line, text)
    end
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
  return line
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
  local case, expected = decode(line), assert(reference:read("*l"), "a line is missing")
  total = total + 1
  local seen = check(total, case, expected, false)
  -- one account needs no merge; what is then missing are its name and warning
  if #case.streams == 1 and not case.streams[1].warning then
    seen = check(total, case, expected, true) or seen
  end
  different = different + (seen and 1 or 0)
end
local shown, lines = 0, {}
for _, path in ipairs(order) do
  local first = firsts[path]
  print(("%6d times %s, first in line %d: %s"):format(counts[path], path, first.number, first.text))
  if shown < SHOWN and not lines[first.number] then
    shown, lines[first.number] = shown + 1, true
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
