--- Which room of core/ calls which, by the symbols of the compiled objects.
local process = require("spec.support.process")

local BUILD = process.program():match("^(.*)/bin/")

-- Archives of rooms → {defined =, undefined =}, each a set of symbols.
local function read_archives()
  local rooms = {}
  local list = assert(io.popen(("nm -A %s/libpalenca*.a %s/core/host/lib*.a"):format(BUILD, BUILD)))
  for line in list:lines() do
    local room, kind, symbol = line:match("/lib([%w_]+)%.a:[^ ]+ +([%a]) ([%w_]+)$")
    if not room then
      room, kind, symbol = line:match("/lib([%w_]+)%.a:[^:]+:%x+ (%a) ([%w_]+)$")
    end
    if room then
      rooms[room] = rooms[room] or { defined = {}, undefined = {} }
      if kind == "U" then
        rooms[room].undefined[symbol] = true
      elseif kind:find("[TDBRW]") then
        rooms[room].defined[symbol] = true
      end
    end
  end
  list:close()
  return rooms
end

-- Rooms → those that they call, each with a symbol.
local function find_calls(rooms)
  local owners, calls = {}, {}
  for name, room in pairs(rooms) do
    for symbol in pairs(room.defined) do
      owners[symbol] = name
    end
  end
  for name, room in pairs(rooms) do
    calls[name] = {}
    for symbol in pairs(room.undefined) do
      local owner = owners[symbol]
      if owner and owner ~= name then
        calls[name][owner] = symbol
      end
    end
  end
  return calls
end

-- The rooms of a circle, as text; nil: there is none.
local function find_circle(calls)
  local state, way = {}, {}
  local function visit(room)
    state[room] = "open"
    way[#way + 1] = room
    for called, symbol in pairs(calls[room] or {}) do
      if state[called] == "open" then
        return ("%s, which calls %s by %s"):format(table.concat(way, " -> "), called, symbol)
      end
      local circle = not state[called] and visit(called)
      if circle then
        return circle
      end
    end
    way[#way] = nil
    state[room] = "done"
  end
  for room in pairs(calls) do
    local circle = not state[room] and visit(room)
    if circle then
      return circle
    end
  end
end

describe("the calls between rooms", function()
  it("have no circle", function()
    local calls = find_calls(read_archives())
    assert.truthy(calls.host_webhook.host_store_queue) -- they were read
    assert.is_nil(find_circle(calls))
  end)

  it("would show a circle", function()
    local rooms = {
      low = { defined = { take = true }, undefined = { notify = true, malloc = true } },
      middle = { defined = { pass = true }, undefined = { take = true } },
      high = { defined = { notify = true }, undefined = { pass = true } },
    }
    assert.matches("calls %w+ by %w+$", find_circle(find_calls(rooms)))
    rooms.low.undefined.notify = nil
    assert.is_nil(find_circle(find_calls(rooms)))
  end)
end)
