--- Lays out rows of text in aligned columns.
-- @module palenca.util.text_layout
local redact = require("palenca.util.redact")

local text_layout = {}

--- The width of a text in characters, not bytes: of UTF-8, all bytes but those that go on with one.
-- @tparam string text
-- @treturn number
function text_layout.width(text)
  return #text - select(2, text:gsub("[\128-\191]", ""))
end

local width = text_layout.width

--- Truncates a text.
-- @tparam string text
-- @tparam number max characters, 1 or more
-- @treturn string the text; or, if it is wider, its beginning with an ellipsis
function text_layout.truncate(text, max)
  if width(text) <= max then
    return text
  end
  local kept, count = {}, 0
  for character in text:gmatch("[^\128-\191][\128-\191]*") do
    count = count + 1
    if count == max then
      break
    end
    kept[count] = character
  end
  return table.concat(kept) .. "…"
end

--- Writes rows as lines. No line ends in blanks.
-- @tparam {{string,...},...} rows of as many cells each; what steers a terminal in them is escaped
-- @tparam table left the columns that are aligned to the left, as keys
-- @treturn {string,...} the lines
function text_layout.lines(rows, left)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for column, cell in ipairs(row) do
      cell = redact.escape_line(cell) -- a platform's name is somebody else's
      row[column] = cell
      widths[column] = math.max(widths[column] or 0, width(cell))
    end
  end
  for at, row in ipairs(rows) do
    local cells = {}
    for column, cell in ipairs(row) do
      local blanks = (" "):rep(widths[column] - width(cell))
      cells[column] = left[column] and cell .. blanks or blanks .. cell
    end
    lines[at] = (table.concat(cells, "  "):gsub(" +$", ""))
  end
  return lines
end

return text_layout
