--- Plays handlers whose requests were in flight side by side, in the order in which the responses
-- came then.
local helper = require("spec.host.helper")
local process = require("spec.support.process")
local shadow_runs = require("spec.host.cli.shadow_runs")
local uv = require("luv")

local SCRIPT = [[
  local palenca = require "palenca"
  local client = palenca.new{ rate_limit = 0, max_retries = 0, timeout = 60 }
  local gather = palenca.gather

  local function get(path)
    return client:request("GET", path)
  end

  -- The amount of each day is what the figures say.
  local function decide(event, amount)
    local rows = {}
    for at = 1, 60 do
      rows[at] = { earning_date = os.date("!%Y-%m-%d", 1767225600 + (at - 1) * 86400),
        amount = amount, currency = "mxn" }
    end
    local stream = palenca.income.merge{ { rows = rows, report = { complete = true, rows = 60 } } }
    local income = palenca.income.analyze(stream, { as_of = "2026-03-01" })
    palenca.decision.record(event, { stream = stream, income = income,
      verdict = palenca.income.decide(income, { version = "1" }, { installment = "3000.00" }) })
  end

  palenca.on("login.success", function(event)
    local order = {}
    local function reads(name)
      return function()
        if name == "a" then palenca.sleep(0.01) end
        local data = assert(get("/v1/side?of=" .. name))
        order[#order + 1] = data.number
        return assert(get("/v1/then?of=" .. name)).number
      end
    end
    local a, b, c = gather(reads "a", reads "b", reads "c", function()
      assert(get("/v1/side?of=d"))
      local gate = assert(io.open "GATE") -- the other three responses come meanwhile
      gate:read "*a"
      gate:close()
    end)
    assert(a .. b .. c == "456")
    local same = function() return assert(get("/v1/same")).number end
    local one, two = gather(same, same)
    local none, err = gather(function() return get("/v1/never") end, function()
      return gather(function() return get("/v1/never") end, function()
        return get("/v1/missing")
      end)
    end, function() palenca.sleep(3600) end)
    assert(not none and err.status == 404, "no 404")
    if event.external_id == "never" then
      gather(function() return get("/v1/never") end, function() AFTER end)
    end
    decide(event, 500 + tonumber(table.concat(order)) + 10 * one + two)
  end)
]]

describe("palenca shadow of a handler that gathers", function()
  local stage, server, served, env, gate
  local ids = {}

  local function respond(request, number)
    request.respond(200, ('{"success":true,"data":{"number":%d}}'):format(number))
  end

  local numbers = { a = 1, b = 2, c = 3, d = 4 }
  local sides, sames = {}, {}

  -- Responds to that of d once all four are here, and to the others, the last first, once the
  -- branch of d has opened the gate, which holds up the handler until they have been sent.
  local function side(request, of)
    sides[of] = request
    if sides.a and sides.b and sides.c and sides.d then
      local held = sides
      sides = {}
      respond(held.d, 0)
      uv.fs_open(gate, "w", 0, function(problem, fd)
        assert(fd, problem)
        for _, name in ipairs { "c", "b", "a" } do
          respond(held[name], numbers[name])
        end
        uv.fs_close(fd)
      end)
    end
  end

  local function same(request)
    sames[#sames + 1] = request
    if #sames == 2 then
      respond(sames[2], 7)
      respond(sames[1], 6)
      sames = {}
    end
  end

  local function script(after)
    return (SCRIPT:gsub("GATE", gate):gsub("AFTER", after))
  end

  setup(function()
    stage = helper.stage()
    gate = stage:directory() .. "/gate"
    assert.equal(0, (process.run("/usr/bin/mkfifo", { gate })))
    server = stage:server(function(request)
      local name, of = request.path:match("^/v1/(%l+)%??o?f?=?(%l?)")
      if name == "side" then
        side(request, of)
      elseif name == "same" then
        same(request)
      elseif name == "then" then
        respond(request, numbers[of] + 3)
      elseif name == "missing" then
        request.respond(404, '{"success":false,"error":{"code":"none","message":"none"}}')
      end
    end)
    env = { PALENCA_API_KEY = "spec-secret-key", PALENCA_BASE_URL = server.url }
    served = stage:serve({ text = script('palenca.sleep(0.1) error("over", 0)'),
      env = env, arguments = { "--record-responses", "--max-attempts", "1" } })
    helper.post(served.url, { account_id = "plain" })
    ids.plain = helper.wait_state(served.db, "plain", "done").id
    helper.post(served.url, { account_id = "never", external_id = "never" })
    ids.never = helper.wait_state(served.db, "never", "dead").id
    os.remove(gate) -- what is played waits for nobody
    process.write_file(gate, "")
  end)

  teardown(function()
    stage:clear()
  end)

  local function version(after)
    return process.write_file(stage:directory() .. "/version.lua", script(after))
  end

  it("finds what there was, and what was aborted then has no response", function()
    for _ = 1, 3 do
      local summary, changes = shadow_runs.played(served.directory .. "/script.lua", served.db, {},
        env)
      assert.are.same({}, summary.not_played)
      assert.are.same({ approve = { approve = 1 }, failed = { failed = 1 } },
        shadow_runs.matrix_of(summary))
      assert.are.same({}, changes)
    end
  end)

  it("does not play a wait for what was aborted then, if nothing else comes", function()
    local summary = shadow_runs.played(version("return 1"), served.db, {}, env)
    assert.are.same({ { count = 1, event_ids = { ids.never },
      reason = "it waits for a response to GET /v1/never that had not come then" } },
      summary.not_played)
  end)
end)
