--- The API's rate limit for a key, divided among `palenca serve` on several machines at PostgreSQL:
-- with a clock that runs fast for all of them, the server and the sandbox; and the function that
-- grants shares.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local postgres = require("spec.support.postgres")

local WINDOW = 60
local FAST = { FAST_CLOCK = "12",
  LD_PRELOAD = faults.built("libfast_clock.so"),
  ASAN_OPTIONS = "verify_asan_link_order=0" }

-- Calls without an end, $SPEC_PAUSE seconds after each other.
local CALLING = [[
  local palenca, PAUSE = require "palenca", tonumber(os.getenv "SPEC_PAUSE")
  palenca.on("*", function()
    local client = palenca.new { max_retries = 0 }
    while true do
      client.platforms:list()
      palenca.sleep(PAUSE)
    end
  end)
]]

local function seconds(timestamp)
  local year, month, day, hour, minute, second =
    timestamp:match("^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)Z$")
  return os.time { year = year, month = month, day = day, hour = hour, min = minute, sec = second }
end

describe("the API's limit for three hosts at PostgreSQL", function()
  local stage = helper.stage_for_each()
  local cluster, sandbox

  setup(function()
    cluster = postgres.new({ preloaded = FAST.LD_PRELOAD,
      env = { FAST_CLOCK = FAST.FAST_CLOCK } })
  end)

  teardown(function()
    cluster:close()
  end)

  local function start_sandbox(limit)
    local started = stage:palenca({ "sandbox", "--listen", "127.0.0.1:0", "--api-key", "spec-key",
      "--rate-limit", tostring(limit) }, { env = FAST })
    sandbox = started:wait_output("stderr", "(http://127%.0%.0%.1:%d+)")
  end

  -- Three hosts with `calling` handlers that call all the time.
  local function start_hosts(limit, pause, calling)
    local db, hosts = cluster:database(), {}
    local env = { PALENCA_BASE_URL = sandbox, SPEC_PAUSE = tostring(pause),
      PALENCA_RATE_LIMIT = tostring(limit) }
    for name, value in pairs(FAST) do
      env[name] = value
    end
    for i = 1, 3 do
      hosts[i] = stage:serve { db = db, text = CALLING, env = env,
        arguments = { "--workers", "1", "--concurrency", tostring(calling // 3) } }
    end
    for i = 1, calling do
      helper.post(hosts[1].url, { account_id = "account-" .. i })
    end
    return hosts
  end

  -- The newest calls, the number of all, and the time of the day by the sandbox's clock.
  local function calls(count)
    local response = http.request("GET", sandbox .. "/sandbox/requests?items_per_page=" .. count)
    local body = helper.json.decode(response.body)
    local hour, minute, second = response.headers.date:match("(%d+):(%d+):(%d+)")
    return body.data.requests, body.pagination.total_items,
      hour * 3600 + minute * 60 + second
  end

  -- Waits for so many; returns the times of all, in Unix seconds by the sandbox's clock, in their
  -- order. None of them was beyond the limit.
  local function wait_calls(count)
    helper.ask_until(function()
      local _, total = calls(1)
      return total >= count
    end, count .. " calls")
    local list, times = calls(500), {}
    for i, call in ipairs(list) do
      assert.are.equal(200, call.status)
      times[#list + 1 - i] = seconds(call.at)
    end
    return times
  end

  local function assert_within_limit(times, limit)
    for i = limit + 1, #times do
      assert(times[i] - times[i - limit] >= WINDOW,
        ("%d calls in %d s"):format(limit + 1, times[i] - times[i - limit]))
    end
  end

  it("is used, and never exceeded, while one of them is killed", function()
    local LIMIT = 30 -- few, lest what is used depends on the machine's speed
    start_sandbox(LIMIT)
    local hosts = start_hosts(LIMIT, 0, 6)
    wait_calls(LIMIT // 3)
    hosts[3]:kill("sigkill")
    hosts[3]:wait_exit()
    local times = wait_calls(2 * LIMIT + LIMIT // 2)
    assert_within_limit(times, LIMIT)
    -- by the sandbox's count, whose windows begin with a call
    local windows = {}
    for _, time in ipairs(times) do
      local last = windows[#windows]
      if not last or time >= last.since + WINDOW then
        last = { since = time, calls = 0 }
        windows[#windows + 1] = last
      end
      last.calls = last.calls + 1
    end
    assert.is_true(#windows >= 3)
    assert.is_true(windows[1].calls >= 0.9 * LIMIT)
    assert.is_true(windows[2].calls >= 0.9 * LIMIT)
  end)

  it("is kept while the server is away: calls wait, and go on by themselves", function()
    local LIMIT = 120
    start_sandbox(0)
    start_hosts(LIMIT, 1, 3)
    wait_calls(20)
    cluster:stop()
    -- what the hosts have been granted is good for 5 s
    local before = 0
    helper.ask_until(function()
      local newest, total, now = calls(1)
      local is_quiet = total == before and (now - seconds(newest[1].at)) % 86400 > 6
      before = total
      return is_quiet
    end, "the calls to wait")
    assert.is_true(before < 20 + LIMIT / 4)
    cluster:start()
    assert_within_limit(wait_calls(before + 30), LIMIT)
  end)
end)

describe("a share of the API's limit at PostgreSQL", function()
  local cluster, db

  setup(function()
    local stage = helper.stage()
    cluster = postgres.shared()
    db = cluster:database()
    assert.are.equal(0, stage:serve({ db = db }):stop()) -- which makes the tables
    stage:clear()
  end)

  teardown(postgres.close_shared)

  -- Requests, in one go: owner, then what differs from a request for nothing. A text is SQL to be
  -- run in between. Returns what is granted to each, and the row of the last.
  local function take(requests)
    local sql, at = {}, 0
    for _, r in ipairs(requests) do
      at = at + 1
      sql[#sql + 1] = type(r) == "string" and r or ([[SELECT concat_ws(' ', granted, still_free,
        wait_ms, block_ms) FROM palenca.take_turns('key', %d, %d, %d, %d, %d, %d, %d, %d, %d,
        5000, 61000)]]):format(r[1], r.at or at, r.limit or 100, r.kept or 0, r.unused or 0,
        r.wanted or 0, r.spare or 0, r.waits and 1 or 0, r.blocked or 0)
    end
    local granted, last = {}, nil
    for line in cluster:query(db, table.concat(sql, ";")):gmatch("[^\n]+") do
      local numbers = {}
      for number in line:gmatch("%d+") do
        numbers[#numbers + 1] = tonumber(number)
      end
      granted[#granted + 1] = numbers[1]
      last = { granted = numbers[1], free = numbers[2], wait = numbers[3], block = numbers[4] }
    end
    return granted, last
  end

  after_each(function()
    cluster:query(db, "TRUNCATE palenca.rate_limits, palenca.rate_shares, palenca.rate_uses")
  end)

  -- As if so many seconds had passed.
  local function pass(time)
    return ([[UPDATE palenca.rate_uses SET expires_at = expires_at - interval '%d s';
      UPDATE palenca.rate_shares SET expires_at = expires_at - interval '%d s']]):format(time, time)
  end

  it("is of what nobody has", function()
    local granted, last = take {
      { 1, wanted = 60 }, { 2, wanted = 60 }, { 3, wanted = 60, waits = true },
    }
    assert.are.same({ 60, 40, 0 }, granted)
    assert.are.equal(0, last.free)
    assert.are.equal(1000, last.wait) -- some may be returned sooner
  end)

  it("counts for a window after it was used, and not when it was returned", function()
    assert.are.same({ 100, 0, 30, 0, 70, 30 }, (take {
      { 1, wanted = 100 }, { 1, unused = 30 }, { 2, wanted = 100 }, pass(60),
      { 3, wanted = 100 }, pass(2),
      { 3, wanted = 100 }, -- the share of 2 counts yet
      pass(5), { 4, wanted = 100 },
    }))
  end)

  it("of a process that died counts until it has not been of use for a window", function()
    assert.are.same({ 100, 0, 100 }, (take {
      { 1, wanted = 100 }, pass(65), { 2, wanted = 10 }, pass(2), { 2, wanted = 100 },
    }))
  end)

  it("is no more than the others' while they wait", function()
    assert.are.same({ 100, 0, 0, 34, 50, 16 }, (take {
      { 1, wanted = 100 }, { 2, wanted = 1, waits = true }, { 3, wanted = 1, waits = true },
      "DELETE FROM palenca.rate_shares WHERE owner = 1", -- all are free
      { 1, wanted = 100 }, { 2, wanted = 100 }, { 3, wanted = 100 },
    }))
  end)

  it("leaves to others what calls of low priority spare", function()
    assert.are.same({ 96, 4, 0 }, (take {
      { 1, wanted = 100, spare = 4 }, { 1, kept = 96, wanted = 10 },
      { 1, kept = 100, wanted = 1, spare = 4 },
    }))
  end)

  it("is not held back by calls of low priority that wait elsewhere", function()
    assert.are.same({ 96, 0, 4 }, (take {
      { 1, wanted = 96 }, { 2, wanted = 1, spare = 4, waits = true }, { 1, kept = 96, wanted = 9 },
    }))
  end)

  it("is none while the API blocks the key, which one process knows first", function()
    local granted, last = take {
      { 1, wanted = 10 }, { 1, kept = 10, blocked = 30000 }, { 2, wanted = 10 },
    }
    assert.are.same({ 10, 0, 0 }, granted)
    assert.is_true(last.block > 29000 and last.block <= 30000)
  end)

  it("is not changed by a request that comes after a later one", function()
    assert.are.same({ 10, 5, 0, 85 }, (take {
      { 1, wanted = 10, at = 1000 }, { 1, kept = 10, wanted = 5, at = 3000 },
      { 1, kept = 2, unused = 8, wanted = 50, at = 2000 }, { 2, wanted = 100 },
    }))
  end)

  it("counts no longer than it can when the server's clock is set back", function()
    assert.are.same({ 100, 0, 0, 100 }, (take {
      { 1, wanted = 100 }, { 1 }, pass(-3600), { 2, wanted = 1 }, pass(67), { 2, wanted = 100 },
    }))
  end)

  it("is of a key, whatever limit its processes have", function()
    assert.are.same({ 20, 80, 0 }, (take {
      { 1, wanted = 30, limit = 20 }, { 2, wanted = 100 }, { 3, wanted = 1, limit = 20 },
    }))
  end)
end)
