--- Drives the handlers of `palenca serve`: what they are given, when they run, how they fail.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("handlers", function()
  local stage = helper.stage_for_each()

  local function serve(text, options)
    options = options or {}
    options.text = 'local palenca, URL = require "palenca", os.getenv "SPEC_URL"\n' .. text
    options.env = { SPEC_URL = options.url }
    options.arguments = options.arguments or { "--workers", "1" }
    return stage:serve(options)
  end

  -- A server that responds to nobody until `release(path)`.
  local function holding_server()
    local server = stage:server(function() end)
    function server:release(path, n)
      self:wait_request(path, n).respond(200, "{}")
    end
    return server
  end

  it("get the event as it came", function()
    local served = serve([[
      palenca.on("login.*", function(event)
        local json = require "cjson"
        local keys = {}
        for name in pairs(event) do keys[#keys + 1] = name end
        table.sort(keys)
        print(json.encode{keys = keys, id = event.id, type = math.type(event.id),
          action = event.action, account_id = event.account_id, user_id = event.user_id,
          external_id = event.external_id, platform = event.platform, attempt = event.attempt,
          status_details = event.status_details, received_at = event.received_at,
          no_null = event.data.nothing == nil, whole = math.type(event.data.whole),
          raw_external_id = event.data.external_id, more = event.data.more,
          has_metatable = getmetatable(event) ~= nil, unknown = event.acount_id})
      end)
    ]])
    local before = os.time()
    helper.post(served.url, {
      account_id = "acc", user_id = "usr", external_id = "None", status_details = "pending",
      webhook_id = "hook", nothing = helper.json.null, whole = 7, more = { { deep = true } },
    })
    local seen = helper.json.decode(served:wait_output("stdout", "(%b{})\n"))
    local stored = helper.events(served.db)[1]
    assert.are.same({ "account_id", "action", "attempt", "body", "data", "id", "platform",
      "received_at", "status_details", "user_id", "webhook_id" }, seen.keys)
    assert.are.equal(stored.id, seen.id)
    assert.are.equal("integer", seen.type)
    assert.are.equal("login.success", seen.action)
    assert.are.equal("acc", seen.account_id)
    assert.are.equal("usr", seen.user_id)
    assert.is_nil(seen.external_id)
    assert.are.equal("uber", seen.platform)
    assert.are.equal("pending", seen.status_details)
    assert.are.equal(1, seen.attempt)
    assert.is_true(seen.received_at >= before and seen.received_at <= os.time() + 1)
    assert.is_true(seen.no_null)
    assert.are.equal("integer", seen.whole)
    assert.are.equal("None", seen.raw_external_id)
    assert.are.same({ { deep = true } }, seen.more)
    -- as cheap as a table is: what `palenca dev` finds is nil here
    assert.are.same({ false, nil }, { seen.has_metatable, seen.unknown })
  end)

  it("run by pattern, in the order of registration", function()
    local served = serve([[
      palenca.on("*", function(event) print("all", event.action) end)
      palenca.on("login.success", function(event) print("one", event.action) end)
      palenca.on("login.*", function(event) print("family", event.action) end)
    ]])
    helper.post(served.url, { account_id = "a" })
    helper.post(served.url, { account_id = "a", webhook_action = "login.error" })
    helper.post(served.url, { account_id = "a", webhook_action = "earnings.updated" })
    served:wait_output("stdout", "(all\tearnings.updated)\n")
    assert.are.equal("all\tlogin.success\none\tlogin.success\nfamily\tlogin.success\n"
      .. "all\tlogin.error\nfamily\tlogin.error\nall\tearnings.updated\n", served.stdout)
  end)

  it("do not block each other", function()
    local arrived = {}
    local server = stage:server(function(request)
      arrived[#arrived + 1] = request
      if #arrived == 2 then -- neither gets a response before both are here
        arrived[1].respond(200, "{}")
        arrived[2].respond(200, "{}")
      end
    end)
    local served = serve([[
      palenca.on("*", function(event)
        local response = assert(palenca.http{url = URL .. "/" .. event.account_id})
        print("met", event.account_id, response.status)
      end)
    ]], { url = server.url })
    helper.post(served.url, { account_id = "a" })
    helper.post(served.url, { account_id = "b" })
    helper.wait_lines(served, "stdout", "met\t[ab]\t200\n", 2)
  end)

  it("run one at a time for an account, and in order", function()
    local server = holding_server()
    local served = serve([[
      palenca.on("*", function(event)
        assert(palenca.http{url = URL .. "/" .. event.account_id .. "/" .. event.data.number})
      end)
    ]], { url = server.url, arguments = { "--workers", "2" } })
    for number = 1, 3 do
      helper.post(served.url, { account_id = "a", number = number })
    end
    server:wait_request("/a/1")
    -- others come and go meanwhile
    for number = 1, 8 do
      helper.post(served.url, { account_id = "b" .. number, number = 1 })
      server:release("/b" .. number .. "/1")
    end
    for number = 1, 8 do
      helper.wait_state(served.db, "b" .. number, "done")
    end
    assert.is_nil(server:find("/a/2"))
    server:release("/a/1")
    server:wait_request("/a/2")
    helper.post(served.url, { account_id = "c", number = 1 })
    server:release("/c/1")
    helper.wait_state(served.db, "c", "done")
    assert.is_nil(server:find("/a/3"))
    server:release("/a/2")
    server:release("/a/3")
  end)

  it("do not wait for each other where events name no account", function()
    local server = holding_server()
    local served = serve([[
      palenca.on("*", function(event) assert(palenca.http{url = URL .. "/none"}) end)
    ]], { url = server.url })
    helper.post(served.url, {})
    helper.post(served.url, { account_id = "None" })
    server:wait_request("/none", 2)
    server:release("/none", 1)
    server:release("/none", 2)
  end)

  it("that fail leave the event to be tried again, with the error", function()
    local served = serve([[
      local raised = {
        string = "a plain reason",
        object = setmetatable({}, {__tostring = function() return "an object's reason" end}),
        api = select(2, palenca.new{base_url = "http://127.0.0.1:1", max_retries = 0}
          .users:get("00000000-0000-4000-8000-000000000000")),
        number = 42,
        broken = setmetatable({}, {__tostring = function() error("no text") end}),
        odd = setmetatable({}, {__tostring = function() return {} end}),
      }
      palenca.on("*", {retry_wait = 3600}, function(event)
        if event.account_id == "table" then error({}) end
        if event.account_id == "nil" then error(nil) end
        if event.account_id == "wrong" then local nothing; nothing.field = 1 end
        error(raised[event.account_id], 0)
      end)
    ]])
    local wanted = {
      string = "^a plain reason$", object = "^an object's reason, at [^\n:]+script%.lua:%d+$",
      api = "^network: [^\n]+ %(GET to 127%.0%.0%.1:%d+, the API%), at [^\n:]+script%.lua:%d+$",
      number = "^42$", table = "table", ["nil"] = "nil", wrong = "script%.lua:%d+: .*'nothing'",
      broken = ".", odd = ".",
    }
    for account in pairs(wanted) do
      helper.post(served.url, { account_id = account })
    end
    for account, pattern in pairs(wanted) do
      local event = helper.wait_state(served.db, account, "retry")
      assert.are.equal(1, event.attempts, account)
      assert.truthy(event.error and event.error:find(pattern), account .. ": "
        .. tostring(event.error))
    end
    served:wait_output("stderr",
      "(FAILED %(attempt 1%), next attempt in %d+ s: [^\n]*script%.lua:%d+: [^\n]*nothing)")
    assert.are.equal(0, served:stop())
  end)

  it("that have failed are tried again, and the later events of the account wait", function()
    local server = stage:server(function(request)
      if request.path ~= "/1/1" then
        request.respond(200, "{}")
      end
    end)
    local served = serve([[
      palenca.on("*", {retry_wait = 0.01}, function(event)
        local response = assert(palenca.http{
          url = URL .. "/" .. event.data.number .. "/" .. event.attempt})
        if response.status ~= 200 then error("responded with " .. response.status, 0) end
      end)
    ]], { url = server.url })
    helper.post(served.url, { account_id = "a", number = 1 })
    helper.post(served.url, { account_id = "a", number = 2 })
    local first = server:wait_request("/1/1")
    helper.post(served.url, { account_id = "b", number = 3 })
    server:wait_request("/3/1")
    first.respond(500, "{}")
    server:wait_request("/2/1")
    local order = {}
    for i, request in ipairs(server.requests) do
      order[i] = request.path
    end
    assert.are.same({ "/1/1", "/3/1", "/1/2", "/2/1" }, order)
    served:wait_output("stderr", "(done in %d+%.%d+ s %(attempt 2%))")
    local event = helper.events(served.db)[1]
    assert.are.equal(2, event.attempts)
    assert.are.equal("done", event.state)
  end)

  it("that end well although a request of theirs failed are logged so", function()
    local server = stage:server(function(request)
      request.respond(request.path == "/well" and 200 or 503, "{}")
    end)
    local served = serve([[
      palenca.on("*", function(event)
        palenca.http{ url = event.data.path == "/nobody" and "http://127.0.0.1:1/secret"
          or URL .. event.data.path }
      end)
    ]], { url = server.url })
    local failures = { ["/well"] = false, ["/ill"] = "HTTP 503", ["/nobody"] = "network" }
    for path in pairs(failures) do
      helper.post(served.url, { account_id = path:sub(2), path = path })
    end
    for path, failure in pairs(failures) do
      local ending = served:wait_output("stderr", "account " .. path:sub(2)
        .. "  done in [%d.]+ s([^\n]*)\n")
      assert.are.equal(failure and ", although a palenca.http failed (" .. failure .. ")" or "",
        ending)
    end
    assert.is_nil(served.stderr:find("secret", 1, true))
    served:stop()
    local started = stage:palenca({ "dev", process.write_file(stage:directory() .. "/dev.lua", [[
      require("palenca").on("login.success", function()
        require("palenca").http{ url = "http://127.0.0.1:1/" }
      end)
    ]]), "--login", "uber", "--once", "--listen", "127.0.0.1:0", "--sandbox-listen",
      "127.0.0.1:0" })
    assert.are.equal(0, started:wait_exit(), started.stderr)
    assert.truthy(started.stderr:find("done in [%d.]+ s, although a palenca.http failed "
      .. "%(network%)\n"), started.stderr)
  end)

  it("may sleep, without holding others up", function()
    local server = holding_server()
    local served = serve([[
      palenca.on("*", function(event)
        if event.account_id == "sleeper" then
          palenca.sleep(86400)
        else
          palenca.sleep(0.001)
          palenca.sleep(0)
          print("slept", pcall(palenca.sleep, -1))
          print(pcall(palenca.sleep, 1 / 0), pcall(palenca.sleep, "1"))
        end
      end)
    ]], { url = server.url, arguments = { "--workers", "1", "--drain-timeout", "0" } })
    helper.post(served.url, { account_id = "sleeper" })
    helper.post(served.url, { account_id = "other" })
    served:wait_output("stdout", "(slept\tfalse\t[^\n]*seconds must be a number[^\n]*)\n")
    helper.wait_state(served.db, "other", "done")
    assert.are.equal("running", helper.events(served.db)[1].state)
    assert.are.equal(0, served:stop())
    assert.truthy(served.stderr:find("their events run again at the next start", 1, true))
    local left = helper.events(served.db)[1]
    assert.are.equal("received", left.state)
    assert.are.equal(0, left.attempts)
  end)

  it("post to systems of the user's own", function()
    local server = stage:server(function(request)
      request.respond(201, "made")
    end)
    local served = serve([[
      palenca.on("*", function(event)
        local response, err = palenca.http{url = URL .. "/income?x=1", json = {account = "a"},
          headers = {["X-Kind"] = "spec", ["X-Number"] = 7}}
        print("responded", response.status, response.body, response.headers["content-length"])
        print("failed", select(2, palenca.http{url = "http://127.0.0.1:1"}).kind)
      end)
    ]], { url = server.url })
    helper.post(served.url, {})
    served:wait_output("stdout", "(responded\t201\tmade\t4\nfailed\tnetwork\n)")
    local request = server.requests[1]
    assert.are.equal("POST", request.method)
    assert.are.equal("/income?x=1", request.path)
    assert.are.equal("application/json", request.headers["content-type"])
    assert.are.equal("spec", request.headers["x-kind"])
    assert.are.equal("7", request.headers["x-number"])
    assert.are.same({ account = "a" }, helper.json.decode(request.body))
  end)

  it("may call where nothing can yield", function()
    local server = stage:server()
    local served = serve([[
      local function call() return assert(palenca.http{url = URL}).status end
      palenca.on("*", function(event)
        local list = {3, 1, 2}
        table.sort(list, function(a, b) call() palenca.sleep(0) return a < b end)
        local inside = coroutine.wrap(function()
          coroutine.yield(call())
          palenca.sleep(0)
          coroutine.yield(call())
        end)
        local replaced = ("x"):gsub("x", function() return tostring(call()) end)
        local sum = setmetatable({}, {__index = function(_, name) return call() end}).anything
        print("all", table.concat(list, " "), inside(), inside(), replaced, sum)
      end)
    ]], { url = server.url })
    helper.post(served.url, {})
    served:wait_output("stdout", "(all\t1 2 3\t200\t200\t200\t200)\n")
  end)

  it("wait for their own responses while one that cannot yield blocks", function()
    local server = holding_server()
    local served = serve([[
      palenca.on("*", function(event)
        if event.account_id == "in place" then
          assert(palenca.http{url = URL .. "/first"})
          coroutine.wrap(function() assert(palenca.http{url = URL .. "/inside"}) end)()
        else
          assert(palenca.http{url = URL .. "/outside"})
        end
        print("ended", event.account_id)
      end)
    ]], { url = server.url })
    helper.post(served.url, { account_id = "outside" })
    server:wait_request("/outside")
    helper.post(served.url, { account_id = "in place" })
    server:release("/first")
    server:wait_request("/inside")
    server:release("/outside") -- its response arrives while the worker waits for the other
    server:release("/inside")
    helper.wait_lines(served, "stdout", "ended\t[^\n]+\n", 2)
  end)

  it("raise when another one aborts what they wait for", function()
    local server = holding_server()
    local served = serve([[
      local client = palenca.new{api_key = "k", base_url = URL}
      local pager = client.accounts:earnings("cb39ee15-f29f-427d-9119-0c627575610d",
        {start_date = "2024-09-01", end_date = "2026-03-01"})
      palenca.on("login.success", {max_attempts = 1}, function() pager:next() end)
      palenca.on("login.error", function() pager:stop() end)
    ]], { url = server.url })
    helper.post(served.url, { account_id = "waits" })
    server:wait_request("/v1/accounts/cb39ee15-f29f-427d-9119-0c627575610d/earnings/search")
    helper.post(served.url, { account_id = "stops", webhook_action = "login.error" })
    helper.wait_state(served.db, "stops", "done")
    local event = helper.wait_state(served.db, "waits", "dead")
    assert.are.equal("the call was aborted", event.error)
    assert.are.equal(0, served:stop())
  end)

  it("go on after a yield of their own", function()
    local served = serve([[
      palenca.on("*", function(event)
        for i = 1, 3 do coroutine.yield(i) end
        local response = assert(palenca.http{url = URL})
        print("went on", response.status)
      end)
    ]], { url = stage:server().url })
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stdout", "(went on\t200)\n")
    helper.wait_state(served.db, "a", "done")
  end)

  it("cannot end the program", function()
    local served = serve([[
      palenca.on("login.error", function() os.exit(3) end)
      palenca.on("login.success", function() print("still here") end)
    ]])
    helper.post(served.url, { account_id = "a", webhook_action = "login.error" })
    local event = helper.wait_state(served.db, "a", "retry")
    assert.truthy(event.error:find("os.exit is not available", 1, true))
    helper.post(served.url, { account_id = "b" })
    served:wait_output("stdout", "(still here)\n")
    assert.are.equal(0, served:stop())
  end)

  it("may do what they like to their event", function()
    local served = serve([[
      palenca.on("*", function(event)
        for name in pairs(event) do event[name] = nil end
      end)
    ]])
    helper.post(served.url, { account_id = "a" })
    helper.wait_state(served.db, "a", "done")
    served:wait_output("stderr", "(event %d+ +login%.success +uber account a  done)")
  end)

  it("print complete lines from several workers", function()
    local served = serve([[
      local line = ("x"):rep(300)
      palenca.on("*", function(event)
        for i = 1, 500 do print("line", i, line) end
        palenca.log.info{message = "logged", text = line}
        for i = 1, 50 do palenca.log.info{text = line} end
      end)
    ]], { arguments = { "--workers", "4" } })
    for account = 1, 8 do
      helper.post(served.url, { account_id = "a" .. account })
    end
    helper.wait_lines(served, "stderr", "done in", 8)
    assert.are.equal(0, served:stop())
    local count = 0
    for line in served.stdout:gmatch("[^\n]*\n") do
      count = count + 1
      assert.truthy(line:find("^line\t%d+\tx+\n$") and #line >= 306, line)
    end
    assert.are.equal(8 * 500, count)
    local _, logged = served.stderr:gsub("{[^\n]*x+[^\n]*}\n", "")
    assert.are.equal(8 * 51, logged)
  end)

  it("are logged in JSON with --json", function()
    local served = stage:palenca({ "serve", process.write_file(stage:directory() .. "/s.lua", [[
      require "palenca".on("login.error", function() error("oh", 0) end)
    ]]), "--listen", "127.0.0.1:0", "--json", "--db", stage:directory() .. "/e.db" })
    local ready = helper.json.decode(served:wait_output("stderr", "^([^\n]+)\n"))
    assert.are.equal("ready", ready.event)
    assert.are.equal("login.error", ready.handlers)
    helper.post(ready.url, { account_id = "a", webhook_action = "login.error" })
    helper.post(ready.url, { account_id = "b" })
    served:wait_output("stderr", '("account_id":"a"[^\n]*\n)')
    served:wait_output("stderr", '("account_id":"b"[^\n]*\n)')
    assert.are.equal(0, served:stop())
    local entries = {}
    for _, entry in ipairs(helper.lines_of_json(served.stderr)) do
      entries[entry.account_id or entry.event or "end"] = entry
    end
    assert.are.equal("retry", entries.a.state)
    assert.are.equal("oh", entries.a.error)
    assert.are.equal("done", entries.b.state)
    assert.are.equal(0, entries.b.handlers)
  end)
end)
