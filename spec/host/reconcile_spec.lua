--- `palenca reconcile` and `serve --reconcile`: logins without a webhook are handled once.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("login.success", function(event)
    local file <close> = io.open(os.getenv "SPEC_HANDLED", "a")
    file:write(palenca.json.encode { account = event.account_id, user = event.user_id,
      external = event.external_id, platform = event.platform,
      reconciled = event.reconciled or false }, "\n")
  end)
]]

describe("palenca reconcile", function()
  local stage = helper.stage_for_each()
  local directory, handled, url, sandbox, served

  local function ask(method, path, body)
    local response = assert(http.request(method, sandbox .. path, body
      and helper.json.encode(body), { ["Content-Type"] = "application/json" }))
    assert(response.status < 300, response.body)
    return helper.json.decode(response.body).data
  end

  local function serve(...)
    served = stage:serve({ directory = directory, text = SCRIPT,
      arguments = { "--listen", url:match("//([^/]+)"), "--workers", "1", ... },
      env = { SPEC_HANDLED = handled, PALENCA_BASE_URL = sandbox } })
    return served
  end

  before_each(function()
    directory = stage:directory()
    handled = directory .. "/handled"
    url = "http://127.0.0.1:" .. helper.free_port() .. "/webhooks/palenca"
    local _, address = stage:sandbox()
    sandbox = address
    ask("POST", "/sandbox/webhooks", { url = url, name = "spec", events = { "*" },
      is_sandbox = true, widget_id = "00000000-0000-4000-8000-000000000001" })
  end)

  local function log_in(count)
    local accounts = {}
    for number = 1, count do
      local login = ask("POST", "/sandbox/logins", { platform = "uber",
        external_id = "worker-" .. number })
      accounts[#accounts + 1] = login.account_id
    end
    return accounts
  end

  local function handled_accounts()
    local found, reconciled = {}, 0
    for _, line in ipairs(helper.lines_of_json(helper.read_file(handled) or "")) do
      found[line.account] = (found[line.account] or 0) + 1
      reconciled = reconciled + (line.reconciled and 1 or 0)
      assert.truthy(line.user and line.platform == "uber" and line.external)
    end
    return found, reconciled
  end

  local function wait_handled(accounts)
    helper.ask_until(function()
      local found = handled_accounts()
      for _, account in ipairs(accounts) do
        if not found[account] then
          return false
        end
      end
      return true
    end, "the accounts to be handled")
  end

  local function deliveries()
    return ask("GET", "/sandbox/deliveries?items_per_page=100").deliveries
  end

  local function reconcile(...)
    local status, out, err = process.run(process.program(), { "reconcile", "--db", served.db,
      "--json", ... }, { env = { PALENCA_API_KEY = "spec-key", PALENCA_BASE_URL = sandbox } })
    assert(status == 0, err)
    return helper.json.decode(out)
  end

  it("by serve handles what was missed once, its late copies included", function()
    serve()
    local before = log_in(2)
    wait_handled(before)
    assert.are.equal(0, served:stop())

    local missed = log_in(20)
    local passed = 0
    helper.ask_until(function() -- an attempt is made between two requests of this test
      ask("POST", "/sandbox/clock", { advance = 30 })
      passed = passed + 30
      local failed = 0
      for _, delivery in ipairs(deliveries()) do
        failed = failed + (delivery.state == "failed" and 1 or 0)
      end
      return passed >= 600 and failed == 40
    end, "the deliveries to be abandoned")

    serve("--reconcile")
    served:wait_output("stderr", "(reconciled 22 logins of the API: queued 20 events)")
    wait_handled(missed)
    local late = 0
    for _, delivery in ipairs(deliveries()) do
      if delivery.action == "login.success" and delivery.state ~= "delivered" then
        late = late + 1
        ask("POST", "/sandbox/deliveries/" .. delivery.delivery_id .. "/resend")
      end
    end
    assert.are.equal(20, late)
    helper.ask_until(function()
      local delivered = 0
      for _, delivery in ipairs(deliveries()) do
        local is_late = type(delivery.resend_of) == "string"
        delivered = delivered + (is_late and delivery.state == "delivered" and 1 or 0)
      end
      return delivered == 20
    end, "the late copies to be delivered")
    assert.are.same({ logins = 22, queued = 0, left_out = 0 }, reconcile("--since", "1h"))
    assert.are.equal(0, served:stop())
    serve("--reconcile")
    served:wait_output("stderr", "(reconciled 22 logins of the API: queued 0 events)")
    helper.ask_until(function()
      return helper.query(served.db, "SELECT count(*) FROM events WHERE state <> 3") == "0"
    end, "all events to be done")
    local found, reconciled = handled_accounts()
    assert.are.equal(20, reconciled)
    for _, list in ipairs({ before, missed }) do
      for _, account in ipairs(list) do
        assert.are.equal(1, found[account])
      end
    end
    assert.are.equal(0, served:stop())
  end)

  it("queues without a process that serves, and only what ended since", function()
    assert.are.equal(0, serve():stop())
    local missed = log_in(1)
    assert.are.same({ logins = 1, queued = 1, left_out = 0 }, reconcile())
    assert.are.same({ logins = 1, queued = 0, left_out = 0 }, reconcile())
    for _, since in ipairs({ os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + 3600), "2100-01-01" }) do
      local status, out, err = process.run(process.program(), { "reconcile", "--db", served.db,
        "--since", since }, { env = { PALENCA_API_KEY = "spec-key", PALENCA_BASE_URL = sandbox } })
      assert.are.same({ 0, "0 logins looked at: queued 0 events\n" }, { status, out }, err)
    end
    serve()
    wait_handled(missed)
    local _, reconciled = handled_accounts()
    assert.are.equal(1, reconciled)
    -- another event of that account is no copy of it, nor is one after a day
    helper.post(served.url, { account_id = missed[1], webhook_action = "login.error" })
    assert.are.equal(2, #helper.events(served.db, { "--account", missed[1] }))
    helper.post(served.url, { account_id = missed[1], user_id = "u", external_id = "e" })
    assert.are.equal(0, served:stop())
    assert.are.equal(2, #helper.events(served.db, { "--account", missed[1] }))
    helper.change_database(served.db, "UPDATE reconciled SET until = "
      .. helper.earlier(served.db, "until", 86400))
    serve()
    helper.post(served.url, { account_id = missed[1], user_id = "u", external_id = "e" })
    assert.are.equal(0, served:stop())
    assert.are.equal(3, #helper.events(served.db, { "--account", missed[1] }))
    -- whoever is forgotten has no copies
    assert.are.equal(0, (process.run(process.program(), { "forget", "--account", missed[1], "--db",
      served.db })))
    assert.are.equal("0", helper.query(served.db, "SELECT count(*) FROM reconciled"))
  end)

  it("queues nothing of whoever was forgotten, nor of what was deleted since", function()
    local function run(...)
      local status, _, err = process.run(process.program(), { ... })
      assert.are.equal(0, status, err)
    end
    serve("--redelivery-window", "0")
    local accounts = log_in(3)
    wait_handled(accounts)
    local users = {}
    for _, line in ipairs(helper.lines_of_json(helper.read_file(handled))) do
      users[line.account] = line.user
    end
    run("forget", "--account", accounts[1], "--db", served.db)
    assert.are.equal(0, served:stop())
    run("forget", "--user", users[accounts[2]], "--db", served.db)
    assert.are.same({ logins = 3, queued = 0, left_out = 0 }, reconcile("--since", "1h"))
    helper.change_database(served.db, "UPDATE forgotten SET at = "
      .. helper.earlier(served.db, "at", 3600))
    assert.are.same({ logins = 3, queued = 2, left_out = 0 }, reconcile("--since", "1h"))
    run("events", "purge", "--older-than", "0", "--db", served.db)
    assert.are.same({ logins = 3, queued = 0, left_out = 1 }, reconcile("--since", "1h"))
    local since = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + 3600)
    assert.are.same({ logins = 0, queued = 0, left_out = 0 }, reconcile("--since", since))

    -- nothing else is left of an account, and the rest not for longer than it counts
    local function count(text)
      return helper.query(served.db, "SELECT count(*) FROM " .. text)
    end
    serve("--redelivery-window", "0")
    helper.ask_until(function()
      return count("events WHERE state = 3") == "2"
    end, "both to be done")
    assert.are.equal(0, served:stop())
    run("events", "purge", "--older-than", "0", "--db", served.db)
    assert.are.equal("2", count("reconciled"))
    run("forget", "--account", accounts[1], "--db", served.db)
    assert.are.equal("1", count("reconciled"))
    helper.change_database(served.db, "UPDATE reconciled SET until = "
      .. helper.earlier(served.db, "until", 86400))
    serve()
    helper.ask_until(function()
      return count("reconciled") .. count("forgotten") == "01" -- that of a moment ago
    end, "the old marks to be deleted")
    assert.are.equal(0, served:stop())
  end)

  it("by serve keeps to the level of the log", function()
    assert.are.equal(0, serve():stop())
    local missed = log_in(1)
    local script = process.write_file(directory .. "/script.lua", SCRIPT)
    local quiet = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--db", served.db,
      "--workers", "1", "--reconcile", "--log-level", "warning" }, { env = { SPEC_HANDLED = handled,
      PALENCA_API_KEY = "spec-key", PALENCA_BASE_URL = sandbox } })
    wait_handled(missed)
    assert.are.equal(0, quiet:stop())
    assert.is_nil(quiet.stderr:find("reconciled", 1, true), quiet.stderr)
  end)

  it("goes on after an account that has been deleted", function()
    assert.are.equal(0, serve():stop())
    local missed = log_in(2)
    ask("POST", "/sandbox/faults", { kind = "error", status = 404, code = "account_not_found",
      path = "/v1/accounts/" .. missed[1] })
    assert.are.same({ logins = 2, queued = 1, left_out = 0 }, reconcile())
    serve()
    wait_handled({ missed[2] })
    assert.are.equal(0, served:stop())
  end)

  it("by serve says why it cannot, and serves all the same", function()
    local listening = sandbox
    sandbox = "http://127.0.0.1:" .. helper.free_port()
    serve("--reconcile")
    sandbox = listening
    served:wait_output("stderr", "(palenca: error: cannot reconcile: .*; 'palenca reconcile' can)")
    helper.post(served.url, { account_id = "a1", user_id = "u", external_id = "e" })
    helper.wait_state(served.db, "a1", "done")
    assert.are.equal(0, served:stop())
  end)
end)
