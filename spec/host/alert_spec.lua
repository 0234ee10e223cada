--- `--alert-url`: a signed POST about dead letters, whatever its receiver and the process do.
local core = require("palenca.core")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")
local uv = require("luv")

local SECRET = "an-alert-secret-of-the-spec"
local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("login.error", { max_attempts = 1 }, function(event)
    error("no: " .. event.account_id, 0)
  end)
]]

describe("palenca serve with --alert-url", function()
  local stage = helper.stage_for_each()
  local directory

  before_each(function()
    directory = stage:directory()
  end)

  local function serve(url, options)
    options = options or {}
    local arguments = { "--alert-url", url, "--alert-window", "0.2", "--workers", "1" }
    table.move(options, 1, #options, #arguments + 1, arguments)
    return stage:serve({ directory = directory, text = SCRIPT, arguments = arguments,
      env = { PALENCA_ALERT_SECRET = SECRET } })
  end

  local function post_dead(served, first, last)
    for number = first, last do
      helper.post(served.url, { account_id = "dead" .. number, webhook_action = "login.error" })
    end
  end

  -- What was posted, each checked.
  local function read(request)
    assert.are.same({ "POST", "/alerts", "application/json" }, { request.method, request.path,
      request.headers["content-type"] })
    assert.is_true((core.check_signature({}, SECRET, request.body,
      request.headers["x-palenca-signature"])))
    local alert = helper.json.decode(request.body)
    assert.are.equal("dead_letters", alert.type)
    return alert
  end

  -- Of all alerts, by their ids: the last one of each; and how many events they are for.
  local function collect(requests)
    local alerts, count = {}, 0
    for _, request in ipairs(requests) do
      local alert = read(request)
      alerts[alert.id] = alert
    end
    for _, alert in pairs(alerts) do
      count = count + alert.count
    end
    return count, alerts
  end

  local function wait_count(server, count)
    process.wait_for(function()
      return collect(server.requests) >= count
    end, count .. " events in alerts")
    return collect(server.requests)
  end

  it("posts once for all that die within the window, signed, without data of a person", function()
    local server = stage:server()
    local served = serve(server.url .. "/alerts", { "--alert-window", "1", "--admin",
      "127.0.0.1:0" })
    local started = uv.hrtime()
    post_dead(served, 1, 30)
    local count, alerts = wait_count(server, 30)
    local windows = (uv.hrtime() - started) / 1e9 // 1 + 1
    local events = helper.wait_ended(served.db)
    assert.are.equal(30, count)
    assert.is_true(#server.requests <= windows)
    local _, alert = next(alerts)
    assert.truthy(alert.since:find("^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"), alert.since)
    assert.is_true(alert.since <= alert["until"])
    assert.are.equal(math.min(20, alert.count), #alert.events)
    assert.are.equal(events[1].id // 1, math.min(table.unpack(alert.events)) // 1)
    assert.is_nil(server.requests[1].body:find("dead1", 1, true))
    assert.are.equal(30 + #server.requests, #events)
    local admin = served.stderr:match("metrics and health at (http://[%d.:]+)")
    helper.ask_until(function() -- they are published once in a while
      local states = {}
      local metrics = http.request("GET", admin .. "/metrics").body
      for line in metrics:gmatch("palenca_events(%b{} %S+)") do
        states[#states + 1] = line
      end
      return table.concat(states) == '{state="received"} 0{state="running"} 0{state="retry"} 0'
        .. '{state="dead"} 30'
    end, "the metrics to count 30 dead letters only")
    assert.are.equal(0, served:stop())
  end)

  it("posts after a receiver was down, and after a kill -9", function()
    local port = helper.free_port()
    local served = serve("http://127.0.0.1:" .. port .. "/alerts")
    post_dead(served, 1, 1)
    served:wait_output("stderr", "(palenca.alert .* FAILED %(attempt 1%), next attempt)")
    post_dead(served, 2, 2)
    helper.wait_state(served.db, "dead2", "dead")
    served:kill("sigkill")
    served:wait_exit()
    local server = stage:server()
    served = serve(server.url .. "/alerts")
    assert.are.equal(2, (wait_count(server, 2)))
    helper.wait_ended(served.db)
    assert.are.equal(0, served:stop())
  end)

  it("posts again, under the same id, to a receiver that fails or is killed, and not for that",
    function()
      local server = stage:server(function(request)
        request.respond(500, "no")
      end)
      local served = serve(server.url .. "/alerts", { "--max-attempts", "1" })
      post_dead(served, 1, 1)
      served:wait_output("stderr", "(palenca.alert .*the receiver of alerts responded 500)")
      server.on_request = function(request)
        request.abort()
      end
      assert.are.equal(0, served:stop())
      local function again()
        helper.end_waits(served.db)
        served = serve(server.url .. "/alerts", { "--max-attempts", "1" })
      end
      again()
      served:wait_output("stderr", "(palenca.alert .*FAILED %(attempt 2%), next attempt)")
      assert.are.equal(0, served:stop())
      server.on_request = function(request)
        request.respond(204, "")
      end
      again()
      local events = helper.wait_ended(served.db)
      local count, alerts = collect(server.requests)
      assert.are.equal(1, count)
      assert.are.equal(next(alerts), events[2].id)
      assert.are.same({ 2, "dead", "palenca.alert", "done" }, { #events, events[1].state,
        events[2].action, events[2].state })
      assert.are.equal(0, served:stop())
    end)

  it("receives and handles as before while its receiver is slow, and is bounded", function()
    local waiting = {}
    local server = stage:server(function(request)
      waiting[#waiting + 1] = request
    end)
    local served = serve(server.url .. "/alerts")
    local started = uv.hrtime()
    post_dead(served, 1, 40)
    helper.post(served.url, { account_id = "other" })
    helper.wait_state(served.db, "other", "done")
    helper.wait_state(served.db, "dead40", "dead")
    local windows = (uv.hrtime() - started) / 1e9 / 0.2 + 2
    process.wait_for(function()
      return #waiting > 0
    end, "an alert")
    local alerts = 0
    for _, event in ipairs(helper.events(served.db)) do
      alerts = alerts + (event.action == "palenca.alert" and 1 or 0)
    end
    assert(alerts <= windows, ("%d alerts in %.1f windows"):format(alerts, windows))
    server.on_request = function(request)
      request.respond(200, "{}")
    end
    for _, request in ipairs(waiting) do
      request.respond(200, "{}")
    end
    assert.are.equal(40, (wait_count(server, 40)))
    helper.wait_ended(served.db)
    assert.are.equal(0, served:stop())
  end)

  it("abandons an alert in the end, and makes no dead letter of it", function()
    local server = stage:server(function(request)
      request.respond(500, "no")
    end)
    local served = serve(server.url .. "/alerts")
    post_dead(served, 1, 1)
    served:wait_output("stderr", "(palenca.alert .*next attempt)")
    assert.are.equal(0, served:stop())
    helper.change_database(served.db, "UPDATE events SET attempts = 31 WHERE state = 2")
    helper.end_waits(served.db)
    served = serve(server.url .. "/alerts")
    served:wait_output("stderr", "(palenca.alert .*FAILED %(attempt 32%), not called again)")
    local events = helper.wait_ended(served.db)
    assert.are.same({ 2, "dead", "done" }, { #events, events[1].state, events[2].state })
    assert.are.equal(0, served:stop())
  end)

  it("drops what waits when it is started without an address", function()
    local served = serve("http://127.0.0.1:" .. helper.free_port() .. "/alerts")
    post_dead(served, 1, 1)
    served:wait_output("stderr", "(palenca.alert .* FAILED %(attempt 1%), next attempt)")
    assert.are.equal(0, served:stop())
    helper.end_waits(served.db)
    served = stage:serve({ directory = directory, text = SCRIPT, arguments = { "--workers", "1" } })
    served:wait_output("stderr", "(palenca.alert .* no handler for it)")
    local events = helper.wait_ended(served.db)
    assert.are.same({ 2, "dead", "done" }, { #events, events[1].state, events[2].state })
    assert.are.equal(0, served:stop())
    assert.is_nil(served.stderr:find("worker failed", 1, true), served.stderr)
  end)

  -- Whoever rotates it would have alerts rejected as forged until the next start.
  it("signs with the secret in a file, which SIGHUP reads again", function()
    local secrets, server = {}, stage:server()
    local function use(text)
      secrets.file = process.write_file(directory .. "/palenca.alert-secret", text)
    end
    local function signed_by(secret)
      return function()
        local request = server.requests[#server.requests]
        return request and core.check_signature({}, secret, request.body,
          request.headers["x-palenca-signature"])
      end
    end
    use("the-first-secret\n")
    local served = stage:serve({ directory = directory, text = SCRIPT, arguments = { "--alert-url",
      server.url .. "/alerts", "--alert-window", "0.2", "--alert-secret-file", secrets.file } })
    post_dead(served, 1, 1)
    process.wait_for(signed_by("the-first-secret"), "an alert")
    use("the-next-secret\n")
    served:kill("sighup")
    served:wait_output("stderr", "(%.alert%-secret reloaded\n.*%.lua reloaded: handles )")
    post_dead(served, 2, 2)
    process.wait_for(signed_by("the-next-secret"), "an alert with the next secret")
    use("\n")
    served:kill("sighup")
    served:wait_output("stderr", "(reload of %S+ failed, keeping the previous secret: )")
    helper.wait_lines(served, "stderr", "%.lua reloaded: handles ", 2)
    local before = #server.requests
    post_dead(served, 3, 3)
    process.wait_for(function()
      return #server.requests > before
    end, "another alert")
    assert.is_true((signed_by("the-next-secret")()))
    assert.are.equal(0, served:stop())
    -- the same file as a credential
    use("the-last-secret\n")
    served = stage:serve({ directory = directory, text = SCRIPT, arguments = { "--alert-url",
      server.url .. "/alerts", "--alert-window", "0.2" },
      env = { CREDENTIALS_DIRECTORY = directory } })
    post_dead(served, 4, 4)
    process.wait_for(signed_by("the-last-secret"), "an alert with the credential")
    assert.are.equal(0, served:stop())
  end)

  it("starts only with a secret and a URL, and shows neither", function()
    local path = process.write_file(directory .. "/script.lua", SCRIPT)
    local secret = process.write_file(directory .. "/empty", "\n")
    for _, case in ipairs({
      { { "--alert-url", "http://127.0.0.1/" }, 2, "--alert-url needs --alert-secret-file" },
      { { "--alert-url", "ftp://x", "--alert-secret-file", secret }, 2, "is not a URL" },
      { { "--alert-url", "https://u:p4ss@127.0.0.1/x y" }, 2, "is not a URL" },
      { { "--alert-url", "u:p4ss@127.0.0.1/" }, 2, "is not a URL" },
      { { "--alert-url", "http://u:p4ss@[::1" }, 2, "is not a URL" },
      { { "--alert-url", "http://127.0.0.1:99999/?token=p4ss" }, 2, "is not a URL" },
      { { "--alert-secret-file", secret }, 2, "--alert-secret-file needs --alert-url" },
      { {}, 2, "$PALENCA_ALERT_SECRET needs --alert-url", { PALENCA_ALERT_SECRET = "p4ss" } },
      { { "--alert-url", "http://127.0.0.1/", "--alert-secret-file", secret }, 1, "no secret" },
    }) do
      local status, _, err = process.run(process.program(), { "serve", path, "--db", directory
        .. "/no.db", table.unpack(case[1]) }, { env = case[4] })
      assert.are.equal(case[2], status, err)
      assert.truthy(err:find(case[3], 1, true), err)
      assert.is_nil(err:find("p4ss", 1, true), err)
    end
    assert.is_nil((uv.fs_stat(directory .. "/no.db")))
  end)
end)
