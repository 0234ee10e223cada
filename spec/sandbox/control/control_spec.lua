--- Steering the sandbox: its clock, its settings, events on demand, and who may do that.
local helper = require("spec.sandbox.helper")

local EARNINGS = "/v1/accounts/" .. helper.TUTORIAL .. "/earnings/search"

describe("the sandbox's clock", function()
  it("brings on what waits", function()
    local api = helper.new()
    api:webhook()
    api:login { platform = "uber" }
    local status, response = api:call("POST", "/sandbox/clock", { advance = 29 }, helper.JSON)
    assert.equal(200, status)
    assert.same({ now = "2025-06-20T12:00:29Z", clock_offset = 29 }, response.data)
    assert.is_nil(api.sandbox:next_delivery())
    api:call("POST", "/sandbox/clock", { advance = 1 }, helper.JSON)
    local delivery = api.sandbox:next_delivery()
    assert.equal("login.created", delivery.action)
    api.sandbox:delivered(delivery, { status = 500 })
    assert.is_nil(api.sandbox:next_delivery())
    api:call("POST", "/sandbox/clock", { advance = 30 }, helper.JSON)
    assert.equal(2, api.sandbox:next_delivery().attempt)
  end)

  it("ends a rate limit's window, whose end is in the client's time", function()
    local api = helper.new { rate_limit = 1 }
    assert.equal(200, (api:call("POST", EARNINGS, { start_date = "2025-01-01",
      end_date = "2025-01-02" })))
    local target = "/v1/users/" .. helper.TUTORIAL_USER
    assert.equal(429, (api:call("GET", target)))
    api:call("POST", "/sandbox/clock", { advance = 3600 }, helper.JSON)
    local status, _, headers = api:call("GET", target)
    assert.equal(200, status)
    assert.equal(("%d"):format(helper.NOON + 60), headers["X-RateLimit-Reset"])
  end)

  it("ends a login whose code nobody typed", function()
    local api = helper.new()
    local login = api:login { identifier = "uber+invalid_otp@palenca-tests.com" }
    api:call("POST", "/sandbox/clock", { advance = 600 }, helper.JSON)
    api.sandbox:next_delivery()
    local _, response = api:call("GET", "/v1/logins/" .. login.login_id)
    assert.equal("incomplete", response.data.status)
    assert.equal("validation_time_expired", response.data.status_details)
  end)

  for _, body in ipairs { '{"advance":-1}', '{"advance":"1"}', "{}", '{"advance":1,"by":2}', "" } do
    it("rejects " .. body, function()
      local api = helper.new()
      assert.equal(422, (api:call("POST", "/sandbox/clock", body, helper.JSON)))
      assert.equal(0, api.sandbox.clock_offset)
    end)
  end
end)

describe("a number beyond 2^53", function()
  local LARGE = "9007199254740993"

  it("is no text, and one in quotes is no number", function()
    local api = helper.new()
    for target, body in pairs {
      ["/v1/users"] = '{"external_id":%s}',
      ["/sandbox/logins"] = '{"platform":"uber","external_id":%s}',
    } do
      for _, large in ipairs { LARGE, "-" .. LARGE, "12345678901234567890123", "1e400" } do
        local status, response = api:call("POST", target, body:format(large))
        assert.equal(422, status, large)
        assert.same({ "body", "external_id" }, response.detail[1].loc)
      end
      assert.is_true((api:call("POST", target, body:format('"' .. LARGE .. '"'))) < 300)
    end
    local status, response = api:call("POST", "/sandbox/clock", '{"advance":1e400}', helper.JSON)
    assert.equal(422, status)
    assert.truthy(response.detail[1].msg:find("must be from 0 to", 1, true))
    assert.equal(422, (api:call("POST", EARNINGS, ('{"start_date":"2025-01-01",'
      .. '"end_date":"2025-01-02","options":{"page":"%s"}}'):format(LARGE))))
  end)

  it("keeps its digits", function()
    local _, response = helper.new():call("POST", EARNINGS, ('{"start_date":"2025-01-01",'
      .. '"end_date":"2025-01-02","options":{"page":%s}}'):format(LARGE))
    assert.equal(math.tointeger(LARGE), math.tointeger(response.pagination.page))
  end)
end)

describe("the sandbox's settings", function()
  it("are read and changed, and count at once", function()
    local api = helper.new()
    local _, response = api:call("GET", "/sandbox/settings", nil, {})
    assert.same({ webhook_delay = 30, retry_delay = 30, rate_limit = 0 }, response.data)
    local _, changed = api:call("PUT", "/sandbox/settings",
      { webhook_delay = 0, retry_delay = 5, rate_limit = 2 }, helper.JSON)
    assert.same({ webhook_delay = 0, retry_delay = 5, rate_limit = 2 }, changed.data)
    api:webhook()
    api:login { platform = "uber" }
    api.sandbox:delivered(api.sandbox:next_delivery(), { status = 500 })
    assert.same({ n = 2, nil, 5.0 }, table.pack(api.sandbox:next_delivery()))
    local _, _, headers = api:call("GET", "/v1/users/" .. helper.TUTORIAL_USER)
    assert.equal("2", headers["X-RateLimit-Limit"])
  end)

  for _, body in ipairs {
    '{"webhook_delay":-1}', '{"rate_limit":1.5}', '{"rate_limit":-1}', '{"delay":1}',
    '{"webhook_delay":"30"}',
  } do
    it("reject " .. body, function()
      local api = helper.new()
      assert.equal(422, (api:call("PUT", "/sandbox/settings", body, helper.JSON)))
      assert.same({ webhook_delay = 30, retry_delay = 30, rate_limit = 0 }, api.sandbox.settings)
    end)
  end
end)

describe("events on demand", function()
  local api
  before_each(function()
    api = helper.new { webhook_delay = 0 }
    api:webhook()
  end)

  local function trigger(body)
    local status, response = api:call("POST", "/sandbox/events", body, helper.JSON)
    return status, response
  end

  -- What is delivered, as lists of actions by account.
  local function delivered()
    local seen = {}
    local delivery = api.sandbox:next_delivery()
    while delivery do
      local account_id = delivery.body:match('"account_id":"([^"]+)"')
      seen[account_id] = seen[account_id] or {}
      table.insert(seen[account_id], delivery.action)
      api.sandbox:delivered(delivery, { status = 200 })
      delivery = api.sandbox:next_delivery()
    end
    return seen
  end

  it("are for an account that exists, with its earnings", function()
    local status, response = trigger { action = "login.success", platform = "rappi" }
    assert.equal(201, status)
    assert.equal(1, #response.data.deliveries)
    local id = response.data.accounts[1]
    assert.same({ [id] = { "login.success" } }, delivered())
    local _, account = api:call("GET", "/v1/accounts/" .. id)
    assert.equal("rappi", account.data.platform)
    assert.equal("success", account.data.status)
    local _, earnings = api:call("POST", "/v1/accounts/" .. id .. "/earnings/search",
      { start_date = "2025-01-01", end_date = "2025-12-31" })
    assert.is_true(earnings.pagination.total_items > 10)
  end)

  it("come as chains, many times, for accounts that take turns", function()
    local _, response = trigger {
      action = "login.error", chain = true, times = 7, accounts = 3, status_details = "banned",
    }
    assert.equal(3, #response.data.accounts)
    assert.equal(14, #response.data.deliveries)
    local counts = {}
    for _, actions in pairs(delivered()) do
      counts[#counts + 1] = #actions
    end
    table.sort(counts)
    assert.same({ 4, 4, 6 }, counts)
    local _, account = api:call("GET", "/v1/accounts/" .. response.data.accounts[1])
    assert.equal("error", account.data.status)
    assert.equal("banned", account.data.status_details)
  end)

  it("are for the account that is named", function()
    local _, response = trigger { action = "earnings.updated", account_id = helper.TUTORIAL }
    assert.same({ helper.TUTORIAL }, response.data.accounts)
    assert.same({ [helper.TUTORIAL] = { "earnings.updated" } }, delivered())
  end)

  it("are rejected if the event is not documented, with what may be meant", function()
    for action, meant in pairs {
      ["login.sucess"] = "login.success", ["income.verified"] = false,
    } do
      local status, response = trigger { action = action }
      assert.equal(422, status)
      local detail = response.error.errors[1]
      assert.equal("action", detail.location)
      assert.truthy(detail.message:find("login.created, login.error,", 1, true), detail.message)
      assert.equal(meant, detail.message:match("did you mean '(.-)'") or false)
    end
    assert.equal(0, api.sandbox:pending_deliveries())
  end)

  it("take an event that is not documented if that is said", function()
    assert.equal(201, (trigger { action = "income.verified", undocumented = true }))
    local _, seen = next(delivered())
    assert.same({ "income.verified" }, seen)
  end)

  it("are distinct, however often they repeat for an account", function()
    local function bodies()
      local seen, count = {}, 0
      local delivery = api.sandbox:next_delivery()
      while delivery do
        count = count + (seen[delivery.body] and 0 or 1)
        seen[delivery.body] = true
        api.sandbox:delivered(delivery, { status = 200 })
        delivery = api.sandbox:next_delivery()
      end
      return count
    end
    trigger { action = "login.success", chain = true, times = 100, accounts = 10 }
    assert.equal(200, bodies())
    for _ = 1, 2 do -- also those of two requests
      trigger { action = "login.success", account_id = helper.TUTORIAL, times = 3 }
    end
    assert.equal(6, bodies())
    local id = helper.UNKNOWN
    trigger { action = "login.success", account_id = helper.TUTORIAL, webhook_id = id, times = 3 }
    assert.equal(1, bodies())
  end)

  it("name the webhook the first time, and the account's user each time", function()
    local webhook = api.sandbox.store.webhook.list[1]
    local _, response = trigger { action = "login.success", times = 2 }
    local account = api.sandbox.store.account:get(response.data.accounts[1])
    local first = api.sandbox:next_delivery()
    assert.truthy(first.body:find('"webhook_id":"' .. webhook.webhook_id, 1, true))
    local second = api.sandbox:next_delivery()
    assert.is_nil(second.body:find(webhook.webhook_id, 1, true))
    for _, delivery in ipairs { first, second } do
      assert.truthy(delivery.body:find('"user_id":"' .. account.user_id, 1, true))
      assert.truthy(delivery.body:find('"external_id":"None"', 1, true))
    end
  end)

  it("override the requested fields", function()
    trigger {
      action = "login.incomplete", external_id = "mine", status_details = "invalid_otp",
    }
    local body = api.sandbox:next_delivery().body
    assert.truthy(body:find('"external_id":"mine"', 1, true))
    assert.truthy(body:find('"status_details":"invalid_otp"', 1, true))
  end)

  for body, status in pairs {
    ['{"action":"login"}'] = 422,
    ['{}'] = 422,
    ['{"action":"login.success","color":"red"}'] = 422,
    ['{"action":"login.success","platform":"tram"}'] = 422,
    ['{"action":"login.success","times":0}'] = 422,
    ['{"action":"login.success","accounts":"3"}'] = 422,
    ['{"action":"login.success","account_id":"x"}'] = 422,
    ['{"action":"login.success","account_id":"' .. helper.TUTORIAL .. '","accounts":2}'] = 422,
    ['{"action":"login.success","account_id":"' .. helper.UNKNOWN .. '"}'] = 404,
    ['{"action":"login.success","user_id":"' .. helper.UNKNOWN .. '"}'] = 404,
  } do
    it("reject " .. body, function()
      assert.equal(status, (trigger(body)))
      assert.equal(0, api.sandbox:pending_deliveries())
    end)
  end
end)

describe("a name that the sandbox's own endpoints do not know", function()
  local api, webhook, login
  before_each(function()
    api = helper.new()
    webhook = api:webhook()
    login = api:login { identifier = "uber+invalid_otp@palenca-tests.com" }
    api:call("POST", "/sandbox/faults", { kind = "drop", path = "/v1/none" }, helper.JSON)
  end)

  -- What each takes, so that only the stranger is wrong.
  local bodies = {
    ["POST /sandbox/logins"] = { platform = "uber" },
    ["POST /sandbox/logins/LOGIN/code"] = { code = "123456" },
    ["POST /sandbox/webhooks"] = {
      url = "http://127.0.0.1/", name = "n", widget_id = helper.WIDGET, is_sandbox = true,
    },
    ["PUT /sandbox/webhooks/WEBHOOK"] = { name = "other" },
    ["DELETE /sandbox/webhooks/WEBHOOK"] = {},
    ["POST /sandbox/faults"] = { kind = "drop" },
    ["DELETE /sandbox/faults"] = {},
    ["DELETE /sandbox/faults/1"] = {},
    ["PUT /sandbox/settings"] = { rate_limit = 7 },
    ["POST /sandbox/clock"] = { advance = 10 },
    ["POST /sandbox/events"] = { action = "login.success" },
    ["POST /widget/logins"] = { platform = "uber", identifier = "x", consent = true },
    ["POST /widget/logins/LOGIN/code"] = { code = "123456" },
  }

  local function ask(name, body, query)
    local method, path = name:match("^(%u+) (.*)$")
    path = path:gsub("LOGIN", login.login_id):gsub("WEBHOOK", webhook.webhook_id)
    return api:call(method, path .. (query or ""), body, helper.JSON)
  end

  for name, fields in pairs(bodies) do
    it("is named, and nothing done: " .. name, function()
      local body = { plaform = "didi", zone = 1 }
      for field, value in pairs(fields) do
        body[field] = value
      end
      local before = select(4, api:call("GET", "/sandbox/overview", nil, helper.JSON))
      local status, response = ask(name, body)
      assert.equal(422, status)
      response.detail[1].msg = response.detail[1].msg:gsub("; did you mean 'platform'%?$", "")
      assert.same({
        { loc = { "body", "plaform" }, msg = "is not known here", type = "value_error.extra" },
        { loc = { "body", "zone" }, msg = "is not known here", type = "value_error.extra" },
      }, response.detail)
      assert.equal(before, (select(4, api:call("GET", "/sandbox/overview", nil, helper.JSON))))
      assert.is_true((ask(name, next(fields) and fields or nil)) < 300)
    end)
  end

  it("is named beside what else is wrong", function()
    local _, response = ask("POST /sandbox/logins", { platform = "tram", plaform = "uber" })
    assert.equal("value_error.extra", helper.blames(response, "body.plaform"))
    assert.equal("type_error.enum", helper.blames(response, "body.platform"))
    _, response = ask("POST /sandbox/faults", { knd = "drop" })
    assert.equal("value_error.extra", helper.blames(response, "body.knd"))
    assert.equal("value_error.missing", helper.blames(response, "body.kind"))
  end)

  it("is named in a query, too", function()
    for _, path in ipairs { "logins", "deliveries", "requests", "changes", "overview", "settings",
      "faults", "webhooks", "logins/LOGIN" } do
      local status, response = ask("GET /sandbox/" .. path, nil, "?platfrom=uber")
      assert.equal(422, status, path)
      assert.equal("value_error.extra", helper.blames(response, "query.platfrom"))
    end
    for _, query in ipairs { "logins?status=error&platform=uber&page=1&items_per_page=5",
      "deliveries?webhook_id=x&login_id=y&page=1", "requests?page=2", "changes?since=0" } do
      assert.equal(200, (ask("GET /sandbox/" .. query)))
    end
  end)

  it("is ignored by what the API has, as by the API", function()
    local body = { color = "red" }
    for field, value in pairs(bodies["POST /sandbox/webhooks"]) do
      body[field] = value
    end
    assert.equal(201, (api:call("POST", "/v1/webhooks", body)))
    assert.equal(200, (api:call("PUT", "/v1/webhooks/" .. webhook.webhook_id, body)))
    assert.equal(201, (api:call("POST", "/v1/users", { color = "red" })))
    assert.equal(200, (api:call("GET", "/v1/webhooks?color=red")))
  end)
end)

describe("what needs no key", function()
  local api
  before_each(function() api = helper.new() end)

  local function get(headers)
    return (api:call("GET", "/sandbox/overview", nil, headers))
  end

  it("is open to this machine", function()
    for _, host in ipairs { "127.0.0.1:8400", "localhost:8400", "[::1]:8400", "192.168.1.4",
      "sandbox:8400", "app.localhost" } do
      assert.equal(200, get { host = host })
      assert.equal(200, get { host = host, origin = "http://" .. host })
    end
  end)

  it("is closed to other pages in the browser", function()
    assert.equal(403, get { host = "127.0.0.1:8400", origin = "https://evil.example" })
    assert.equal(403, get { host = "127.0.0.1:8400", origin = "http://127.0.0.1:3000" })
    assert.equal(403, get { host = "127.0.0.1:8400", origin = "null" })
    for _, host in ipairs { "rebound.example:8400", "127.0.0.1.example", "[::1].example:8400",
      "localhost.example" } do
      assert.equal(403, get { host = host })
    end
  end)

  it("takes no form", function()
    for _, kind in ipairs { "text/plain", "application/x-www-form-urlencoded",
      "application/jsonp", "" } do
      local status = api:call("POST", "/sandbox/logins", '{"platform":"uber"}',
        { ["content-type"] = kind })
      assert.equal(415, status)
    end
    assert.equal(1, #api.sandbox.store.login.list)
    for _, kind in ipairs { "application/json; charset=utf-8", "Application/JSON" } do
      local status = api:call("POST", "/sandbox/logins", '{"platform":"uber"}',
        { ["content-type"] = kind })
      assert.equal(201, status)
    end
  end)
end)
