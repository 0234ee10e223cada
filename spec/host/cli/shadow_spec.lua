--- Records responses of the API with `palenca serve --record-responses`, and drives
-- `palenca shadow`.
local helper = require("spec.host.helper")
local process = require("spec.support.process")
local shadow_runs = require("spec.host.cli.shadow_runs")

local matrix_of, played, shadow = shadow_runs.matrix_of, shadow_runs.played, shadow_runs.run

-- What a handler does is its account; the API is a server of the spec.
local DEEDS = [[
  local palenca = require "palenca"
  local client = palenca.new{ rate_limit = 0, max_retries = 0, timeout = 5 }
  local deeds = {}

  -- The decision is `approve` with 60 days of enough, and `decline` with too little.
  local function decide(event, amount, note)
    local rows = {}
    for at = 1, 60 do
      rows[at] = { earning_date = os.date("!%Y-%m-%d", 1767225600 + (at - 1) * 86400),
        amount = amount, currency = "mxn", note = note }
    end
    local stream = palenca.income.merge{ { rows = rows, account = "a", platform = "uber",
      report = { complete = true, rows = 60 } } }
    local income = palenca.income.analyze(stream, { as_of = "2026-03-01" })
    palenca.decision.record(event, { stream = stream, income = income,
      verdict = palenca.income.decide(income, { version = "1" }, { installment = "3000.00" }) })
  end

  -- The status of an employment, asked for again until it is there.
  function deeds.polls(event)
    local seen, data = {}
    repeat
      data = assert(client:request("GET", "/v1/poll?of=" .. event.external_id))
      seen[#seen + 1] = data.state
      palenca.sleep(0.01)
    until data.state == "ready"
    if table.concat(seen, " ") == "new busy ready" then
      decide(event, 500)
    end
  end

  -- The order of a body's fields differs from one Lua state to the next.
  function deeds.posts(event)
    local body = { account = "x", b = 1, c = { d = 2, e = 3 }, f = 4, g = 5, h = 6, i = 7 }
    decide(event, assert(client:request("POST", "/v1/echo", body)).amount)
  end

  function deeds.errs()
    local data, err = client:request("GET", "/v1/missing")
    assert(not data and err.status == 404 and err.request_id == "r-404", "no 404")
    data, err = client:request("GET", "/v1/broken")
    assert(not data and err.kind == "network", "no failure")
    error("GOMC900101HDFRRL09 has failed", 0)
  end

  function deeds.clock(event)
    local started = os.time()
    palenca.sleep(1.1)
    assert(os.time() > started and os.time() <= started + 3, "the clock stands still")
    assert(math.abs(os.time() - event.received_at) < 60, "another time")
    decide(event, 500)
  end

  function deeds.notifies()
    local response = palenca.http{ url = os.getenv "SPEC_SINK" .. "/teapot", body = "tea" }
    assert(response.status == 418, "status " .. response.status)
    local none, err = palenca.http{ url = "http://127.0.0.1:1/" }
    assert(not none and err.kind == "network", "something is there")
  end

  function deeds.reads()
    assert(palenca.http{ url = os.getenv "SPEC_SINK" .. "/limit" }.body == "{}")
  end

  function deeds.large()
    assert(client:request("GET", "/v1/large"))
  end

  function deeds.nothing() end

  palenca.on("login.success", { max_attempts = 2, retry_wait = 0.001 }, function(event)
    deeds[event.account_id:match("^%l+")](event)
  end)
]]

describe("palenca shadow", function()
  local stage, server, served, script, env
  local ids = {}

  local function api(request)
    local path = request.path
    if path:find("^/v1/poll") then
      server.polls = (server.polls or 0) + 1
      request.respond(200, ('{"success":true,"data":{"state":"%s"}}')
        :format(({ "new", "busy", "ready" })[server.polls]))
    elseif path == "/v1/echo" then
      request.respond(200, '{"success":true,"data":{"amount":500}}')
    elseif path == "/v1/missing" then
      request.respond(404, '{"success":false,"error":{"code":"none","message":"none"}}',
        { ["X-Request-ID"] = "r-404" })
    elseif path == "/v1/broken" then
      request.abort()
    elseif path == "/v1/large" then
      request.respond(200, ('{"success":true,"data":{"text":"%s"}}'):format(("x"):rep(2 ^ 20)))
    else
      request.respond(path == "/teapot" and 418 or 200, "{}")
    end
  end

  setup(function()
    stage = helper.stage()
    server = stage:server(api)
    env = { PALENCA_API_KEY = "spec-secret-key", PALENCA_BASE_URL = server.url,
      SPEC_SINK = server.url }
    served = stage:serve({ text = DEEDS, env = env, arguments = { "--record-responses",
      "--recording-limit", "1" } })
    script = served.directory .. "/script.lua"
    for _, account in ipairs({ "polls", "posts", "errs", "clock", "notifies", "reads", "large",
      "nothing" }) do
      helper.post(served.url, { account_id = account, external_id = "7" })
    end
    local done = helper.wait_states(served.db, { "polls", "posts", "clock", "notifies", "reads",
      "large", "nothing" }, "done")
    done.errs = helper.wait_state(served.db, "errs", "dead")
    for account, event in pairs(done) do
      ids[account] = event.id
    end
  end)

  teardown(function()
    stage:clear()
  end)

  -- Another version of the script: what its text has instead of something.
  local function version(changes)
    local text = DEEDS
    for from, to in pairs(changes) do
      local at, last = text:find(from, 1, true)
      text = text:sub(1, at - 1) .. to .. text:sub(last + 1)
    end
    return process.write_file(stage:directory() .. "/version.lua", text)
  end

  -- A copy of the database, changed.
  local function copy(change)
    local path = helper.copy_database(served.db, stage:directory())
    helper.change_database(path, change or "")
    return path
  end

  local function reasons_of(summary)
    local reasons = {}
    for _, one in ipairs(summary.not_played) do
      reasons[one.reason] = one.event_ids
    end
    return reasons
  end

  local READS = "it reads a response of palenca.http, which is not recorded"
  local LARGE = "its responses are larger than the --recording-limit of then, 1 MiB"

  it("finds what there was with the same script, while the program serves", function()
    local requests, connections = #server.requests, #server.clients
    local summary, changes, status = played(script, served.db, {}, env)
    assert.are.same({ [READS] = { ids.reads }, [LARGE] = { ids.large } }, reasons_of(summary))
    assert.are.same({ approve = { approve = 3 }, done = { done = 2 }, failed = { failed = 1 } },
      matrix_of(summary))
    assert.are.same({ 0, 8, 6, 0, 0, 0, 3 }, { status, summary.events, summary.played,
      summary.other_outcomes, summary.other_verdicts, summary.other_errors, summary.http_not_sent })
    assert.are.same({}, changes)
    assert.are.same({ requests, connections }, { #server.requests, #server.clients })
  end)

  it("says which events changed, and why, without identity numbers", function()
    local other = version({
      ["decide(event, assert"] = "decide(event, -490 + assert",
      ["deeds.nothing() end"] = 'deeds.nothing() error("GOMC900101HDFRRL09", 0) end',
      ['error("GOMC900101HDFRRL09 has failed", 0)'] = "",
      ["decide(event, 500)\n    end"] = 'decide(event, 600, "GOMC900101HDFRRL09")\n    end',
    })
    local status, out = shadow(other, served.db, {}, env)
    assert.are.equal(0, status)
    local function has(text)
      assert.truthy(out:find(text, 1, true), text .. " in\n" .. out)
    end
    has(("event %d  approve -> decline  reasons none -> "):format(ids.posts))
    has(("event %d  approve -> approve  max_installment "):format(ids.polls))
    has(("event %d  failed -> done  failed with: [identity number] has failed"):format(ids.errs))
    has(("event %d  done -> failed  fails with: [identity number]"):format(ids.nothing))
    has("8 events, 6 played: 3 with another outcome, 1 with the same one and another verdict, "
      .. "0 with another error")
    has(("       1  %s; the first is event %d"):format(LARGE, ids.large))
    has("requests of palenca.http that were not sent: 3")
    has("old \\ new")
    assert.is_nil(out:find("GOMC", 1, true))
    local summary, changes = played(other, served.db, {}, env)
    assert.are.same({ 3, 1 }, { summary.other_outcomes, summary.other_verdicts })
    assert.are.same({ outcome = "failed", error = "[identity number]" }, changes[ids.nothing].new)
    assert.are.equal("approve", changes[ids.posts].old.outcome)
    assert.are.equal("verdict.max_installment", changes[ids.polls].fields[1].field)
  end)

  it("says nothing of requests if the script makes none", function()
    local quiet = process.write_file(stage:directory() .. "/quiet.lua",
      'require("palenca").on("*", function() end)')
    local status, out = shadow(quiet, served.db, {}, env)
    assert.are.equal(0, status)
    assert.truthy(out:find("8 events, 7 played", 1, true), out)
    assert.is_nil(out:find("palenca.http", 1, true))
  end)

  it("lists events that fail with another error than then, wherever that is raised", function()
    local other = version({
      ['assert(not data and err.kind == "network", "no failure")'] = "",
      ['error("GOMC900101HDFRRL09 has failed", 0)'] = "error('another one', 0)",
    })
    local summary, changes = played(other, served.db, {}, env)
    assert.are.same({ 0, 0, 1 },
      { summary.other_outcomes, summary.other_verdicts, summary.other_errors })
    assert.are.same({ "failed", "another one" },
      { changes[ids.errs].new.outcome, changes[ids.errs].new.error })
    local _, out = shadow(other, served.db, {}, env)
    assert.truthy(out:find(("event %d  failed -> failed  failed with: [identity number] has "
      .. "failed; fails with: another one"):format(ids.errs), 1, true), out)
    local db = copy("UPDATE events SET error = 'then.lua:7: it has failed at 0x55aa' WHERE id = "
      .. ids.errs)
    summary, changes = played(version({ ['error("GOMC900101HDFRRL09 has failed", 0)'] =
      'error("it has failed at 0x77bb")' }), db, {}, env)
    assert.are.same({ 6, 0, {} }, { summary.played, summary.other_errors, changes })
  end)

  it("does not play what was not recorded", function()
    local other = version({
      ['"/v1/missing"'] = '"/v1/accounts/cb39ee15-f29f-427d-9119-0c627575610d?x=1"',
      ['SPEC_SINK" .. "/teapot"'] = 'SPEC_SINK" .. "/elsewhere"',
      ["f = 4"] = "f = 5",
      ['data.state == "ready"'] = "false",
    })
    local summary, changes = played(other, served.db, {}, env)
    local reasons = reasons_of(summary)
    assert.are.same({ ids.errs }, reasons["it requests GET /v1/accounts/{id}?…, which was not "
      .. "recorded"])
    assert.are.same({ ids.posts }, reasons["it requests POST /v1/echo, which was not recorded"])
    assert.are.same({ ids.polls }, reasons["it requests GET /v1/poll?…, which was not recorded"])
    -- another system of a new version has no status of then
    assert.truthy(changes[ids.notifies].new.error:find("status 200", 1, true))
  end)

  it("sends and writes nothing while it loads, and runs no timer", function()
    local summary = played(version({ ["local deeds = {}"] = [[
      local deeds = {}
      palenca.every(0.1, function() error("it ran") end)
      local ok, err = pcall(client.request, client, "GET", "/v1/large")
      assert(not ok and tostring(err):find "sends no requests", err)
      print "printed" io.write "written" io.stdout:write "more"
      warn "@on" warn "warned" io.stderr:write "complained"
      palenca.log.error { message = "logged" }
    ]] }), served.db, {}, env)
    assert.are.same({ 6, 0 }, { summary.played, summary.other_outcomes })
    local _, out, err = shadow(version({ ["local deeds = {}"] = [[
      local deeds = {}
      print "printed" palenca.log.error { message = "logged" }
      warn "@on" warn "warned" io.stderr:write "complained"
    ]] }), served.db, {}, env)
    for _, text in ipairs({ "printed", "logged", "warned", "complained" }) do
      assert.is_nil((out .. err):find(text, 1, true), text)
    end
  end)

  it("ends handlers that do not end", function()
    local _, changes = played(version({
      ["function deeds.nothing() end"] = "function deeds.nothing() while true do end end",
      ["palenca.sleep(1.1)"] = "while true do palenca.sleep(10) end",
    }), served.db, { "--cpu-timeout", "0.05", "--handler-timeout", "600" }, env)
    assert.truthy(changes[ids.nothing].new.error:find("^stopped after 0%.05 s of CPU time, at "
      .. "[^\n:]+%.lua:%d+$"), changes[ids.nothing].new.error)
    assert.are.equal("timed out after 600 s", changes[ids.clock].new.error)
  end)

  it("plays the events of a time, the newest of them", function()
    local summary = played(script, served.db, { "--since", "1h", "--until", "2999-01-01",
      "--limit", "2" }, env)
    assert.are.same({ 2, 1 }, { summary.events, summary.played }) -- large, nothing
    local status, _, err = shadow(script, served.db, { "--until", "1h" }, env)
    assert.are.equal(1, status)
    assert.truthy(err:find("holds no event of that time that could be played", 1, true), err)
  end)

  it("says why an event cannot be played", function()
    local db = copy(([[
      UPDATE events SET replays = replays + 1 WHERE id = %d;
      UPDATE event_responses SET responses = substr(responses, 1, 2) WHERE id = %d;
      UPDATE events SET state = 2 WHERE id = %d;
      DELETE FROM decisions WHERE subject = %d;
      UPDATE decisions SET facts = '{}' WHERE subject = %d;
      DELETE FROM event_responses WHERE id = %d;
      UPDATE event_responses SET omitted = 2 WHERE id = %d;
    ]]):format(ids.nothing, ids.errs, ids.notifies, ids.clock, ids.posts, ids.reads, ids.large))
    assert.are.same({
      ["its last attempt was not recorded"] = { ids.reads, ids.nothing },
      ["its recording is damaged"] = { ids.errs },
      ["it has not ended yet"] = { ids.notifies },
      ["its decision was deleted"] = { ids.clock },
      ["its decision cannot be read"] = { ids.posts },
      ["there was no memory to record its responses"] = { ids.large },
    }, reasons_of(played(script, db, {}, env)))
  end)

  it("keeps no key and no header", function()
    local path = stage:directory() .. "/responses"
    local texts = {}
    for account, id in pairs(ids) do
      local hex = helper.query(served.db,
        "SELECT hex(responses) FROM event_responses WHERE id = " .. id)
      process.write_file(path, (hex:gsub("%x%x", function(byte)
        return string.char(tonumber(byte, 16))
      end)))
      -- zlib's header is another than gzip's
      texts[account] = select(2, process.run("/bin/sh", { "-c",
        "(printf '\\037\\213\\010\\0\\0\\0\\0\\0\\0\\0'; tail -c +3 \"$0\") | gzip -dc", path }))
    end
    assert.truthy(texts.posts:find("/v1/echo", 1, true))
    assert.truthy(texts.notifies:find("418", 1, true))
    local all = table.concat({ texts.polls, texts.posts, texts.errs, texts.notifies, texts.reads })
    for _, secret in ipairs({ "spec-secret-key", "x-api-key", "/teapot", "Accept" }) do
      assert.is_nil(all:find(secret, 1, true), secret)
    end
    assert.are.equal("0", helper.query(served.db,
      "SELECT length(responses) FROM event_responses WHERE id = " .. ids.large))
  end)

  it("removes responses with their events, and those that are old", function()
    local db = copy()
    helper.end_dedup_window(db)
    local function count()
      return helper.query(db, "SELECT count(*) FROM event_responses")
    end
    assert.are.equal("8", count())
    local status, out = process.run(process.program(), { "events", "purge", "--older-than", "0",
      "--db", db })
    assert.are.equal(0, status, out)
    assert.are.equal("1", count()) -- of the dead one
    local again = stage:serve({ text = DEEDS, db = db, env = env,
      arguments = { "--recording-retention", "0.000001" } })
    helper.ask_until(function()
      return count() == "0"
    end, "no responses")
    assert.are.equal(0, again:stop())
    assert.are.equal(1, #helper.events(db))
  end)

  it("ends at Ctrl-C", function()
    local mark = stage:directory() .. "/loops"
    local endless = version({ ["function deeds.nothing() end"] =
      ('function deeds.nothing() io.open(%q, "w"):close() while true do end end'):format(mark) })
    local started = stage:palenca({ "shadow", endless, "--db", served.db, "--cpu-timeout", "600" },
      { env = env })
    process.wait_for(function()
      return helper.read_file(mark)
    end, "the handler that loops")
    started:kill("sigint")
    assert.are.equal(130, started:wait_exit())
    assert.are.equal("", started.stdout)
    assert.truthy(started.stderr:find("SIGINT: stopped before the end", 1, true))
  end)

  it("shows what changed while it plays, and ends with its reader", function()
    local other = version({
      ['error("GOMC900101HDFRRL09 has failed", 0)'] = "",
      ["function deeds.nothing() end"] = "function deeds.nothing() while true do end end",
    })
    local started = stage:palenca({ "shadow", other, "--db", served.db, "--cpu-timeout", "600" },
      { env = env })
    started:wait_output("stdout", ("(event %d  failed %%-> done .-)\n"):format(ids.errs))
    started:kill("sigint")
    assert.are.equal(130, started:wait_exit())
    local _, status, err = process.run("/bin/bash", { "-c",
      'exec 2>&1; "$@" | exec sleep 0; echo ${PIPESTATUS[0]}', "bash", process.program(), "shadow",
      version({ ['error("GOMC900101HDFRRL09 has failed", 0)'] = "palenca.sleep(0)" }), "--db",
      served.db }, { env = env })
    assert.are.equal("", err)
    assert.are.equal("141\n", status)
  end)

  it("fails with a script that is missing or does not load", function()
    local directory = stage:directory()
    for text, message in pairs({ ["local x ="] = "version.lua:1: ", ["error 'no'"] = "no" }) do
      local status, out, err = shadow(process.write_file(directory .. "/version.lua", text),
        served.db, {}, env)
      assert.are.same({ 1, "" }, { status, out })
      assert.truthy(err:find(message, 1, true), err)
    end
    local status, _, err = shadow(directory .. "/missing.lua", served.db, {}, env)
    assert.are.equal(1, status)
    assert.truthy(err:find("missing.lua", 1, true), err)
    assert.is_nil(err:find("traceback", 1, true), err)
  end)

  local NONE = "holds no event of that time that could be played"

  local function assert_failures(messages)
    for db, message in pairs(messages) do
      local status, _, err = shadow(script, db, {}, env)
      assert.are.equal(1, status)
      assert.truthy(err:find(message, 1, true), err)
      assert.is_nil(err:find("traceback", 1, true), err)
    end
  end

  it("fails with a database without events, or without responses", function()
    assert_failures({
      [copy("DELETE FROM events")] = NONE,
      [copy("DELETE FROM event_responses")] = "none of the events could be played",
    })
  end)

  it("fails with a database of an earlier version, and with none #file", function()
    local plain = process.write_file(stage:directory() .. "/plain", ("no database\n"):rep(100))
    assert_failures({
      [copy("DROP TABLE event_responses; DROP TABLE reconciled; "
        .. "PRAGMA user_version = 5;")] = NONE,
      [plain] = "is not a database",
      ["/nowhere/events.db"] = "cannot open /nowhere/events.db",
    })
  end)

  helper.it_rejects({
    { { "shadow" }, "missing argument 'script'" },
    { { "shadow", "x.lua", "--since", "soon" }, "'soon' is not a date" },
    { { "shadow", "x.lua", "--until", "2026-13-01" }, "'2026%-13%-01' is not a date" },
    { { "shadow", "x.lua", "--limit", "x" }, "'x' is not a whole number" },
    { { "shadow", "x.lua", "--since", "2026-03-02", "--until", "2026-03-01" },
      "%-%-until must be after %-%-since" },
    { { "serve", "x.lua", "--recording-limit", "0" }, "%-%-recording%-limit" },
  })
end)
