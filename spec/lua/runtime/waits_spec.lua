--- A sleep is as long as it was asked to be, whatever signals come, but for Ctrl-C; and the wait
-- for another attempt as long as the server has asked.
local helper = require("spec.lua.helper")
local process = require("spec.support.process")
local uv = require("luv")

-- Signals that have a handler, as in a program around the script.
local SIGNALLED = [[
  local uv, palenca, core = require("luv"), require("palenca"), require("palenca.core")
  for _, name in ipairs { "sigchld", "sigwinch" } do
    uv.new_signal():start(name, function() end)
  end
  local child = io.popen("kill -s WINCH $PPID; sleep 0.1; kill -s WINCH $PPID")
  local began = core.steady_time()
  palenca.sleep(0.5)
  print(core.steady_time() - began >= 0.5)
  child:close()
]]

-- A call that is submitted and waited for later.
local BESIDE = [[
  local palenca, runtime = require("palenca"), require("palenca.runtime")
  local core = require("palenca.core")
  local call = runtime.submit { method = "GET", url = %q, timeout = 60 }
  local began = core.steady_time()
  palenca.sleep(0.5)
  print(core.steady_time() - began >= 0.5, runtime.wait(call).status)
]]

local ENDLESS = {
  ["a sleep"] = 'print("asleep") io.stdout:flush() require("palenca").sleep(3600)',
  ["a call"] = [[
    local runtime = require("palenca.runtime")
    local call = runtime.submit { method = "GET", url = %q, timeout = 3600 }
    print("asleep") io.stdout:flush()
    runtime.wait(call)
  ]],
}

-- Prints how long a call took, and what became of it.
local TIMED = [[
  local core, runtime = require("palenca.core"), require("palenca.runtime")
  local began = core.steady_time()
  local result = runtime.wait(runtime.submit {
    method = "GET", url = %q, timeout = 60, max_retries = 1, idempotent = true, proxy = "",
    rate_limit_key = "k", rate_limit = 100, deadline = 40,
  })
  print(core.steady_time() - began, result.status, result.attempts)
]]

local WAIT = 2

-- What a server that limits sends at a time of its clock, in each form.
local forms = {
  ["a date of RFC 9110"] = function(time)
    return os.date("!Retry-After: %a, %d %b %Y %H:%M:%S GMT", time + WAIT)
  end,
  ["a date of RFC 850"] = function(time)
    return os.date("!Retry-After: %A, %d-%b-%y %H:%M:%S GMT", time + WAIT)
  end,
  ["a date of asctime"] = function(time)
    local text = os.date("!Retry-After: %a %b %d %H:%M:%S %Y", time + WAIT)
    return (text:gsub("^(Retry%-After: %a+ %a+) 0", "%1  "))
  end,
  ["a fraction of seconds"] = function() return "Retry-After: 1.999" end,
  ["a window that ends"] = function(time)
    return ("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: %d"):format(time + WAIT)
  end,
}

-- A server whose first response is `head`, and the others 200.
local function responding(head)
  local server, count, clients = uv.new_tcp(), 0, {}
  server:bind("127.0.0.1", 0)
  server:listen(8, function()
    local client = uv.new_tcp()
    clients[#clients + 1] = client
    server:accept(client)
    client:read_start(function(_, data)
      if data and data:find("\r\n\r\n", 1, true) then
        count = count + 1
        local response = count == 1 and head() or "HTTP/1.1 200 OK"
        client:write(response .. "\r\nContent-Length: 0\r\n\r\n")
      end
    end)
  end)
  return ("http://127.0.0.1:%d/"):format(server:getsockname().port), function()
    server:close()
    for _, client in ipairs(clients) do
      client:close()
    end
    uv.run("nowait")
  end
end

local function seconds_taken(head)
  local url, close = responding(head)
  finally(close)
  local status, out, err = helper.run(TIMED:format(url))
  assert.equal(0, status, err)
  local seconds = out:match("^(%S+)\t200\t2\n$")
  return tonumber(seconds) or error(out)
end

describe("the wait for another attempt", function()
  for form, header in pairs(forms) do
    it("is as long as " .. form .. " says, by the clock of the server", function()
      local seconds = seconds_taken(function()
        local time = os.time() + 600
        return os.date("!HTTP/1.1 429 Slow\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n", time)
          .. header(time)
      end)
      assert.is_true(seconds >= 1.9 and seconds < 30, seconds)
    end)
  end

  it("does not depend on a clock where Retry-After does not", function()
    local seconds = seconds_taken(function()
      return "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nX-RateLimit-Reset: " .. os.time() + 600
    end)
    assert.is_true(seconds >= 1 and seconds < 30, seconds)
  end)

  it("follows a status that no standard has", function()
    assert.is_true(seconds_taken(function() return "HTTP/1.1 520 Unknown" end) < 30)
  end)
end)

describe("a script that waits", function()
  it("sleeps as long as it said, while signals come", function()
    local status, out, err = helper.run(SIGNALLED)
    assert.same({ 0, "true\n" }, { status, out }, err)
  end)

  it("sleeps as long as it said, while a call gets its response", function()
    local sandbox = helper.sandbox()
    finally(function() sandbox:stop() end)
    local status, out, err = helper.run(BESIDE:format(sandbox.url .. "/sandbox"))
    assert.equal(0, status, err)
    assert.truthy(out:find("^true\t%d+\n$"), out)
  end)

  for what, text in pairs(ENDLESS) do
    it("is ended by Ctrl-C in " .. what, function()
      local silent = uv.new_tcp() -- never responds
      local client = uv.new_tcp()
      silent:bind("127.0.0.1", 0)
      silent:listen(8, function() silent:accept(client) end)
      finally(function()
        silent:close()
        client:close()
        uv.run("nowait")
      end)
      local url = ("http://127.0.0.1:%d/"):format(silent:getsockname().port)
      local script = process.start(uv.exepath(), { "-e", text:format(url) })
      script:wait_output("stdout", "(asleep)")
      script:kill("sigint")
      assert.equal(1, script:wait_exit())
      assert.truthy(script.stderr:find("interrupted!", 1, true), script.stderr)
    end)
  end
end)
