--- `palenca serve` short of memory: what there is no memory for is rejected, and it goes on.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local SENDERS = 300

-- 60 kB, all of which has to be decoded to be understood.
local function large_body(account)
  return ('{"data":{"webhook_action":"login.success","account_id":"%s","%s":1}}')
    :format(account, ("\\u00e9"):rep(10000))
end

describe("palenca serve, short of memory,", function()
  local stage = helper.stage_for_each()

  -- Serves, and lets the program have so much more memory than it has now. All of its threads share
  -- what they free, so that nothing is kept for one of them.
  local function serve_with(spare)
    local served = stage:serve({
      arguments = { "--request-timeout", "60" }, env = { MALLOC_ARENA_MAX = "1" },
    })
    local status = helper.read_file("/proc/" .. served.pid .. "/status")
    local limit = tonumber(status:match("VmSize:%s*(%d+)")) * 1024 + spare * 1024 * 1024
    assert.are.equal(0, (process.run("/usr/bin/env",
      { "prlimit", "--pid", tostring(served.pid), "--as=" .. limit })))
    return served
  end

  -- All bodies are nearly there before the first of them is complete.
  local function send_large_bodies(served)
    local connections = {}
    for i = 1, SENDERS do
      local body = large_body("account-" .. i)
      connections[i] = stage:connect(served.url):send(("POST /webhooks/palenca HTTP/1.1\r\n"
        .. "Host: spec\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body:sub(1, -2)))
    end
    for _, connection in ipairs(connections) do
      connection:send("}")
    end
    return connections
  end

  -- With sanitizers a program cannot be kept short: they reserve terabytes.
  for _, spare in ipairs(helper.sanitized and {} or { 2, 4, 6, 8, 10, 12 }) do
    it("survives " .. SENDERS .. " bodies of 60 kB, with " .. spare .. " MiB left", function()
      local served = serve_with(spare)
      local statuses = { [200] = 0, [503] = 0 }
      for _, connection in ipairs(send_large_bodies(served)) do
        local response = assert(connection:response(), "no response")
        statuses[response.status] = (statuses[response.status] or 0) + 1
        connection:close()
      end
      assert.are.same({ [200] = statuses[200], [503] = SENDERS - statuses[200] }, statuses)
      assert.is_true(statuses[503] > 0)
      helper.ask_until(function() -- the memory of those connections
        assert.is_nil(served.code, "it has crashed")
        local response = http.request("POST", served.url, helper.body({ account_id = "next" }))
        return response and response.status == 200
      end, "a body to be taken")
      assert.are.equal(statuses[200] + 1, #helper.events(served.db, { "--limit", "1000" }))
      assert.are.equal(0, (served:stop()))
    end)
  end
end)
