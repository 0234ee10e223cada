--- Decisions, and persons who are forgotten, at PostgreSQL: what only several processes, and a
-- server, can do to them.
local documents = require("spec.support.documents")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

-- Waits where the event says so, and records a decision.
local DECIDING = [[
  local palenca = require "palenca"
  palenca.on("*", { max_attempts = 1000, retry_wait = 0.01 }, function(event)
    local stream = { { earning_date = "2026-01-01", amount = 300, currency = "mxn",
      note = event.user_id } }
    local income = palenca.income.analyze(stream, { as_of = "2026-01-01" })
    palenca.decision.record(event, { stream = stream, income = income,
      verdict = palenca.income.decide(income, { version = 1 }, { installment = 1 }) })
    if event.external_id then
      palenca.http{ url = os.getenv "SPEC_URL" .. "/" .. event.attempt }
    end
  end)
]]

describe("the ledger of several processes at PostgreSQL", function()
  local stage = helper.stage_for_each()
  local cluster

  setup(function()
    cluster = postgres.new()
  end)

  teardown(function()
    cluster:close()
  end)

  local function serve(db, options)
    options = options or {}
    local env = { PALENCA_LEASE_TIMEOUT = "1", SPEC_URL = options.url }
    return stage:serve({ db = db, text = options.text or DECIDING, arguments = { "--workers", "1",
      table.unpack(options.arguments or {}) }, env = env })
  end

  local function palenca(...)
    return process.run(process.program(), { ... })
  end

  local function verified(db)
    local status, out, err = palenca("decisions", "verify", "--json", "--db", db)
    assert(status == 0, out .. err)
    return helper.json.decode(out)
  end

  local function forget(db, user)
    local status, out, err = palenca("forget", "--user", user, "--json", "--db", db)
    assert(status == 0, err)
    return helper.json.decode(out)
  end

  it("is one chain, with one decision for each event that ended, whoever is killed", function()
    local db = cluster:database()
    local servers = { serve(db), serve(db), serve(db) }
    local EVENTS = 120
    for number = 1, EVENTS do
      local body, tries = helper.body({ account_id = "account-" .. number }), number
      helper.ask_until(function()
        tries = tries + 1
        local response = http.request("POST", servers[tries % #servers + 1].url, body)
        return response and response.status == 200
      end, "200")
      if number % 40 == 20 then
        local victim = number // 40 + 1
        servers[victim]:kill("sigkill")
        servers[victim]:wait_exit()
        servers[victim] = serve(db)
      elseif number == 70 then
        cluster:kill()
        cluster:start()
      end
    end
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM events WHERE state = 3") == tostring(EVENTS)
    end, "all events to be done")
    local report = verified(db)
    assert.are.same({ 1, EVENTS, EVENTS }, { report.first, report.last, report.decisions })
    assert.are.equal("0", cluster:query(db, "SELECT count(*) FROM events WHERE (SELECT count(*)"
      .. " FROM decisions WHERE kind = 1 AND subject = events.id AND attempt = attempts) <> 1"))
    local status, out = palenca("decisions", "replay", "--db", db)
    assert.are.equal(0, status)
    assert.truthy(out:find(EVENTS .. " match, 0 differ", 1, true), out)
    for _, served in ipairs(servers) do
      assert.are.equal(0, served:stop())
    end
  end)

  it("takes many large decisions at once", function()
    local db, go = cluster:database(), stage:directory() .. "/go"
    local COUNT, SIZE = 12, 500000
    local served = stage:serve({ db = db, arguments = { "--workers", "1" }, env = { SPEC_GO = go },
      text = ([[
        local palenca = require "palenca"
        palenca.on("*", function(event)
          local random, state = {}, event.id
          for at = 1, %d do
            state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
            random[at] = string.char(48 + (state >> 40) %% 64)
          end
          local stream = { { earning_date = "2026-01-01", amount = 300, currency = "mxn",
            note = table.concat(random) } }
          local income = palenca.income.analyze(stream, { as_of = "2026-01-01" })
          palenca.decision.record(event, { stream = stream, income = income,
            verdict = palenca.income.decide(income, { version = 1 }, { installment = 1 }) })
          while not io.open(os.getenv "SPEC_GO") do
            palenca.sleep(0.05)
          end
        end)
      ]]):format(SIZE) })
    for number = 1, COUNT do
      helper.post(served.url, { account_id = "account-" .. number })
    end
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM events WHERE state = 1") == tostring(COUNT)
    end, "all to run")
    process.write_file(go, "")
    helper.wait_ended(db)
    assert.are.equal(COUNT, verified(db).decisions)
    assert.are.equal("t", cluster:query(db, ("SELECT sum(length(rows)) > %d * 0.7 * %d FROM "
      .. "decision_data"):format(COUNT, SIZE)))
    assert.are.equal(0, served:stop())
  end)

  it("has nothing of a handler whose lease has expired", function()
    local db, server = cluster:database(), stage:server(function() end)
    local first = serve(db, { url = server.url })
    helper.post(first.url, { account_id = "stopped", external_id = "waits" })
    server:wait_request("/1")
    local second = serve(db, { url = server.url })
    first:kill("sigstop")
    local taken_over = server:wait_request("/2")
    server:find("/1").respond(200, "{}")
    first:kill("sigcont")
    first:wait_output("stderr", "(what the handlers of 1 events ended with changes nothing)")
    assert.are.equal("0", cluster:query(db, "SELECT count(*) FROM decisions"))
    taken_over.respond(200, "{}")
    helper.wait_state(db, "stopped", "done")
    assert.are.equal("2", cluster:query(db, "SELECT attempt FROM decisions"))
    verified(db)
    assert.are.equal(0, first:stop())
    assert.are.equal(0, second:stop())
  end)

  it("is checked and listed by the role that reads, and at a standby", function()
    local db = cluster:database()
    cluster:query(db, documents.blocks("core/host/POSTGRESQL.md", "sql")[1].text)
    assert.are.equal(0, serve(db .. "&options=-crole%3Dpalenca_owner"):stop())
    local served = serve((db:gsub("palenca@", "palenca_serve@")))
    for number = 1, 3 do
      helper.post(served.url, { account_id = "account-" .. number })
      helper.wait_state(db, "account-" .. number, "done")
    end
    local reader = db:gsub("palenca@", "palenca_read@")
    assert.are.equal(3, verified(reader).decisions)
    local status, _, err = palenca("forget", "--account", "account-1", "--db", reader)
    assert.are.equal(1, status)
    assert.truthy(err:find("permission denied", 1, true), err)
    local standby = postgres.new({ base = cluster })
    stage:at_end(function()
      standby:close()
    end)
    local there = standby:url(db:match("/(%w+)%?")):gsub("palenca@", "palenca_read@")
    local _, out = palenca("decisions", "list", "--json", "--db", there)
    assert.are.equal(3, #helper.lines_of_json(out))
    -- who may change rows, and does not know how to make the chain
    cluster:query(db, "INSERT INTO decisions SELECT 4, kind, subject, attempt, replay, recorded_at,"
      .. " facts, rows_digest, data_digest, hash, hash FROM decisions WHERE number = 3")
    helper.ask_until(function()
      status, out = palenca("decisions", "verify", "--db", there)
      return status == 1
    end, "the standby to have it")
    assert.truthy(out:find("entry 4 was inserted", 1, true), out)
    assert.are.equal(0, served:stop())
  end)

  it("goes on after a removal, and the deletion of old entries by any of them", function()
    local db = cluster:database()
    local first = serve(db)
    for number = 1, 3 do
      helper.post(first.url, { account_id = "account-" .. number, user_id = "user-" .. number })
      helper.wait_state(db, "account-" .. number, "done")
    end
    assert.are.equal(1, forget(db, "user-2").decisions)
    assert.are.same({ 4, 1 }, { verified(db).last, verified(db).removed })
    local second = serve(db, { arguments = { "--decision-retention", "0.000001" } })
    helper.ask_until(function()
      return verified(db).decisions == 0
    end, "the deletion")
    assert.are.equal("0", cluster:query(db, "SELECT count(*) FROM decision_data"))
    assert.are.equal(0, second:stop())
    local last = verified(db).last
    helper.post(first.url, { account_id = "later" })
    helper.wait_state(db, "later", "done")
    assert.are.same({ last + 1, 1 }, { verified(db).last, verified(db).decisions })
    assert.are.equal(0, first:stop())
  end)

  describe("and palenca forget", function()
    local USER = "d1c9b98b-3190-479e-99db-04060ff3997f"

    it("removes what a process had that is gone, beside one that serves", function()
      local db, server = cluster:database(), stage:server(function() end)
      local first = serve(db, { url = server.url })
      helper.post(first.url, { account_id = "gone", user_id = USER, external_id = "waits" })
      server:wait_request("/1")
      first:kill("sigkill")
      first:wait_exit()
      cluster:query(db, "UPDATE hosts SET expires_at = now()")
      assert.are.same({ 1, true }, { forget(db, USER).events, forget(db, USER).vacuumed })
      local second = serve(db, { url = server.url })
      helper.post(second.url, { account_id = "gone", user_id = USER })
      helper.wait_state(db, "gone", "done")
      assert.are.same({ 1, 1 }, { forget(db, USER).events, verified(db).removed })
      -- the body that was forgotten comes again
      helper.post(second.url, { account_id = "gone", user_id = USER })
      helper.wait_state(db, "gone", "done")
      assert.are.equal(0, second:stop())
    end)

    -- A transaction that commits once the process that is returned has ended.
    local function begin(db, statements)
      local function wait_for_locks(count)
        helper.ask_until(function()
          return cluster:query(db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            == count
        end, count .. " locks")
      end
      local holder = stage:start("/usr/bin/psql", { db, "-Xqc",
        "SELECT pg_advisory_lock(1); SELECT pg_sleep(60)" })
      wait_for_locks("1")
      stage:start("/usr/bin/psql", { db, "-Xqc", "BEGIN;" .. statements
        .. "; SELECT pg_advisory_xact_lock(1); COMMIT" })
      wait_for_locks("2")
      return holder
    end

    local EVENT = ([[
      INSERT INTO palenca.events (id, action, account_id, state, attempts, replays, received_at)
        VALUES (nextval('palenca.event_ids'), 'login.success', 'late', %%d, 0, 0, 0);
      INSERT INTO palenca.bodies (id, body) VALUES (currval('palenca.event_ids'),
        '{"user_id":"%s"}')]]):format(USER)

    it("waits for transactions that have an event of theirs", function()
      local db = cluster:database()
      local served = serve(db)
      local holder = begin(db, EVENT:format(0))
      helper.post(served.url, { account_id = "early" })
      helper.wait_state(db, "early", "done")
      local command = stage:start(process.program(), { "forget", "--user", USER, "--json", "--db",
        db })
      helper.ask_until(function()
        return cluster:query(db, "SELECT count(*) FROM pg_stat_activity "
          .. "WHERE wait_event = 'PgSleep' AND query LIKE '%await_writers%'") == "1"
      end, "the command to wait")
      holder:kill("sigint")
      assert.are.equal(0, command:wait_exit(), command.stderr)
      assert.are.equal(1, helper.json.decode(command.stdout).events)
      assert.are.equal(0, served:stop())
    end)

    it("removes the attempt that ended while it waited for the event", function()
      local db, directory = cluster:database(), stage:directory()
      assert.are.equal(0, serve(db):stop())
      cluster:query(db, EVENT:format(1))
      local command = stage:start(process.program(), { "run", process.write_file(directory
        .. "/command.lua", [[
          local host = require "palenca.host"
          local db, user, directory = ...
          local remove = host.forget.remove
          host.forget.remove = function(...)
            assert(io.open(directory .. "/at", "w")):close()
            while not io.open(directory .. "/go") do
              require "palenca".sleep(0.01)
            end
            return remove(...)
          end
          os.exit(require("palenca.host.cli.forget").run({ db = db, user = user, account = {} }))
        ]]), db, USER, directory }, { env = { PALENCA_API_KEY = "spec-key" } })
      process.wait_for(function()
        return command.code or helper.read_file(directory .. "/at")
      end, "the command to have found the event")
      local holder = begin(db, ([[UPDATE palenca.events SET state = 3;
        INSERT INTO palenca.attempts (id, replay, attempt, outcome, lines)
          SELECT id, 0, 1, 0, '%s' FROM palenca.events]]):format(USER))
      process.write_file(directory .. "/go", "")
      helper.ask_until(function()
        return cluster:query(db, "SELECT count(*) FROM pg_stat_activity WHERE "
          .. "wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE'") == "1"
      end, "the command to wait")
      holder:kill("sigint")
      assert.are.equal(0, command:wait_exit(), command.stderr)
      assert.are.equal("0", cluster:query(db, "SELECT count(*) FROM attempts"))
    end)

    it("says that its role may not vacuum, and in which columns it finds what", function()
      local db = cluster:database()
      cluster:query(db, documents.blocks("core/host/POSTGRESQL.md", "sql")[1].text:gsub(
        "CREATE ROLE[^;]+;", ""))
      assert.are.equal(0, serve(db .. "&options=-crole%3Dpalenca_owner"):stop())
      local role = db:gsub("palenca@", "palenca_serve@")
      local served = serve(role)
      helper.post(served.url, { account_id = "theirs", user_id = USER })
      helper.wait_state(db, "theirs", "done")
      cluster:query(db, ("UPDATE decisions SET facts = facts || '%s'"):format(USER))
      local status, _, err = palenca("forget", "--user", USER, "--db", role)
      assert.are.equal(1, status)
      assert.truthy(err:find("decisions.facts holds an id or number of this person, rows: 1 (user)",
        1, true), err)
      cluster:query(db, "DELETE FROM decisions")
      local out
      status, out, err = palenca("forget", "--user", USER, "--db", role)
      assert.are.equal(0, status, err)
      assert.truthy(out:find("nothing of this person is stored; read %d+ tables, .*\nnot vacuumed, "
        .. "since this role owns"), out)
      assert.are.equal(0, served:stop())
    end)
  end)
end)
