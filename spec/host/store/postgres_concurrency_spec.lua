--- How many events of an action run at once over all processes of `palenca serve` at PostgreSQL.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local postgres = require("spec.support.postgres")

describe("a concurrency of an action's own at PostgreSQL", function()
  local stage = helper.stage_for_each()
  local cluster = postgres.shared()

  local function serve_three(text, env, lease_timeout)
    local db, servers = cluster:database(), {}
    for i = 1, 3 do
      servers[i] = stage:serve({ db = db, env = env,
        text = 'local palenca, URL = require "palenca", os.getenv "SPEC_URL"\n' .. text,
        arguments = { "--workers", "2", "--redelivery-window", "0", "--lease-timeout",
          lease_timeout or "15" } })
    end
    return db, servers
  end

  local function count(db, condition)
    return tonumber(cluster:query(db, "SELECT count(*) FROM palenca.events WHERE " .. condition))
  end

  it("bounds those that run on all of them, and lets others go on", function()
    local server = stage:server(function() end)
    local db, servers = serve_three([[
      palenca.on("login.success", {concurrency = 2}, function() end)
      palenca.on("login.*", {concurrency = 3}, function(event)
        palenca.http{url = URL .. (event.action == "login.success" and "/held" or "/family")}
      end)
      palenca.on("user.created", function() end)
    ]], { SPEC_URL = server.url })
    -- Once one of another action was sent to each process and has run, all that could start has.
    local passed = 0
    local function pass_by()
      for _, served in ipairs(servers) do
        passed = passed + 1
        helper.post(served.url, { account_id = "passed-" .. passed,
          webhook_action = "user.created" })
      end
      helper.ask_until(function()
        return count(db, "action = 'user.created' AND state = 3") == passed
      end, "others to run")
    end
    for i = 1, 6 do
      helper.post(servers[i % 3 + 1].url, { account_id = "success-" .. i })
    end
    server:wait_request("/held", 2)
    pass_by()
    for i = 1, 3 do
      helper.post(servers[i].url, { account_id = "error-" .. i, webhook_action = "login.error" })
    end
    server:wait_request("/family")
    pass_by()
    assert.are.equal(3, #server.requests)
    -- the place of each that ends is another one's, wherever that was received
    for i = 1, 6 do
      server:wait_request("/held", i).respond(200, "{}")
      server:wait_request("/held", math.min(i + 2, 6))
      pass_by()
      assert.is_true(count(db, "state = 1 AND action = 'login.success'") <= 2)
      assert.is_true(count(db, "state = 1 AND action LIKE 'login.%'") <= 3)
    end
    for i = 1, 3 do
      server:wait_request("/family", i).respond(200, "{}")
    end
    helper.wait_ended(db)
    for _, served in ipairs(servers) do
      assert.are.equal(0, served:stop())
    end
  end)

  it("has the places of a process that dies come back", function()
    local server = stage:server(function() end)
    local db, servers = serve_three([[
      palenca.on("*", {concurrency = 1}, function(event)
        palenca.http{url = URL .. "/" .. event.account_id .. event.attempt}
      end)
    ]], { SPEC_URL = server.url }, "2")
    helper.post(servers[1].url, { account_id = "a" })
    server:wait_request("/a1")
    helper.post(servers[2].url, { account_id = "b" })
    helper.ask_until(function()
      return count(db, "state = 0") == 1
    end, "the other one to wait")
    for _, served in ipairs(servers) do
      served:kill("sigkill")
      served:wait_exit()
    end
    assert.is_nil(server:find("/b1"))
    local served = stage:serve({ db = db, env = { SPEC_URL = server.url },
      text = helper.read_file(servers[1].directory .. "/script.lua"),
      arguments = { "--lease-timeout", "2" } })
    server:wait_request("/a2").respond(200, "{}")
    server:wait_request("/b1").respond(200, "{}")
    helper.wait_ended(db)
    assert.are.equal(0, served:stop())
  end)

  it("holds while all of them lease at the same time", function()
    local running = stage:directory() .. "/running"
    local db, servers = serve_three([[
      local file = assert(io.open(os.getenv "SPEC_RUNNING", "a"))
      file:setvbuf("no")
      palenca.on("login.success", {concurrency = 2}, function()
        file:write("+")
        palenca.sleep(0.002)
        file:write("-")
      end)
    ]], { SPEC_RUNNING = running })
    local loads, COUNT = {}, 150
    for i, served in ipairs(servers) do
      loads[i] = faults.load(stage, served.url, { connections = 4, accounts = 40, count = COUNT,
        tag = i })
    end
    for _, load in ipairs(loads) do
      assert.are.equal(COUNT, faults.loaded(load).acked)
    end
    helper.ask_until(function()
      return count(db, "state = 3") == 3 * COUNT
    end, "all events to be done")
    local now, most = 0, 0
    for sign in helper.read_file(running):gmatch("[+-]") do
      now = now + (sign == "+" and 1 or -1)
      most = math.max(most, now)
    end
    assert.are.equal(2, most)
    for _, served in ipairs(servers) do
      assert.are.equal(0, served:stop())
    end
  end)
end)
