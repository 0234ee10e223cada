--- Posts a thousand events at once to `palenca serve`, whose handler reads twenty pages for each:
-- all get a response, are stored and handled once, within bounded memory.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local EVENTS = helper.sanitized and 200 or 1000
-- Seen: 63 MiB.
local MEMORY_KIB = 160 * 1024

local SCRIPT = [[
  local palenca = require "palenca"
  local client = palenca.new()
  palenca.on("login.success", function(event)
    local rows, report = client.accounts:earnings("cb39ee15-f29f-427d-9119-0c627575610d",
      {start_date = "2024-09-01", end_date = "2026-03-01", items_per_page = 10}):all()
    if not rows then error(report) end
    local income = palenca.income.analyze(rows, {report = report, as_of = "2025-03-14"})
    local file = assert(io.open(os.getenv "SPEC_FILE", "a"))
    file:write(string.format("%d %s %d %d %s %s\n", event.id, event.account_id, #rows,
      report.total_pages, tostring(report.complete), tostring(income.monthly_income)))
    file:close()
  end)
]]

local function peak_memory(pid)
  local status = assert(helper.read_file("/proc/" .. pid .. "/status"))
  return tonumber(status:match("VmHWM:%s*(%d+) kB"))
end

describe("a thousand events at once", function()
  local stage = helper.stage_for_each()

  local function post_all(url)
    local connections = {}
    for i = 1, EVENTS do
      connections[i] = stage:connect(url)
    end
    for _, connection in ipairs(connections) do
      assert.is_true(connection:wait_connected().connected)
    end
    for i, connection in ipairs(connections) do
      local body = helper.body({ account_id = "account-" .. i })
      connection:send("POST /webhooks/palenca HTTP/1.1\r\nHost: spec\r\nContent-Length: " .. #body
        .. "\r\n\r\n" .. body)
    end
    for _, connection in ipairs(connections) do
      assert.are.equal(200, connection:response().status)
      connection:close()
    end
  end

  it("each get a response, are stored and handled exactly once", function()
    local _, url, key = stage:sandbox({ "--rate-limit", "0" })
    local file = stage:directory() .. "/handled.txt"
    local served = stage:serve({ text = SCRIPT, arguments = { "--rate-limit", "0" },
      env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = key, SPEC_FILE = file } })
    post_all(served.url)
    assert.are.equal(EVENTS, #helper.events(served.db))
    helper.wait_lines(served, "stderr", "event %d+ [^\n]*\n", EVENTS)
    local peak = peak_memory(served.pid)
    assert.are.equal(0, served:stop())
    local accounts = {}
    for _, event in ipairs(helper.events(served.db)) do
      assert.are.equal("done", event.state, event.error)
      assert.are.equal(1, event.attempts)
      accounts[("%d"):format(event.id)] = event.account_id
    end
    local handled, total = 0, nil
    for id, account, rest in helper.read_file(file):gmatch("(%d+) (%S+) ([^\n]+)\n") do
      assert.are.equal(accounts[id], account)
      accounts[id] = nil -- a second line of the same event fails
      handled = handled + 1
      total = total or rest:match("^195 20 true (%d+%.%d%d)$")
      assert.are.equal("195 20 true " .. tostring(total), rest)
    end
    assert.are.equal(EVENTS, handled)
    assert.is_nil(next(accounts))
    if not helper.sanitized then
      assert.is_true(peak < MEMORY_KIB, "peak memory " .. peak .. " KiB")
    end
  end)

  it("do not hold up a small response in between", function()
    local server = stage:server(function() end) -- responds to nobody: the handlers stand still
    local served = stage:serve({ text = [[
      require "palenca".on("*", function() require "palenca".http{url = os.getenv "SPEC_URL"} end)
    ]], arguments = { "--drain-timeout", "0", "--workers", "1", "--concurrency", "8" },
      env = { SPEC_URL = server.url } })
    post_all(served.url)
    process.wait_for(function()
      return #server.requests == 8
    end, "as many handlers as may run at once")
    helper.post(served.url, { account_id = "late" })
    assert.are.equal(8, #server.requests)
    assert.are.equal(EVENTS + 1, #helper.events(served.db))
    assert.are.equal(0, served:stop())
    local states = {}
    for _, event in ipairs(helper.events(served.db)) do
      states[event.state] = (states[event.state] or 0) + 1
      assert.are.equal(0, event.attempts)
    end
    assert.are.same({ received = EVENTS + 1 }, states)
  end)
end)
