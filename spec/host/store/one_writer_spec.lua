--- Who has a database open for writing: `palenca serve`, which does for the commands beside it what
-- they ask for at its socket; without it the command itself.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("login.error", { max_attempts = 1 }, function() error("no", 0) end)
]]

local FIRST_LINE = "palenca%-admin 3 progress replay=%S+ events=0 "

-- Runs a command with the program of the readers, which is built without sanitizers.
local function events(...)
  return process.run(process.reader(), { "events", ... })
end

-- In a closed database.
local function add_done(db, count)
  helper.change_database(db, string.format([[
    BEGIN;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
      INSERT INTO events SELECT (SELECT max(id) FROM events) + i, 'login.success', 'a' || (i %% 9),
        3, 1, 0, 1000 + i, 0, 2000 + i, NULL FROM n;
    INSERT INTO bodies SELECT id, zeroblob(400) FROM events WHERE received_at < 1000000000;
    COMMIT]], count))
end

local function count_done(db)
  return tonumber(helper.query(db, "SELECT count(*) FROM events WHERE state = 3"))
end

describe("palenca serve", function()
  local stage, clients

  before_each(function()
    stage, clients = helper.stage(), {}
  end)

  after_each(function()
    for _, client in ipairs(clients) do
      if not client.pipe:is_closing() then
        client.pipe:close()
      end
    end
    stage:clear()
  end)

  local function serve(options)
    options = options or {}
    options.text = options.text or SCRIPT
    return stage:serve(options)
  end

  -- Serves, receives an event that ends as dead, and one that is done.
  local function serve_some(options)
    local served = serve(options)
    helper.post(served.url, { account_id = "dead", webhook_action = "login.error" })
    helper.post(served.url, { account_id = "done" })
    served.dead = helper.wait_state(served.db, "dead", "dead").id
    served.done = helper.wait_state(served.db, "done", "done").id
    return served
  end

  -- A client at the socket: `received` is what has come, `ended` whether it was closed.
  local function connect(db, text)
    local client = { pipe = uv.new_pipe(false), received = "" }
    clients[#clients + 1] = client
    client.pipe:connect(db .. "-socket", function(problem)
      client.problem, client.ended = problem, problem ~= nil
      if not problem then
        client.connected = true
        client.pipe:read_start(function(_, data)
          client.received = client.received .. (data or "")
          client.ended = client.ended or not data
        end)
        if text then
          client.pipe:write(text)
        end
      end
    end)
    return client
  end

  local function wait(client, what)
    return process.wait_for(function()
      return client[what]
    end, what)
  end

  local function response(db, text)
    local client = connect(db, text)
    wait(client, "ended")
    return client.received
  end

  -- Serves with so many events more that are done, of which any may be deleted.
  local function serve_done(count, options)
    local served = serve_some(options)
    assert.are.equal(0, served:stop())
    add_done(served.db, count)
    return serve({ db = served.db, directory = served.directory,
      arguments = { "--redelivery-window", "0", "--retention", "0" } })
  end

  -- With a client whose purge is under way.
  local function serve_purging()
    local served = serve_done(60000)
    local client = connect(served.db, "palenca-admin 3 purge state=done before=1000000\n")
    process.wait_for(function()
      return client.received:find(FIRST_LINE)
    end, "the first line")
    return served, client
  end

  -- Somebody else who holds the lock, until the test ends; `holder` is what the lock file says.
  local function hold_lock(db, holder)
    local started = stage:start("/usr/bin/flock", { "--no-fork", db .. "-lock", "/bin/sh", "-c",
      'echo "$2" > "$1"; echo held; exec sleep 1000', "sh", db .. "-lock", holder or "" })
    started:wait_output("stdout", "(held)")
    return started
  end

  local function stop_all_threads(served)
    served:kill("sigstop")
    local path = "/proc/" .. served.pid .. "/task"
    process.poll_for(function()
      local are_stopped = true
      local scan = assert(uv.fs_scandir(path))
      for thread in function() return (uv.fs_scandir_next(scan)) end do
        local state = helper.read_file(path .. "/" .. thread .. "/stat"):match("%) (%a)")
        are_stopped = are_stopped and state == "T"
      end
      return are_stopped
    end, "all threads to be stopped")
  end

  local function assert_fails(pattern, ...)
    local status, out, err = events(...)
    assert.are.same({ 1, "" }, { status, out }, err)
    assert.truthy(err:find(pattern), err)
  end

  describe("has the database open for writing, and nobody else:", function()
    local WRITES = "trace=?open,openat,?creat,write,pwrite64,writev,pwritev,?pwritev2,ftruncate,"
      .. "truncate,fallocate,?unlink,unlinkat,?rename,?renameat,renameat2"

    -- The system calls of a command that change the database or its log, or could.
    local function writes(directory, ...)
      local log = directory .. "/strace"
      local status, _, err = process.run("/usr/bin/strace",
        { "-f", "-y", "-o", log, "-e", WRITES, process.reader(), "events", ... })
      if err:find("ptrace") or err:find("PTRACE") then
        pending("needs the right to trace a process")
      end
      assert(status == 0, err)
      local found = {}
      for line in helper.read_file(log):gmatch("[^\n]+") do
        local call, arguments = line:match("(%w+)%((.*)")
        if call and arguments:find("events%.db") then
          local is_open = call == "open" or call == "openat" or call == "creat"
          local is_database = arguments:find("/events%.db\"") or arguments:find("/events%.db>")
          local is_log = arguments:find("/events%.db%-wal")
          if (is_open and is_database and not arguments:find("O_RDONLY"))
            or (not is_open and (is_database or is_log))
          then
            found[#found + 1] = line
          end
        end
      end
      return found
    end

    it("commands ask it", function()
      local served = serve_some()
      local id, db = string.format("%d", served.done), served.db
      for _, command in ipairs({ { "list" }, { "show", id }, { "stats" }, { "replay", id },
        { "retry-dead" }, { "purge", "--older-than", "0", "--state", "dead" },
        { "purge", "--dry-run" } })
      do
        table.move({ "--db", db }, 1, 2, #command + 1, command)
        assert.are.same({}, writes(served.directory, table.unpack(command)), command[1])
      end
      local is_writer = false
      local path = "/proc/" .. served.pid .. "/fd"
      local scan = assert(uv.fs_scandir(path))
      for name in function() return (uv.fs_scandir_next(scan)) end do
        local flags = helper.read_file("/proc/" .. served.pid .. "/fdinfo/" .. name)
        flags = flags and tonumber(flags:match("flags:%s*(%d+)"), 8)
        is_writer = is_writer or (uv.fs_readlink(path .. "/" .. name) == db and flags & 3 == 2)
      end
      assert.is_true(is_writer)
      assert.are.equal(0, served:stop())
      -- and what this test would find
      assert.truthy(#writes(served.directory, "retry-dead", "--db", db) > 0)
    end)
  end)

  it("does what commands ask for, while it receives", function()
    local served = serve_done(20000, { arguments = { "--redelivery-window", "0" } })
    local purge = stage:start(process.reader(),
      { "events", "purge", "--older-than", "0", "--json", "--db", served.db })
    local posted = 0
    repeat
      helper.post(served.url, { account_id = "b" })
      posted = posted + 1
    until purge.code
    assert.are.equal(0, purge:wait_exit(), purge.stderr)
    local purged = helper.json.decode(purge.stdout)
    assert.is_true(purged.events >= 20001)
    assert.is_true(purged.bytes >= 20000 * 400)
    local left = #helper.events(served.db, { "--account", "b" })
    assert.are.equal(20001 + 1 + posted, purged.events + left + 1)
    assert.are.equal(0, served:stop())
    assert.are.equal("ok", helper.query(served.db, "PRAGMA integrity_check"))
  end)

  it("stops a work whose command has gone", function()
    local served, client = serve_purging()
    client.pipe:close()
    local before, left
    helper.ask_until(function()
      before, left = left, count_done(served.db)
      return left == before
    end, "the end of the purge")
    assert.is_true(left > 1, "it went on to the end")
    helper.post(served.url)
    assert.are.equal(0, served:stop())
  end)

  it("rejects what it does not understand, and whom it cannot serve", function()
    local served = serve_some()
    assert.are.equal(384, assert(uv.fs_stat(served.db .. "-socket")).mode & 511) -- 0600
    for _, case in ipairs({
      { "GET / HTTP/1.1\r\n\r\n", "more%%20than%%20one%%20request" },
      { "GET / HTTP/1.1\r\n", "malformed%%20request" },
      { "palenca-admin 3 forget id=1\n", "malformed%%20request" },
      { "palenca-admin 2 replay id=1\n", "another%%20version" },
      { ("x"):rep(5000), "too%%20long" },
    }) do
      local line = response(served.db, case[1])
      assert.truthy(line:find("^palenca%-admin 3 rejected .*reason=%S*" .. case[2] .. "%S*\n$"),
        line)
    end
    local silent = {}
    for i = 1, 8 do
      silent[i] = connect(served.db, "palenca-admin 3 rep")
      wait(silent[i], "connected")
    end
    assert.truthy(response(served.db):find("too%%20many"))
    wait(silent[8], "ended")
    assert.truthy(silent[8].received:find("no%%20request%%20came%%20in%%20time"))
    local status, _, err = events("replay", string.format("%d", served.done), "--db", served.db)
    assert.are.equal(0, status, err)
    helper.post(served.url)
    assert.are.equal(0, served:stop())
    assert.is_nil(uv.fs_stat(served.db .. "-socket"))
  end)

  it("ends a work when it ends itself, and says so", function()
    local served, client = serve_purging()
    assert.are.equal(0, served:stop())
    wait(client, "ended")
    assert.truthy(client.received:find("\npalenca%-admin 3 failed .*reason=the%%20process%%20ends"),
      client.received)
    local deleted = tonumber(client.received:match("failed .*events=(%d+)"))
    assert.are.equal(60001 - deleted, count_done(served.db))
  end)

  it("is not in the way of commands once it was killed", function()
    local served = serve_some()
    served:kill("sigkill")
    served:wait_exit()
    assert.truthy(uv.fs_stat(served.db .. "-socket"))
    local status, out, err = events("replay", string.format("%d", served.done), "--db", served.db)
    assert.are.same({ 0, "event " .. string.format("%d", served.done) .. " runs again\n" },
      { status, out }, err)
    served = serve({ db = served.db, directory = served.directory })
    helper.wait_state(served.db, "done", "done")
    assert.are.equal(0, (events("retry-dead", "--db", served.db)))
    assert.are.equal(0, served:stop())
  end)

  it("is found at a path that is too long for a socket", function()
    local directory = stage:directory() .. "/" .. ("d"):rep(120)
    assert(uv.fs_mkdir(directory, 448))
    local served = serve_some({ directory = directory })
    local status, _, err = events("replay", string.format("%d", served.done), "--db", served.db)
    assert.are.equal(0, status, err)
    assert.are.equal(0, served:stop())
    assert.is_nil(uv.fs_stat(served.db .. "-socket"))
  end)

  it("receives without a socket, and says so", function()
    local directory = stage:directory()
    assert(uv.fs_mkdir(directory .. "/events.db-socket", 448))
    local served = serve_some({ directory = directory })
    assert.truthy(served.stderr:find("cannot listen for commands: %S+%-socket: "), served.stderr)
    assert_fails("palenca serve has .* open for writing, and does not respond at", "retry-dead",
      "--db", served.db)
    assert.are.equal(0, served:stop())
  end)

  it("that does not respond is not written beside", function()
    local served = serve_some()
    local id = string.format("%d", served.done)
    stop_all_threads(served)
    assert_fails("process " .. served.pid .. ", palenca serve that serves from .* did not respond "
      .. "for 10 s", "replay", id, "--db", served.db)
    served:kill("sigcont")
    helper.post(served.url, { account_id = "after" })
    helper.wait_state(served.db, "after", "done")
    local shown = helper.json.decode((select(2, events("show", id, "--json", "--db", served.db))))
    assert.are.same({ "done", 0 }, { shown.state, shown.replays })
    assert.are.equal(0, served:stop())
  end)

  it("of another version, or another program with the lock, is not written beside", function()
    local served = serve_some()
    assert.are.equal(0, served:stop())
    local db, id = served.db, string.format("%d", served.done)
    hold_lock(db)
    assert_fails("another process has .* open for writing, and does not respond at .*%-socket",
      "replay", id, "--db", db)
    local status, _, err = process.run(process.program(),
      { "serve", served.directory .. "/script.lua", "--listen", "127.0.0.1:0", "--db", db })
    assert.are.equal(1, status)
    assert.truthy(err:find("another process is serving from " .. db, 1, true), err)
    local responses = { "palenca-admin 9 whatever\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
      ("x"):rep(5000) }
    local other, at = uv.new_pipe(false), 0
    assert(other:bind(db .. "-socket"))
    other:listen(8, function()
      local client = uv.new_pipe(false)
      other:accept(client)
      at = at + 1
      client:write(responses[at], function()
        client:close()
      end)
    end)
    assert_fails("is of another version of palenca: run this command with the program that serves",
      "retry-dead", "--db", db)
    assert_fails("responded with something else than expected", "purge", "--db", db)
    assert_fails("responded with something else than expected", "purge", "--db", db)
    other:close()
    uv.run("nowait")
    assert.are.equal("done", helper.wait_state(db, "done", "done").state)
  end)

  it("says which command writes, when it starts meanwhile", function()
    local served = serve_some()
    assert.are.equal(0, served:stop())
    hold_lock(served.db, "123 palenca events purge")
    local status, _, err = process.run(process.program(),
      { "serve", served.directory .. "/script.lua", "--listen", "127.0.0.1:0", "--db", served.db })
    assert.are.equal(1, status)
    assert.truthy(err:find("another process is writing to " .. served.db
      .. " (process 123, palenca events purge)", 1, true), err)
    assert_fails("process 123, palenca events purge has .* open for writing", "retry-dead", "--db",
      served.db)
  end)

  it("and commands reject a copy that was taken without its log", function()
    local served = serve_some()
    local copy = served.directory .. "/copy.db"
    assert(uv.fs_copyfile(served.db, copy))
    for _, command in ipairs({ { "list" }, { "stats" }, { "retry-dead" }, { "purge" } }) do
      assert_fails("copy%.db was in use, and the log beside it %(%-wal%) is missing", command[1],
        "--db", copy)
    end
    local status, _, err = process.run(process.program(),
      { "serve", served.directory .. "/script.lua", "--listen", "127.0.0.1:0", "--db", copy })
    assert.are.equal(1, status)
    assert.truthy(err:find("is missing: ", 1, true), err)
    assert.are.equal(0, served:stop())
    assert(uv.fs_copyfile(served.db, copy))
    assert.are.equal(2, #helper.events(copy))
    served = serve({ db = copy, directory = served.directory })
    assert.are.equal(200, http.request("POST", served.url, helper.body()).status)
    assert.are.equal(0, served:stop())
  end)
end)
