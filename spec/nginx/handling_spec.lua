--- Drives what the webhook endpoint inside nginx does with an event: handlers that fail, what they
-- may do, and reloads meanwhile.
local endpoints = require("spec.nginx.endpoints")
local helper = require("spec.nginx.helper")

describe("an event inside nginx", function()
  local endpoint = endpoints.start_for_all()

  -- ---- failures ---------------------------------------------------------------------------

  it("responds with 500 when a handler fails, and the event may come again", function()
    local body = endpoints.new_body({ fail = 2 })
    local before = endpoint:seen()
    assert.are.equal(500, endpoint:post("/webhooks/palenca", body).status)
    local first = endpoint:last()
    local response = endpoint:post("/webhooks/palenca", body)
    assert.are.equal("the event was not handled", endpoints.reason(response))
    assert.are.equal(200, endpoint:post("/webhooks/palenca", body).status)
    local third = endpoint:last()
    assert.are.same({ 1, 3, first.id, first.received_at },
      { first.attempt, third.attempt, third.id, third.received_at })
    assert.are.equal(200, endpoint:post("/webhooks/palenca", body).status)
    assert.are.equal(before + 3, endpoint:seen())
    assert.truthy(endpoint.nginx:log():find("it has failed for", 1, true))
  end)

  it("writes a line of its own for one that failed, whatever the sender calls it", function()
    local action = "a.\r\n2026/01/01 [forged] line\27[2J GODE561231HDFABC09"
    local body = endpoints.new_body({ webhook_action = action, fail = 1 })
    assert.are.equal(500, endpoint:post("/webhooks/palenca", body).status)
    assert.are.equal(action, endpoint:last().action)
    local log = endpoint.nginx:log()
    assert.truthy(log:find("palenca: a.\\r\\n2026/01/01 [forged] line\\x1b[2J [identity number] "
      .. endpoint:last().id .. " was not handled", 1, true), log)
    assert.are.equal(200, endpoint:post("/webhooks/palenca", body).status)
  end)

  it("survives an error that cannot be shown", function()
    local body = endpoints.new_body({ odd = true })
    assert.are.equal(500, endpoint:post("/webhooks/palenca", body).status)
    assert.truthy(endpoint.nginx:log():find("an error that cannot be shown: table", 1, true))
  end)

  -- ---- what a handler may do ---------------------------------------------------------------

  it("lets a handler sleep for no less than it wants, though nginx's own time is old", function()
    assert.are.equal("0", (endpoint.nginx:get("/slept")))
  end)

  it("rejects timers, and names the programs that run them", function()
    local said = endpoint.nginx:get("/every")
    assert.truthy(said:find("palenca.every: timers run in 'palenca serve'", 1, true), said)
  end)

  it("rejects decisions to record, since there is no ledger", function()
    local said = endpoint.nginx:get("/recorded")
    assert.truthy(said:find("palenca.decision.record: there is no ledger inside nginx; decisions "
      .. "are recorded by handlers of palenca serve", 1, true), said)
  end)

  -- ---- reloads ----------------------------------------------------------------------------

  it("ends over a reload what is under way: one handler, one response to each request", function()
    local body = endpoints.new_body({ wait = "reloaded" })
    local first, before = endpoint:start_handling("/webhooks/palenca", body)
    endpoint.nginx:begin_reload(1)
    assert.are.equal(503, endpoint:post("/short_wait", body).status)
    local second = endpoint:begin("/webhooks/palenca", body)
    assert.is_nil(first:poll())
    endpoint:go("reloaded")
    local response = first:response()
    assert.are.same({ 200, endpoint:last().id },
      { response.status, helper.json.decode(response.body).id })
    assert.are.same({ 200, response.body }, { second:response().status, response.body })
    assert.are.same({ 200, response.body },
      { endpoint:post("/short_wait", body).status, response.body })
    assert.are.equal(before + 1, endpoint:seen())
    first:wait_end()
    assert.is_nil(first:poll())
    first:close()
  end)
end)
