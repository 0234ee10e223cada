--- A database that an earlier version of the program has made at PostgreSQL, taken over by this.
local helper = require("spec.host.helper")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

local PLACE = "spec/host/store/databases/postgres_version_1.sql"

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("*", function(event)
    print(event.account_id, event.external_id, event.attempt)
  end)]]

describe("a database of version 1 at PostgreSQL", function()
  local stage = helper.stage_for_each()
  local cluster = postgres.shared()

  -- What tables consist of, and functions, whoever has made them.
  local function shape(db)
    return cluster:query(db, [[
      SELECT format('%s.%s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull) AS line FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'palenca'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
      UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'palenca'
      UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = 'palenca'::regnamespace ORDER BY line]])
  end

  it("goes on with its unfinished events in order, and keeps the others", function()
    local db = cluster:database()
    local status, _, err = process.run("/usr/bin/psql", { db, "-Xqv", "ON_ERROR_STOP=1", "-f",
      PLACE })
    assert.equal(0, status, err)
    assert.equal("1", cluster:query(db, "SELECT version FROM schema_version"))
    status, _, err = process.run(process.reader(), { "events", "list", "--db", db })
    assert.equal(1, status)
    assert.truthy(err:find("its tables are of an earlier version", 1, true), err)

    local served = stage:serve({ db = db, text = SCRIPT, arguments = { "--retention", "0" },
      env = { PALENCA_LEASE_TIMEOUT = "1" } })
    served:wait_output("stderr", "(events of all processes that have not ended: 5)")
    local states = {}
    for at, event in ipairs(helper.wait_ended(db)) do
      states[at] = ("%d %s %s %d"):format(event.id, event.account_id, event.state, event.attempts)
    end
    assert.equal(0, served:stop())
    assert.same({ "1 dead dead 2", "2 done done 1", "3 retried done 2", "4 running done 2",
      "5 retried done 1", "6 running done 1", "7 running done 1" }, states)
    assert.truthy(served.stdout:find("retried\t3\t2\n.*retried\t5\t1\n"), served.stdout)
    assert.truthy(served.stdout:find("running\t4\t2\n.*running\t6\t1\n.*running\t7\t1\n"),
      served.stdout)
    assert.equal(5, select(2, served.stdout:gsub("\n", "")))

    local made = cluster:database()
    assert.equal(0, stage:serve({ db = made, text = SCRIPT }):stop())
    assert.equal(shape(made), shape(db))
  end)
end)
