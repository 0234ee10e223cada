--- `palenca serve` at a PostgreSQL that crashes: what it has lost, and connections that are gone.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")
local uv = require("luv")

describe("palenca serve at a PostgreSQL that crashes", function()
  local stage = helper.stage_for_each()
  local cluster

  setup(function()
    cluster = postgres.new()
    cluster:set("wal_writer_delay", "10s") -- what is not waited for is on disk so much later
  end)

  teardown(function()
    cluster:close()
  end)

  -- Crashes once the handler of an account's event runs; returns whether its lease was lost.
  local function crash(served, server, db, account)
    helper.post(served.url, { account_id = account })
    server:wait_request("/" .. account .. "/1")
    served:kill("sigstop")
    cluster:kill()
    cluster:start()
    local state = cluster:query(db, ("SELECT state FROM palenca.events WHERE account_id = '%s'")
      :format(account))
    served:kill("sigcont")
    return state == "0"
  end

  local function serve(db, server)
    return stage:serve({ db = db, env = { SPEC_URL = server.url }, text = [[
      local palenca, URL = require "palenca", os.getenv "SPEC_URL"
      palenca.on("*", function(event)
        palenca.http{url = ("%s/%s/%d"):format(URL, event.account_id, event.attempt)}
      end)
    ]] })
  end

  it("does not run an event beside its own handler when the lease was lost", function()
    local db, server = cluster:database(), stage:server(function() end)
    local served = serve(db, server)
    local crashes, account = 0
    repeat
      crashes = crashes + 1
      assert(crashes <= 5, "no lease was lost")
      account = "running-" .. crashes
    until crash(served, server, db, account)
    helper.ask_until(function()
      return cluster:query(db, ("SELECT state FROM palenca.events WHERE account_id = '%s'")
        :format(account)) == "1"
    end, "the event to be leased again")
    helper.post(served.url, { account_id = "beside" })
    server:wait_request("/beside/1").respond(200, "{}")
    helper.wait_state(db, "beside", "done")
    assert.is_nil(server:find("/" .. account .. "/1", 2))
    server:find("/" .. account .. "/1").respond(200, "{}")
    assert.are.equal(1, helper.wait_state(db, account, "done").attempts)
  end)

  it("runs an event again after its own handler, whose lease has expired", function()
    local db, server = cluster:database(), stage:server(function() end)
    local served = serve(db, server)
    helper.post(served.url, { account_id = "again" })
    local expired = server:wait_request("/again/1")
    cluster:query(db, "UPDATE palenca.hosts SET is_dead = true")
    helper.ask_until(function()
      return cluster:query(db, "SELECT state, attempts FROM palenca.events") == "1|2"
    end, "the event to be leased again")
    helper.post(served.url, { account_id = "beside" })
    server:wait_request("/beside/1").respond(200, "{}")
    helper.wait_state(db, "beside", "done")
    assert.is_nil(server:find("/again/2"))
    expired.respond(200, "{}")
    local counts = server:wait_request("/again/2")
    served:wait_output("stderr", "(what the handlers of 1 events ended with changes nothing)")
    assert.are.equal("running", helper.events(db)[1].state)
    counts.respond(200, "{}")
    assert.are.equal(2, helper.wait_state(db, "again", "done").attempts)
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  local function pid_of_connection(db)
    return tonumber(cluster:query(db, [[SELECT pid FROM pg_stat_activity
      WHERE application_name = 'palenca' AND datname = current_database()]]))
  end

  -- The killed process of the server says nothing; that its connection is gone is noticed by what
  -- is sent, since the first thing that a process does that goes on is what is due.
  it("goes on when the first thing it sends fails", function()
    local db = cluster:database()
    local served = stage:serve({ db = db, env = { PALENCA_LEASE_TIMEOUT = "1" } })
    helper.post(served.url, { account_id = "before" })
    helper.wait_state(db, "before", "done")
    local pid = pid_of_connection(db)
    for _ = 1, 2 do
      served:kill("sigstop")
      helper.ask_until(function()
        return cluster:query(db, [[SELECT bool_and(clock_timestamp() > expires_at
          - interval '0.5 s') FROM palenca.hosts]]) == "t"
      end, "a sign of life to be due")
      uv.kill(pid, "sigkill")
      process.poll_for(function()
        return uv.kill(pid, 0) ~= 0
      end, "its end")
      served:kill("sigcont")
      pid = helper.ask_until(function()
        assert(not served.code, served:describe())
        local ok, other = pcall(pid_of_connection, db)
        return ok and other
      end, "another connection")
    end
    helper.ask_until(function() -- the connection is there a little before it is used
      local body = helper.body({ account_id = "after" })
      return http.request("POST", served.url, body).status == 200
    end, "200")
    helper.wait_state(db, "after", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)
