--- Events that wait behind others of their account, at PostgreSQL: they are not in the way of other
-- accounts' leases, and none of them is forgotten.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

-- Waits for the spec before it ends.
local HELD = [[
  local palenca, URL = require "palenca", os.getenv "SPEC_URL"
  palenca.on("*", function(event)
    if event.account_id == "busy" then palenca.http{url = URL .. "/" .. event.external_id} end
  end)
]]

-- Succeeds in a replay only.
local FAILING = [[
  local palenca = require "palenca"
  palenca.on("*", function(event)
    if not event.replay then error("no", 0) end
    print("replayed " .. event.external_id)
  end)
]]

describe("events that wait behind others at PostgreSQL", function()
  local stage = helper.stage_for_each()
  local cluster = postgres.shared()

  local function serve(db, text, env, arguments)
    env = env or {}
    env.PALENCA_LEASE_TIMEOUT = env.PALENCA_LEASE_TIMEOUT or "1"
    return stage:serve({ db = db, text = text, env = env, arguments = arguments })
  end

  -- How many entries statements have read of an index so far; known once their connections are
  -- closed.
  local function reads(db, index)
    return tonumber(cluster:query(db, "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE "
      .. "indexrelname = '" .. index .. "'"))
  end

  -- Nothing looks for what was left.
  local function stop_promoting(db)
    cluster:query(db, [[CREATE OR REPLACE FUNCTION palenca.promote_waiting(first text,
      max_accounts bigint, OUT last text) LANGUAGE sql AS 'SELECT NULL::text']])
  end

  local function wait_count(db, state, count)
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM palenca.events WHERE state = " .. state)
        == tostring(count)
    end, count .. " events in state " .. state)
  end

  it("are not read by the leases of others, however many there are", function()
    local db, server = cluster:database(), stage:server(function() end)
    local served = serve(db, HELD, { SPEC_URL = server.url, PALENCA_LEASE_TIMEOUT = "60" })
    helper.post(served.url, { account_id = "busy", external_id = "1" })
    server:wait_request("/1")
    helper.post(served.url, { account_id = "busy", external_id = "2" })
    -- as many like the second one as fit into a long outage of whatever its handler calls
    cluster:query(db, [[WITH many AS (INSERT INTO palenca.events (id, action, account_id, state,
        attempts, replays, received_at, is_behind)
        SELECT nextval('palenca.event_ids'), e.action, e.account_id, e.state, 0, 0, e.received_at,
          e.is_behind FROM palenca.events AS e, generate_series(1, 100000)
        WHERE e.account_id = 'busy' AND e.state = 0 RETURNING id)
      INSERT INTO palenca.bodies (id, body) SELECT many.id, b.body FROM many, palenca.bodies AS b
        WHERE b.id = (SELECT max(id) FROM palenca.events WHERE account_id = 'busy'
          AND state = 0)]])
    local before = reads(db, "events_received")
    for i = 1, 20 do
      helper.post(served.url, { account_id = "other-" .. i })
    end
    wait_count(db, 3, 20)
    server:wait_request("/1").respond(200, "{}")
    server:wait_request("/2").respond(200, "{}") -- and the next one of its own account comes
    wait_count(db, 3, 22)
    served:kill("sigkill")
    served:wait_exit()
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM pg_stat_activity WHERE datname = "
        .. "current_database() AND application_name = 'palenca'") == "0"
    end, "its connection to be closed")
    local count = reads(db, "events_received") - before
    assert.is_true(count < 2000, count .. " entries were read")
  end)

  it("run in order, once, and all of them, whatever machine ends the one before", function()
    local db, handled = cluster:database(), stage:directory() .. "/handled"
    local servers, loads = {}, {}
    for i = 1, 3 do
      servers[i] = serve(db, faults.RECORDING, { SPEC_HANDLED = handled },
        { "--workers", "2", "--redelivery-window", "0" })
    end
    stop_promoting(db)
    local COUNT = 1500
    for i, served in ipairs(servers) do
      loads[i] = faults.load(stage, served.url, { connections = 4, accounts = 4, count = COUNT,
        tag = i })
    end
    for _, load in ipairs(loads) do
      assert.are.equal(COUNT, faults.loaded(load).acked)
    end
    wait_count(db, 3, 3 * COUNT)
    local records = faults.records(handled)
    assert.are.equal(3 * COUNT, #records)
    faults.assert_order(records)
    faults.assert_once(records)
    for _, served in ipairs(servers) do
      assert.are.equal(0, served:stop())
    end
  end)

  it("run though the one before ended while they were being stored", function()
    local db, server = cluster:database(), stage:server(function() end)
    local function start()
      return serve(db, HELD, { SPEC_URL = server.url, PALENCA_LEASE_TIMEOUT = "60" })
    end
    local ending = start()
    helper.post(ending.url, { account_id = "busy", external_id = "1" })
    server:wait_request("/1")
    local storing = start()
    stop_promoting(db)
    -- what is stored is held up before its commit
    cluster:query(db, [[CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
      CREATE TRIGGER t AFTER INSERT ON palenca.events EXECUTE FUNCTION wait()]])
    local lock = stage:start("/usr/bin/psql", { db, "-Xqc",
      "SELECT pg_advisory_lock(1); SELECT pg_sleep(60)" })
    local function wait_lock(is_granted)
      helper.ask_until(function()
        return cluster:query(db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
          .. "AND granted = " .. is_granted) == "1"
      end, "the lock")
    end
    wait_lock("true")
    local body = helper.body({ account_id = "busy", external_id = "2" })
    local connection = stage:connect(storing.url)
    connection:send(("POST %s HTTP/1.1\r\nHost: spec\r\nContent-Length: %d\r\n\r\n%s"):format(
      storing.url:match("//[^/]+(.*)"), #body, body))
    wait_lock("false")
    server:find("/1").respond(200, "{}")
    wait_count(db, 3, 1)
    lock:kill("sigint")
    assert.are.equal(200, connection:response().status)
    server:wait_request("/2").respond(200, "{}")
    wait_count(db, 3, 2)
    assert.are.equal(0, ending:stop())
    assert.are.equal(0, storing:stop())
  end)

  it("are found by the next look if their process has died before its own", function()
    local db = cluster:database()
    local served = serve(db, 'require "palenca".on("*", function() end)')
    helper.post(served.url, { account_id = "left" })
    wait_count(db, 3, 1)
    -- as if nobody had looked after the end of the one before
    cluster:query(db, [[WITH left_behind AS (INSERT INTO palenca.events (id, action, account_id,
        state, attempts, replays, received_at, is_behind)
        SELECT nextval('palenca.event_ids'), action, account_id, 0, 0, 0, received_at, true
        FROM palenca.events, generate_series(1, 3) RETURNING id)
      INSERT INTO palenca.bodies (id, body)
        SELECT left_behind.id, bodies.body FROM left_behind, palenca.bodies]])
    wait_count(db, 3, 4)
    assert.are.equal(0, served:stop())
  end)

  it("run again in order when they are replayed together", function()
    local db = cluster:database()
    local served = serve(db, FAILING, nil, { "--max-attempts", "1", "--redelivery-window", "0" })
    for i = 1, 5 do
      helper.post(served.url, { account_id = "replayed", external_id = tostring(i) })
    end
    wait_count(db, 4, 5)
    local status, _, err = process.run(process.program(), { "events", "retry-dead", "--db", db })
    assert.are.equal(0, status, err)
    wait_count(db, 3, 5)
    local order = {}
    for number in served.stdout:gmatch("replayed (%d)") do
      order[#order + 1] = number
    end
    assert.are.equal("1 2 3 4 5", table.concat(order, " "))
    assert.are.equal(0, served:stop())
  end)
end)
