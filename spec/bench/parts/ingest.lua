--- Measures what spec/bench/ingest prints: ingest.lua [ROUNDS [SECONDS]].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local peers = require("spec.bench.parts.peers")
local process = require("spec.support.process")

local ROUNDS, SECONDS = tonumber(arg[1] or 3), tonumber(arg[2] or 1)
local CONNECTIONS = { 1, 16, 64, 256 }

local CONTESTANTS = {
  { "nginx, return 200", peers.nginx_return },
  { "the receiver, nothing stored", peers.receive_only },
  { "palenca serve, no handler", peers.palenca, "" },
  { "palenca serve, each event handled", peers.palenca,
    'require "palenca".on("*", function() end)' },
  { "nginx, Lua, Redis appendfsync always", peers.nginx_redis },
  { "nginx, Lua, append and fdatasync", peers.nginx_append },
  { "Flask, gunicorn, SQLite", peers.flask },
  { "webhook, a Lua script for each", peers.webhook },
}

local function pids(server)
  local list = {}
  for i, one in ipairs(server.processes) do
    list[i] = one.pid
  end
  return list
end

-- What is handled counts when the last handler has ended and the store knows it.
local function measure(server, connections, tag)
  local used, began = bench.cpu(pids(server)), uv.hrtime()
  local counts = bench.loaded(bench.start_load(server.port, {
    path = server.path, connections = connections, accounts = math.max(1000, connections),
    tag = tag, seconds = SECONDS,
  }))
  assert(counts.others == 0 and counts.broken == 0, "not all got 200")
  if server.db then
    while not bench.is_idle(server.db) do
      uv.sleep(10)
    end
    counts.handled = counts.acked / ((uv.hrtime() - began) / 1e9)
  end
  counts.server = (bench.cpu(pids(server)) - used) / ((uv.hrtime() - began) / 1e9)
  return counts
end

local function disk(kind)
  local path = bench.directory() .. "/file"
  local status, out, err = process.run(bench.built("disk"), { kind, path, tostring(SECONDS) })
  assert(status == 0, err)
  return tonumber(out)
end

local results, memory, syncs, commits = {}, {}, {}, {}

local function round(stage, number)
  bench.progress("round %d of %d: the disk", number, ROUNDS)
  syncs[number], commits[number] = disk("sync"), disk("commit")
  for _, contestant in ipairs(CONTESTANTS) do
    local name, start, text = table.unpack(contestant)
    bench.progress("round %d of %d: %s", number, ROUNDS, name)
    results[name] = results[name] or {}
    local server = start(stage, text)
    if text == "" then
      memory[number] = bench.memory(server.processes[1].pid)
    end
    for at, connections in ipairs(CONNECTIONS) do
      results[name][connections] = results[name][connections] or {}
      results[name][connections][number] = measure(server, connections, 10 * number + at)
    end
    stage:clear()
  end
end

local function print_table(median)
  for _, connections in ipairs(CONNECTIONS) do
    print(string.format("%-38s %10s %8s %8s %8s %7s %7s", connections .. (connections == 1
      and " connection" or " connections"), "responses/s", "of nginx", "p50 ms", "p99 ms", "CPU",
      "sender"))
    local base = median[CONTESTANTS[1][1]][connections].rate
    for _, contestant in ipairs(CONTESTANTS) do
      local one = median[contestant[1]][connections]
      print(string.format("%-38s %10.0f %8.3f %8.2f %8.2f %6.0f%% %6.0f%%%s", contestant[1],
        one.rate, one.rate / base, one.p50_ms, one.p99_ms, 100 * one.server, 100 * one.cpu,
        contestant[3] and contestant[3] ~= "" and string.format("  %.0f handled/s", one.handled)
        or ""))
    end
    print()
  end
end

-- The smallest ratio of ours to any peer but nginx alone, which stores nothing.
local function ahead_of_peers(median, connections)
  local ratio = math.huge
  for at = 5, #CONTESTANTS do
    ratio = math.min(ratio, median[CONTESTANTS[3][1]][connections].rate
      / median[CONTESTANTS[at][1]][connections].rate)
  end
  return ratio
end

local function print_targets(median, commit_rate)
  local ours, handling = median[CONTESTANTS[3][1]], median[CONTESTANTS[4][1]]
  for _, wanted in ipairs({ { 64, 0.45 }, { 256, 0.55 } }) do
    local connections, part = table.unpack(wanted)
    local rate = ours[connections].rate
    bench.target("of_nginx_return_" .. connections,
      rate / median[CONTESTANTS[1][1]][connections].rate, ">=", part)
    bench.target("times_nginx_redis_" .. connections,
      rate / median[CONTESTANTS[5][1]][connections].rate, ">=", 1.7)
    bench.target("handled_of_responses_" .. connections, handling[connections].handled / rate,
      ">=", 0.5)
  end
  for _, connections in ipairs(CONNECTIONS) do
    bench.target("ahead_of_peers_" .. connections, ahead_of_peers(median, connections), ">=", 1)
  end
  bench.target("p99_of_p50_64", ours[64].p99_ms / ours[64].p50_ms, "<=", 4)
  bench.target("gap_p999_commits_64", ours[64].gap_p999_ms * commit_rate / 1e3, "<=", 10)
  bench.target("idle_mib", bench.median(memory), "<=", 16)
end

bench.run(function(stage)
  for number = 1, ROUNDS do
    round(stage, number)
  end
  bench.progress("")
  local median = {}
  for name, by_connections in pairs(results) do
    median[name] = {}
    for connections, list in pairs(by_connections) do
      median[name][connections] = bench.medians(list)
    end
  end
  local sync_rate, commit_rate = bench.median(syncs), bench.median(commits)
  print_table(median)
  print(string.format("%d rounds of %g s; the disk: %.0f fdatasync/s, SQLite %.0f commits/s",
    ROUNDS, SECONDS, sync_rate, commit_rate))
  print_targets(median, commit_rate)
end)
