--- Changes a script while it is served: the new version takes over, a broken one never.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

describe("a script that changes while it is served", function()
  local stage = helper.stage_for_each()
  local directory, path

  before_each(function()
    directory = stage:directory()
    path = directory .. "/mine.lua"
  end)

  local function write(text, name)
    return process.write_file(directory .. "/" .. (name or "mine.lua"), text)
  end

  -- A version says its name with each login.
  local function version(name, more)
    return string.format([[
      local palenca = require "palenca"
      %s
      palenca.on("login.success", function(event) print("%s handled " .. event.id) end)
    ]], more or "", name)
  end

  -- More of a version: a handler that calls a server.
  local function calling(server)
    return string.format([[
      palenca.on("login.created", function() palenca.http { url = %q .. "/" } end)
    ]], server.url)
  end

  local function start(extra)
    local arguments = { "dev", path, "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0",
      "--workers", "2" }
    table.move(extra or {}, 1, #(extra or {}), #arguments + 1, arguments)
    local started = stage:palenca(arguments)
    local sandbox = started:wait_output("stderr", "sandbox of the API +(http://[%d.:]+)")
    started:wait_output("stderr", "Stop with Ctrl%-C")
    return started, sandbox
  end

  local function log_in(sandbox)
    local response = http.request("POST", sandbox .. "/sandbox/logins", '{"platform":"uber"}')
    assert.are.equal(201, response.status)
  end

  -- An event whose handler says its version's name.
  local function handle(started, sandbox, name)
    log_in(sandbox)
    started:wait_output("stdout", name .. " handled")
  end

  -- Another version takes over by itself.
  local function reload(started, name)
    write(version(name))
    started:wait_output("stderr", "mine%.lua reloaded: handles login%.success\n")
  end

  -- How many threads there are once all that are to end have ended.
  local function threads(started)
    local count = 0
    local listing = assert(uv.fs_scandir("/proc/" .. started.pid .. "/task"))
    while uv.fs_scandir_next(listing) do
      count = count + 1
    end
    return count
  end

  it("handles the next event with the new version", function()
    write(version("first"))
    local started, sandbox = start()
    handle(started, sandbox, "first")
    reload(started, "second")
    handle(started, sandbox, "second")
    assert.are.equal(1, select(2, started.stdout:gsub("first handled", "")))
    assert.are.equal(0, started:stop())
  end)

  it("is named after a failure where it is not reloaded, once for each change", function()
    write([[
      local palenca = require "palenca"
      palenca.on("*", { max_attempts = 1 }, function() error("old") end)
    ]])
    local served = stage:serve { path = path, arguments = { "--workers", "1" } }
    local function fail(account)
      helper.post(served.url, { account_id = account, webhook_action = "login.success" })
      local event = helper.wait_state(served.db, account, "dead")
      return string.format("%d", event.id)
    end
    local function notices()
      return select(2, served.stderr:gsub("has changed since it was loaded; SIGHUP reloads it", ""))
    end
    fail("before")
    write(version("mended"))
    local id = fail("after")
    served:wait_output("stderr", "mine%.lua has changed since it was loaded; SIGHUP reloads it\n")
    fail("once more")
    assert.are.equal(1, notices())
    served:kill("sighup")
    served:wait_output("stderr", "mine%.lua reloaded")
    assert.are.equal(0, (process.run(process.program(),
      { "events", "replay", id, "--db", served.db })))
    served:wait_output("stdout", "mended handled " .. id)
    assert.are.equal(1, notices())
  end)

  it("is noticed when an editor renames a new file over it", function()
    write(version("first"))
    local started, sandbox = start()
    write(version("renamed"), "mine.lua.new")
    assert(os.rename(directory .. "/mine.lua.new", path))
    started:wait_output("stderr", "reloaded")
    handle(started, sandbox, "renamed")
  end)

  it("is noticed behind a link, and so is a module beside it", function()
    local other = stage:directory()
    process.write_file(other .. "/real.lua", version("first", [[local part = require "part"
      print("part " .. part)]]))
    process.write_file(other .. "/part.lua", "return 1")
    assert(uv.fs_symlink(other .. "/real.lua", path))
    assert(uv.fs_symlink(other .. "/part.lua", directory .. "/part.lua"))
    local started = start()
    started:wait_output("stdout", "part 1\n")
    process.write_file(other .. "/part.lua", "return 2")
    started:wait_output("stdout", "part 2\n")
    started:wait_output("stderr", "reloaded")
  end)

  it("is watched in the current directory as well", function()
    write(version("first"))
    local started = stage:palenca({ "dev", "mine.lua", "--listen", "127.0.0.1:0",
      "--sandbox-listen", "127.0.0.1:0" }, { cwd = directory })
    started:wait_output("stderr", "Stop with Ctrl%-C")
    reload(started, "second")
  end)

  it("finishes events with the version that has started them, once", function()
    local gate = stage:server(function() end)
    write(version("first", string.format([[
      palenca.on("login.created", function()
        palenca.http { url = %q .. "/", method = "POST" }
        print("old version went on")
      end)
    ]], gate.url)))
    local started, sandbox = start()
    log_in(sandbox)
    local request = gate:wait_request("/")
    reload(started, "second")
    request.respond(200)
    started:wait_output("stdout", "old version went on")
    -- the same account's next event waits for the first, and is the new version's
    started:wait_output("stdout", "second handled")
    assert.is_nil(started.stdout:find("first handled", 1, true))
    assert.are.equal(1, select(2, started.stdout:gsub("old version went on", "")))
    assert.are.equal(0, started:stop())
  end)

  local broken = {
    ["does not compile"] = { "local x = = 1", "mine%.lua:1: unexpected symbol" },
    ["raises"] = { "\nerror 'not today'", "mine%.lua:2: not today" },
    ["misses a module"] = { "require 'nowhere'", "module 'nowhere' not found" },
  }
  for name, case in pairs(broken) do
    it("keeps the previous version if the new one " .. name, function()
      write(version("good"))
      local started, sandbox = start()
      write(case[1])
      started:wait_output("stderr",
        "reload of [^\n]*mine%.lua failed, keeping the previous version: [^\n]*" .. case[2])
      handle(started, sandbox, "good")
      reload(started, "repaired")
      handle(started, sandbox, "repaired")
      assert.are.equal(0, started:stop())
    end)
  end

  it("keeps the previous version while the new one hangs, and loads a later one", function()
    write(version("good"))
    local started, sandbox = start()
    write("print 'hanging' require('palenca').sleep(86400)")
    started:wait_output("stdout", "hanging")
    handle(started, sandbox, "good")
    reload(started, "later")
    handle(started, sandbox, "later")
    started:kill("sigterm")
    started:wait_exit()
  end)

  it("ends with Ctrl-C although the new version hangs while it is loaded", function()
    write(version("good"))
    local started = start()
    write("print 'hanging' while true do end")
    started:wait_output("stdout", "hanging")
    started:kill("sigint")
    started:wait_exit()
    assert.truthy(started.stderr:find("SIGINT: finishing running handlers", 1, true))
  end)

  it("leaves no thread of its old versions behind", function()
    write(version("v0"))
    local started = start()
    local before = threads(started)
    for number = 1, 5 do
      write(version("v" .. number, string.format("print 'loaded v%d'", number)))
      started:wait_output("stdout", string.format("loaded v%d\nloaded v%d\n", number, number))
    end
    helper.ask_until(function()
      uv.sleep(5)
      return threads(started) == before
    end, "the end of the old threads")
    assert.are.equal(0, started:stop())
  end)

  it("is logged in JSON", function()
    write(version("first"))
    local started = stage:palenca({ "dev", path, "--listen", "127.0.0.1:0", "--sandbox-listen",
      "127.0.0.1:0", "--json" })
    started:wait_output("stderr", '"event":"ready"')
    write("error 'no'")
    started:wait_output("stderr", '"event":"reload_failed"')
    write(version("second"))
    started:wait_output("stderr", '"event":"reloaded"[^\n]*\n')
    local seen = {}
    for _, line in ipairs(helper.lines_of_json(started.stderr)) do
      seen[line.event or "?"] = line
    end
    assert.are.equal(path, seen.reloaded.script)
    assert.are.equal("login.success", seen.reloaded.handlers)
    assert.truthy(seen.reload_failed.error:find("no", 1, true))
  end)

  local function serve(arguments)
    return stage:serve({ path = path, directory = directory, arguments = arguments })
  end

  it("is reloaded by serve --watch, and a broken version is not", function()
    write(version("first"))
    local served = serve({ "--watch" })
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stdout", "first handled")
    write("error 'broken'")
    served:wait_output("stderr", "keeping the previous version: [^\n]*broken")
    reload(served, "second")
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stdout", "second handled")
    assert.are.equal(0, served:stop())
  end)

  it("is left alone by serve, until SIGHUP asks for it", function()
    local gate = stage:server(function() end)
    write(version("first", calling(gate)))
    local served = serve({ "--workers", "1" })
    helper.post(served.url, { account_id = "a", webhook_action = "login.created" })
    local request = gate:wait_request("/")
    write(version("second"))
    helper.post(served.url, { account_id = "b" })
    served:wait_output("stdout", "first handled")
    served:kill("sighup")
    served:wait_output("stderr", "mine%.lua reloaded: handles login%.success\n")
    helper.post(served.url, { account_id = "b" })
    served:wait_output("stdout", "second handled")
    assert.are.equal("running", helper.events(served.db)[1].state)
    request.respond(200)
    helper.wait_state(served.db, "a", "done")
    write("= broken")
    served:kill("sighup")
    served:wait_output("stderr", "keeping the previous version: [^\n]*:1: ")
    helper.post(served.url, { account_id = "b" })
    helper.wait_lines(served, "stdout", "second handled", 2)
    assert.are.equal(0, served:stop())
  end)

  it("is drained, not reloaded, when the terminal is gone", function()
    local gate = stage:server(function() end)
    write(version("first", calling(gate)))
    local db, log = directory .. "/events.db", directory .. "/log"
    -- a terminal of its own, which goes with the program that made it
    local terminal = stage:start("/usr/bin/script", { "-qfc", string.format(
      "exec %s serve %s --listen 127.0.0.1:0 --db %s", process.program(), path, db), log })
    local url
    helper.ask_until(function()
      uv.sleep(10)
      url = (helper.read_file(log) or ""):match("receiving webhooks at (http://[%d.:]+/[%w/]+)")
      return url
    end, "the receiver")
    helper.post(url, { account_id = "a", webhook_action = "login.created" })
    local request = gate:wait_request("/")
    terminal:kill("sigkill")
    terminal:wait_exit()
    helper.ask_until(function()
      local connection = stage:connect(url):wait_connected()
      local problem = connection.problem
      connection:close()
      return problem
    end, "connections to fail")
    request.respond(200)
    helper.wait_state(db, "a", "done")
    serve({}) -- the database is free again
  end)
end)
