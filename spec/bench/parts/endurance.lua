--- Measures what spec/bench/endurance prints: endurance.lua [EVENTS [RATE]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local EVENTS = tonumber(arg[1] or 200000)
-- Events a second: what the database holds is those of a time, and the rate must not change.
local RATE = tonumber(arg[2] or 9000)
local RUN = 4500 -- events that are sent without a pause
local BACKLOG = 4500 -- of which handlers may leave so many when the next are sent
local SAMPLES, LINES = 200, 20 -- at most; and those of the table
local CONNECTIONS, ACCOUNTS = 64, 1024
local DUPLICATES_EACH = 10 -- runs, an event of each connection is sent twice

-- Of events that are done; it may not be shorter than the window for duplicates, and is a small
-- part of the time that the smallest number of events takes.
local WINDOW, RETENTION = 2, 4 -- seconds
local DAY = 86400

-- Each event's last attempt writes a byte: of a hundred events one fails once, and of a thousand
-- one each time.
local SCRIPT = [[
  local handled = io.open(os.getenv "BENCH_HANDLED", "a")
  handled:setvbuf("no")
  require("palenca").on("*", { retry_wait = 0.2, max_attempts = 2 }, function(event)
    local number = tonumber(event.external_id)
    local is_dead = number % 1000 == 77
    if event.attempt == 1 and (is_dead or number % 100 == 7) then
      error("it fails at first")
    end
    handled:write(is_dead and "x" or ".")
    if is_dead then
      error("it fails each time")
    end
  end)
]]

local COLUMNS = { "memory", "descriptors", "threads", "file_mb" }

local function file_size(path)
  local stat = uv.fs_stat(path)
  return stat and stat.size or 0
end

local function sample(served, acked)
  local status = assert(helper.read_file("/proc/" .. served.pid .. "/status"))
  return {
    acked = acked,
    memory = bench.memory(served.pid),
    descriptors = helper.descriptors(served.pid),
    threads = tonumber(status:match("Threads:%s*(%d+)")),
    file_mb = (file_size(served.db) + file_size(served.db .. "-wal")) / 1e6,
  }
end

local function send(served, options)
  options.connections, options.accounts = CONNECTIONS, ACCOUNTS
  local counts = bench.loaded(bench.start_load(served.port, options))
  assert(counts.others == 0 and counts.broken == 0, "not all got 200")
  return counts.acked
end

local function purge_dead(served)
  local status, _, err = process.run(process.program(), { "events", "purge", "--state", "dead",
    "--older-than", tostring(RETENTION / DAY), "--db", served.db })
  assert(status == 0, err)
end

-- The value of a sample of /metrics.
local function counted(admin, name)
  local text = http.request("GET", admin .. "/metrics").body
  return tonumber(text:match("\n" .. name:gsub("%p", "%%%0") .. " (%d+)\n"))
end

-- A connection's sequences begin beyond those of the run before: it sends its share of the events,
-- or somewhat more.
local function run(served, number)
  local acked = send(served, { tag = 1, first = number * 2 * RUN // CONNECTIONS, count = RUN })
  if number % DUPLICATES_EACH == 0 then
    local again = { tag = 2, first = number, count = CONNECTIONS }
    acked = acked + send(served, again) + send(served, again)
    purge_dead(served)
    process.write_file(served.log, "") -- a line of each event: gigabytes
  end
  return acked
end

-- Sends all; returns the samples and how many were acknowledged. On a slow machine the sender waits
-- for the handlers, so that what is measured is not a backlog.
local function send_all(served, admin)
  local samples, acked, runs, due = {}, 0, EVENTS // RUN, uv.hrtime()
  for number = 1, runs do
    uv.sleep(math.max(0, (due - uv.hrtime()) // 1000000))
    due = math.max(uv.hrtime(), due) + 1e9 * RUN // RATE
    bench.progress("%d of %d events", acked, EVENTS)
    acked = acked + run(served, number)
    while counted(admin, 'palenca_events{state="received"}') > BACKLOG do
      uv.sleep(5)
    end
    if number * SAMPLES // runs > #samples then
      samples[#samples + 1] = sample(served, acked)
    end
  end
  bench.progress("")
  return samples, acked
end

-- The last quarter's median to that of the second one.
local function growth(samples, field)
  local quarter = #samples // 4
  local before, after = {}, {}
  for at = 1, quarter do
    before[at] = samples[quarter + at][field]
    after[at] = samples[#samples - quarter + at][field]
  end
  return bench.median(after) / bench.median(before)
end

local function print_samples(samples)
  print(("%12s %12s %12s %12s %12s"):format("acknowledged", "memory MiB", "descriptors", "threads",
    "database MB"))
  for line = 1, LINES do
    local one = samples[math.max(1, line * #samples // LINES)]
    print(("%12d %12.1f %12d %12d %12.1f"):format(one.acked, one.memory, one.descriptors,
      one.threads, one.file_mb))
  end
end

bench.run(function()
  local directory = bench.directory()
  local handled = directory .. "/handled"
  local served = bench.serve(SCRIPT, { directory = directory, env = { BENCH_HANDLED = handled },
    arguments = { "--admin", "127.0.0.1:0", "--workers", "1", "--redelivery-window",
      tostring(WINDOW), "--retention", tostring(RETENTION / DAY) } })
  local admin = helper.read_file(served.log):match("metrics and health at (http://[%d.:]+)")
  local began = uv.hrtime()
  local samples, acked = send_all(served, admin)
  while not bench.is_idle(served.db) do
    uv.sleep(50)
  end
  local seconds = (uv.hrtime() - began) / 1e9
  local duplicates = counted(admin, "palenca_events_duplicates_total")
  local dead = counted(admin, 'palenca_attempts_total{outcome="dead"}')
  local retried = counted(admin, 'palenca_attempts_total{outcome="retry"}')
  assert(served:stop() == 0, served:describe())
  print_samples(samples)
  print(("%d acknowledged in %.0f s, %.0f a second: %d duplicates, %d retries, %d dead letters")
    :format(acked, seconds, acked / seconds, duplicates, retried, dead))
  print()
  for _, column in ipairs(COLUMNS) do
    bench.target(column .. "_growth", growth(samples, column), "<=", 1.05)
  end
  bench.target("duplicates", duplicates, ">=", EVENTS // RUN // DUPLICATES_EACH * CONNECTIONS)
  bench.target("acked_and_lost", math.abs(acked - duplicates - file_size(handled)), "<=", 0)
end)
