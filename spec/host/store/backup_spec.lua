--- `palenca events backup` and `restore`: what they write, and what they reject.
local helper = require("spec.host.helper")
local process = require("spec.support.process")
local uv = require("luv")

local function palenca(...)
  return process.run(process.program(), { "events", ... })
end

describe("palenca events backup", function()
  local stage = helper.stage_for_each()
  local served, db, file

  before_each(function()
    served = stage:serve({ text = [[
      local palenca = require "palenca"
      palenca.on("login.error", { max_attempts = 1 }, function() error("no", 0) end)
    ]] })
    db, file = served.db, served.directory .. "/backup.db"
    helper.post(served.url, { account_id = "dead", webhook_action = "login.error" })
    helper.wait_state(db, "dead", "dead")
  end)

  local function assert_fails(pattern, ...)
    local status, out, err = palenca(...)
    assert.are.same({ 1, "" }, { status, out }, err)
    assert.truthy(err:find(pattern), err)
  end

  local function restore(path)
    local status, out, err = palenca("restore", file, "--db", path, "--json")
    assert(status == 0, err)
    return helper.json.decode(out)
  end

  it("copies the database while it is served from, and while it is not", function()
    local status, out = palenca("backup", file, "--db", db)
    assert.are.equal(0, status)
    assert.are.equal(("wrote %s, %s\n"):format(file, out:match(", (%S+ %S+)\n$")), out)
    assert.are.equal(0x180, uv.fs_stat(file).mode & 0x1ff)
    assert.are.equal("dead", helper.events(file)[1].account_id)
    assert.is_nil((uv.fs_stat(file .. "-wal")))

    served:kill("sigkill") -- the event is in the log only
    served:wait_exit()
    assert_fails("backup.db exists already; it was left as it is", "backup", file, "--db", db)
    assert.are.equal(0, (palenca("backup", file, "--db", db, "--overwrite")))
    assert.are.equal("dead", helper.events(file)[1].account_id)
    served = stage:serve({ db = db, directory = served.directory })
    assert.are.equal(0, served:stop())
    assert.are.equal(0, (palenca("backup", file, "--db", db, "--overwrite", "--json")))
    assert.are.equal("dead", helper.events(file)[1].account_id)
  end)

  it("takes up what an earlier one has left, and not what another one writes", function()
    process.write_file(file .. ".partial", "left over")
    assert.are.equal(0, (palenca("backup", file, "--db", db)))
    assert.is_nil((uv.fs_stat(file .. ".partial")))
    process.write_file(file .. ".partial", "in use")
    local holder = stage:start("/usr/bin/flock", { "--no-fork", file .. ".partial", "/bin/sh", "-c",
      "echo held; exec sleep 1000" })
    holder:wait_output("stdout", "(held)")
    assert_fails("another command is writing .*backup.db.partial", "backup", file, "--db", db,
      "--overwrite")
    assert.are.equal("in use", helper.read_file(file .. ".partial"))
  end)

  it("writes to nothing but a file of its own", function()
    assert_fails("events.db%-wal is a part of the database", "backup", db .. "-wal", "--db", db,
      "--overwrite")
    assert_fails("events.db is a part of the database", "backup", db, "--db", db, "--overwrite")
    assert_fails("cannot replace .*File exists", "backup", served.directory, "--db", db,
      "--overwrite")
    assert_fails("cannot create .*No such file", "backup", served.directory .. "/no/b", "--db", db)
    -- at the socket, past the command
    local path = process.write_file(served.directory .. "/other.partial", "")
    uv.fs_link(db, served.directory .. "/link.partial")
    for _, name in ipairs({ db, served.directory .. "/script.lua",
      served.directory .. "/link.partial", served.directory .. "/missing.partial" }) do
      local received, ended = "", false
      local pipe = uv.new_pipe(false)
      pipe:connect(db .. "-socket", function(problem)
        assert(not problem, problem)
        pipe:write(("palenca-admin 3 backup file=%s\n"):format(name:gsub("/", "%%2f")))
        pipe:read_start(function(_, data)
          received, ended = received .. (data or ""), not data
        end)
      end)
      process.wait_for(function() return ended end, "the response")
      pipe:close()
      assert.truthy(received:find("failed .*is%%20no%%20file%%20for%%20a%%20backup"), received)
    end
    assert.truthy(uv.fs_stat(db) and uv.fs_stat(path))
    uv.fs_unlink(served.directory .. "/link.partial")
    helper.post(served.url, { account_id = "after" })
  end)

  it("is restored where there is no database, with ids that were not used", function()
    assert.are.equal(0, (palenca("backup", file, "--db", db)))
    helper.post(served.url, { account_id = "later" })
    local lost = helper.wait_state(db, "later", "done").id
    assert_fails("events.db exists: a restore makes a new database", "restore", file, "--db", db)
    local restored = served.directory .. "/restored.db"
    local result = restore(restored)
    assert.are.equal(1, result.events)
    assert.are.equal("1", helper.query(restored, "SELECT count(*) FROM attempts"))
    assert(result.ids_above > lost)
    assert.are.equal(0x180, uv.fs_stat(restored).mode & 0x1ff)
    local again = stage:serve({ db = restored })
    helper.post(again.url, { account_id = "new" })
    assert(helper.wait_state(restored, "new", "done").id > result.ids_above)
    assert.are.equal(14, #("%d"):format(result.ids_above)) -- as many digits as all encoders write
    -- of another database that is lost, which was a restored one
    local second = restore(served.directory .. "/second.db")
    assert(second.ids_above > helper.wait_state(restored, "new", "done").id)
  end)

  it("is followed by many ids that no event has, which no command looks through", function()
    assert.are.equal(0, served:stop())
    helper.change_database(db, [[
      INSERT INTO events SELECT id - 10000000000000, action, 'early', 3, 1, 0, 1000, 0, 2000, NULL
        FROM events;
      INSERT INTO bodies SELECT id, '{}' FROM events WHERE account_id = 'early']])
    for _, sorted in ipairs({ {}, { "--state", "done" }, { "--account", "dead" } }) do
      assert.are.equal(#sorted == 0 and 2 or 1, #helper.events(db, sorted))
    end
    local _, out = palenca("stats", "--db", db, "--json")
    local states = helper.json.decode(out).states
    assert.are.same({ 1, 1 }, { states.done, states.dead })
    assert.are.equal(0, (process.run(process.program(), { "forget", "--user", "nobody-has-this-id",
      "--db", db })))
    assert.are.equal(1, (process.run(process.program(), { "shadow", served.directory
      .. "/script.lua", "--db", db })))
    _, out = palenca("purge", "--db", db, "--json")
    assert.are.equal(1, helper.json.decode(out).events)
  end)

  it("is not restored over what is there, or from what is damaged", function()
    assert.are.equal(0, (palenca("backup", file, "--db", db)))
    local restored = served.directory .. "/restored.db"
    process.write_file(restored .. "-wal", "of another")
    assert_fails("restored.db%-wal is there, the log of a database that is not", "restore", file,
      "--db", restored)
    uv.fs_unlink(restored .. "-wal")
    local holder = stage:start("/usr/bin/flock", { "--no-fork", restored .. "-lock",
      "/bin/sh", "-c", "echo held; exec sleep 1000" })
    holder:wait_output("stdout", "(held)")
    assert_fails("another process is serving from .*restored.db", "restore", file, "--db", restored)
    holder:kill("sigkill")
    holder:wait_exit()
    assert_fails("script.lua is not a database", "restore", served.directory .. "/script.lua",
      "--db", restored)
    assert_fails("cannot open .*none.db: No such file", "restore", served.directory .. "/none.db",
      "--db", restored)
    helper.change_database(file, "PRAGMA user_version = 99")
    assert_fails("later version of this program %(schema 99", "restore", file, "--db", restored)
    helper.change_database(file, "PRAGMA user_version = 6")
    local handle = assert(io.open(file, "r+b"))
    handle:seek("set", 4096 * 2)
    handle:write(("\255"):rep(4096 * 2))
    handle:close()
    assert_fails("backup.db is damaged: ", "restore", file, "--db", restored)
    assert.is_nil((uv.fs_stat(restored)))
    assert.is_nil((uv.fs_stat(restored .. ".partial")))
  end)
end)
