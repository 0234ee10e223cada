--- luacheck's std for scripts: a field that `palenca` does not have is a warning.
--
-- In `.luacheckrc`, where luacheck finds the module (in Debian it is run by Lua 5.1; else
-- `dofile(".../palenca/luacheck.lua")`):
--
--    stds.palenca = require "palenca.luacheck"
--    std = "max+palenca"
--
-- luacheck knows fields of globals only. So that it knows those of `local palenca = require
-- "palenca"`, what it reads of a file has the global `palenca` in the place of that call.
local directory = (debug.getinfo(1, "S").source:match("^@(.*)luacheck%.lua$") or "./")

local function load_fields()
  local ok, fields = pcall(require, "palenca.luacheck_fields")
  return ok and fields or dofile(directory .. "luacheck_fields.lua")
end

local function is_palenca(node)
  local called, argument = node[1], node[2]
  return node.tag == "Call" and called.tag == "Id" and called[1] == "require" and #node == 2
    and argument.tag == "String" and argument[1] == "palenca"
end

local function replace(node)
  if is_palenca(node) then
    node.tag, node[1], node[2] = "Id", "palenca", nil
    return
  end
  for _, inner in ipairs(node) do
    if type(inner) == "table" then
      replace(inner)
    end
  end
end

-- luacheck's parser is a function of its own module; another luacheck may have none.
local function teach(parser)
  if type(parser) ~= "table" or type(parser.parse) ~= "function" or parser.knows_palenca then
    return
  end
  local parse = parser.parse
  parser.knows_palenca = true
  parser.parse = function(...)
    local function replaced(tree, ...)
      if type(tree) == "table" then
        replace(tree)
      end
      return tree, ...
    end
    return replaced(parse(...))
  end
end

teach(package.loaded["luacheck.parser"])

return { read_globals = { palenca = { fields = load_fields() } } }
