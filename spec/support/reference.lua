--- Reads the reference: the comments, as LDoc has them, of the files that config.ld lists.
local reference = {}

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

-- The files of the reference.
local function files()
  local config = { }
  assert(load(read("spec/support/config.ld"), "config.ld", "t", config))()
  local excluded, list = {}, {}
  for _, path in ipairs(config.file.exclude) do
    excluded[path] = true
  end
  for _, path in ipairs(config.file) do
    local found = assert(io.popen("find spec/support/" .. path .. " -name '*.lua' | sort"))
    for file in found:lines() do
      local plain = file:gsub("^spec/support/%.%./%.%./", "")
      if not excluded["../../" .. plain] then
        list[#list + 1] = plain
      end
    end
    found:close()
  end
  return list
end

-- The comments of a file: `lines`, and `code`, the line behind.
local function comments(path)
  local list, open = {}, nil
  for line in (read(path) .. "\n"):gmatch("(.-)\n") do
    local start, more = line:match("^%s*%-%-%-%s?(.*)$"), line:match("^%s*%-%-%s?(.*)$")
    if open and more then
      table.insert(open.lines, more)
    elseif start and not line:find("^%s*%-%-%-%-") then
      open = { lines = { start } }
      list[#list + 1] = open
    elseif open then
      open.code, open = line, nil
    end
  end
  return list
end

-- A tag's text: its type, name and description.
local function read_typed(text)
  local kind, rest = text:match("^(%b{}[^%s]*)%s*(.*)$")
  if not kind then
    kind, rest = text:match("^(%?%b{})%s*(.*)$")
  end
  if not kind then
    kind, rest = text:match("^(%S+)%s*(.*)$")
  end
  return kind, rest
end

local function read_param(self, tag, modifier, text)
  local kind
  if tag == "tparam" or tag == "tfield" then
    kind, text = read_typed(text)
  end
  local name, description = text:match("^(%S+)%s*(.*)$")
  local list = (tag == "tfield" or tag == "field") and self.fields or self.params
  list[#list + 1] = { kind = kind or "any", name = name, text = description,
    is_optional = modifier:find("opt") ~= nil or kind and kind:sub(1, 1) == "?" or false }
end

local function read_return(self, tag, text)
  local kind
  if tag == "treturn" then
    kind, text = read_typed(text)
  end
  table.insert(self.returns, { kind = kind or "any", text = text })
end

local function read_tag(self, tag, modifier, text)
  if tag == "tparam" or tag == "param" or tag == "tfield" or tag == "field" then
    read_param(self, tag, modifier, text)
  elseif tag == "treturn" or tag == "return" then
    read_return(self, tag, text)
  else
    self[tag] = text ~= "" and text or true
  end
end

-- An item of the reference: `text`, `params`, `returns`, `fields`, and its tags.
local function read_item(comment)
  local self = { text = {}, params = {}, returns = {}, fields = {}, code = comment.code }
  local tag, modifier, text
  local function close()
    if tag then
      read_tag(self, tag, modifier, text)
    end
    tag = nil
  end
  for _, line in ipairs(comment.lines) do
    local next_tag, next_modifier, rest = line:match("^@(%l+)(%b[])%s*(.*)$")
    if not next_tag then
      next_tag, rest = line:match("^@(%l+)%s*(.*)$")
    end
    if next_tag then
      close()
      tag, modifier, text = next_tag, next_modifier or "", rest
    elseif tag then
      text = text .. " " .. line:match("^%s*(.*)$")
    else
      table.insert(self.text, line)
    end
  end
  close()
  return self
end

local function name_of(item)
  local code = item.code or ""
  return item["function"] or item.table
    or code:match("^%s*local function ([%w_]+)") or code:match("^%s*function ([%w_.:]+)")
    or code:match("^%s*([%w_]+) = ")
end

-- Modules by name: `items` in their order, and the file.
local function read_module(path)
  local module = { path = path, items = {} }
  for _, comment in ipairs(comments(path)) do
    local item = read_item(comment)
    if item.module or item.classmod then
      module.name, module.text = item.module or item.classmod, item.text
      module.is_class = item.classmod ~= nil
    else
      item.name = name_of(item)
      item.is_table = item.table ~= nil and item.name == item.table and #item.fields > 0
      module.items[#module.items + 1] = item
    end
  end
  return module
end

--- Reads all modules.
-- @treturn table name → module: `name`, `text`, `path`, and `items` in their order, each with
-- `name`, `text`, `params`, `returns`, `fields` (of a table), `code` (the line behind it) and tags
-- @treturn table path → module
function reference.read()
  local modules, by_path = {}, {}
  for _, path in ipairs(files()) do
    local module = read_module(path)
    modules[module.name], by_path[path] = module, module
  end
  return modules, by_path
end

return reference
