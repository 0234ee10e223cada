--- Keeps the last lines that the handlers of an attempt have logged, to be stored with its end.
-- @module palenca.host.attempt_log
local json = require("palenca.util.json")
local log = require("palenca.log")
local redact = require("palenca.util.redact")

local attempt_log = {}

-- Of an attempt: the lines that are kept, the bytes of them together, and of one.
local LINES_MAX = 50
local SIZE_MAX = 16 * 1024
local LINE_SIZE_MAX = 4 * 1024

local function drop_first(kept)
  kept.size = kept.size - #kept[1]
  kept.left_out = kept.left_out + 1
  table.remove(kept, 1)
end

local function add_line(kept, line)
  line = redact.escape_line(log.truncate(line, LINE_SIZE_MAX), true) -- with its tabs
  kept[#kept + 1] = line
  kept.size = kept.size + #line
  while #kept > LINES_MAX or kept.size > SIZE_MAX and #kept > 1 do -- escaped, one is as long
    drop_first(kept)
  end
end

--- Adds what was logged.
-- @tparam ?table kept what an earlier call has returned; nil: this is the first one
-- @tparam string text one or several lines, with or without the last one's end
-- @treturn table
function attempt_log.add(kept, text)
  kept = kept or { size = 0, left_out = 0 }
  text = text:gsub("\n$", "")
  if #text > SIZE_MAX then -- what is before the last lines would be dropped one by one
    local first = text:find("\n", -SIZE_MAX, true) or 0
    kept.left_out = kept.left_out + select(2, text:sub(1, first):gsub("\n", ""))
    text = text:sub(first + 1)
  end
  for line in text:gmatch("[^\n]*") do
    add_line(kept, line)
  end
  return kept
end

--- What is stored.
-- @tparam ?table kept
-- @treturn ?string the lines, as one text; nil: nothing was logged
-- @treturn ?integer the number of lines before them that are left out
function attempt_log.text(kept)
  if kept then
    return table.concat(kept, "\n"), kept.left_out
  end
end

--- The lines of what was stored.
-- @tparam ?string text
-- @treturn {string,...} as a list for JSON
function attempt_log.list(text)
  local list = {}
  for line in (text or ""):gmatch("[^\n]*") do
    list[#list + 1] = text and line
  end
  return json.array(list)
end

return attempt_log
