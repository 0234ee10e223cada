-- What one would write with LuaJIT, lua-curl and lua-cjson: a webhook's reads one after the other,
-- over one connection. decide_by_hand.lua URL CA FILE prints the port on which it receives
-- webhooks; after each decision it appends the time (seconds of the monotonic clock), the number of
-- rows, and the verdict to the file.
local cjson = require "cjson"
local curl = require "curl"
local uv = require "luv"

local url, ca, path = arg[1], arg[2], arg[3]
local easy = curl.easy_init()
local parts
easy:setopt(curl.OPT_CAINFO, ca)
easy:setopt(curl.OPT_HTTPHEADER, { "x-api-key: bench", "Content-Type: application/json" })
easy:setopt(curl.OPT_WRITEFUNCTION, function(text)
  parts[#parts + 1] = text
  return #text
end)

local function call(what, body)
  parts = {}
  easy:setopt(curl.OPT_URL, url .. "/v1/accounts/" .. what)
  if body then
    easy:setopt(curl.OPT_POSTFIELDS, cjson.encode(body))
  else
    easy:setopt(curl.OPT_HTTPGET, 1)
  end
  assert(easy:perform())
  return cjson.decode(table.concat(parts))
end

local function decide(account)
  call(account)
  local profile = call(account .. "/profile")
  local count, months, page, pages = 0, {}, 0, 1
  while page < pages do
    page = page + 1
    local response = call(account .. "/earnings/search", {
      start_date = "2024-10-01", end_date = "2026-01-01",
      options = { page = page, items_per_page = 100 },
    })
    for _, row in ipairs(response.data.earnings) do
      local month = row.earning_date:sub(1, 7)
      months[month] = (months[month] or 0) + row.amount
      count = count + 1
    end
    pages = response.pagination.total_pages
  end
  local lowest = math.huge
  for _, amount in pairs(months) do
    lowest = math.min(lowest, amount)
  end
  local verdict = lowest > 0 and profile.data ~= nil
  local file = assert(io.open(path, "a"))
  file:write(("%.6f %d %s\n"):format(uv.hrtime() / 1e9, count, tostring(verdict)))
  file:close()
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", 0))
server:listen(16, function()
  local socket, raw = uv.new_tcp(), ""
  server:accept(socket)
  socket:read_start(function(_, data)
    if not data then
      socket:close()
      return
    end
    raw = raw .. data
    local account = raw:match('"account_id": ?"([^"]+)".*}$')
    if account then
      local is_success = raw:find("login.success", 1, true)
      raw = ""
      socket:write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
      if is_success then
        decide(account)
      end
    end
  end)
end)
io.stdout:setvbuf("line")
print("port", server:getsockname().port)
uv.run()
