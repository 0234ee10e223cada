--- Several `palenca serve` that start at the same time with an empty database of PostgreSQL.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

describe("the start of palenca serve at PostgreSQL", function()
  local stage = helper.stage_for_each()
  local cluster = postgres.shared()

  it("makes the tables once, and uses those that another process has made meanwhile", function()
    local db = cluster:database()
    local script = process.write_file(stage:directory() .. "/script.lua", "")
    local lock = stage:start("/usr/bin/psql", { db, "-Xqc",
      "SELECT pg_advisory_lock(1346456645), pg_sleep(60)" })
    local function count(condition)
      return tonumber(cluster:query(db, [[SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND ]]
        .. condition))
    end
    helper.ask_until(function()
      return count("granted") == 1
    end, "the lock")
    local servers = {}
    for i = 1, 3 do
      servers[i] = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--db", db })
    end
    helper.ask_until(function()
      return count("NOT granted") == 3
    end, "all to wait")
    lock:kill("sigint")
    for _, served in ipairs(servers) do
      served:wait_output("stderr", "receiving webhooks at (%S+)")
    end
    for _, served in ipairs(servers) do
      assert.are.equal(0, served:stop())
    end
  end)

  local function next_id(db, account)
    local served = stage:serve({ db = db, text = "" })
    local response = http.request("POST", served.url, helper.body({ account_id = account }))
    assert.are.equal(200, response.status)
    assert.are.equal(0, served:stop())
    return helper.json.decode(response.body).id
  end

  it("uses no id again after an earlier state of the database was restored", function()
    local db = cluster:database()
    local before = next_id(db, "before")
    local restored = cluster:copy(db)
    local lost = next_id(db, "lost")
    assert.is_true(lost > before)
    assert.is_true(next_id(restored, "after") > lost)
  end)
end)
