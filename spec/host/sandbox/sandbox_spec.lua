--- Drives `palenca sandbox` over sockets: the tutorial's call, keys, the rate limit, logins.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local TUTORIAL = "/v1/accounts/cb39ee15-f29f-427d-9119-0c627575610d"

describe("palenca sandbox", function()
  local stage = helper.stage_for_each()

  -- A sandbox whose key is left to it.
  local function start(extra)
    local arguments = { "sandbox", "--listen", "127.0.0.1:0" }
    table.move(extra or {}, 1, #(extra or {}), #arguments + 1, arguments)
    local started = stage:palenca(arguments)
    local line = started:wait_output("stderr", "(sandbox of the API at [^\n]+)\n")
    return started, line:match("at (http://[%d.:]+)"), line
  end

  local function get(url, key)
    return http.request("GET", url, nil, { ["x-api-key"] = key })
  end

  it("responds to the tutorial's call", function()
    local started, url, key = stage:sandbox()
    local status, out = process.run("/usr/bin/env", { "curl", "-sS", "-X", "POST",
      url .. TUTORIAL .. "/earnings/search", "-H", "Content-Type: application/json",
      "-H", "x-api-key: " .. key, "-d", [[{
        "start_date": "2024-09-01",
        "end_date": "2026-03-01",
        "options": {"page": 1, "items_per_page": 3}
      }]] })
    assert.are.equal(0, status)
    local response = helper.json.decode(out)
    assert.is_true(response.success)
    assert.are.equal(helper.json.null, response.error)
    assert.are.same({ page = 1, items_per_page = 3, total_items = 195, total_pages = 65 },
      response.pagination)
    local seen = {}
    for i, row in ipairs(response.data.earnings) do
      assert.are.equal(helper.json.null, row.cash_amount)
      seen[i] = { row.amount, row.currency, row.earning_date, row.count_trips }
    end
    assert.are.same({ { 179, "mxn", "2025-03-14", 6 }, { 246, "mxn", "2025-03-13", 9 },
      { 53, "mxn", "2025-03-12", 6 } }, seen)
    for _, text in ipairs({ "179.0", "246.0", "53.0" }) do
      assert.truthy(out:find('"amount": ?' .. text:gsub("%.", "%%.") .. "[,}]"), out)
    end
    assert.are.equal(0, started:stop())
  end)

  it("asks for its key", function()
    local started, url, key = stage:sandbox()
    local missing = http.request("GET", url .. TUTORIAL .. "/profile")
    assert.are.equal(401, missing.status)
    assert.are.equal("missing_api_key", helper.json.decode(missing.body).error.code)
    local wrong = get(url .. TUTORIAL .. "/profile", key .. "x")
    assert.are.equal(401, wrong.status)
    assert.are.equal("invalid_api_key", helper.json.decode(wrong.body).error.code)
    local right = get(url .. TUTORIAL .. "/profile", key)
    assert.are.equal(200, right.status)
    for _, response in ipairs({ missing, wrong, right }) do
      assert.truthy(response.headers["x-request-id"]:find("^%x+%-%x+%-%x+%-%x+%-%x+$"))
      assert.are.equal("application/json", response.headers["content-type"])
    end
    -- a key that was given is known already, and has no place in a log
    assert.are.equal(0, started:stop())
    assert.is_nil((started.stdout .. started.stderr):find(key, 1, true))
  end)

  it("makes a key, prints it, and takes it", function()
    local _, url, line = start()
    local key = line:match("; API key (%S+)$")
    assert.truthy(key and #key >= 32, line)
    assert.are.equal(200, get(url .. TUTORIAL, key).status)
    local _, _, other = start()
    assert.are_not.equal(key, other:match("; API key (%S+)$"))
  end)

  it("logs its URL in JSON with --json", function()
    local started = stage:palenca({ "sandbox", "--listen", "127.0.0.1:0", "--json" })
    local ready = helper.json.decode(started:wait_output("stderr", "^([^\n]+)\n"))
    assert.are.equal("ready", ready.event)
    assert.are.equal(200, get(ready.url .. TUTORIAL, ready.api_key).status)
  end)

  it("keeps the rate limit", function()
    local _, url, key = stage:sandbox({ "--rate-limit", "3" })
    for left = 2, 0, -1 do
      local response = get(url .. TUTORIAL, key)
      assert.are.equal(200, response.status)
      assert.are.equal("3", response.headers["x-ratelimit-limit"])
      assert.are.equal(tostring(left), response.headers["x-ratelimit-remaining"])
      assert.truthy(tonumber(response.headers["x-ratelimit-reset"]) > os.time() - 1)
    end
    local response = get(url .. TUTORIAL, key)
    assert.are.equal(429, response.status)
    assert.are.equal("too_many_requests", helper.json.decode(response.body).error.code)
    assert.are.equal("0", response.headers["x-ratelimit-remaining"])
    assert.truthy(tonumber(response.headers["retry-after"]) <= 60)
  end)

  it("has no limit and says so with 0; 120 is the default", function()
    local _, url, key = stage:sandbox({ "--rate-limit", "0" })
    assert.is_nil(get(url .. TUTORIAL, key).headers["x-ratelimit-limit"])
    _, url, key = stage:sandbox()
    assert.are.equal("120", get(url .. TUTORIAL, key).headers["x-ratelimit-limit"])
  end)

  local function register(url, key, receiver)
    local body = helper.json.encode({ url = receiver, name = "spec", is_sandbox = true,
      widget_id = "00000000-0000-4000-8000-000000000001", events = { "*" } })
    local response = http.request("POST", url .. "/v1/webhooks", body, { ["x-api-key"] = key })
    assert.truthy(response.status == 200 or response.status == 201, response.body)
    return helper.json.decode(response.body).data
  end

  local function login(url, body)
    local response = http.request("POST", url .. "/sandbox/logins", helper.json.encode(body))
    assert.are.equal(201, response.status, response.body)
    return helper.json.decode(response.body).data
  end

  it("delivers login.created, then login.success", function()
    local server = stage:server(function() end)
    local started, url, key = stage:sandbox()
    register(url, key, server.url .. "/hook")
    local made = login(url, { platform = "uber", external_id = "mine" })
    local created = server:wait_request("/hook", 1)
    assert.are.equal("POST", created.method)
    assert.are.equal("application/json", created.headers["content-type"])
    assert.are.equal("127.0.0.1:" .. server.url:match("%d+$"), created.headers.host)
    local function check(request, action, details)
      local body = helper.json.decode(request.body)
      assert.are.equal(server.url .. "/hook", body.webhook_url)
      assert.truthy(body.data.webhook_id)
      body.data.webhook_id = nil
      assert.are.same({ user_id = made.user_id, account_id = made.account_id,
        external_id = "mine", platform = "uber", status_details = details,
        webhook_action = action }, body.data)
    end
    check(created, "login.created", "pending_for_data")
    -- the second one waits for the response to the first
    assert.are.equal(200, get(url .. TUTORIAL, key).status)
    assert.is_nil(server:find("/hook", 2))
    created.respond(200)
    local success = server:wait_request("/hook", 2)
    check(success, "login.success", helper.json.null)
    success.respond(201)
    started:wait_output("stderr", "(webhook login%.success +to %S+: response 201\n)")
    assert.are.equal(200, get(url .. "/v1/accounts/" .. made.account_id .. "/profile", key).status)
    assert.are.equal(0, started:stop())
  end)

  it("logs in JSON why a webhook was not received", function()
    local started = stage:palenca({ "sandbox", "--listen", "127.0.0.1:0", "--json" })
    local ready = helper.json.decode(started:wait_output("stderr", "^([^\n]+)\n"))
    register(ready.url, ready.api_key, "http://127.0.0.1:1/nobody")
    login(ready.url, { platform = "didi" })
    local line = started:wait_output("stderr", '(%{[^\n]*"event":"delivery"[^\n]*)\n')
    local logged = helper.json.decode(line)
    assert.are.same({ "login.created", "http://127.0.0.1:1/nobody", 1, "retry" },
      { logged.action, logged.url, logged.attempt, logged.outcome })
    assert.is_nil(logged.status)
    assert.truthy(logged.error:find("connect to 127.0.0.1", 1, true), line)
  end)

  it("writes None for no external id", function()
    local server = stage:server()
    local _, url, key = stage:sandbox()
    register(url, key, server.url .. "/hook")
    login(url, { identifier = "rappi+banned@palenca-tests.com" })
    local data = helper.json.decode(server:wait_request("/hook", 2).body).data
    assert.are.equal("None", data.external_id)
    assert.are.equal("login.error", data.webhook_action)
    assert.are.equal("banned", data.status_details)
  end)

  it("says that what is not taken comes again", function()
    local server = stage:server(function(request)
      request.respond(500)
    end)
    local started, url, key = stage:sandbox()
    register(url, key, server.url .. "/hook")
    register(url, key, "http://127.0.0.1:1/nobody")
    login(url, { platform = "didi" })
    started:wait_output("stderr",
      "(webhook login%.created +to %S+/hook: response 500, next attempt in 30 s)")
    started:wait_output("stderr",
      "(webhook login%.created +to %S+/nobody: [^\n]+, next attempt in 30 s)")
    assert.are.equal(0, started:stop())
  end)

  it("responds to an unknown path, a wrong method and HEAD", function()
    local _, url, key = stage:sandbox()
    assert.are.equal(404, get(url .. "/v1/nothing", key).status)
    assert.are.equal(405, http.request("PUT", url .. "/").status)
    local connection = stage:connect(url)
    connection:send("HEAD / HTTP/1.1\r\nHost: spec\r\nConnection: close\r\n\r\n")
    connection:wait_end()
    assert.truthy(connection.received:find("^HTTP/1%.1 200 "))
    assert.truthy(connection.received:find("\r\n\r\n$"))
    assert.are.equal(200, get(url .. "/", nil).status)
  end)

  it("rejects a body over 1 MiB, and takes one of that size", function()
    local _, url, key = stage:sandbox()
    local body = '{"platform": "uber"}'
    body = body .. (" "):rep(1024 * 1024 - #body)
    assert.are.equal(201, http.request("POST", url .. "/sandbox/logins", body).status)
    assert.are.equal(413, http.request("POST", url .. "/sandbox/logins", body .. " ").status)
    assert.are.equal(200, get(url .. TUTORIAL, key).status)
  end)

  it("draws the same people from the same seed", function()
    local made = {}
    for i, seed in ipairs({ "7", "7", "8" }) do
      local _, url = stage:sandbox({ "--seed", seed })
      made[i] = login(url, { platform = "uber" }).account_id
    end
    assert.are.equal(made[1], made[2])
    assert.are_not.equal(made[1], made[3])
  end)

  it("ends with 0 at Ctrl-C, with connections open", function()
    local server = stage:server(function() end)
    local started, url, key = stage:sandbox()
    register(url, key, server.url .. "/hook")
    login(url, { platform = "uber" })
    server:wait_request("/hook")
    local open = stage:connect(url):wait_connected()
    local half = stage:connect(url):send("POST /sandbox/logins HTTP/1.1\r\nHost: spec\r\n")
    assert.are.equal(200, get(url .. TUTORIAL, key).status)
    started:kill("sigint")
    assert.are.equal(0, started:wait_exit(), started.stderr)
    open:wait_end()
    half:wait_end()
  end)

  it("says that its port is in use", function()
    local _, url = stage:sandbox()
    local status, _, err = process.run(process.program(),
      { "sandbox", "--listen", url:match("//(.+)$") })
    assert.are.equal(1, status)
    assert.truthy(err:find("Address already in use", 1, true), err)
    assert.is_nil(err:find("traceback", 1, true), err)
  end)
end)
