--- What a webhook's request is known by elsewhere: stored with its event, logged, sent on.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local TRACE = "0af7651916cd43dd8448eb211c80319c"
local PARENT = "00-" .. TRACE .. "-b7ad6b7169203331-01"

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("login.success", { retry_wait = 0.1 }, function(event)
    palenca.log.info { message = "in " .. event.account_id, trace = event.traceparent or "none",
      request = event.request_id or "none" }
    palenca.sleep(0.05)
    palenca.http { url = os.getenv "SPEC_URL" .. "/plain", max_retries = 0 }
    palenca.http { url = os.getenv "SPEC_URL" .. "/own", headers = { TraceParent = "own" } }
    palenca.log.warn("behind " .. event.account_id)
    if event.attempt == 1 then
      error "again"
    end
  end)
]]

describe("the trace of a webhook", function()
  local stage = helper.stage()
  local served, server

  local function serve(arguments)
    served = stage:palenca(table.move(arguments, 1, #arguments, 10, { "serve",
      stage.script, "--listen", "127.0.0.1:0", "--db", stage.db, "--workers", "1",
      "--drain-timeout" }), { env = { PALENCA_API_KEY = "k", SPEC_URL = server.url } })
    served.url = served:wait_output("stderr", '(http:[^%s"]+palenca)'):gsub("\\", "")
  end

  setup(function()
    server = stage:server()
    local directory = stage:directory()
    stage.db, stage.script = directory .. "/events.db", directory .. "/script.lua"
    process.write_file(stage.script, SCRIPT)
  end)

  teardown(function()
    stage:clear()
  end)

  local function post(account, headers)
    local response = http.request("POST", served.url, helper.body({ account_id = account }),
      headers)
    assert.equal(200, response.status)
    return helper.json.decode(response.body).id
  end

  it("is in each line of its event, in the event, and sent on, also by a retry", function()
    serve({ "5", "--json" })
    local id = post("a", { traceparent = PARENT, ["X-Request-Id"] = "req-1" })
    local other = post("b", {})
    helper.wait_states(stage.db, { "a", "b" }, "done")
    assert.equal(0, served:stop(), served.stderr)
    local counts = {}
    for _, entry in ipairs(helper.lines_of_json(served.stderr)) do
      local account = entry.account_id or (entry.message or ""):match("^%l+ (%l)$")
      if account then
        counts[account] = (counts[account] or 0) + 1
        local is_a = account == "a"
        assert.equal(is_a and PARENT or nil, entry.traceparent)
        assert.equal(is_a and "req-1" or nil, entry.request_id)
        assert.equal(entry.trace and (is_a and PARENT or "none"), entry.trace)
        assert.equal(entry.request and (is_a and "req-1" or "none"), entry.request)
      end
    end
    assert.same({ a = 6, b = 6 }, counts) -- two attempts, three lines each
    local sent = {}
    for _, request in ipairs(server.requests) do
      table.insert(sent, ("%s %s %s"):format(request.path, request.headers.traceparent or "-",
        request.headers["x-request-id"] or "-"))
    end
    table.sort(sent)
    assert.same({ "/own own -", "/own own -", "/own own req-1", "/own own req-1",
      "/plain - -", "/plain - -", "/plain " .. PARENT .. " req-1",
      "/plain " .. PARENT .. " req-1" }, sent)
    assert.equal(("%d|%s|req-1"):format(id, PARENT),
      helper.query(stage.db, "SELECT * FROM event_traces"))
    assert.is_true(other > id)
  end)

  it("is in lines of text", function()
    serve({ "5" })
    post("text", { traceparent = PARENT, ["X-Request-Id"] = "req-2" })
    helper.wait_state(stage.db, "text", "done")
    assert.equal(0, served:stop(), served.stderr)
    assert.truthy(served.stderr:find("account text  trace " .. TRACE .. "  request req-2  FAILED",
      1, true), served.stderr)
    assert.truthy(served.stderr:find("request req%-2  done in [%d.]+ s %(attempt 2%)"))
  end)

  it("is stored only if it is well formed, and comes once", function()
    serve({ "5" })
    local bad = {}
    for _, text in ipairs { "", "00", PARENT:upper(), PARENT .. "-x", "ff" .. PARENT:sub(3),
      PARENT:gsub(TRACE, ("0"):rep(32)), PARENT:gsub("b7ad6b7169203331", ("0"):rep(16)),
      PARENT:gsub("-01", "-0g"), PARENT:gsub("%-", "_") } do
      bad[#bad + 1] = { traceparent = text }
    end
    for _, text in ipairs { "", "a b", 'a"b', "a\\b", "a\27[1m", "\195\161", ("x"):rep(129) } do
      bad[#bad + 1] = { ["X-Request-Id"] = text }
    end
    bad[#bad + 1] = { ["X-Request-Id"] = "one", ["x-request-id"] = "two" }
    local before = tonumber(helper.query(stage.db, "SELECT count(*) FROM event_traces"))
    for at, headers in ipairs(bad) do
      local response = http.request("POST", served.url, helper.body({ account_id = "bad" .. at }),
        headers)
      assert.is_true(response.status == 200 or response.status == 400) -- of the server itself
    end
    post("later", { traceparent = "01" .. PARENT:sub(3) .. "-more" })
    post("long", { ["X-Request-Id"] = ("x"):rep(128) })
    assert.equal(before + 2, tonumber(helper.query(stage.db, "SELECT count(*) FROM event_traces")))
  end)

  it("goes with its event", function()
    served:stop()
    helper.change_database(stage.db,
      "UPDATE events SET received_at = 1, finished_at = 1, state = 3")
    local status, _, err = process.run(process.program(), { "events", "purge", "--older-than", "1",
      "--db", stage.db })
    assert.equal(0, status, err)
    assert.equal("0|0", helper.query(stage.db,
      "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM event_traces)"))
  end)
end)
