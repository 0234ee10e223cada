--- What the terminal can show: how wide a line may be, and whether in color.
-- @module palenca.host.cli.terminal
local host = require("palenca.host")

local terminal = {}

-- Columns of a text for people: of less, its words would not fit; more are hard to read.
local MIN, MAX, DEFAULT = 40, 120, 80

local COLORS = { received = "36", running = "34", retry = "33", done = "32", dead = "1;31" }

--- The columns of a line: those of the terminal, or of $COLUMNS, from 40 to 120; 80 if standard
-- output is no terminal.
-- @treturn integer
function terminal.columns()
  local set = math.tointeger(tonumber(os.getenv("COLUMNS")))
  local columns = set and set > 0 and set or host.terminal_width("stdout") or DEFAULT
  return math.max(MIN, math.min(MAX, columns))
end

--- Whether standard output is a terminal that shows colors, and the user wants them: neither
-- NO_COLOR nor TERM=dumb is set.
-- @treturn boolean
function terminal.has_color()
  return host.is_terminal("stdout") and (os.getenv("NO_COLOR") or "") == ""
    and os.getenv("TERM") ~= "dumb"
end

--- Colors the text of a state.
-- @tparam string text one that holds the state's name
-- @tparam string state such as `dead`
-- @tparam boolean has_color of @{has_color}
-- @treturn string
function terminal.paint(text, state, has_color)
  local color = has_color and COLORS[state]
  return color and "\27[" .. color .. "m" .. text .. "\27[0m" or text
end

return terminal
