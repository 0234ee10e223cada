--- Reads the project's documents: their headings, paragraphs, tables, links and blocks of code.
local documents = {}

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  pipe:close()
  return list
end

--- The paths of all documents, from the root of the project.
function documents.list()
  local list = lines_of("find README.md core lua examples spec rockspec -name '*.md' "
    .. "-not -path '*/node_modules/*' | sort")
  assert(#list > 1)
  return list
end

local function read_lines(path)
  local file = assert(io.open(path, "rb"))
  local list = {}
  for line in (file:read("a") .. "\n"):gmatch("(.-)\n") do
    list[#list + 1] = line
  end
  file:close()
  if list[#list] == "" then
    list[#list] = nil
  end
  return list
end

-- The info string of a fence: its language, then words such as `background` or `name=first.lua`.
local function read_info(text)
  local language, rest = text:match("^(%S*)%s*(.*)$")
  local marks = {}
  for word in rest:gmatch("%S+") do
    local name, value = word:match("^([^=]+)=(.+)$")
    marks[name or word] = value or true
  end
  return language, marks
end

local function is_table_row(line)
  return line:find("^%s*|") ~= nil
end

-- An item of a list, or a number with a dot, begins a paragraph of its own.
local function is_item(line)
  return line:find("^%s*[-*] ") or line:find("^%s*%d+%. ")
end

local function finish_paragraph(self)
  if self.open then
    table.insert(self.paragraphs, self.open)
    self.open = nil
  end
end

local function read_prose(self, line, number)
  local marks, title = line:match("^(#+) (.+)$")
  if marks then
    finish_paragraph(self)
    table.insert(self.headings, { level = #marks, title = title, line = number })
    table.insert(self.parts, { heading = title, line = number })
  elseif line == "" then
    finish_paragraph(self)
  elseif is_table_row(line) then
    finish_paragraph(self)
    table.insert(self.rows, { text = line, line = number, part = #self.parts })
  else
    if is_item(line) then
      finish_paragraph(self)
    end
    self.open = self.open or { text = "", line = number, part = #self.parts }
    self.open.text = self.open.text .. (self.open.text ~= "" and "\n" or "") .. line
  end
end

--- Reads a document.
-- @tparam string path
-- @treturn table `path`, `lines`; `headings` (`level`, `title`, `line`); `parts`, what is between
-- two headings; `paragraphs` and `rows` of tables (`text`, `line`, and the number of their `part`);
-- `blocks` of code (`language`, `marks`, `text`, `line`)
function documents.read(path)
  local self = { path = path, lines = read_lines(path), headings = {}, parts = { { line = 1 } },
    paragraphs = {}, rows = {}, blocks = {} }
  local block
  for number, line in ipairs(self.lines) do
    local info = line:match("^```(.*)$")
    if block and line == "```" then
      block.text = table.concat(block.lines, "\n") .. "\n"
      table.insert(self.blocks, block)
      block = nil
    elseif block then
      table.insert(block.lines, line)
    elseif info then
      finish_paragraph(self)
      block = { lines = {}, line = number }
      block.language, block.marks = read_info(info)
    else
      read_prose(self, line, number)
    end
  end
  assert(not block, path .. ": a block of code does not end")
  finish_paragraph(self)
  return self
end

--- The blocks of a language in a document.
-- @treturn {table,...}
function documents.blocks(path, language)
  local list = {}
  for _, block in ipairs(documents.read(path).blocks) do
    if block.language == language then
      list[#list + 1] = block
    end
  end
  return list
end

--- How many words a text has; a URL, and what stands in backquotes without a space, is one.
function documents.count_words(text)
  local count = 0
  for word in text:gmatch("%S+") do
    count = count + (word:find("[%w\128-\255]") and 1 or 0)
  end
  return count
end

--- The anchor of a heading, as GitHub makes it.
function documents.anchor(title)
  local text = title:gsub("%[([^%]]*)%]%b()", "%1"):gsub("`", ""):lower()
  text = text:gsub("[%c%p]", function(mark)
    return (mark == "-" or mark == "_") and mark or ""
  end)
  return (text:gsub("[\226][\128-\191][\128-\191]", ""):gsub(" ", "-"))
end

--- The rows of the tables below a heading, those of lower headings included.
-- @tparam table document as from @{read}
-- @tparam string title the heading's
-- @treturn {string,...}
function documents.rows_under(document, title)
  local wanted, level = {}, nil
  for number, part in ipairs(document.parts) do
    local marks = part.heading and document.lines[part.line]:match("^#+")
    if part.heading == title then
      level = #marks
    elseif marks and level and #marks <= level then
      level = nil
    end
    wanted[number] = level ~= nil
  end
  local rows = {}
  for _, row in ipairs(document.rows) do
    if wanted[row.part] then
      rows[#rows + 1] = row.text
    end
  end
  assert(#rows > 0, document.path .. " has no table under " .. title)
  return rows
end

--- The cells of a row of a table.
function documents.cells(row)
  local text = row:gsub("^%s*|", ""):gsub("|%s*$", ""):gsub("\\|", "\0")
  local cells = {}
  for cell in (text .. "|"):gmatch("(.-)|") do
    cells[#cells + 1] = cell:gsub("%z", "|"):match("^%s*(.-)%s*$")
  end
  return cells
end

--- The links of a text: the targets of `[…](…)`, of pictures and of `<img src=…>`.
function documents.links(text)
  local list = {}
  for target in text:gmatch("%]%(([^)%s]+)%)") do
    list[#list + 1] = target
  end
  for target in text:gmatch('<img src="([^"]+)"') do
    list[#list + 1] = target
  end
  return list
end

return documents
