--- Puts HTML together, with all text escaped.
-- @module palenca.host.cli.report.html
local redact = require("palenca.util.redact")

local html = {}

local ENTITIES = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;",
}

-- A finished piece of HTML, which is not escaped again.
local Piece = {}

--- Escapes text; what is a piece already stays as it is.
-- @param value a text, a number or a piece
-- @treturn string
function html.text(value)
  if getmetatable(value) == Piece then
    return value[1]
  end
  -- what steers a terminal, or turns the direction of text, does nothing good on a page either
  return (redact.escape_line(tostring(value)):gsub("[&<>\"']", ENTITIES))
end

--- Makes an element.
-- @tparam string name such as `p`
-- @tparam ?table attributes name → value; in the order of their names
-- @param ... what is in it: texts, numbers, pieces, or lists of these
-- @return a piece
function html.element(name, attributes, ...)
  local names, parts = {}, { "<" .. name }
  for attribute in pairs(attributes or {}) do
    names[#names + 1] = attribute
  end
  table.sort(names)
  for _, attribute in ipairs(names) do
    parts[#parts + 1] = (' %s="%s"'):format(attribute, html.text(attributes[attribute]))
  end
  parts[#parts + 1] = ">"
  for _, content in ipairs({ ... }) do
    local is_list = type(content) == "table" and getmetatable(content) ~= Piece
    for _, one in ipairs(is_list and content or { content }) do
      parts[#parts + 1] = html.text(one)
    end
  end
  parts[#parts + 1] = "</" .. name .. ">"
  return setmetatable({ table.concat(parts) }, Piece)
end

return html
