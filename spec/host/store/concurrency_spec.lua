--- How many events of an action run at once in `palenca serve`, over all its workers.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("a concurrency of an action's own", function()
  local stage = helper.stage_for_each()

  -- Requests of handlers stay open until the spec responds.
  local function serve(text, options)
    options = options or {}
    local server = stage:server(function() end)
    local served = stage:serve({
      text = 'local palenca, URL = require "palenca", os.getenv "SPEC_URL"\n' .. text,
      env = { SPEC_URL = server.url },
      arguments = options.arguments or { "--workers", "2" },
    })
    return served, server
  end

  -- Once an event of another action has run, all that could start before has started.
  local function pass_by(served, name)
    helper.post(served.url, { account_id = name, webhook_action = "login.created" })
    served:wait_output("stdout", "(passed " .. name .. ")\n")
    helper.wait_state(served.db, name, "done")
  end

  it("bounds the events it fits over all workers, and lets others go on", function()
    local served, server = serve([[
      palenca.on("login.success", {concurrency = 3}, function(event)
        palenca.http{url = URL .. "/held"}
        print("handled " .. event.account_id .. " " .. event.external_id)
      end)
      palenca.on("login.created", function(event) print("passed " .. event.account_id) end)
    ]])
    for i = 1, 8 do
      helper.post(served.url, { account_id = "a" .. (i - 1) % 4 + 1, external_id = tostring(i) })
    end
    server:wait_request("/held", 3)
    pass_by(served, "one")
    pass_by(served, "two")
    assert.are.equal(3, #server.requests)
    for i = 1, 8 do
      server:wait_request("/held", i).respond(200, "{}")
      helper.wait_lines(served, "stdout", "handled", i)
      server:wait_request("/held", math.min(i + 3, 8))
      assert.are.equal(math.min(i + 3, 8), #server.requests)
    end
    local last = {}
    for account, number in served.stdout:gmatch("handled (%w+) (%d+)") do
      assert.is_true(tonumber(number) > (last[account] or 0), served.stdout)
      last[account] = tonumber(number)
    end
    assert.are.equal(0, served:stop())
  end)

  it("releases a slot after a failure, a timeout, and with a worker that is replaced", function()
    local served, server = serve([[
      palenca.on("login.error", {timeout = 0.3}, function() palenca.sleep(3600) end)
      palenca.on("login.*", {concurrency = 1, max_attempts = 1}, function(event)
        palenca.http{url = URL .. "/" .. event.account_id}
        if event.account_id == "failing" then error("no", 0) end
        if event.account_id == "breaking" then string.format = nil end
      end)
    ]], { arguments = { "--workers", "2", "--drain-timeout", "0" } })
    local function respond(account)
      server:wait_request("/" .. account).respond(200, "{}")
    end
    for _, account in ipairs({ "failing", "late", "breaking", "last" }) do
      helper.post(served.url, { account_id = account,
        webhook_action = account == "late" and "login.error" or "login.success" })
    end
    respond("failing")
    helper.wait_state(served.db, "failing", "dead")
    local event = helper.wait_state(served.db, "late", "dead")
    assert.are.equal("timed out after 0.3 s", event.error)
    respond("breaking")
    served:wait_output("stderr", "(worker failed)")
    respond("last")
    helper.wait_state(served.db, "last", "done")
    assert.are.equal(0, served:stop())
  end)

  it("is what the script says that was loaded last", function()
    local text = [[
      local palenca = require "palenca"
      palenca.on("login.success", {concurrency = %d}, function(event)
        palenca.http{url = os.getenv "SPEC_URL" .. "/held"}
      end)
      palenca.on("login.created", function(event) print("passed " .. event.account_id) end)
    ]]
    local served, server = serve(text:format(1), { arguments = { "--workers", "1" } })
    for i = 1, 4 do
      helper.post(served.url, { account_id = "a" .. i })
    end
    server:wait_request("/held", 1)
    pass_by(served, "one")
    assert.are.equal(1, #server.requests)
    process.write_file(served.directory .. "/script.lua", text:format(2))
    served:kill("sighup")
    served:wait_output("stderr", "(reloaded)")
    -- the version before has its last event still, and the narrower bound with it
    pass_by(served, "two")
    assert.are.equal(1, #server.requests)
    server.requests[1].respond(200, "{}")
    server:wait_request("/held", 3)
    pass_by(served, "three")
    assert.are.equal(3, #server.requests)
    for i = 2, 4 do
      server:wait_request("/held", i).respond(200, "{}")
    end
    assert.are.equal(0, served:stop())
  end)
end)
