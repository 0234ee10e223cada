--- The rules of the C that no compiler checks: braces, lengths, one error type of the program's,
-- and one place where it makes a line of its log.

local helper = require("spec.host.helper")

local MAX_FUNCTION_LINES, MAX_FILE_LINES = 40, 500

-- A text with spaces where comments, strings, characters and directives stand: its lines stay. Of
-- a directive, a macro's definition remains.
local function strip(text)
  local function blank(part)
    return (part:gsub("[^\n]", " "))
  end
  local out, at = {}, 1
  while at <= #text do
    local first = text:find("[/\"']", at) or #text + 1
    out[#out + 1] = text:sub(at, first - 1)
    local _, last
    local char = text:sub(first, first)
    if char == "/" then
      _, last = text:find("^/%*.-%*/", first)
      if not last then
        _, last = text:find("^//[^\n]*", first)
      end
    elseif char ~= "" then
      last = first + 1
      while last < #text and text:sub(last, last) ~= char do
        last = last + (text:sub(last, last) == "\\" and 2 or 1)
      end
    end
    out[#out + 1] = last and blank(text:sub(first, last)) or char
    at = (last or first) + 1
  end
  text = ("\n" .. table.concat(out)):gsub("\\\n", " \n")
  text = text:gsub("\n[ \t]*#[ \t]*(%a+)[^\n]*", function(directive)
    return directive ~= "define" and "\n" or nil
  end)
  return text:sub(2)
end

-- Whether a word's body, from `at` on, is in braces or needs none.
local function has_braces(code, word, at)
  -- do { … } while (0) of a macro, whose semicolon is the caller's
  local is_end_of_macro = word == "while" and code:find("^%s*%(0%)", at) ~= nil
  if word ~= "else" and word ~= "do" then
    local _, last = code:find("^%s*%b()", at)
    at = (last or at) + 1
  end
  return code:find("^%s*{", at) ~= nil
    or word == "else" and code:find("^%s+if%f[^%w_]", at) ~= nil
    or (word == "while" or word == "for") and code:find("^%s*;", at) ~= nil
    or is_end_of_macro
end

local CONTROLLING = { ["if"] = true, ["else"] = true, ["for"] = true, ["while"] = true,
  ["do"] = true, ["switch"] = true }

-- Adds "path:line: word" of each body that is not in braces.
local function check_braces(path, text, found)
  local line = 1
  local code = strip(text)
  local last = 1
  for first, word, after in code:gmatch("%f[%w_]()([%a_][%w_]*)()") do
    if CONTROLLING[word] then
      local _, breaks = code:sub(last, first - 1):gsub("\n", "")
      line, last = line + breaks, first
      if not has_braces(code, word, after) then
        found[#found + 1] = ("%s:%d: %s"):format(path, line, word)
      end
    end
  end
end

-- Adds the functions and the file that are too long. A function begins at the start of a line and
-- ends with the next brace there; a declaration ends with a semicolon before any brace.
local function check_lengths(path, text, found)
  local line, first, is_open = 0, nil, false
  for content in text:gmatch("([^\n]*)\n") do
    line = line + 1
    if content:find("^[%a_].*%(") then
      first, is_open = line, false
    end
    is_open = is_open or content:find("{$") ~= nil
    if content == "}" and first and line - first >= MAX_FUNCTION_LINES then
      found[#found + 1] = ("%s:%d: a function of %d lines"):format(path, first, line - first + 1)
    end
    if content == "}" or content:find(";$") and not is_open then
      first = nil
    end
  end
  if line > MAX_FILE_LINES then
    found[#found + 1] = ("%s: %d lines"):format(path, line)
  end
end

-- Parameters for an error's text, beside or instead of a host_error.
local ERROR_TEXTS = { "()char%s+%*+%s*error%s*[,)]", "()error_size" }

local function check_errors(path, text, found)
  local code = strip(text)
  for _, pattern in ipairs(ERROR_TEXTS) do
    for at in code:gmatch(pattern) do
      local _, lines_before = code:sub(1, at):gsub("\n", "")
      found[#found + 1] = ("%s:%d: a text for an error"):format(path, lines_before + 1)
    end
  end
end

-- A field that every line of the log has as JSON.
local function check_log_lines(path, text, found)
  for line in text:gmatch("[^\n]+") do
    if line:find('\\"time\\":', 1, true) then
      found[#found + 1] = path .. ": a line of the log"
    end
  end
end

-- What a check finds in the files of some folders, a line each.
local function found_by(check, folders, min)
  local found, count = {}, 0
  local pipe = assert(io.popen(("find %s -name '*.[ch]' | sort"):format(folders)))
  for path in pipe:lines() do
    local file = assert(io.open(path, "rb"))
    check(path, file:read("a"), found)
    file:close()
    count = count + 1
  end
  pipe:close()
  assert.is_true(count > min)
  return table.concat(found, "\n")
end

describe("the C", function()
  it("has braces around every body", function()
    assert.are.equal("", found_by(check_braces, "core spec", 200))
  end)

  it("names the servers of the API as the module does", function()
    local header = helper.read_file("core/client/palenca.h")
    local module = helper.read_file("lua/palenca/client/init.lua")
    for _, name in ipairs { "sandbox", "production" } do
      local url = module:match("\n  " .. name .. ' = "(https://[^"]+)"')
      assert.is_not_nil(url)
      assert.are.equal(url, header:match("PALENCA_BASE_URL_" .. name:upper() .. ' "([^"]+)"'))
    end
  end)

  it("has short functions and files", function()
    assert.are.equal("", found_by(check_lengths, "core", 100))
  end)

  it("of the program has one error type", function()
    assert.are.equal("", found_by(check_errors, "core/host", 80))
  end)

  it("of the program makes a line of its log in one place", function()
    assert.are.equal("core/host/common/log_entry.c: a line of the log",
      found_by(check_log_lines, "core/host", 80))
  end)

  it("is searched for bodies without braces", function()
    local found = {}
    check_braces("x.c", [[
#if defined X /* if (a) b; */
#else
#endif
#define SET(a)   \
  if ((a) == 0)  \
  (a) = 1
if (a) {} else if (b(c)) { for (;;) ; } else do { do_it(), elsewhere; } while (a);
if (")" == 'x' || '\'') // {
  return "if (a) b";
for (int i = 0; i < 3; i++) while (a)
  b();
do
  c();
while (d);
switch (a) { case 1: { } }]], found)
    assert.are.same({ "x.c:5: if", "x.c:7: else", "x.c:8: if", "x.c:10: for", "x.c:10: while",
      "x.c:12: do" }, found)
  end)

  it("is searched for long functions and for texts of errors", function()
    local found = {}
    local declaration = "bool declared(int a,\n              int b);\n"
    check_lengths("x.c", declaration .. "static int f(\n    int a) {\n" .. ("  a++;\n"):rep(37)
      .. "}\n" .. declaration .. "int g(int a) {\n" .. ("  a++;\n"):rep(39) .. "}\n", found)
    check_errors("x.h", "/* char *error, */\nbool f(char *error, size_t error_size);\n"
      .. "bool g(const char **error);\nbool h(host_error *error);\n", found)
    assert.are.same({ "x.c:45: a function of 41 lines", "x.h:2: a text for an error",
      "x.h:3: a text for an error", "x.h:2: a text for an error" }, found)
  end)
end)
