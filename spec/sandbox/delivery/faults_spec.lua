--- The sandbox's faults: what each kind does, whom it strikes, how often, and what is rejected.
local helper = require("spec.sandbox.helper")

local EARNINGS = "/v1/accounts/" .. helper.TUTORIAL .. "/earnings/search"
local PERIOD = { start_date = "2024-09-01", end_date = "2026-03-01" }

local function page(number, size)
  return {
    start_date = PERIOD.start_date, end_date = PERIOD.end_date,
    options = { page = number, items_per_page = size or 3 },
  }
end

describe("sandbox faults", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  local function add(fault)
    local status, response = api:call("POST", "/sandbox/faults", fault, helper.JSON)
    assert.equal(201, status)
    return response.data
  end

  -- One request, with what is to be done with its response.
  local function effects_of(method, target, body)
    local response
    local handle = api.sandbox.handle
    api.sandbox.handle = function(...)
      local status, headers, text, effects = handle(...)
      response = effects
      return status, headers, text, effects
    end
    local status, data = api:call(method, target, body)
    api.sandbox.handle = nil
    return response or {}, status, data
  end

  it("are none at first", function()
    local _, response = api:call("GET", "/sandbox/faults", nil, {})
    assert.same({ faults = {} }, response.data)
    assert.same({}, (effects_of("POST", EARNINGS, PERIOD)))
  end)

  it("of kind latency delay the response", function()
    add { kind = "latency", seconds = 2.5 }
    local effects, status = effects_of("POST", EARNINGS, PERIOD)
    assert.equal(2.5, effects.delay)
    assert.equal(200, status)
  end)

  it("of kind error respond instead, `times` times, and undo nothing", function()
    add { kind = "error", status = 500, code = "lambda_error", times = 2 }
    for _ = 1, 2 do
      local _, status, response = effects_of("POST", "/v1/users", { external_id = "e" })
      assert.equal(500, status)
      assert.equal("lambda_error", response.error.code)
    end
    assert.is_nil(api.sandbox.store:user_by_external_id("e"))
    assert.equal(201, (select(2, effects_of("POST", "/v1/users", { external_id = "e" }))))
  end)

  it("of kind error name the time to wait, if they have one", function()
    add { kind = "error", status = 429, retry_after = 7, times = 1 }
    local _, _, headers = api:call("GET", "/v1/webhooks")
    assert.equal("7", headers["Retry-After"])
    _, _, headers = api:call("GET", "/v1/webhooks")
    assert.is_nil(headers["Retry-After"])
  end)

  it("of kinds drop and cut lose the response after the work was done", function()
    for kind, name in pairs { drop = "one", cut = "other" } do
      add { kind = kind, times = 1 }
      local effects = effects_of("POST", "/v1/users", { external_id = name })
      assert.is_true(effects[kind])
      assert.truthy(api.sandbox.store:user_by_external_id(name))
      assert.is_nil(effects_of("POST", "/v1/users", {})[kind])
    end
  end)

  it("strike what they are said to strike", function()
    add { kind = "error", method = "POST", path = "/v1/users" }
    assert.equal(503, (select(2, effects_of("POST", "/v1/users", {}))))
    assert.equal(200, (select(2, effects_of("GET", "/v1/users/" .. helper.TUTORIAL_USER))))
    assert.equal(200, (select(2, effects_of("POST", EARNINGS, PERIOD))))
  end)

  it("never strike what needs no key, so that they can be removed again", function()
    local fault = add { kind = "error" }
    add { kind = "drop" }
    assert.equal(200, (api:call("GET", "/sandbox/overview", nil, {})))
    assert.equal(200, (api:call("DELETE", "/sandbox/faults/" .. fault.fault_id, nil, {})))
    assert.equal(404, (api:call("DELETE", "/sandbox/faults/" .. fault.fault_id, nil, {})))
    local _, response = api:call("DELETE", "/sandbox/faults", nil, {})
    assert.same({ faults = {} }, response.data)
  end)

  it("strike with their probability, repeatably", function()
    local function hits()
      api = helper.new()
      add { kind = "error", probability = 0.25 }
      local seen = {}
      for at = 1, 400 do
        seen[at] = select(2, effects_of("GET", "/v1/users/" .. helper.TUTORIAL_USER))
      end
      return seen, api.sandbox.faults.list[1].hits
    end
    local seen, count = hits()
    assert.is_true(count > 60 and count < 140)
    local again = hits()
    assert.same(seen, again)
  end)

  local rejected = {
    ['{"kind":"fire"}'] = "body.kind",
    ['{}'] = "body.kind",
    ['{"kind":"error","status":200}'] = "body.status",
    ['{"kind":"error","probability":1.5}'] = "body.probability",
    ['{"kind":"error","times":0}'] = "body.times",
    ['{"kind":"error","seconds":2}'] = "body.seconds",
    ['{"kind":"latency","seconds":-1}'] = "body.seconds",
    ['{"kind":"drop","action":"login.success"}'] = "body.action",
    ['{"kind":"webhook_lose","path":"/v1"}'] = "body.path",
    ['{"kind":"webhook_lose","action":"login"}'] = "body.action",
    ['{"kind":"drop","color":"red"}'] = "body.color",
    ['{"kind":"drop","method":"get"}'] = "body.method",
    ['[]'] = "body",
    ['nonsense'] = "body",
  }
  for body, place in pairs(rejected) do
    it("are rejected as " .. body, function()
      local status, response = api:call("POST", "/sandbox/faults", body, helper.JSON)
      assert.equal(422, status)
      assert.truthy(helper.blames(response, place))
      assert.equal(0, #api.sandbox.faults.list)
    end)
  end
end)

describe("sandbox faults of webhooks", function()
  local api
  before_each(function()
    api = helper.new { webhook_delay = 0 }
    api:webhook()
  end)

  -- Adds the fault, makes a login, and returns the actions that are delivered at once.
  local function actions(fault)
    local status = api:call("POST", "/sandbox/faults", fault, helper.JSON)
    assert.equal(201, status)
    api:login { platform = "uber" }
    local seen = {}
    local delivery = api.sandbox:next_delivery()
    while delivery do
      seen[#seen + 1] = delivery.action
      api.sandbox:delivered(delivery, { status = 200 })
      delivery = api.sandbox:next_delivery()
    end
    return seen
  end

  it("lose one, and keep a note of it", function()
    assert.same({ "login.created" }, actions { kind = "webhook_lose", action = "login.success" })
    local _, response = api:call("GET", "/sandbox/deliveries", nil, {})
    local states = {}
    for _, delivery in ipairs(response.data.deliveries) do
      states[delivery.action] = delivery.state
    end
    assert.same({ ["login.created"] = "delivered", ["login.success"] = "lost" }, states)
    assert.equal(0, api.sandbox:pending_deliveries())
  end)

  it("send one twice", function()
    local seen = actions { kind = "webhook_duplicate", action = "login.success" }
    table.sort(seen)
    assert.same({ "login.created", "login.success", "login.success" }, seen)
  end)

  it("turn the order round", function()
    assert.same({ "login.success", "login.created" }, actions { kind = "webhook_reorder" })
  end)

  it("hold one back, which the next ones pass", function()
    local fault = { kind = "webhook_delay", action = "login.created", seconds = 90 }
    assert.same({ "login.success" }, actions(fault))
    api.now = api.now + 89
    assert.is_nil(api.sandbox:next_delivery())
    api.now = api.now + 1
    assert.equal("login.created", api.sandbox:next_delivery().action)
  end)
end)

describe("sandbox faults of earnings", function()
  local api
  before_each(function() api = helper.new() end)

  local function read(number)
    local _, response = api:call("POST", EARNINGS, page(number))
    return response.data.earnings, response.pagination.total_items
  end

  it("add a row at the front while pages are read", function()
    api:call("POST", "/sandbox/faults", { kind = "earning_added", times = 1 }, helper.JSON)
    local first, before = read(1)
    local second, total = read(2)
    assert.same({ 195, 196 }, { before, total })
    -- what was the last row of page 1 is now the first one of page 2
    assert.same(first[3], second[1])
    local _, again = read(2)
    assert.equal(196, again)
    assert.equal("2025-03-15", read(1)[1].earning_date)
  end)

  it("take a row away", function()
    api:call("POST", "/sandbox/faults", { kind = "earning_removed", times = 1 }, helper.JSON)
    local first = read(1)
    local rows, total = read(1)
    assert.equal(194, total)
    assert.same(first[2], rows[1])
  end)

  it("correct an amount", function()
    api:call("POST", "/sandbox/faults", { kind = "earning_corrected", times = 1 }, helper.JSON)
    assert.equal(179, read(1)[1].amount)
    local rows, total = read(1)
    assert.equal(195, total)
    assert.equal(180, rows[1].amount)
    assert.equal(246, rows[2].amount)
  end)
end)
