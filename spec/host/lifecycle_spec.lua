--- Starts and ends `palenca serve` in every way: signals, crashes, what keeps it from starting.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local CALLING = [[
  local palenca = require "palenca"
  palenca.on("*", function(event)
    assert(palenca.http{url = os.getenv "SPEC_URL" .. "/" .. event.account_id .. "/"
      .. event.attempt})
    print("handled", event.account_id, event.attempt)
  end)
]]

describe("palenca serve", function()
  local stage = helper.stage_for_each()
  local server

  before_each(function()
    server = stage:server(function() end) -- responds to nobody by itself
  end)

  local function serve(options)
    options = options or {}
    options.text = options.text or CALLING
    options.env = { SPEC_URL = server.url }
    return stage:serve(options)
  end

  local function by_account(db)
    local found = {}
    for _, event in ipairs(helper.events(db)) do
      found[event.account_id] = event
    end
    return found
  end

  local function wait_closed(url)
    helper.ask_until(function()
      local connection = stage:connect(url):wait_connected()
      local problem = connection.problem
      connection:close()
      return problem
    end, "connections to fail")
  end

  for _, signal in ipairs({ "sigint", "sigterm" }) do
    it("lets a handler end after " .. signal, function()
      local served = serve()
      helper.post(served.url, { account_id = "a" })
      helper.post(served.url, { account_id = "a" })
      local request = server:wait_request("/a/1")
      served:kill(signal)
      served:wait_output("stderr", "(" .. signal:upper() .. ": finishing running handlers)")
      wait_closed(served.url)
      assert.is_nil(served.code)
      request.respond(200)
      assert.are.equal(0, served:wait_exit(), served.stderr)
      assert.truthy(served.stdout:find("handled\ta\t1", 1, true))
      local events = helper.events(served.db)
      assert.are.equal("done", events[1].state)
      -- the second one of the account was not started any more
      assert.are.equal("received", events[2].state)
      assert.are.equal(0, events[2].attempts)
    end)
  end

  it("loads curl with the first call of a script, since it takes much memory", function()
    local served = serve()
    local function has_curl()
      return helper.read_file("/proc/" .. served.pid .. "/maps"):find("libcurl", 1, true) ~= nil
    end
    assert.is_false(has_curl())
    helper.post(served.url, { account_id = "a" })
    server:wait_request("/a/1").respond(200)
    assert.is_true(has_curl())
  end)

  it("ends at once when nothing runs, whatever connections are open", function()
    local served = serve()
    local idle = stage:connect(served.url):wait_connected()
    local kept = stage:connect(served.url):send("GET / HTTP/1.1\r\nHost: spec\r\n\r\n")
    assert.are.equal(404, kept:response().status)
    local half = stage:connect(served.url)
    half:send("POST /webhooks/palenca HTTP/1.1\r\nHost: spec\r\nContent-Length: 9\r\n\r\n{")
    assert.are.equal(404, http.request("GET", served.url .. "s").status)
    assert.are.equal(0, served:stop())
    idle:wait_end()
    kept:wait_end()
    half:wait_end()
    assert.is_nil(half:poll())
  end)

  -- The handler did not run to its end and was not the cause: its attempt is not counted.
  it("aborts a waiting handler at a second signal; its event runs again", function()
    local served = serve()
    helper.post(served.url, { account_id = "a" })
    server:wait_request("/a/1")
    served:kill("sigint")
    served:wait_output("stderr", "(SIGINT: finishing)")
    served:kill("sigterm")
    assert.are.equal(1, served:wait_exit())
    assert.truthy(served.stderr:find("their events run again at the next start", 1, true))
    -- the lines of an operator who looks for a lost event: which database, and what is left in it
    assert.truthy(served.stderr:find(served.db .. " is a new database\n", 1, true))
    assert.truthy(served.stderr:find("\nstopped; events that have not ended: 1\n$"), served.stderr)
    assert.are.equal("received", by_account(served.db).a.state)
    local again = serve({ db = served.db, directory = served.directory })
    again:wait_output("stderr", "(events that had not ended before: 1; they run now\n)")
    server:wait_request("/a/1", 2).respond(200)
    again:wait_output("stdout", "(handled\ta\t1)\n")
    assert.are.equal(0, again:stop())
    assert.truthy(again.stderr:find("\nstopped; events that have not ended: 0\n$"), again.stderr)
    assert.is_nil(again.stderr:find("is a new database", 1, true))
    assert.are.equal(1, by_account(served.db).a.attempts)
  end)

  -- An endless handler cannot be distinguished from a crashing one, so its attempt is counted.
  it("leaves a handler that never ends at a second signal; its event runs again", function()
    local served = serve({ text = [[
      local palenca = require "palenca"
      palenca.on("*", function(event)
        print("began", event.attempt)
        while event.attempt == 1 do end
      end)
    ]] })
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stdout", "(began\t1)\n")
    assert.are.equal(405, http.request("GET", served.url).status)
    helper.post(served.url, { account_id = "b" })
    served:kill("sigterm")
    served:wait_output("stderr", "(SIGTERM: finishing)")
    served:kill("sigterm")
    assert.are.equal(1, served:wait_exit())
    local again = serve({ db = served.db, directory = served.directory, text = [[
      require "palenca".on("*", function(event) print("now", event.account_id, event.attempt) end)
    ]] })
    again:wait_output("stdout", "(now\ta\t2)\n")
    again:wait_output("stdout", "(now\tb\t%d)\n")
    assert.are.equal(0, again:stop())
  end)

  it("loses nothing when it is killed", function()
    local served = serve({ arguments = { "--concurrency", "2", "--workers", "2" } })
    for i = 1, 20 do
      helper.post(served.url, { account_id = "a" .. i })
    end
    helper.post(served.url, { account_id = "a1" })
    process.wait_for(function()
      return #server.requests == 4
    end, "four handlers")
    server.requests[1].respond(200)
    served:wait_output("stdout", "(handled)")
    helper.ask_until(function()
      return #helper.events(served.db, { "--state", "done" }) == 1
    end, "one to be done")
    served:kill("sigkill")
    assert.are.equal(128 + 9, served:wait_exit())
    local attempts = {}
    for _, event in ipairs(helper.events(served.db)) do
      attempts[event.id] = event.state == "running" and 2 or 1
    end
    server.on_request = function(request)
      request.respond(200)
    end
    local again = serve({ db = served.db, directory = served.directory })
    helper.wait_lines(again, "stderr", "done in", 20)
    assert.are.equal(0, again:stop())
    local events = helper.events(served.db)
    assert.are.equal(21, #events)
    for _, event in ipairs(events) do
      assert.are.equal("done", event.state)
      assert.are.equal(attempts[event.id], event.attempts)
    end
  end)

  -- What keeps it from starting.

  local function start_fails(arguments, env)
    local environment = { PALENCA_API_KEY = "spec-key" }
    for name, value in pairs(env or {}) do
      environment[name] = value
    end
    table.insert(arguments, 1, "serve")
    local status, out, err = process.run(process.program(), arguments, { env = environment })
    assert.are.equal(1, status, err)
    assert.are.equal("", out)
    assert.truthy(err:find("^palenca: "), err)
    return err
  end

  local function script(text)
    return process.write_file(stage:directory() .. "/mine.lua", text)
  end

  local function free(db, path)
    return { path or script(""), "--listen", "127.0.0.1:0", "--db",
      db or stage:directory() .. "/events.db" }
  end

  it("rejects a database that another one serves from", function()
    local served = serve()
    local err = start_fails(free(served.db))
    assert.truthy(err:find("another process is serving from " .. served.db, 1, true), err)
    err = start_fails(free(served.db, "/nowhere/mine.lua"))
    assert.truthy(err:find("cannot open /nowhere/mine.lua: No such file", 1, true), err)
    assert.are.equal(405, http.request("GET", served.url).status)
    assert.are.equal(0, served:stop())
    serve({ db = served.db, directory = served.directory })
  end)

  it("says that a port is in use", function()
    local served = serve()
    local address = served.url:match("http://([^/]+)")
    local directory = stage:directory()
    local err = start_fails({ script(""), "--listen", address, "--db", directory .. "/events.db" })
    assert.truthy(err:find(address .. ": Address already in use", 1, true), err)
    assert.is_nil(uv.fs_scandir_next(uv.fs_scandir(directory)), "a file was left behind")
  end)

  it("says why it cannot listen", function()
    local err = start_fails({ script(""), "--listen", "198.51.100.1:0", "--db",
      stage:directory() .. "/events.db" })
    assert.truthy(err:find("198.51.100.1:0: ", 1, true), err)
    err = start_fails({ script(""), "--listen", "example.com:80", "--db",
      stage:directory() .. "/events.db" })
    assert.truthy(err:find("the host must be a numeric address", 1, true), err)
  end)

  it("says that the script is missing, or names the line that is wrong", function()
    local err = start_fails(free(nil, "/nowhere/mine.lua"))
    assert.truthy(err:find("/nowhere/mine.lua", 1, true), err)
    assert.is_nil(err:find("traceback", 1, true), err)
    err = start_fails(free(nil, script("local a\nlocal b = = 1\n")))
    assert.truthy(err:find("mine.lua:2: unexpected symbol near '='", 1, true), err)
    assert.is_nil(err:find("traceback", 1, true), err)
    err = start_fails(free(nil, script("\n\nerror('my reason')\n")))
    assert.truthy(err:find("mine.lua:3: my reason", 1, true), err)
    err = start_fails(free(nil, script("error({reason = 1})")))
    assert.truthy(err:find("table", 1, true), err)
    err = start_fails(free(nil, script("\nrequire 'palenca'.on('login', print)\n")))
    assert.truthy(err:find("mine.lua:2: palenca.on: action must be", 1, true), err)
    err = start_fails(free(nil, script("for i = 1, 33 do\nrequire 'palenca'.on('made.up_' .. i, "
      .. "{concurrency = 1}, print) end")))
    assert.truthy(err:find("mine.lua:2: palenca.on: at most 32 actions", 1, true), err)
    err = start_fails(free(nil, script("\nos.exit(0)\n")))
    assert.truthy(err:find("mine.lua:2: os.exit is not available", 1, true), err)
    err = start_fails(free(nil, stage:directory()))
    assert.truthy(err:find("directory", 1, true), err)
  end)

  it("leaves no file behind if the script does not load, but what was there", function()
    local directory = stage:directory()
    local function fail_to_load()
      start_fails({ script("error('mine')"), "--listen", "unix:" .. directory .. "/socket",
        "--db", directory .. "/events.db" })
    end
    fail_to_load()
    assert.is_nil(uv.fs_scandir_next(uv.fs_scandir(directory)), "a file was left behind")
    local served = stage:serve({ directory = directory })
    assert.are.equal(0, served:stop())
    fail_to_load()
    assert.truthy(uv.fs_stat(directory .. "/events.db"))
    assert.are.same({}, helper.events(directory .. "/events.db"))
  end)

  -- The script is loaded while events are received.
  it("keeps an event that it has acknowledged before the script failed to load", function()
    local directory = stage:directory()
    local flag, port = directory .. "/flag", helper.free_port()
    local path = script(([[
      local palenca = require "palenca"
      while not io.open("%s") do palenca.sleep(0.01) end
      error("mine")
    ]]):format(flag))
    local served = stage:palenca({ "serve", path, "--listen", "127.0.0.1:" .. port, "--db",
      directory .. "/events.db" }, { env = { PALENCA_API_KEY = "spec-key" } })
    local url = "http://127.0.0.1:" .. port .. "/webhooks/palenca"
    helper.ask_until(function()
      local response = http.request("POST", url, helper.body({ account_id = "a" }))
      return response and response.status == 200
    end, "an event to be received")
    process.write_file(flag, "")
    assert.are.equal(1, served:wait_exit())
    assert.are.equal("a", helper.events(directory .. "/events.db")[1].account_id)
  end)

  it("leaves a database of a later version as it is", function()
    local served = stage:serve({})
    assert.are.equal(0, served:stop())
    helper.change_database(served.db, "PRAGMA user_version = 99")
    local before = helper.read_file(served.db)
    local err = start_fails(free(served.db))
    assert.truthy(err:find("was written by a later version of this program (schema 99, this one "
      .. "knows ", 1, true), err)
    assert.are.equal(before, helper.read_file(served.db))
  end)

  it("says that there is no API key, and where it was asked for", function()
    local path = script("local palenca = require 'palenca'\nlocal client = palenca.new()\n")
    local err = start_fails(free(nil, path), { PALENCA_API_KEY = "" })
    assert.truthy(err:find("mine.lua:2: palenca.new: no API key: pass api_key or set "
      .. "PALENCA_API_KEY, or name a file with --api-key-file\n", 1, true), err)
  end)

  it("loads a script that makes a client without further settings", function()
    serve({ text = "require 'palenca'.new()" })
    serve({ text = "require 'palenca'.new()", arguments = { "--rate-limit", "5" } })
  end)

  it("says what is wrong with the database", function()
    local directory = stage:directory()
    local err = start_fails(free("/nowhere/events.db"))
    assert.truthy(err:find("/nowhere/events.db: No such file or directory", 1, true), err)
    err = start_fails(free(directory))
    assert.truthy(err:find("not a regular file", 1, true), err)
    local text = ("not a database "):rep(100)
    local other = process.write_file(directory .. "/other.txt", text)
    err = start_fails(free(other))
    assert.truthy(err:find("is not a database; it was left as it is", 1, true), err)
    assert.are.equal(text, helper.read_file(other))
    -- root may write everywhere, so this holds for others only
    if uv.getuid() ~= 0 then
      local closed = stage:directory()
      assert(uv.fs_chmod(closed, 320))
      err = start_fails(free(closed .. "/events.db"))
      assert.truthy(err:find("Permission denied", 1, true), err)
    end
    err = start_fails(free("/proc/events.db"))
    assert.truthy(err:find("cannot create /proc/events.db: ", 1, true), err)
  end)

  -- A full disk.

  it("responds with 503 and stays up when an event cannot be written", function()
    local directory = stage:directory()
    local path = process.write_file(directory .. "/script.lua", "")
    local db = directory .. "/events.db"
    local served = stage:start("/bin/sh", { "-c", 'ulimit -f 400; exec "$@"', "sh",
      process.program(), "serve", path, "--listen", "127.0.0.1:0", "--db", db, "--workers", "1" })
    local url = served:wait_output("stderr", "receiving webhooks at (http://%S+),")
    local taken, response = 0
    repeat
      response = http.request("POST", url, helper.body({ filler = ("x"):rep(20000) }))
      taken = taken + (response.status == 200 and 1 or 0)
    until response.status ~= 200
    assert.are.equal(503, response.status)
    assert.are.same({ error = "the event could not be stored" }, helper.json.decode(response.body))
    for _ = 1, 20 do
      local status = http.request("POST", url, helper.body({ filler = ("x"):rep(20000) })).status
      taken = taken + (status == 200 and 1 or 0)
      assert.truthy(status == 200 or status == 503)
    end
    assert.is_true(taken > 0)
    assert.are.equal(405, http.request("GET", url).status)
    assert.are.equal(taken, #helper.events(db))
    -- by turns: a small write may succeed after the last big one has failed
    local is_failing = false
    for line in served.stderr:gmatch("[^\n]+") do
      if line:find("cannot write to", 1, true) then
        assert.is_false(is_failing, served.stderr)
        is_failing = true
      elseif line:find("writing again to", 1, true) then
        assert.is_true(is_failing, served.stderr)
        is_failing = false
      end
    end
    assert.truthy(served.stderr:find("cannot write to", 1, true), served.stderr)
    assert.are.equal(0, served:stop(), served.stderr)
    -- with room again, all that got 200 is there
    local again = serve({ db = db, directory = directory, text = "" })
    helper.post(again.url, { account_id = "after" })
    assert.are.equal(taken + 1, #helper.events(db))
    helper.wait_lines(again, "stderr", "no handler for it", 1)
    assert.are.equal(0, again:stop())
    for _, event in ipairs(helper.events(db)) do
      assert.are.equal("done", event.state)
    end
  end)
end)
