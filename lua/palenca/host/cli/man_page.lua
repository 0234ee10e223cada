--- Writes the man page of a command from its definition.
-- @module palenca.host.cli.man_page
local core = require("palenca.core")

local man_page = {}

-- A line that begins with a dot or a quote would be a command, and a dash a hyphen.
local function escape(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (("\n" .. text):gsub("\n([.'])", "\n\\&%1"):sub(2))
end

local function add_elements(lines, title, elements)
  if #elements == 0 then
    return
  end
  lines[#lines + 1] = ".SH " .. title
  for _, element in ipairs(elements) do
    lines[#lines + 1] = ".TP"
    lines[#lines + 1] = ".B " .. escape(table.concat(element:_get_label_lines(), " "))
    lines[#lines + 1] = escape(element:_get_description())
  end
end

-- The options without those of the groups, which come first.
local function add_options(lines, element)
  local is_grouped = {}
  for _, group in ipairs(element._groups) do
    if group[1]._name:find("^%-") then
      add_elements(lines, group.name:upper(), group)
      for _, option in ipairs(group) do
        is_grouped[option] = true
      end
    end
  end
  local others = {}
  for _, option in ipairs(element._options) do
    others[#others + 1] = not is_grouped[option] and option or nil
  end
  add_elements(lines, "OPTIONS", others)
end

--- The page, for `man`.
-- @param element of argparse: the parser, or a command
-- @tparam {string,...} path the names of the command
-- @treturn string in the language of man pages
function man_page.text(element, path)
  local name = table.concat({ "palenca", table.unpack(path) }, "-")
  local lines = {
    (".TH %s 1 \"\" \"palenca %s\""):format(escape(name:upper()), core.version),
    ".SH NAME",
    escape(name) .. " \\- " .. escape((element._description:gsub("%.$", ""))),
    ".SH SYNOPSIS",
    escape((element:get_usage():gsub("^Usage: ", ""):gsub("%s+", " "))),
  }
  add_elements(lines, "ARGUMENTS", element._arguments)
  add_options(lines, element)
  add_elements(lines, "COMMANDS", element._commands)
  if element.note then
    lines[#lines + 1] = ".SH NOTES\n" .. escape(element.note)
  end
  if element.examples then
    lines[#lines + 1] = ".SH EXAMPLES\n.nf\n" .. escape(table.concat(element.examples, "\n"))
      .. "\n.fi"
  end
  return table.concat(lines, "\n")
end

return man_page
