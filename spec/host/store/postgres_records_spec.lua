--- What `palenca serve` stores beside events at PostgreSQL, over several processes.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")
local shadow_runs = require("spec.host.cli.shadow_runs")

describe("several processes at PostgreSQL", function()
  local stage = helper.stage_for_each()
  local cluster

  setup(function()
    cluster = postgres.shared()
  end)

  teardown(postgres.close_shared)

  local function serve(db, text, arguments, env)
    local all = { PALENCA_LEASE_TIMEOUT = "1" }
    for name, value in pairs(env or {}) do
      all[name] = value
    end
    return stage:serve({ db = db, text = text, arguments = { "--workers", "1",
      table.unpack(arguments or {}) }, env = all })
  end

  local function serve_three(...)
    local list = {}
    for i = 1, 3 do
      list[i] = serve(...)
    end
    return list
  end

  -- Until each of them has looked after what is due.
  local function wait_upkeep(db)
    local before = cluster:query(db, "SELECT max(expires_at) FROM hosts")
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM hosts WHERE NOT is_dead AND expires_at > '"
        .. before .. "'::timestamptz + interval '1 second'") == "3"
    end, "all processes to have said that they are alive")
  end

  it("count the events of all of them in their metrics", function()
    local waiting
    local api = stage:server(function(request)
      waiting = request
    end)
    local db, servers = cluster:database(), {}
    local function start()
      servers[#servers + 1] = serve(db, [[
        local palenca = require "palenca"
        palenca.on("*", function() palenca.http{ url = os.getenv "SPEC_API" } end)
      ]], { "--admin", "127.0.0.1:0" }, { SPEC_API = api.url })
    end
    start()
    helper.post(servers[1].url, { account_id = "runs" })
    process.wait_for(function()
      return waiting
    end, "the handler")
    start()
    servers[2]:wait_output("stderr", "(events of all processes that have not ended: 1\n)")
    for _, served in ipairs(servers) do
      local admin = served.stderr:match("metrics and health at (http://[%d.:]+)")
      helper.ask_until(function()
        local text = http.request("GET", admin .. "/metrics").body
        return text:find('palenca_events{state="running"} 1', 1, true)
          and text:find('palenca_events{state="received"} 0', 1, true)
      end, "one event to run")
    end
    waiting.respond(200, "")
    for _, served in ipairs(servers) do
      assert.are.equal(0, served:stop())
    end
  end)

  local FAILING = [[
    local palenca = require "palenca"
    palenca.on("*", { max_attempts = 1 }, function() error("no", 0) end)
  ]]

  it("send one alert for what died at all of them", function()
    local server, db = stage:server(), cluster:database()
    local servers = serve_three(db, FAILING, { "--alert-url", server.url },
      { PALENCA_ALERT_SECRET = "secret" })
    for number = 1, 30 do
      helper.post(servers[number % 3 + 1].url, { account_id = "dead" .. number })
    end
    helper.wait_ended(db)
    wait_upkeep(db)
    assert.are.equal("30", cluster:query(db, "SELECT count(*) FROM events"))
    cluster:query(db, "UPDATE deaths SET died_at = died_at - interval '1 minute'")
    process.wait_for(function()
      return #server.requests > 0
    end, "an alert")
    local alert = helper.json.decode(server.requests[1].body)
    local state = {}
    for _, event in ipairs(helper.wait_ended(db)) do
      state[event.id] = event.action .. " " .. event.state
    end
    assert.are.same({ 1, 30, 20 }, { #server.requests, alert.count, #alert.events })
    assert.are.equal("palenca.alert done", state[alert.id])
    for _, id in ipairs(alert.events) do
      assert.are.equal("login.success dead", state[id])
    end
    assert.are.equal("0", cluster:query(db, "SELECT count(*) FROM deaths"))
  end)

  it("send alerts though old events cannot be deleted", function()
    local server, db = stage:server(), cluster:database()
    local served = serve(db, FAILING, { "--alert-url", server.url, "--alert-window", "1" },
      { PALENCA_ALERT_SECRET = "secret", PALENCA_LEASE_TIMEOUT = "10" })
    cluster:query(db, [[
      CREATE FUNCTION spec.fail() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''not deleted''; END';
      CREATE TRIGGER fail BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION spec.fail();
      INSERT INTO events VALUES (0, 'login.success', 'old', 3, 1, 0, 0, NULL, 'epoch')]])
    served:wait_output("stderr", "(cannot look after leases and old events: [^\n]*not deleted)")
    helper.post(served.url, { account_id = "dead" })
    process.wait_for(function()
      return #server.requests > 0
    end, "an alert")
    assert.are.equal("0", cluster:query(db, "SELECT count(*) FROM deaths"))
  end)

  local MISSED = "7a1f0a4c-51fd-4f0a-9a53-1c1e6f3f0001"
  local ANOTHER = "7a1f0a4c-51fd-4f0a-9a53-1c1e6f3f0002"

  -- An API with successful logins of accounts, as long as `on_search(request)` is not true.
  local function login_api(accounts, on_search)
    local function respond(request, data)
      request.respond(200, helper.json.encode({ success = true, data = data }))
    end
    local now, logins = os.date("!%Y-%m-%dT%H:%M:%SZ"), {}
    for at, account in ipairs(accounts) do
      logins[at] = { id = "login-" .. account, account_id = account, status = "success",
        platform = "uber", created_at = now, updated_at = now }
    end
    return stage:server(function(request)
      if request.path:find("/logins/search", 1, true) then
        local page = helper.json.decode(request.body).options.page
        if page > 1 or not (on_search and on_search(request)) then
          respond(request, { logins = page == 1 and logins or helper.json.empty_array })
        end
      else
        respond(request, { user_id = "user", external_id = "worker" })
      end
    end)
  end

  local HANDLING = [[
    local palenca = require "palenca"
    palenca.on("*", function() end)
  ]]

  it("reconcile once, and another one does it if that fails or dies", function()
    local searches = {}
    local api = login_api({ MISSED, ANOTHER }, function(request)
      searches[#searches + 1] = request
      return #searches <= 2 -- not yet
    end)
    local db, servers = cluster:database(), {}
    local function wait_searches(count)
      process.wait_for(function()
        return #searches == count
      end, count .. " searches")
    end
    for number = 1, 4 do
      servers[number] = serve(db, HANDLING, { "--reconcile" }, { PALENCA_BASE_URL = api.url,
        PALENCA_API_KEY = "key" })
      helper.ask_until(function()
        return cluster:query(db, "SELECT last_value, is_called FROM reconcile_ids")
          == number .. "|t"
      end, "it to want to reconcile")
    end
    wait_searches(1)
    searches[1].respond(401, "{}")
    servers[1]:wait_output("stderr", "(cannot reconcile: auth)")
    table.remove(servers, 1)
    wait_searches(2)
    local owner = tonumber(cluster:query(db, "SELECT owner - 1 FROM reconciling"))
    servers[owner]:kill("sigkill")
    servers[owner]:wait_exit()
    table.remove(servers, owner)
    cluster:query(db, "UPDATE reconciling SET expires_at = now()")
    local lines = {}
    for at, served in ipairs(servers) do
      lines[at] = served:wait_output("stderr", "([^\n]*reconciled[^\n]*)\n")
    end
    table.sort(lines)
    assert.are.same({ "another process has reconciled since this one was started",
      "reconciled 2 logins of the API: queued 2 events" }, lines)
    assert.are.equal(3, #searches)
    local events = helper.wait_ended(db)
    assert.are.same({ 2, "done", "done" }, { #events, events[1].state, events[2].state })
  end)

  -- Another process's transaction, which has stored a login of an account and is not committed
  -- before `commit()`.
  local function storing(db, account)
    local directory = stage:directory()
    local fifo = directory .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { fifo })))
    local path = process.write_file(directory .. "/storing.sql", ([[
      BEGIN;
      INSERT INTO palenca.events (id, action, account_id, state, attempts, replays, received_at)
        VALUES (nextval('palenca.event_ids'), 'login.success', '%s', 3, 1, 0, %d);
      SELECT 'stored';
      \! cat %s
      COMMIT;
    ]]):format(account, os.time() * 1000 + 999, fifo))
    local psql = stage:start("/usr/bin/psql", { db, "-XAtqf", path })
    psql:wait_output("stdout", "(stored)")
    return function()
      process.write_file(fifo, "")
      psql:wait_exit()
    end
  end

  local function begin_reconciling(db, api)
    local running = stage:palenca({ "reconcile", "--db", db, "--json" },
      { env = { PALENCA_BASE_URL = api.url, PALENCA_API_KEY = "key" } })
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM reconciled WHERE event = 0") == "1"
    end, "the account to be marked")
    return function()
      running:wait_exit()
      assert.are.equal(0, running.code, running.stderr)
      return helper.json.decode(running.stdout)
    end
  end

  it("do not queue what is being stored", function()
    local db = cluster:database()
    serve(db, HANDLING)
    local api = login_api({ MISSED })
    local commit = storing(db, MISSED)
    local finish = begin_reconciling(db, api)
    commit()
    assert.are.same({ logins = 1, queued = 0, left_out = 0 }, finish())
    assert.are.equal(1, #helper.events(db))
    assert.are.equal("0", cluster:query(db, "SELECT count(*) FROM reconciled"))
  end)

  it("store a webhook that comes while it is found to be missing", function()
    local db = cluster:database()
    local served = serve(db, HANDLING)
    local commit = storing(db, ANOTHER)
    local finish = begin_reconciling(db, login_api({ MISSED }))
    helper.post(served.url, { account_id = MISSED })
    commit()
    assert.are.same({ logins = 1, queued = 0, left_out = 0 }, finish())
    assert.are.equal(1, #helper.events(db, { "--account", MISSED }))
  end)

  local CALLING = [[
    local palenca = require "palenca"
    local client = palenca.new()
    palenca.on("*", function(event)
      assert(client:request("GET", "/v1/echo?of=" .. event.account_id))
    end)
  ]]

  it("record responses, which a script is played with from anywhere", function()
    local text = {} -- which cannot be compressed, so that some of them are many for a statement
    for at = 1, 2 ^ 19 do
      text[at] = string.char(math.random(48, 57), math.random(97, 122))
    end
    local response = ('{"success":true,"data":"%s"}'):format(table.concat(text))
    local api, db = stage:server(function(request)
      request.respond(200, response)
    end), cluster:database()
    local env = { PALENCA_BASE_URL = api.url, PALENCA_API_KEY = "key" }
    local servers = serve_three(db, CALLING, { "--record-responses" }, env)
    for number = 1, 12 do
      helper.post(servers[number % 3 + 1].url, { account_id = "account-" .. number })
    end
    helper.wait_ended(db)
    local before = #api.requests
    local script = process.write_file(stage:directory() .. "/script.lua", CALLING)
    local summary, _, status, err = shadow_runs.played(script, db, {}, env)
    assert.are.equal(0, status, err)
    assert.are.same({ done = { done = 12 } }, shadow_runs.matrix_of(summary))
    assert.are.equal(before, #api.requests)
    serve(db, CALLING, { "--retention", "0.000001", "--redelivery-window", "0" }, env)
    helper.ask_until(function()
      return cluster:query(db, "SELECT (SELECT count(*) FROM events) + (SELECT count(*)"
        .. " FROM event_responses)") == "0"
    end, "all to be deleted")
    assert.are.equal("t", cluster:query(db, "SELECT received_at > 0 FROM purged"))
  end)

  it("do not record what a handler has read whose lease had expired", function()
    local waiting = {}
    local api, db = stage:server(function(request)
      if request.path:find("/v1/echo", 1, true) then
        waiting[#waiting + 1] = request
      else
        request.respond(200, '{"success":true,"data":[]}')
      end
    end), cluster:database()
    local env = { PALENCA_BASE_URL = api.url, PALENCA_API_KEY = "key" }
    local function respond(number, text)
      process.wait_for(function()
        return waiting[number]
      end, "a request")
      waiting[number].respond(200, ('{"success":true,"data":"%s"}'):format(text))
    end
    local stopped = serve(db, CALLING, { "--record-responses" }, env)
    helper.post(stopped.url, { account_id = "fenced" })
    process.wait_for(function()
      return waiting[1]
    end, "the first request")
    stopped:kill("sigstop")
    serve(db, CALLING, { "--record-responses" }, env)
    respond(2, "second")
    helper.wait_state(db, "fenced", "done")
    local recorded = cluster:query(db, "SELECT attempt, size, hex(responses) FROM event_responses")
    assert.are.equal("2", recorded:match("^%d+"))
    respond(1, "a much longer first one")
    stopped:kill("sigcont")
    stopped:wait_output("stderr", "(what the handlers of 1 events ended with changes nothing)")
    assert.are.equal(recorded, cluster:query(db,
      "SELECT attempt, size, hex(responses) FROM event_responses"))
  end)
end)
