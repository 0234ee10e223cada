--- Measures what spec/bench/machines prints: machines.lua [ROUNDS [SECONDS [WAITING]]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local contestants = require("spec.bench.parts.machines.contestants")
local postgres = require("spec.support.postgres")

local ROUNDS, SECONDS = tonumber(arg[1] or 3), tonumber(arg[2] or 5)
local WAITING = tonumber(arg[3] or 1000000)
-- In all, over the receivers: as many as the clients of pgbench.
local CONNECTIONS, ACCOUNTS, HOSTS_MAX = 64, 6000, 3

-- A server as people set it up for such a load; what it says is on its disk is there.
local SETTINGS = { shared_buffers = "1GB", max_wal_size = "8GB", max_connections = "300",
  checkpoint_timeout = "15min", wal_buffers = "16MB", fsync = "on", synchronous_commit = "on" }

local cluster

local function start_loads(servers, tag)
  local loads = {}
  for i, server in ipairs(servers) do
    local connections = CONNECTIONS * i // #servers - CONNECTIONS * (i - 1) // #servers
    loads[i] = bench.start_load(server.port, { path = server.path, connections = connections,
      accounts = math.max(connections, ACCOUNTS // #servers), tag = 10 * tag + i,
      seconds = SECONDS })
  end
  return loads
end

-- What is handled counts when the last handler has ended and the database knows it.
local function measure(servers, db, is_idle, tag)
  cluster:query(db, "CHECKPOINT")
  local began = uv.hrtime()
  local loads = start_loads(servers, tag)
  local acked, rate = 0, 0
  for _, load in ipairs(loads) do
    local counts = bench.loaded(load)
    assert(counts.others == 0 and counts.broken == 0, "not all got 200")
    acked, rate = acked + counts.acked, rate + counts.rate
  end
  while cluster:query(db, is_idle) ~= "t" do
    uv.sleep(50)
  end
  return { responses = rate, handled = acked / ((uv.hrtime() - began) / 1e9), acked = acked }
end

local function round(stage, contestant, hosts, tag)
  local db = cluster:database()
  local servers = contestant.start(stage, cluster, db, hosts)
  local result = measure(servers, db, contestant.is_idle, tag)
  stage:clear()
  cluster:drop(db)
  return result
end

-- ---- waiting events ------------------------------------------------------------------------

-- Of accounts of their own, behind what comes; or all of one, behind its event that runs.
local function add_waiting(db, is_one_account)
  cluster:query(db, ([[
    INSERT INTO palenca.events (id, action, account_id, state, attempts, replays, received_at,
        is_behind)
      SELECT nextval('palenca.event_ids'), 'waiting.waiting', '%s' || %s, 0, 0, 0, 0, %s
      FROM generate_series(1, %d) AS g;
    INSERT INTO palenca.bodies (id, body) SELECT id, '{}' FROM palenca.events;
    VACUUM (ANALYZE) palenca.events, palenca.bodies]]):format("waiting-",
    is_one_account and "''" or "g", is_one_account and "g > 1" or "false", WAITING))
end
