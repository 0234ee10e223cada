--- `palenca serve` at PostgreSQL: several processes with one database, and a server in trouble.
local documents = require("spec.support.documents")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

-- Writes a line when a handler starts, and one when it ends.
local RECORDING = [[
  local palenca = require "palenca"
  local file = assert(io.open(os.getenv "SPEC_HANDLED", "a"))
  file:setvbuf("no")
  palenca.on("*", function(event)
    local line = ("%s %s %d %d\n"):format(event.account_id, event.external_id, event.id,
      event.attempt)
    file:write("starts " .. line)
    palenca.sleep(0.003)
    file:write("ends " .. line)
  end)
]]

describe("palenca serve at PostgreSQL", function()
  local stage = helper.stage_for_each()
  local cluster

  setup(function()
    cluster = postgres.new()
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
    return stage:serve({ db = db, text = options.text or "", directory = options.directory,
      arguments = options.arguments, env = env })
  end

  local function rejected(db, env)
    local script = process.write_file(stage:directory() .. "/script.lua", "")
    local status, _, err = process.run(process.program(), { "serve", script, "--listen",
      "127.0.0.1:0", "--db", db }, { env = env })
    assert.are.equal(1, status, err)
    return err
  end

  local function lines_of(path)
    local list = {}
    for line in (helper.read_file(path) or ""):gmatch("[^\n]+") do
      local what, account, sequence, id, attempt =
        line:match("^(%a+) (%S+) (%d+) (%d+) (%d+)$")
      list[#list + 1] = { what = what, account = account, sequence = tonumber(sequence),
        id = tonumber(id), attempt = tonumber(attempt) }
    end
    return list
  end

  -- Of an account one event runs at a time, in the order in which they were sent; what was
  -- interrupted runs again before the next one.
  local function assert_order(lines)
    local running, last, ended = {}, {}, {}
    for _, line in ipairs(lines) do
      local key = line.account .. " " .. line.sequence
      if line.what == "starts" then
        local before = running[line.account]
        assert(not before or before.sequence == line.sequence and before.attempt < line.attempt,
          "started beside another one: " .. key)
        assert(line.sequence >= (last[line.account] or 0), "started late: " .. key)
        running[line.account], last[line.account] = line, line.sequence
      else
        assert(running[line.account] and running[line.account].sequence == line.sequence,
          "ended and was not running: " .. key)
        running[line.account] = nil
        ended[key] = true
      end
    end
    return ended
  end

  -- Sends an account's events one after the other, each to one of the servers in turn, until it has
  -- 200.
  local function send(servers, account, sequence)
    local body = helper.body({ account_id = account, external_id = tostring(sequence) })
    local tries = 0
    return helper.ask_until(function()
      tries = tries + 1
      local served = servers[(sequence + tries) % #servers + 1]
      local response = http.request("POST", served.url, body)
      return response and response.status == 200 and response
    end, "200 for " .. account)
  end

  it("loses nothing and keeps the order while processes and the server are killed", function()
    local db, handled = cluster:database(), stage:directory() .. "/handled"
    local options = { text = RECORDING, env = { SPEC_HANDLED = handled },
      arguments = { "--workers", "2" } }
    local servers = {}
    for i = 1, 3 do
      servers[i] = serve(db, options)
    end
    local ACCOUNTS, EVENTS = 12, 20
    for sequence = 1, EVENTS do
      for account = 1, ACCOUNTS do
        send(servers, "account-" .. account, sequence)
      end
      if sequence % 6 == 0 then
        local victim = sequence // 6
        servers[victim]:kill("sigkill")
        servers[victim]:wait_exit()
        servers[victim] = serve(db, options)
      elseif sequence == 10 then
        cluster:kill()
        cluster:start()
      end
    end
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM palenca.events WHERE state = 3")
        == tostring(ACCOUNTS * EVENTS)
    end, "all events to be done")
    local ended = assert_order(lines_of(handled))
    for account = 1, ACCOUNTS do
      for sequence = 1, EVENTS do
        assert.is_true(ended["account-" .. account .. " " .. sequence])
      end
    end
    for _, served in ipairs(servers) do
      assert.are.equal(0, served:stop())
    end
    assert.are.equal(ACCOUNTS * EVENTS, #helper.events(db))
  end)

  it("gives the event of a process that was stopped to another one, whose end counts", function()
    local db, server = cluster:database(), stage:server(function() end)
    local options = {
      text = [[
        local palenca, URL = require "palenca", os.getenv "SPEC_URL"
        palenca.on("*", function(event)
          local response = palenca.http{url = URL .. "/" .. event.attempt}
          if response.status == 500 then error("failed late", 0) end
        end)
      ]],
      env = { SPEC_URL = server.url },
    }
    local first = serve(db, options)
    helper.post(first.url, { account_id = "stopped" })
    server:wait_request("/1")
    local second = serve(db, options)
    first:kill("sigstop")
    local taken_over = server:wait_request("/2")
    server:find("/1").respond(500, "{}")
    first:kill("sigcont")
    first:wait_output("stderr", "(what the handlers of 1 events ended with changes nothing)")
    assert.are.equal("running", helper.events(db)[1].state)
    taken_over.respond(200, "{}")
    local event = helper.wait_state(db, "stopped", "done")
    assert.are.equal(2, event.attempts)
    local _, shown = process.run(process.program(), { "events", "show",
      tostring(event.id), "--json", "--db", db })
    local outcomes = {}
    for i, attempt in ipairs(helper.json.decode(shown).history) do
      outcomes[i] = attempt.outcome .. " " .. tostring(attempt.error)
    end
    assert.are.same({ "interrupted the process died during attempt 1", "done nil" }, outcomes)
    -- and it goes on, as another process
    helper.post(first.url, { account_id = "later" })
    server:wait_request("/1", 2).respond(200, "{}")
    helper.wait_state(db, "later", "done")
    assert.are.equal(0, first:stop())
    assert.are.equal(0, second:stop())
  end)

  it("takes over the events of a process that died while old ones cannot be deleted", function()
    local db, server = cluster:database(), stage:server(function() end)
    local options = {
      text = [[
        local palenca, URL = require "palenca", os.getenv "SPEC_URL"
        palenca.on("*", function(event) palenca.http{url = URL .. "/" .. event.attempt} end)
      ]],
      -- with old events to be deleted each time that leases are looked after
      env = { SPEC_URL = server.url, PALENCA_LEASE_TIMEOUT = "5" },
    }
    local first = serve(db, options)
    helper.post(first.url, { account_id = "killed" })
    server:wait_request("/1")
    local second = serve(db, options)
    cluster:query(db, [[CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'kept for the auditor'; END $$;
      CREATE TRIGGER t BEFORE DELETE ON palenca.events EXECUTE FUNCTION reject()]])
    second:wait_output("stderr", "(leases and old events: .*kept for the auditor)")
    first:kill("sigkill")
    first:wait_exit()
    cluster:query(db, "UPDATE palenca.hosts SET expires_at = now() FROM palenca.events "
      .. "WHERE hosts.id = events.owner")
    server:wait_request("/2").respond(200, "{}")
    assert.are.equal(2, helper.wait_state(db, "killed", "done").attempts)
    assert.are.equal(0, second:stop())
  end)

  it("runs a timer once over all processes", function()
    local db, ticks = cluster:database(), stage:directory() .. "/ticks"
    local options = { env = { SPEC_TICKS = ticks }, text = [[
      local file = assert(io.open(os.getenv "SPEC_TICKS", "a"))
      file:setvbuf("no")
      require "palenca".every(0.5, function() file:write("tick\n") end)
    ]] }
    local servers = { serve(db, options), serve(db, options), serve(db, options) }
    local function server_time()
      return tonumber(cluster:query(db, "SELECT extract(epoch FROM clock_timestamp())"))
    end
    helper.ask_until(function()
      return #(helper.read_file(ticks) or "") >= 5
    end, "the first run")
    local began, before = server_time(), #helper.read_file(ticks) // 5
    helper.ask_until(function()
      return #helper.read_file(ticks) // 5 >= before + 4
    end, "four more")
    local count = #helper.read_file(ticks) // 5 - before
    assert.is_true(server_time() - began >= (count - 1) * 0.5, count .. " runs are too many")
    for _, served in ipairs(servers) do
      assert.are.equal(0, served:stop())
    end
  end)

  local function post_beside(served, account)
    local body = helper.body({ account_id = account })
    return stage:connect(served.url):send(("POST %s HTTP/1.1\r\nHost: spec\r\n"
      .. "Content-Length: %d\r\n\r\n%s"):format(served.url:match("//[^/]+(.*)"), #body, body))
  end

  -- Ends the connection of the process that serves once it waits for something.
  local function end_waiting(db, event)
    helper.ask_until(function()
      return cluster:query(db, ([[SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'palenca' AND datname = current_database()
        AND wait_event = '%s']]):format(event)) == "t"
    end, "a transaction to wait")
  end

  it("sends a batch again after a lost connection if it was not committed", function()
    local db = cluster:database()
    local served = serve(db, { arguments = { "--redelivery-window", "0" } })
    local lock = stage:start("/usr/bin/psql", { db, "-Xqc", "BEGIN; LOCK TABLE palenca.events "
      .. "IN EXCLUSIVE MODE; SELECT pg_sleep(60)" })
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' "
        .. "AND granted AND relation = 'palenca.events'::regclass") == "1"
    end, "the lock")
    local connection = post_beside(served, "rolled-back")
    end_waiting(db, "relation")
    lock:kill("sigint")
    local response = connection:response()
    assert.are.equal(200, response.status, response.body)
    helper.wait_state(db, "rolled-back", "done")
    assert.are.equal(1, #helper.events(db))
    assert.are.equal(0, served:stop())
  end)

  it("stores each event at most once while its connections are lost", function()
    local db = cluster:database()
    local served = serve(db, { arguments = { "--redelivery-window", "0" } })
    local killer = stage:start("/usr/bin/psql", { db, "-Xqc", [[DO $$ BEGIN
      FOR i IN 1..20 LOOP
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'palenca' AND datname = current_database();
        PERFORM pg_sleep(0.03);
      END LOOP; END $$]] })
    local sent, acked = 0, {}
    while not killer.code or sent < 50 do
      sent = sent + 1
      local account = "doubtful-" .. sent
      if http.request("POST", served.url, helper.body({ account_id = account })).status == 200 then
        acked[account] = true
      end
    end
    killer:wait_exit()
    assert.truthy(next(acked))
    local stored = {}
    for _, event in ipairs(helper.events(db)) do
      assert.is_nil(stored[event.account_id], "stored twice: " .. event.account_id)
      stored[event.account_id] = true
    end
    for account in pairs(acked) do
      assert.is_true(stored[account], "lost: " .. account)
    end
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  it("responds 503 while the server is away, is not ready, and recovers by itself", function()
    local own = postgres.new()
    stage:at_end(function()
      own:close()
    end)
    local db, port = own:database(), helper.free_port()
    local served = serve(db, { arguments = { "--admin", "127.0.0.1:" .. port } })
    local function readiness()
      return http.request("GET", ("http://127.0.0.1:%d/readyz"):format(port), "")
    end
    helper.post(served.url, { account_id = "before" })
    helper.wait_state(db, "before", "done")
    own:kill()
    local response = http.request("POST", served.url, helper.body({ account_id = "during" }))
    assert.are.equal(503, response.status)
    served:wait_output("stderr", "(cannot write to postgresql://)")
    helper.ask_until(function()
      return readiness().status == 503
    end, "it not to be ready")
    assert.truthy(readiness().body:find("store_failing", 1, true))
    own:start()
    helper.ask_until(function()
      return readiness().status == 200
    end, "it to be ready")
    helper.post(served.url, { account_id = "after" })
    helper.wait_state(db, "after", "done")
    served:wait_output("stderr", "(writing again to postgresql://)")
    assert.are.equal("done", helper.wait_state(db, "before", "done").state)
    assert.are.equal(0, served:stop())
  end)

  it("starts only where what it stores is on disk", function()
    local db = cluster:database()
    local name = db:match("/(%w+)%?")
    cluster:query(db, "ALTER DATABASE " .. name .. " SET synchronous_commit = off")
    assert.truthy(rejected(db):find("synchronous_commit is off", 1, true))
    local served = serve(db .. "&options=-csynchronous_commit%3Doff")
    served:wait_output("stderr", "(weaker than on, as the URL asks for)")
    assert.are.equal(0, served:stop())
    cluster:query(db, "ALTER DATABASE " .. name .. " RESET synchronous_commit;"
      .. "ALTER DATABASE " .. name .. " SET default_transaction_read_only = on")
    assert.truthy(rejected(db):find("read-only", 1, true))
  end)

  it("works with the roles of the document", function()
    local db = cluster:database()
    for _, block in ipairs(documents.blocks("core/host/POSTGRESQL.md", "sql")) do
      cluster:query(db, block.text)
    end
    local function url_of(role)
      return (db:gsub("palenca@", role .. "@"))
    end
    local reason = rejected(url_of("palenca_serve"))
    assert.truthy(reason:find("which the role that owns them has to do by a start: "
      .. "ERROR:  permission denied for schema palenca\n", 1, true), reason)
    assert.are.equal(0, serve(url_of("deploy") .. "&options=-crole%3Dpalenca_owner"):stop())
    local api = stage:server(function(request)
      request.respond(200, '{"success":true,"data":{"logins":[]}}')
    end)
    local env = { PALENCA_BASE_URL = api.url, PALENCA_API_KEY = "key",
      PALENCA_ALERT_SECRET = "secret" }
    local served = serve(url_of("palenca_serve"), { env = env, text = [[
      require "palenca".on("*", { max_attempts = 1 }, function(event)
        assert(event.account_id == "granted")
      end)
    ]], arguments = { "--reconcile", "--record-responses", "--alert-window", "0.2", "--alert-url",
      api.url .. "/alerts" } })
    served:wait_output("stderr", "(reconciled 0 logins)")
    helper.post(served.url, { account_id = "dies" })
    process.wait_for(function()
      return api.requests[#api.requests].path == "/alerts"
    end, "an alert")
    helper.post(served.url, { account_id = "granted" })
    helper.wait_state(url_of("palenca_read"), "granted", "done")
    local status, _, err = process.run(process.program(), { "events", "replay", "1", "--db",
      url_of("palenca_read") })
    assert.are.equal(1, status)
    assert.truthy(err:find("permission denied", 1, true), err)
    reason = rejected(url_of("palenca_read"))
    assert.truthy(reason:find("permission denied for table hosts\n", 1, true), reason)
    assert.are.equal(0, (process.run(process.program(), { "shadow", served.directory
      .. "/script.lua", "--db", url_of("palenca_read") }, { env = env })))
    assert.are.equal(0, served:stop())
  end)

  it("leaves the tables of a later version alone", function()
    local db = cluster:database()
    assert.are.equal(0, serve(db):stop())
    cluster:query(db, "UPDATE palenca.schema_version SET version = version + 1")
    assert.truthy(rejected(db):find("later version", 1, true))
  end)

  it("says why it cannot reach a server, without the password", function()
    local err = rejected("postgresql://palenca@127.0.0.1:1/x")
    assert.truthy(err:find("port 1 failed", 1, true), err)
    local script = process.write_file(stage:directory() .. "/script.lua", "")
    local secret = "postgresql://palenca:hunter2@127.0.0.1:1/x?sslpassword=hunter3"
    for _, url in ipairs({ secret, secret .. "&port=no", secret .. "&[",
      "postgresql://palenca:hunter2/3@127.0.0.1/x", "postgresql://palenca:x@hunter@127.0.0.1/x" })
    do
      local status, out, shown = process.run(process.program(), { "serve", script },
        { env = { PALENCA_DB = url } })
      assert.are.equal(1, status)
      assert.is_nil((out .. shown):find("hunter", 1, true), shown)
    end
    local file = process.write_file(stage:directory() .. "/options.lua",
      ("return { db = %q }"):format(secret))
    local status, _, shown = process.run(process.program(), { "events", "stats", "--config", file })
    assert.are.equal(1, status)
    assert.truthy(shown:find("port 1 failed", 1, true), shown)
    assert.is_nil(shown:find("hunter", 1, true), shown)
    status, _, shown = process.run(process.program(), { "serve", script, "--db", secret })
    assert.are.equal(2, status)
    assert.truthy(shown:find("a password on the command line", 1, true), shown)
    assert.is_nil(shown:find("hunter", 1, true))
  end)

  it("takes no file for what is meant for a server", function()
    local directory = stage:directory()
    for _, name in ipairs({ "Postgresql://a:hunter2@host/x", "postgresql:/a@host/x",
      "mysql://a:hunter2@host/x", "host=localhost password=hunter2", "dbname=x" }) do
      local status, _, err = process.run(process.program(), { "serve", directory .. "/script.lua",
        "--db", name }, { cwd = directory })
      assert.are.equal(2, status, err)
      assert.truthy(err:find("begins with postgresql://", 1, true), err)
      assert.is_nil(err:find("hunter2", 1, true), err)
    end
  end)

  it("says what is for files only", function()
    local db = cluster:url("postgres")
    for _, case in ipairs({
      { "pg_dump", "events", "backup", "x.db" },
      { "pg_restore", "events", "restore", "x.db" },
    }) do
      local arguments = { table.unpack(case, 2) }
      table.insert(arguments, "--db")
      table.insert(arguments, db)
      local status, _, err = process.run(process.program(), arguments)
      assert.are.equal(2, status, err)
      assert.truthy(err:find(case[1], 1, true), err)
    end
  end)

  it("lists, counts, replays and deletes events", function()
    local db = cluster:database()
    local served = serve(db, { text = [[
      require "palenca".on("*", function(event)
        if event.account_id == "fails" and not event.replay then error("no", 0) end
      end)
    ]], arguments = { "--max-attempts", "1", "--redelivery-window", "0" } })
    local function run(...)
      local status, out, err = process.run(process.program(), { "events", ... })
      assert.are.equal(0, status, err)
      return out
    end
    for _, account in ipairs({ "fails", "works" }) do
      helper.post(served.url, { account_id = account, platform = "didi" })
    end
    local dead = helper.wait_state(db, "fails", "dead")
    local done = helper.wait_state(db, "works", "done")
    assert.are.same({ "no", "didi", 1 }, { dead.error, dead.platform, dead.attempts })
    assert.are.equal(1, #helper.events(db, { "--state", "dead" }))
    assert.are.equal(1, #helper.events(db, { "--account", "works" }))
    assert.are.equal(0, #helper.events(db, { "--platform", "uber" }))
    assert.are.equal(2, #helper.events(db, { "--action", "login.*" }))
    assert.are.equal(2, #helper.events(db, { "--action", "login.success" }))
    assert.are.equal(0, #helper.events(db, { "--action", "user.*" }))
    local stats = helper.json.decode(run("stats", "--db", db, "--json"))
    assert.are.same({ 1, 1 }, { stats.states.dead, stats.states.done })
    assert.truthy(run("show", tostring(done.id), "--db", db):find("account +works"))
    assert.truthy(run("retry-dead", "--db", db):find("1 event", 1, true))
    helper.wait_state(db, "fails", "done")
    run("replay", tostring(done.id), "--db", db)
    helper.ask_until(function()
      local replayed = helper.wait_state(db, "works", "done")
      return replayed.replays == 1 and replayed
    end, "the replay")
    assert.are.equal(0, served:stop())
    local purged = helper.json.decode(run("purge", "--older-than", "0", "--db", db, "--json"))
    assert.are.equal(2, purged.events)
    assert.are.equal(0, #helper.events(db))
    for _, name in ipairs({ "attempts", "bodies", "events", "receipts", "traces" }) do
      assert.are.equal("0", cluster:query(db, "SELECT count(*) FROM palenca." .. name), name)
    end
  end)
end)
