--- Keeps the sandbox's records in a file of JSON lines, so that they outlive the process.
-- @module palenca.sandbox.data.journal
--
-- A line is `[kind, id, record]`, and `[kind, id]` where the record is gone; the last line of an
-- id counts. The file is appended to, and rewritten at the start when most of it is outdated.
local json = require("palenca.util.json")

local journal = {}
journal.__index = journal

local HEADER = '["palenca sandbox",1]'

-- How many times more lines than records a file may have before it is rewritten.
local SLACK = 4
local SLACK_LINES = 1000

-- A line that a crash or a full disk has truncated is skipped: its request got no response.
local function read(self, text)
  if text:match("^[^\n]*") ~= HEADER then
    error(self.path .. ": this is not a file of the sandbox's", 0)
  end
  local order, found, lines, skipped = {}, {}, 0, 0
  for line in text:gmatch("([^\n]+)\n?", #HEADER + 2) do
    lines = lines + 1
    local entry = json.decode(line)
    if type(entry) == "table" and type(entry[1]) == "string" and entry[2] ~= nil then
      local name = entry[1] .. "/" .. tostring(entry[2])
      if not found[name] then
        order[#order + 1] = name
      end
      found[name] = { kind = entry[1], id = entry[2], record = entry[3], line = line }
    else
      skipped = skipped + 1
    end
  end
  for at, name in ipairs(order) do
    order[at] = found[name]
  end
  return order, lines, skipped
end

-- For whoever has nothing better: what is at the path may be a link, or have a mode of its own.
local function replace_file(path, text)
  local file = assert(io.open(path .. ".new", "w"))
  assert(file:write(text))
  assert(file:close())
  return os.rename(path .. ".new", path)
end

local function rewrite(path, entries, replace)
  local lines = { HEADER, "\n" }
  for _, entry in ipairs(entries) do
    lines[#lines + 1] = entry.line
    lines[#lines + 1] = "\n"
  end
  assert(replace(path, table.concat(lines)))
end

--- Opens a file, making it if there is none; raises if it cannot be read or is not ours.
-- @tparam string path the file
-- @tparam ?function replace called with the path and a text which is to be all that is in the file;
-- returns true, or nil and why it is as it was
-- @treturn journal the journal
-- @treturn table what it holds, in order: each `kind`, `id`, and `record`, or none if that is gone
-- @treturn integer how many lines were not readable and are left out
function journal.open(path, replace)
  local self = setmetatable({ path = path, pending = {} }, journal)
  local entries, lines, skipped = {}, 0, 0
  local file = io.open(path, "r")
  local text = file and assert(file:read("a")) or ""
  if file then
    file:close()
  end
  if text ~= "" then
    entries, lines, skipped = read(self, text)
  end
  if text:sub(-1) ~= "\n" or skipped > 0 or lines > SLACK * #entries + SLACK_LINES then
    rewrite(path, entries, replace or replace_file)
  end
  self.file = assert(io.open(path, "a"))
  self.file:setvbuf("no")
  return self, entries, skipped
end

--- Notes a record, or that it is gone.
-- @tparam string kind its kind
-- @param id its id
-- @tparam ?table record the record; nil: gone
function journal:record(kind, id, record)
  self.pending[#self.pending + 1] = json.encode({ kind, id, record })
end

--- Writes what was noted. What could not be written is tried again the next time.
-- @treturn ?string why it could not
function journal:flush()
  if #self.pending == 0 then
    return nil
  end
  local text = table.concat(self.pending, "\n") .. "\n"
  -- the failure may have left half a line behind
  local ok, problem = self.file:write(self.failed and "\n" .. text or text)
  self.failed = not ok
  if ok then
    self.pending = {}
    return nil
  end
  return problem
end

--- Closes the file.
function journal:close()
  self.file:close()
end

return journal
