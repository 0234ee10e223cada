--- Drives the webhook endpoint inside nginx: what it rejects, in the words of `palenca serve`, and
-- what it takes.
local cases = require("spec.support.webhook_bodies")
local endpoints = require("spec.nginx.endpoints")
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")
local uv = require("luv")

describe("the endpoint inside nginx", function()
  local endpoint = endpoints.start_for_all()

  it("responds with 200 once the handlers are done", function()
    local body, account = endpoints.new_body()
    local before = os.time()
    local response = endpoint:post("/webhooks/palenca", body)
    assert.are.equal(200, response.status)
    assert.are.equal("application/json", response.headers["content-type"])
    local event = endpoint:last()
    assert.are.same({ received = true, id = event.id }, helper.json.decode(response.body))
    assert.are.same({ "login.success", account, 1 }, { event.action, event.account, event.attempt })
    assert.is_true(event.received_at >= before and event.received_at <= os.time() + 1)
  end)

  it("hands on the body as it came, each time, and the digits of its numbers", function()
    local body = '{"data": {"webhook_action":"login.success","number":9007199254740993,\n"fail":1,'
      .. '"empty":[ ], "fraction":1.50}}'
    for attempt, status in ipairs { 500, 200 } do
      assert.are.equal(status, endpoint:post("/webhooks/palenca", body).status)
      local event = endpoint:last()
      assert.are.same({ attempt, body, "9007199254740993" },
        { event.attempt, event.body, event.number })
    end
  end)

  it("responds to other methods with 405 and Allow", function()
    endpoint:running_nothing(function()
      for _, method in ipairs({ "GET", "PUT", "DELETE", "PATCH", "OPTIONS" }) do
        local response = http.request(method, endpoint.url, helper.body())
        assert.are.equal(405, response.status, method)
        assert.are.equal("POST", response.headers.allow)
        assert.are.equal("webhooks are sent with POST", endpoints.reason(response))
      end
      local connection = endpoint.stage:connect(endpoint.url)
      connection:send("HEAD /webhooks/palenca HTTP/1.1\r\nHost: spec\r\nConnection: close\r\n\r\n")
      connection:wait_end()
      assert.truthy(connection.received:find("^HTTP/1%.1 405 "))
      assert.truthy(connection.received:find("\r\n\r\n$"))
    end)
  end)

  it("responds to other paths with 404", function()
    endpoint:running_nothing(function()
      for _, path in ipairs({ "/", "/webhooks", "/webhooks/palenca/", "/webhooks/palencas",
        "/webhooks%2Fpalenca", "/webhooks/%70alenca", "//webhooks/palenca",
        "/webhooks/../webhooks/palenca", "/webhooks/./palenca", "/./webhooks/palenca/." }) do
        assert.are.equal(404, endpoint:post(path, helper.body()).status, path)
      end
    end)
  end)

  it("takes a query behind its path", function()
    local body = endpoints.new_body()
    assert.are.equal(200, endpoint:post("/webhooks/palenca?from=palenca", body).status)
  end)

  it("responds with 413 to what is larger than the limit, announced or not", function()
    endpoint:running_nothing(function()
      local response = endpoint:send({ "Content-Length: 65537" }):response()
      assert.are.equal(413, response.status)
      assert.are.equal("the body is too large", endpoints.reason(response))
      local chunk = "1000\r\n" .. (" "):rep(4096) .. "\r\n"
      local chunks = chunk:rep(17) .. "0\r\n\r\n"
      response = endpoint:send({ "Transfer-Encoding: chunked" }, chunks):response()
      assert.are.equal(413, response.status)
    end)
  end)

  -- nginx needs a setting: it requests bodies that it discards, too.
  it("rejects a large body before it is sent, if the client expects 100", function()
    endpoint:running_nothing(function()
      local connection = endpoint.stage:connect(endpoint.url)
      connection:send("POST /limited HTTP/1.1\r\nHost: spec\r\nContent-Length: 100000\r\n"
        .. "Expect: 100-continue\r\n\r\n")
      assert.are.equal(413, connection:response().status)
    end)
  end)

  it("sends 100 to a client that expects it", function()
    local before = endpoint:seen()
    local status, out, err = process.run("/usr/bin/env", { "curl", "-sv", "-H",
      "Expect: 100-continue", "--expect100-timeout", "50", "--data-binary", (endpoints.new_body()),
      endpoint.url })
    assert.are.equal(0, status)
    assert.is_true(helper.json.decode(out).received)
    assert.truthy(err:find("HTTP/1.1 100 Continue", 1, true))
    assert.are.equal(before + 1, endpoint:seen())
  end)

  it("judges a body by its announced length", function()
    endpoint:running_nothing(function()
      local body = endpoints.new_body()
      local short = endpoint:send({ "Content-Length: " .. #body - 1 }, body):response()
      assert.are.equal(400, short.status)
      for _, length in ipairs({ "-1", "x", "1e3", "99999999999999999999999" }) do
        local response = endpoint:send({ "Content-Length: " .. length }, body):response()
        assert.truthy(not response or response.status >= 400 and response.status < 500, length)
      end
    end)
  end)

  it("takes a body that comes byte by byte", function()
    local body = endpoints.new_body()
    local connection = endpoint.stage:connect(endpoint.url)
    connection:wait_connected().socket:nodelay(true)
    for byte in (endpoints.head({ "Content-Length: " .. #body }) .. body):gmatch(".") do
      connection:send(byte)
      uv.run("nowait")
    end
    assert.are.equal(200, connection:response().status)
  end)

  it("takes a body of exactly the limit, chunked or not, and from a file", function()
    for _, path in ipairs { "/webhooks/palenca", "/small_buffer" } do
      local body = endpoints.new_body()
      body = body .. (" "):rep(65536 - #body)
      assert.are.equal(200, endpoint:post(path, body).status)
    end
    local body = endpoints.new_body()
    body = body .. (" "):rep(65536 - #body)
    local connection = endpoint.stage:connect(endpoint.url)
    connection:send(endpoints.head({ "Transfer-Encoding: chunked" })
      .. string.format("%x\r\n%s\r\n0\r\n\r\n", #body, body))
    assert.are.equal(200, connection:response().status)
  end)

  for _, case in ipairs(cases.rejected) do
    it("rejects a body that " .. case[1], function()
      endpoint:running_nothing(function()
        local response = endpoint:post("/webhooks/palenca", case[2])
        assert.are.equal(400, response.status)
        assert.are.equal(case[3] or endpoints.reason(response), endpoints.reason(response))
      end)
    end)
  end

  it("rejects a request without a body", function()
    endpoint:running_nothing(function()
      assert.are.equal(400, http.request("POST", endpoint.url).status)
    end)
  end)

  it("hands on actions it does not know, and what is unusual but fits", function()
    for _, case in ipairs(cases.taken) do
      assert.are.equal(200, endpoint:post("/webhooks/palenca", case[1]).status, case[1])
      local event = endpoint:last()
      assert.are.same({ case[2], case[3] }, { event.action, event.account })
    end
  end)

  -- ---- connections ------------------------------------------------------------------------

  it("responds to several requests on one connection, and two that come at once", function()
    local connection = endpoint.stage:connect(endpoint.url)
    for _ = 1, 2 do
      local body = endpoints.new_body()
      connection:send(endpoints.head({ "Content-Length: " .. #body }) .. body)
      assert.are.equal(200, connection:response().status)
    end
    connection:send(endpoints.head({ "Content-Length: 2" }) .. "{}")
    assert.are.equal(400, connection:response().status)
    local one, two = endpoints.new_body(), endpoints.new_body()
    connection:send(endpoints.head({ "Content-Length: " .. #one }) .. one
      .. endpoints.head({ "Content-Length: " .. #two }) .. two)
    assert.are.equal(200, connection:response().status)
    assert.are.equal(200, connection:response().status)
  end)

  it("runs nothing for a request that is truncated", function()
    endpoint:running_nothing(function()
      local body = endpoints.new_body()
      for _, bytes in ipairs { "POST /webh",
        endpoints.head({ "Content-Length: " .. #body }) .. body:sub(1, -2),
        endpoints.head({ "Transfer-Encoding: chunked" })
          .. string.format("%x\r\n%s\r\n", #body, body) } do
        endpoint.stage:connect(endpoint.url):send(bytes):close()
      end
      assert.are.equal(405, http.request("GET", endpoint.url).status)
    end)
  end)

  for _, count in ipairs({ 127, 128, 129, 255, 256, 257 }) do
    it("responds to " .. count .. " connections that are open at once", function()
      local before, connections = endpoint:seen(), {}
      for i = 1, count do
        connections[i] = endpoint.stage:connect(endpoint.url)
      end
      for _, connection in ipairs(connections) do
        local body = endpoints.new_body()
        connection:wait_connected():send(endpoints.head({ "Content-Length: " .. #body }) .. body)
      end
      for _, connection in ipairs(connections) do
        assert.are.equal(200, connection:response().status)
        connection:close()
      end
      assert.are.equal(before + count, endpoint:seen())
    end)
  end
end)
