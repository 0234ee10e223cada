--- Reads corpus.txt, which says how its cases are written.
local corpus = {}

local MACROS = {
  P = "POST / HTTP/1.1\r\n", G = "GET / HTTP/1.1\r\n", O = "OPTIONS * HTTP/1.1\r\n",
  H = "Host: a\r\n", L = "Content-Length: 5\r\n", C = "Transfer-Encoding: chunked\r\n",
  N = "\r\n", ["$"] = "$",
}
local ESCAPES = { r = "\r", n = "\n", t = "\t", ["0"] = "\0", ["\\"] = "\\", ["|"] = "" }

local function expand(text)
  text = text:gsub("\\(%b{})", function(inner)
    local what, times = inner:match("^{(.*)%*(%d+)}$")
    return expand(what):rep(tonumber(times))
  end)
  return text
end

-- In one pass, so that what one of them stands for is not read again.
local function decode(text)
  text = expand(text)
  local out, at = {}, 1
  while at <= #text do
    local mark, code = text:sub(at, at), text:sub(at + 1, at + 1)
    if mark == "$" then
      out[#out + 1], at = assert(MACROS[code], text), at + 2
    elseif mark == "\\" and code == "x" then
      out[#out + 1], at = string.char(tonumber(text:sub(at + 2, at + 3), 16)), at + 4
    elseif mark == "\\" and ESCAPES[code] then
      out[#out + 1], at = ESCAPES[code], at + 2
    else
      out[#out + 1], at = mark, at + 1
    end
  end
  return table.concat(out)
end

-- The bodies of the complete requests, and how the last one ends.
local function outcome(verdict)
  local bodies, rest = {}, decode(verdict)
  while rest:find("^ *%(") do
    local body, after = rest:match("^ *%((.-)%)(.*)$")
    bodies[#bodies + 1] = body
    rest = after
    while rest:find("^ *[%a!][^ (]*[=-][^ ]*") do -- what else holds of it
      rest = rest:gsub("^ *[^ ]+", "", 1)
    end
  end
  local last = rest:match("^ *(%w+)")
  local ending = last == "more" and "more" or tonumber(last) and "rejected" or "complete"
  return { bodies = bodies, ending = ending }
end

--- Reads the cases in a file.
-- @tparam string path
-- @treturn {{class=string,name=string,bytes=string,outcome=table},...} `outcome`: `bodies` of the
-- complete requests, and `ending`: "complete", "more" or "rejected"
function corpus.read(path)
  local cases, class = {}, nil
  for line in io.lines(path) do
    class = line:match("^%[(.*)%]$") or class
    local name, verdict, bytes = line:match("^([^#[].-) | (.-) ?| (.*)$")
    if name then
      cases[#cases + 1] = { class = class, name = name, bytes = decode(bytes),
        outcome = outcome(verdict) }
    end
  end
  return cases
end

--- Describes an outcome in a line, long bodies by their sizes.
function corpus.describe(result)
  local words = {}
  for i, body in ipairs(result.bodies) do
    local text = #body > 60 and #body .. " bytes" or body:gsub("[^\32-\126]", function(byte)
      return string.format("\\x%02x", byte:byte())
    end)
    words[i] = "(" .. text .. ")"
  end
  if result.ending ~= "complete" then
    words[#words + 1] = result.ending
  end
  return table.concat(words, " ")
end

return corpus
