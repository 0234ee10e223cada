--- Drives what the webhook endpoint inside nginx does with events that come again: before, while
-- and after they are handled, and when a worker has lost its claim to one.
local endpoints = require("spec.nginx.endpoints")
local helper = require("spec.nginx.helper")
local process = require("spec.support.process")
local uv = require("luv")

describe("an event that comes again inside nginx", function()
  local endpoint = endpoints.start_for_all()

  it("runs the sender's duplicates once", function()
    local body = endpoints.new_body()
    local before = endpoint:seen()
    for _ = 1, 3 do
      local response = endpoint:post("/webhooks/palenca", body)
      assert.are.equal(200, response.status)
      assert.are.same({ received = true, id = endpoint:last().id },
        helper.json.decode(response.body))
    end
    assert.are.equal(before + 1, endpoint:seen())
    assert.are.equal(200, endpoint:post("/webhooks/palenca", body .. " ").status)
    assert.are.equal(before + 2, endpoint:seen())
  end)

  it("remembers nothing without a window", function()
    local body = endpoints.new_body()
    local before = endpoint:seen()
    for _ = 1, 2 do
      assert.are.equal(200, endpoint:post("/no_window", body).status)
      assert.are.equal(1, endpoint:last().attempt)
    end
    assert.are.equal(before + 2, endpoint:seen())
  end)

  it("takes the same body for a new event behind the window", function()
    local body = endpoints.new_body()
    assert.are.equal(200, endpoint:post("/short_window", body).status)
    local first = endpoint:last()
    helper.ask_until(function()
      uv.sleep(50)
      assert.are.equal(200, endpoint:post("/short_window", body).status)
      return endpoint:last().id ~= first.id
    end, "the window to pass")
    assert.are.equal(1, endpoint:last().attempt)
  end)

  it("does not run what another worker is running, and returns its outcome to both", function()
    for _, fail in ipairs { 0, 1 } do
      local body = endpoints.new_body({ wait = "go-" .. fail, fail = fail })
      local before, connections = endpoint:seen(), {}
      for i = 1, 4 do
        connections[i] = endpoint:begin("/webhooks/palenca", body)
      end
      endpoint:wait_seen(before + 1)
      endpoint:go("go-" .. fail)
      local statuses = {}
      for i, connection in ipairs(connections) do
        statuses[i] = connection:response().status
      end
      table.sort(statuses)
      assert.are.same({ 200, 200, 200, fail == 0 and 200 or 500 }, statuses)
      assert.are.equal(before + 1 + fail, endpoint:seen())
    end
  end)

  it("gets 503 if the outcome is not there in time", function()
    local body = endpoints.new_body({ wait = "late" })
    local first, before = endpoint:start_handling("/webhooks/palenca", body)
    local response = endpoint:post("/short_wait", body)
    assert.are.same({ 503, "the event is being handled", "17" },
      { response.status, endpoints.reason(response), response.headers["retry-after"] })
    endpoint:go("late")
    assert.are.equal(200, first:response().status)
    assert.are.equal(200, endpoint:post("/short_wait", body).status)
    assert.are.equal(before + 1, endpoint:seen())
  end)

  -- When what is remembered of an event will be forgotten, be it a claim or that it is done.
  local function forgotten_at(event)
    return tonumber((endpoint.nginx:get("/forgotten_at?id=" .. event.id)))
  end

  it("is a new one when the window has passed since it was first received", function()
    local body = endpoints.new_body({ wait = "window" })
    local first = endpoint:start_handling("/webhooks/palenca", body)
    local event = endpoint:last()
    helper.ask_until(function()
      return os.time() > event.received_at + 1
    end, "a second to pass")
    endpoint:go("window")
    assert.are.equal(200, first:response().status)
    local window = forgotten_at(event) - event.received_at
    assert.is_true(window > 299.9 and window < 301, window)
  end)

  it("is claimed anew again and again while its handler waits", function()
    local body = endpoints.new_body({ wait = "renewed" })
    local first, before = endpoint:start_handling("/renewing", body)
    local event = endpoint:last()
    helper.ask_until(function()
      return forgotten_at(event) > event.received_at + 5
    end, "the claim of 4 seconds to be renewed")
    assert.are.equal(503, endpoint:post("/short_wait", body).status)
    endpoint:go("renewed")
    assert.are.equal(200, first:response().status)
    assert.are.equal(before + 1, endpoint:seen())
  end)

  -- ---- a claim that ran out ---------------------------------------------------------------

  -- A handler that blocks its worker. It says so in the log, for a request sent before might have
  -- come to that worker, and would be blocked as well.
  local function block(body, name)
    local first = endpoint:begin("/short_lease", body)
    process.poll_for(function()
      return endpoint.nginx:log():find("blocked until " .. name, 1, true)
    end, "a handler to block its worker")
    return first
  end

  -- The first attempt blocks its worker until its claim has expired and the other worker has
  -- started a second one, which waits.
  local function overtake(name, fail)
    local body = endpoints.new_body({ block = name .. "-1", wait = name .. "-2", fail = fail })
    local before = endpoint:seen()
    local first = block(body, name)
    local second = endpoint:begin("/webhooks/palenca", body)
    endpoint:wait_seen(before + 2)
    assert.are.equal(2, endpoint:last().attempt)
    endpoint:go(name .. "-1")
    return first:response().status, second, body
  end

  it("stays claimed by the second attempt when the first one fails late", function()
    local status, second, body = overtake("failing", 1)
    assert.are.equal(500, status)
    local before = endpoint:seen()
    assert.are.equal(503, endpoint:post("/short_wait", body).status)
    endpoint:go("failing-2")
    assert.are.equal(200, second:response().status)
    assert.are.equal(200, endpoint:post("/short_wait", body).status)
    assert.are.equal(before, endpoint:seen())
  end)

  it("is not done before the second attempt is, though the first one succeeds late", function()
    local status, second, body = overtake("succeeding", 0)
    assert.are.equal(200, status)
    local before = endpoint:seen()
    assert.are.equal(503, endpoint:post("/short_wait", body).status)
    endpoint:go("succeeding-2")
    assert.are.equal(200, second:response().status)
    assert.are.equal(before, endpoint:seen())
  end)

  it("is handled anew when the lease is over, if a handler has ended its request", function()
    local body = endpoints.new_body({ exit = 500 })
    assert.are.equal(500, endpoint:post("/short_lease", body).status)
    assert.are.equal(200, endpoint:post("/webhooks/palenca", body).status)
    assert.are.equal(2, endpoint:last().attempt)
  end)

  it("is done if the first attempt succeeds late and there was no second one", function()
    local body = endpoints.new_body({ block = "alone" })
    local before = endpoint:seen()
    local first = block(body, "alone")
    local event = endpoint:last()
    helper.ask_until(function()
      return os.time() > event.received_at + 2
    end, "the claim to run out")
    endpoint:go("alone")
    assert.are.equal(200, first:response().status)
    assert.are.equal(200, endpoint:post("/webhooks/palenca", body).status)
    assert.are.equal(before + 1, endpoint:seen())
  end)
end)
