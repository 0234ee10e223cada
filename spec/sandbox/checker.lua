--- Checks responses against a description of their shapes.
--
-- A type is a word: one of the formats below, or the name of an enumeration or of a shape that the
-- description declares. `?` behind it: it may be null. `[word]`: a list of these. `a|b`: either.
-- A shape is a table from names to types. All of its names must be there and no others.
local date = require("palenca.util.date")
local reader = require("spec.sandbox.reader")

local checker = {}
checker.__index = checker

local function is_object(value)
  return type(value) == "table" and value ~= reader.null and not reader.is_list(value)
end

local function matches(pattern)
  return function(value)
    return type(value) == "string" and value:find(pattern) ~= nil
  end
end

local function is_date(value)
  return type(value) == "string" and date.parse(value) ~= nil
end

local formats = {
  any = function() return true end,
  string = function(value) return type(value) == "string" end,
  boolean = function(value) return type(value) == "boolean" end,
  number = function(value) return type(value) == "number" end,
  -- 7.0 is none: what declares an integer writes it without a point
  integer = function(value) return math.type(value) == "integer" end,
  object = is_object,
  uuid = matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-" .. ("%x"):rep(12) .. "$"),
  url = matches("^https?://[^/%s]+"),
  date = is_date,
  timestamp = function(value)
    local day, hour, minute, second = tostring(value):match(
      "^(%d%d%d%d%-%d%d%-%d%d)T(%d%d):(%d%d):(%d%d)Z$")
    return day and is_date(day) and hour < "24" and minute < "60" and second < "60"
  end,
  yes = function(value) return value == true end,
  no = function(value) return value == false end,
  null = function(value) return value == reader.null end,
}

--- Makes a checker.
-- `enums` has a text of words for each enumeration, `shapes` the shapes.
function checker.new(enums, shapes)
  local self = setmetatable({ words = {}, shapes = shapes, seen = {} }, checker)
  for name, text in pairs(enums) do
    self.words[name] = {}
    for word in text:gmatch("%S+") do
      self.words[name][word] = true
    end
  end
  return self
end

local function shown(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

local function report(faults, place, kind, value)
  faults[#faults + 1] = ("%s: %s wanted, %s found"):format(place, kind, shown(value))
end

function checker:check_list(kind, value, place, faults)
  if not reader.is_list(value) then
    return report(faults, place, kind, value)
  end
  for at, item in ipairs(value) do
    self:check(kind:sub(2, -2), item, ("%s[%d]"):format(place, at), faults)
  end
end

function checker:check_shape(name, value, place, faults)
  local shape = self.shapes[name]
  if not is_object(value) then
    return report(faults, place, name, value)
  end
  for field, kind in pairs(shape) do
    local here = place .. "." .. field
    if value[field] == nil then
      faults[#faults + 1] = here .. " is missing"
    else
      if value[field] ~= reader.null then
        self.seen[name .. "." .. field] = true
      end
      self:check(kind, value[field], here, faults)
    end
  end
  for field in pairs(value) do
    if not shape[field] then
      faults[#faults + 1] = ("%s.%s is not known"):format(place, field)
    end
  end
end

function checker:check_either(kind, value, place, faults)
  for one in kind:gmatch("[^|]+") do
    local found = {}
    self:check(one, value, place, found)
    if #found == 0 then
      return
    end
  end
  report(faults, place, kind, value)
end

--- Adds to `faults` what is wrong with a value that `reader` has read.
function checker:check(kind, value, place, faults)
  local bare = kind:match("^(.*)%?$")
  if bare and value == reader.null then
    return
  end
  kind = bare or kind
  if kind:find("^%[") then
    self:check_list(kind, value, place, faults)
  elseif kind:find("|", 1, true) then
    self:check_either(kind, value, place, faults)
  elseif self.shapes[kind] then
    self:check_shape(kind, value, place, faults)
  elseif self.words[kind] then
    if not (type(value) == "string" and self.words[kind][value]) then
      report(faults, place, kind, value)
    end
  elseif not (formats[kind] or error("no such type: " .. kind))(value) then
    report(faults, place, kind, value)
  end
end

--- What is wrong with a text: a sorted list, joined to a text; "" if all is well.
function checker:faults(kind, text)
  local ok, value = pcall(reader.read, text)
  if not ok then
    return value
  end
  local faults = {}
  self:check(kind, value, "response", faults)
  table.sort(faults)
  return table.concat(faults, "\n")
end

--- Declares the envelope around a success.
-- `kind` is the type of its data, `paged` whether it has a page number. Returns the new name.
function checker:response(kind, paged)
  local name = "response with " .. kind
  self.shapes[name] = {
    success = "yes", error = "null", data = kind, pagination = paged and "pagination" or nil,
  }
  return name
end

--- The names, as `shape.name`, that had a value in nothing that was checked so far; but for those
-- that never have one.
function checker:unseen()
  local names = {}
  for shape, fields in pairs(self.shapes) do
    for field, kind in pairs(fields) do
      local name = shape .. "." .. field
      names[#names + 1] = kind ~= "null" and not self.seen[name] and name or nil
    end
  end
  table.sort(names)
  return names
end

return checker
