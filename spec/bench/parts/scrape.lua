--- Measures what spec/bench/scrape prints: scrape.lua [PAIRS [EVENTS]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")

local PAIRS, EVENTS = tonumber(arg[1] or 20), tonumber(arg[2] or 60000)
local CONNECTIONS, ACCOUNTS = 64, 1024
local INTERVAL = 1000 -- milliseconds between two scrapes

local SCRIPT = 'require("palenca").on("*", function() end)'

-- Over one connection, as Prometheus does it; the first scrape is at once. Returns what ends them,
-- and returns their number.
local function start_scrapes(admin)
  local connection, sent, timer = helper.connect(admin), 0, uv.new_timer()
  connection:wait_connected()
  timer:start(0, INTERVAL, function()
    sent = sent + 1
    connection:send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
  end)
  return function()
    timer:close()
    for _ = 1, sent do
      local response = connection:response()
      assert(response.status == 200 and response.body:find("\npalenca_workers 1\n", 1, true),
        "not the metrics")
    end
    connection:close()
    return sent
  end
end

local tag = 0

-- All that the events cost, until the last one is done.
local function measure(served, admin)
  tag = tag + 1
  local used, began = bench.cpu({ served.pid }), uv.hrtime()
  local stop_scrapes = admin and start_scrapes(admin)
  local counts = bench.loaded(bench.start_load(served.port, { connections = CONNECTIONS,
    accounts = ACCOUNTS, count = EVENTS, tag = tag }))
  assert(counts.acked == EVENTS and counts.others == 0, "not all got 200")
  local scrapes = admin and stop_scrapes() or 0
  while not bench.is_idle(served.db) do
    uv.sleep(20)
  end
  return { cpu_us = 1e6 * (bench.cpu({ served.pid }) - used) / EVENTS, scrapes = scrapes,
    rate = EVENTS / ((uv.hrtime() - began) / 1e9) }
end

bench.run(function()
  local served = bench.serve(SCRIPT,
    { arguments = { "--admin", "127.0.0.1:0", "--workers", "1", "--retention", "0" } })
  local admin = helper.read_file(served.log):match("metrics and health at (http://[%d.:]+)")
  measure(served) -- what is there at the first time only
  local without, with = bench.pairs(PAIRS, function()
    return measure(served)
  end, function()
    return measure(served, admin)
  end)
  assert(served:stop() == 0, served:describe())
  print(("%-36s %12s %16s %10s"):format(PAIRS .. " pairs of " .. EVENTS .. " events", "events/s",
    "CPU us an event", "scrapes"))
  for _, line in ipairs({ { "no scrape", without }, { "a scrape each second", with } }) do
    local median = bench.medians(line[2])
    print(("%-36s %12.0f %16.2f %10.0f"):format(line[1], median.rate, median.cpu_us,
      median.scrapes))
  end
  print()
  bench.target("scrape_cpu", bench.median_ratio(with, without, "cpu_us"), "<=", 1.02)
end)
