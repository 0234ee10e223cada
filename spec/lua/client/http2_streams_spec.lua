--- How the calls of an engine are spread over HTTP/2 connections: as many on each as it and the
-- server allow.
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")
local process = require("spec.support.process")

describe("HTTP/2 connections", function()
  local directory, remove, key, certificate, server, port, engine, own

  setup(function()
    directory, remove = process.directory()
    key, certificate = process.certificate(directory)
  end)
  teardown(function() remove() end)

  local function start(streams, options)
    server = process.start("node",
      { "spec/support/http2_server.mjs", key, certificate, "h2:" .. streams })
    port = server:wait_output("stdout", "ports (%d+) %d+\n")
    engine = core.engine(options)
    own = calls.new(engine)
  end

  after_each(function()
    engine:close()
    server:stop()
  end)

  -- The server responds to pages behind the first once `held` of them are open.
  local function send(page, held, more)
    local request = {
      method = "POST", ca_file = certificate, idempotent = true,
      url = ("https://localhost:%s/hold:%d/1/v1/pages"):format(port, held),
      body = ('{"options":{"page":%d}}'):format(page),
    }
    for name, value in pairs(more or {}) do
      request[name] = value
    end
    own:submit(request)
  end

  local ESTABLISHED, SYN_SENT = "01", "02"

  -- Connections to the server that are open or being opened. The system's list has some of them
  -- twice if others come and go while it is read.
  local function connections_now()
    local ports, count = {}, 0
    for line in io.lines("/proc/net/tcp") do
      local from, to, state = line:match("^ *%d+: %x+:(%x+) %x+:(%x+) (%x+)")
      if to and tonumber(to, 16) == tonumber(port)
        and (state == ESTABLISHED or state == SYN_SENT) and not ports[from]
      then
        ports[from], count = true, count + 1
      end
    end
    return count
  end

  -- Returns how many connections there were at once.
  local function finish(count)
    local statuses, at_once = {}, 0
    while #statuses < count do
      own:step(10, function(call)
        statuses[#statuses + 1] = call.result.status or call.result.message
      end)
      at_once = math.max(at_once, connections_now())
    end
    for _, status in ipairs(statuses) do
      assert.equal(200, status)
    end
    return at_once
  end

  -- The numbers of those that the calls came on, which are `count` in all.
  local function used_by(count)
    process.wait_for(function()
      return select(2, server.stdout:gsub(" POST ", "")) == count
    end, "what the server says of the calls")
    local numbers = {}
    for number in server.stdout:gmatch("2%.0 (%d+) POST ") do
      numbers[tonumber(number)] = true
    end
    return numbers
  end

  it("take all calls of an engine that may have more in flight than usual", function()
    local in_flight = 150
    start(in_flight, { max_in_flight = in_flight })
    send(1, in_flight)
    finish(1)
    for page = 2, in_flight + 1 do
      send(page, in_flight)
    end
    assert.equal(1, finish(in_flight), server.stdout)
    assert.same({ true }, used_by(in_flight + 1), server.stdout)
  end)

  -- The server responds once there are two pages on each of the four that there may be.
  it("are four at most for pages that share them, while another server is connected to", function()
    local shared = { group = 1, share_connection = true }
    start(2)
    send(1, 8, shared)
    finish(1)
    for page = 2, 17 do
      send(page, 8, shared)
    end
    engine:step(0)
    assert.is_true(engine:preconnect({ method = "GET", url = "https://127.0.0.1:9/" }, 60))
    assert.equal(4, finish(16), server.stdout)
  end)
end)
