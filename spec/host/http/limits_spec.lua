--- Wears the limits of `palenca serve` out: slow clients, too many, too large, and good ones amid.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local BODY = helper.body()
local HEAD = "POST /webhooks/palenca HTTP/1.1\r\nHost: spec\r\nContent-Length: "

local function whole(body)
  body = body or BODY
  return HEAD .. #body .. "\r\n\r\n" .. body
end

describe("the receiver's limits:", function()
  local stage, timers

  before_each(function()
    stage, timers = helper.stage(), {}
  end)

  after_each(function()
    for _, timer in ipairs(timers) do
      timer:close()
    end
    stage:clear()
  end)

  local function serve(...)
    -- the same body each time, each time another event
    return stage:serve({ text = "", arguments = { "--redelivery-window", "0", ... } })
  end

  local function ask(connection, bytes)
    return connection:send(bytes or whole()):response()
  end

  local function every(ms, action)
    local timer = uv.new_timer()
    timers[#timers + 1] = timer
    timer:start(ms, ms, action)
  end

  -- A client that goes on sending, a byte at a time, and never comes to an end.
  local function dripping(served, bytes, byte)
    local connection = stage:connect(served.url):send(bytes)
    every(20, function()
      if not connection.ended and not connection.socket:is_closing() then
        connection.socket:write(byte)
      end
    end)
    return connection
  end

  it("clients that drip are disconnected at the deadline of the whole request", function()
    local served = serve("--request-timeout", "1", "--idle-timeout", "30")
    local began = uv.hrtime()
    local head = dripping(served, "POST /webhooks/palenca HTTP/1.1\r\nHost: spec\r\nX: ", "x")
    local body = dripping(served, HEAD .. "60000\r\n\r\n", " ")
    local chunk = dripping(served,
      HEAD:gsub("Content.*", "Transfer-Encoding: chunked\r\n\r\nff\r\n"), " ")
    local line = dripping(served, "POST /", "x")
    local good, responded = stage:connect(served.url), 0
    while not (head.ended and body.ended and chunk.ended and line.ended) do
      assert.are.equal(200, ask(good).status)
      responded = responded + 1
    end
    assert.is_true(uv.hrtime() - began > 0.9e9)
    assert.is_true(responded > 1)
    for _, connection in ipairs({ head, body, chunk, line }) do
      assert.are.equal(408, connection:poll().status)
    end
    assert.are.equal(responded, #helper.events(served.db))
    served:wait_output("stderr", "(from 127.0.0.1: 408 %(the request did not arrive in time%))")
  end)

  it("the deadline begins anew with each request of a connection", function()
    local served = serve("--request-timeout", "4", "--idle-timeout", "30")
    local connection = stage:connect(served.url)
    for _ = 1, 9 do
      connection:send(whole():sub(1, 40))
      uv.run("nowait")
      uv.sleep(500)
      assert.are.equal(200, ask(connection, whole():sub(41)).status)
    end
  end)

  it("a connection that sends nothing is closed, and one that is idle after a while", function()
    local served = serve("--request-timeout", "0.5", "--idle-timeout", "3")
    local idle = stage:connect(served.url)
    assert.are.equal(200, ask(idle).status)
    local silent = stage:connect(served.url):wait_connected()
    silent:wait_end()
    assert.is_false(idle.ended)
    idle:wait_end()
    assert.are.equal("", silent.received .. idle.received)
  end)

  it("clients beyond the number of connections get 503 at once", function()
    local served = serve("--max-connections", "3")
    local open = {}
    for i = 1, 3 do
      open[i] = stage:connect(served.url)
      assert.are.equal(200, ask(open[i]).status)
    end
    for _ = 1, 3 do
      local rejected = stage:connect(served.url) -- and sends nothing
      local response = rejected:response()
      assert.are.equal(503, response.status)
      assert.are.equal("there are too many connections", helper.json.decode(response.body).error)
      rejected:wait_end()
    end
    -- one that sends at once can read the response, too
    assert.are.equal(503, ask(stage:connect(served.url), whole(BODY .. (" "):rep(60000))).status)
    assert.are.equal(200, ask(open[3]).status)
    open[1]:close()
    helper.ask_until(function()
      return ask(stage:connect(served.url)).status == 200
    end, "room for another one")
    served:wait_output("stderr", "(from 127.0.0.1: 503 %(there are too many connections%))")
  end)

  it("connections can be limited for each address", function()
    local served = serve("--max-connections-per-address", "2")
    local function from(address)
      local connection = stage:connect(served.url)
      connection:close()
      connection = setmetatable({ socket = uv.new_tcp(), received = "" }, getmetatable(connection))
      assert(connection.socket:bind(address, 0))
      local port = tonumber(served.url:match(":(%d+)/"))
      connection.socket:connect("127.0.0.1", port, function(problem)
        connection.connected, connection.ended = not problem, problem ~= nil
        connection.socket:read_start(function(_, data)
          connection.received = connection.received .. (data or "")
          connection.ended = not data
        end)
      end)
      stage:at_end(function()
        connection:close()
      end)
      return connection
    end
    local first, second = from("127.0.0.2"), from("127.0.0.2")
    assert.are.equal(200, ask(first).status)
    assert.are.equal(200, ask(second).status)
    assert.are.equal(503, from("127.0.0.2"):response().status)
    assert.are.equal(200, ask(from("127.0.0.3")).status)
    first:close()
    helper.ask_until(function()
      return ask(from("127.0.0.2")).status == 200
    end, "room for another one")
  end)

  it("a thousand idle connections cost little, and good clients are served amid them", function()
    local count = helper.sanitized and 200 or 1000
    local served = serve()
    local function memory()
      return tonumber(helper.read_file("/proc/" .. served.pid .. "/status"):match("VmRSS:%s*(%d+)"))
    end
    local good = stage:connect(served.url)
    assert.are.equal(200, ask(good).status)
    local before, descriptors = memory(), helper.descriptors(served.pid)
    for _ = 1, 2 do
      local open = {}
      for i = 1, count do
        open[i] = stage:connect(served.url)
        if i % 2 == 0 then
          open[i]:send(whole():sub(1, i % #whole()))
        end
      end
      for _, connection in ipairs(open) do
        connection:wait_connected()
      end
      assert.are.equal(200, ask(good).status)
      assert.are.equal(200, ask(stage:connect(served.url)).status)
      if not helper.sanitized then
        assert.is_true(memory() - before < count * 24, memory() - before .. " KiB more")
      end
      for _, connection in ipairs(open) do
        connection:close()
      end
      helper.ask_until(function()
        assert.are.equal(200, ask(good).status)
        return helper.descriptors(served.pid) <= descriptors + 2
      end, "the connections to be closed")
    end
  end)

  it("heads and bodies have the sizes that are set", function()
    local served = serve("--max-body", "200", "--max-header", "1024")
    local connection = stage:connect(served.url)
    assert.are.equal(200, ask(connection, whole(BODY .. (" "):rep(200 - #BODY))).status)
    assert.are.equal(413, ask(connection, whole(BODY .. (" "):rep(201 - #BODY))).status)
    local function with_header(size)
      local start = whole():gsub("\r\n\r\n.*", "\r\nX: ")
      return start .. ("x"):rep(size - #start - 4) .. "\r\n\r\n" .. BODY
    end
    assert.are.equal(200, ask(stage:connect(served.url), with_header(1024)).status)
    assert.are.equal(431, ask(stage:connect(served.url), with_header(1025)).status)
  end)

  it("no 100 is sent for a body that will be rejected", function()
    local served = serve("--max-body", "200")
    local function first_response(head)
      local connection = stage:connect(served.url)
      return ask(connection, head .. "\r\nExpect: 100-continue\r\n\r\n").status
    end
    assert.are.equal(100, first_response(HEAD .. "200"))
    assert.are.equal(413, first_response(HEAD .. "201"))
    assert.are.equal(404, first_response((HEAD .. "200"):gsub("palenca", "else")))
    assert.are.equal(405, first_response((HEAD .. "200"):gsub("POST", "PUT")))
    assert.are.equal(400, first_response(HEAD .. "200\r\nContent-Length: 201"))
  end)

  it("there are no more connections than files that may be open", function()
    local directory = stage:directory()
    local script = process.write_file(directory .. "/script.lua", "")
    local served = stage:start("/bin/sh", { "-c", 'ulimit -n 300; exec "$0" "$@"',
      process.program(), "serve", script, "--listen", "127.0.0.1:0", "--db",
      directory .. "/events.db" })
    local most = tonumber(served:wait_output("stderr",
      "the limit of open files allows (%d+) connections only"))
    local url = served:wait_output("stderr", "receiving webhooks at (%S+),")
    local open = {}
    for i = 1, most + 50 do
      open[i] = stage:connect(url)
    end
    for i = 1, most do
      assert.are.equal(200, ask(open[i]).status)
    end
    assert.are.equal(503, open[most + 1]:response().status)
    assert.are.equal(0, served:stop())
  end)

  for _, case in ipairs({ { "--max-body", "0" }, { "--max-header", "1023" },
    { "--max-header", "big" }, { "--request-timeout", "0" }, { "--idle-timeout", "0" },
    { "--max-connections", "0" }, { "--max-connections-per-address", "x" },
    { "--listen", "nowhere" }, { "--listen", "unix:relative" } })
  do
    it(case[1] .. " " .. case[2] .. " is wrong usage", function()
      local status, _, err = process.run(process.program(),
        { "serve", "script.lua", case[1], case[2] })
      assert.are.equal(2, status)
      assert.truthy(err:find(case[1], 1, true), err)
    end)
  end
end)
