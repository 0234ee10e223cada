--- How many calls an engine has on one HTTP/2 connection: as many as it and the server allow.
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")
local process = require("spec.support.process")

describe("one HTTP/2 connection", function()
  local IN_FLIGHT = 150
  local directory, remove, server

  setup(function() directory, remove = process.directory() end)
  teardown(function()
    server:stop()
    remove()
  end)

  it("takes all calls of an engine that may have more in flight than usual", function()
    local key, certificate = process.certificate(directory)
    server = process.start("node", { "spec/support/http2_server.mjs", key, certificate, "h2:150" })
    local port = server:wait_output("stdout", "ports (%d+) %d+\n")
    local own = calls.new(core.engine { max_in_flight = IN_FLIGHT })
    local statuses = {}

    local function send(page)
      own:submit {
        method = "POST", ca_file = certificate, idempotent = true,
        url = ("https://localhost:%s/hold:%d/1/v1/pages"):format(port, IN_FLIGHT),
        body = ('{"options":{"page":%d}}'):format(page),
      }
    end

    local function finish(count)
      while #statuses < count do
        own:step(10, function(call)
          statuses[#statuses + 1] = call.result.status or call.result.message
        end)
      end
    end

    send(1)
    finish(1)
    for page = 2, IN_FLIGHT + 1 do
      send(page)
    end
    finish(IN_FLIGHT + 1) -- the server responds once all of them are open
    for _, status in ipairs(statuses) do
      assert.equal(200, status)
    end
    process.wait_for(function()
      return select(2, server.stdout:gsub(" POST ", "")) == IN_FLIGHT + 1
    end, "what the server says of the calls")
    local connections = {}
    for connection in server.stdout:gmatch("2%.0 (%d+) POST ") do
      connections[connection] = true
    end
    assert.equal("1", next(connections), server.stdout)
    assert.is_nil(next(connections, "1"))
  end)
end)
