--- Runs `palenca dev`: the sandbox and a served script wired together, with logins and without.
local uv = require("luv")
local faults = require("palenca.sandbox.delivery.faults")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local labels = require("palenca.income.labels")
local process = require("spec.support.process")

describe("palenca dev", function()
  local stage = helper.stage_for_each()

  local function start(path, extra)
    local arguments = { "dev", path, "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0" }
    table.move(extra or {}, 1, #(extra or {}), #arguments + 1, arguments)
    return stage:palenca(arguments)
  end

  local function script(text)
    return process.write_file(stage:directory() .. "/mine.lua", text)
  end

  -- The database of its own, by what it has open.
  local function database_of(started)
    local root = "/proc/" .. started.pid .. "/fd"
    local directory = assert(uv.fs_scandir(root))
    local name = uv.fs_scandir_next(directory)
    while name do
      local target = uv.fs_readlink(root .. "/" .. name)
      if target and target:find("/palenca%-%w+$") then
        return target
      end
      name = uv.fs_scandir_next(directory)
    end
    return nil
  end

  it("shows both events of one login, its income, and that it is approved and why", function()
    local started = start("examples/income.lua", { "--login", "uber", "--once" })
    assert.are.equal(0, started:wait_exit(), started.stderr)
    assert.truthy(started.stderr:find("event %d+ +login%.created +uber account %S+  no handler"),
      started.stderr)
    assert.truthy(started.stderr:find("event %d+ +login%.success +uber account %S+  done in"),
      started.stderr)
    assert.truthy(started.stdout:find(" on uber\n", 1, true), started.stdout)
    for _, figure in ipairs(labels.figures) do
      assert.truthy(started.stdout:find("\n" .. figure.en[1] .. "  ", 1, true), figure.en[1])
    end
    assert.truthy(started.stdout:find("\nMonthly income +%d+%.%d%d  "), started.stdout)
    local months = select(2, started.stdout:match("\nMonths\n[^\n]+(.-)\n\n"):gsub(
      "\n%d%d%d%d%-%d%d%-%d%d  ", ""))
    assert.is_true(months == 24 or months == 25, started.stdout)
    assert.truthy(started.stdout:find("\nInstallment of 3000.00 mxn: approve\n"
      .. "Approve: every condition of rule ", 1, true), started.stdout)
  end)

  it("fails a handler that reads a field that there is not, at its line", function()
    local path = script([[
      local palenca = require "palenca"
      local client = palenca.new()
      palenca.on("login.success", function(event)
        local profile, meta = client.accounts:profile(event.account_id)
        local rows, report = client.accounts:earnings(event.account_id, {
          start_date = "2000-01-01", end_date = "2100-01-01" }):all()
        local income = palenca.income.analyze(rows, { report = report, as_of = "2026-01-01" })
        local verdict = palenca.income.decide(income, { version = 1 }, { installment = "1" })
        for _, read in ipairs {
          function() return event.acount_id end,
          function() return profile.profile.frist_name end,
          function() return meta.requestid end,
          function() return rows[1].ammount end,
          function() return report.complet end,
          function() return income.monthly_averge end,
          function() return verdict.outcom end,
        } do
          print(select(2, pcall(read)))
        end
        -- what a result has, and what it may have
        print(event.replay, event.traceparent, profile.vehicle_info, rows[1].cash_amount ~= 0,
          income.by_currency, pcall(palenca.json.canonical, profile))
        palenca.decision.record(event, { stream = rows, income = income, verdict = verdict })
        print(income.days)
      end)
    ]])
    local started = start(path, { "--login", "uber", "--once" })
    assert.are.equal(1, started:wait_exit(), started.stderr)
    for at, text in ipairs {
      "an event has no field 'acount_id' (known: ", "the API's person has no field 'frist_name'",
      "what comes with a result has no field 'requestid'",
      "the API's earning has no field 'ammount'",
      "the report of a pager has no field 'complet'", "an income has no field 'monthly_averge'",
      "a verdict has no field 'outcom'",
    } do
      assert.truthy(started.stdout:find(("mine.lua:%d: %s"):format(9 + at, text), 1, true),
        started.stdout)
    end
    assert.truthy(started.stdout:find("did you mean 'account_id'?", 1, true), started.stdout)
    assert.truthy(started.stdout:find("\nnil\tnil\t[^\n]+\ttrue\tnil\ttrue\t{"), started.stdout)
    assert.truthy(started.stderr:find("FAILED %(attempt 1%)[^\n]+mine%.lua:24: an income has no "
      .. "field 'days' %(known: "), started.stderr)
  end)

  it("adds the error that a call had returned to the failure that follows from it", function()
    local path = script([[
      local palenca = require "palenca"
      local client = palenca.new()
      palenca.on("login.success", function()
        local profile = client.accounts:profile("00000000-0000-4000-8000-000000000000")
        print(profile.profile)
      end)
    ]])
    local started = start(path, { "--login", "uber", "--once" })
    assert.are.equal(1, started:wait_exit(), started.stderr)
    assert.truthy(started.stderr:find("mine.lua:5: attempt to index a nil value (local 'profile'); "
      .. "a call before it returned nil and an error: not_found: ", 1, true), started.stderr)
  end)

  it("makes histories of the length of --history", function()
    local path = script([[
      local palenca = require "palenca"
      local client = palenca.new()
      palenca.on("login.success", function(event)
        local rows = assert(client.accounts:earnings(event.account_id, {
          start_date = "2000-01-01", end_date = "2100-01-01" }):all())
        local oldest = rows[#rows].earning_date
        print(os.date("%Y-%m-%d", os.time() - 63 * 86400) < oldest)
      end)
    ]])
    local lengths = { ["60"] = true, typical = true, ["730"] = false, [""] = false }
    for history, is_short in pairs(lengths) do
      local extra = { "--login", "uber", "--once" }
      if history ~= "" then
        table.move({ "--history", history }, 1, 2, 4, extra)
      end
      local started = start(path, extra)
      assert.are.equal(0, started:wait_exit(), started.stderr)
      assert.are.equal(tostring(is_short) .. "\n", started.stdout, history)
    end
    for _, history in ipairs { "-1", "1101", "2.5", "long" } do
      local started = start(path, { "--history=" .. history })
      assert.are.equal(2, started:wait_exit())
      assert.truthy(started.stderr:find("--history: '" .. history
        .. "' is not a whole number of days from 0 to 1100, or typical", 1, true), started.stderr)
    end
  end)

  it("simulates every login of --login", function()
    local path = script([[
      require "palenca".on("login.*", function(event) print(event.action, event.platform) end)
    ]])
    local started = start(path, { "--once", "--login", "didi", "--login",
      "rappi+incomplete@palenca-tests.com" })
    assert.are.equal(0, started:wait_exit(), started.stderr)
    for _, line in ipairs({ "login.created\tdidi", "login.success\tdidi", "login.created\trappi",
      "login.incomplete\trappi" }) do
      assert.truthy(started.stdout:find(line .. "\n", 1, true), line)
    end
  end)

  it("plays logins with a pattern, a warning and a length of their own", function()
    local path = script([[
      local palenca = require "palenca"
      local client = palenca.new()
      palenca.on("login.success", function(event)
        local account = assert(client.accounts:get(event.account_id))
        local rows, report = client.accounts:earnings(event.account_id, {
          start_date = "2000-01-01", end_date = "2100-01-01" }):all()
        assert(report.complete)
        print(account.platform, account.identifier, account.warning, #rows <= 20,
          rows[1].earning_date == rows[2].earning_date)
        print(account.platform, account.country, rows[1].currency, event.external_id)
      end)
    ]])
    local started = start(path, { "--once", "--login", "uber,pattern=new", "--login",
      "rappi+success@palenca-tests.com,warning=id_mismatch,days=20", "--login",
      "didi,days=typical,pattern=duplicate_rows,warning=fleet_account", "--login",
      "cabify,country=co,external_id=007" })
    assert.are.equal(0, started:wait_exit(), started.stderr)
    for _, line in ipairs({ "uber\tnil\tnil\ttrue\tfalse",
      "rappi\trappi+success@palenca-tests.com\tid_mismatch\ttrue\tfalse",
      "didi\tnil\tfleet_account\tfalse\ttrue", "cabify\tco\tcop\t007" }) do
      assert.truthy(started.stdout:find(line .. "\n", 1, true), started.stdout)
    end
  end)

  it("rejects a login that is not as it should be, and lists what there is", function()
    local patterns = "declining, duplicate_rows, irregular, new, nulls, seasonal, steady, stopped"
    local warnings = "fleet_account, id_mismatch, incomplete_profile_data, rider_account"
    local cases = "banned, could_not_send_otp, expired_otp, fleet_account, id_mismatch, "
      .. "incomplete, incomplete_profile_data, invalid_credentials, invalid_otp, "
      .. "invalid_otp_auth_key, invalid_otp_session, login_refused, not_registered, "
      .. "platform_error, platform_unavailable, recent_login_successful, request_timeout, "
      .. "rider_account, success"
    for text, problem in pairs({
      ["uber,pattern=odd"] = "palenca: --login: pattern must be one of " .. patterns,
      ["uber,warning=banned"] = "palenca: --login: warning must be one of " .. warnings,
      ["uber,days=1101"] = "palenca: --login: days must be at most 1100",
      ["uber,currency=mxn"] = "palenca: --login: currency is not known here (known: country, days, "
        .. "external_id, pattern, warning)\n",
      ["uber,country=xx"] = "palenca: --login: country must be one of ar, bo, br, ",
      ["uber,steady"] = "palenca: --login: 'steady' is not NAME=VALUE",
      ["ubr"] = "palenca: --login: 'ubr' is neither a platform nor a test identifier; did you mean "
        .. "'uber'?\n",
      ["uber,patern=new"] = "palenca: --login: patern is not known here (known: country, days, "
        .. "external_id, pattern, warning); did you mean 'pattern'?\n",
      ["rappi+incomplet@palenca-tests.com"] = "palenca: --login: "
        .. "'rappi+incomplet@palenca-tests.com': no login ends as 'incomplet' (known: "
        .. cases .. "); did you mean 'incomplete'?\n",
      ["rapi+success@palenca-tests.com"] = "palenca: --login: 'rapi+success@palenca-tests.com': no "
        .. "platform is 'rapi'; did you mean 'rappi'?\n",
      ["rappi+success@palenca-test.com"] = "palenca: --login: 'rappi+success@palenca-test.com' is "
        .. "no test identifier, such as rappi+incomplete@palenca-tests.com\n",
      [",pattern=new"] = "palenca: --login: ',pattern=new' names no platform",
    }) do
      local started = start(script(""), { "--login", text })
      assert.are.equal(2, started:wait_exit(), text)
      assert.truthy(started.stderr:find(problem, 1, true), started.stderr)
    end
    local _, help = process.run(process.program(), { "dev", "--help" })
    help = help:gsub("%s+", " ")
    assert.truthy(help:find(patterns, 1, true), help)
    assert.truthy(help:find(warnings, 1, true), help)
    assert.truthy(help:find("OUTCOME is " .. cases .. ".", 1, true), help)
  end)

  -- The faults that the help and the documents name, but for their lengths.
  local function recipes()
    local texts = { (select(2, process.run(process.program(), { "dev", "--help" }))) }
    for _, name in ipairs { "lua/palenca/README.md", "lua/palenca/sandbox/README.md" } do
      local file = assert(io.open(name))
      texts[#texts + 1] = file:read("a")
      file:close()
    end
    local found = {}
    for fault in table.concat(texts, "\n"):gmatch("%f[%l_][%l_]+,[%l_]+=[%w_.,=/]*[%w_]") do
      if faults.kinds[fault:match("^[%l_]+")] then
        found[fault:gsub("seconds=2", "seconds=0.01")] = true
      end
    end
    return found
  end

  it("injects each documented fault into the script's requests, and none of its own", function()
    local path = script([[
      local palenca = require "palenca"
      local client = palenca.new{ max_retries = 0 }
      local function call(ok, err)
        print(ok and "fine" or "failed " .. err.kind)
      end
      call(client.platforms:list())
      palenca.on("login.success", function(event)
        for _ = 1, 3 do
          call(client.accounts:get(event.account_id))
          call(client.consents:search{}:page(1))
        end
      end)
    ]])
    local count = 0
    for fault in pairs(recipes()) do
      local started = start(path, { "--login", "uber", "--once", "--workers", "1",
        "--fault", fault })
      assert.are.equal(0, started:wait_exit(), fault .. started.stderr)
      local failed = select(2, started.stdout:gsub("failed %l+\n", ""))
      local times = tonumber(fault:match("times=(%d+)"))
      assert.are.equal(7, failed + select(2, started.stdout:gsub("fine\n", "")), started.stdout)
      assert.is_true(failed == (times or failed), fault .. "\n" .. started.stdout)
      count = count + 1
    end
    assert.is_true(count >= 5)
  end)

  it("exits with 1 if a handler fails", function()
    local started = start(script([[
      require "palenca".on("login.success", function() error "my reason" end)
    ]]), { "--login", "uber", "--once" })
    assert.are.equal(1, started:wait_exit(), started.stderr)
    assert.truthy(started.stderr:find("FAILED (attempt 1)", 1, true), started.stderr)
    assert.truthy(started.stderr:find("my reason", 1, true))
    assert.truthy(started.stderr:find("\npalenca: a handler failed; --once does not wait for its "
      .. "next attempt\n", 1, true), started.stderr)
  end)

  local rejections = {
    { "a login that the sandbox rejects", "",
      { "--login", "rappi+incomplete@palenca-tests.com,warning=id_mismatch", "--once" },
      "the login 'rappi+incomplete@palenca-tests.com' was rejected: a login that ends as "
        .. "incomplete leaves no warning\n" },
    { "a script that does not load", "local x = = 1", {}, "mine.lua:1: unexpected symbol" },
    { "a script that raises", "\nerror 'oh'", {}, "mine.lua:2: oh" },
  }
  for _, case in ipairs(rejections) do
    it("exits with 1 over " .. case[1], function()
      local started = start(script(case[2]), case[3])
      assert.are.equal(1, started:wait_exit(), started.stderr)
      assert.truthy(started.stderr:find(case[4], 1, true), started.stderr)
      assert.is_nil(started.stderr:find("in function 'palenca.", 1, true), started.stderr)
    end)
  end

  it("says that a port is in use", function()
    local _, url = stage:sandbox()
    local address = url:match("//(.+)$")
    for _, flag in ipairs({ "--listen", "--sandbox-listen" }) do
      local started = start(script(""), { flag, address })
      assert.are.equal(1, started:wait_exit(), started.stderr)
      assert.truthy(started.stderr:find("Address already in use", 1, true), started.stderr)
    end
  end)

  it("says what to do, does it, and cleans up after Ctrl-C", function()
    local started = start(script([[
      local palenca = require "palenca"
      local client = palenca.new()
      palenca.on("login.success", function(event)
        print("connected", assert(client.accounts:get(event.account_id)).platform)
      end)
    ]]))
    local url = started:wait_output("stderr", "sandbox of the API   (http://%S+)\n")
    local key = started:wait_output("stderr", "its API key +(%S+)\n")
    local receiver = started:wait_output("stderr", "webhooks arrive at +(http://%S+)\n")
    assert.truthy(started:wait_output("stderr", "mine%.lua +(handles login%.success)\n"))
    local command = started:wait_output("stderr", "\n  (curl [^\n]+)\n")
    started:wait_output("stderr", "(Stop with Ctrl%-C%.)")
    local database = database_of(started)
    assert.truthy(database)
    assert.are.equal(0, (process.run("/bin/sh", { "-c", command .. " -sS" })))
    started:wait_output("stdout", "(connected\tuber)\n")
    assert.are.equal(200, http.request("GET", url .. "/v1/webhooks", nil,
      { ["x-api-key"] = key }).status)
    assert.are.equal(405, http.request("GET", receiver).status)
    started:kill("sigint")
    assert.are.equal(0, started:wait_exit(), started.stderr)
    for _, suffix in ipairs({ "", "-wal", "-shm", "-lock", "-started", "-socket" }) do
      assert.is_nil(uv.fs_stat(database .. suffix), database .. suffix)
    end
  end)

  it("waits for the events of its logins only in a database of its own", function()
    local started = start(script(""), { "--login", "uber", "--once", "--db", "kept.db" })
    assert.are.equal(2, started:wait_exit(), started.stderr)
    started = start(script(""), { "--once" })
    assert.are.equal(2, started:wait_exit(), started.stderr)
    assert.truthy(started.stderr:find("--once needs a --login", 1, true), started.stderr)
  end)

  it("does not send what is on this machine through a proxy", function()
    local arguments = { "dev", script(""), "--listen", "127.0.0.1:0", "--sandbox-listen",
      "127.0.0.1:0", "--login", "uber", "--once" }
    local started = stage:palenca(arguments, { env = {
      http_proxy = "http://127.0.0.1:1", https_proxy = "http://127.0.0.1:1",
      all_proxy = "http://127.0.0.1:1",
    } })
    assert.are.equal(0, started:wait_exit(), started.stderr)
  end)

  it("keeps the events in the file of --db", function()
    local db = stage:directory() .. "/kept.db"
    local started = start(script(""), { "--login", "uber", "--db", db, "--json" })
    helper.wait_lines(started, "stderr", '"event":"handled"', 2)
    assert.are.equal(0, started:stop(), started.stderr)
    local events = helper.events(db)
    assert.are.same({ "login.created", "login.success" }, { events[1].action, events[2].action })
    local ready = helper.lines_of_json(started.stderr)[1]
    assert.are.equal("ready", ready.event)
    assert.truthy(ready.sandbox and ready.url)
  end)
end)
