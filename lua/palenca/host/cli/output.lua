--- Writes the standard output of the commands; what cannot be written there is a failure.
-- @module palenca.host.cli.output
local host = require("palenca.host")
local json = require("palenca.util.json")
local redact = require("palenca.util.redact")
local user_error = require("palenca.host.user_error")

local output = {}

-- EPIPE on Linux and macOS: the reader of the pipe is gone.
local EPIPE = 32

-- Raised then: nobody reads a message.
local closed = setmetatable({}, {
  __tostring = function()
    return "nobody reads standard output"
  end,
})

-- Whether it was raised, whatever has been made of it since.
local has_closed = false

--- Ends the command, as its reader has ended.
function output.end_with_reader()
  has_closed = true
  error(closed, 0)
end

local end_with_reader = output.end_with_reader

--- The exit status of a command whose reader is gone, such as `head`: as if SIGPIPE had ended it.
output.CLOSED = 141

--- Whether something raised means that nobody reads the output any more.
-- @param raised anything
-- @treturn boolean
function output.is_closed(raised)
  return raised == closed
end

--- Raises just that if it was raised before.
function output.check_reader()
  if has_closed then
    end_with_reader()
  end
end

local function check(ok, problem, code)
  if ok then
    return
  elseif code == EPIPE then
    end_with_reader()
  end
  user_error("cannot write to standard output: %s", problem)
end

--- Writes a line. It may be held back until @{flush}.
-- @tparam string text as it is to be seen, for a terminal or as JSON
function output.line(text)
  check(io.stdout:write(text, "\n"))
end

--- Writes a line at once.
-- @tparam string text likewise
-- @param file standard output, where a script has another one in its place
function output.line_to(text, file)
  check(file:write(text, "\n"))
  check(file:flush())
end

--- Writes text with control characters escaped, for a terminal.
-- @tparam string text one line or several
function output.text(text)
  output.line(redact.escape_line(text, true))
end

--- Writes a value as a line of JSON.
-- @param value
function output.json(value)
  output.line(redact.escape_json(json.canonical(value)))
end

--- Flushes the output; raises if it cannot be written.
function output.flush()
  check(io.stdout:flush())
end

-- What a script has lost, with the first reason for it, if that is known.
local lost

-- Here, since who is blamed for an argument must be the script, not this module.
local function check_arguments(...)
  for at = 1, select("#", ...) do
    local kind = type((select(at, ...)))
    if kind ~= "string" and kind ~= "number" then
      error(string.format("bad argument #%d to 'write' (string expected, got %s)", at, kind), 3)
    end
  end
end

local function record_loss(file, result, problem, code)
  if not result and file == io.stdout then
    if code == EPIPE then
      end_with_reader()
    end
    lost = lost or problem
  end
  return result, problem, code
end

local function print_line(...)
  local parts = table.pack(...)
  for at = 1, parts.n do
    parts[at] = tostring(parts[at])
  end
  local line = table.concat(parts, "\t") .. "\n"
  if io.stdout:write(line) then
    local ok, problem, code = io.stdout:flush()
    if not ok and code == EPIPE then
      end_with_reader()
    end
    lost = lost or not ok and problem or nil
  end
end

--- What of a script's output could not be written.
-- @treturn ?string the reason; nil if all was
function output.problem()
  local ok, problem, code = io.stdout:flush()
  if not ok and code == EPIPE then
    end_with_reader()
  end
  return lost or not ok and problem or host.output_failed() and "some of it was lost" or nil
end

--- Watches what a script prints: it ends with its reader, as other programs do, and
-- @{output.problem} knows what could not be written.
function output.watch_script()
  local methods = getmetatable(io.stdout).__index
  local write = methods.write
  methods.write = function(file, ...)
    check_arguments(...)
    return record_loss(file, write(file, ...))
  end
  io.write = function(...) -- luacheck: ignore 122
    check_arguments(...)
    return record_loss(io.output(), write(io.output(), ...))
  end
  print = print_line -- luacheck: ignore 121
end

return output
