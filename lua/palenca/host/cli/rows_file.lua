--- The rows of earnings in a file, taken as the complete history of their accounts.
-- @module palenca.host.cli.rows_file
local json = require("palenca.util.json")

local rows_file = {}

local function read_text(path)
  if path == "-" then
    return io.read("a"), "standard input"
  end
  local file, problem = io.open(path, "rb")
  if not file then
    error(problem, 0)
  end
  local text, reason = file:read("a")
  file:close()
  if not text then
    error(path .. ": " .. reason, 0)
  end
  return text, path
end

local function read_lines(text, name)
  local rows, number = {}, 0
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    if line:find("%S") then
      local row, problem = json.decode(line)
      if type(row) ~= "table" then
        error(string.format("%s: line %d: %s", name, number, problem or "not an object"), 0)
      end
      rows[#rows + 1] = row
    end
  end
  return rows
end

local function read_rows(path)
  local text, name = read_text(path)
  if not text:find("^%s*%[") then
    return read_lines(text, name), name
  end
  local rows, problem = json.decode(text)
  if type(rows) ~= "table" then
    error(name .. ": " .. problem, 0)
  end
  for at = 1, #rows do
    if type(rows[at]) ~= "table" then
      error(string.format("%s: row %d: not an object", name, at), 0)
    end
  end
  return rows, name
end

local function text_field(row, field, name, at)
  local value = row[field]
  if value ~= nil and type(value) ~= "string" then
    error(string.format("%s: row %d: %s must be a text", name, at, field), 0)
  end
  return value
end

-- By account and platform, in the order in which these first appear.
local function group(rows, name)
  local accounts, by_key = {}, {}
  for at, row in ipairs(rows) do
    local account = text_field(row, "account", name, at)
    local platform = text_field(row, "platform", name, at)
    local key = (account or "") .. "\0" .. (platform or "")
    local own = by_key[key]
    if not own then
      own = { rows = {}, account = account, platform = platform }
      by_key[key], accounts[#accounts + 1] = own, own
    end
    own.rows[#own.rows + 1] = row
  end
  if #accounts == 0 then
    accounts[1] = { rows = {} }
  end
  for _, own in ipairs(accounts) do
    own.report = { complete = true, rows = #own.rows }
  end
  return accounts
end

--- Reads the accounts of a file. Raises what is wrong with it, as text.
-- @tparam string path of a JSON array or of JSON lines; `-`: standard input
-- @treturn {table,...} the accounts, as @{palenca.income.merge} takes them
function rows_file.read(path)
  return group(read_rows(path))
end

return rows_file
