--- Measures what spec/bench/admin_page prints: admin_page.lua [ROUNDS [SECONDS [EVENTS]]].
local cjson = require("cjson")
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local ROUNDS, SECONDS = tonumber(arg[1] or 6), tonumber(arg[2] or 6)
local EVENTS = tonumber(arg[3] or 1000000)
local REPEATS = 7 -- of each search
local WARM_UP = 1 -- seconds, of which nothing is measured
local CONNECTIONS, ACCOUNTS, RATE = 16, 1600, 1000
local MOST_MS = 300
local FIRST = (os.time() - EVENTS) * 1000 -- when the first one was received; the last one just now

local SCRIPT = [[require("palenca").on("*", function() end)]]

local function serve(directory)
  local served = bench.serve(SCRIPT, { directory = directory,
    arguments = { "--workers", "1", "--admin", "127.0.0.1:0" } })
  served.admin = helper.read_file(served.log):match("admin page at (http://[%d.:]+)")
  return served
end

-- A closed database of events that have ended, a second apart; every twentieth is dead.
local function prepare()
  local served = serve()
  assert(served:stop() == 0, served:describe())
  local status, _, err = process.run("/usr/bin/sqlite3", { served.db, ([[
    BEGIN;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
      INSERT INTO events SELECT (SELECT last FROM ids) + i,
        CASE i %% 4 WHEN 0 THEN 'login.success' WHEN 1 THEN 'profile.updated'
          WHEN 2 THEN 'earnings.updated' ELSE 'login.error' END,
        printf('%%08x-f29f-427d-9119-0c627575610d', i / 3), iif(i %% 20, 3, 4),
        iif(i %% 20, 1, 8), 0, %d + i * 1000, 0, %d + i * 1000,
        iif(i %% 20, NULL, 'not_found: there is no account ' || i || ' (HTTP 404)') FROM n;
    INSERT INTO bodies SELECT id, CAST(json_object('webhook_url',
        'https://receiver.example.com/webhooks/palenca', 'data', json_object('user_id', account_id,
        'account_id', account_id, 'external_id', 'customer-' || id, 'country', 'mx', 'platform',
        iif(id %% 3, 'uber', 'didi'), 'status_details', NULL, 'webhook_id', account_id,
        'webhook_action', action, 'created_at', '2026-03-01T12:30:00Z')) AS BLOB) FROM events;
    INSERT INTO attempts SELECT id, 0, attempts, received_at + 5, 240, state - 3
        + (state = 4), error, NULL, NULL FROM events;
    COMMIT]]):format(EVENTS, FIRST, FIRST + 250) })
  assert(status == 0, err)
  return served.db
end

local MIDDLE = FIRST + EVENTS // 2 * 1000

-- A name, the query, and whether events are found; of those that are not, the search has to end.
local SEARCHES = {
  { "all", "", true },
  { "action", "action=login.error", true },
  { "family", "action=login.*", true },
  { "no_action", "action=login.incomplete", false },
  { "no_family", "action=user.*", false },
  { "account", ("account_id=%08x-f29f-427d-9119-0c627575610d"):format(EVENTS // 6), true },
  { "no_account", "account_id=00000000-0000-0000-0000-000000000000", false },
  { "state", "state=dead", true },
  { "no_state", "state=retry", false },
  { "error", "error=no%20ACCOUNT%20" .. EVENTS // 40 * 20, true },
  { "no_error", "error=no%20reply", false },
  { "time", ("since=%d&until=%d"):format(MIDDLE, MIDDLE + 3600000), true },
  { "no_time", "since=1600000000000&until=1600003600000", false },
  { "all_at_once", ("action=login.*&state=dead&error=not_found&since=%d&until=%d"):format(
    MIDDLE, MIDDLE + 3600000), true },
}
-- The platform is in the bodies alone: a page has what was found until then.
local PAGES = {
  { "platform", "platform=uber", true },
  { "no_platform", "platform=rappi", false },
}

local function ask(served, query)
  local began = uv.hrtime()
  local response = http.request("GET", served.admin .. "/api/events?" .. query)
  local ms = (uv.hrtime() - began) / 1e6
  assert(response.status == 200, response.body)
  return cjson.decode(response.body), ms
end

-- To the end of it, or to the first page with events.
local function search(served, case)
  local all, slowest, next_id, found = 0, 0, cjson.null, 0
  repeat
    local result, ms = ask(served, case[2] .. (next_id ~= cjson.null and "&before=" .. ("%d")
      :format(next_id) or ""))
    all, slowest = all + ms, math.max(slowest, ms)
    found, next_id = found + #result.events, result.next
  until found > 0 or next_id == cjson.null
  assert((found > 0) == case[3], case[1])
  return { all = all, slowest = slowest }
end

local function measure_searches(served)
  print(("%-16s %12s %12s"):format("search", "ms", "slowest page"))
  local function each(list, field)
    for _, case in ipairs(list) do
      bench.progress("%s", case[1])
      local runs = {}
      for number = 1, REPEATS do
        runs[number] = search(served, case)
      end
      local of = bench.medians(runs)
      bench.progress("")
      print(("%-16s %12.1f %12.1f"):format(case[1], of.all, of.slowest))
      case.ms = of[field]
    end
  end
  each(SEARCHES, "all")
  each(PAGES, "slowest")
  print()
end

-- The slowest of those who watch, while one page after the other is searched for what is in bodies.
local function measure_health(stage, served)
  local curl = stage:start("/usr/bin/curl", { "-sS", "-o", "/dev/null", served.admin
    .. "/api/events?platform=rappi&limit=[100-110]" })
  local times = {}
  while not curl.code do
    for _, path in ipairs({ "/healthz", "/readyz", "/metrics" }) do
      local began = uv.hrtime()
      assert(http.request("GET", served.admin .. path).status == 200, path)
      times[#times + 1] = (uv.hrtime() - began) / 1e6
    end
  end
  assert(curl:wait_exit() == 0, curl:describe())
  table.sort(times)
  print(("%d of /healthz, /readyz and /metrics meanwhile: %.1f ms, p99 %.1f ms, at most %.1f ms\n")
    :format(#times, bench.median(times), times[math.ceil(#times * 0.99)], times[#times]))
  return times[math.ceil(#times * 0.99)]
end

-- One after the other, until the load has ended.
local function search_on(served, load, result)
  result.searches = 0
  while not load.code do
    local case = SEARCHES[result.searches % #SEARCHES + 1]
    ask(served, case[2])
    result.searches = result.searches + 1
  end
end

local function measure_load(served, is_searched, tag)
  bench.loaded(bench.start_load(served.port, { connections = CONNECTIONS, accounts = ACCOUNTS,
    rate = RATE, seconds = WARM_UP, tag = tag }))
  local load = bench.start_load(served.port, { connections = CONNECTIONS, accounts = ACCOUNTS,
    rate = RATE, seconds = SECONDS, tag = tag + 1 })
  local result = {}
  if is_searched then
    search_on(served, load, result)
  end
  local counts = bench.loaded(load)
  assert(counts.others == 0 and counts.broken == 0, "not all got 200")
  result.p50_ms, result.p99_ms, result.max_ms = counts.p50_ms, counts.p99_ms, counts.max_ms
  result.rate = counts.rate
  return result
end

local function measure_loads(served)
  local idle, busy = {}, {}
  for number = 1, ROUNDS do
    bench.progress("round %d of %d", number, ROUNDS)
    local function one(is_searched)
      return measure_load(served, is_searched, 10 + number * 10 + (is_searched and 5 or 0))
    end
    if number % 2 == 1 then -- what changes on the machine meanwhile is for neither of them
      idle[number] = one(false)
    end
    busy[number] = one(true)
    idle[number] = idle[number] or one(false)
    busy[number].of_idle = busy[number].p99_ms / idle[number].p99_ms
  end
  bench.progress("")
  local none, other = bench.medians(idle), bench.medians(busy)
  print(("%-36s %12s %8s %8s %8s"):format("", "responses/s", "p50 ms", "p99 ms", "max ms"))
  for _, line in ipairs({ { "no search", none }, { "one search after the other", other } }) do
    print(("%-36s %12.0f %8.2f %8.2f %8.2f"):format(line[1], line[2].rate, line[2].p50_ms,
      line[2].p99_ms, line[2].max_ms))
  end
  print()
  return other.of_idle
end

bench.run(function(stage)
  bench.progress("storing %d events", EVENTS)
  local directory = bench.directory()
  assert(process.run("/bin/mv", { prepare(), directory .. "/events.db" }) == 0)
  local served = serve(directory)
  measure_searches(served)
  local health = measure_health(stage, served)
  local ratio = measure_loads(served)
  assert(served:stop() == 0, served:describe())
  for _, list in ipairs({ SEARCHES, PAGES }) do
    for _, case in ipairs(list) do
      bench.target("search_" .. case[1] .. "_ms", case.ms, "<=", MOST_MS)
    end
  end
  bench.target("health_while_searching_ms", health, "<=", 50)
  bench.target("p99_while_searching", ratio, "<=", 2)
end)
