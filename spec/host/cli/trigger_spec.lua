--- Drives `palenca trigger`: straight to a receiver, and through a sandbox with webhooks.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

describe("palenca trigger", function()
  local stage = helper.stage_for_each()

  local function trigger(arguments, env)
    return process.run(process.program(), { "trigger", table.unpack(arguments) }, { env = env })
  end

  describe("straight to a receiver", function()
    it("sends an event, with the fields that are set", function()
      local served = stage:serve({ text = [[
        require "palenca".on("*", function(event)
          print(event.action, event.account_id, event.user_id, event.external_id, event.platform,
            event.status_details)
        end)
      ]] })
      local status, out, err = trigger({ "login.error", "--url", served.url,
        "--set", "account_id=acc", "--set", "user_id=usr", "--set", "external_id=ext",
        "--platform", "rappi", "--set", "status_details=banned" })
      assert.are.equal(0, status, err)
      assert.truthy(out:find("^login.error for account acc: response 200 {.*}\n$"), out)
      served:wait_output("stdout", "(login.error\tacc\tusr\text\trappi\tbanned)\n")
      status, out = trigger({ "login.success", "--json" }, { PALENCA_WEBHOOK_URL = served.url })
      assert.are.equal(0, status)
      local result = helper.json.decode(out)
      assert.are.equal(200, result.status)
      assert.are.equal("login.success", result.action)
      local digits = { ("%x"):rep(8), ("%x"):rep(4), "4%x%x%x", "a%x%x%x", ("%x"):rep(12) }
      assert.truthy(result.account_id:find("^" .. table.concat(digits, "%-") .. "$"))
      served:wait_output("stdout", "(login.success\t" .. result.account_id:gsub("%-", "%%-") .. ")")
    end)

    it("sends chains, for accounts that take turns", function()
      local seen = {}
      local server = stage:server(function(request)
        local data = helper.json.decode(request.body).data
        seen[#seen + 1] = data.webhook_action .. " " .. data.account_id
        request.respond(200, "")
      end)
      local started = stage:palenca({ "trigger", "login.success", "--url", server.url, "--chain",
        "--times", "4", "--accounts", "2" })
      assert.are.equal(0, started:wait_exit())
      assert.are.equal(8, #seen)
      for at = 1, 8 do
        assert.truthy(seen[at]:find(at % 2 == 1 and "^login.created" or "^login.success"))
      end
      assert.are.equal(seen[1], seen[5])
      assert.are_not.equal(seen[1], seen[3])
    end)

    it("makes events that no receiver takes for the same", function()
      local served = stage:serve({ text = 'require "palenca".on("*", function() end)' })
      local account = "cb39ee15-f29f-427d-9119-0c627575610d"
      local status, _, err = trigger({ "login.success", "--url", served.url, "--chain",
        "--times", "100", "--accounts", "10" })
      assert.are.equal(0, status, err)
      assert.are.equal("sent 200, accepted 200, duplicates 0\n", err)
      for _ = 1, 2 do -- also those of two runs
        status, _, err = trigger({ "login.success", "--url", served.url, "--times", "3",
          "--set", "account_id=" .. account })
        assert.are.equal(0, status, err)
        assert.are.equal("sent 3, accepted 3, duplicates 0\n", err)
      end
      local events = helper.events(served.db)
      local successes = 0
      for _, event in ipairs(events) do
        successes = successes + (event.action == "login.success" and 1 or 0)
      end
      assert.are.same({ 206, 106 }, { #events, successes })
    end)

    it("says how many were duplicates, where the receiver names its events", function()
      local served = stage:serve({ text = 'require "palenca".on("*", function() end)' })
      local same = { "login.success", "--url", served.url, "--times", "3",
        "--set", "webhook_id=5f0c1c1e-6a3c-4b39-9e53-1d5b6f6c7a01" }
      local status, _, err = trigger(same)
      assert.are.equal(0, status, err)
      assert.are.equal("sent 3, accepted 3, duplicates 2\n", err)
      same[#same + 1] = "--json"
      status, _, err = trigger(same)
      assert.are.equal(0, status, err)
      local summary = helper.json.decode(err)
      assert.are.same({ "summary", 3, 3, 2 },
        { summary.event, summary.sent, summary.accepted, summary.duplicates })
      local silent = stage:server(function(request)
        request.respond(200, "")
      end)
      local started = stage:palenca({ "trigger", "login.success", "--url", silent.url,
        "--times", "2" })
      assert.are.equal(0, started:wait_exit())
      assert.are.equal("sent 2, accepted 2, duplicates unknown (the receiver names no event ids)\n",
        started.stderr)
      status, _, err = trigger({ "login.success", "--url", served.url .. "s", "--times", "2" })
      assert.are.equal(1, status)
      assert.truthy(err:find("^sent 2, accepted 0, "), err)
    end)

    it("fails when nobody takes it", function()
      local status, out = trigger({ "login.success", "--url", "http://127.0.0.1:1/" })
      assert.are.equal(1, status)
      assert.truthy(out:find("^login.success for account [%x-]+: no response: network: "), out)
      local served = stage:serve({})
      status, out = trigger({ "login.success", "--url", served.url .. "s" })
      assert.are.equal(1, status)
      assert.truthy(out:find("response 404", 1, true), out)
    end)
  end)

  describe("through a sandbox", function()
    local function register(url, key, target, events)
      local response = http.request("POST", url .. "/v1/webhooks", helper.json.encode({
        url = target, name = "spec", widget_id = "b679c2fb-a096-4c26-a902-245f9bce66d9",
        is_sandbox = true, events = events,
      }), { ["x-api-key"] = key })
      assert.are.equal(201, response.status)
    end

    it("makes accounts whose earnings the handlers find", function()
      local _, url, key = stage:sandbox()
      local served = stage:serve({
        env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = url },
        text = [[
          local palenca = require "palenca"
          local client = palenca.new()
          palenca.on("login.success", function(event)
            local rows = assert(client.accounts:earnings(event.account_id,
              { start_date = "2020-01-01", end_date = "2099-12-31" }):all())
            print(event.account_id, event.platform, #rows > 10)
          end)
        ]],
      })
      register(url, key, served.url)
      local status, out, err = trigger({ "login.success", "--sandbox", url, "--platform", "rappi",
        "--times", "6", "--accounts", "3", "--json" })
      assert.are.equal(0, status, err)
      local result, accounts = helper.lines_of_json(out), {}
      assert.are.equal(6, #result)
      for _, one in ipairs(result) do
        assert.are.equal(200, one.status)
        accounts[one.account_id] = (accounts[one.account_id] or 0) + 1
      end
      local different = 0
      for account, count in pairs(accounts) do
        assert.are.equal(2, count)
        different = different + 1
        served:wait_output("stdout", "(" .. account:gsub("%-", "%%-") .. "\trappi\ttrue)\n")
      end
      assert.are.equal(3, different)
    end)

    it("makes as many events as --times says, none of them a duplicate", function()
      local _, url, key = stage:sandbox()
      local served = stage:serve({ text = 'require "palenca".on("*", function() end)' })
      register(url, key, served.url)
      local status, _, err = trigger({ "login.success", "--sandbox", url, "--chain", "--platform",
        "rappi", "--times", "100", "--accounts", "10" })
      assert.are.equal(0, status, err)
      assert.are.equal("sent 200, accepted 200, duplicates 0\n", err)
      local counts, accounts, different = {}, {}, 0
      for _, event in ipairs(helper.events(served.db)) do
        counts[event.action] = (counts[event.action] or 0) + 1
        different = different + (accounts[event.account_id] and 0 or 1)
        accounts[event.account_id] = true
      end
      assert.are.same({ ["login.created"] = 100, ["login.success"] = 100 }, counts)
      assert.are.equal(10, different)
    end)

    it("shows the response of each webhook after its first attempt", function()
      local _, url, key = stage:sandbox()
      local server = stage:server(function(request)
        request.respond(request.path == "/good" and 201 or 500, "said " .. request.path)
      end)
      register(url, key, server.url .. "/good")
      register(url, key, server.url .. "/bad", { "login.error" })
      local trial = stage:palenca({ "trigger", "login.error", "--chain" },
        { env = { PALENCA_BASE_URL = url } })
      assert.are.equal(1, trial:wait_exit())
      local lines = {}
      for line in trial.stdout:gmatch("[^\n]+") do
        lines[#lines + 1] = line:gsub("account [%x-]+", "account A")
      end
      table.sort(lines)
      assert.are.same({
        "login.created for account A: response 201 said /good",
        "login.error for account A: response 201 said /good",
        "login.error for account A: response 500 said /bad",
      }, lines)
    end)

    it("says that an event waits for the earlier one, which is attempted again", function()
      local _, url, key = stage:sandbox()
      local server = stage:server(function(request) request.respond(500, "") end)
      register(url, key, server.url)
      local trial = stage:palenca({ "trigger", "login.success", "--chain", "--sandbox", url })
      trial:wait_output("stderr", "palenca: login%.success for account [%x-]+ waits for "
        .. "login%.created, whose attempt 1 has failed: waiting for the next one until "
        .. "%d%d:%d%d:%d%d(\n)")
      http.request("POST", url .. "/sandbox/clock", '{"advance":60}',
        { ["content-type"] = "application/json" })
      trial:wait_output("stderr", "whose attempt 2 has failed(:)")
    end)

    it("reports that no webhook is subscribed, and that there is no sandbox", function()
      local _, url = stage:sandbox()
      local status, _, err = trigger({ "login.success", "--sandbox", url })
      assert.are.equal(1, status)
      assert.truthy(err:find("no webhook of the sandbox at " .. url
        .. " is subscribed to login.success", 1, true), err)
      status, _, err = trigger({ "login.success", "--sandbox", "http://127.0.0.1:1" })
      assert.are.equal(1, status)
      assert.truthy(err:find("there is no sandbox at http://127.0.0.1:1", 1, true), err)
      local other = stage:server()
      local trial = stage:palenca({ "trigger", "login.success", "--sandbox", other.url })
      assert.are.equal(1, trial:wait_exit())
      assert.truthy(trial.stderr:find("this is not palenca's sandbox", 1, true), trial.stderr)
    end)

    it("says so of whatever is not the sandbox", function()
      local delivery = '"account_id": "a", "action": "b", "attempts": 1'
      for body, said in pairs {
        ['{"error": "Not Found"}'] = "rejected it: 404 Not Found",
        ['{"error": 5}'] = "rejected it: 404",
        ['{"error": {"message": {}}}'] = "rejected it: 404",
        ['{"detail": "Not Found"}'] = "rejected it: 404 Not Found",
        ['{"detail": [5, {"loc": [], "msg": 5}]}'] = "rejected it: 404",
        ['{"detail": [{"loc": ["body", "action"], "msg": "is odd"}]}'] = "404 action is odd",
        ["[]"] = "not palenca's sandbox",
        ['{"success": true}'] = "not palenca's sandbox",
        ['{"success": true, "data": 5}'] = "not palenca's sandbox",
        ['{"success": true, "data": {"deliveries": 5}}'] = "not palenca's sandbox",
        ['{"success": true, "data": {"deliveries": [{}]}}'] = "not palenca's sandbox",
        ['{"success": true, "data": {"deliveries": ["x"]}}'] = "not palenca's sandbox",
        ['{"success": true, "data": {"deliveries": ["x"], "state": "queued", "tries": [], '
          .. delivery .. "}}"] = "not palenca's sandbox",
        ['{"success": true, "data": {"deliveries": ["x"], "state": "x", "tries": [5], '
          .. delivery .. "}}"] = "not palenca's sandbox",
        ['{"success": true, "data": {"deliveries": ["x"], "state": "x", "tries": '
          .. '[{"status": 200, "body": 5}], ' .. delivery .. "}}"] = "not palenca's sandbox",
      } do
        local other = stage:server(function(request)
          request.respond(body:find('"success"', 1, true) and 200 or 404, body)
        end)
        local trial = stage:palenca({ "trigger", "login.success", "--sandbox", other.url })
        assert.are.equal(1, trial:wait_exit())
        assert.truthy(trial.stderr:find(said, 1, true), body .. ": " .. trial.stderr)
        assert.falsy(trial.stderr:find("traceback", 1, true), trial.stderr)
      end
    end)

    it("finds the sandbox at an address with /v1 behind it, from flag and environment", function()
      local _, url, key = stage:sandbox()
      register(url, key, stage:server().url)
      for _, case in ipairs {
        { { "--sandbox", url .. "/v1" } }, { {}, { PALENCA_BASE_URL = url .. "/v1/" } },
      } do
        local started = stage:palenca({ "trigger", "login.success", table.unpack(case[1]) },
          { env = case[2] })
        assert.are.equal(0, started:wait_exit(), started.stderr)
      end
    end)

    it("says which account does not exist", function()
      local _, url = stage:sandbox()
      local status, _, err = trigger({ "login.success", "--sandbox", url,
        "--set", "account_id=00000000-0000-4000-8000-000000000000" })
      assert.are.equal(1, status)
      assert.truthy(err:find("404 there is no such account", 1, true), err)
    end)
  end)

  local rejected = {
    [{ "login" }] = "'login' is not an event's name",
    [{ "login.success", "--set", "color=red" }] = "'color' is none of the fields",
    [{ "login.error", "--set", "status_details=baned" }] = "'baned' is not a known status_details; "
      .. "did you mean 'banned'?",
    [{ "login.success", "--set", "red" }] = "'red' is not FIELD=VALUE",
    [{ "login.success", "--color", "red" }] = "unknown option '--color'",
    [{ "login.success", "--platform", "tram" }] = "'tram' is not a platform that is known",
    [{ "login.success", "--country", "xx" }] = "'xx' is not a country that is known",
    [{ "login.success", "--times", "0" }] = "'0' is not a whole number from 1",
    [{ "login.success", "--set", "account_id=a", "--accounts", "2" }] = "names one account",
    [{}] = "missing argument 'ACTION'",
  }
  for arguments, message in pairs(rejected) do
    it("rejects: " .. table.concat(arguments, " "), function()
      local status, out, err = trigger(arguments)
      assert.are.equal(2, status)
      assert.are.equal("", out)
      assert.truthy(err:lower():find(message:lower(), 1, true), err)
      assert.truthy(err:find("Try 'palenca trigger --help'", 1, true), err)
    end)
  end
end)
