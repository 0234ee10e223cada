--- The queues at PostgreSQL that spec/bench/machines compares: each starts as many receivers, and as
-- much that handles events, as there are hosts.
local bench = require("spec.bench.parts.bench")
local process = require("spec.support.process")

local contestants = {}

local HERE = (debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$"))
local NODE = "/usr/bin/node"

-- pg takes the directory of a Unix socket from the query of a URL, as libpq does.
local function node(name)
  return function(stage, _, db, hosts)
    local program = HERE .. "/" .. name .. ".mjs"
    local env = { NODE_ENV = "production" }
    local status, out, err = process.run(NODE, { program, "prepare", db }, { env = env })
    assert(status == 0, err .. out)
    local servers = {}
    for i = 1, hosts do
      local receiver = stage:start(NODE, { program, "receive", db }, { env = env })
      local worker = stage:start(NODE, { program, "work", db }, { env = env })
      local port = receiver:wait_output("stdout", "127%.0%.0%.1:(%d+)")
      worker:wait_output("stdout", "(working)")
      servers[i] = { port = tonumber(port), path = "/", processes = { receiver, worker } }
    end
    return servers
  end
end

local function palenca(_, _, db, hosts)
  local servers = {}
  for i = 1, hosts do
    local served = bench.serve('require "palenca".on("*", function() end)', { db = db })
    servers[i] = { port = served.port, path = "/webhooks/palenca", processes = { served } }
  end
  return servers
end

contestants.palenca = { name = "palenca serve", start = palenca,
  is_idle = "SELECT NOT EXISTS (SELECT FROM palenca.events WHERE state = 0) AND NOT EXISTS "
    .. "(SELECT FROM palenca.events WHERE state IN (1, 2))" }
contestants.pg_boss = { name = "pg-boss", start = node("pg_boss"),
  is_idle = "SELECT NOT EXISTS (SELECT FROM pgboss.job WHERE state < 'completed' "
    .. "AND name = 'webhooks')" }
contestants.graphile_worker = { name = "graphile-worker", start = node("graphile_worker"),
  is_idle = "SELECT NOT EXISTS (SELECT FROM graphile_worker._private_jobs)" }

return contestants
