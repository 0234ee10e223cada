--- Runs the examples against a sandbox, as their first lines say.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

describe("examples/earnings.lua", function()
  local stage = helper.stage_for_each()

  local function run(url, key, arguments)
    local all = { "run", "examples/earnings.lua" }
    table.move(arguments or {}, 1, #(arguments or {}), 3, all)
    return process.run(process.program(), all,
      { env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = key } })
  end

  it("prints all days of the tutorial's account and their exact total", function()
    local _, url, key = stage:sandbox()
    local status, out, err = run(url, key)
    assert.are.equal(0, status, err)
    local rows, cents = 0, 0
    for amount in out:gmatch("%d%d%d%d%-%d%d%-%d%d +(%d+%.%d%d) mxn  %d+ trips\n") do
      rows = rows + 1
      cents = cents + math.tointeger(tonumber((amount:gsub("%.", ""))))
    end
    assert.are.equal(195, rows)
    assert.truthy(out:find("^2025%-03%-14 +179%.00 mxn  6 trips\n"), out)
    assert.truthy(out:find("\n195 days\n", 1, true), out)
    local total = out:match("\ntotal (%d+%.%d%d) mxn\n$")
    assert.are.equal(("%d.%02d"):format(cents // 100, cents % 100), total)
  end)

  it("takes the account and the dates as arguments", function()
    local _, url, key = stage:sandbox()
    local status, out = run(url, key, { "cb39ee15-f29f-427d-9119-0c627575610d", "2025-03-12",
      "2025-03-14" })
    assert.are.equal(0, status)
    assert.truthy(out:find("\n3 days\ntotal 478.00 mxn\n", 1, true), out)
  end)

  it("says why it fails, exit 1", function()
    local _, url = stage:sandbox()
    local status, out, err = run(url, "wrong")
    assert.are.equal(1, status)
    assert.are.equal("", out)
    assert.truthy(err:find("invalid_api_key", 1, true), err)
    status, out, err = run("http://127.0.0.1:1", "key")
    assert.are.equal(1, status)
    assert.are.equal("", out)
    assert.truthy(err:find("network", 1, true), err)
  end)
end)

describe("examples/notify.lua", function()
  local stage = helper.stage_for_each()

  local function serve_and_login(server, extra)
    local _, url, key = stage:sandbox()
    local served = stage:serve({ path = "examples/notify.lua", arguments = { "--workers", "1" },
      env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = key, NOTIFY_URL = server.url .. "/income" }
    })
    local login = helper.json.decode(http.request("POST", url .. "/sandbox/logins",
      helper.json.encode({ platform = "uber", external_id = extra })).body).data
    helper.post(served.url, { account_id = login.account_id, external_id = extra })
    return served, login
  end

  it("posts the income to the configured system", function()
    local server = stage:server()
    local served, login = serve_and_login(server, "worker-1")
    local request = server:wait_request("/income")
    assert.are.equal("POST", request.method)
    assert.are.equal("application/json", request.headers["content-type"])
    helper.wait_state(served.db, login.account_id, "done")
    local id = helper.events(served.db)[1].id
    assert.are.equal(("palenca-%d"):format(id), request.headers["idempotency-key"])
    local body = helper.json.decode(request.body)
    assert.are.equal(login.account_id, body.account_id)
    assert.are.equal("worker-1", body.external_id)
    assert.are.equal("mxn", body.currency)
    assert.truthy(body.monthly_income:find("^%d+%.%d%d$"))
    assert.are.equal("", body.problems)
    assert.are.equal("approve", body.outcome)
    assert.truthy(body.as_of:find("^%d%d%d%d%-%d%d%-%d%d$"))
    assert.are.equal(1, #server.requests)
  end)

  it("has the event come again when that system fails", function()
    local server = stage:server(function(request)
      request.respond(500)
    end)
    local served, login = serve_and_login(server)
    local event = helper.wait_state(served.db, login.account_id, "retry")
    assert.truthy(event.error:find(server.url .. "/income responded with 500", 1, true),
      event.error)
    assert.are.equal(0, served:stop())
    assert.are_not.equal("done", helper.events(served.db)[1].state)
  end)
end)

-- The outcomes that `palenca decisions list` shows.
local function recorded(db)
  local status, out, err = process.run(process.program(), { "decisions", "list", "--json", "--db",
    db })
  assert(status == 0, err)
  local outcomes = {}
  for at, one in ipairs(helper.lines_of_json(out)) do
    outcomes[at] = one.outcome
  end
  return outcomes
end

describe("examples/decide.lua", function()
  local stage = helper.stage_for_each()

  -- The lender's system gets one request for the login; responds to it and the event.
  local function decide(login, installment, respond)
    local server = stage:server(respond)
    local _, url, key = stage:sandbox()
    local served = stage:serve({ path = "examples/decide.lua",
      env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = key, LENDER_URL = server.url,
        INSTALLMENT = installment } })
    local response = http.request("POST", url .. "/sandbox/logins", helper.json.encode(login))
    local account = helper.json.decode(response.body).data.account_id
    helper.post(served.url, { account_id = account, external_id = "worker-1" })
    return server, served, account
  end

  local cases = {
    { "posts an approval", { platform = "uber" }, "3000.00", "/approvals", "approve" },
    { "declines what is too much", { platform = "uber" }, "900000.00", "/declines", "decline" },
    { "leaves an account with a warning to a person",
      { identifier = "uber+id_mismatch@palenca-tests.com", platform = "uber" }, "3000.00",
      "/reviews", "undecidable" },
  }
  for _, case in ipairs(cases) do
    it(case[1] .. ", once", function()
      local server, served, account = decide(case[2], case[3])
      local request = server:wait_request(case[4])
      helper.wait_state(served.db, account, "done")
      local body = helper.json.decode(request.body)
      assert.are.same({ account, "worker-1", case[5] },
        { body.account_id, body.external_id, body.outcome })
      assert.truthy(body.for_worker:find("%S"))
      assert.are.equal(("palenca-%d"):format(helper.events(served.db)[1].id),
        request.headers["idempotency-key"])
      assert.are.equal(1, #server.requests)
      assert.are.same({ case[5] }, recorded(served.db))
    end)
  end

  it("keeps the event while the lender's system fails", function()
    local _, served, account = decide({ platform = "uber" }, "3000.00", function(request)
      request.respond(503)
    end)
    local event = helper.wait_state(served.db, account, "retry")
    assert.truthy(event.error:find("responded with 503", 1, true), event.error)
    assert.are.same({}, recorded(served.db))
    assert.are.equal(0, served:stop())
  end)
end)

describe("examples/income.lua", function()
  local stage = helper.stage_for_each()

  it("has the requests for profile, account and first page in flight at once", function()
    local server = stage:server(function() end) -- responds to none
    local served = stage:serve({ path = "examples/income.lua",
      env = { PALENCA_API_KEY = "k", PALENCA_BASE_URL = server.url } })
    local account = "cb39ee15-f29f-427d-9119-0c627575610d"
    helper.post(served.url, { account_id = account })
    for _, path in ipairs { "", "/profile", "/earnings/search" } do
      server:wait_request("/v1/accounts/" .. account .. path)
    end
  end)
end)

describe("examples/applicant.lua", function()
  it("counts up to the day that was over in the worker's country", function()
    local script = process.write_file(os.tmpname(), [[
      package.path = "examples/?.lua;" .. package.path
      local day = require("applicant").last_whole_day
      print(day(1774958400.5, "mx"), day(1774936799, "mx"), day(1774936800, "mx"))
      print(day(1774936799, "ar"), day(1774918799, "br"), day(1774918800, nil))
    ]])
    local status, out, err = process.run(process.program(), { "run", script })
    os.remove(script)
    assert.are.equal(0, status, err)
    assert.are.equal(("2026-03-30\t2026-03-29\t2026-03-29\n"):rep(2), out)
  end)
end)

describe("the tutorial's steps", function()
  local stage = helper.stage_for_each()

  it("lead from the webhook over the login to the income", function()
    local _, url, key = stage:sandbox()
    local env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = key }
    local served = stage:serve({ path = "examples/income.lua", env = env })
    local status, out, err = process.run(process.program(),
      { "run", "examples/webhook.lua", served.url }, { env = env })
    assert.are.equal(0, status, err)
    assert.truthy(out:find("^webhook %x+%-[%x-]+ sends to " .. served.url:gsub("%p", "%%%0")), out)
    local response = http.request("POST", url .. "/sandbox/logins",
      '{"platform": "uber", "external_id": "worker-1"}')
    assert.are.equal(201, response.status)
    served:wait_output("stdout", "\nInstallment of 3000%.00 mxn: (approve)\n")
    helper.wait_lines(served, "stderr", "event %d+  login%.%a+ ", 2)
    assert.are.equal(0, served:stop())
    local seen = {}
    for _, event in ipairs(helper.events(served.db)) do
      seen[#seen + 1] = event.action .. " " .. event.state
    end
    assert.are.same({ "login.created done", "login.success done" }, seen)
  end)

  it("say since when the documentation's account has had no income", function()
    local _, url, key = stage:sandbox()
    local env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = key }
    local served = stage:serve({ path = "examples/income.lua", env = env })
    assert.are.equal(0, (process.run(process.program(), { "run", "examples/webhook.lua",
      served.url }, { env = env })))
    local account = "cb39ee15-f29f-427d-9119-0c627575610d"
    local status, _, err = process.run(process.program(), { "trigger", "login.success", "--set",
      "account_id=" .. account }, { env = env })
    assert.are.equal(0, status, err)
    served:wait_output("stdout", "\nInstallment of 3000%.00 mxn: (decline)\n")
    helper.wait_state(served.db, account, "done")
    assert.truthy(served.stdout:find("The last income was %d+ days ago"), served.stdout)
    assert.truthy(served.stdout:find("\n2025%-03%-01 +2025%-03%-31 +%d+ +0 +%d+%.%d%d\n"),
      served.stdout)
  end)

  it("say so when an account has no earnings at all", function()
    local _, url, key = stage:sandbox()
    local served = stage:serve({ path = "examples/income.lua",
      env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = key } })
    local login = helper.json.decode(http.request("POST", url .. "/sandbox/logins",
      '{"platform": "uber", "days": 0}').body).data
    helper.post(served.url, { account_id = login.account_id })
    helper.wait_state(served.db, login.account_id, "done")
    served:wait_output("stdout", "\nInstallment of 3000%.00 mxn: (undecidable)\n")
  end)

  it("want the receiver's address", function()
    local _, url, key = stage:sandbox()
    local env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = key }
    local status, _, err = process.run(process.program(), { "run", "examples/webhook.lua" },
      { env = env })
    assert.are.equal(1, status)
    assert.truthy(err:find("usage: palenca run examples/webhook.lua URL", 1, true), err)
  end)
end)
