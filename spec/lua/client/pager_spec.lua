--- Searches whose pages come in parallel, out of order, changed, or not at all.
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local json = require("palenca.util.json")
local palenca = require("palenca")
local runtime = require("palenca.runtime")

describe("a search", function()
  local faults
  before_each(function() faults = helper.faults() end)
  after_each(function() assert.equal(0, faults:stop()) end)

  local function search(fault, size, options)
    return faults:client(fault, options).accounts:earnings(helper.ACCOUNT, {
      start_date = "2024-09-01", end_date = "2026-03-01", items_per_page = size or 2,
    })
  end

  local function path_of(fault)
    return "/" .. fault .. "/v1/accounts/" .. helper.ACCOUNT .. "/earnings/search"
  end

  local function requests(fault)
    return faults:count(path_of(fault))
  end

  -- Asserts how often each page was asked for: `last` of them once, but for those in `others`, and
  -- the first one again at the end.
  local function assert_pages(fault, last, others)
    local expected = { ["1"] = 2 }
    for page = 2, last do
      expected[tostring(page)] = others and others[page] or 1
    end
    assert.same(expected, faults:stats().pages[path_of(fault)])
  end

  -- How many requests are made by what runs in `body`, whenever they arrive.
  local function submitted_by(body)
    local submit, count = runtime.submit, 0
    runtime.submit = function(request)
      count = count + 1
      return submit(request)
    end
    finally(function() runtime.submit = submit end)
    body()
    runtime.submit = submit
    return count
  end

  -- Asserts that the rows are those numbered from `first` to `last`.
  local function are_rows(first, last, rows)
    assert.equal(last - first + 1, #rows)
    for at, row in ipairs(rows) do
      assert.equal(first + at - 1, row.count_trips)
      assert.equal(first + at - 1 + 0.25, row.amount)
    end
  end

  it("raises and names :all() if it is used as the list of its rows", function()
    local rows = palenca.new({ api_key = "k" }).accounts:earnings(helper.ACCOUNT, helper.PERIOD)
    local uses = {
      function() return #rows end, function() return rows[1] end,
      function() return palenca.income.analyze(rows, { as_of = "2026-03-01" }) end,
    }
    local function iterate(iterator)
      return function()
        for _, row in iterator(rows) do assert.is_nil(row) end
      end
    end
    local iterations = { iterate(ipairs), iterate(pairs) }
    for _, use in ipairs(uses) do
      local ok, problem = pcall(use)
      assert.is_false(ok)
      assert.truthy(tostring(problem):find(":all()", 1, true), problem)
    end
    for _, use in ipairs(iterations) do
      local ok, problem = pcall(use)
      assert.is_false(ok)
      -- there, ipairs and pairs ask for a table before they ask what they were given
      local named = _VERSION == "Lua 5.1" and "table expected" or ":all()"
      assert.truthy(tostring(problem):find(named, 1, true), problem)
    end
    assert.truthy(tostring(rows):find(":all()", 1, true))
  end)

  it("sends nothing until it is asked for a row", function()
    search("pages")
    assert.equal(0, faults:stats().requests)
  end)

  it("requests a page as the API has it", function()
    search("pages", 4):page(3)
    local last = faults:stats().last
    assert.equal("POST", last.method)
    assert.same({
      start_date = "2024-09-01", end_date = "2026-03-01",
      options = { page = 3, items_per_page = 4 },
    }, json.decode(last.body))
  end)

  it("asks for each page once, and at the end for the first one again", function()
    local rows, report = search("pages"):all()
    are_rows(1, 9, rows)
    assert.same({ complete = true, rows = 9, total_items = 9, total_pages = 5, readings = 1,
      requests = 6 }, report)
    assert_pages("pages", 5)
  end)

  it("has eight pages under way at once, and keeps their order", function()
    local rows, report = search("hold:8"):all()
    are_rows(1, 18, rows)
    assert.is_true(report.complete)
    assert.equal(1, report.readings)
    assert_pages("hold:8", 9)
  end)

  it("has more, and at most sixteen, while responses do not slow down", function()
    local rows, report = search("slow:300:20", 2):all()
    are_rows(1, 600, rows)
    assert.is_true(report.complete)
    assert.equal(16, faults:stats().max_at_once)
  end)

  it("has not many more where they slow down by it", function()
    local rows = search("one_by_one:100:20", 2):all()
    are_rows(1, 200, rows)
    local max = faults:stats().max_at_once
    assert.is_true(max >= 8 and max < 16, max)
  end)

  it("has as many pages in flight as configured", function()
    for _, in_flight in ipairs { 1, 3, 20 } do
      local fault = "hold:" .. in_flight
      local rows, report = search(fault, 2, { pages_in_flight = in_flight }):all()
      are_rows(1, 2 * (in_flight + 1), rows)
      assert.is_true(report.complete)
    end
  end)

  it("hands rows on in order while later pages come first", function()
    local number = 0
    for row in search("hold:8", 3):each() do
      number = number + 1
      assert.equal(number, row.count_trips)
    end
    assert.equal(27, number)
  end)

  it("reads no further ahead than eight pages", function()
    local pager = search("pages:40", 1)
    for _ = 1, 2 do
      assert.truthy(pager:next())
    end
    -- the second page was handed on, so pages 3 to 10 may be under way
    assert.is_true(requests("pages:40") <= 10)
  end)

  it("of one page asks for it once", function()
    local rows, report = search("pages", 9):all()
    are_rows(1, 9, rows)
    assert.is_true(report.complete)
    assert.equal(1, requests("pages"))
  end)

  it("that is left early sends nothing more", function()
    local pager = search("pages:40", 1)
    assert.equal(1, pager:each()().count_trips)
    pager:stop()
    assert.is_nil(pager:next())
    assert.equal(1, requests("pages:40"))
    are_rows(1, 40, (search("pages:40", 1):all()))
  end)

  it("does not take a row lost between two pages for a complete history", function()
    local rows, report = search("lose_once"):all()
    are_rows(2, 10, rows)
    assert.is_true(report.complete)
    assert.equal(2, report.readings)
  end)

  it("of nothing is complete", function()
    local rows, report = search("no_rows"):all()
    assert.same({}, rows)
    assert.same({ complete = true, rows = 0, total_items = 0, total_pages = 0, readings = 1,
      requests = 1 }, report)
  end)

  it("counts the requests that it took, retries included", function()
    local rows, report = search("fail_page_once:2", 2, { max_retries = 1 }):all()
    are_rows(1, 9, rows)
    assert.equal(7, report.requests)
    assert.equal(7, requests("fail_page_once:2"))
    report = select(2, faults:client("uncounted:5").users:search({
      start_date = "2024-09-01", end_date = "2026-03-01", items_per_page = 2,
    }):all())
    assert.equal(faults:stats().requests - 7, report.requests)
  end)

  it("takes the size of a page that the server chose", function()
    local rows, report = search("clamp", 100):all()
    are_rows(1, 9, rows)
    assert.is_true(report.complete)
    assert.equal(5, report.total_pages)
  end)

  for fault, last in pairs { short_once = 9, shift_once = 9 } do
    it("that changes once is read again: " .. fault, function()
      local rows, report = search(fault):all()
      are_rows(1, last, rows)
      assert.is_true(report.complete)
      assert.equal(2, report.readings)
      assert.equal(last, report.total_items)
      assert.is_nil(report.reason)
    end)
  end

  for fault, reason in pairs {
    short_page = "number of rows", same_page = "another page", contradiction = "contradicts",
  } do
    it("that stays inconsistent is said to be incomplete: " .. fault, function()
      local rows, report = search(fault):all()
      assert.is_table(rows)
      assert.is_false(report.complete)
      assert.equal(3, report.readings)
      assert.equal(#rows, report.rows)
      assert.truthy(report.reason:find(reason, 1, true), report.reason)
    end)
  end

  for _, fault in ipairs {
    "short_once", "shift_once", "lose_once", "same_page", "contradiction",
  } do
    it("that changes ends each and next with an error: " .. fault, function()
      local seen = 0
      local ok, raised = pcall(function()
        for _ in search(fault):each() do
          seen = seen + 1
        end
      end)
      assert.is_false(ok)
      assert.is_true(errors.is(raised))
      assert.equal("protocol", raised.kind)
      assert.equal("inconsistent_pages", raised.code)
      assert.is_true(seen <= (fault == "lose_once" and 9 or 4))
    end)
  end

  it("that failed goes on failing", function()
    local pager = search("fail_page:2")
    assert.equal(1, pager:next().count_trips)
    assert.equal(2, pager:next().count_trips)
    local row, err = pager:next()
    assert.is_nil(row)
    assert.equal("server", err.kind)
    assert.equal(0, submitted_by(function()
      for _ = 1, 3 do
        row = { pager:next() }
        assert.is_nil(row[1])
        assert.equal(err, row[2])
      end
    end))
  end)

  for page = 1, 5, 2 do
    it("whose page " .. page .. " fails returns no rows, but the error", function()
      local rows, err = search("fail_page:" .. page):all()
      assert.is_nil(rows)
      assert.is_true(errors.is(err))
      assert.equal("server", err.kind)
      assert.equal(500, err.status)
    end)
  end

  it("has one page without the others", function()
    local rows, meta = search("fail_page:2"):page(3)
    are_rows(5, 6, rows)
    assert.equal(3, meta.pagination.page)
    assert.equal(1, requests("fail_page:2"))
    local err
    rows, err = search("fail_page:2"):page(2)
    assert.is_nil(rows)
    assert.equal(500, err.status)
  end)

  it("whose first page has no pagination is not understood", function()
    for fault, problem in pairs {
      no_pagination = "no pagination", good = "no pagination", data_number = "neither an object",
    } do
      for _, method in ipairs { "all", "next", "page" } do
        local pager = search(fault)
        local rows, err = pager[method](pager, 1)
        assert.is_nil(rows)
        assert.equal("protocol", err.kind)
        assert.truthy(err.message:find(problem, 1, true))
        assert.equal("fault-request", err.request_id)
      end
    end
  end)

  it("whose later pages have no pagination is not understood", function()
    local rows, err = search("no_pagination_later"):all()
    assert.is_nil(rows)
    assert.equal("protocol", err.kind)
  end)

  for _, list in ipairs {
    "5", '"text"', "[null,{},{}]", "[{},null,{}]", "[{},{},null]", "[1,2,3]", '{"a":1}', "null",
  } do
    it("rejects what is no list of rows: " .. list, function()
      for _, method in ipairs { "all", "next" } do
        local pager = search("rows_wrong:" .. list, 5)
        local rows, err = pager[method](pager)
        if rows and method == "all" then
          assert.is_false(err.complete)
          assert.truthy(err.reason)
        else
          assert.is_nil(rows)
          assert.equal("protocol", err.kind)
        end
      end
    end)
  end

  it("that is aborted leaves the client usable", function()
    local client = faults:client("hold:8")
    local period = { start_date = "2024-09-01", end_date = "2026-03-01", items_per_page = 2 }
    local each = client.accounts:earnings(helper.ACCOUNT, period):each()
    assert.equal(1, each().count_trips) -- eight pages are under way now
    each = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    local rows, report = client.accounts:earnings(helper.ACCOUNT, period):all()
    are_rows(1, 18, rows)
    assert.is_true(report.complete)
  end)

  it("runs beside another one", function()
    local one, other = search("pages", 2), search("pages:7", 3)
    local sum = 0
    for _ = 1, 7 do
      sum = sum + one:next().count_trips - other:next().count_trips
    end
    assert.equal(0, sum)
    assert.is_nil(other:next())
    assert.equal(8, one:next().count_trips)
  end)

  it("asks again for the page that failed, not for all", function()
    local rows, report = search("fail_page_once:3", 2, { max_retries = 1 }):all()
    are_rows(1, 9, rows)
    assert.is_true(report.complete)
    assert.equal(1, report.readings)
    assert_pages("fail_page_once:3", 5, { [3] = 2 })
  end)
end)

describe("a search of a history that changes at random", function()
  local faults
  setup(function() faults = helper.faults() end)
  teardown(function() assert.equal(0, faults:stop()) end)

  local function search(fault, size, in_flight)
    return faults:client(fault, { pages_in_flight = in_flight }).accounts:earnings(helper.ACCOUNT, {
      start_date = "2024-09-01", end_date = "2026-03-01", items_per_page = size,
    })
  end

  -- Whether the rows are what the history was at some time.
  local function was_once(fault, rows)
    local numbers = {}
    for at, row in ipairs(rows) do
      numbers[at] = row.count_trips
    end
    local path = "/" .. fault .. "/v1/accounts/" .. helper.ACCOUNT .. "/earnings/search"
    for _, history in ipairs(faults:stats().histories[path]) do
      if history == table.concat(numbers, " ") then
        return true
      end
    end
    return false
  end

  it("is complete if it is reported as such, however the pages are read", function()
    local complete, changed = 0, 0
    for seed = 1, 120 do
      local total, changes = seed % 23, seed % 4
      local size, in_flight = 1 + seed % 5, 1 + seed % 9
      local fault = ("living:%d:%d:%d"):format(seed, total, changes)
      local rows, report = search(fault, size, in_flight):all()
      assert.truthy(rows, fault .. ": " .. tostring(report))
      if report.complete then
        complete = complete + 1
        assert.is_true(was_once(fault, rows), fault)
      else
        assert.equal("string", type(report.reason), fault)
      end
      changed = changed + (report.readings > 1 and 1 or 0)
    end
    -- Both happen: what is said of either is not said of nothing.
    assert.is_true(complete > 60 and changed > 10, complete .. ", " .. changed)
  end)

  it("raises in a loop rather than to leave out a row", function()
    local ended, raised = 0, 0
    for seed = 1, 60 do
      local fault = ("living:%d:%d:%d"):format(seed, 5 + seed % 17, 1 + seed % 2)
      local rows = {}
      local ok = pcall(function()
        for row in search(fault, 2, 1 + seed % 6):each() do
          rows[#rows + 1] = row
        end
      end)
      if ok then
        ended = ended + 1
        assert.is_true(was_once(fault, rows), fault)
      else
        raised = raised + 1
      end
    end
    assert.is_true(ended > 0 and raised > 10, ended .. ", " .. raised)
  end)
end)

describe("a search of a history that the platform adds to meanwhile", function()
  local sandbox
  before_each(function() sandbox = helper.sandbox() end)
  after_each(function() assert.equal(0, sandbox:stop()) end)

  local FIRST, LAST = "2025-03-06", "2025-03-14"

  -- Nine days; what a fault adds comes behind them.
  local function search()
    return sandbox:client().accounts:earnings(helper.ACCOUNT, {
      start_date = FIRST, end_date = "2025-03-31", items_per_page = 2,
    })
  end

  local once = {
    earning_added = { rows = 10, newest = "2025-03-15", amount = 100 },
    earning_removed = { rows = 8, newest = "2025-03-13", amount = 246 },
    earning_corrected = { rows = 9, newest = LAST, amount = 180 },
  }
  for kind, wanted in pairs(once) do
    it("is read again, and complete then: " .. kind, function()
      sandbox:fault { kind = kind, times = 1 }
      local rows, report = search():all()
      assert.equal(wanted.rows, #rows)
      assert.equal(wanted.newest, rows[1].earning_date)
      assert.equal(wanted.amount, rows[1].amount)
      assert.equal(FIRST, rows[#rows].earning_date)
      assert.is_true(report.requests >= sandbox:count()) -- some were aborted before they came
      report.requests = nil
      assert.same({
        complete = true, rows = wanted.rows, total_items = wanted.rows,
        total_pages = math.ceil(wanted.rows / 2), readings = 2,
      }, report)
    end)

    it("ends each and next with an error: " .. kind, function()
      sandbox:fault { kind = kind, times = 1 }
      local seen = 0
      local ok, raised = pcall(function()
        for _ in search():each() do
          seen = seen + 1
        end
      end)
      assert.is_false(ok)
      assert.is_true(errors.is(raised))
      assert.equal("inconsistent_pages", raised.code)
      -- a corrected amount shows only when the first page is asked for again
      assert.is_true(seen <= (kind == "earning_corrected" and 9 or 4))
    end)
  end

  it("is said to be incomplete if it does not end", function()
    sandbox:fault { kind = "earning_added" }
    local rows, report = search():all()
    assert.is_table(rows)
    assert.is_false(report.complete)
    assert.equal(3, report.readings)
    assert.equal(#rows, report.rows)
    assert.truthy(report.reason:find("changed", 1, true), report.reason)
  end)
end)
