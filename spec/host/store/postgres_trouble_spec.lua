--- `palenca serve` while its PostgreSQL is in trouble: what senders, /readyz and the log say, what
-- is stored, and that it goes on by itself.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local new_actions = require("spec.host.store.postgres_actions")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

-- The runtime of sanitizers has to be loaded before any other library.
local it_plain = helper.sanitized and function() end or it

describe("palenca serve, while PostgreSQL is in trouble,", function()
  local stage = helper.stage_for_each()
  local actions, cluster

  setup(function()
    cluster = postgres.new()
    actions = new_actions(stage, cluster)
  end)

  teardown(function()
    cluster:close()
  end)

  -- ---- commits ----

  local WAITS = "wait_event = 'SyncRep'"

  -- Of what the programs commit only puts, and where `with_connecting` that a connection begins,
  -- wait for standbys.
  local function wait_for_standbys(db, with_connecting)
    cluster:query(db, [[CREATE FUNCTION palenca.wait() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM set_config('synchronous_commit', 'on', true); RETURN NEW; END $$;
      CREATE TRIGGER wait BEFORE INSERT ON palenca.events FOR EACH ROW
      EXECUTE FUNCTION palenca.wait()]])
    if with_connecting then
      cluster:query(db, "CREATE TRIGGER wait BEFORE UPDATE OF epoch ON palenca.hosts FOR EACH ROW "
        .. "EXECUTE FUNCTION palenca.wait()")
    end
    stage:at_end(function()
      cluster:release_commits()
    end)
    cluster:hold_commits(db)
  end

  local function serve_locally(db, window)
    return actions.serve(db .. "&options=-csynchronous_commit%3Dlocal", { arguments = {
      "--redelivery-window", tostring(window) } })
  end

  local function wait_held(db, condition)
    return helper.ask_until(function()
      local pid = actions.backends(db, "min(pid)", WAITS .. (condition or ""))
      return pid ~= "" and pid
    end, "a commit to wait for a standby")
  end

  local function metric(served, name)
    return tonumber(http.request("GET", actions.admin_of(served) .. "/metrics").body
      :match("\n" .. name .. " (%d+)"))
  end

  for window, duplicates in pairs({ [0] = 0, [300] = 2 }) do
    it("finds what a lost commit has stored, with a dedup window of " .. window, function()
      local db = cluster:database()
      local served = serve_locally(db, window)
      local known, again = helper.body({ account_id = "known" }), helper.body({ account_id = "b" })
      local known_id = helper.json.decode(http.request("POST", served.url, known).body).id
      wait_for_standbys(db)
      local connections = { actions.post_beside(served, helper.body({ account_id = "a" })) }
      local pid = wait_held(db)
      -- in the next batch, of which a half is stored if there is a window
      for _, body in ipairs({ again, known, again, helper.body({ account_id = "c" }) }) do
        connections[#connections + 1] = actions.post_beside(served, body)
      end
      assert.are.equal(405, http.request("GET", served.url).status) -- which has come after them
      cluster:query(db, ("SELECT pg_terminate_backend(%s)"):format(pid))
      -- a process of the server that is ended in order sends what it has done so far; this does not
      pid = wait_held(db, " AND pid <> " .. pid)
      assert.are.equal(0, (process.run("/bin/kill", { "-KILL", pid })))
      local ids = {}
      for i, connection in ipairs(connections) do
        local response = connection:response()
        assert.are.equal(200, response.status, response.body)
        ids[i] = helper.json.decode(response.body).id
      end
      cluster:wait_ready()
      cluster:release_commits()
      assert.are.equal(duplicates, metric(served, "palenca_events_duplicates_total"))
      assert.are.equal(6 - duplicates, metric(served, "palenca_events_stored_total"))
      assert.are.equal(window > 0, ids[2] == ids[4])
      assert.are.equal(window > 0, ids[3] == known_id)
      local accounts = {}
      for _, event in ipairs(helper.wait_ended(db)) do
        accounts[event.id] = event.account_id
      end
      assert.are.same({ "a", "b", "known", "b", "c" }, { accounts[ids[1]], accounts[ids[2]],
        accounts[ids[3]], accounts[ids[4]], accounts[ids[5]] })
      assert.are.equal(6 - duplicates, #helper.events(db))
      assert.are.equal(0, served:stop())
    end)
  end

  it("does not take a commit for replicated whose wait was canceled", function()
    local db = cluster:database()
    local served = serve_locally(db, 0)
    wait_for_standbys(db, true)
    local connection = actions.post_beside(served, helper.body({ account_id = "a" }))
    local pid = wait_held(db)
    for _ = 1, 2 do -- that of the put, and that of the next connection
      cluster:query(db, ("SELECT pg_cancel_backend(%s)"):format(pid))
      pid = wait_held(db, " AND pid <> " .. pid)
      assert.is_nil(connection:poll())
    end
    cluster:release_commits()
    assert.are.equal(200, connection:response().status)
    assert.are.equal(1, #helper.wait_ended(db))
    assert.are.equal(0, served:stop())
  end)

  it("loses nothing while statements are canceled and tables are locked", function()
    local db = cluster:database()
    local served = actions.serve(db, { arguments = { "--redelivery-window", "0" } })
    -- what was canceled is tried again
    local locked = actions.hold(db, "LOCK TABLE palenca.bodies")
    local connection = actions.post_beside(served, helper.body({ account_id = "canceled" }))
    helper.ask_until(function()
      return actions.backends(db, "pg_cancel_backend(pid)", "wait_event = 'relation'") == "t"
    end, "a put to wait")
    locked:kill("sigint")
    assert.are.equal(200, connection:response().status)
    local canceling = actions.psql(db, [[DO $$ BEGIN FOR i IN 1..40 LOOP
      PERFORM pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'palenca' AND datname = current_database();
      PERFORM pg_sleep(0.02); END LOOP; END $$]])
    local vacuuming = stage:start("/bin/sh", { "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do "
      .. "psql -Xqc 'VACUUM FULL palenca.events, palenca.bodies, palenca.hosts' \"$0\"; done", db })
    local sent, acked = 0, {}
    while not canceling.code or not vacuuming.code or sent < 50 do
      sent = sent + 1
      if actions.status_of(served, { account_id = "account-" .. sent }) == 200 then
        acked[#acked + 1] = "account-" .. sent
      end
    end
    assert.truthy(acked[1])
    local stored = {}
    for _, event in ipairs(helper.wait_ended(db)) do
      assert.is_nil(stored[event.account_id], "stored twice")
      stored[event.account_id] = true
    end
    for _, account in ipairs(acked) do
      assert.is_true(stored[account], "lost")
    end
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  -- ---- connections ----

  it("is not ready while a server takes connections and does not respond, and can be stopped",
    function()
      local db = cluster:database()
      local frozen, ending = actions.serve(db), actions.serve(db)
      helper.post(frozen.url, { account_id = "before" })
      -- with a connection that comes to an end only once it is closing
      local held = actions.hold(db, "SELECT FROM palenca.hosts FOR UPDATE")
      actions.backends(db, "pg_terminate_backend(pid)")
      helper.ask_until(function()
        return actions.backends(db, "count(*)", "wait_event = 'transactionid'") == "2"
      end, "two connections to wait")
      ending:kill("sigterm")
      actions.wait_ready(frozen, 503, "store_failing")
      cluster.server:kill("sigstop")
      held:kill("sigint")
      assert.are.equal(0, ending:wait_exit(), ending.stderr)
      cluster.server:kill("sigcont")
      actions.wait_ready(frozen, 200)
      helper.post(frozen.url, { account_id = "after" })
      helper.wait_states(db, { "before", "after" }, "done")
      assert.are.equal(0, frozen:stop())
    end)

  -- ---- locks ----

  it("waits for a locked table, but not for long, nor does the start of another", function()
    local db = cluster:database()
    local served = actions.serve(db)
    helper.post(served.url, { account_id = "before" })
    local locked = actions.hold(db, "LOCK TABLE palenca.events, palenca.schema_version")
    local script = process.write_file(stage:directory() .. "/script.lua", "")
    local start = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--db", db })
    local list = stage:palenca({ "events", "list", "--db", db })
    assert.are.equal(503, actions.status_of(served))
    served:wait_output("stderr", "(cannot write to )")
    actions.wait_ready(served, 503, "store_failing")
    for _, other in ipairs({ start, list }) do
      assert.are.equal(1, other:wait_exit())
      assert.truthy(other.stderr:find("lock timeout", 1, true), other.stderr)
    end
    locked:kill("sigint")
    actions.wait_ready(served, 200)
    helper.post(served.url, { account_id = "after" })
    helper.wait_states(db, { "before", "after" }, "done")
    assert.are.equal(0, actions.serve(db):stop())
    assert.are.equal(0, served:stop())
  end)

  it("passes over an event whose row is held, and keeps the order of its account", function()
    local db, handled = cluster:database(), stage:directory() .. "/handled"
    local options = { env = { SPEC_HANDLED = handled }, text = [[
      local file = assert(io.open(os.getenv "SPEC_HANDLED", "a"))
      file:setvbuf("no")
      require "palenca".on("*", function(event)
        file:write(event.account_id, event.external_id, " ")
      end)
    ]] }
    assert.are.equal(0, actions.serve(db):stop())
    cluster:query(db, [[INSERT INTO palenca.events (id, action, account_id, state, attempts,
      replays, received_at) VALUES (1000, 'login.success', 'held', 0, 0, 0, 1);
      INSERT INTO palenca.bodies (id, body) VALUES (1000, convert_to('{"data":{"webhook_action":
        "login.success","account_id":"held","external_id":"1"}}', 'UTF8'));
      SELECT setval('palenca.event_ids', 1000)]])
    local holder = actions.hold(db, "SELECT FROM palenca.events FOR UPDATE")
    local served = actions.serve(db, options)
    helper.post(served.url, { account_id = "held", external_id = "2" })
    helper.post(served.url, { account_id = "free", external_id = "1" })
    helper.wait_state(db, "free", "done")
    holder:kill("sigint")
    helper.wait_ended(db)
    assert.are.equal("free1 held1 held2 ", helper.read_file(handled))
    assert.are.equal(0, served:stop())
  end)

  -- ---- the disk ----

  it("says that the disk is full until there is room", function()
    local own = postgres.new({ room = 24 * 2 ^ 20 })
    stage:at_end(function()
      own:close()
    end)
    local db = own:url("small")
    own:query(own:url("postgres"), ("CREATE TABLESPACE room LOCATION '%s'"):format(own.room))
    own:query(own:url("postgres"), "CREATE DATABASE small TABLESPACE room")
    local served = actions.serve(db)
    helper.post(served.url, { account_id = "before" })
    own:query(db, ("COPY (SELECT 1) TO PROGRAM 'dd if=/dev/zero of=%s/ballast bs=8k 2>/dev/null; "
      .. "true'"):format(own.room))
    local noise = assert(io.open("/dev/urandom", "rb"))
    local note = noise:read(25000):gsub(".", function(byte)
      return ("%02x"):format(byte:byte())
    end)
    noise:close()
    assert.are.equal(503, actions.status_of(served, { note = note }))
    served:wait_output("stderr", "(cannot write to .*No space left on device)")
    actions.wait_ready(served, 503, "disk_full")
    -- it stays so, though rows can be changed
    for _ = 1, 2 do
      local alive = own:query(db, "SELECT max(expires_at) FROM palenca.hosts")
      helper.ask_until(function()
        return own:query(db, "SELECT max(expires_at) FROM palenca.hosts") ~= alive
      end, "a sign of life")
    end
    actions.wait_ready(served, 503, "disk_full")
    assert.is_nil(served.stderr:find("writing again", 1, true))
    own:query(db, ("COPY (SELECT 1) TO PROGRAM 'rm %s/ballast'"):format(own.room))
    actions.wait_ready(served, 200)
    assert.are.equal(200, actions.status_of(served, { note = note, account_id = "after" }))
    helper.wait_states(db, { "before", "after" }, "done")
    assert.are.equal(2, #helper.events(db))
    assert.are.equal("0", own:query(db, "SELECT count(*) FROM palenca.bodies WHERE id < 0"))
    assert.are.equal(0, served:stop())
  end)

  it("is ready again without a put, though old events cannot be deleted", function()
    local db = cluster:database()
    local served = actions.serve(db, { env = { PALENCA_LEASE_TIMEOUT = "10" } })
    cluster:query(db, [[
      INSERT INTO events VALUES (0, 'login.success', 'old', 3, 1, 0, 0, NULL, 'epoch');
      CREATE FUNCTION spec.fail() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''not now''; END';
      CREATE TRIGGER deleted BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION spec.fail();
      CREATE TRIGGER put BEFORE INSERT ON bodies FOR EACH ROW EXECUTE FUNCTION spec.fail()]])
    assert.are.equal(503, actions.status_of(served, { account_id = "rejected" }))
    actions.wait_ready(served, 503, "store_failing")
    cluster:query(db, "DROP TRIGGER put ON bodies")
    actions.wait_ready(served, 200)
    assert.are.equal("1", cluster:query(db, "SELECT count(*) FROM events"))
    assert.are.equal(200, actions.status_of(served, { account_id = "rejected" }))
  end)

  -- ---- failover ----

  it("loses nothing that was acknowledged when a synchronous standby takes over", function()
    local primary = postgres.new()
    stage:at_end(function()
      primary:close()
    end)
    local db = primary:database()
    local standby = postgres.new({ base = primary })
    stage:at_end(function()
      standby:close()
    end)
    primary:set("synchronous_standby_names", "standby")
    helper.ask_until(function()
      return primary:query(db, "SELECT sync_state FROM pg_stat_replication") == "sync"
    end, "the standby to be synchronous")
    local both = db:gsub("host=[^&]*", "host=" .. primary.directory .. "," .. standby.directory)
    local at_standby = db:gsub("host=[^&]*", "host=" .. standby.directory)
    local served = actions.serve(both, { text = [[require "palenca".on("*", function() end)]] })
    local sent, acked = 0, {}
    local function send(count)
      local before = #acked
      helper.ask_until(function()
        repeat
          sent = sent + 1
          local is_acked = actions.status_of(served, { account_id = "account-" .. sent }) == 200
          acked[#acked + 1] = is_acked and "account-" .. sent or nil
        until not is_acked or #acked == before + count
        return #acked == before + count
      end, count .. " events to be acknowledged")
    end
    send(100)
    primary:kill()
    standby:query(at_standby, "SELECT pg_promote()")
    standby:query(at_standby, "ALTER SYSTEM SET synchronous_standby_names = ''")
    standby:query(at_standby, "SELECT pg_reload_conf()")
    send(50)
    -- the old one comes back as a standby, and is the first in the URL
    process.write_file(primary.directory .. "/data/standby.signal", "")
    primary:start()
    assert.truthy(actions.rejected(db):find("read-only", 1, true))
    local before = standby:query(at_standby, "SELECT max(epoch) FROM palenca.hosts")
    standby:query(at_standby, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
      .. "WHERE application_name = 'palenca'")
    helper.ask_until(function()
      return standby:query(at_standby, "SELECT max(epoch) FROM palenca.hosts") ~= before
    end, "another connection")
    send(10)
    local stored = {}
    for _, event in ipairs(helper.wait_ended(at_standby)) do
      stored[event.account_id] = true
    end
    for _, account in ipairs(acked) do
      assert.is_true(stored[account], "lost: " .. account)
    end
    assert.are.equal(0, served:stop())
  end)

  it("leaves a server that has turned read-only, and comes back to it", function()
    local db = cluster:database()
    local served = actions.serve(db)
    local function turn(value)
      cluster:query(cluster:url("postgres"), ("ALTER SYSTEM SET default_transaction_read_only "
        .. "= %s"):format(value))
      cluster:query(cluster:url("postgres"), "SELECT pg_reload_conf()")
    end
    stage:at_end(function()
      turn("off")
    end)
    turn("on")
    served:wait_output("stderr", "(cannot connect .*read%-only)")
    assert.are.equal(503, actions.status_of(served))
    actions.wait_ready(served, 503, "store_failing")
    helper.ask_until(function()
      return actions.backends(db, "count(*)") == "0"
    end, "it to leave")
    turn("off")
    actions.wait_ready(served, 200)
    helper.post(served.url, { account_id = "after" })
    helper.wait_state(db, "after", "done")
    assert.are.equal(0, served:stop())
  end)

  -- ---- clocks ----

  it_plain("keeps leases, retries, duplicates and timers by the server's clock", function()
    local db, directory = cluster:database(), stage:directory()
    local server = stage:server(function() end)
    local servers = {}
    for i, offset in ipairs({ "3600", "-3600" }) do
      local switch = process.write_file(directory .. "/clock" .. i, offset)
      servers[i] = actions.serve(db, { text = [[
        local palenca, URL = require "palenca", os.getenv "SPEC_URL"
        palenca.every(0.2, function() palenca.http{url = URL .. "/tick"} end)
        palenca.on("*", { retry_wait = 0.5 }, function(event)
          if event.account_id:find "^retried" and event.attempt == 1 then error("again", 0) end
          if event.account_id == "leased" then
            palenca.http{url = URL .. "/leased/" .. os.getenv "SPEC_NAME"}
          end
        end)
      ]], env = { LD_PRELOAD = faults.built("libset_clock.so"), SET_CLOCK_SWITCH = switch,
        SPEC_URL = server.url, SPEC_NAME = tostring(i), PALENCA_LEASE_TIMEOUT = "2" } })
    end
    -- a lease is kept, though an hour lies between the clocks, and taken over from who is dead
    helper.post(servers[1].url, { account_id = "leased" })
    local holder = process.wait_for(function()
      return server:find("/leased/1") and 1 or server:find("/leased/2") and 2
    end, "the event to run")
    -- a timer runs once over both at a time
    local tick = server:wait_request("/tick")
    for n = 2, 5 do
      tick.respond(200, "{}")
      tick = server:wait_request("/tick", n)
    end
    assert.is_nil(server:find("/tick", 6))
    -- the same body is one event
    local body = helper.body({ account_id = "twice" })
    for _, served in ipairs(servers) do
      assert.are.equal(200, http.request("POST", served.url, body).status)
    end
    -- a retry waits for as long as it should
    local retried = {}
    for i = 1, 8 do
      retried[i] = "retried-" .. i
      helper.post(servers[2].url, { account_id = retried[i] })
    end
    local done = helper.wait_states(db, retried, "done")
    for _, account in ipairs(retried) do
      assert.are.equal(2, done[account].attempts)
    end
    assert.is_nil(server:find("/leased/" .. 3 - holder))
    servers[holder]:kill("sigkill")
    servers[holder]:wait_exit()
    server:wait_request("/leased/" .. 3 - holder).respond(200, "{}")
    helper.wait_state(db, "leased", "done")
    assert.are.equal("1", cluster:query(db, "SELECT count(*) FROM palenca.events "
      .. "WHERE account_id = 'twice'"))
    server:close()
    assert.are.equal(0, servers[3 - holder]:stop())
  end)

end)
