--- How a search is read, over a runtime that is a server at once: exactly what is asked for and
-- given up, and what becomes of it when the server reads requests in an order of its own while its
-- rows move.
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local json = require("palenca.util.json")
local palenca = require("palenca")
local runtime = require("palenca.runtime")

-- A server that responds to requests in flight while a call waits: `choose(n)` selects which of
-- n requests is next, `on_read(count)` may change the rows before, `fail(page)` returns a status;
-- `transfer` has what the engine says of each response. It records the requests and the cancelled
-- ones.
local function new_server(rows, size)
  local server = {
    rows = rows, asked = {}, low_priority = {}, cancelled = {}, pending = {}, reads = 0,
    requests = {}, transfer = {},
    choose = function() return 1 end,
    on_read = function() end,
    fail = function() end,
    wait = function() end,
  }

  local function page_of(number)
    local list = {}
    for at = (number - 1) * size + 1, math.min(number * size, #server.rows) do
      list[#list + 1] = { count_trips = server.rows[at] }
    end
    return list
  end

  local function read(call)
    server.reads = server.reads + 1
    server.on_read(server.reads)
    local status = server.fail(call.page, server.reads)
    if status then
      call.result = { status = status, attempts = 1, body = "" }
      return
    end
    call.result = {
      status = 200, attempts = 1, body = json.encode {
        success = true,
        data = { earnings = page_of(call.page) },
        pagination = {
          page = call.page, items_per_page = size, total_items = #server.rows,
          total_pages = math.ceil(#server.rows / size),
        },
      },
    }
    for name, value in pairs(server.transfer) do
      call.result[name] = value
    end
  end

  runtime.use {
    submit = function(request)
      local call = { page = json.decode(request.body).options.page }
      table.insert(server.asked, call.page)
      table.insert(server.requests, request)
      table.insert(server.low_priority, request.low_priority)
      table.insert(server.pending, call)
      return call
    end,
    wait = function(call)
      server.wait()
      while not call.result do
        read(table.remove(server.pending, server.choose(#server.pending)))
      end
      return call.result
    end,
    cancel = function(call)
      table.insert(server.cancelled, call.page)
    end,
  }
  return server
end

local function search(size, in_flight)
  local client = palenca.new {
    api_key = helper.KEY, base_url = "http://127.0.0.1:1", pages_in_flight = in_flight,
  }
  return client.accounts:earnings(helper.ACCOUNT, {
    start_date = "2024-09-01", end_date = "2026-03-01", items_per_page = size,
  })
end

local function numbers(first, last)
  local list = {}
  for number = first, last do
    list[#list + 1] = number
  end
  return list
end

describe("a reading", function()
  after_each(function() runtime.use(nil) end)

  local server
  before_each(function() server = new_server(numbers(1, 9), 2) end)

  local function next_rows(pager, count)
    for _ = 1, count do
      assert(pager:next())
    end
  end

  local function sorted(list)
    table.sort(list)
    return list
  end

  it("asks for each page once, and then for the first one again", function()
    local rows, report = search(2):all()
    assert.equal(9, #rows)
    assert.is_true(report.complete)
    assert.same({ 1, 2, 3, 4, 5, 1 }, server.asked)
    assert.same({}, server.cancelled)
  end)

  it("lets other calls pass, but for what its caller waits for first", function()
    search(2):all()
    assert.same({ false, true, true, true, true, true }, server.low_priority)
    search(2):page(1)
    search(2):page(2)
    assert.same({ false, true }, { server.low_priority[7], server.low_priority[8] })
  end)

  it("asks for no more pages at once than it may", function()
    local pager = search(2, 2)
    local seen = {}
    for number = 1, 9 do
      next_rows(pager, 1)
      seen[number] = #server.asked
    end
    assert.same({ 1, 1, 3, 3, 4, 4, 5, 5, 6 }, seen)
  end)

  it("reads the first page again when all have arrived, while its last rows are used", function()
    local pager = search(2)
    next_rows(pager, 8)
    assert.same({ 1, 2, 3, 4, 5 }, server.asked)
    next_rows(pager, 1)
    assert.same({ 1, 2, 3, 4, 5, 1 }, server.asked)
    assert.same({}, { pager:next() })
    assert.same({}, { pager:next() })
    assert.equal(6, server.reads)
    assert.equal(6, #server.asked)
  end)

  it("that fails aborts its requests, and sends no more", function()
    server.fail = function(page) return page == 3 and 500 or nil end
    local pager = search(2)
    next_rows(pager, 4)
    local row, err = pager:next()
    assert.is_nil(row)
    assert.equal("server", err.kind)
    assert.same({ 1, 2, 3, 4, 5 }, server.asked)
    assert.same({ 4, 5 }, sorted(server.cancelled))
    for _ = 1, 3 do
      local again = { pager:next() }
      assert.is_nil(again[1])
      assert.equal(err, again[2])
    end
    assert.equal(5, #server.asked)
    assert.equal(2, #server.cancelled)
  end)

  it("of all rows that fails aborts its requests, too", function()
    server.fail = function(page) return page == 2 and 500 or nil end
    local rows, err = search(2):all()
    assert.is_nil(rows)
    assert.equal("server", err.kind)
    assert.same({ 1, 2, 3, 4, 5 }, server.asked)
    assert.same({ 3, 4, 5 }, sorted(server.cancelled))
  end)

  it("whose rows change aborts the rest, and starts again", function()
    server.on_read = function(count)
      if count == 2 then
        table.insert(server.rows, 1, 0)
      end
    end
    local rows, report = search(2):all()
    assert.same({ 10, 2, true }, { #rows, report.readings, report.complete })
    assert.same({ 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1 }, server.asked)
    assert.same({ 3, 4, 5 }, sorted(server.cancelled))
  end)

  it("that cannot be known to be complete is not reported as complete", function()
    server.fail = function(_, reads) return reads == 6 and 500 or nil end
    local pager = search(2)
    next_rows(pager, 9)
    local row, err = pager:next()
    assert.is_nil(row)
    assert.equal("server", err.kind)
    server.reads = 0
    local rows, problem = search(2):all()
    assert.is_nil(rows)
    assert.equal("server", problem.kind)
  end)

  it("that is stopped aborts its requests in flight, once, and has no rows any more", function()
    for after, expected in pairs { [1] = {}, [3] = { 3, 4, 5 }, [8] = { 5 }, [9] = { 1 } } do
      local pager = search(2)
      server.cancelled = {}
      next_rows(pager, after)
      local asked = #server.asked
      pager:stop()
      assert.same(expected, sorted(server.cancelled), "after row " .. after)
      pager:stop()
      assert.same({}, { pager:next() })
      assert.equal(asked, #server.asked)
      assert.equal(#expected, #server.cancelled)
    end
    local pager = search(2)
    local asked = #server.asked
    pager:stop()
    assert.same({}, { pager:next() })
    assert.equal(asked, #server.asked)
  end)

  if _VERSION >= "Lua 5.4" then
    it("that is left by a break is stopped", function()
      for row in search(2):each() do
        if row.count_trips == 3 then
          break
        end
      end
      assert.same({ 3, 4, 5 }, sorted(server.cancelled))
    end)
  end

  it("of pages that are not counted is stopped as well", function()
    server.wait = coroutine.yield
    local client = palenca.new { api_key = helper.KEY, base_url = "http://127.0.0.1:1" }
    local pager = client.users:search { start_date = "2025-01-01", end_date = "2025-02-01" }
    local reader = coroutine.create(function() pager:next() end)
    assert(coroutine.resume(reader))
    assert.same({ 1 }, server.asked)
    pager:stop()
    assert.same({ 1 }, server.cancelled)
  end)

  it("is one coroutine's: a second one is rejected, and the first one continues", function()
    server.wait = coroutine.yield
    local pager, got = search(2), nil
    local first = coroutine.create(function() got = pager:next() end)
    assert(coroutine.resume(first))
    local ok, problem = coroutine.resume(coroutine.create(function() pager:next() end))
    assert.is_false(ok)
    assert.truthy(problem:find("page_reader_spec", 1, true), problem)
    assert.truthy(problem:find("being read by another coroutine", 1, true), problem)
    assert(coroutine.resume(first))
    assert.equal(1, got.count_trips)
    assert.equal(2, pager:next().count_trips)
    assert.same({ 1 }, server.asked)
  end)
end)

describe("a reading of which nobody has said how many pages are in flight", function()
  after_each(function() runtime.use(nil) end)

  local server
  before_each(function() server = new_server(numbers(1, 200), 1) end)

  -- How many pages were asked for in all when each of the first ones had been handed on.
  local function asked_after(pager, pages)
    local list = {}
    for page = 1, pages do
      assert(pager:next())
      list[page] = #server.asked
    end
    return list
  end

  it("has 64 over HTTP/2", function()
    server.transfer = { http_version = 2 }
    assert.same({ 1, 65, 66, 67 }, asked_after(search(1), 4))
  end)

  it("has as many over HTTP/2 as the limit permits when the last page was sent", function()
    server.transfer = { http_version = 2, turns_left = 20 }
    local pager = search(1)
    assert.same({ 1, 21, 22 }, asked_after(pager, 3))
    server.transfer = { http_version = 2, turns_left = 40 }
    assert.same({ 23, 4 + 40 }, asked_after(pager, 2))
    server.transfer = { http_version = 2, turns_left = 10 }
    assert.same({ 5 + 40, 5 + 40, 5 + 40 }, asked_after(pager, 3))
  end)

  it("has as many as the server says, if others use the limit as well", function()
    server.transfer = { http_version = 2, turns_left = 100, rate_remaining = 5 }
    assert.same({ 1, 6, 7 }, asked_after(search(1), 3))
  end)

  it("has 8 over HTTP/1.1, and more with each page while they do not become slower", function()
    server.transfer = { http_version = 1, response_seconds = 0.1 }
    local pager = search(1)
    assert.same({ 1, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30, 32, 33 },
      asked_after(pager, 18))
    server.transfer.response_seconds = 1
    asked_after(pager, 40)
    assert.same({ 58 + 8, 59 + 8 }, asked_after(pager, 2))
  end)

  it("keeps to what was said otherwise", function()
    server.transfer = { http_version = 2 }
    assert.same({ 1, 4, 5 }, asked_after(search(1, 3), 3))
    server.asked = {}
    server.transfer = { http_version = 1, response_seconds = 0.1, turns_left = 2 }
    assert.same({ 1, 101, 102 }, asked_after(search(1, 100), 3))
  end)

  it("has its pages take turns with others', and share the connection of HTTP/2", function()
    local groups = {}
    for round, version in ipairs { 1, 2 } do
      server.transfer = { http_version = version }
      server.requests = {}
      asked_after(search(1), 2)
      for number, request in ipairs(server.requests) do
        groups[round] = groups[round] or request.group
        assert.equal(groups[round], request.group)
        assert.is_true(request.measure)
        assert.equal(version == 2 and number > 1, request.share_connection)
      end
    end
    assert.is_true(groups[1] > 0)
    assert.not_equal(groups[1], groups[2])
    server.requests = {}
    assert(search(1):page(2))
    assert.is_nil(server.requests[1].group)
  end)
end)

describe("the hashes of rows", function()
  local core = require("palenca.core")

  -- A row whose fields were added in this order.
  local function row(...)
    local made = {}
    for at = 1, select("#", ...), 2 do
      made[select(at, ...)] = select(at + 1, ...)
    end
    return made
  end

  it("are the same for the same content, whatever it is made of", function()
    local one = row("a", 1, "b", "x", "c", true, "d", row("e", 0.5, "f", { 1, 2 }), "gg", "")
    local other = row("gg", "", "d", row("f", { 1, 2 }, "e", 0.5), "c", true, "b", "x", "a", 1)
    local hashes = core.row_hashes { one, other }
    assert.equal(2, #hashes)
    assert.equal(hashes[1], hashes[2])
    assert.same({}, core.row_hashes {})
  end)

  it("differ with anything in it", function()
    local rows = {
      {}, { a = 1 }, { a = 2 }, { a = "1" }, { a = true }, { a = false }, { b = 1 }, { a = 1.5 },
      { a = 9007199254740991 }, { a = 9007199254740990 }, { a = "" }, { ["a\0"] = 1 }, { ab = 1 },
      { a = "b" }, { b = "a" }, { a = {} }, { a = { {} } }, { a = { b = 1 } }, { a = { 1, 2 } },
      { a = { 2, 1 } }, { a = 1, b = 2 }, { a = 2, b = 1 }, { 1 }, { [2] = 1 }, { ["1"] = 1 },
    }
    local seen = {}
    for at, hash in ipairs(core.row_hashes(rows)) do
      assert.is_nil(seen[hash], at .. " is as " .. tostring(seen[hash]))
      seen[hash] = at
    end
  end)
end)

-- All ways in which a number of choices can be made, one after the other: returns `choose(n)` → 1
-- to n, and `more()`, which goes on to the next way and returns whether there is one.
local function every_way()
  local made, at = {}, 0
  local function choose(n)
    at = at + 1
    made[at] = made[at] or { now = 1, of = n }
    return made[at].now
  end
  local function more()
    at = 0
    while made[1] and made[#made].now == made[#made].of do
      made[#made] = nil
    end
    if made[1] then
      made[#made].now = made[#made].now + 1
    end
    return made[1] ~= nil
  end
  return choose, more
end

describe("a history whose rows move while their number stays", function()
  after_each(function() runtime.use(nil) end)

  local moves = {
    ["one goes at the front, one comes at the back"] = function(rows)
      table.insert(rows, rows[#rows] + 1)
      table.remove(rows, 1)
    end,
    ["one comes at the front, one goes at the back"] = function(rows)
      table.insert(rows, 1, rows[1] - 1)
      table.remove(rows)
    end,
  }

  -- Whether these are `total` rows in order, as the history always has them.
  local function is_whole(total, list)
    for at, row in ipairs(list) do
      if row.count_trips ~= list[1].count_trips + at - 1 then
        return false
      end
    end
    return #list == total
  end

  -- Reads with each order that a server may choose in the first reading, and a move before each of
  -- its reads: one, or two.
  local function for_all(total, in_flight, move, times, body)
    local pages = math.ceil(total / 2)
    local reads = 2 * pages + 3
    for first = 1, reads do
      for second = first, times == 2 and reads or first do
        local choose, more = every_way()
        repeat
          local server = new_server(numbers(1, total), 2)
          server.choose = function(n)
            return server.reads <= pages and choose(n) or 1
          end
          server.on_read = function(count)
            if count == first or times == 2 and count == second then
              move(server.rows)
            end
          end
          body(search(2, in_flight), server)
        until not more()
      end
    end
  end

  for name, move in pairs(moves) do
    for _, in_flight in ipairs { 1, 2, 4 } do
      it(name .. ", with " .. in_flight .. " in flight: is completely read in the end", function()
        local again, runs = 0, 0
        for_all(9, in_flight, move, 1, function(pager, server)
          local rows, report = pager:all()
          assert.is_true(report.complete)
          assert.is_true(is_whole(9, rows), table.concat(server.asked, " "))
          assert.is_true(report.readings <= 2)
          again, runs = again + report.readings - 1, runs + 1
        end)
        assert.is_true(again > 0 and again < runs, again .. " of " .. runs)
      end)
    end

    it(name .. ", twice: is never called complete with a gap or a double row", function()
      for_all(7, 3, move, 2, function(pager, server)
        local rows, report = pager:all()
        assert.is_true(not report.complete or is_whole(7, rows), table.concat(server.asked, " "))
      end)
    end)

    it(name .. ": ends a loop only when all rows came, once", function()
      local ended, raised = 0, 0
      for_all(7, 8, move, 1, function(pager, server)
        local rows = {}
        local ok, problem = pcall(function()
          for row in pager:each() do
            rows[#rows + 1] = row
          end
        end)
        if ok then
          ended = ended + 1
          assert.is_true(is_whole(7, rows), table.concat(server.asked, " "))
        else
          raised = raised + 1
          assert.is_true(errors.is(problem), tostring(problem))
          assert.equal("inconsistent_pages", problem.code)
        end
      end)
      assert.is_true(ended > 0 and raised > 0, ended .. ", " .. raised)
    end)
  end
end)
