--- The page at the listener of `palenca serve --admin` and its process: where and when it is there,
-- what it logs, and what it shows of an odd database.
local cjson = require("cjson")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("*", function(event) print("handling", event.account_id) end)
]]

local WRITES = { ["X-Palenca-Admin"] = "1" }

describe("the admin page of a process", function()
  local stage = helper.stage_for_each()

  it("is at a Unix socket as well", function()
    local directory = stage:directory()
    local path = directory .. "/admin.sock"
    local served = stage:serve({ directory = directory, text = SCRIPT,
      arguments = { "--admin", "unix:" .. path } })
    helper.post(served.url, { account_id = "a" })
    local id = ("%d"):format(helper.wait_state(served.db, "a", "done").id)
    local function curl(...)
      local status, out, err = process.run("/usr/bin/curl", { "-sS", "--unix-socket", path, ... })
      assert.equal(0, status, err)
      return cjson.decode(out)
    end
    assert.equal(id, ("%d"):format(curl("http://palenca/api/events").events[1].id))
    assert.same({ replayed = 1, left_out = 0 }, curl("-HContent-Type: application/json",
      "-HX-Palenca-Admin: 1", "-d", '{"id":' .. id .. "}", "http://palenca/api/replay"))
    served:wait_output("stderr", "(palenca: admin page: replay of event " .. id
      .. " by unix: replayed\n)")
  end)

  it("leaves an entry of the log for each change, and says where it is", function()
    local directory = stage:directory()
    local script = process.write_file(directory .. "/script.lua", SCRIPT)
    local served = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--admin",
      "127.0.0.1:0", "--db", directory .. "/events.db", "--workers", "1", "--json" },
      { env = { PALENCA_API_KEY = "k" } })
    local place = cjson.decode(served:wait_output("stderr", '({[^\n]*"event":"admin_page"[^\n]*})'))
    served:wait_output("stderr", '("event":"ready")')
    assert.is_true(place.is_on)
    http.request("POST", place.url .. "/api/purge", '{"filter":{"error":"GOMC900101HDFRRL09"}}',
      WRITES)
    local entry = cjson.decode(served:wait_output("stderr",
      '({[^\n]*"event":"admin_action"[^\n]*})'))
    assert.truthy(entry.time)
    entry.time = nil
    assert.same({ level = "info", event = "admin_action", action = "purge", peer = "127.0.0.1",
      what = 'error="[identity number]"', result = "deleted 0 events" }, entry)
  end)

  it("is not there before the script is loaded, and takes no change as the process ends", function()
    local directory = stage:directory()
    local script = process.write_file(directory .. "/script.lua", [[
      local palenca = require "palenca"
      while not io.open(os.getenv "SPEC_GO") do palenca.sleep(0.05) end
      palenca.on("*", function() palenca.sleep(60) end)]])
    local served = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--admin",
      "127.0.0.1:0", "--db", directory .. "/events.db", "--workers", "1", "--drain-timeout", "60" },
      { env = { PALENCA_API_KEY = "k", SPEC_GO = directory .. "/go" } })
    local admin = served:wait_output("stderr", "metrics and health at (http%S+)\n")
    assert.equal(503, http.request("GET", admin .. "/").status)
    assert.equal(503, http.request("POST", admin .. "/api/replay", "{}", WRITES).status)
    process.write_file(directory .. "/go", "")
    local url = served:wait_output("stderr", "receiving webhooks at (http%S+),")
    assert.equal(200, http.request("GET", admin .. "/api/stats").status)
    helper.post(url, { account_id = "a" })
    local id = helper.wait_state(directory .. "/events.db", "a", "running").id
    served:kill("sigterm")
    helper.ask_until(function()
      return http.request("GET", admin .. "/readyz").status == 503
    end, "the end")
    assert.equal(503, http.request("POST", admin .. "/api/replay", ('{"id":%d}'):format(id),
      WRITES).status)
    assert.equal(200, http.request("GET", admin .. "/api/events").status)
    served:kill("sigterm")
    served:wait_exit()
  end)

  it("#file shows the latest attempts, and as many of their lines as there is room for", function()
    local served = stage:serve({ text = SCRIPT, arguments = { "--admin", "127.0.0.1:0" } })
    local admin = served.stderr:match("admin page at (http://[%d.:]+)\n")
    helper.post(served.url, { account_id = "a" })
    local id = helper.wait_state(served.db, "a", "done").id
    helper.change_database(served.db, ([[
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 299)
      INSERT INTO attempts(id, replay, attempt, started_at, outcome, lines, lines_left_out)
      SELECT %d, i, 1, 1, 0, 'line ' || char(10) || printf('%%.*c', 16384 - 6, 'x'), 3
      FROM n]]):format(id))
    local shown = cjson.decode(http.request("GET", ("%s/api/events/%d"):format(admin, id)).body)
    assert.same({ 100, 200 }, { #shown.attempts, shown.attempts_left_out })
    for i, attempt in ipairs(shown.attempts) do
      local has_lines = i > 100 - 64 -- of 16 KiB each
      assert.same({ 199 + i, has_lines and 2 or 0, has_lines and 3 or 5 },
        { attempt.replay, #attempt.lines, attempt.lines_left_out })
    end
    local status, out, err = process.run(process.program(), { "events", "show", ("%d"):format(id),
      "--db", served.db, "--json" })
    assert.equal(0, status, err)
    assert.equal(300, #cjson.decode(out).history)
    assert.equal(0, served:stop())
  end)

  it("#file shows no body that it does not understand", function()
    local served = stage:serve({ text = SCRIPT, arguments = { "--admin", "127.0.0.1:0" } })
    local admin = served.stderr:match("admin page at (http://[%d.:]+)\n")
    helper.post(served.url, { account_id = "a" })
    local id = helper.wait_state(served.db, "a", "done").id
    helper.change_database(served.db, "UPDATE bodies SET body = CAST('name=Juana' AS BLOB)")
    local response = http.request("GET", ("%s/api/events/%d"):format(admin, id))
    assert.equal(200, response.status)
    assert.equal(cjson.null, cjson.decode(response.body).event.body)
    assert.is_nil(response.body:find("Juana", 1, true))
    assert.equal(0, served:stop())
  end)

  -- The page's API at a server in the script, which counts until there is another response.
  it("#file ends a count whose client has left", function()
    local served = stage:serve({ text = SCRIPT })
    helper.post(served.url, { account_id = "a" })
    helper.wait_state(served.db, "a", "done")
    local counting = stage:palenca({ "run", process.write_file(served.directory .. "/count.lua", [[
      local palenca = require "palenca"
      local host = require "palenca.host"
      local api = require("palenca.host.admin_api").new(...)
      local server = host.http_server({ listen = "127.0.0.1:0", max_body = 1000 })
      local is_over
      print("at http://" .. server:address())
      while not is_over do
        palenca.sleep(0.01)
        server:run(function(request)
          local status, headers, body, count = nil, nil, nil, 0
          repeat
            status, headers, body = api:handle(request)
            count = count + 1
            if count == 10 then print("counted") end
          until status ~= 200
          print(status, body)
          is_over = true
          return status, headers, body
        end)
      end
      server:close()]]), served.db }, { env = { PALENCA_API_KEY = "k" } })
    local client = stage:connect(counting:wait_output("stdout", "at (%S+)\n"))
    local body = '{"filter":{},"dry_run":true}'
    client:send("POST /api/purge HTTP/1.1\r\nHost: localhost\r\nX-Palenca-Admin: 1\r\n"
      .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body)
    counting:wait_output("stdout", "(counted)\n")
    client:close()
    assert.equal("503", counting:wait_output("stdout", "\n(%d+)\t[^\n]*: the client has left;"))
    assert.equal(0, counting:wait_exit())
    assert.equal(0, served:stop())
  end)
end)
