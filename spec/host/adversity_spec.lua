--- What scripts, senders and signals can do at the worst time to `palenca serve`.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

describe("palenca serve", function()
  local stage = helper.stage_for_each()

  -- A pipe with a name: who reads from it waits until it is written to.
  local function fifo()
    local path = stage:directory() .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { path })))
    return path
  end

  local function open_fifo(path)
    local file = assert(io.open(path, "w"))
    file:close()
  end

  local BLOCKING = [[
    local palenca = require "palenca"
    palenca.on("*", function(event)
      if event.account_id == "blocking" then
        print("blocked")
        local file = io.open(os.getenv "SPEC_FIFO")
        file:close()
      end
      print("handled " .. event.account_id)
    end)
  ]]

  -- Serves with a handler that is blocked, and so many events of others behind it.
  local function serve_blocked(workers, others)
    local path = fifo()
    local served = stage:serve({ text = BLOCKING, arguments = { "--workers", workers },
      env = { SPEC_FIFO = path } })
    helper.post(served.url, { account_id = "blocking" })
    served:wait_output("stdout", "(blocked)")
    for i = 1, others do
      helper.post(served.url, { account_id = "other-" .. i })
    end
    return served, path
  end

  local function assert_all_done_at_once(db)
    for _, event in ipairs(helper.events(db)) do
      assert.are.same({ "done", 1 }, { event.state, event.attempts })
    end
  end

  it("lets another worker take over what a blocked one was dealt", function()
    local served, path = serve_blocked("2", 20)
    helper.wait_lines(served, "stdout", "handled other%-%d+\n", 20)
    assert.is_nil(served.stdout:find("handled blocking", 1, true))
    open_fifo(path)
    served:wait_output("stdout", "(handled blocking)")
    assert.are.equal(0, served:stop())
    assert_all_done_at_once(served.db)
  end)

  -- Both workers are kept, each by an event of its own, until the others are dealt to them.
  it("delays only the events that a blocked worker has started", function()
    local gates, path = { fifo(), fifo() }, fifo()
    local served = stage:serve({ text = [[
      local palenca = require "palenca"
      palenca.on("*", function(event)
        local fifo = os.getenv("SPEC_" .. event.account_id:upper())
        if fifo then
          print("blocked " .. event.account_id)
          io.open(fifo):close()
        end
        print("handled " .. event.account_id)
      end)
    ]], arguments = { "--workers", "2" },
      env = { SPEC_GATE1 = gates[1], SPEC_GATE2 = gates[2], SPEC_BLOCKING = path } })
    for i = 1, 2 do
      helper.post(served.url, { account_id = "gate" .. i })
      served:wait_output("stdout", "(blocked gate" .. i .. ")")
    end
    helper.post(served.url, { account_id = "blocking" })
    for i = 1, 20 do
      helper.post(served.url, { account_id = "other-" .. i })
    end
    open_fifo(gates[1])
    open_fifo(gates[2])
    helper.wait_lines(served, "stdout", "handled other%-%d+\n", 20)
    served:wait_output("stdout", "(blocked blocking)")
    assert.is_nil(served.stdout:find("handled blocking", 1, true))
    open_fifo(path)
    assert.are.equal(0, served:stop())
    assert_all_done_at_once(served.db)
  end)

  it("#file counts no attempt of what waits behind a handler when it is killed", function()
    local served = serve_blocked("1", 10)
    helper.ask_until(function()
      return #helper.events(served.db, { "--state", "running" }) == 11
    end, "all to be leased")
    served:kill("sigkill")
    served:wait_exit()
    local again = stage:serve({ text = BLOCKING, directory = served.directory,
      arguments = { "--max-attempts", "1" } })
    helper.wait_lines(again, "stdout", "handled other%-%d+\n", 10)
    local event = helper.wait_state(again.db, "blocking", "dead")
    assert.are.equal("the process died during attempt 1", event.error)
    local shown = select(2, process.run(process.program(), { "events", "show", "--json",
      ("%d"):format(event.id), "--db", again.db }))
    local first = helper.json.decode(shown).history[1]
    assert.are.same({ "interrupted", 1, "the process died during attempt 1" },
      { first.outcome, first.attempt, first.error })
    assert.truthy(first.started_at and not first.ms)
    assert.are.equal(0, again:stop())
    for _, other in ipairs(helper.events(again.db, { "--state", "done" })) do
      assert.are.equal(1, other.attempts)
    end
  end)

  -- Within a read the standard library holds a lock, which the end of the process must not want.
  it("is left at a second signal though a handler blocks in a read", function()
    local path = fifo()
    local writer = assert(io.open(path, "r+")) -- so that opening it does not wait, but reading
    local served = stage:serve({ text = [[
      require "palenca".on("*", function()
        local file = io.open(os.getenv "SPEC_FIFO")
        print("blocked")
        file:read("a")
      end)
    ]], arguments = { "--workers", "1" },
      env = { SPEC_FIFO = path } })
    helper.post(served.url, { account_id = "blocking" })
    served:wait_output("stdout", "(blocked)")
    served:kill("sigterm")
    served:wait_output("stderr", "(SIGTERM: finishing running handlers)")
    served:kill("sigterm")
    assert.are.equal(1, served:wait_exit())
    writer:close()
  end)

  -- What cannot be interrupted: a read, and a search that takes longer than the world has existed.
  for name, code in pairs({ read = 'io.open(os.getenv "SPEC_FIFO")',
    search = '(("a"):rep(60)):find(("a*"):rep(60) .. "b")' })
  do
    it("ends well though a handler never comes back, which runs again: " .. name, function()
      local directory = stage:directory()
      local served = stage:serve({ directory = directory, text = string.format([[
        require "palenca".on("*", function(event)
          if event.attempt == 1 then print("blocked") local _ = %s end
        end)
      ]], code), arguments = { "--workers", "1", "--drain-timeout", "0.2" },
        env = { SPEC_FIFO = fifo() } })
      helper.post(served.url, { account_id = "blocking" })
      served:wait_output("stdout", "(blocked)")
      assert.are.equal(0, served:stop(), served.stderr)
      assert.truthy(served.stderr:find("some handlers have not ended; their events run again", 1,
        true), served.stderr)
      served = stage:serve({ directory = directory, text = "", db = served.db })
      assert.are.equal(2, helper.wait_state(served.db, "blocking", "done").attempts)
      assert.are.equal(0, served:stop())
    end)
  end

  it("is left when it cannot start and a handler of an older event blocks", function()
    local directory, path = stage:directory(), fifo()
    local served = stage:serve({ text = BLOCKING, directory = directory,
      env = { SPEC_FIFO = path } })
    helper.post(served.url, { account_id = "blocking" })
    served:wait_output("stdout", "(blocked)")
    served:kill("sigkill")
    served:wait_exit()
    local taken = stage:server()
    local again = stage:palenca({ "serve", directory .. "/script.lua", "--db", served.db,
      "--listen", (taken.url:gsub("http://", "")) }, { env = { SPEC_FIFO = path } })
    assert.are.equal(1, again:wait_exit())
    assert.truthy(again.stderr:find("in use", 1, true), again.stderr)
    assert.is_nil(again.stdout:find("blocked", 1, true))
  end)

  it("makes an event that repeatedly ends the process a dead letter", function()
    local directory = stage:directory()
    local responded = directory .. "/responded" -- which the end of the process must not prevent
    local text = ([[
      local palenca = require "palenca"
      palenca.on("*", function(event)
        local file = io.open "/proc/self/stat"
        local pid = file:read "n"
        file:close()
        print("running")
        os.execute("until [ -e %s ]; do sleep 0.01; done; kill -9 " .. pid)
      end)
    ]]):format(responded)
    local served = stage:serve({ text = text, directory = directory })
    helper.post(served.url, { account_id = "deadly" })
    process.write_file(responded, "")
    assert.are.equal(128 + 9, served:wait_exit())
    for _ = 2, 8 do
      local again = stage:palenca({ "serve", directory .. "/script.lua", "--db", served.db,
        "--listen", "127.0.0.1:0" })
      assert.are.equal(128 + 9, again:wait_exit())
    end
    served = stage:serve({ text = text, directory = directory })
    local event = helper.wait_state(served.db, "deadly", "dead")
    assert.are.equal("the process died during attempt 8", event.error)
    assert.are.equal(0, served:stop())
  end)

  it("bounds the error that it keeps", function()
    local served = stage:serve({ text = [[
      require "palenca".on("*", function() error(("\u{f1}"):rep(1000000), 0) end)
    ]] })
    helper.post(served.url, { account_id = "long" })
    local event = helper.wait_state(served.db, "long", "retry")
    assert.is_true(#event.error <= 4010, #event.error)
    assert.is_truthy(utf8.len(event.error))
    assert.are.equal(0, served:stop())
  end)

  it("does not truncate an error within an identity number", function()
    local served = stage:serve({ text = [=[
      local digits = ("12345678909"):gsub(".", function(c) return "\\u003" .. c end)
      require "palenca".on("*", function(event)
        error(("x"):rep(4000 - tonumber(event.account_id)) .. " " .. digits .. " end", 0)
      end)
    ]=] })
    for kept = 2, 66, 8 do
      helper.post(served.url, { account_id = tostring(kept) })
    end
    for kept = 2, 66, 8 do
      local text = helper.wait_state(served.db, tostring(kept), "retry").error
      assert.are.equal(("x"):rep(4000 - kept) .. "  […]", text)
    end
    assert.are.equal(0, served:stop())
  end)

  it("shows nothing of an event that could pass for another line", function()
    local served = stage:serve({ text = "" })
    helper.post(served.url, { account_id = "x\n14:00:00  event 1  FORGED", platform = "\27[31m" })
    helper.wait_lines(served, "stderr", "x\\n14:00:00  event 1  FORGED", 1)
    assert.is_nil(served.stderr:find("\27", 1, true))
    local status, out = process.run(process.program(), { "events", "list", "--db", served.db })
    assert.are.equal(0, status)
    assert.are.equal(2, select(2, out:gsub("\n", ""))) -- with the heading
    assert.are.equal(0, served:stop())
  end)

  -- what a script raises or logs may be from the sender, or from a response of another system
  local RAISES = [[
    local palenca = require "palenca"
    palenca.on("*", function(event)
      palenca.log.info{said = {"a\0b\200"}, whole = "é"}
      error(event.data.text .. "\n\tindented\0\255 é", 0)
    end)
  ]]

  it("shows nothing of an error that could pass for another line", function()
    local served = stage:serve({ text = RAISES })
    helper.post(served.url, { account_id = "raises", text = "x\n14:00:00  event 1  FORGED" })
    served:wait_output("stderr",
      "next attempt in %d+ s: x\n\t14:00:00  event 1  FORGED\n\t(indented%?%? é)\n")
    assert.are.equal(0, served:stop())
  end)

  it("writes and stores nothing but text, whatever is raised", function()
    local directory = stage:directory()
    local script = process.write_file(directory .. "/s.lua", RAISES)
    local served = stage:palenca({ "serve", script, "--db",
      directory .. "/events.db", "--listen", "127.0.0.1:0", "--json" })
    local url = served:wait_output("stderr", '"url":"([^"]+)"'):gsub("\\", "")
    helper.post(url, { account_id = "raises", text = "x" })
    local event = helper.wait_state(directory .. "/events.db", "raises", "retry")
    assert.are.equal("x\n\tindented?? é", event.error)
    served:wait_output("stderr", '("state":"retry")')
    assert.are.equal(0, served:stop())
    assert.truthy(utf8.len(served.stderr), served.stderr)
    local found = 0
    for _, line in ipairs(helper.lines_of_json(served.stderr)) do
      if line.said then
        found = found + 1
        assert.are.same({ { "a\0b?" }, "é" }, { line.said, line.whole })
      elseif line.state == "retry" then
        found = found + 1
        assert.are.equal(event.error, line.error)
      end
    end
    assert.are.equal(2, found)
  end)

  it("keeps identity numbers of an error out of log and store", function()
    local served = stage:serve({ text = [==[
      require "palenca".on("*", function()
        error([=[XEXX010101HNEXXXA4 is not 12345678909: {"curp":"\nXEXX010101HNEXXXA4"}]=], 0)
      end)
    ]==] })
    helper.post(served.url, { account_id = "named" })
    local event = helper.wait_state(served.db, "named", "retry")
    assert.are.equal('[identity number] is not [identity number]: {"curp":"\\n[identity number]"}',
      event.error)
    assert.are.equal(0, served:stop())
    assert.is_nil((served.stderr .. served.stdout):find("XEXX", 1, true))
  end)

  it("keeps identity numbers that the sender writes elsewhere out of the log", function()
    local directory = stage:directory()
    local script = process.write_file(directory .. "/s.lua", [[
      require "palenca".on("*", function(event)
        if event.action == "failing.XEXX010101HNEXXXA4" then error("no", 0) end
      end)
    ]])
    local account = "00000000-0000-4000-8000-aab010101abc" -- has the form of an RFC in it
    for _, json in ipairs { false, "--json" } do
      local served = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--db",
        directory .. "/" .. tostring(json) .. ".db", json or nil })
      local url = served:wait_output("stderr", "(http:[^\n \"]+palenca)"):gsub("\\", "")
      for _, action in ipairs { "good.XEXX010101HNEXXXA4", "failing.XEXX010101HNEXXXA4" } do
        for _, id in ipairs { account, "12345678909" } do
          helper.post(url, { webhook_action = action, account_id = id,
            platform = "123.456.789-09" })
        end
      end
      for _, name in ipairs { "good", "failing" } do
        helper.wait_lines(served, "stderr", name .. "%.%[identity number%]", 2)
      end
      assert.are.equal(0, served:stop())
      for _, secret in ipairs { "XEXX", "123.456", "12345678909" } do
        assert.is_nil(served.stderr:find(secret, 1, true), served.stderr)
      end
      assert.truthy(served.stderr:find(account, 1, true))
    end
  end)

  for suffix, said in pairs({ [""] = "the file", ["-wal"] = "its -wal file",
    ["-shm"] = "its -shm file", ["-lock"] = "its -lock file" })
  do
    it("#file acknowledges nothing once " .. said .. " has no name any more", function()
      local served = stage:serve({ text = "" })
      helper.post(served.url, { account_id = "before" })
      helper.wait_state(served.db, "before", "done")
      assert(os.remove(served.db .. suffix))
      local response = http.request("POST", served.url, helper.body({ account_id = "after" }))
      assert.are.equal(503, response.status)
      local line = "cannot write to " .. served.db .. ": " .. said
        .. " was moved or removed; move it back or start again\n"
      served:wait_output("stderr", "(" .. line:gsub("%p", "%%%0") .. ")")
      assert.are.equal(0, served:stop())
      if suffix ~= "" then -- what was acknowledged before is there at the next start
        local again = stage:serve({ text = "", directory = served.directory, db = served.db })
        helper.post(again.url, { account_id = "later" })
        helper.wait_state(again.db, "later", "done")
        assert.are.equal("done", helper.wait_state(again.db, "before", "done").state)
        assert.are.equal(2, #helper.events(again.db))
        assert.are.equal(0, again:stop())
      end
    end)
  end

  it("#file stores again once a file that was moved is back, without a start", function()
    local served = stage:serve({ text = "" })
    for number, suffix in ipairs({ "", "-wal", "-shm", "-lock" }) do
      local path = served.db .. suffix
      assert(os.rename(path, path .. ".away"))
      assert.are.equal(503, http.request("POST", served.url, helper.body()).status)
      assert(os.rename(path .. ".away", path))
      local account = "back" .. number
      helper.ask_until(function()
        return http.request("POST", served.url, helper.body({ account_id = account })).status == 200
      end, "a webhook to be stored")
      helper.wait_state(served.db, account, "done")
      helper.wait_lines(served, "stderr", "writing again to ", number)
    end
    assert.are.equal(0, served:stop())
  end)

  it("#file takes no database that has two names", function()
    local directory = stage:directory()
    local served = stage:serve({ text = "", directory = directory })
    local other = directory .. "/other.db"
    assert.are.equal(0, (process.run("/bin/ln", { served.db, other })))
    local second = stage:palenca({ "serve", directory .. "/script.lua", "--db", other,
      "--listen", "127.0.0.1:0" })
    assert.are.equal(1, second:wait_exit())
    assert.truthy(second.stderr:find("several names", 1, true), second.stderr)
    assert.are.equal(0, served:stop())
  end)

  -- Connections that are kept and send on: whatever arrives while it ends must not end it badly.
  for _, command in ipairs({ "serve", "sandbox" }) do
    it("and the sandbox end well under traffic: " .. command, function()
      for _ = 1, 5 do
        local started, url
        if command == "serve" then
          started = stage:serve({ text = "" })
          url = started.url
        else
          started, url = stage:sandbox()
          url = url .. "/sandbox/logins"
        end
        local responses, ended = 0, 0
        for i = 1, 6 do
          local body = helper.body({ account_id = "a" .. i })
          local bytes = "POST " .. url:match("//[^/]+(.*)") .. " HTTP/1.1\r\nHost: spec\r\n"
            .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
          local host, port = url:match("//([%d.]+):(%d+)")
          local socket = uv.new_tcp()
          socket:connect(host, tonumber(port), function(problem)
            assert(not problem, problem)
            socket:write(bytes)
            socket:read_start(function(_, data)
              if data then
                responses = responses + 1
                socket:write(bytes)
              else
                ended = ended + 1
                socket:close()
              end
            end)
          end)
        end
        process.wait_for(function()
          return responses >= 60
        end, "traffic")
        assert.are.equal(0, started:stop(), started.stderr)
        process.wait_for(function()
          return ended == 6
        end, "the connections to be closed")
      end
    end)
  end
end)
