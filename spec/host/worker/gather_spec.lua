--- palenca.gather in handlers of `palenca serve` and in scripts: what it shares with its handler,
-- and how it ends with it.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local PRELUDE = [[
  local palenca, URL = require "palenca", os.getenv "SPEC_URL"
  local gather, sleep = palenca.gather, palenca.sleep
  -- Returns a function that requests a path.
  local function get(path)
    return function()
      local response, err = palenca.http{ url = URL .. path, timeout = 60 }
      return response and response.status, err
    end
  end
  local function never() sleep(3600) print "gone on" end
]]

describe("palenca.gather in a handler", function()
  local stage = helper.stage_for_each()
  local server, met

  before_each(function()
    met = {}
    server = stage:server(function(request)
      if request.path:find("^/meet") then -- neither gets a response before both are here
        met[#met + 1] = request
        if #met == 2 then
          met[1].respond(201, "{}")
          met[2].respond(202, "{}")
          met = {}
        end
      elseif not request.path:find("^/hold") then
        request.respond(200, "{}")
      end
    end)
  end)

  local function serve(text, arguments)
    return stage:serve({ text = PRELUDE .. text, env = { SPEC_URL = server.url },
      arguments = arguments or { "--workers", "1", "--max-attempts", "1" } })
  end

  -- Waits until the requests for a path, as many as there are, are aborted.
  local function wait_aborted(path, count)
    for n = 1, count or 1 do
      process.wait_for(server:wait_request(path, n).is_gone, "a request to be aborted")
    end
  end

  it("has requests in flight at once, while another handler goes on", function()
    local served = serve([[
      palenca.on("login.success", function()
        print(gather(get "/meet", get "/meet", function() sleep(0.01) return "slept" end,
          get "/hold"))
      end)
      palenca.on("login.error", function() print(gather(get "/1", get "/2")) end)
    ]])
    helper.post(served.url, { account_id = "a" })
    local held = server:wait_request("/hold")
    helper.post(served.url, { account_id = "b", webhook_action = "login.error" })
    served:wait_output("stdout", "(200\t200)\n")
    held.respond(203, "{}")
    served:wait_output("stdout", "(20[12]\t20[12]\tslept\t203)\n")
  end)

  it("fails with the error that was raised, and the lines of both functions", function()
    local served = serve([[
      local function within() error "boom" end
      local function outside()
        gather(never, get "/hold", function() get "/go" () within() end) -- called from here
      end
      palenca.on("*", function() outside() end)
    ]])
    helper.post(served.url, { account_id = "a" })
    local event = helper.wait_state(served.db, "a", "dead")
    local file, line = event.error:match("(script%.lua):(%d+): boom$")
    assert.is_truthy(file, event.error)
    wait_aborted("/hold")
    assert.are.equal(0, served:stop())
    local trace = served.stderr
    local inner = trace:find("script.lua:" .. line .. ": in", 1, true)
    local outer = trace:find("script.lua:" .. line + 2 .. ": in", 1, true)
    assert.is_true(inner and outer and inner < outer, trace)
    assert.are.equal("", served.stdout)
  end)

  it("returns nil and the error, and the handler goes on without what was aborted", function()
    local served = serve([[
      palenca.on("*", function()
        print(gather(get "/hold", never, function() get "/go" () return nil, "failed" end))
        print(gather(get "/meet", get "/meet"))
      end)
    ]])
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stdout", "nil\tfailed\n(20[12]\t20[12])\n")
    wait_aborted("/hold")
  end)

  it("ends when the handler times out", function()
    local served = serve([[
      palenca.on("*", { timeout = 0.2 }, function()
        gather(get "/hold", never, function() gather(get "/hold", never) end)
      end)
      palenca.on("login.error", function() end)
    ]])
    helper.post(served.url, { account_id = "a" })
    local event = helper.wait_state(served.db, "a", "dead")
    assert.are.equal("timed out after 0.2 s", event.error)
    wait_aborted("/hold", 2)
    assert.are.equal(0, served:stop())
  end)

  local stopped = {
    ["computes for too long"] = { "while true do end", "stopped after 0.1 s of CPU time" },
    ["catches every error"] = { "while true do pcall(error) end",
      "stopped after 0.1 s of CPU time" },
    ["fills the memory"] = { [[local t = {} while true do t[#t + 1] = ("x"):rep(100000) .. #t end]],
      "not enough memory", 5 },
  }
  for what, case in pairs(stopped) do
    it("ends with a function that " .. what .. ", and later ones work", function()
      local served = serve(([[
        palenca.on("login.success", function()
          gather(get "/hold", function() gather(never, function() get "/go" () %s end) end)
        end)
        palenca.on("login.error", function() print(gather(get "/meet", get "/meet")) end)
      ]]):format(case[1]), { "--workers", "1", "--max-attempts", "1", "--cpu-timeout",
        tostring(case[3] or 0.1), "--memory-limit", "64" })
      helper.post(served.url, { account_id = "a" })
      local event = helper.wait_state(served.db, "a", "dead")
      assert.truthy(event.error:find(case[2], 1, true), event.error)
      wait_aborted("/hold")
      helper.post(served.url, { account_id = "b", webhook_action = "login.error" })
      served:wait_output("stdout", "(20[12]\t20[12])\n")
      assert.are.equal(0, served:stop())
    end)
  end

  it("closes variables, but does not wait for them for long", function()
    local served = serve([[
      local function closing(name, seconds)
        return function()
          local guard <close> = setmetatable({}, { __close = function()
            sleep(seconds)
            print("closed", name)
          end })
          never()
        end
      end
      palenca.on("*", function()
        print(gather(closing("short", 0.01), closing("long", 3600),
          function() sleep(0) return nil, "failed" end))
      end)
    ]])
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stdout", "^closed\tshort\n(nil\tfailed)\n")
    assert.are.equal(0, served:stop())
  end)

  it("ends when the program does", function()
    local served = serve([[
      palenca.on("*", function() gather(get "/hold", never) end)
    ]], { "--workers", "1", "--drain-timeout", "0" })
    helper.post(served.url, { account_id = "a" })
    server:wait_request("/hold")
    assert.are.equal(0, served:stop())
    wait_aborted("/hold")
  end)

  it("works while a script is loaded, and in palenca run", function()
    local text = 'print(gather(get "/meet", get "/meet", function() sleep(0.01) return 1 end))'
    local served = serve(text .. ' palenca.on("*", function() end)')
    served:wait_output("stdout", "(20[12]\t20[12]\t1)\n")
    local script = process.write_file(stage:directory() .. "/run.lua", PRELUDE .. text
      .. 'print(gather(get "/hold", never, function() get "/go" () return nil, "failed" end))')
    local ran = stage:palenca({ "run", script }, { env = { SPEC_URL = server.url } })
    assert.are.equal(0, ran:wait_exit())
    assert.truthy(ran.stdout:find("^20[12]\t20[12]\t1\nnil\tfailed\n$"), ran.stdout)
    wait_aborted("/hold")
  end)

  it("keeps nothing of many", function()
    local served = serve([[
      local function round()
        for _ = 1, 200 do
          gather(get "/a", get "/b")
          gather(never, function() sleep(0) return nil, "failed" end)
        end
        collectgarbage() collectgarbage()
        return collectgarbage "count"
      end
      palenca.on("*", function()
        local before = round()
        print("more", round() - before < 50)
      end)
    ]])
    helper.post(served.url, { account_id = "a" })
    assert.are.equal("true", served:wait_output("stdout", "more\t(%a+)\n"))
  end)
end)
