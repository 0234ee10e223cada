--- Connections of `palenca serve` whose other end is slow, stubborn or away, or many.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local LINE = "POST /webhooks/palenca HTTP/1.1\r\nHost: spec\r\n"

local function whole(body)
  body = body or helper.body()
  return LINE .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

describe("the receiver's connections:", function()
  local stage = helper.stage_for_each()

  local function serve(...)
    return stage:serve({ text = "", arguments = { ... } })
  end

  local function memory(pid)
    return tonumber(helper.read_file("/proc/" .. pid .. "/status"):match("VmRSS:%s*(%d+)"))
  end

  it("what arrived while the process was stopped for longer than its timeouts is taken", function()
    local served = serve("--request-timeout", "0.3", "--idle-timeout", "0.3")
    -- one that is new, one whose request has started, and one that is kept
    local new = stage:connect(served.url):wait_connected()
    local body = helper.body() .. (" "):rep(50000)
    local partial = stage:connect(served.url):send(LINE)
    local kept = stage:connect(served.url)
    assert.are.equal(200, kept:send(whole()):response().status)
    served:kill("sigstop")
    new:send(whole())
    partial:send("Content-Length: " .. #body .. "\r\n\r\n" .. body)
    kept:send(whole())
    uv.run("nowait")
    uv.sleep(1000) -- all of the timeouts
    served:kill("sigcont")
    for _, connection in ipairs({ new, partial, kept }) do
      local response = connection:response()
      assert.are.equal(200, response and response.status)
    end
    assert.are.equal(0, served:stop())
  end)

  it("a client that ends its sending gets its responses", function()
    local served = serve()
    local connection = stage:connect(served.url):wait_connected()
    connection.socket:write(whole() .. whole())
    connection.socket:shutdown()
    assert.are.equal(200, connection:response().status)
    assert.are.equal(200, connection:response().status)
    connection:wait_end()
    -- and one that ends in the middle of a request is let go
    local before = #helper.events(served.db)
    local half = stage:connect(served.url):wait_connected()
    half.socket:write(whole():sub(1, -2))
    half.socket:shutdown()
    half:wait_end()
    assert.are.equal("", half.received)
    assert.are.equal(before, #helper.events(served.db))
    assert.are.equal(0, served:stop())
  end)

  it("a rejection reaches a client that goes on sending for a long time", function()
    local served = serve()
    for _, start in ipairs({ "Content-Length: 50000000\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\n2faf080\r\n" })
    do
      local connection = stage:connect(served.url):send(LINE .. start)
      for _ = 1, 200 do -- 20 MB
        connection.socket:write((" "):rep(100000))
      end
      local response = connection:response()
      assert.are.equal(413, response and response.status)
      connection:wait_end()
      connection:close()
    end
    served:wait_output("stderr", "(413 %(the body is too large%))")
    assert.are.equal(0, served:stop())
  end)

  it("a client that reads nothing is read no further, and let go in time", function()
    local served = serve("--idle-timeout", "2")
    local good = stage:connect(served.url)
    assert.are.equal(200, good:send(whole()):response().status)
    local descriptors, before = helper.descriptors(served.pid), memory(served.pid)
    -- its buffers are full when it has sent some of this
    local unread = (LINE .. "Content-Length: 2\r\n\r\n{}"):rep(20000)
    local stubborn = stage:connect(served.url):wait_connected()
    stubborn.socket:read_stop()
    for _ = 1, 20 do
      stubborn.socket:write(unread)
    end
    local left
    helper.ask_until(function()
      assert.are.equal(200, good:send(whole()):response().status)
      local queued = stubborn.socket:write_queue_size()
      local is_open = helper.descriptors(served.pid) > descriptors
      left = is_open and queued or left
      return not is_open
    end, "the end of a client that does not read")
    if not helper.sanitized then
      assert.is_true(memory(served.pid) - before < 4096)
    end
    assert.is_true(left > 0)
    assert.are.equal(0, served:stop())
  end)

  it("pipelined requests get their responses in order, however they are split", function()
    local served = serve()
    local bytes, count = {}, 60
    for i = 1, count do
      bytes[i] = i % 3 == 0 and whole("{}") or whole()
    end
    bytes = table.concat(bytes)
    for _, size in ipairs({ #bytes, 16384, 1000, 77 }) do
      local connection = stage:connect(served.url):wait_connected()
      connection.socket:nodelay(true)
      for at = 1, #bytes, size do
        connection:send(bytes:sub(at, at + size - 1))
        uv.run("nowait")
      end
      for i = 1, count do
        assert.are.equal(i % 3 == 0 and 400 or 200, connection:response().status)
      end
      connection:close()
    end
    assert.are.equal(0, served:stop())
  end)

  it("HTTP/1.0 is kept open only if it asks for that", function()
    local served = serve()
    local old = whole():gsub("HTTP/1.1", "HTTP/1.0", 1)
    local connection = stage:connect(served.url):send(old)
    local response = connection:response()
    assert.are.same({ 200, "close" }, { response.status, response.headers.connection })
    connection:wait_end()
    connection = stage:connect(served.url)
    for _ = 1, 2 do
      response = connection:send((old:gsub("Host", "Connection: keep-alive\r\nHost", 1))):response()
      assert.are.same({ 200, "keep-alive" }, { response.status, response.headers.connection })
    end
    assert.are.equal(0, served:stop())
  end)

  -- {what is sent, before its end; the status; the cause that is logged}
  local LENGTH = "Content-Length: " .. #helper.body() .. "\r\n"
  local forwarded = {
    { "a zero byte in X-Forwarded-For", "X-Forwarded-For: 192.0.2.1\0, 203.0.113.9\r\n", 400,
      "the head holds a control byte" },
    { "a folded X-Forwarded-For", "X-Forwarded-For: 203.0.113.9,\r\n 192.0.2.1\r\n", 400,
      "a header is folded onto a second line" },
    { "X-Forwarded-For folded before its first value", "X-Forwarded-For:\r\n 192.0.2.1\r\n", 400,
      "a header is folded onto a second line" },
    { "a compressed body", "X-Forwarded-For: 192.0.2.1\r\nContent-Encoding: gzip\r\n", 415,
      "the Content-Encoding gzip is not supported" },
  }
  for _, case in ipairs(forwarded) do
    it("rejects " .. case[1] .. ", and logs it", function()
      local served = serve("--allow", "192.0.2.1", "--trusted-proxy", "127.0.0.1")
      local response = http.raw(served.url, LINE .. case[2] .. LENGTH .. "\r\n" .. helper.body())
      assert.are.equal(case[3], response.status)
      assert.are.equal(case[4], helper.json.decode(response.body).error)
      served:wait_output("stderr", "(" .. case[3] .. " %(" .. case[4]:gsub("%p", "%%%0") .. "%))")
      assert.are.equal(0, #helper.events(served.db))
      assert.are.equal(0, served:stop())
    end)
  end

  it("heads and chunked bodies beyond all limits are rejected, and logged", function()
    local served = serve()
    local head = LINE .. "X: " .. ("x"):rep(16384 - #LINE - 10) .. "\r\n\r\n"
    assert.are.equal(431, http.raw(served.url, head).status)
    local chunk = "100000\r\n" .. (" "):rep(1048576) .. "\r\n"
    local body = LINE .. "Transfer-Encoding: chunked\r\n\r\n" .. chunk:rep(5) .. "0\r\n\r\n"
    assert.are.equal(413, http.raw(served.url, body).status)
    for _, line in ipairs({ "431 %(the head of the request is too large%)",
      "413 %(the body is too large%)" }) do
      served:wait_output("stderr", "(" .. line .. ")")
    end
    assert.are.equal(0, served:stop())
  end)

  it("a request that has started and is late gets 408, and what is only idle is closed", function()
    local served = serve("--request-timeout", "0.5", "--idle-timeout", "0.5")
    local silent = stage:connect(served.url):wait_connected()
    local used = stage:connect(served.url):send(whole() .. "\r\n")
    assert.are.equal(200, used:response().status)
    local late = {}
    for at, start in ipairs({ "P", LINE:sub(1, -4), "\r\n", "\r\nP", LINE, whole():sub(1, -2) }) do
      late[at] = stage:connect(served.url):send(start)
    end
    local again = stage:connect(served.url):send(whole() .. "PO")
    assert.are.equal(200, again:response().status)
    late[#late + 1] = again
    for at, connection in ipairs(late) do
      local response = connection:response()
      assert.are.same({ at, 408, "close" }, { at, response and response.status,
        response and response.headers.connection })
      connection:wait_end()
    end
    silent:wait_end()
    used:wait_end()
    assert.are.equal("", silent.received .. used.received)
    served:wait_output("stderr", "(408 %(the request did not arrive in time%))")
    assert.are.equal(0, served:stop())
  end)

  it("without free descriptors, new ones are rejected, and the others are served", function()
    local script = process.write_file(stage:directory() .. "/script.lua", "")
    local served = stage:start("/usr/bin/env", { "prlimit", "--nofile=96", process.program(),
      "serve", script, "--listen", "127.0.0.1:0", "--db", script .. ".db" })
    local url = served:wait_output("stderr", "receiving webhooks at (%S+)")
    local good = stage:connect(url)
    assert.are.equal(200, good:send(whole()):response().status)
    local crowd, rejected = {}, 0
    for i = 1, 100 do
      crowd[i] = stage:connect(url):wait_connected()
    end
    -- the last ones are rejected: there are never more descriptors than that
    while rejected < 20 do
      process.wait_for(function()
        return crowd[#crowd - rejected].ended
      end, "a rejection")
      local response = crowd[#crowd - rejected]:poll()
      assert.are.equal(503, response and response.status)
      rejected = rejected + 1
    end
    served:wait_output("stderr", "(503 %(there are too many open files%))")
    assert.are.equal(200, good:send(whole()):response().status)
    for _, connection in ipairs(crowd) do
      connection:close()
    end
    helper.ask_until(function()
      local next_one = stage:connect(url):send(whole())
      local response = next_one:response()
      next_one:close()
      return response and response.status == 200
    end, "a free descriptor")
    assert.are.equal(0, served:stop())
  end)

  it("ten thousand that are idle take less than 40 MiB in all", function()
    local count = 10000
    local served = serve("--max-connections", "10100", "--idle-timeout", "600", "--request-timeout",
      "600")
    local port = served.url:match(":(%d+)/")
    local crowd = stage:start("/usr/bin/env", { "python3", "spec/support/idle_connections.py", port,
      tostring(count) })
    local word = crowd:wait_output("stdout", "(%l+)")
    if word == "limit" or served.stderr:find("connections only", 1, true) then
      pending("needs the right to open " .. count .. " files")
      return
    end
    local good = stage:connect(served.url)
    assert.are.equal(200, good:send(whole()):response().status)
    if not helper.sanitized then
      assert.is_true(memory(served.pid) < 40 * 1024, memory(served.pid) .. " KiB")
    end
    crowd:stop()
    assert.are.equal(0, served:stop())
  end)
end)
