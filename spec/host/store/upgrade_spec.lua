--- Databases that earlier versions of the program have made, taken over by this one.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local PLACE = "spec/host/store/databases/version_%d.txt"

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("*", function(event) print(event.account_id, event.data.note, event.attempt) end)]]

for version = 5, 6 do
  describe("a database of version " .. version, function()
    local stage = helper.stage_for_each()

    it("goes on with its unfinished events, and keeps the others", function()
      local directory = stage:directory()
      local db = directory .. "/events.db"
      local status, _, err = process.run("/bin/sh", { "-c",
        'grep -v "^#" "$1" | base64 -d | gunzip >"$2"', "sh", PLACE:format(version), db })
      assert.equal(0, status, err)
      assert.equal(tostring(version), helper.query(db, "PRAGMA user_version"))
      local before = helper.query(db, "SELECT id FROM events ORDER BY id")
      local served = stage:serve({ text = SCRIPT, directory = directory, db = db,
        arguments = { "--workers", "1", "--retention", "0" } })
      served:wait_output("stderr", "(events that had not ended before: 3;)")
      local events = helper.wait_ended(db)
      assert.equal(0, served:stop())

      local schema = helper.read_file("core/host/store/sqlite/schema.h")
      assert.equal(schema:match("EVENT_SCHEMA_VERSION (%d+)"),
        helper.query(db, "PRAGMA user_version"))
      assert.equal(before, helper.query(db, "SELECT id FROM events ORDER BY id"))
      local states = {}
      for at, event in ipairs(events) do
        states[at] = ("%s %s %d"):format(event.account_id, event.state, event.attempts)
      end
      assert.same({ "done done 1", "dead dead 1", "retried done 2", "retried done 1",
        "running done 1" }, states)
      -- in the order of the account, with their bodies, the others not again
      assert.truthy(served.stdout:find("retried\t3\t2\n.*retried\t4\t1\n"), served.stdout)
      assert.truthy(served.stdout:find("running\t5\t%d\n"), served.stdout)
      assert.equal(3, select(2, served.stdout:gsub("\n", "")))
      local _, out = process.run(process.reader(), { "events", "list", "--state", "dead", "--db",
        db })
      assert.truthy(out:find("no such person", 1, true), out)
    end)
  end)
end
