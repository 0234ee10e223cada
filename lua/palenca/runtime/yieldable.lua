--- Whether a coroutine can yield where it is, in each Lua: not inside of what C calls, such as a
-- sort's function; in Lua 5.1 not inside of `pcall`, a metamethod or an iterator either.
-- @module palenca.runtime.yieldable
local core = require("palenca.core")

local yieldable = {
  --- Whether this Lua can yield inside of a protected call.
  in_pcall = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil,
}

-- How many more calls from C are possible: Lua 5.1 counts those of a coroutine, and of what has
-- resumed it.
local function room(count)
  local ok, all = pcall(room, count + 1)
  return ok and all or count
end

local yielding = { [pcall] = true, [xpcall] = true }

-- Lua 5.2 does not say it; but its functions of C yield only through these.
local function has_no_c_call()
  local level = 2
  local info = debug.getinfo(level, "Sf")
  while info do
    if info.what == "C" and not yielding[info.func] then
      return false
    end
    level = level + 1
    info = debug.getinfo(level, "Sf")
  end
  return true
end

--- What @{now} compares with: called by who resumes the coroutine, each time.
-- @treturn ?integer
function yieldable.mark()
  return not yieldable.in_pcall and room(0) or nil
end

--- The difference between the coroutine, at its start, and who has resumed it.
-- @tparam ?integer mark of who has resumed it
-- @treturn ?integer
function yieldable.offset(mark)
  return mark and mark - room(0)
end

--- Whether the running coroutine can yield.
-- @tparam ?integer mark of who has resumed it
-- @tparam ?integer offset of the coroutine
-- @treturn boolean
function yieldable.now(mark, offset)
  if mark then
    return room(0) == mark - offset
  elseif _VERSION == "Lua 5.2" then
    return has_no_c_call()
  end
  return core.is_yieldable()
end

return yieldable
