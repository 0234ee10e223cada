--- Takes the place of the clock, the environment and the exit of the process, and of `print`, while
-- the code of a test's script runs.
-- @module palenca.testing.globals
local globals = {}

local function clock_of(replaced, clock)
  local time, date = os.time, os.date
  replaced.time = function(...)
    if select("#", ...) == 0 or (...) == nil then
      return math.floor(clock())
    end
    return time(...)
  end
  replaced.date = function(format, at)
    return date(format or "%c", at or math.floor(clock()))
  end
end

-- What the machine has under PALENCA_ is not the script's in a test.
local function environment_of(replaced, env)
  local getenv = os.getenv
  replaced.getenv = function(name)
    local value = env[name]
    if value ~= nil or tostring(name):find("^PALENCA_") then
      return value
    end
    return getenv(name)
  end
end

local function text_of(...)
  local parts = { n = select("#", ...), ... }
  for at = 1, parts.n do
    parts[at] = tostring(parts[at])
  end
  return table.concat(parts, "\t", 1, parts.n)
end

--- Replaces them.
-- @tparam table world `clock` (a function that returns Unix time), `env` (name → text), `exit`
-- (called instead of `os.exit`), `printed` (the list that the lines of `print` are added to)
-- @treturn function undoes it
function globals.replace(world)
  local replaced, before = { exit = world.exit }, { print = print }
  clock_of(replaced, world.clock)
  environment_of(replaced, world.env)
  for name, value in pairs(replaced) do
    before[name] = os[name]
    os[name] = value -- luacheck: ignore 122
  end
  print = function(...) -- luacheck: ignore 121
    table.insert(world.printed, text_of(...))
  end
  return function()
    print = before.print -- luacheck: ignore 121
    for name in pairs(replaced) do
      os[name] = before[name] -- luacheck: ignore 122
    end
  end
end

return globals
