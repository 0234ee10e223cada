--- The account of the vendor's tutorial, read in every way a pager can be read.
local helper = require("spec.lua.helper")
local palenca = require("palenca")
local process = require("spec.support.process")

describe("the tutorial's account", function()
  local sandbox, client
  setup(function()
    local url, key
    sandbox, url, key = process.sandbox { "--rate-limit", "0" }
    client = palenca.new { api_key = key, base_url = url, rate_limit = 0, max_retries = 0 }
  end)
  teardown(function() assert.equal(0, sandbox:stop()) end)

  local function earnings(fields)
    local all = { start_date = "2024-09-01", end_date = "2026-03-01", items_per_page = 3 }
    for name, value in pairs(fields or {}) do
      all[name] = value or nil
    end
    return client.accounts:earnings(helper.ACCOUNT, all)
  end

  -- Asserts that these are the 195 days, each once, the newest first.
  local function is_whole(rows)
    assert.equal(195, #rows)
    for at = 2, #rows do
      assert.is_true(rows[at].earning_date < rows[at - 1].earning_date)
    end
    assert.equal("2025-03-14", rows[1].earning_date)
    assert.equal("2024-09-01", rows[195].earning_date)
  end

  it("is read as its user's", function()
    local account = client.accounts:get(helper.ACCOUNT)
    assert.equal("uber", account.platform)
    local response = client.users:accounts(helper.USER)
    assert.equal(helper.ACCOUNT, response.accounts[1].account_id)
  end)

  it("has the first page that the tutorial prints", function()
    local rows, meta = earnings():page(1)
    assert.same({
      { amount = 179.0, currency = "mxn", earning_date = "2025-03-14", count_trips = 6 },
      { amount = 246.0, currency = "mxn", earning_date = "2025-03-13", count_trips = 9 },
      { amount = 53.0, currency = "mxn", earning_date = "2025-03-12", count_trips = 6 },
    }, rows)
    assert.same({ page = 1, items_per_page = 3, total_items = 195, total_pages = 65 },
      meta.pagination)
    assert.equal(200, meta.status)
  end)

  it("has a last page, and nothing beyond it", function()
    local rows = earnings():page(65)
    assert.equal(3, #rows)
    assert.equal("2024-09-01", rows[3].earning_date)
    local meta
    rows, meta = earnings():page(66)
    assert.same({}, rows)
    assert.equal(66, meta.pagination.page)
    assert.equal(195, meta.pagination.total_items)
    assert.same({}, (earnings():page(1000000)))
  end)

  it("is read completely", function()
    local rows, report = earnings():all()
    is_whole(rows)
    assert.same({
      complete = true, rows = 195, total_items = 195, total_pages = 65, readings = 1,
      requests = 66,
    }, report)
  end)

  it("is the same whatever the size of a page", function()
    local expected = earnings():all()
    for _, size in ipairs { 1, 7, 100, 194, 195, 196, 1000 } do
      local rows, report = earnings({ items_per_page = size }):all()
      assert.same(expected, rows)
      assert.is_true(report.complete)
      assert.equal(math.ceil(195 / size), report.total_pages)
    end
  end)

  it("is iterated over, row by row", function()
    local rows = {}
    for row in earnings():each() do
      rows[#rows + 1] = row
    end
    is_whole(rows)
  end)

  it("is read with next, which ends with nil and stays there", function()
    local pager = earnings({ items_per_page = 50 })
    local rows = {}
    local row, err = pager:next()
    while row do
      rows[#rows + 1] = row
      row, err = pager:next()
    end
    assert.is_nil(err)
    is_whole(rows)
    row, err = pager:next()
    assert.is_nil(row)
    assert.is_nil(err)
  end)

  it("can be read twice with one pager", function()
    local pager = earnings({ items_per_page = 50 })
    assert.equal("2025-03-14", pager:next().earning_date)
    is_whole((pager:all()))
    assert.equal("2025-03-13", pager:next().earning_date)
    assert.equal(50, #pager:page(2))
    assert.equal("2025-03-12", pager:next().earning_date)
  end)

  it("has pages of 100 unless another size is wanted", function()
    local pager = earnings({ items_per_page = false })
    local rows, meta = pager:page(1)
    assert.equal(100, #rows)
    assert.same({ page = 1, items_per_page = 100, total_items = 195, total_pages = 2 },
      meta.pagination)
    is_whole((pager:all()))
  end)

  it("has nothing in a period without work", function()
    local empty = { start_date = "2020-01-01", end_date = "2020-12-31" }
    local rows, report = earnings(empty):all()
    assert.same({}, rows)
    assert.is_true(report.complete)
    assert.equal(0, report.total_items)
    assert.is_nil(report.reason)
    rows = earnings(empty):page(1)
    assert.same({}, rows)
    assert.is_nil(earnings(empty):next())
    for _ in earnings(empty):each() do
      error("there is no row")
    end
  end)

  it("has the days of a period, both ends included", function()
    local rows, report = earnings({ start_date = "2024-09-01", end_date = "2024-09-07" }):all()
    assert.equal(7, #rows)
    assert.is_true(report.complete)
    assert.equal("2024-09-07", rows[1].earning_date)
    assert.equal("2024-09-01", rows[7].earning_date)
  end)

  it("is rejected in pages larger than the API has", function()
    local rows, err = earnings({ items_per_page = 1001 }):all()
    assert.is_nil(rows)
    assert.equal("invalid", err.kind)
    assert.equal("body.options.items_per_page", err.errors[1].location)
  end)

  it("has an income as of its last day", function()
    local rows, report = earnings({ items_per_page = 100 }):all()
    local income = palenca.income.analyze(rows, { report = report, as_of = "2025-03-14" })
    assert.same({}, income.problems)
    assert.equal(195, income.days_observed)
    assert.truthy(income.monthly_income:find("^%d+%.%d%d$"))
  end)
end)
