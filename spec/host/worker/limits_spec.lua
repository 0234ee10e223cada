--- What a script may not do for long: compute without an end, fill the memory, end its worker. The
-- event fails, others go on, and nothing is lost.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("a script that", function()
  local stage = helper.stage_for_each()

  local function serve(text, arguments, env)
    local all = { "--workers", "1", "--max-attempts", "1", "--cpu-timeout", "0.1" }
    table.move(arguments or {}, 1, #(arguments or {}), #all + 1, all)
    return stage:serve({ text = 'local palenca = require "palenca"\n' .. text, arguments = all,
      env = env })
  end

  local loops = {
    ["computes"] = "while true do end",
    ["catches every error"] = "while true do pcall(error) end",
    ["catches errors within and without"] = [[
      while true do pcall(function() while true do pcall(function() while true do end end) end end)
      end]],
    ["calls itself"] = "local function f() return f() end f()",
    ["handles errors"] = "xpcall(error, function() while true do end end)",
    ["handles errors of errors"] = [[
      local function forever() while true do end end
      while true do xpcall(function() xpcall(forever, forever) end, forever) end]],
    ["makes coroutines"] = [[
      while true do coroutine.resume(coroutine.create(function() while true do end end)) end]],
    ["is in a coroutine of its own"] = [[
      coroutine.wrap(function()
        coroutine.wrap(function() while true do pcall(error) end end)()
      end)()]],
    ["goes on in a coroutine again and again"] = [[
      local co = coroutine.wrap(function() while true do coroutine.yield() end end)
      while true do co() end]],
    ["yields"] = "while true do coroutine.yield() end",
    ["yields where it catches errors"] = "while true do pcall(coroutine.yield) end",
    ["sorts"] = "table.sort({3, 2, 1}, function() while true do pcall(error) end end)",
    ["replaces"] = [[
      while true do
        pcall(string.gsub, "x", "x", function() xpcall(error, function() while true do end end) end)
      end]],
    ["has hooks of its own"] = "while true do debug.sethook() end",
    ["closes"] = [[
      local guard <close> = setmetatable({}, {__close = function() while true do end end})
      while true do end]],
    ["closes a coroutine"] = [[
      local co = coroutine.create(function()
        local guard <close> = setmetatable({}, {__close = function() while true do end end})
        coroutine.yield()
      end)
      coroutine.resume(co)
      coroutine.close(co)]],
    ["computes in a method"] = [[
      local t = setmetatable({}, {__index = function() while true do end end})
      return t.x]],
  }
  for name, code in pairs(loops) do
    it("never ends is stopped, and the worker goes on: " .. name, function()
      local served = serve(string.format([[
        palenca.on("login.success", function() print "began" %s end)
        palenca.on("login.error", function() print "other" end)
      ]], code))
      helper.post(served.url, { account_id = "a" })
      served:wait_output("stdout", "began")
      helper.post(served.url, { account_id = "b", webhook_action = "login.error" })
      local event = helper.wait_state(served.db, "a", "dead")
      assert.truthy(event.error:find("^stopped after 0%.1 s of CPU time, at "
        .. "[^\n:]*script%.lua:%d+$"), event.error)
      served:wait_output("stdout", "other")
      assert.are.equal(0, served:stop(), served.stderr)
      assert.is_nil(served.stderr:find("worker failed", 1, true))
    end)
  end

  -- at --cpu-timeout 0.1: each yield counts for 20 us at least
  it("yields for ever is stopped after so many yields, however little it computes", function()
    local served = serve([[
      palenca.on("*", function()
        for _ = 1, 5000 do coroutine.yield() end
        print "too many"
      end)
    ]])
    helper.post(served.url, { account_id = "a" })
    local event = helper.wait_state(served.db, "a", "dead")
    assert.truthy(event.error:find("^stopped after 0%.1 s of CPU time, at [^\n:]*script%.lua:3$"),
      event.error)
    assert.are.equal(0, served:stop())
    assert.are.equal("", served.stdout)
  end)

  it("yields just when its CPU time ends has none left, each time of 200", function()
    local served = serve([[
      palenca.on("*", function()
        for _ = 1, 500 do coroutine.yield() end
        print "too many"
      end)
    ]], { "--cpu-timeout", "0.01" })
    for i = 1, 200 do
      helper.post(served.url, { account_id = "a" .. i })
    end
    helper.wait_lines(served, "stderr", "  event %d+ ", 200)
    assert.are.equal(0, served:stop())
    assert.are.equal("", served.stdout)
    assert.are.equal(200, select(2, served.stderr:gsub("stopped after 0%.01 s of CPU time", "")))
  end)

  -- each time would be a system call for each handler, which costs more than many a handler does
  it("ends soon does not have the timer set anew for each event", function()
    local served = serve('palenca.on("*", function() end)', { "--cpu-timeout", "3600" })
    helper.post(served.url, { account_id = "first" })
    helper.wait_state(served.db, "first", "done")
    local log = served.db:gsub("[^/]*$", "strace")
    local tracer = stage:start("/usr/bin/strace",
      { "-f", "-o", log, "-e", "trace=timer_settime", "-p", tostring(served.pid) })
    if not pcall(tracer.wait_output, tracer, "stderr", "attached") then
      pending("needs the right to trace a process")
    end
    for i = 1, 20 do
      helper.post(served.url, { account_id = "a" .. i })
    end
    helper.wait_lines(served, "stderr", "  event %d+ ", 21)
    tracer:kill("sigint")
    tracer:wait_exit()
    assert.are.equal(0, select(2, helper.read_file(log):gsub("timer_settime%(", "")))
    assert.are.equal(0, served:stop())
  end)

  it("is stopped has the line in its error", function()
    local served = serve([[

      local function spin()
        local count = 0
        count = count + 1
        while true do end
      end
      palenca.on("*", function() spin() end)
    ]])
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stderr", "stopped after 0%.1 s of CPU time, at [^\n]*script%.lua:6\n"
      .. "\t[^\n]*script%.lua:6: in [^\n]*spin'\n\t[^\n]*script%.lua:8: in ")
    local event = helper.wait_state(served.db, "a", "dead")
    assert.truthy(event.error:find(", at [^\n]*script%.lua:6$"), event.error)
    assert.are.equal(0, served:stop())
  end)

  it("computes for long, but waits in between, is not stopped", function()
    local served = serve([[
      palenca.on("*", function()
        for _ = 1, 5 do
          local ends = os.clock() + 0.03
          while os.clock() < ends do end
          palenca.sleep(0)
        end
        print "ended"
      end)
    ]])
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stdout", "ended")
    helper.wait_state(served.db, "a", "done")
    assert.are.equal(0, served:stop())
  end)

  it("keeps a coroutine from before can resume it", function()
    local served = serve([[
      local kept, is_enough
      palenca.on("login.success", function()
        kept = coroutine.create(function()
          local sum = 0
          while sum < 1e12 and not is_enough do sum = sum + 1 end
          return "kept " .. math.type(sum)
        end)
        coroutine.resume(kept)
      end)
      palenca.on("login.error", function()
        is_enough = true
        print(coroutine.resume(kept))
        print(coroutine.resume(kept))
        print(coroutine.resume(coroutine.create(function(...) return select("#", ...), ... end),
          nil, 2))
        print(pcall(coroutine.wrap(function() error "oh" end)))
        print(pcall(coroutine.wrap(function() error({}) end)))
        local co = coroutine.create(function()
          local guard <close> = setmetatable({}, {__close = function() error("closing", 0) end})
          coroutine.yield(1, 2, 3)
        end)
        print(coroutine.resume(co))
        print(coroutine.close(co))
        print(coroutine.close(co), coroutine.status(co))
        print(pcall(coroutine.close, coroutine.running()))
        print(pcall(coroutine.resume, 5))
      end)
    ]])
    -- A worker that has too little of a processor for 2 s is replaced by another, which keeps none.
    local count = 0
    local replaced
    repeat
      count = count + 1
      local before = #served.stderr
      helper.post(served.url, { account_id = "a" .. count })
      helper.wait_state(served.db, "a" .. count, "dead")
      replaced = served.stderr:find("starting a replacement", before + 1, true)
    until not replaced
    helper.post(served.url, { account_id = "b", webhook_action = "login.error" })
    helper.wait_state(served.db, "b", "done")
    assert.are.equal(0, served:stop())
    local said = served.stdout:gsub("table: 0x%x+", "table"):gsub("/%S*/script", "script")
    assert.are.equal("true\tkept integer\n"
      .. "false\tcannot resume dead coroutine\n"
      .. "true\t2\tnil\t2\n"
      .. "false\tscript.lua:17: oh\n"
      .. "false\ttable\n"
      .. "true\t1\t2\t3\n"
      .. "false\tclosing\n"
      .. "true\tdead\n"
      .. "false\tcannot close a running coroutine\n"
      .. "false\tbad argument #1 to 'coroutine.resume' (coroutine expected, got number)\n", said)
  end)

  it("never ends while it is loaded is not served", function()
    local path = process.write_file(stage:directory() .. "/mine.lua",
      "while true do pcall(error) end")
    local status, _, err = process.run(process.program(), { "serve", path, "--listen",
      "127.0.0.1:0", "--db", stage:directory() .. "/e.db", "--cpu-timeout", "0.1" })
    assert.are.equal(1, status)
    assert.are.equal(("palenca: %s: stopped after 0.1 s of CPU time, at %s:1\n"):format(path, path),
      err)
  end)

  it("yields while it is loaded is not served", function()
    local path = process.write_file(stage:directory() .. "/mine.lua", "coroutine.yield()")
    local status, _, err = process.run(process.program(), { "serve", path, "--listen",
      "127.0.0.1:0", "--db", stage:directory() .. "/e.db" })
    assert.are.equal(1, status)
    assert.truthy(err:find("mine.lua: yielded", 1, true), err)
  end)

  -- ---- memory -------------------------------------------------------------------------

  local hogs = {
    ["a table without end"] = "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
    ["a long string"] = "local s = ('x'):rep(1e9) print(#s)",
    ["tables of a JSON text"] = [=[
      palenca.json.decode("[" .. ("[],"):rep(300000) .. "[]]")]=],
    ["strings in a coroutine"] = [[
      coroutine.wrap(function() local s = "x" while true do s = s .. s end end)()]],
    ["coroutines without end"] = [[
      local t = {}
      while true do
        t[#t + 1] = coroutine.create(function() coroutine.yield() end)
        coroutine.resume(t[#t])
      end]],
  }
  for name, code in pairs(hogs) do
    it("allocates more than it may fails alone: " .. name, function()
      local served = serve(string.format([[
        palenca.on("login.success", function() %s end)
        palenca.on("login.error", function() print "other" end)
      ]], code), { "--memory-limit", "16", "--cpu-timeout", "60" })
      helper.post(served.url, { account_id = "a" })
      helper.post(served.url, { account_id = "b", webhook_action = "login.error" })
      assert.are.equal("not enough memory", helper.wait_state(served.db, "a", "dead").error)
      served:wait_output("stdout", "other")
      assert.are.equal(0, served:stop(), served.stderr)
      assert.is_nil(served.stderr:find("worker failed", 1, true), served.stderr)
    end)
  end

  it("keeps what it allocates begins anew, and nothing is lost", function()
    local served = serve([[
      local kept = {}
      palenca.on("*", {max_attempts = 3, retry_wait = 0.01}, function(event)
        for i = 1, 100 do kept[#kept + 1] = ("x"):rep(30000) .. #kept end
        print(event.account_id)
      end)
    ]], { "--memory-limit", "16", "--cpu-timeout", "60" })
    local names = {}
    for i = 1, 8 do
      names[i] = "a" .. i
      helper.post(served.url, { account_id = names[i] })
    end
    served:wait_output("stderr", "worker failed: the script keeps nearly all of the 16 MiB")
    helper.wait_states(served.db, names, "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  -- ---- the worker ----------------------------------------------------------------------

  it("is run, and its child processes, with a lower priority than the loop", function()
    local served = serve([[
      palenca.on("*", function()
        local pipe = io.popen("nice")
        print("nice " .. pipe:read("n"))
        pipe:close()
      end)
    ]])
    helper.post(served.url, { account_id = "a" })
    local pipe = io.popen("nice")
    local own = pipe:read("n")
    pipe:close()
    assert.are.equal(math.min(own + 5, 19),
      tonumber((served:wait_output("stdout", "nice (%-?%d+)\n"))))
    -- the main thread does not
    local status = helper.read_file("/proc/" .. served.pid .. "/stat")
    local nice = status:match("%) " .. ("%S+ "):rep(16) .. "(%-?%d+) ")
    assert.are.equal(own, tonumber(nice))
    assert.are.equal(0, served:stop())
  end)

  it("breaks its worker fails, and another worker takes its place", function()
    local served = serve([[
      palenca.on("login.success", function() string.format = nil end)
      palenca.on("login.error", function() palenca.sleep(3600) end)
      palenca.on("login.created", function(event) print("other", event.attempt) end)
    ]], { "--max-attempts", "2", "--drain-timeout", "0" })
    helper.post(served.url, { account_id = "waiting", webhook_action = "login.error" })
    helper.wait_state(served.db, "waiting", "running")
    helper.post(served.url, { account_id = "breaking" })
    served:wait_output("stderr", "worker failed: [^\n]*format")
    local event = helper.wait_state(served.db, "waiting", "retry")
    assert.truthy(event.error:find("its worker has failed", 1, true), event.error)
    helper.post(served.url, { account_id = "after", webhook_action = "login.created" })
    served:wait_output("stdout", "other\t1\n")
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  it("breaks every worker ends the program, with all that is not done kept", function()
    local served = serve([[
      palenca.on("*", function() string.format = nil end)
    ]], { "--max-attempts", "1000" })
    for i = 1, 30 do
      helper.post(served.url, { account_id = "a" .. i })
    end
    assert.are.equal(1, served:wait_exit())
    assert.truthy(served.stderr:find("workers fail repeatedly", 1, true))
    assert.are.equal(30, #helper.events(served.db))
  end)

  it("cannot be loaded any more when a worker is to be replaced ends the program", function()
    local served = serve("palenca.on('*', function() string.format = nil end)")
    process.write_file(served.directory .. "/script.lua", "= broken")
    helper.post(served.url, { account_id = "a" })
    assert.are.equal(1, served:wait_exit())
    assert.truthy(served.stderr:find("worker replacement failed: [^\n]*script%.lua:1:"))
  end)

  it("blocks, fails, loops, fills the memory and wants to exit does not hold others up", function()
    local fifo = stage:directory() .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { fifo })))
    local served = serve([[
      local deeds = {
        blocks = function() os.execute "cat $SPEC_FIFO" end,
        fails = function() error "always" end,
        loops = function() while true do end end,
        fills = function() local s = "x" while true do s = s .. s end end,
        exits = function() os.exit(0, true) end,
      }
      palenca.on("*", function(event)
        if deeds[event.account_id] then deeds[event.account_id]() end
      end)
    ]], { "--workers", "2", "--memory-limit", "32", "--cpu-timeout", "1" }, { SPEC_FIFO = fifo })
    for _, deed in ipairs({ "blocks", "fails", "loops", "fills", "exits" }) do
      helper.post(served.url, { account_id = deed })
    end
    local others = {}
    for i = 1, 50 do
      others[i] = "other-" .. i
      helper.post(served.url, { account_id = others[i] })
    end
    helper.wait_states(served.db, others, "done")
    for deed, reason in pairs({ fails = "always", loops = "CPU time", fills = "not enough memory",
      exits = "os.exit is not available" }) do
      local event = helper.wait_state(served.db, deed, "dead")
      assert.truthy(event.error:find(reason, 1, true), event.error)
    end
    assert.are.equal("running", helper.wait_state(served.db, "blocks", "running").state)
    local file = assert(io.open(fifo, "w"))
    file:close()
    helper.wait_state(served.db, "blocks", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  -- What sanitizers add to the main thread's frames needs more than that.
  if not helper.sanitized then
    it("nests calls as deep as Lua allows, whatever `ulimit -s` is", function()
      local directory = stage:directory()
      local script = process.write_file(directory .. "/script.lua", [[
        local function nest(depth)
          string.gsub("x", "x", function() nest(depth + 1) end)
        end
        require "palenca".on("*", function()
          print(select(2, pcall(nest, 1)):match("C stack overflow"))
        end)
      ]])
      local served = stage:start("/usr/bin/env", { "prlimit", "--stack=262144", process.program(),
        "serve", script, "--listen", "127.0.0.1:0", "--db", directory .. "/events.db" })
      helper.post(served:wait_output("stderr", "receiving webhooks at (http://[%d.:]+/[%w/]+)"), {})
      served:wait_output("stdout", "(C stack overflow)")
      assert.are.equal(0, served:stop())
    end)
  end
end)
