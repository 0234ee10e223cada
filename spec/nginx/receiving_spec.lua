--- Drives the webhook endpoint inside nginx: what it refuses, in the words of `palenca serve`, what
-- it hands on, how often, and what it forwards.
local cases = require("spec.support.webhook_bodies")
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")
local uv = require("luv")
local webhook = require("palenca.webhook")

-- What the handlers do is in the event: they tell of it, wait or fail.
local HANDLERS = [[
  local palenca = require "palenca"
  palenca.on("*", function(event)
    state:rpush("seen", require("cjson").encode {
      action = event.action, account = event.account_id, id = event.id, attempt = event.attempt,
    })
    local data = event.data
    while data.wait and not state:get(data.wait) do palenca.sleep(0.005) end
    if data.fail and event.attempt <= data.fail then
      error("it has failed for GODE561231HDFABC09")
    elseif data.odd then
      error(setmetatable({}, { __tostring = function() error("no") end }))
    end
  end)
]]

local HTTP = [[
  lua_shared_dict palenca 1m;
  lua_shared_dict state 1m;
  uninitialized_variable_warn off;
  init_by_lua_block {
    state = ngx.shared.state
    HANDLERS
  }
]]

local SERVER = [[
  location = /webhooks/palenca {
    content_by_lua_block { require("palenca.nginx").webhook() }
  }
  location = /signed {
    content_by_lua_block { require("palenca.nginx").webhook {
      secrets = { "old secret", "new secret" }, signature_header = "X-Signature",
    } }
  }
  location = /variables {
    set $palenca_secrets "one two";
    set $palenca_signature_header X-Signature;
    set $palenca_signature_digest sha1;
    set $palenca_signature_encoding base64;
    set $palenca_signature_prefix "v1=";
    set $palenca_max_body 200;
    content_by_lua_block { require("palenca.nginx").webhook() }
  }
  location = /short_window {
    content_by_lua_block { require("palenca.nginx").webhook { redelivery_window = 1 } }
  }
  location = /no_window {
    content_by_lua_block { require("palenca.nginx").webhook { redelivery_window = 0 } }
  }
  location = /environment {
    content_by_lua_block { require("palenca.nginx").webhook { secrets = { "s" } } }
  }
  location = /limited {
    client_max_body_size 64k;
    content_by_lua_block { require("palenca.nginx").webhook() }
  }
  location = /client {
    set $palenca_api_key "key-of-$arg_name";
    set $palenca_base_url UPSTREAM/$arg_name;
    set $palenca_timeout 7;
    set $palenca_max_retries $arg_retries;
    content_by_lua_block {
      local client = require("palenca.nginx").client()
      assert(client == require("palenca.nginx").client())
      client:request("GET", "/called")
      ngx.say(require("cjson").encode { client.base_url, client.timeout, client.max_retries,
        client.rate_limit })
    }
  }
  location = /small_buffer {
    client_body_buffer_size 1k;
    content_by_lua_block { require("palenca.nginx").webhook() }
  }
  location = /forwarding {
    content_by_lua_block { require("palenca.nginx").webhook { forward = "/serve" } }
  }
  location = /serve { internal; proxy_pass UPSTREAM/webhooks/palenca; }
  location /mistakes/ { content_by_lua_block {
    local options = {
      header = { secrets = { "a" } }, secret = { signature_header = "X" },
      unknown = { secret = "a" },
      dict = { dict = "other" }, digest = { signature_header = "X", secrets = { "a" },
        signature_digest = "md5" }, empty = { signature_header = "X", secrets = { "" } },
      limit = { max_body = 0 },
    }
    local ok, problem = pcall(require("palenca.nginx").webhook, options[ngx.var.uri:match("%a+$")])
    ngx.say(problem)
  } }
  location = /rewrite { rewrite_by_lua_block {
    ngx.ctx.said = select(2, pcall(require("palenca.nginx").webhook))
  } content_by_lua_block { ngx.say(ngx.ctx.said) } }
  location = /seen { content_by_lua_block { ngx.say(state:llen("seen")) } }
  location = /last { content_by_lua_block {
    local text = state:rpop("seen")
    state:rpush("seen", text)
    ngx.say(text)
  } }
  location = /go { content_by_lua_block { state:set(ngx.var.arg_name, true) } }
]]

local serial = 0

-- A body that was not sent before.
local function new_body(fields)
  serial = serial + 1
  local all = { account_id = "account-" .. serial }
  for name, value in pairs(fields or {}) do
    all[name] = value
  end
  return helper.body(all), all.account_id
end

describe("the endpoint inside nginx", function()
  local stage, nginx, serve, url

  setup(function()
    stage = helper.stage()
    serve = stage:server(function(request)
      request.respond(200, '{"received":true}')
    end)
    nginx = helper.start(stage, {
      workers = 2,
      http = HTTP:gsub("HANDLERS", function() return HANDLERS end),
      server = SERVER:gsub("UPSTREAM", serve.url),
      main = "env PALENCA_RATE_LIMIT;", env = { PALENCA_RATE_LIMIT = "77" },
    })
    url = nginx.url .. "/webhooks/palenca"
  end)

  teardown(function()
    local status = nginx:quit()
    local log = nginx:log()
    stage:clear()
    assert.are.equal(0, status)
    for _, worse in ipairs { "alert", "crit", "emerg" } do
      assert.is_nil(log:find("[" .. worse .. "]", 1, true), log)
    end
    assert.is_nil(log:find("GODE561231HDFABC09", 1, true))
    assert.is_nil(log:find("new secret", 1, true))
    assert.is_nil(log:find("key-of-", 1, true))
  end)

  local function post(path, body, headers)
    return http.request("POST", nginx.url .. path, body, headers)
  end

  local function seen()
    return tonumber((nginx:get("/seen")))
  end

  local function last()
    return helper.json.decode((nginx:get("/last")))
  end

  -- Runs a check and demands that no handler ran.
  local function running_nothing(check)
    local before = seen()
    check()
    assert.are.equal(before, seen())
  end

  local function reason(answer)
    return helper.json.decode(answer.body).error
  end

  it("answers 200 once the handlers are done", function()
    local body, account = new_body()
    local answer = post("/webhooks/palenca", body)
    assert.are.equal(200, answer.status)
    assert.are.equal("application/json", answer.headers["content-type"])
    local event = last()
    assert.are.same({ received = true, id = event.id }, helper.json.decode(answer.body))
    assert.are.same({ action = "login.success", account = account, id = event.id, attempt = 1 },
      event)
  end)

  it("answers other methods with 405 and Allow", function()
    running_nothing(function()
      for _, method in ipairs({ "GET", "PUT", "DELETE", "PATCH", "OPTIONS" }) do
        local answer = http.request(method, url, helper.body())
        assert.are.equal(405, answer.status, method)
        assert.are.equal("POST", answer.headers.allow)
        assert.are.equal("webhooks are sent with POST", reason(answer))
      end
      local connection = stage:connect(url)
      connection:send("HEAD /webhooks/palenca HTTP/1.1\r\nHost: spec\r\nConnection: close\r\n\r\n")
      connection:wait_end()
      assert.truthy(connection.received:find("^HTTP/1%.1 405 "))
      assert.truthy(connection.received:find("\r\n\r\n$"))
    end)
  end)

  it("answers other paths with 404", function()
    running_nothing(function()
      for _, path in ipairs({ "/", "/webhooks", "/webhooks/palenca/", "/webhooks/palencas",
        "/webhooks%2Fpalenca", "//webhooks/palenca", "/webhooks/../webhooks/palenca" }) do
        assert.are.equal(404, post(path, helper.body()).status, path)
      end
    end)
  end)

  it("takes a query behind its path", function()
    assert.are.equal(200, post("/webhooks/palenca?from=palenca", (new_body())).status)
  end)

  local function head(lines)
    return "POST /webhooks/palenca HTTP/1.1\r\nHost: spec\r\n" .. table.concat(lines, "\r\n")
      .. "\r\n\r\n"
  end

  it("answers 413 to what is larger than the limit, announced or not", function()
    running_nothing(function()
      local connection = stage:connect(url):send(head({ "Content-Length: 65537" }))
      local answer = connection:answer()
      assert.are.equal(413, answer.status)
      assert.are.equal("the body is too large", reason(answer))
      local chunk = "1000\r\n" .. (" "):rep(4096) .. "\r\n"
      connection = stage:connect(url):send(head({ "Transfer-Encoding: chunked" }) .. chunk:rep(17)
        .. "0\r\n\r\n")
      assert.are.equal(413, connection:answer().status)
    end)
  end)

  -- nginx has to be told: what it is to throw away it asks for as well.
  it("refuses a large body before it is sent, if the client asks first", function()
    running_nothing(function()
      local connection = stage:connect(url)
      connection:send("POST /limited HTTP/1.1\r\nHost: spec\r\nContent-Length: 100000\r\n"
        .. "Expect: 100-continue\r\n\r\n")
      assert.are.equal(413, connection:answer().status)
    end)
  end)

  it("tells a client that asks first to go on", function()
    local before = seen()
    local status, out, err = process.run("/usr/bin/env", { "curl", "-sv", "-H",
      "Expect: 100-continue", "--expect100-timeout", "50", "--data-binary", (new_body()), url })
    assert.are.equal(0, status)
    assert.is_true(helper.json.decode(out).received)
    assert.truthy(err:find("HTTP/1.1 100 Continue", 1, true))
    assert.are.equal(before + 1, seen())
  end)

  it("judges a body by its announced length", function()
    running_nothing(function()
      local body = new_body()
      local connection = stage:connect(url)
      connection:send(head({ "Content-Length: " .. #body - 1 }) .. body)
      assert.are.equal(400, connection:answer().status)
      for _, length in ipairs({ "-1", "x", "1e3", "99999999999999999999999" }) do
        connection = stage:connect(url):send(head({ "Content-Length: " .. length }) .. body)
        local answer = connection:answer()
        assert.truthy(not answer or answer.status >= 400 and answer.status < 500, length)
      end
    end)
  end)

  it("takes a body that comes byte by byte", function()
    local body = new_body()
    local connection = stage:connect(url)
    connection:wait_connected().socket:nodelay(true)
    for byte in (head({ "Content-Length: " .. #body }) .. body):gmatch(".") do
      connection:send(byte)
      uv.run("nowait")
    end
    assert.are.equal(200, connection:answer().status)
  end)

  it("takes a body of exactly the limit, chunked or not, and from a file", function()
    for _, path in ipairs { "/webhooks/palenca", "/small_buffer" } do
      local body = new_body()
      body = body .. (" "):rep(65536 - #body)
      assert.are.equal(200, post(path, body).status)
    end
    local body = new_body()
    body = body .. (" "):rep(65536 - #body)
    local connection = stage:connect(url)
    connection:send(head({ "Transfer-Encoding: chunked" })
      .. string.format("%x\r\n%s\r\n0\r\n\r\n", #body, body))
    assert.are.equal(200, connection:answer().status)
  end)

  for _, case in ipairs(cases.refused) do
    it("refuses a body that " .. case[1], function()
      running_nothing(function()
        local answer = post("/webhooks/palenca", case[2])
        assert.are.equal(400, answer.status)
        assert.are.equal(case[3] or reason(answer), reason(answer))
      end)
    end)
  end

  it("refuses a request without a body", function()
    running_nothing(function()
      assert.are.equal(400, http.request("POST", url).status)
    end)
  end)

  it("hands on actions it does not know, and what is unusual but fits", function()
    for _, case in ipairs(cases.taken) do
      assert.are.equal(200, post("/webhooks/palenca", case[1]).status, case[1])
      local event = last()
      assert.are.same({ case[2], case[3] }, { event.action, event.account })
    end
  end)

  it("refuses what is no JSON in other ways, as strictly as JSON is", function()
    running_nothing(function()
      for _, value in ipairs { "01", "1.", ".5", "1e", "+1", "-", "0x10", "NaN", "Infinity", "nul",
        "'a'", '"\t"', '"\\x"', '"\\u12g4"', '"\\', "[1,]", "[,1]", "{,}", '{"a"}', '{"a":}',
        "{1:2}",
        '{"a":1,}', "[1 2]", "\f1", "\xe2\x82", '"\xc0\xaf"', '"\xed\xa0\x80"',
        '"\xf5\x80\x80\x80"', "[", "{", "]", "tru", "truefalse" } do
        local answer = post("/webhooks/palenca", '{"data":{"webhook_action":"a.b","x":' .. value
          .. "}}")
        assert.are.equal(400, answer.status, value)
        assert.are.equal("the body is not JSON", reason(answer), value)
      end
    end)
  end)

  -- ---- signatures ---------------------------------------------------------------------

  it("wants a signature with one of its secrets, if it is told of any", function()
    running_nothing(function()
      local body = new_body()
      for _, headers in ipairs { {}, { ["X-Signature"] = "" }, { ["X-Signature"] = "abc" },
        { ["X-Signature"] = webhook.sign(body, "another secret") },
        { ["X-Signature"] = webhook.sign(body .. " ", "new secret") },
        { ["X-Signature"] = webhook.sign(body, "new secret"):sub(1, -2) } } do
        local answer = post("/signed", body, headers)
        assert.are.equal(401, answer.status)
        assert.are.equal('{"error":"unauthorized"}\n', answer.body)
      end
      local good = webhook.sign(body, "new secret")
      assert.are.equal(401, post("/signed", body,
        { ["X-Signature"] = good .. "\r\nX-Signature: " .. good }).status)
    end)
    for _, secret in ipairs { "old secret", "new secret" } do
      local body = new_body()
      assert.are.equal(200, post("/signed", body, { ["x-signature"] = webhook.sign(body, secret) })
        .status)
    end
    assert.truthy(nginx:log():find("palenca: refused with 401: not signed", 1, true))
  end)

  it("checks the signature before it reads the body", function()
    assert.are.equal(401, post("/signed", "no JSON").status)
  end)

  it("is set up by nginx variables", function()
    local form = { digest = "sha1", encoding = "base64", prefix = "v1=" }
    for secret, status in pairs { one = 200, two = 200, three = 401 } do
      local body = new_body()
      assert.are.equal(status, post("/variables", body,
        { ["X-Signature"] = webhook.sign(body, secret, form) }).status)
    end
    local body = new_body({ filler = ("x"):rep(200) })
    assert.are.equal(413, post("/variables", body,
      { ["X-Signature"] = webhook.sign(body, "one", form) }).status)
  end)

  it("is set up by the environment, as serve is", function()
    local other = helper.start(stage, {
      http = "lua_shared_dict palenca 1m;", server = SERVER:gsub("UPSTREAM", serve.url),
      main = "env PALENCA_SIGNATURE_HEADER; env PALENCA_SIGNATURE_PREFIX; env PALENCA_MAX_BODY;",
      env = { PALENCA_SIGNATURE_HEADER = "X-Signature", PALENCA_SIGNATURE_PREFIX = "v2=",
        PALENCA_MAX_BODY = "300" },
    })
    local function ask(body, prefix)
      return http.request("POST", other.url .. "/environment", body,
        { ["X-Signature"] = webhook.sign(body, "s", { prefix = prefix }) })
    end
    assert.are.equal(401, ask("{}", "v1=").status)
    assert.are.equal(400, ask("{}", "v2=").status)
    assert.are.equal(413, ask((" "):rep(301), "v2=").status)
    -- and nothing that nobody handles is answered as if it were
    assert.are.equal(500, ask(new_body(), "v2=").status)
    assert.truthy(other:log():find("there is no handler (palenca.on)", 1, true))
    assert.are.equal(0, other:quit())
  end)

  it("has clients that are set up by nginx variables, and the rest by the environment", function()
    for name, retries in pairs { one = 0, two = 1 } do
      local said = nginx:get("/client?name=" .. name .. "&retries=" .. retries)
      assert.are.same({ serve.url .. "/" .. name, 7, retries, 77 }, helper.json.decode(said))
      local request = serve:wait_request("/" .. name .. "/called")
      assert.are.equal("key-of-" .. name, request.headers["x-api-key"])
    end
    assert.truthy((select(2, nginx:get("/client?name=one&retries=many"))) == 500)
    assert.truthy(nginx:log():find("$palenca_max_retries must be a number", 1, true))
  end)

  it("names what is wrong with its settings", function()
    for name, text in pairs {
      header = "there is a secret, but no signature_header",
      secret = "signature_header wants a secret", unknown = "unknown field 'secret'",
      dict = "there is no lua_shared_dict other", digest = "digest",
      empty = "secrets must be strings", limit = "max_body must be a whole number from 1",
    } do
      local said = nginx:get("/mistakes/" .. name)
      assert.truthy(said:find(text, 1, true), said)
      assert.truthy(said:find("palenca.nginx.webhook", 1, true), said)
    end
    assert.truthy((nginx:get("/rewrite")):find("belongs in content_by_lua", 1, true))
  end)

  -- ---- failures and redeliveries ----------------------------------------------------------

  it("answers 500 when a handler fails, and the event may come again", function()
    local body = new_body({ fail = 2 })
    local before = seen()
    assert.are.equal(500, post("/webhooks/palenca", body).status)
    local first = last()
    local answer = post("/webhooks/palenca", body)
    assert.are.equal("the event was not handled", reason(answer))
    assert.are.equal(200, post("/webhooks/palenca", body).status)
    local third = last()
    assert.are.same({ 1, 3, first.id }, { first.attempt, third.attempt, third.id })
    assert.are.equal(200, post("/webhooks/palenca", body).status)
    assert.are.equal(before + 3, seen())
    assert.truthy(nginx:log():find("it has failed for", 1, true))
  end)

  it("survives an error that cannot be shown", function()
    assert.are.equal(500, post("/webhooks/palenca", (new_body({ odd = true }))).status)
    assert.truthy(nginx:log():find("an error that cannot be shown: table", 1, true))
  end)

  it("runs the sender's redeliveries once", function()
    local body = new_body()
    local before = seen()
    for _ = 1, 3 do
      local answer = post("/webhooks/palenca", body)
      assert.are.equal(200, answer.status)
      assert.are.same({ received = true, id = last().id }, helper.json.decode(answer.body))
    end
    assert.are.equal(before + 1, seen())
    assert.are.equal(200, post("/webhooks/palenca", body .. " ").status)
    assert.are.equal(before + 2, seen())
  end)

  it("remembers nothing without a window", function()
    local body = new_body()
    local before = seen()
    for _ = 1, 2 do
      assert.are.equal(200, post("/no_window", body).status)
      assert.are.equal(1, last().attempt)
    end
    assert.are.equal(before + 2, seen())
  end)

  it("takes the same body for a new event behind the window", function()
    local body = new_body()
    assert.are.equal(200, post("/short_window", body).status)
    local first = last()
    helper.ask_until(function()
      uv.sleep(50)
      assert.are.equal(200, post("/short_window", body).status)
      return last().id ~= first.id
    end, "the window to pass")
    assert.are.equal(1, last().attempt)
  end)

  it("does not run what another worker is at, and gives its outcome to both", function()
    for _, fail in ipairs { 0, 1 } do
      local body = new_body({ wait = "go-" .. fail, fail = fail })
      local before, connections = seen(), {}
      for i = 1, 4 do
        connections[i] = stage:connect(url):send(head({ "Content-Length: " .. #body }) .. body)
      end
      helper.ask_until(function()
        return seen() == before + 1
      end, "a handler to run")
      nginx:get("/go?name=go-" .. fail)
      local statuses = {}
      for i, connection in ipairs(connections) do
        statuses[i] = connection:answer().status
      end
      table.sort(statuses)
      assert.are.same({ 200, 200, 200, fail == 0 and 200 or 500 }, statuses)
      assert.are.equal(before + 1 + fail, seen())
    end
  end)

  -- ---- forwarding -------------------------------------------------------------------------

  it("forwards what it would take, and nothing else", function()
    local before = #serve.requests
    local body = new_body()
    local answer = post("/forwarding", body)
    assert.are.same({ 200, '{"received":true}' }, { answer.status, answer.body })
    assert.are.equal(body, serve.requests[before + 1].body)
    assert.are.equal("/webhooks/palenca", serve.requests[before + 1].path)
    assert.are.equal(400, post("/forwarding", "{}").status)
    assert.are.equal(before + 1, #serve.requests)
  end)

  -- ---- connections ------------------------------------------------------------------------

  it("answers several requests on one connection, and two that come at once", function()
    local connection = stage:connect(url)
    for _ = 1, 2 do
      local body = new_body()
      connection:send(head({ "Content-Length: " .. #body }) .. body)
      assert.are.equal(200, connection:answer().status)
    end
    connection:send(head({ "Content-Length: 2" }) .. "{}")
    assert.are.equal(400, connection:answer().status)
    local one, two = new_body(), new_body()
    connection:send(head({ "Content-Length: " .. #one }) .. one
      .. head({ "Content-Length: " .. #two }) .. two)
    assert.are.equal(200, connection:answer().status)
    assert.are.equal(200, connection:answer().status)
  end)

  it("runs nothing for a request that is cut off", function()
    running_nothing(function()
      local body = new_body()
      for _, bytes in ipairs { "POST /webh",
        head({ "Content-Length: " .. #body }) .. body:sub(1, -2),
        head({ "Transfer-Encoding: chunked" }) .. string.format("%x\r\n%s\r\n", #body, body) } do
        stage:connect(url):send(bytes):close()
      end
      assert.are.equal(405, http.request("GET", url).status)
    end)
  end)

  for _, count in ipairs({ 127, 128, 129, 255, 256, 257 }) do
    it("answers " .. count .. " connections that are open at once", function()
      local before, connections = seen(), {}
      for i = 1, count do
        connections[i] = stage:connect(url)
      end
      for _, connection in ipairs(connections) do
        local body = new_body()
        connection:wait_connected():send(head({ "Content-Length: " .. #body }) .. body)
      end
      for _, connection in ipairs(connections) do
        assert.are.equal(200, connection:answer().status)
        connection:close()
      end
      assert.are.equal(before + count, seen())
    end)
  end
end)
