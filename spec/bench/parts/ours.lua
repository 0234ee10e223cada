-- The module, in LuaJIT. ours.lua URL CA ACCOUNT ROWS_A_PAGE PAGES_IN_FLIGHT|default; prints the
-- seconds until the last row was handed on, the number of rows, and the seconds until it was known
-- that they are all there are.
local now = require "spec.bench.parts.clock"
local palenca = require "palenca"

local url, ca, account = arg[1], arg[2], arg[3]
local per_page, in_flight = tonumber(arg[4]), tonumber(arg[5])
local began = now()
local client = palenca.new {
  api_key = "bench", base_url = url, ca_file = ca, rate_limit = 0, pages_in_flight = in_flight,
}
local search = client.accounts:earnings(account, {
  start_date = "2020-01-01", end_date = "2026-01-01", items_per_page = per_page,
})
local rows, last = {}, nil
for row in search:each() do -- raises if they are not
  rows[#rows + 1] = row
  last = now()
end
print(last - began, #rows, now() - began)
