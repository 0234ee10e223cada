--- `palenca events backup` under load, and with all that can end it in the middle; what is restored
-- of it has each event that was acknowledged before the backup began.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local process = require("spec.support.process")
local uv = require("luv")

describe("palenca events backup", function()
  local stage = helper.stage_for_each()
  local directory, db, file, acked

  before_each(function()
    directory = stage:directory()
    db, file, acked = directory .. "/events.db", directory .. "/backup.db", directory .. "/acked"
  end)

  local function serve(where)
    return stage:serve({ text = 'require("palenca").on("*", function() end)', directory = where,
      arguments = { "--workers", "1" } })
  end

  local function size(path)
    local status = uv.fs_stat(path)
    return status and status.size or 0
  end

  -- Makes the database so large that its backup takes a while.
  local function fill(megabytes)
    assert.are.equal(0, serve(directory):stop())
    helper.change_database(db, ([[
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
        INSERT INTO events SELECT 1000000000 + i, 'filler', 'filler', 3, 1, 0, 1000, 0, 9e15, NULL
        FROM n;
      INSERT INTO bodies SELECT id, zeroblob(1000000) FROM events WHERE action = 'filler']])
      :format(megabytes))
    return serve(directory)
  end

  local function start(...)
    return stage:palenca({ "events", "backup", file, "--db", db, ... })
  end

  -- In the middle of its work.
  local function start_and_wait()
    local command = start()
    process.poll_for(function()
      assert(not command.code, "it has ended before")
      return size(file .. ".partial") > 1000000
    end, "some of the copy")
    return command
  end

  local function assert_nothing_left()
    process.poll_for(function()
      return not uv.fs_stat(file .. ".partial")
    end, "the partial file to be removed")
    assert.is_nil((uv.fs_stat(file)))
  end

  it("holds all that was acknowledged before it began, under load and kill -9", function()
    local served = fill(20)
    local load = faults.load(stage, served.url, { connections = 64, accounts = 256, acked = acked,
      ["number-actions"] = true, seconds = 120, tag = 1 })
    -- of those before the backup; the sender writes them down a few kilobytes at a time
    local function acknowledged()
      local text = helper.read_file(acked) or ""
      return process.write_file(directory .. "/lines", text:match("^(.*\n)") or "")
    end
    process.poll_for(function()
      return size(acked) > 0
    end, "events to be acknowledged")
    local before = faults.records(acknowledged())
    local command = start("--overwrite")
    assert.are.equal(0, command:wait_exit(), command:describe())
    assert.are.equal(0x180, uv.fs_stat(file).mode & 0x1ff) -- 0600
    process.poll_for(function()
      return #faults.records(acknowledged()) > #before
    end, "events after it")
    served:kill("sigkill")
    load:kill("sigkill")
    served:wait_exit()
    load:wait_exit()
    local last_id = tonumber(helper.query(db, "SELECT max(id) FROM events"))

    local elsewhere = stage:directory()
    local restored = elsewhere .. "/events.db"
    local status, out, err = process.run(process.program(), { "events", "restore", file, "--db",
      restored })
    assert(status == 0, err)
    assert.truthy(out:find("^restored %d+ events to .*; new events have ids above %d+\n$"), out)
    local again = serve(elsewhere)
    helper.post(again.url, { account_id = "new" })
    local new = helper.wait_state(restored, "new", "done")
    assert(new.id > last_id, ("%d is not above %d"):format(new.id, last_id))
    assert.are.equal(0, again:stop())
    assert.are.equal("ok", helper.query(restored, "PRAGMA integrity_check"))
    local numbered = {}
    for _, event in ipairs(helper.events(restored, { "--since", "1d" })) do
      numbered[#numbered + 1] = event.account_id ~= "new" and event or nil
    end
    local stored = faults.by_key(numbered)
    assert(#before > 0)
    for _, record in ipairs(before) do
      assert(stored[record.key], "got 200 before the backup, and is not in it: " .. record.key)
    end
  end)

  it("leaves nothing when the process that serves is killed", function()
    local served = fill(20)
    local command = start_and_wait()
    served:kill("sigkill")
    assert.are.equal(1, command:wait_exit())
    assert.truthy(command.stderr:find("events.db ended before the work was done"),
      command.stderr)
    assert_nothing_left()
  end)

  it("leaves nothing when the command is killed, and the service goes on", function()
    local served = fill(20)
    local command = start_and_wait()
    command:kill("sigkill")
    command:wait_exit()
    assert_nothing_left()
    helper.post(served.url, { account_id = "after" })
    assert.are.equal(0, start():wait_exit())
    assert.are.equal(0, served:stop())
  end)

  it("leaves nothing at Ctrl-C, and the service goes on", function()
    local served = fill(20)
    local command = start_and_wait()
    command:kill("sigint")
    assert.are.equal(130, command:wait_exit())
    assert.are.equal("palenca: stopped by SIGINT; nothing is left of it\n", command.stderr)
    assert_nothing_left()
    helper.post(served.url, { account_id = "after" })
    assert.are.equal(0, served:stop())
  end)

  it("is ended by the service's own end, which is in order", function()
    local served = fill(20)
    local command = start_and_wait()
    assert.are.equal(0, served:stop())
    assert.are.equal(1, command:wait_exit())
    assert.truthy(command.stderr:find("the process ends"), command.stderr)
    assert_nothing_left()
    assert.are.equal(0, size(db .. "-wal"))
  end)

  it("says that a disk is full, and leaves nothing", function()
    local served = fill(20)
    local holder = stage:start("/usr/bin/prlimit", { "--pid", tostring(served.pid),
      "--fsize=8000000:8000000" })
    assert.are.equal(0, holder:wait_exit(), holder:describe())
    local command = start()
    assert.are.equal(1, command:wait_exit())
    assert.truthy(command.stderr:find("cannot copy the database to .*backup.db.partial: "),
      command.stderr)
    assert_nothing_left()
  end)
end)
