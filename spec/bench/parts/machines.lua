--- Measures what spec/bench/machines prints: machines.lua [ROUNDS [SECONDS [WAITING]]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local contestants = require("spec.bench.parts.machines.contestants")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

local ROUNDS, SECONDS = tonumber(arg[1] or 3), tonumber(arg[2] or 5)
local WAITING = tonumber(arg[3] or 1000000)
-- To each receiver, and of pgbench.
local CONNECTIONS, ACCOUNTS, HOSTS_MAX = 64, 6000, 3
local BODY_SIZE, DRAINED = 360, 30000

-- A server as people set it up for such a load; what it says is on its disk is there.
local SETTINGS = { shared_buffers = "1GB", max_wal_size = "8GB", max_connections = "300",
  checkpoint_timeout = "15min", wal_buffers = "16MB", fsync = "on", synchronous_commit = "on" }

local cluster

local function start_loads(servers, tag)
  local loads = {}
  for i, server in ipairs(servers) do
    loads[i] = bench.start_load(server.port, { path = server.path, connections = CONNECTIONS,
      accounts = ACCOUNTS // #servers, tag = 10 * tag + i, seconds = SECONDS })
  end
  return loads
end

local function load(servers, tag)
  local acked, rate = 0, 0
  for _, one in ipairs(start_loads(servers, tag)) do
    local counts = bench.loaded(one)
    assert(counts.others == 0 and counts.broken == 0, "not all got 200")
    acked, rate = acked + counts.acked, rate + counts.rate
  end
  return rate, acked
end

local function with_database(stage, body)
  local db = cluster:database()
  local result = body(db)
  stage:clear()
  cluster:drop(db)
  return result
end

local function receive(stage, queue, hosts, tag)
  return with_database(stage, function(db)
    local servers = queue.start(stage, db, hosts, true)
    cluster:query(db, "CHECKPOINT")
    return (load(servers, tag))
  end)
end

-- What is handled counts when the last handler has ended and the database knows it.
local function handle(stage, queue, hosts, tag)
  return with_database(stage, function(db)
    local servers = queue.start(stage, db, hosts)
    cluster:query(db, "CHECKPOINT")
    local began = uv.hrtime()
    local rate, acked = load(servers, tag)
    while cluster:query(db, queue.is_idle) ~= "t" do
      uv.sleep(50)
    end
    return { rate = rate, handled = acked / ((uv.hrtime() - began) / 1e9) }
  end)
end

local function round(stage, queue, hosts, tag)
  local handling = handle(stage, queue, hosts, tag)
  return { responses = receive(stage, queue, hosts, tag), handled = handling.handled,
    rate = handling.rate }
end

-- ---- pgbench ------------------------------------------------------------------------------

local ROW = [[
\set account random(1, 6000)
INSERT INTO public.rows (action, account_id, received_at, body)
  VALUES ('login.success', '8e2d7a90-3b1c-4f6e-a7c4-0001' || :account, 1700000000000, '%s');
]]

-- Rows of the size of what is sent, in a table with no index but that of its key.
local function pgbench()
  local db = cluster:database()
  cluster:query(db, "CREATE TABLE public.rows (id bigserial PRIMARY KEY, action text NOT NULL, "
    .. "account_id text, received_at bigint NOT NULL, body bytea NOT NULL)")
  local script = process.write_file(bench.directory() .. "/row.sql",
    ROW:format(("x"):rep(BODY_SIZE)))
  cluster:query(db, "CHECKPOINT")
  local rate = cluster:bench(db, { "-n", "-M", "prepared", "-c", tostring(CONNECTIONS), "-j", "2",
    "-T", tostring(SECONDS), "-f", script })
  cluster:drop(db)
  return { responses = rate }
end

-- ---- waiting events ------------------------------------------------------------------------

-- Events of accounts of their own, as they are after they were put.
local ADD = [[
  WITH added AS (INSERT INTO palenca.events (id, action, account_id, state, attempts, replays,
      received_at, is_behind)
    SELECT nextval('palenca.event_ids'), 'login.success', '%s' || g * %d, 0, 0, 0,
      1700000000000, %s FROM generate_series(1, %d) AS g RETURNING id)
  INSERT INTO palenca.bodies (id, body) SELECT id, convert_to(format('{"webhook_url": "%s",
    "data": {"account_id": "a", "webhook_action": "login.success"}}'), 'UTF8') FROM added]]

local function add(db, name, count, is_one_account)
  cluster:query(db, ADD:format(name, is_one_account and 0 or 1,
    is_one_account and "g > 1" or "false", count, ("x"):rep(BODY_SIZE - 80)))
end

local function done(db)
  local line = cluster:query(db, "SELECT count(*) || ' ' || "
    .. "extract(epoch FROM clock_timestamp()) FROM palenca.events WHERE state = 3")
  local count, time = line:match("^(%d+) ([%d.]+)$")
  return tonumber(count), tonumber(time)
end

-- How many events a second one process handles of those that wait, while `others` wait too.
local function drain(stage, others, is_one_account)
  return with_database(stage, function(db)
    contestants.palenca.start(stage, db, 1) -- makes the tables
    stage:clear()
    if others > 0 then
      add(db, "other-", others, is_one_account)
    end
    add(db, "account-", DRAINED)
    cluster:query(db, "VACUUM (ANALYZE)")
    cluster:query(db, "CHECKPOINT")
    contestants.palenca.start(stage, db, 1)
    local first, began, last, ended
    repeat
      uv.sleep(50)
      last, ended = done(db)
      if not first and last >= DRAINED // 10 then
        first, began = last, ended
      end
    until last >= DRAINED
    return { handled = (last - first) / (ended - began) }
  end)
end

-- ---- all of it -----------------------------------------------------------------------------

local QUEUES = { contestants.palenca, contestants.pg_boss, contestants.graphile_worker }

local function measure_all(stage)
  local results, rows = {}, {}
  for number = 1, ROUNDS do
    for hosts = 1, HOSTS_MAX do
      results[hosts] = results[hosts] or {}
      for at, queue in ipairs(QUEUES) do
        bench.progress("round %d of %d: %s, %d", number, ROUNDS, queue.name, hosts)
        results[hosts][at] = results[hosts][at] or {}
        results[hosts][at][number] = round(stage, queue, hosts, number)
      end
    end
    bench.progress("round %d of %d: pgbench", number, ROUNDS)
    rows[number] = pgbench()
  end
  return results, rows
end

local function print_queues(results, rows)
  local title = ("%d connections a host, %d rounds of %g s"):format(CONNECTIONS, ROUNDS, SECONDS)
  print(("%-44s %13s %13s %13s"):format(title, "responses/s", "handled/s", "and responses"))
  for hosts, by_queue in ipairs(results) do
    for at, list in ipairs(by_queue) do
      local one = bench.medians(list)
      print(("%-44s %13.0f %13.0f %13.0f"):format(QUEUES[at].name .. ", hosts: " .. hosts,
        one.responses, one.handled, one.rate))
    end
  end
  print(("%-44s %13.0f"):format("pgbench, rows inserted, one a transaction",
    bench.medians(rows).responses))
end

-- Of the hosts with which it is the fastest.
local function best_of_pgbench(results, rows)
  local best = 0
  for hosts = 1, HOSTS_MAX do
    best = math.max(best, bench.median_ratio(results[hosts][1], rows, "responses"))
  end
  return best
end

local function print_targets(results, rows)
  for hosts = 1, HOSTS_MAX do
    for at = 2, #QUEUES do
      for _, field in ipairs({ "responses", "handled" }) do
        bench.target(("%s_of_%s_%d"):format(field, QUEUES[at].name:gsub("-", "_"), hosts),
          bench.median_ratio(results[hosts][1], results[hosts][at], field), ">=", 3)
      end
    end
  end
  bench.target("responses_of_pgbench", best_of_pgbench(results, rows), ">=", 1)
end

local function measure_waiting(stage)
  local kinds = { { "no others", 0 }, { WAITING .. " others, an account each", WAITING },
    { WAITING .. " others of one account", WAITING, true } }
  local results = { {}, {}, {} }
  for number = 1, ROUNDS do
    for at, kind in ipairs(kinds) do
      bench.progress("round %d of %d: %s", number, ROUNDS, kind[1])
      results[at][number] = drain(stage, kind[2], kind[3])
    end
  end
  print(("\n%-59s %14s"):format("one host, " .. DRAINED .. " events, waiting beside them",
    "handled/s"))
  for at, kind in ipairs(kinds) do
    print(("%-59s %14.0f"):format(kind[1], bench.medians(results[at]).handled))
  end
  bench.target("handled_with_waiting", bench.median_ratio(results[2], results[1], "handled"), ">=",
    0.8)
  bench.target("handled_with_one_account", bench.median_ratio(results[3], results[1], "handled"),
    ">=", 0.8)
end

bench.run(function(stage)
  local directory = bench.directory(true)
  cluster = postgres.new({ directory = directory, settings = SETTINGS })
  local ok, problem = xpcall(function()
    local results, rows = measure_all(stage)
    bench.progress("")
    print_queues(results, rows)
    print_targets(results, rows)
    measure_waiting(stage)
  end, debug.traceback)
  cluster:close()
  process.run("/bin/rm", { "-rf", directory })
  assert(ok, problem)
end)
