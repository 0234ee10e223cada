--- A pager that is interrupted, and used again; and one that is used as if it were its rows.
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local income = require("palenca.income")
local json = require("palenca.util.json")
local palenca = require("palenca")
local runtime = require("palenca.runtime")

local PERIOD = { start_date = "2025-01-01", end_date = "2025-02-01", items_per_page = 2 }
local ROWS = 7

-- A server of seven rows. before it responds, `before(page, waits)` may raise or yield.
local function new_server()
  local server = { asked = {}, cancelled = {}, waits = 0, before = function() end }
  local function response_of(page)
    local rows = {}
    for number = (page - 1) * 2 + 1, math.min(page * 2, ROWS) do
      rows[#rows + 1] = { count_trips = number }
    end
    return json.encode {
      success = true, data = { earnings = rows, users = rows },
      pagination = {
        page = page, items_per_page = 2, total_items = ROWS, total_pages = math.ceil(ROWS / 2),
      },
    }
  end
  runtime.use {
    submit = function(request)
      local call = { page = json.decode(request.body).options.page }
      server.asked[#server.asked + 1] = call.page
      if server.on_submit then
        server.on_submit(call.page)
      end
      return call
    end,
    wait = function(call)
      server.waits = server.waits + 1
      server.before(call.page, server.waits)
      if call.is_cancelled then
        error("the call was aborted", 0)
      end
      return { status = 200, attempts = 1, body = response_of(call.page) }
    end,
    cancel = function(call)
      call.is_cancelled = true
      server.cancelled[#server.cancelled + 1] = call.page
    end,
  }
  return server
end

local searches = {
  counted = function(client) return client.accounts:earnings(helper.ACCOUNT, PERIOD) end,
  ["not counted"] = function(client) return client.users:search(PERIOD) end,
}

local function new_client()
  return palenca.new { api_key = helper.KEY, base_url = "http://127.0.0.1:1", pages_in_flight = 2 }
end

-- The numbers of the rows that are left.
local function rest(pager)
  local numbers = {}
  local row, err = pager:next()
  while row do
    numbers[#numbers + 1] = row.count_trips
    row, err = pager:next()
  end
  assert.is_nil(err)
  return table.concat(numbers, " ")
end

local function all_from(first)
  local numbers = {}
  for number = first, ROWS do
    numbers[#numbers + 1] = number
  end
  return table.concat(numbers, " ")
end

for name, search in pairs(searches) do
  describe("a search that is " .. name .. ", when it is interrupted,", function()
    local server, client
    before_each(function()
      server, client = new_server(), new_client()
    end)
    after_each(function() runtime.use(nil) end)

    -- Raises at one of the waits.
    local function raise_at(wait, problem)
      server.waits = 0
      server.before = function(_, waits)
        if waits == wait then
          error(problem, 0)
        end
      end
    end

    it("hands the error on, and goes on with the row that was next: next", function()
      local problem = { "an error of the runtime's own" }
      for wait = 1, 5 do
        raise_at(wait, problem)
        local pager, seen = search(client), {}
        local ok, raised = pcall(function()
          for row in pager.next, pager do
            seen[#seen + 1] = row.count_trips
          end
        end)
        assert.same({ false, problem }, { ok, raised })
        assert.equal(problem, raised)
        assert.equal(math.min(2 * (wait - 1), ROWS), #seen)
        assert.equal(all_from(#seen + 1), rest(pager))
        assert.is_nil((pager:next()))
      end
    end)

    -- Lua's own hooks do it, such as the one that bounds a script's CPU time.
    it("is nobody's wherever an error was raised", function()
      if jit then
        jit.off()
      end
      local interrupted, count = true, 0
      while interrupted do
        count = count + 1
        local pager = search(client)
        local ok, raised = pcall(function()
          debug.sethook(function()
            debug.sethook()
            error("interrupted", 0)
          end, "", count)
          pager:next()
          debug.sethook()
        end)
        interrupted = not ok
        assert.is_true(ok or raised == "interrupted")
        ok, raised = pcall(pager.next, pager)
        assert.is_true(ok or raised:find("while it checked a page", 1, true) ~= nil,
          not ok and ("%s (%d instructions)"):format(raised, count) or nil)
      end
      if jit then
        jit.on()
      end
    end)

    it("goes on in another loop: each", function()
      for wait = 1, 5 do
        raise_at(wait, "interrupted")
        local pager, numbers, loops = search(client), {}, 0
        repeat
          loops = loops + 1
          local ok = pcall(function()
            for row in pager:each() do
              numbers[#numbers + 1] = row.count_trips
            end
          end)
        until ok or loops == 9
        assert.equal(2, loops)
        assert.equal(all_from(1), table.concat(numbers, " "))
      end
    end)

    it("goes on behind a loop that was left", function()
      local pager = search(client)
      for row in pager:each() do
        if row.count_trips == 3 then
          break
        end
      end
      assert.equal(all_from(4), rest(pager))
    end)

    it("aborts its requests, and can be read again: all", function()
      raise_at(2, "interrupted")
      local pager = search(client)
      local ok, problem = pcall(pager.all, pager)
      assert.same({ false, "interrupted" }, { ok, problem })
      assert.same(name == "counted" and { 2, 3 } or { 2 }, server.cancelled)
      local rows, report = pager:all()
      assert.equal(ROWS, #rows)
      assert.is_true(report.complete)
    end)

    it("has the page when it is asked for once more: page", function()
      raise_at(1, "interrupted")
      local pager = search(client)
      assert.is_false(pcall(pager.page, pager, 2))
      assert.equal(3, pager:page(2)[1].count_trips)
    end)

    it("goes on after an error at a request that could not be made", function()
      for at = 1, 5 do
        server.asked = {}
        server.on_submit = function()
          if #server.asked == at then
            error("not now", 0)
          end
        end
        local pager, numbers, raised = search(client), {}, 0
        local is_done = false
        while not is_done and raised < 9 do
          local ok, row = pcall(pager.next, pager)
          raised = raised + (ok and 0 or 1)
          numbers[#numbers + 1] = ok and row and row.count_trips or nil
          is_done = ok and row == nil
        end
        assert.is_true(raised <= 1)
        assert.equal(all_from(1), table.concat(numbers, " "))
      end
    end)

    it("is raised and does not end if it has to lose a page", function()
      local decode = json.decode
      local pager = search(client)
      assert.truthy(pager:next())
      assert.truthy(pager:next())
      finally(function() json.decode = decode end)
      json.decode = function(text)
        if text:find("success", 1, true) then
          error("not enough memory", 0)
        end
        return decode(text)
      end
      assert.is_false(pcall(pager.next, pager))
      json.decode = decode
      for _ = 1, 2 do
        helper.blames_caller(function() pager:next() end, "make another pager")
      end
    end)

    it("goes on when the coroutine that read has ended, and not before", function()
      local pager = search(client)
      assert.equal(1, pager:next().count_trips)
      assert.equal(2, pager:next().count_trips)
      server.before = function()
        coroutine.yield()
        error("timed out", 0)
      end
      local reader = coroutine.create(function() pager:next() end)
      assert(coroutine.resume(reader))
      helper.blames_caller(function() pager:next() end, "read by another coroutine")
      assert.same({ false, "timed out" }, { coroutine.resume(reader) })
      server.before = function() end
      assert.equal(all_from(3), rest(pager))
    end)

    it("goes on when the coroutine that read is gone", function()
      local pager = search(client)
      local function abandon()
        server.before = coroutine.yield
        assert(coroutine.resume(coroutine.create(function() pager:next() end)))
        server.before = function() end
      end
      abandon()
      assert.equal(all_from(1), rest(pager))
    end)

    if coroutine.close then -- luacheck: ignore 143
      it("goes on when the coroutine that read was closed", function()
        local pager = search(client)
        server.before = coroutine.yield
        local reader = coroutine.create(function() pager:each()() end)
        assert(coroutine.resume(reader))
        server.before = function() end
        assert.is_true(coroutine.close(reader)) -- luacheck: ignore 143
        assert.equal(all_from(1), rest(pager))
      end)
    end

    it("does not let a hook within a read have its rows", function()
      local pager, problem = search(client), nil
      server.before = function()
        local ok
        ok, problem = pcall(pager.next, pager)
        assert(not ok)
      end
      assert.equal(1, pager:next().count_trips)
      assert.truthy(problem:find("being read", 1, true))
    end)
  end)
end

describe("a pager", function()
  local server, pager
  before_each(function()
    server, pager = new_server(), searches.counted(new_client())
  end)
  after_each(function() runtime.use(nil) end)

  it("raises where it is taken for its rows, and names what has them", function()
    for _, use in ipairs {
      function() return pager[1] end, function() return pager[0] end, function() return #pager end,
      function() return #pager > 0 end,
    } do
      helper.blames_caller(use, ":all()")
    end
    for _, iterate in ipairs { pairs, ipairs } do
      local ok, problem = pcall(function()
        for _ in iterate(pager) do
          error("an item", 0)
        end
      end)
      assert.is_false(ok)
      assert.is_nil(problem:find("an item", 1, true))
    end
    assert.is_false(pcall(table.concat, pager))
    assert.is_false(pcall(income.analyze, pager, { as_of = "2026-03-31" }))
    assert.same({}, server.asked)
  end)

  it("says what it is when it is printed", function()
    assert.truthy(tostring(pager):find(":all()", 1, true))
  end)

  it("has no other fields than its functions", function()
    for _, name in ipairs { "rows", "complete", "client", "failed" } do
      helper.blames_caller(function() return pager[name] end, "not the list of its rows")
    end
    helper.blames_caller(function() pager.all() end, "colon")
    helper.blames_caller(function() pager.next({}) end, "colon")
  end)

  it("is what its functions make of it, used the usual way", function()
    local rows, report = pager:all()
    assert.equal(ROWS, #rows)
    assert.is_true(report.complete)
    assert.is_false(errors.is(report))
  end)
end)
