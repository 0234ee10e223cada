--- The sandbox's webhook deliveries: order, retries, filters, signatures.
local helper = require("spec.sandbox.helper")
local json = require("palenca.util.json")
local signing = require("palenca.webhook")

-- Delivers what is due now, with a response; returns the list of "webhook action attempt".
local function drain(api, status, names)
  local seen = {}
  local delivery = api.sandbox:next_delivery()
  while delivery do
    local name = names and names[delivery.webhook_id] .. " " or ""
    seen[#seen + 1] = name .. delivery.action .. " " .. delivery.attempt
    api.sandbox:delivered(delivery, { status = status })
    delivery = api.sandbox:next_delivery()
  end
  return seen
end

describe("sandbox deliveries", function()
  local api
  before_each(function() api = helper.new() end)

  it("are none without a webhook or a login", function()
    assert.same({ n = 2 }, table.pack(api.sandbox:next_delivery()))
    api:login { platform = "uber" }
    api.now = api.now + 30
    assert.same({ n = 2 }, table.pack(api.sandbox:next_delivery()))
    api:webhook()
    assert.same({ n = 2 }, table.pack(api.sandbox:next_delivery()))
    assert.equal(0, api.sandbox:pending_deliveries())
  end)

  it("go to those who subscribe before the login has ended", function()
    api:login { platform = "uber" }
    api:webhook()
    api.now = api.now + 30
    assert.equal("login.created", api.sandbox:next_delivery().action)
  end)

  it("carry what the API sends, to the byte", function()
    local webhook = api:webhook()
    local login = api:login { platform = "uber", external_id = 'a "b"/ñ' }
    api.now = api.now + 30
    local function body(action, details)
      return ('{"webhook_url":"https://example.com/hook","data":{"user_id":"%s",'
        .. '"account_id":"%s","external_id":"a \\"b\\"/ñ","platform":"uber",'
        .. '"status_details":%s,"webhook_action":"%s","webhook_id":"%s"}}'):format(
        login.user_id, login.account_id, details, action, webhook.webhook_id)
    end
    local first = api.sandbox:next_delivery()
    assert.equal("https://example.com/hook", first.url)
    assert.same({ ["Content-Type"] = "application/json" }, first.headers)
    assert.equal(webhook.webhook_id, first.webhook_id)
    assert.equal("login.created", first.action)
    assert.equal(1, first.attempt)
    assert.equal(body("login.created", '"pending_for_data"'), first.body)
    api.sandbox:delivered(first, { status = 200 })
    assert.equal(body("login.success", "null"), api.sandbox:next_delivery().body)
  end)

  it("say None for no external id", function()
    api:webhook()
    api:login { platform = "uber" }
    api.now = api.now + 30
    assert.equal("None", json.decode(api.sandbox:next_delivery().body).data.external_id)
  end)

  it("name the error of a failed login", function()
    for case, expected in pairs {
      banned = { "login.error", "banned" }, incomplete = { "login.incomplete" },
    } do
      local one = helper.new { webhook_delay = 0 }
      one:webhook()
      one:login { identifier = "uber+" .. case .. "@palenca-tests.com" }
      local created = one.sandbox:next_delivery()
      assert.equal("pending_for_data", json.decode(created.body).data.status_details)
      one.sandbox:delivered(created, { status = 200 })
      local final = one.sandbox:next_delivery()
      assert.equal(expected[1], final.action)
      assert.equal(expected[1], json.decode(final.body).data.webhook_action)
      assert.equal(expected[2], json.decode(final.body).data.status_details)
    end
  end)

  it("wait for the delay", function()
    api:webhook()
    api:login { platform = "uber" }
    assert.equal(0, api.sandbox:pending_deliveries())
    assert.same({ n = 2, nil, 30.0 }, table.pack(api.sandbox:next_delivery()))
    api.now = api.now + 29.5
    assert.same({ n = 2, nil, 0.5 }, table.pack(api.sandbox:next_delivery()))
    api.now = api.now + 0.5
    assert.equal("login.created", api.sandbox:next_delivery().action)
    assert.equal(2, api.sandbox:pending_deliveries())
  end)

  it("of one login and webhook wait for each other", function()
    api:webhook()
    api:login { platform = "uber" }
    api.now = api.now + 30
    local first = api.sandbox:next_delivery()
    assert.same({ n = 2 }, table.pack(api.sandbox:next_delivery()))
    assert.equal(2, api.sandbox:pending_deliveries())
    assert.equal("done", api.sandbox:delivered(first, { status = 201 }))
    assert.equal(1, api.sandbox:pending_deliveries())
    local second = api.sandbox:next_delivery()
    assert.equal("login.success", second.action)
    assert.equal("done", api.sandbox:delivered(second, { status = 200 }))
    assert.equal(0, api.sandbox:pending_deliveries())
    assert.same({ n = 2 }, table.pack(api.sandbox:next_delivery()))
  end)

  it("of different logins and webhooks do not wait for each other", function()
    local names = { [api:webhook().webhook_id] = "a", [api:webhook().webhook_id] = "b" }
    local one, other = api:login { platform = "uber" }, api:login { platform = "didi" }
    local logins = { [one.account_id] = "1", [other.account_id] = "2" }
    api.now = api.now + 30
    local seen = {}
    for index = 1, 4 do
      local delivery = api.sandbox:next_delivery()
      seen[index] = names[delivery.webhook_id]
        .. logins[json.decode(delivery.body).data.account_id] .. " " .. delivery.action
    end
    assert.same({ "a1 login.created", "b1 login.created", "a2 login.created",
      "b2 login.created" }, seen)
    assert.is_nil(api.sandbox:next_delivery())
    assert.equal(8, api.sandbox:pending_deliveries())
  end)

  it("come in the order they fall due, over many logins", function()
    api:webhook { events = { "login.success" } }
    local expected = {}
    for index = 1, 50 do
      -- 17 is prime to 50: every second of the 50 is hit once, in a scattered order.
      api.now = helper.NOON + index * 17 % 50
      expected[index * 17 % 50 + 1] = api:login({ platform = "uber" }).account_id
    end
    api.now = helper.NOON + 1000
    for index = 1, 50 do
      local delivery = api.sandbox:next_delivery()
      assert.equal(expected[index], json.decode(delivery.body).data.account_id)
    end
    assert.is_nil(api.sandbox:next_delivery())
  end)
end)

describe("sandbox delivery retries", function()
  local api
  before_each(function()
    api = helper.new { webhook_delay = 0 }
    api:webhook()
    api:login { platform = "uber" }
  end)

  it("come three times, 30 s apart, and then the next delivery's turn", function()
    for attempt = 1, 4 do
      local delivery = api.sandbox:next_delivery()
      assert.equal("login.created", delivery.action)
      assert.equal(attempt, delivery.attempt)
      api.now = api.now + 2
      local verdict = api.sandbox:delivered(delivery, { status = 500 })
      assert.equal(attempt < 4 and "retry" or "gave_up", verdict)
      if attempt < 4 then
        assert.equal(2, api.sandbox:pending_deliveries())
        assert.same({ n = 2, nil, 30.0 }, table.pack(api.sandbox:next_delivery()))
        api.now = api.now + 30
      end
    end
    assert.equal(1, api.sandbox:pending_deliveries())
    local final = api.sandbox:next_delivery()
    assert.equal("login.success", final.action)
    assert.equal(1, final.attempt)
  end)

  it("follow anything but 200 and 201", function()
    for _, status in ipairs { false, 100, 199, 202, 204, 302, 400, 404, 503 } do
      local one = helper.new { webhook_delay = 0 }
      one:webhook()
      one:login { platform = "uber" }
      local delivery = one.sandbox:next_delivery()
      assert.equal("retry", one.sandbox:delivered(delivery, { status = status or nil }))
    end
  end)

  it("send the same body", function()
    local first = api.sandbox:next_delivery()
    api.sandbox:delivered(first, { error = "timed out" })
    api.now = api.now + 30
    local second = api.sandbox:next_delivery()
    assert.equal(first.body, second.body)
    assert.equal("done", api.sandbox:delivered(second, { status = 200 }))
    assert.equal("login.success", api.sandbox:next_delivery().action)
  end)

  it("raise when completed twice", function()
    local delivery = api.sandbox:next_delivery()
    api.sandbox:delivered(delivery, { status = 200 })
    assert.has_error(function() api.sandbox:delivered(delivery, { status = 200 }) end)
    assert.has_error(function() api.sandbox:delivered({}, { status = 200 }) end)
    assert.equal(1, api.sandbox:pending_deliveries())
  end)
end)

describe("sandbox delivery filters", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  it("follow the events of each webhook", function()
    local names = {}
    for name, events in pairs {
      all = { "*" }, final = { "login.success", "login.error" }, start = { "login.created" },
      other = { "user.created" }, both = { "login.created", "login.success" },
    } do
      names[api:webhook({ events = events }).webhook_id] = name
    end
    api:login { platform = "uber" }
    assert.equal(6, api.sandbox:pending_deliveries())
    local seen = drain(api, 200, names)
    table.sort(seen)
    assert.same({ "all login.created 1", "all login.success 1", "both login.created 1",
      "both login.success 1", "final login.success 1", "start login.created 1" }, seen)
  end)

  it("leave out a webhook that is not active", function()
    local webhook = api:webhook()
    local target = "/v1/webhooks/" .. webhook.webhook_id
    api:call("PUT", target, { is_active = false })
    api:login { platform = "uber" }
    assert.equal(0, api.sandbox:pending_deliveries())
    api:call("PUT", target, { is_active = true })
    api:login { platform = "uber" }
    assert.equal(2, api.sandbox:pending_deliveries())
  end)

  for name, change in pairs {
    deleted = { "DELETE" }, ["switched off"] = { "PUT", { is_active = false } },
  } do
    it("forget what is queued for a webhook that is " .. name, function()
      local kept, gone = api:webhook(), api:webhook()
      local names = { [kept.webhook_id] = "kept", [gone.webhook_id] = "gone" }
      for _ = 1, 5 do
        api:login { platform = "uber" }
      end
      assert.equal(20, api.sandbox:pending_deliveries())
      api:call(change[1], "/v1/webhooks/" .. gone.webhook_id, change[2])
      assert.equal(10, api.sandbox:pending_deliveries())
      local seen = drain(api, 200, names)
      assert.equal(10, #seen)
      for _, line in ipairs(seen) do
        assert.equal("kept", line:match("^%a+"))
      end
      assert.equal(0, api.sandbox:pending_deliveries())
    end)

    it("do not repeat one in flight to a webhook that is " .. name, function()
      local webhook = api:webhook()
      api:login { platform = "uber" }
      local delivery = api.sandbox:next_delivery()
      api:call(change[1], "/v1/webhooks/" .. webhook.webhook_id, change[2])
      assert.equal(1, api.sandbox:pending_deliveries())
      assert.equal("gave_up", api.sandbox:delivered(delivery, { status = 500 }))
      assert.equal(0, api.sandbox:pending_deliveries())
      assert.same({ n = 2 }, table.pack(api.sandbox:next_delivery()))
    end)
  end

  it("send a retry to a URL that was corrected meanwhile", function()
    local webhook = api:webhook()
    api:login { platform = "uber" }
    api.sandbox:delivered(api.sandbox:next_delivery(), { status = 404 })
    api:call("PUT", "/v1/webhooks/" .. webhook.webhook_id, { url = "https://example.com/new" })
    api.now = api.now + 30
    local delivery = api.sandbox:next_delivery()
    assert.equal("https://example.com/new", delivery.url)
    assert.equal("https://example.com/new", json.decode(delivery.body).webhook_url)
  end)
end)

describe("sandbox signatures", function()
  it("are the HMAC of the body in hex, with the webhook's key", function()
    local api = helper.new { webhook_delay = 0 }
    local hook = api:webhook { sign_request = true }
    api:login { platform = "uber" }
    local delivery = api.sandbox:next_delivery()
    local options = { secret = hook.private_key, header = "x-palenca-signature" }
    assert.truthy(signing.parse(delivery.body, delivery.headers, options))
    assert.is_nil((signing.parse(delivery.body .. " ", delivery.headers, options)))
    assert.equal("application/json", delivery.headers["Content-Type"])
  end)

  it("are left out when not asked for", function()
    local api = helper.new { webhook_delay = 0 }
    api:webhook()
    api:login { platform = "uber" }
    assert.is_nil(api.sandbox:next_delivery().headers["X-Palenca-Signature"])
  end)
end)
