-- The same calls with the module: cpu.lua URL CA ACCOUNT CALLS; prints the microseconds of CPU of
-- one, once all that is called is compiled.
local palenca = require "palenca"

local url, ca, account, calls = arg[1], arg[2], arg[3], tonumber(arg[4])
local client = palenca.new { api_key = "bench", base_url = url, ca_file = ca, rate_limit = 0 }
local search = client.accounts:earnings(account, {
  start_date = "2020-01-01", end_date = "2026-01-01", items_per_page = 3,
})
local began
for at = -499, calls do
  if at == 1 then
    began = os.clock()
  end
  assert(#assert(search:page(1)) == 3)
end
print(("%.1f"):format((os.clock() - began) * 1e6 / calls))
