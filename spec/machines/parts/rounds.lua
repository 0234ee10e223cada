-- The rounds: what spec/machines/run starts in the namespace of the load. Its options are there.
local uv = require("luv")
local check = require("spec.machines.parts.check")
local faults = require("spec.machines.parts.faults")
local hosts = require("spec.machines.parts.hosts")
local load = require("spec.machines.parts.load")
local network = require("spec.machines.parts.network")
local process = require("spec.support.process")
local server = require("spec.machines.parts.server")

local function check_usage(is_right, text)
  if not is_right then
    io.stderr:write("spec/machines/run: ", text, "\n")
    os.exit(2)
  end
end

local function read_options(arguments)
  local options = { rounds = 50, seed = os.time(), faults = faults.NAMES }
  local i = 1
  while arguments[i] do
    local name, value = arguments[i], arguments[i + 1]
    if name == "--weak-commits" then
      options.is_weak, i = true, i - 1
    elseif name == "--rounds" or name == "--seed" then
      options[name:sub(3)] = math.tointeger(tonumber(value))
      check_usage(options[name:sub(3)], name .. " needs a number")
    elseif name == "--keep" then
      options.keep = value
    elseif name == "--faults" then
      options.faults = {}
      for kind in value:gmatch("[^,]+") do
        local all = " " .. table.concat(faults.NAMES, " ") .. " "
        check_usage(all:find(" " .. kind .. " ", 1, true), "no such fault: " .. kind)
        table.insert(options.faults, kind)
      end
    end
    i = i + 2
  end
  return options
end

-- ---- the rounds ------------------------------------------------------------------------

local COUNTS = { 200, 503, "none", "other" }
local by_kind = {}

local function snapshot()
  local copy = {}
  for _, name in ipairs(COUNTS) do
    copy[name] = load.counts[name]
  end
  return copy
end

-- What was sent to each host from now on is acknowledged again.
local function await_recovery()
  local now = uv.hrtime()
  process.wait_for(function()
    for _, host in ipairs(network.hosts) do
      if (load.last_ok[host] or 0) < now then
        return false
      end
    end
    return true
  end, function()
    return "200 from each host:\n" .. server.query([[SELECT pid, client_addr, state, wait_event,
      query FROM pg_stat_activity]])
  end)
  return (uv.hrtime() - now) / 1e9
end

local function add_counts(kind, before)
  local sum = by_kind[kind] or { rounds = 0, [200] = 0, [503] = 0, none = 0, other = 0 }
  by_kind[kind] = sum
  sum.rounds = sum.rounds + 1
  for _, name in ipairs(COUNTS) do
    sum[name] = sum[name] + load.counts[name] - before[name]
  end
end

local function round(number, list)
  local before = snapshot()
  local text = faults.happen(list)
  local recovery = await_recovery()
  for _, fault in ipairs(list) do
    add_counts(fault.kind, before)
  end
  print(("round %d: %s; 200 again from all after %.1f s; 200: %d, 503: %d, no response: %d")
    :format(number, text, recovery, load.counts[200] - before[200],
      load.counts[503] - before[503], load.counts.none - before.none))
end

-- Fails if nothing has ended for a minute.
local function await_drain()
  local left, same = nil, 0
  repeat
    faults.pause(0.2, 0.2)
    local now = tonumber(server.query("SELECT count(*) FROM palenca.events WHERE state < 3"))
    left, same = now, now == left and same + 1 or 0
    if same == 300 then
      error("events are stuck:\n" .. server.query([[SELECT id, account_id, state, attempts, owner
        FROM palenca.events WHERE state < 3 ORDER BY id LIMIT 20]]))
    end
  until left == 0
end

-- ---- what it prints --------------------------------------------------------------------

local function print_kinds()
  print(("\n%-16s %6s %8s %8s %12s %6s"):format("fault", "rounds", "200", "503", "no response",
    "other"))
  local kinds = {}
  for kind in pairs(by_kind) do
    kinds[#kinds + 1] = kind
  end
  table.sort(kinds)
  for _, kind in ipairs(kinds) do
    local sum = by_kind[kind]
    print(("%-16s %6d %8d %8d %12d %6d"):format(kind, sum.rounds, sum[200], sum[503], sum.none,
      sum.other))
  end
end

-- How many ends the hosts have logged as those of expired leases.
local function logged_as_fenced()
  local count = 0
  for _, log in pairs(hosts.logs()) do
    for events in log:gmatch("what the handlers of (%d+) events ended with changes nothing") do
      count = count + tonumber(events)
    end
  end
  return count
end

local function print_problems(problems)
  for _, kind in ipairs(problems.kinds) do
    local list = problems.by_kind[kind]
    print(("\nFAILED: %s: %d"):format(kind, list.count))
    for _, text in ipairs(list) do
      print("  " .. text)
    end
  end
end

local function print_counts(counts)
  print(("\nacknowledged %d (and %d once more), stored %d, runs of handlers %d"):format(
    counts.acknowledged, load.counts.again, counts.stored, counts.runs))
  print(("runs that do not count: %d that had no end, %d that ended too late, or just before a "
    .. "kill (logged as those of expired leases: %d); %d of them had started after the one that "
    .. "counts had ended"):format(counts.killed, counts.fenced, logged_as_fenced(), counts.late))
end

local function keep(directory)
  process.run("/usr/bin/mkdir", { "-p", directory })
  for name, sql in pairs({ events = [[SELECT events.*, convert_from(body, 'UTF8') AS body
    FROM palenca.events LEFT JOIN palenca.bodies USING (id) ORDER BY id]],
    attempts = "SELECT * FROM palenca.attempts ORDER BY id, attempt" })
  do
    process.write_file(("%s/%s"):format(directory, name), server.query(sql))
  end
  process.run("/bin/sh", { "-c", 'cp /run/machines/*.log /run/machines/handled "$0"', directory })
end

local function finish(options, failures)
  local problems, counts = check.run()
  print_kinds()
  print_counts(counts)
  print_problems(problems)
  for _, failure in ipairs(failures) do
    print("FAILED: " .. failure)
  end
  local expires = by_kind.partition or by_kind["host-stop"]
  if expires and counts.fenced == 0 then
    table.insert(failures, "no lease expired while its handler ran")
    print("FAILED: " .. failures[#failures])
  end
  local is_ok = #problems.kinds == 0 and #failures == 0
  print(is_ok and "\nacknowledged and lost: 0; order kept; nothing changed by expired leases"
    or "\nfailed")
  if options.keep then
    keep(options.keep)
  end
  return is_ok
end

local options = read_options(arg)
io.stdout:setvbuf("line")
print("seed " .. options.seed)
math.randomseed(options.seed)
local rounds, draw = {}, faults.drawer(options.faults)
for number = 1, options.rounds do -- before the load draws as well, at times of its own
  rounds[number] = draw()
end
server.create()
process.write_file(hosts.HANDLED, "")
hosts.start(server.url(options.is_weak))
load.start()
local ok, err = xpcall(function()
  await_recovery()
  for number, list in ipairs(rounds) do
    round(number, list)
    faults.pause(1, 4)
  end
  load.stop()
  await_drain()
end, debug.traceback)
local failures = ok and hosts.stop() or { err }
os.exit(finish(options, failures) and 0 or 1)
