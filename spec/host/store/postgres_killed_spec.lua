--- `palenca serve` at PostgreSQL while processes of the server are killed.
local helper = require("spec.host.helper")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")
local uv = require("luv")

describe("palenca serve at a PostgreSQL that is killed", function()
  local stage = helper.stage_for_each()
  local cluster

  setup(function()
    cluster = postgres.new()
  end)

  teardown(function()
    cluster:close()
  end)

  local function pid_of_connection(db)
    return tonumber(cluster:query(db, [[SELECT pid FROM pg_stat_activity
      WHERE application_name = 'palenca' AND datname = current_database()]]))
  end

  -- The killed process of the server says nothing; that its connection is gone is noticed by what
  -- is sent, since the first thing that a process does that goes on is what is due.
  it("goes on when the first thing it sends fails", function()
    local db = cluster:database()
    local served = stage:serve({ db = db, env = { PALENCA_LEASE_TIMEOUT = "1" } })
    helper.post(served.url, { account_id = "before" })
    helper.wait_state(db, "before", "done")
    local pid = pid_of_connection(db)
    for _ = 1, 2 do
      served:kill("sigstop")
      helper.ask_until(function()
        return cluster:query(db, [[SELECT bool_and(clock_timestamp() > expires_at
          - interval '0.5 s') FROM palenca.hosts]]) == "t"
      end, "a sign of life to be due")
      uv.kill(pid, "sigkill")
      process.poll_for(function()
        return uv.kill(pid, 0) ~= 0
      end, "its end")
      served:kill("sigcont")
      pid = helper.ask_until(function()
        assert(not served.code, served:describe())
        local ok, other = pcall(pid_of_connection, db)
        return ok and other
      end, "another connection")
    end
    helper.post(served.url, { account_id = "after" })
    helper.wait_state(db, "after", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)
