--- What `palenca serve` stores beside events at PostgreSQL, over several processes.
local helper = require("spec.host.helper")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")
local uv = require("luv")

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

  local FAILING = [[
    local palenca = require "palenca"
    palenca.on("*", { max_attempts = 1 }, function() error("no", 0) end)
  ]]

  it("send one alert for what died at all of them", function()
    local server, db = stage:server(), cluster:database()
    local servers = serve_three(db, FAILING, { "--alert-url", server.url, "--alert-window", "1" },
      { PALENCA_ALERT_SECRET = "secret" })
    local began = uv.hrtime()
    for number = 1, 30 do
      helper.post(servers[number % 3 + 1].url, { account_id = "dead" .. number })
    end
    local function count()
      local counted = 0
      for _, request in ipairs(server.requests) do
        counted = counted + helper.json.decode(request.body).count
      end
      return counted
    end
    process.wait_for(function()
      return count() >= 30
    end, "30 events in alerts")
    local windows = (uv.hrtime() - began) / 1e9 // 1 + 1
    assert.are.equal(30, count())
    assert.is_true(#server.requests <= windows, #server.requests .. " alerts")
    local state = {}
    for _, event in ipairs(helper.wait_ended(db)) do
      state[event.id] = event.action .. " " .. event.state
    end
    for _, request in ipairs(server.requests) do
      local alert = helper.json.decode(request.body)
      assert.are.equal("palenca.alert done", state[alert.id])
      assert.are.equal("login.success dead", state[alert.events[1]])
      assert.are.equal(math.min(20, alert.count), #alert.events)
    end
    assert.are.equal("0", cluster:query(db, "SELECT count(*) FROM deaths"))
  end)
end)
