--- `palenca serve` while its PostgreSQL is in trouble: what senders, /readyz and the log say, what
-- is stored, and that it goes on by itself.
local uv = require("luv")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

-- The runtime of sanitizers has to be loaded before any other library.
local it_plain = helper.sanitized and function() end or it

describe("palenca serve, while PostgreSQL is in trouble,", function()
  local stage = helper.stage_for_each()
  local cluster, port

  setup(function()
    port = helper.free_port()
    cluster = postgres.new({ port = port, settings = { max_connections = "20" } })
  end)

  teardown(function()
    cluster:close()
  end)

  local function serve(db, options)
    options = options or {}
    local env = { PALENCA_LEASE_TIMEOUT = "1" }
    for name, value in pairs(options.env or {}) do
      env[name] = value
    end
    local arguments = { "--admin", "127.0.0.1:0" }
    table.move(options.arguments or {}, 1, #(options.arguments or {}), 3, arguments)
    return stage:serve({ db = db, text = options.text or "", arguments = arguments, env = env })
  end

  local function admin_of(served)
    return served.stderr:match("metrics and health at (http://[%d.:]+)")
  end

  local function wait_ready(served, status, reason)
    return helper.ask_until(function()
      local response = http.request("GET", admin_of(served) .. "/readyz")
      return response.status == status and response.body:find(reason or "", 1, true)
        and response.body
    end, "/readyz to be " .. status .. " " .. (reason or ""))
  end

  local function status_of(served, fields)
    return http.request("POST", served.url, helper.body(fields)).status
  end

  local function post_beside(served, body)
    return stage:connect(served.url):send(("POST %s HTTP/1.1\r\nHost: spec\r\n"
      .. "Content-Length: %d\r\n\r\n%s"):format(served.url:match("//[^/]+(.*)"), #body, body))
  end

  -- What it says before it ends with 1.
  local function rejected(db, env)
    local script = process.write_file(stage:directory() .. "/script.lua", "")
    local status, _, err = process.run(process.program(), { "serve", script, "--listen",
      "127.0.0.1:0", "--db", db }, { env = env })
    assert.are.equal(1, status, err)
    return err
  end

  local function psql(db, sql)
    return stage:start("/usr/bin/psql", { db, "-Xqc", sql })
  end

  -- Has another program hold what a statement has locked.
  local function hold(db, statement)
    local holder = psql(db, "BEGIN; " .. statement .. "; SELECT pg_sleep(60)")
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM pg_stat_activity WHERE datname = "
        .. "current_database() AND wait_event = 'PgSleep'") == "1"
    end, "the locks")
    return holder
  end

  -- Does something to the connections of the programs that serve.
  local function backends(db, expression, condition)
    return cluster:query(db, ("SELECT %s FROM pg_stat_activity AS a WHERE datname = "
      .. "current_database() AND application_name = 'palenca' AND %s"):format(expression,
        condition or "true"))
  end

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
    return serve(db .. "&options=-csynchronous_commit%3Dlocal", { arguments = {
      "--redelivery-window", tostring(window) } })
  end

  local function wait_held(db, condition)
    return helper.ask_until(function()
      local pid = backends(db, "min(pid)", WAITS .. (condition or ""))
      return pid ~= "" and pid
    end, "a commit to wait for a standby")
  end

  local function metric(served, name)
    return tonumber(http.request("GET", admin_of(served) .. "/metrics").body
      :match("\n" .. name .. " (%d+)"))
  end

  for window, duplicates in pairs({ [0] = 0, [300] = 2 }) do
    it("finds what a lost commit has stored, with a dedup window of " .. window, function()
      local db = cluster:database()
      local served = serve_locally(db, window)
      local known, again = helper.body({ account_id = "known" }), helper.body({ account_id = "b" })
      assert.are.equal(200, http.request("POST", served.url, known).status)
      wait_for_standbys(db)
      local connections = { post_beside(served, helper.body({ account_id = "a" })) }
      local pid = wait_held(db)
      -- in the next batch, of which a half is stored if there is a window
      for _, body in ipairs({ again, known, again, helper.body({ account_id = "c" }) }) do
        connections[#connections + 1] = post_beside(served, body)
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
      assert.are.equal(window > 0, ids[3] == 1)
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
    local connection = post_beside(served, helper.body({ account_id = "a" }))
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
    local served = serve(db, { arguments = { "--redelivery-window", "0" } })
    -- what was canceled is tried again
    local locked = hold(db, "LOCK TABLE palenca.bodies")
    local connection = post_beside(served, helper.body({ account_id = "canceled" }))
    helper.ask_until(function()
      return backends(db, "pg_cancel_backend(pid)", "wait_event = 'relation'") == "t"
    end, "a put to wait")
    locked:kill("sigint")
    assert.are.equal(200, connection:response().status)
    local canceling = psql(db, [[DO $$ BEGIN FOR i IN 1..40 LOOP
      PERFORM pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'palenca' AND datname = current_database();
      PERFORM pg_sleep(0.02); END LOOP; END $$]])
    local vacuuming = stage:start("/bin/sh", { "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do "
      .. "psql -Xqc 'VACUUM FULL palenca.events, palenca.bodies, palenca.hosts' \"$0\"; done", db })
    local sent, acked = 0, {}
    while not canceling.code or not vacuuming.code or sent < 50 do
      sent = sent + 1
      if status_of(served, { account_id = "account-" .. sent }) == 200 then
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

  it("says that there are too many connections, and goes on with the next free one", function()
    local db = cluster:database()
    cluster:query(db, "CREATE ROLE few LOGIN; GRANT CREATE ON DATABASE "
      .. db:match("/(%w+)%?") .. " TO few")
    local as_few = db:gsub("palenca@", "few@")
    local served = serve(as_few)
    cluster:query(db, "ALTER ROLE few CONNECTION LIMIT 0")
    assert.truthy(rejected(as_few):find('too many connections for role "few"', 1, true))
    backends(db, "pg_terminate_backend(pid)")
    served:wait_output("stderr", '(cannot connect to the server: .*too many connections)')
    assert.are.equal(503, status_of(served))
    wait_ready(served, 503, "store_failing")
    cluster:query(db, "ALTER ROLE few CONNECTION LIMIT -1")
    wait_ready(served, 200)
    helper.post(served.url, { account_id = "later" })
    helper.wait_state(as_few, "later", "done")
    -- and those of the server
    local reason, others = "remaining connection slots are reserved", {}
    for i = 1, 17 do -- one more than there are
      others[i] = psql(as_few, "SELECT pg_sleep(60)")
    end
    process.wait_for(function()
      for _, other in ipairs(others) do
        if other.code and other.stderr:find(reason, 1, true) then
          return true
        end
      end
    end, "all connections to be used")
    assert.truthy(rejected(as_few):find(reason, 1, true))
    cluster:query(db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
      .. "usename = 'few' AND wait_event = 'PgSleep'")
    assert.are.equal(200, status_of(served))
    assert.are.equal(0, served:stop())
  end)

  it("takes a new password from the passfile, and shows none", function()
    local db, directory = cluster:database(), stage:directory()
    cluster:query(db, "SET password_encryption = 'scram-sha-256'; CREATE ROLE sworn LOGIN "
      .. "PASSWORD 'hunter2'; GRANT CREATE ON DATABASE " .. db:match("/(%w+)%?") .. " TO sworn")
    local hba = cluster.directory .. "/data/pg_hba.conf"
    local before = helper.read_file(hba)
    process.write_file(hba, "local all sworn scram-sha-256\n" .. before)
    cluster:query(db, "SELECT pg_reload_conf()")
    stage:at_end(function()
      process.write_file(hba, before)
      cluster:query(db, "SELECT pg_reload_conf()")
    end)
    local passfile = directory .. "/passfile"
    local function write_password(password)
      process.write_file(passfile, "*:*:*:sworn:" .. password .. "\n")
      assert(uv.fs_chmod(passfile, 384))
    end
    local url = db:gsub("palenca@", "sworn@")
    local said = {}
    said[1] = rejected(url, { PGPASSFILE = passfile })
    assert.truthy(said[1]:find("no password supplied", 1, true), said[1])
    write_password("hunter1")
    said[2] = rejected(url, { PGPASSFILE = passfile })
    assert.truthy(said[2]:find('password authentication failed for user "sworn"', 1, true))
    write_password("hunter2")
    local with_file = serve(url, { env = { PGPASSFILE = passfile } })
    local script = process.write_file(directory .. "/script.lua", "")
    local with_url = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--admin",
      "127.0.0.1:0" }, { env = { PALENCA_DB = db:gsub("palenca@", "sworn:hunter2@"),
        PALENCA_LEASE_TIMEOUT = "1" } })
    with_url.url = with_url:wait_output("stderr", "receiving webhooks at (http://[%d.:]+/[%w/]+)")
    for _, served in ipairs({ with_file, with_url }) do
      assert.are.equal(200, status_of(served))
    end
    cluster:query(db, "ALTER ROLE sworn PASSWORD 'hunter3'")
    backends(db, "pg_terminate_backend(pid)")
    for _, served in ipairs({ with_file, with_url }) do
      served:wait_output("stderr", "(cannot connect .*password authentication failed)")
      assert.are.equal(503, status_of(served))
      said[#said + 1] = wait_ready(served, 503, "store_failing")
      for _, path in ipairs({ "/", "/metrics", "/api/events" }) do
        said[#said + 1] = http.request("GET", admin_of(served) .. path).body
      end
    end
    write_password("hunter3")
    wait_ready(with_file, 200)
    assert.are.equal(200, status_of(with_file))
    for _, served in ipairs({ with_file, with_url }) do
      said[#said + 1] = helper.read_file("/proc/" .. served.pid .. "/cmdline")
      assert.are.equal(0, served:stop())
      said[#said + 1] = served.stdout .. served.stderr
    end
    assert.is_nil(table.concat(said):find("hunter", 1, true))
  end)

  it("is not ready while a server takes connections and does not respond, and can be stopped",
    function()
      local db = cluster:database()
      local frozen, ending = serve(db), serve(db)
      helper.post(frozen.url, { account_id = "before" })
      -- with a connection that comes to an end only once it is closing
      local held = hold(db, "SELECT FROM palenca.hosts FOR UPDATE")
      backends(db, "pg_terminate_backend(pid)")
      helper.ask_until(function()
        return backends(db, "count(*)", "wait_event = 'transactionid'") == "2"
      end, "two connections to wait")
      ending:kill("sigterm")
      wait_ready(frozen, 503, "store_failing")
      cluster.server:kill("sigstop")
      held:kill("sigint")
      assert.are.equal(0, ending:wait_exit(), ending.stderr)
      cluster.server:kill("sigcont")
      wait_ready(frozen, 200)
      helper.post(frozen.url, { account_id = "after" })
      helper.wait_states(db, { "before", "after" }, "done")
      assert.are.equal(0, frozen:stop())
    end)

  -- ---- locks ----

  it("waits for a locked table, but not for long, nor does the start of another", function()
    local db = cluster:database()
    local served = serve(db)
    helper.post(served.url, { account_id = "before" })
    local locked = hold(db, "LOCK TABLE palenca.events, palenca.schema_version")
    local script = process.write_file(stage:directory() .. "/script.lua", "")
    local start = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--db", db })
    local list = stage:palenca({ "events", "list", "--db", db })
    assert.are.equal(503, status_of(served))
    served:wait_output("stderr", "(cannot write to )")
    wait_ready(served, 503, "store_failing")
    for _, other in ipairs({ start, list }) do
      assert.are.equal(1, other:wait_exit())
      assert.truthy(other.stderr:find("lock timeout", 1, true), other.stderr)
    end
    locked:kill("sigint")
    wait_ready(served, 200)
    helper.post(served.url, { account_id = "after" })
    helper.wait_states(db, { "before", "after" }, "done")
    assert.are.equal(0, serve(db):stop())
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
    assert.are.equal(0, serve(db):stop())
    cluster:query(db, [[INSERT INTO palenca.events (id, action, account_id, state, attempts,
      replays, received_at) VALUES (1000, 'login.success', 'held', 0, 0, 0, 1);
      INSERT INTO palenca.bodies (id, body) VALUES (1000, convert_to('{"data":{"webhook_action":
        "login.success","account_id":"held","external_id":"1"}}', 'UTF8'));
      SELECT setval('palenca.event_ids', 1000)]])
    local holder = hold(db, "SELECT FROM palenca.events FOR UPDATE")
    local served = serve(db, options)
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
    local served = serve(db)
    helper.post(served.url, { account_id = "before" })
    own:query(db, ("COPY (SELECT 1) TO PROGRAM 'dd if=/dev/zero of=%s/ballast bs=8k 2>/dev/null; "
      .. "true'"):format(own.room))
    local noise = assert(io.open("/dev/urandom", "rb"))
    local note = noise:read(25000):gsub(".", function(byte)
      return ("%02x"):format(byte:byte())
    end)
    noise:close()
    assert.are.equal(503, status_of(served, { note = note }))
    served:wait_output("stderr", "(cannot write to .*No space left on device)")
    wait_ready(served, 503, "disk_full")
    -- it stays so, though rows can be changed
    for _ = 1, 2 do
      local alive = own:query(db, "SELECT max(expires_at) FROM palenca.hosts")
      helper.ask_until(function()
        return own:query(db, "SELECT max(expires_at) FROM palenca.hosts") ~= alive
      end, "a sign of life")
    end
    wait_ready(served, 503, "disk_full")
    assert.is_nil(served.stderr:find("writing again", 1, true))
    own:query(db, ("COPY (SELECT 1) TO PROGRAM 'rm %s/ballast'"):format(own.room))
    wait_ready(served, 200)
    assert.are.equal(200, status_of(served, { note = note, account_id = "after" }))
    helper.wait_states(db, { "before", "after" }, "done")
    assert.are.equal(2, #helper.events(db))
    assert.are.equal("0", own:query(db, "SELECT count(*) FROM palenca.bodies WHERE id < 0"))
    assert.are.equal(0, served:stop())
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
    local served = serve(both, { text = [[require "palenca".on("*", function() end)]] })
    local sent, acked = 0, {}
    local function send(count)
      local before = #acked
      helper.ask_until(function()
        repeat
          sent = sent + 1
          local is_acked = status_of(served, { account_id = "account-" .. sent }) == 200
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
    assert.truthy(rejected(db):find("read-only", 1, true))
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
    local served = serve(db)
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
    assert.are.equal(503, status_of(served))
    wait_ready(served, 503, "store_failing")
    helper.ask_until(function()
      return backends(db, "count(*)") == "0"
    end, "it to leave")
    turn("off")
    wait_ready(served, 200)
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
      servers[i] = serve(db, { text = [[
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

  -- ---- TLS ----

  local function openssl(...)
    local status, _, err = process.run("/usr/bin/openssl", { ... })
    return status == 0, err
  end

  local KEY = { "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes" }

  local function make_authority(path)
    local line = { "req", "-x509", "-subj", "/CN=an authority", "-days", "2", "-keyout",
      path .. ".key", "-out", path .. ".pem" }
    table.move(KEY, 1, #KEY, #line + 1, line)
    assert(openssl(table.unpack(line)))
  end

  local function make_certificate(directory, name, authority, is_expired)
    local path = directory .. "/" .. name
    local line = { "req", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
      "-keyout", path .. ".key", "-out", path .. ".request" }
    table.move(KEY, 1, #KEY, #line + 1, line)
    assert(openssl(table.unpack(line)))
    local function sign(...)
      return openssl("x509", "-req", "-in", path .. ".request", "-CA", authority .. ".pem",
        "-CAkey", authority .. ".key", "-CAcreateserial", "-copy_extensions", "copy", "-out",
        path .. ".pem", ...)
    end
    if not is_expired then
      assert(sign("-days", "2"))
    elseif not sign("-not_before", "20200101000000Z", "-not_after", "20200102000000Z") then
      assert(sign("-days", "-1")) -- as OpenSSL before 3.4 has it
    end
    postgres.give(path .. ".key")
    return path
  end

  it("stores where the server's certificate is right, and nowhere else", function()
    local directory = cluster.directory
    make_authority(directory .. "/authority")
    make_authority(directory .. "/another")
    local right = make_certificate(directory, "right", directory .. "/authority")
    local expired = make_certificate(directory, "expired", directory .. "/authority", true)
    local db = cluster:database()
    local function url(host, authority)
      return ("postgresql://palenca@%s:%d/%s?sslmode=verify-full&sslrootcert=%s/%s.pem"):format(
        host, port, db:match("/(%w+)%?"), directory, authority)
    end
    local function rejects(reason, host, authority)
      local err = rejected(url(host, authority))
      assert.truthy(err:find(reason), err)
    end
    rejects("server does not support SSL, but SSL was required", "localhost", "authority")
    local function use(certificate)
      cluster:set("ssl_cert_file", certificate .. ".pem")
      cluster:set("ssl_key_file", certificate .. ".key")
      cluster:set("ssl", "on")
    end
    stage:at_end(function()
      cluster:set("ssl", "off")
    end)
    use(right)
    helper.ask_until(function()
      return cluster:query(db, "SHOW ssl") == "on"
    end, "TLS")
    rejects("certificate verify failed", "localhost", "another")
    rejects('server certificate for "localhost".* does not match host name "127.0.0.1"',
      "127.0.0.1", "authority")
    rejects('root certificate file "[^"]+missing.pem" does not exist', "localhost", "missing")
    local served = serve(url("localhost", "authority"))
    helper.post(served.url, { account_id = "sealed" })
    helper.wait_state(url("localhost", "authority"), "sealed", "done")
    assert.are.equal("t", cluster:query(db, "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN "
      .. "pg_stat_activity USING (pid) WHERE application_name = 'palenca'"))
    -- and with each connection
    use(expired)
    helper.ask_until(function()
      return rejected(url("localhost", "authority")):find("certificate verify failed", 1, true)
    end, "the certificate to be used")
    backends(db, "pg_terminate_backend(pid)")
    served:wait_output("stderr", "(cannot connect .*certificate verify failed)")
    assert.are.equal(503, status_of(served))
    wait_ready(served, 503, "store_failing")
    use(right)
    wait_ready(served, 200)
    assert.are.equal(0, served:stop())
  end)
end)
