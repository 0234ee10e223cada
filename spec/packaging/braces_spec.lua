--- Every body of an if, else, for, while and do in C stands in braces.

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
local function check(path, text, found)
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

describe("the braces of", function()
  it("the C stand around every body", function()
    local found, count = {}, 0
    local pipe = assert(io.popen("find core spec -name '*.[ch]' | sort"))
    for path in pipe:lines() do
      local file = assert(io.open(path, "rb"))
      check(path, file:read("a"), found)
      file:close()
      count = count + 1
    end
    pipe:close()
    assert.is_true(count > 200)
    assert.are.equal("", table.concat(found, "\n"))
  end)

  it("bodies without them are found, and only those", function()
    local found = {}
    check("x.c", [[
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
end)
