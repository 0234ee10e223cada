--- Functions side by side in a plain script, and with a runtime of one's own.
local helper = require("spec.lua.helper")
local palenca = require("palenca")
local runtime = require("palenca.runtime")

local gather, sleep = palenca.gather, palenca.sleep

local PERIOD = { start_date = "2025-01-01", end_date = "2025-02-01", items_per_page = 2 }
local HAS_CLOSE = rawget(coroutine, "close") ~= nil

-- Longer than any spec may take.
local function sleep_long()
  sleep(3600)
end

describe("palenca.gather", function()
  local faults
  setup(function() faults = helper.faults() end)
  teardown(function() assert.equal(0, faults:stop()) end)

  -- Requests something; `fault` has the response.
  local function call(fault, options)
    options = options or { timeout = 3600 } -- no request ends by itself
    return faults:client(fault, options):request("GET", "/v1/thing")
  end

  -- Waits until so many requests have no response.
  local function wait_waiting(count)
    local seen
    for _ = 1, 3000 do
      seen = faults:stats().waiting
      if seen == count then
        return
      end
      sleep(0.01)
    end
    error(seen .. " requests have no response")
  end

  -- A response is sent only when all requests have come.
  local function meet(fault)
    return function()
      local data, err = call(fault)
      return data and data.ok, err
    end
  end

  it("has calls of the API and palenca.http in flight at once", function()
    local url = faults.url .. "/together:3/http"
    local one, two, three = gather(meet("together:3"), meet("together:3"), function()
      local response, err = palenca.http { url = url }
      return response and response.status, err
    end)
    assert.same({ true, true, 200 }, { one, two, three })
  end)

  it("blames the function that calls an operation with a dot, also as the last it does", function()
    local users = faults:client("good", {}).users
    local line = debug.getinfo(1, "l").currentline + 1
    local _, problem = pcall(gather, function() return users.get("u") end)
    assert.equal(("spec/lua/runtime/gather_spec.lua:%d: users:get: call it with a colon, as in "
      .. "client.users:get(...)"):format(line), problem)
    _, problem = pcall(gather, function()
      local user = users.get("u")
      return user
    end)
    assert.truthy(problem:find(("^spec/lua/runtime/gather_spec.lua:%d: users"):format(line + 4)),
      problem)
  end)

  it("returns the first value of each, in the order of the functions", function()
    local ended = {}
    local function after(seconds, ...)
      local values = { ... }
      return function()
        sleep(seconds)
        ended[#ended + 1] = values[1]
        return values[1], values[2]
      end
    end
    assert.same({ "a", "b", "c", n = 3 },
      require("palenca.runtime.gather").pack(gather(after(0.06, "a", 1), after(0.03, "b", 2),
        after(0, "c", 3))))
    assert.same({ "c", "b", "a" }, ended)
  end)

  it("returns nil for a function that returns nothing, and false for false", function()
    assert.same({ n = 3, [2] = false, [3] = 1 }, require("palenca.runtime.gather").pack(
      gather(function() end, function() return false, "no error" end, function() return 1 end)))
  end)

  it("returns nothing for no function", function()
    assert.equal(0, select("#", gather()))
  end)

  for what, value in pairs { ["nil"] = { n = 1 }, number = { 3, n = 1 }, table = { {}, n = 1 } } do
    it("raises for an argument that is a " .. what .. ", and runs none", function()
      local ran = false
      helper.blames_caller(function()
        gather(function() ran = true end, (unpack or table.unpack)(value, 1, 1))
      end, "palenca.gather: argument 2 must be a function, got " .. tostring(value[1] or "nil")
        :match("^%w+"))
      assert.is_false(ran)
    end)
  end

  it("raises what a function has raised, and aborts the requests of the others", function()
    local problem, gone_on = { "a table" }, false
    local ok, raised = pcall(gather, function()
      call("silence")
      gone_on = true
    end, function()
      palenca.http { url = faults.url .. "/silence/http", timeout = 3600 }
      gone_on = true
    end, function()
      sleep_long()
      gone_on = true
    end, function()
      meet("together:1")()
      error(problem)
    end)
    assert.is_false(ok)
    assert.equal(problem, raised)
    assert.is_false(gone_on)
    wait_waiting(0)
  end)

  it("returns the nil and the error that a function has returned", function()
    local started = false
    local value, err, more = gather(sleep_long, function()
      return call("silence")
    end, function()
      local data, problem = call("error:bad_request:422")
      return data, problem, "more"
    end, function() started = true end)
    assert.is_nil(value)
    assert.same({ "invalid", "bad_request", "more" }, { err.kind, err.code, more })
    assert.is_true(started)
    wait_waiting(0)
  end)

  it("starts no function behind one that fails at once", function()
    local started = false
    assert.same({ false, "no" }, { pcall(gather, function() error("no", 0) end,
      function() started = true end) })
    assert.same({ nil, "no" }, { gather(function() return nil, "no" end,
      function() started = true end) })
    assert.is_false(started)
  end)

  it("stops the pages of a search in flight, which can be continued", function()
    local pager = faults:client("hold:4", { pages_in_flight = 3 }).accounts
      :earnings(helper.ACCOUNT, PERIOD)
    assert.same({ nil, "enough" }, { gather(function()
      repeat
        local row = pager:next()
      until row.amount > 2.25
      error("a row of the pages that are held")
    end, function()
      wait_waiting(3)
      return nil, "enough"
    end) })
    wait_waiting(0)
    -- the three that were aborted are held, too, and this is one more
    assert.equal(3.25, pager:next().amount)
    pager:stop()
  end)

  it("can be nested, and the inner error stays inside", function()
    local outer, inner = gather(meet("together:3"), function()
      local none, err = gather(sleep_long, function() sleep(0) return nil, "inner" end)
      local one, two = gather(meet("together:3"), meet("together:3"))
      return tostring(none) .. err .. tostring(one) .. tostring(two)
    end)
    assert.same({ true, "nilinnertruetrue" }, { outer, inner })
  end)

  it("aborts what a nested one waits for", function()
    assert.same({ nil, "outer" }, { gather(function()
      gather(function() call("silence") end, function()
        gather(sleep_long, function() call("silence") end)
      end)
      error("has gone on")
    end, function()
      wait_waiting(2)
      return nil, "outer"
    end) })
    wait_waiting(0)
  end)

  it("lets a function protect its calls, and call in what Lua calls", function()
    local one, two, three = gather(function()
      return select(2, pcall(call, "together:1")).ok
    end, function()
      local text = ("ab"):gsub(".", function(letter)
        return call("together:1").ok and letter:upper()
      end)
      return text
    end, function()
      local count = 0
      for row in faults:client("pages:5").accounts:earnings(helper.ACCOUNT, PERIOD):each() do
        count = count + (row.amount and 1 or 0)
      end
      return count
    end)
    assert.same({ true, "AB", 5 }, { one, two, three })
  end)

  it("works in a coroutine of one's own, whose yields go to who resumes it", function()
    local values = {}
    local generate = coroutine.wrap(function()
      gather(function()
        coroutine.yield(1)
        sleep(0.02)
        values[#values + 1] = coroutine.yield(3)
      end, function()
        values[#values + 1] = coroutine.yield(2)
      end)
    end)
    assert.same({ 1, 2 }, { generate(), generate("first") })
    assert.equal(3, generate("second"))
    generate("third")
    assert.same({ "second", "third" }, values)
  end)

  it("fails with a function that other code has resumed to its end", function()
    local first
    local ok, problem = pcall(gather, function()
      first = coroutine.running()
      sleep(0.01)
    end, function()
      coroutine.resume(first)
      sleep(60)
    end)
    assert.is_false(ok)
    assert.truthy(problem:find("was resumed by other code", 1, true), problem)
  end)

  it("lets a coroutine that a function makes wait as well", function()
    local one, two = gather(function()
      return coroutine.wrap(function() return call("together:1").ok end)()
    end, meet("together:1"))
    assert.same({ true, true }, { one, two })
  end)

  if HAS_CLOSE then
    it("closes the variables of those that it cancels", function()
      local closed = {}
      local function closing(name, wait)
        return function()
          local close = setmetatable({}, { __close = function()
            sleep(0.001)
            closed[#closed + 1] = name
          end })
          for _ in wait, nil, nil, close do break end -- luacheck: ignore 512
        end
      end
      assert.same({ nil, "over" }, { gather(closing("sleep", sleep_long),
        closing("call", function() call("silence") end),
        closing("nested", function() gather(closing("inner", sleep_long)) end),
        function() return nil, "over" end) })
      assert.same({ "sleep", "call", "inner", "nested" }, closed)
      wait_waiting(0)
    end)
  end

  it("keeps nothing of many", function()
    local kept = setmetatable({}, { __mode = "k" })
    local function fails()
      kept[coroutine.running()] = true
      sleep(0)
      error("over", 0)
    end
    local function waits()
      kept[coroutine.running()] = true
      sleep_long()
    end
    local function work()
      kept[coroutine.running()] = true
      sleep(0)
      return ("x"):rep(1000)
    end
    local function round()
      for _ = 1, 200 do
        pcall(gather, waits, fails)
        gather(work, work)
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    local before = round()
    assert.is_true(round() < before + 20)
    assert.is_nil(next(kept))
  end)

  describe("with a runtime of one's own", function()
    after_each(function() runtime.use(nil) end)

    it("goes on as calls end, though that cannot wait for several", function()
      local own = require("palenca.runtime.blocking").new()
      own.wait_any = nil
      runtime.use(own)
      local ended = {}
      local one, two = gather(function()
        local data = call("together:2")
        ended[#ended + 1] = "call"
        return data.ok
      end, function()
        sleep(0.01)
        ended[#ended + 1] = "sleep"
        return meet("together:2")()
      end)
      assert.same({ true, true, { "sleep", "call" } }, { one, two, ended })
      assert.same({ nil, "over" }, { gather(function() call("silence") end, function()
        wait_waiting(1)
        return nil, "over"
      end) })
      wait_waiting(0)
    end)

    it("waits for unknown calls one after the other", function()
      local log = {}
      runtime.use {
        submit = function(request)
          log[#log + 1] = "submit " .. request.url
          return { url = request.url }
        end,
        wait = function(one)
          log[#log + 1] = "wait " .. one.url
          return { status = 200, body = "", headers = "" }
        end,
        cancel = function(one) log[#log + 1] = "cancel " .. one.url end,
        sleep = function() end,
      }
      local function get(url, problem)
        return function()
          local response = palenca.http { url = "http://" .. url }
          return not problem and response.status or nil, problem
        end
      end
      assert.same({ 200, 200 }, { gather(get("a"), get("b")) })
      assert.same({ nil, "b" }, { gather(get("c"), get("a", "b"), get("d")) })
      assert.equal("submit http://a, submit http://b, wait http://a, wait http://b, "
        .. "submit http://c, submit http://a, submit http://d, wait http://c, wait http://a, "
        .. "cancel http://d", table.concat(log, ", "))
    end)
  end)
end)
