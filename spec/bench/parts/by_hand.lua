-- What one would write with LuaJIT, lua-curl and lua-cjson: a page after the other over one
-- connection. by_hand.lua URL CA ACCOUNT ROWS_A_PAGE; prints the seconds and the number of rows.
local cjson = require "cjson"
local curl = require "curl"
local now = require "spec.bench.parts.clock"

local url, ca, account, per_page = arg[1], arg[2], arg[3], tonumber(arg[4])
local began = now()
local easy = curl.easy_init()
local parts
easy:setopt(curl.OPT_URL, url .. "/v1/accounts/" .. account .. "/earnings/search")
easy:setopt(curl.OPT_CAINFO, ca)
easy:setopt(curl.OPT_HTTPHEADER, { "x-api-key: bench", "Content-Type: application/json" })
easy:setopt(curl.OPT_WRITEFUNCTION, function(text)
  parts[#parts + 1] = text
  return #text
end)

local rows, page, pages = {}, 0, 1
while page < pages do
  page, parts = page + 1, {}
  easy:setopt(curl.OPT_POSTFIELDS, cjson.encode {
    start_date = "2020-01-01", end_date = "2026-01-01",
    options = { page = page, items_per_page = per_page },
  })
  assert(easy:perform())
  local response = cjson.decode(table.concat(parts))
  for _, row in ipairs(response.data.earnings) do
    rows[#rows + 1] = row
  end
  pages = response.pagination.total_pages
end
print(now() - began, #rows)
