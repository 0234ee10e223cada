-- Works against the limit of a sandbox for two windows, by single calls, by a search, or by several
-- at the same time: pace.lua URL KEY ACCOUNT normal|low|several CA. Prints the part of the limit
-- that was used, and how many requests were rejected.
local now = require "spec.bench.parts.clock"
local palenca = require "palenca"

local url, key, account, kind, ca = arg[1], arg[2], arg[3], arg[4], arg[5]
local LIMIT, WINDOW, SEARCHES = 120, 60, 4
local times, rejected = {}, 0
local client = palenca.new {
  api_key = key, base_url = url, ca_file = ca, on_attempt = function(attempt)
    times[#times + 1] = now()
    rejected = rejected + (attempt.status == 429 and 1 or 0)
  end,
}

local function is_over()
  return times[1] and now() - times[1] > 2 * WINDOW
end

local function new_search()
  return client.accounts:earnings(account, {
    start_date = "2024-09-01", end_date = "2026-03-01", items_per_page = 1,
  })
end

-- One row of each after the other; their pages are in flight together.
local function read_several()
  local searches = {}
  for at = 1, SEARCHES do
    searches[at] = new_search()
  end
  repeat
    for _, search in ipairs(searches) do
      assert(search:next())
    end
  until is_over()
  for _, search in ipairs(searches) do
    search:stop()
  end
end

if kind == "several" then
  read_several()
elseif kind == "normal" then
  repeat
    assert(client.accounts:get(account))
  until is_over()
else
  repeat
    local search = new_search()
    for _ in search:each() do
      if is_over() then
        break
      end
    end
    search:stop()
  until is_over()
end

-- Up to the start of the last window, since its count is not complete.
local last = #times
while times[last] - times[last - 1] < 1 do
  last = last - 1
end
local used = (last - 1) / (LIMIT * (times[last] - times[1]) / WINDOW)
print(("%.3f %d"):format(used, rejected))
