--- A sleep is as long as it was asked to be, whatever signals come; but Ctrl-C ends it.
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

describe("a script that waits", function()
  it("sleeps as long as it said, while signals come", function()
    local status, out, err = helper.run(SIGNALLED)
    assert.same({ 0, "true\n" }, { status, out }, err)
  end)

  it("sleeps as long as it said, while a call is answered", function()
    local sandbox = helper.sandbox()
    finally(function() sandbox:stop() end)
    local status, out, err = helper.run(BESIDE:format(sandbox.url .. "/sandbox"))
    assert.equal(0, status, err)
    assert.truthy(out:find("^true\t%d+\n$"), out)
  end)

  for what, text in pairs(ENDLESS) do
    it("is ended by Ctrl-C in " .. what, function()
      local silent = uv.new_tcp() -- never answers
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
