--- Reads the ids of accounts from a file: one a line, or a column of CSV.
-- @module palenca.host.cli.account_file
local argcheck = require("palenca.util.argcheck")
local user_error = require("palenca.host.user_error")

local account_file = {}

-- What the column may be called; of several, the first of these. Lower case, with _ for blanks.
local NAMES = { "account_id", "account", "id_cuenta", "cuenta", "id_conta", "conta", "id" }

local function read_text(path)
  local file, problem = io.open(path)
  local text
  if file then
    text, problem = file:read("a")
    file:close()
  end
  if not text then
    user_error("%s", problem:find(path, 1, true) and problem or path .. ": " .. problem)
  end
  return (text:gsub("^\239\187\191", "")) -- a spreadsheet writes a byte order mark
end

-- The cells of a line. A mark within quotation marks separates nothing.
local function split(line, mark)
  local cells, cell, is_quoted = {}, {}, false
  for character in (line .. mark):gmatch(".") do
    if character == '"' then
      is_quoted = not is_quoted
    elseif character == mark and not is_quoted then
      cells[#cells + 1] = table.concat(cell):match("^%s*(.-)%s*$")
      cell = {}
    else
      cell[#cell + 1] = character
    end
  end
  return cells
end

local function first_field(line)
  return line:match('^%s*"?([^%s,;#"]*)')
end

-- Returns what reads the id of a line, if a line is a heading that has one.
local function reader_of(heading)
  local mark = heading:match("[,;\t]") or ","
  local columns = {}
  for at, name in ipairs(split(heading, mark)) do
    name = name:lower():gsub("[%s-]+", "_")
    columns[name] = columns[name] or at
  end
  for _, name in ipairs(NAMES) do
    local column = columns[name]
    if column then
      return function(line)
        return first_field(split(line, mark)[column] or "")
      end
    end
  end
end

--- Reads them: of lines that begin with an id, whatever is behind it; below a heading of CSV, those
-- of its column. Blank lines and comments are skipped. Raises what cannot be read.
-- @tparam string path
-- @treturn {string,...} each once, in the order of the file
function account_file.read(path)
  local accounts, seen, number, read = {}, {}, 0, nil
  for line in (read_text(path) .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    local id = first_field(line)
    local has_text = id ~= "" or line:find("^%s*[^%s#]")
    local heading = has_text and not read and not argcheck.is_uuid(id) and reader_of(line)
    if heading then
      read = heading
    elseif has_text then
      if not read and not argcheck.is_uuid(id) then
        user_error("%s: line %d: '%s' is neither an account's id nor a heading with one of the "
          .. "columns %s", path, number, id, table.concat(NAMES, ", "))
      end
      read = read or first_field
      id = read(line)
      if not argcheck.is_uuid(id) then
        user_error("%s: line %d: '%s' is not an account's id", path, number, id)
      elseif not seen[id] then
        seen[id] = true
        accounts[#accounts + 1] = id
      end
    end
  end
  if #accounts == 0 then
    user_error("%s names no account", path)
  end
  return accounts
end

return account_file
