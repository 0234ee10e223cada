--- Writes rows of the API: as a table as wide as the terminal, as CSV, or as lines of JSON.
--
-- A column is a table: `name`, that of the field; `right`, if it is aligned to the right; `cut`, if
-- it may be truncated; `read`, a function that returns the cell's value of a row, else its field.
-- The most important column is the first.
-- @module palenca.host.cli.rows_format
local api_amount = require("palenca.income.api_amount")
local host = require("palenca.host")
local json = require("palenca.util.json")
local number_text = require("palenca.util.number_text")
local output = require("palenca.host.cli.output")
local redact = require("palenca.util.redact")
local text_layout = require("palenca.util.text_layout")

local rows_format = {}

local GAP = 2
-- A column that may be truncated is left out where it would be narrower.
local CUT_MIN = 12

--- An amount as the exact decimal that it is.
-- @param value as the API sent it
-- @treturn ?string with two decimals or more; of what is no amount, its text
function rows_format.amount(value)
  if value == nil then
    return nil
  end
  local minor, extra, is_negative = api_amount.read(value, 2)
  if not minor then
    return number_text.text(value)
  end
  local sign = (minor < 0 or is_negative) and "-" or ""
  minor = math.abs(minor)
  return ("%s%d.%02d%s"):format(sign, minor // 100, minor % 100, extra or "")
end

-- A list of words is these words; what else is no plain value is JSON.
local function cell_text(value)
  if type(value) ~= "table" then
    return number_text.text(value)
  end
  for _, one in pairs(value) do
    if type(one) ~= "string" then
      return json.canonical(value)
    end
  end
  return #value > 0 and table.concat(value, " ") or json.is_array(value) and ""
    or json.canonical(value)
end

local function cell_of(column, row)
  local value
  if column.read then
    value = column.read(row)
  else
    value = row[column.name]
  end
  return value ~= nil and redact.escape_line(cell_text(value)) or nil
end

-- ---- table -----------------------------------------------------------------------------

-- All cells, with the names of the columns first, and the width of each column.
local function cells_of(columns, rows)
  local lines, widths = { {} }, {}
  for at, column in ipairs(columns) do
    lines[1][at], widths[at] = column.name, text_layout.width(column.name)
  end
  for _, row in ipairs(rows) do
    local line = {}
    for at, column in ipairs(columns) do
      line[at] = cell_of(column, row) or "-"
      widths[at] = math.max(widths[at], text_layout.width(line[at]))
    end
    lines[#lines + 1] = line
  end
  return lines, widths
end

-- The columns that there is room for, each with its width, and the names of the others.
local function fit(columns, widths, room)
  local shown, others = {}, {}
  for at, column in ipairs(columns) do
    local left = room - (#shown > 0 and GAP or 0)
    local width = column.cut and math.min(widths[at], math.max(left, CUT_MIN)) or widths[at]
    if width <= left or at == 1 then
      shown[#shown + 1] = { at = at, width = width }
      room = left - width
    else
      others[#others + 1] = column.name
    end
  end
  return shown, others
end

--- Lays out a table.
-- @tparam {table,...} columns
-- @tparam {table,...} rows
-- @tparam ?integer width of the terminal; nil: all columns are shown in full
-- @treturn {string,...} lines
-- @treturn {string,...} the names of the columns that are not shown
function rows_format.table(columns, rows, width)
  local cells, widths = cells_of(columns, rows)
  local shown, others = fit(columns, widths, width or math.huge)
  local picked, left = {}, {}
  for at, one in ipairs(shown) do
    left[at] = not columns[one.at].right
  end
  for number, line in ipairs(cells) do
    picked[number] = {}
    for at, one in ipairs(shown) do
      picked[number][at] = text_layout.truncate(line[one.at], one.width)
    end
  end
  return text_layout.lines(picked, left), others
end

local function write_table(columns, rows)
  local lines, others = rows_format.table(columns, rows, host.terminal_width("stdout"))
  for _, line in ipairs(lines) do
    output.line(line)
  end
  if #others > 0 then
    output.text("not shown in this width: " .. table.concat(others, ", "))
  end
end

-- ---- CSV and JSON ----------------------------------------------------------------------

-- What a spreadsheet would compute becomes text for it, as an apostrophe marks it.
local function without_formula(text)
  local is_formula = text:find("^[=@]") or text:find("^[+-]") and not text:find("^[+-][%d.]+$")
  return is_formula and "'" .. text or text
end

local function csv_cell(text)
  text = without_formula(text or "")
  return text:find('[",]') and '"' .. text:gsub('"', '""') .. '"' or text
end

--- A row as a line of CSV.
-- @tparam {table,...} columns
-- @tparam ?table row nil: the names of the columns
-- @treturn string
function rows_format.csv(columns, row)
  local cells = {}
  for at, column in ipairs(columns) do
    cells[at] = csv_cell(row and cell_of(column, row) or not row and column.name or nil)
  end
  return table.concat(cells, ",")
end

--- A row as a line of JSON.
-- @tparam table row
-- @treturn string
function rows_format.json(row)
  return redact.escape_json(json.canonical(row))
end

--- Writes rows to standard output.
-- @tparam table given the options: `json`, `csv`
-- @tparam {table,...} columns
-- @tparam {table,...} rows
-- @tparam string none what is said if there are none, to a person
function rows_format.write(given, columns, rows, none)
  if not given.json and not given.csv then
    if #rows == 0 then
      output.text(none)
    else
      write_table(columns, rows)
    end
    return
  end
  if given.csv then
    output.line(rows_format.csv(columns))
  end
  for _, row in ipairs(rows) do
    output.line(given.csv and rows_format.csv(columns, row) or rows_format.json(row))
  end
end

return rows_format
