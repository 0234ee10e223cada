--- Drives what the webhook endpoint inside nginx does with an event: handlers that fail, and what
-- it forwards.
local endpoints = require("spec.nginx.endpoints")

describe("an event inside nginx", function()
  local endpoint

  setup(function()
    endpoint = endpoints.start()
  end)

  teardown(function()
    endpoint:stop()
  end)

  -- ---- failures ---------------------------------------------------------------------------

  it("answers 500 when a handler fails, and the event may come again", function()
    local body = endpoints.new_body({ fail = 2 })
    local before = endpoint:seen()
    assert.are.equal(500, endpoint:post("/webhooks/palenca", body).status)
    local first = endpoint:last()
    local answer = endpoint:post("/webhooks/palenca", body)
    assert.are.equal("the event was not handled", endpoints.reason(answer))
    assert.are.equal(200, endpoint:post("/webhooks/palenca", body).status)
    local third = endpoint:last()
    assert.are.same({ 1, 3, first.id }, { first.attempt, third.attempt, third.id })
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
    assert.truthy(log:find("palenca: a.??2026/01/01 [forged] line?[2J [identity number] "
      .. endpoint:last().id .. " was not handled", 1, true), log)
    assert.are.equal(200, endpoint:post("/webhooks/palenca", body).status)
  end)

  it("survives an error that cannot be shown", function()
    local body = endpoints.new_body({ odd = true })
    assert.are.equal(500, endpoint:post("/webhooks/palenca", body).status)
    assert.truthy(endpoint.nginx:log():find("an error that cannot be shown: table", 1, true))
  end)

  -- ---- forwarding -------------------------------------------------------------------------

  it("forwards what it would take, and nothing else", function()
    local before = #endpoint.serve.requests
    local body = endpoints.new_body()
    local answer = endpoint:post("/forwarding", body)
    assert.are.same({ 200, '{"received":true}' }, { answer.status, answer.body })
    assert.are.equal(body, endpoint.serve.requests[before + 1].body)
    assert.are.equal("/webhooks/palenca", endpoint.serve.requests[before + 1].path)
    assert.are.equal(400, endpoint:post("/forwarding", "{}").status)
    assert.are.equal(before + 1, #endpoint.serve.requests)
  end)
end)
