--- Drives the receiver of `palenca serve` over sockets: what it rejects, and what it stores.
local uv = require("luv")
local bodies = require("spec.support.webhook_bodies")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local HANDLER = [[
  local palenca = require "palenca"
  palenca.on("*", function(event) print("saw", event.action, event.account_id) end)
]]

local function head(url, lines)
  return "POST " .. url:match("^http://[^/]+(/.*)$") .. " HTTP/1.1\r\nHost: spec\r\n"
    .. table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function whole(url, body)
  return head(url, { "Content-Length: " .. #body }) .. body
end

describe("the receiver", function()
  local stage, served

  -- Most tests leave nothing behind, so they share one program.
  setup(function()
    stage = helper.stage()
    served = stage:serve({ text = HANDLER })
  end)

  teardown(function()
    local status = served:stop()
    stage:clear()
    assert.are.equal(0, status, served.stderr)
  end)

  local function stored()
    return #helper.events(served.db)
  end

  -- Runs a check and demands that the store is as before.
  local function storing_nothing(check)
    local before = stored()
    check()
    assert.are.equal(before, stored())
  end

  it("responds with 200 once the event is stored, and its handler sees it", function()
    local response = http.request("POST", served.url, helper.body({ account_id = "good" }))
    assert.are.equal(200, response.status)
    assert.are.equal("application/json", response.headers["content-type"])
    local events = helper.events(served.db)
    assert.are.same({ received = true, id = events[#events].id }, helper.json.decode(response.body))
    assert.are.equal("good", events[#events].account_id)
    served:wait_output("stdout", "saw\tlogin.success\t(good)\n")
  end)

  it("responds to other methods with 405 and Allow", function()
    storing_nothing(function()
      for _, method in ipairs({ "GET", "PUT", "DELETE", "PATCH", "OPTIONS" }) do
        local response = http.request(method, served.url, helper.body())
        assert.are.equal(405, response.status, method)
        assert.are.equal("POST", response.headers.allow)
      end
    end)
  end)

  it("responds to HEAD with 405 and no body", function()
    local connection = stage:connect(served.url)
    connection:send("HEAD /webhooks/palenca HTTP/1.1\r\nHost: spec\r\nConnection: close\r\n\r\n")
    connection:wait_end()
    assert.truthy(connection.received:find("^HTTP/1%.1 405 "))
    assert.truthy(connection.received:find("\r\n\r\n$"))
  end)

  it("responds to other paths with 404", function()
    storing_nothing(function()
      for _, path in ipairs({ "/", "/webhooks", "/webhooks/palenca/", "/webhooks/palencas",
        "/webhooks%2Fpalenca", "/webhooks/%70alenca", "//webhooks/palenca",
        "/webhooks/../webhooks/palenca", "/webhooks/./palenca", "/./webhooks/palenca/." }) do
        local url = served.url:match("^http://[^/]+") .. path
        assert.are.equal(404, http.request("POST", url, helper.body()).status, path)
      end
    end)
  end)

  it("takes a query behind its path", function()
    assert.are.equal(200, http.request("POST", served.url .. "?from=palenca", helper.body()).status)
  end)

  it("responds with 413 to a body that announces itself as too large", function()
    storing_nothing(function()
      local connection = stage:connect(served.url)
      connection:send(head(served.url, { "Content-Length: 65537" }))
      local response = connection:response()
      assert.are.equal(413, response.status)
      assert.are.equal("the body is too large", helper.json.decode(response.body).error)
    end)
  end)

  it("responds with 413 to a chunked body that turns out too large", function()
    storing_nothing(function()
      local chunk = "1000\r\n" .. (" "):rep(4096) .. "\r\n"
      local connection = stage:connect(served.url)
      connection:send(head(served.url, { "Transfer-Encoding: chunked" }) .. chunk:rep(17)
        .. "0\r\n\r\n")
      assert.are.equal(413, connection:response().status)
    end)
  end)

  it("takes a body of exactly the limit, chunked or not", function()
    local body = helper.body()
    body = body .. (" "):rep(65536 - #body)
    assert.are.equal(200, http.request("POST", served.url, body).status)
    local connection = stage:connect(served.url)
    connection:send(head(served.url, { "Transfer-Encoding: chunked" })
      .. string.format("%x\r\n%s\r\n0\r\n\r\n", #body, body))
    assert.are.equal(200, connection:response().status)
  end)

  for _, case in ipairs(bodies.rejected) do
    it("rejects a body that " .. case[1], function()
      storing_nothing(function()
        local response = http.request("POST", served.url, case[2])
        assert.are.equal(400, response.status)
        local reason = helper.json.decode(response.body).error
        assert.are.equal(case[3] or reason, reason)
      end)
    end)
  end

  it("rejects a request without a body", function()
    storing_nothing(function()
      assert.are.equal(400, http.request("POST", served.url).status)
    end)
  end)

  local function taken_and_handled(body, action, account)
    assert.are.equal(200, http.request("POST", served.url, body).status)
    local events = helper.events(served.db)
    assert.are.equal(action, events[#events].action)
    assert.are.equal(account, events[#events].account_id)
    served:wait_output("stdout", "(saw\t" .. action:gsub("%p", "%%%0") .. "\t"
      .. (account or "nil"):gsub("%p", "%%%0") .. ")\n")
    helper.ask_until(function()
      local all = helper.events(served.db)
      return all[#all].state == "done"
    end, "the event to be done")
  end

  it("stores and hands on actions it does not know, and what is unusual but fits", function()
    for _, case in ipairs(bodies.taken) do
      taken_and_handled(case[1], case[2], case[3])
    end
  end)

  it("responds to several requests on one connection", function()
    local before = stored()
    local connection = stage:connect(served.url)
    for _ = 1, 2 do
      connection:send(whole(served.url, helper.body()))
      assert.are.equal(200, connection:response().status)
    end
    connection:send(whole(served.url, "{}"))
    assert.are.equal(400, connection:response().status)
    -- and two that come at once
    connection:send(whole(served.url, helper.body()) .. whole(served.url, helper.body()))
    assert.are.equal(200, connection:response().status)
    assert.are.equal(200, connection:response().status)
    assert.are.equal(before + 4, stored())
  end)

  it("sends 100 to a client that expects it", function()
    local before = stored()
    local status, out, err = process.run("/usr/bin/env", { "curl", "-sv", "-H",
      "Expect: 100-continue", "--expect100-timeout", "50", "--data-binary", helper.body(),
      served.url })
    assert.are.equal(0, status)
    assert.is_true(helper.json.decode(out).received)
    assert.truthy(err:find("HTTP/1.1 100 Continue", 1, true))
    assert.are.equal(before + 1, stored())
  end)

  it("rejects a large body before it is sent, if the client expects 100", function()
    storing_nothing(function()
      local connection = stage:connect(served.url)
      connection:send(head(served.url, { "Content-Length: 100000", "Expect: 100-continue" }))
      assert.are.equal(413, connection:response().status)
    end)
  end)

  it("stores nothing of a request that is truncated, and serves others meanwhile", function()
    storing_nothing(function()
      local body = helper.body()
      local cuts = {
        "POST /webh", head(served.url, { "Content-Length: " .. #body }):sub(1, -3),
        head(served.url, { "Content-Length: " .. #body }) .. body:sub(1, -2),
        head(served.url, { "Transfer-Encoding: chunked" })
          .. string.format("%x\r\n%s\r\n", #body, body),
      }
      local open = {}
      local before = helper.descriptors(served.pid)
      for _, bytes in ipairs(cuts) do
        open[#open + 1] = stage:connect(served.url):send(bytes)
      end
      assert.are.equal(405, http.request("GET", served.url).status)
      for _, connection in ipairs(open) do
        assert.is_nil(connection:poll())
        connection:close()
      end
      helper.ask_until(function()
        http.request("GET", served.url)
        return helper.descriptors(served.pid) <= before
      end, "the connections to be closed")
    end)
  end)

  it("judges a body by its announced length", function()
    storing_nothing(function()
      local body = helper.body()
      local connection = stage:connect(served.url)
      connection:send(head(served.url, { "Content-Length: " .. #body - 1 }) .. body)
      assert.are.equal(400, connection:response().status)
      for _, length in ipairs({ "-1", "x", "1e3", "99999999999999999999999" }) do
        connection = stage:connect(served.url)
        connection:send(head(served.url, { "Content-Length: " .. length }) .. body)
        local response = connection:response()
        assert.truthy(not response or response.status >= 400 and response.status < 500, length)
      end
    end)
  end)

  it("takes a body that comes byte by byte", function()
    local connection = stage:connect(served.url)
    connection:wait_connected().socket:nodelay(true)
    for byte in whole(served.url, helper.body({ account_id = "slow" })):gmatch(".") do
      connection:send(byte)
      uv.run("nowait")
    end
    assert.are.equal(200, connection:response().status)
  end)

  for _, count in ipairs({ 127, 128, 129, 255, 256, 257 }) do
    it("responds to " .. count .. " connections that are open at once", function()
      local before = stored()
      local connections = {}
      for i = 1, count do
        connections[i] = stage:connect(served.url)
      end
      for _, connection in ipairs(connections) do
        assert.is_true(connection:wait_connected().connected)
      end
      for i, connection in ipairs(connections) do
        connection:send(whole(served.url, helper.body({ account_id = count .. "-" .. i })))
      end
      for _, connection in ipairs(connections) do
        assert.are.equal(200, connection:response().status)
        connection:close()
      end
      assert.are.equal(before + count, stored())
    end)
  end
end)
