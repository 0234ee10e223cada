--- The queues at PostgreSQL that spec/bench/machines compares: each starts as many receivers as
-- there are hosts, and as much that handles events, unless it is to receive only.
local bench = require("spec.bench.parts.bench")
local process = require("spec.support.process")

local contestants = {}

local HERE = (debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$"))
local NODE = "/usr/bin/node"

-- pg takes the directory of a Unix socket from the query of a URL, as libpq does.
local function node(name)
  return function(stage, db, hosts, is_receiving_only)
    local program = HERE .. "/" .. name .. ".mjs"
    local env = { NODE_ENV = "production" }
    local status, out, err = process.run(NODE, { program, "prepare", db }, { env = env })
    assert(status == 0, err .. out)
    local servers = {}
    for i = 1, hosts do
      local receiver = stage:start(NODE, { program, "receive", db }, { env = env })
      local port = receiver:wait_output("stdout", "127%.0%.0%.1:(%d+)")
      if not is_receiving_only then
        stage:start(NODE, { program, "work", db }, { env = env }):wait_output("stdout", "(working)")
      end
      servers[i] = { port = tonumber(port), path = "/" }
    end
    return servers
  end
end

-- Without a handler that ends nothing is leased once all workers have enough.
local HANDLING = 'require "palenca".on("*", function() end)'
local RECEIVING = 'local p = require "palenca"; p.on("*", function() p.sleep(3600) end)'

local function palenca(_, db, hosts, is_receiving_only)
  local servers = {}
  for i = 1, hosts do
    local served = bench.serve(is_receiving_only and RECEIVING or HANDLING,
      { db = db, arguments = { "--drain-timeout", "0" } })
    servers[i] = { port = served.port, path = "/webhooks/palenca" }
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
