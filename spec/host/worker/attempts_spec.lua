--- How often a handler is tried, how long it may take, and when it comes again.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("an attempt", function()
  local stage = helper.stage_for_each()

  local function serve(text, options)
    options = options or {}
    options.text = 'local palenca, URL = require "palenca", os.getenv "SPEC_URL"\n' .. text
    options.env = options.env or {}
    options.env.SPEC_URL = options.url
    options.arguments = options.arguments or { "--workers", "1" }
    return stage:serve(options)
  end

  local function silent_server()
    return stage:server(function() end)
  end

  it("is made as often as the handler says, else as --max-attempts says", function()
    local served = serve([[
      palenca.on("login.success", {max_attempts = 2, retry_wait = 0.01}, function() error "no" end)
      palenca.on("login.error", {retry_wait = 0.01}, function() error "no" end)
    ]], { arguments = { "--max-attempts", "3" } })
    helper.post(served.url, { account_id = "own" })
    helper.post(served.url, { account_id = "option", webhook_action = "login.error" })
    assert.are.equal(2, helper.wait_state(served.db, "own", "dead").attempts)
    assert.are.equal(3, helper.wait_state(served.db, "option", "dead").attempts)
    assert.are.equal(0, served:stop())
  end)

  it("is not made if fewer are allowed now, and the error of the last one stays", function()
    local text = [[
      palenca.on("*", {retry_wait = 0.01}, function(event)
        print "attempted"
        error(setmetatable({ retry_after = event.attempt == 3 and 1 or 0 },
          { __tostring = function() return "own error " .. event.attempt end }))
      end)
    ]]
    local served = serve(text)
    helper.post(served.url, { account_id = "a" })
    local event
    helper.ask_until(function()
      event = helper.wait_state(served.db, "a", "retry")
      return event.attempts == 3
    end, "the third attempt")
    assert.are.equal(0, served:stop())
    local again = serve(text, { db = served.db, arguments = { "--max-attempts", "2" } })
    event = helper.wait_state(again.db, "a", "dead")
    assert.truthy(event.error:find("^own error 3, at [^\n:]+%.lua:%d+$"), event.error)
    assert.truthy(again.stderr:find("max_attempts (2) reached: the process died during the last "
      .. "attempt", 1, true), again.stderr)
    assert.are.equal(0, again:stop())
    assert.are.equal("", again.stdout)
  end)

  -- As text, and as JSON.
  local function show(served, account)
    local id = ("%d"):format(helper.wait_state(served.db, account, "done").id)
    local status, out, err = process.run(process.program(), { "events", "show", id, "--db",
      served.db })
    assert.are.equal(0, status, err)
    local _, json = process.run(process.program(), { "events", "show", id, "--json", "--db",
      served.db })
    return out, helper.json.decode(json).history
  end

  it("is stored with its time, its error and what its handlers have logged", function()
    local served = serve([[
      palenca.on("*", {retry_wait = 0.01}, function(event)
        print("attempt", event.attempt, nil)
        palenca.gather(function() palenca.sleep(0.05) print "in a branch" end)
        if event.attempt == 1 then error "first\nand more" end
        palenca.log.info { attempt = event.attempt, tax_id = "XEXX010101000" }
      end)
      palenca.on("*", function() print "of another handler\27[31m" end)
    ]])
    helper.post(served.url, { account_id = "a" })
    local text, history = show(served, "a")
    assert.are.equal(2, #history)
    local first, second = history[1], history[2]
    assert.are.same({ "retry", 1, 0, 0 },
      { first.outcome, first.attempt, first.replay, first.lines_left_out })
    assert.are.same({ "attempt\t1\tnil", "in a branch" }, first.lines)
    assert.truthy(first.error:find("first\nand more", 1, true), first.error)
    assert.truthy(first.ms >= 50 and first.started_at:find("^2"), first.started_at)
    assert.are.same({ "done", 2, 4 }, { second.outcome, second.attempt, #second.lines })
    assert.truthy(second.lines[3]:find('"attempt":2,"tax_id":"[identity number]"', 1, true)
      or second.lines[3]:find('"tax_id":"[identity number]","attempt":2', 1, true),
      second.lines[3])
    assert.are.equal("of another handler\\x1b[31m", second.lines[4])
    assert.is_nil(second.error)
    assert.truthy(text:find("\nattempt 1    2[%d%-]+T[%d:.]+Z  retry after 0%.%d+ s: .*first\n"
      .. (" "):rep(13) .. "and more\n" .. (" "):rep(13) .. "| attempt\t1\tnil\n"), text)
    assert.are.equal(0, served:stop())
    assert.truthy(served.stdout:find("attempt\t1\tnil\nin a branch\n", 1, true), served.stdout)
  end)

  it("keeps the last of many lines, and of long ones", function()
    local served = serve([[
      palenca.on("*", function(event)
        if event.account_id == "many" then
          for i = 1, 120 do print(i) end
          print "several\n\nlines"
        else
          for _ = 1, 9 do print(("x"):rep(5000)) end
          if event.account_id == "escaped" then print(("\1"):rep(5000)) end
        end
      end)
    ]])
    helper.post(served.url, { account_id = "many" })
    helper.post(served.url, { account_id = "long" })
    local text, history = show(served, "many")
    local many = history[1]
    assert.are.same({ 50, 73, "74", "120", "several", "", "lines" }, { #many.lines,
      many.lines_left_out, many.lines[1], table.unpack(many.lines, 47) })
    assert.truthy(text:find("| […] (73 lines are left out)\n", 1, true), text)
    local long = select(2, show(served, "long"))[1]
    assert.are.same({ 3, 6 }, { #long.lines, long.lines_left_out })
    assert.truthy(long.lines[3]:find("^x+ %[…%] %(truncated: 5000 bytes%)$"))
    helper.post(served.url, { account_id = "escaped" })
    local escaped = select(2, show(served, "escaped"))[1]
    assert.are.same({ 1, 9 }, { #escaped.lines, escaped.lines_left_out })
    assert.truthy(escaped.lines[1]:find("^\\x01.*\\x01 %[…%] %(truncated: 5000 bytes%)$"))
    assert.are.equal(0, served:stop())
  end)

  it("is made as often as the strictest of several handlers allows", function()
    local served = serve([[
      palenca.on("*", {max_attempts = 2, retry_wait = 0.01}, function(event)
        print("first", event.attempt)
      end)
      palenca.on("*", {max_attempts = 5, retry_wait = 0.01}, function() error "second" end)
    ]], { env = { PALENCA_MAX_ATTEMPTS = "7" } })
    helper.post(served.url, { account_id = "a" })
    assert.are.equal(2, helper.wait_state(served.db, "a", "dead").attempts)
    assert.are.equal("first\t1\nfirst\t2\n", served.stdout)
    assert.are.equal(0, served:stop())
  end)

  it("comes as late as the error asks for, and in growing waits otherwise", function()
    local _, url, key = stage:sandbox({ "--fault", "error,status=503,retry_after=900" })
    local served = serve([[
      local client = palenca.new{max_retries = 0}
      palenca.on("login.success", function() assert(client.users:get(
        "00000000-0000-4000-8000-000000000000")) end)
      palenca.on("login.created", {retry_wait = 40}, function() error("plain", 0) end)
      palenca.on("login.error", function() error({retry_after = 1e9}) end)
      palenca.on("login.incomplete", function()
        error(setmetatable({}, {__index = function() error "no field" end}))
      end)
    ]], { env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = key } })
    local waits = {}
    for action, bounds in pairs({
      ["login.success"] = { 900, 990 },
      ["login.created"] = { 35, 45 },
      ["login.error"] = { 86400, 95041 },
      ["login.incomplete"] = { 4, 6 },
    }) do
      helper.post(served.url, { account_id = action, webhook_action = action })
      waits[action] = tonumber(served:wait_output("stderr",
        "account " .. action .. "  FAILED %(attempt 1%), next attempt in (%d+) s"))
      assert.is_true(waits[action] >= bounds[1] and waits[action] <= bounds[2],
        action .. ": " .. waits[action])
    end
    assert.are.equal(0, served:stop())
  end)

  it("comes after --retry-wait where neither the handler nor the error says when", function()
    local served = serve([[
      palenca.on("login.success", function() error "no" end)
      palenca.on("login.created", {retry_wait = 40}, function() error "no" end)
    ]], { env = { PALENCA_RETRY_WAIT = "7" }, arguments = { "--retry-wait", "400" } })
    for action, bounds in pairs({
      ["login.success"] = { 350, 450 },
      ["login.created"] = { 35, 45 },
    }) do
      helper.post(served.url, { account_id = action, webhook_action = action })
      local wait = tonumber(served:wait_output("stderr",
        "account " .. action .. "  FAILED %(attempt 1%), next attempt in (%d+) s"))
      assert.is_true(wait >= bounds[1] and wait <= bounds[2], action .. ": " .. wait)
    end
    assert.are.equal(0, served:stop())
  end)

  it("#file comes at once, and what is behind it, if its time is too far off", function()
    local served = serve([[
      palenca.on("*", function(event)
        if event.account_id == "wished" then error({retry_after = 1e9}) end
        error "no"
      end)]])
    helper.post(served.url, { account_id = "wished" })
    helper.post(served.url, { account_id = "a" })
    helper.wait_state(served.db, "wished", "retry")
    helper.wait_state(served.db, "a", "retry")
    assert.are.equal(0, served:stop())
    -- as if it had been written before the clock was set back by ten years
    helper.change_database(served.db,
      "UPDATE events SET due_at = due_at + 10 * 366 * 86400000 WHERE account_id = 'a'")
    served = serve([[palenca.on("*", function(event) print(event.account_id, event.attempt) end)]],
      { directory = served.directory, db = served.db })
    helper.post(served.url, { account_id = "a" })
    helper.wait_lines(served, "stdout", "a\t%d\n", 2)
    assert.are.equal("a\t2\na\t1\n", served.stdout)
    assert.are.equal("retry", helper.wait_state(served.db, "wished", "retry").state)
    assert.are.equal(0, served:stop())
  end)

  local waits = {
    ["a call"] = "palenca.http{url = URL .. '/held'}",
    sleep = "palenca.sleep(3600)",
    ["a call where nothing can yield"] = [[
      table.sort({3, 1, 2}, function(a, b)
        palenca.http{url = URL .. "/held"}
        return a < b
      end)]],
    ["a sleep in a coroutine of its own"] = [[
      coroutine.wrap(function() palenca.sleep(3600) end)()]],
    ["many short sleeps"] = "while true do palenca.sleep(0.001) end",
    ["nothing but its turn"] = "while true do coroutine.yield() end",
  }
  for name, code in pairs(waits) do
    it("that waits too long is ended, and made again: " .. name, function()
      local served = serve(string.format([[
        palenca.on("*", {timeout = 0.2, retry_wait = 0.01}, function(event)
          if event.attempt == 1 then
            local guard <close> = setmetatable({}, {__close = function() print "closed" end})
            %s
            print "not reached"
          end
          print "again"
        end)
      ]], code), { url = silent_server().url })
      helper.post(served.url, { account_id = "a" })
      served:wait_output("stderr",
        "FAILED %(attempt 1%), next attempt in [^\n]*: timed out after 0%.2 s\n")
      local event = helper.wait_state(served.db, "a", "done")
      assert.are.same({ 2, "timed out after 0.2 s" }, { event.attempts, event.error })
      assert.are.equal("closed\nagain\n", served.stdout)
      assert.are.equal(0, served:stop())
    end)
  end

  it("that is ended aborts its call, and the requests sent ahead", function()
    local server = silent_server()
    -- on a busy machine the first ones may be over before they have come to call
    local served = serve([[
      palenca.on("*", {timeout = 0.2, max_attempts = 1000, retry_wait = 0.01}, function(event)
        palenca.http{url = URL .. "/" .. event.attempt}
      end)
    ]], { url = server.url, arguments = { "--workers", "1", "--drain-timeout", "0" } })
    helper.post(served.url, { account_id = "a" })
    process.wait_for(function()
      return server.requests[1]
    end, "a call")
    local request = server.requests[1]
    -- the connection of a call that is given up is closed; one with a response would be kept open
    process.wait_for(request.is_gone, "the connection to be closed")
    served:wait_output("stderr", "FAILED %(attempt " .. request.path:sub(2)
      .. "%), next attempt in [^\n]*: timed out after 0%.2 s\n")
    assert.are.equal(0, served:stop())
  end)

  it("has a time for each handler, and does not hold up others meanwhile", function()
    local server = silent_server()
    local served = serve([[
      palenca.on("login.success", {timeout = 3600}, function(event) print "first" end)
      palenca.on("login.success", {timeout = 2, max_attempts = 1}, function()
        palenca.http{url = URL}
      end)
      palenca.on("login.error", function() print "other" end)
    ]], { url = server.url })
    helper.post(served.url, { account_id = "a" })
    server:wait_request("/")
    helper.post(served.url, { account_id = "b", webhook_action = "login.error" })
    served:wait_output("stdout", "(first\nother\n)")
    helper.wait_state(served.db, "a", "dead")
    assert.are.equal(0, served:stop())
  end)

  it("is ended after --handler-timeout, even if a to-be-closed variable cannot wait", function()
    local served = serve([[
      palenca.on("*", {max_attempts = 1}, function()
        local guard <close> = setmetatable({}, {__close = function()
          print(pcall(palenca.sleep, 3600))
        end})
        palenca.sleep(3600)
      end)
    ]], { arguments = { "--handler-timeout", "0.1" } })
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stdout", "(false\ttimed out after 1 s)\n")
    assert.are.equal("timed out after 0.1 s", helper.wait_state(served.db, "a", "dead").error)
    assert.are.equal(0, served:stop())
  end)

  it("has no limits that make no sense", function()
    for _, arguments in ipairs({ { "--max-attempts", "0" }, { "--handler-timeout", "0" },
      { "--handler-timeout", "86401" }, { "--max-attempts", "many" } }) do
      local status, _, err = process.run(process.program(),
        { "serve", "script.lua", table.unpack(arguments) })
      assert.are.equal(2, status)
      assert.truthy(err:find(arguments[1], 1, true), err)
    end
  end)
end)
