--- Rules: the limits by which an income is decided on; see @{palenca.income.decide}.
-- @module palenca.income.rule
local fail = require("palenca.income.fail")

local floor = math.floor

local rule = {}

local DEFAULTS = {
  min_days_observed = 42,
  max_days_since_last = 14,
  min_active_weeks = 5,
  min_regularity = 0.75,
  max_gap = 21,
  min_stability = 0.5,
  max_decline = 0.2,
  ratio = 0.3,
}
local FRACTIONS = { min_regularity = true, min_stability = true, max_decline = true, ratio = true }
local WHOLE_MAX = 100000

local function check_version(place, version)
  local kind = type(version)
  if not (kind == "string" and version ~= "" or kind == "number" and version == floor(version)) then
    fail.value(place .. ".version", "expected a text or a whole number", version)
  end
end

local function check_limit(place, name, value)
  if FRACTIONS[name] then
    -- Figures have four decimals: a finer limit would be truncated silently.
    if type(value) ~= "number" or not (value >= 0 and value <= 1)
      or floor(value * 10000 + 0.5) / 10000 ~= value then
      fail.number(place .. "." .. name, "expected a number from 0 to 1 with at most four decimals",
        value)
    end
  elseif type(value) ~= "number" or not (value >= 0 and value <= WHOLE_MAX)
    or value ~= floor(value) then
    fail.number(place .. "." .. name, "expected a whole number from 0 to 100000", value)
  end
end

--- Checks a rule and fills in the defaults.
-- @tparam table given the user's
-- @tparam[opt="rule"] string place what it is called in messages
-- @treturn table a new one with every field
-- @raise if a field is unknown or not as it should be
function rule.read(given, place)
  place = place or "rule"
  local known = { version = true }
  for name in pairs(DEFAULTS) do
    known[name] = true
  end
  fail.unless_known(place, given, known)
  check_version(place, given.version)
  local all = { version = given.version }
  for name, default in pairs(DEFAULTS) do
    local value = given[name]
    if value ~= nil then
      check_limit(place, name, value)
    else
      value = default
    end
    all[name] = value
  end
  return all
end

-- Nothing of Lua is within its reach, and what is compiled is not run.
local function load_text(text, name)
  if text:sub(1, 1) == "\27" then
    return nil, name .. ": is compiled, not text"
  elseif setfenv then -- luacheck: ignore 113
    local chunk, problem = loadstring(text, "=" .. name) -- luacheck: ignore 113
    return chunk and setfenv(chunk, {}), problem -- luacheck: ignore 113
  end
  return load(text, "=" .. name, "t", {})
end

--- Reads a rule from a file of Lua that returns it; see @{palenca.income.load_rule}.
function rule.load(path)
  if type(path) ~= "string" then
    fail.value("load_rule", "expected a path", path)
  end
  local file, problem = io.open(path, "rb")
  if not file then
    error("palenca.income: load_rule: " .. problem, 0)
  end
  local text = file:read("*a")
  file:close()
  if not text then
    error("palenca.income: load_rule: " .. path .. " cannot be read", 0)
  end
  local chunk
  chunk, problem = load_text(text, path)
  if not chunk then
    error("palenca.income: load_rule: " .. problem, 0)
  end
  local ok, given = pcall(chunk)
  if not ok then
    error("palenca.income: load_rule: " .. tostring(given), 0)
  end
  return rule.read(given, path)
end

return rule
