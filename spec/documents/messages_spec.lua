--- The tables of log lines, of causes and of errors' messages have all that the code can say, and
-- nothing else.
local documents = require("spec.support.documents")
local messages = require("spec.support.messages")

local HOST, ACCESS = "core/host/README.md", "core/host/ACCESS.md"
local MODULE = "lua/palenca/README.md"
local NGINX, SANDBOX = "lua/palenca/nginx/README.md", "lua/palenca/sandbox/README.md"

local LOG = { { HOST, "Log lines" }, { NGINX, "Log lines" }, { SANDBOX, "Log lines" } }
local CAUSES = { { ACCESS, "Causes of a rejection" }, { ACCESS, "Responses" },
  { NGINX, "Log lines" } }
local MESSAGES = { { MODULE, "Messages" }, { MODULE, "Messages about responses" },
  { MODULE, "Messages about the API's JSON" }, { MODULE, "Messages about pages and webhooks" },
  { MODULE, "Messages about the deadline" } }

-- What stands for a value in a table.
local VALUES = { "TIME", "ID", "N", "URL", "FILE", "LIST", "ERROR", "REASON", "SIGNAL", "SCRIPT",
  "ACTION", "PLATFORM", "NAME", "STATUS", "CAUSE", "ADDRESS", "KEY", "OPTION" }

local function rows_of(places)
  local rows = {}
  for _, place in ipairs(places) do
    local found = documents.rows_under(documents.read(place[1]), place[2])
    table.move(found, 1, #found, #rows + 1, rows)
  end
  return rows
end

-- All encodings that are not supported have one row.
local function with_placeholder(piece)
  return (piece:gsub("the Content%-Encoding [%w-]+ is", "the Content-Encoding NAME is"))
end

local function plain(text)
  return (text:gsub("[`']", ""):gsub("\\|", "|"):gsub("%s+", " "))
end

local function assert_all(pieces, rows)
  local text = plain(table.concat(rows, "\n"))
  for piece, path in pairs(pieces) do
    assert.truthy(text:find(plain(with_placeholder(piece)), 1, true),
      ("no table has '%s', which %s can log"):format(piece, path))
  end
end

-- The pieces of a line as a table has it: who writes it is set before some, and several pieces may
-- be joined by a mark.
local function pieces_of(line)
  local text = line:gsub("^palenca: error: ", ""):gsub("^palenca: ", ""):gsub("…", "\0")
    :gsub("^%d+ %(", ""):gsub("%)?[,:;] ", "\0")
  for _, value in ipairs(VALUES) do
    text = text:gsub("%f[%w]" .. value .. "%f[%W]", "\0")
  end
  local list = {}
  for piece in text:gmatch("%Z+") do
    piece = piece:match("^[%s:;,()]*(.-)[%s:;,()]*$")
    if piece:find("%a%a%a") then
      list[#list + 1] = piece
    end
  end
  return list
end

-- Whether a piece stands in the code, as it is or as a format with another string for its value;
-- `start` is what stands before it there.
local function is_known(piece, strings, start)
  if strings:find(start .. piece, 1, true) then
    return true
  end
  for at in piece:gmatch("() ") do
    local left = start .. piece:sub(1, at - 1) .. " "
    local is_open = strings:find(left .. "%", 1, true) or strings:find(left .. "\0", 1, true)
    if is_open and is_known(piece:sub(at + 1), strings, "\0") then
      return true
    end
  end
  return false
end

local function assert_known(rows, column)
  -- the tables have the plural of nouns that have their s by a value
  local strings = plain(messages.strings()):gsub("(%l)%%s%f[%W]", "%1s")
  local count = 0
  for _, row in ipairs(rows) do
    for line in (documents.cells(row)[column] or ""):gmatch("`([^`]+)`") do
      for _, piece in ipairs(pieces_of(line)) do
        count = count + 1
        assert.is_true(is_known(plain(piece), strings, ""),
          ("nothing in the code logs '%s' of '%s'"):format(piece, line))
      end
    end
  end
  assert.is_true(count > 0)
end

describe("the tables of log lines", function()
  it("have every line that the code can log", function()
    assert_all(messages.logged(), rows_of(LOG))
  end)

  it("have no line that the code cannot log", function()
    assert_known(rows_of(LOG), 1)
  end)
end)

describe("the tables of causes", function()
  it("have every cause for which a request is rejected", function()
    assert_all(messages.causes(), rows_of(CAUSES))
  end)

  it("have no cause that the code does not know", function()
    assert_known(documents.rows_under(documents.read(ACCESS), "Causes of a rejection"), 2)
  end)
end)

describe("the tables of errors' messages", function()
  it("have every message that the code has", function()
    assert_all(messages.of_errors(), rows_of(MESSAGES))
  end)

  it("have no message that the code does not have", function()
    assert_known(rows_of(MESSAGES), 1)
  end)
end)
