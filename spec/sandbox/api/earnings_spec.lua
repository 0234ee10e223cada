--- The sandbox's earnings: pages, dates, the tutorial's numbers, made-up weeks.
local date = require("palenca.util.date")
local helper = require("spec.sandbox.helper")

local function search(api, account, body)
  return api:call("POST", "/v1/accounts/" .. account .. "/earnings/search", body)
end

local function everything(page, size)
  return {
    start_date = "2020-01-01", end_date = "2030-12-31",
    options = { page = page or 1, items_per_page = size or 1000 },
  }
end

describe("sandbox tutorial account", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  it("has the documented first page, to the byte", function()
    local status, response, _, text = search(api, helper.TUTORIAL, {
      start_date = "2024-09-01", end_date = "2026-03-01", options = { items_per_page = 3 },
    })
    assert.equal(200, status)
    assert.same({ page = 1, items_per_page = 3, total_items = 195, total_pages = 65 },
      response.pagination)
    local function row(amount, day, trips)
      return ('{"amount":%s,"currency":"mxn","earning_date":"%s","cash_amount":null,'
        .. '"count_trips":%d}'):format(amount, day, trips)
    end
    assert.equal('{"success":true,"error":null,"data":{"account_id":"' .. helper.TUTORIAL
      .. '","earnings":[' .. row("179.0", "2025-03-14", 6) .. ","
      .. row("246.0", "2025-03-13", 9) .. "," .. row("53.0", "2025-03-12", 6) .. ']},'
      .. '"pagination":{"page":1,"items_per_page":3,"total_items":195,"total_pages":65}}',
      text)
  end)

  it("has 195 rows, one a day without a gap, over 65 pages", function()
    local expected = date.parse("2025-03-14")
    for page = 1, 65 do
      local body = everything(page, 3)
      body.start_date, body.end_date = "2024-09-01", "2026-03-01"
      local _, response = search(api, helper.TUTORIAL, body)
      assert.equal(3, #response.data.earnings)
      assert.equal(page, response.pagination.page)
      for _, row in ipairs(response.data.earnings) do
        assert.equal(date.text(expected), row.earning_date)
        assert.is_nil(row.cash_amount)
        assert.equal("integer", math.type(row.count_trips))
        assert.is_true(row.amount > 0)
        expected = expected - 1
      end
    end
    assert.equal("2024-08-31", date.text(expected))
  end)

  it("is the same for every seed and at every time", function()
    local other = helper.new { webhook_delay = 0, seed = 99 }
    other.now = 0.0
    local _, _, _, one = search(api, helper.TUTORIAL, everything())
    local _, _, _, two = search(other, helper.TUTORIAL, everything())
    assert.equal(one, two)
    local profile = "/v1/accounts/" .. helper.TUTORIAL .. "/profile"
    assert.same(select(2, api:call("GET", profile)), select(2, other:call("GET", profile)))
  end)

  it("is an account of its user", function()
    local _, response = api:call("GET",
      "/v1/accounts/" .. helper.TUTORIAL .. "?add_user_id=true")
    assert.equal(helper.TUTORIAL_USER, response.data.user_id)
    assert.equal("uber", response.data.platform)
    assert.equal("mx", response.data.country)
    assert.equal("success", response.data.status)
  end)
end)

describe("sandbox earnings search", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  it("filters by date, both ends included", function()
    for _, case in ipairs {
      { "2025-03-12", "2025-03-14", 3, "2025-03-14" },
      { "2025-03-14", "2025-03-14", 1, "2025-03-14" },
      { "2024-09-01", "2024-09-01", 1, "2024-09-01" },
      { "2024-01-01", "2024-09-02", 2, "2024-09-02" },
      { "2025-03-13", "2030-01-01", 2, "2025-03-14" },
      { "2025-02-01", "2025-02-28", 28, "2025-02-28" },
      { "2024-01-01", "2024-08-31", 0 },
      { "2025-03-15", "2026-01-01", 0 },
    } do
      local status, response = search(api, helper.TUTORIAL,
        { start_date = case[1], end_date = case[2] })
      assert.equal(200, status)
      assert.equal(case[3], #response.data.earnings, case[1])
      assert.equal(case[3], response.pagination.total_items)
      assert.equal(case[3] > 0 and 1 or 0, response.pagination.total_pages)
      assert.equal(case[4], (response.data.earnings[1] or {}).earning_date)
    end
  end)

  it("returns 100 rows a page by default", function()
    local body = everything()
    body.options = nil
    local _, response = search(api, helper.TUTORIAL, body)
    assert.equal(100, #response.data.earnings)
    assert.same({ page = 1, items_per_page = 100, total_items = 195, total_pages = 2 },
      response.pagination)
    body.options = { page = 2 }
    _, response = search(api, helper.TUTORIAL, body)
    assert.equal(95, #response.data.earnings)
    assert.equal("2024-09-01", response.data.earnings[95].earning_date)
  end)

  it("returns an empty list beyond the last page", function()
    -- 2^62 times 100 wraps around to 0.
    for _, page in ipairs { 3, 1000000, 1 << 62 } do
      local status, response, _, text = search(api, helper.TUTORIAL,
        ('{"start_date":"2020-01-01","end_date":"2030-01-01","options":{"page":%d}}'):format(page))
      assert.equal(200, status)
      assert.truthy(text:find('"earnings":[]', 1, true))
      local read = page > 2 ^ 53 and tostring(page) or page -- as text, since no double holds it
      assert.same({ page = read, items_per_page = 100, total_items = 195, total_pages = 2 },
        response.pagination)
    end
  end)

  it("takes the bounds of items_per_page", function()
    local _, response = search(api, helper.TUTORIAL, everything(195, 1))
    assert.equal(1, #response.data.earnings)
    _, response = search(api, helper.TUTORIAL, everything(1, 1000))
    assert.equal(195, #response.data.earnings)
  end)

  local good = '"start_date":"2025-01-01","end_date":"2025-02-01"'
  for body, case in pairs {
    ['{"end_date":"2025-02-01"}'] = { "start_date", "value_error.missing" },
    ['{"start_date":"2025-02-01","end_date":null}'] = { "end_date", "value_error.missing" },
    ['{"start_date":1,"end_date":"2025-02-01"}'] = { "start_date", "type_error.date" },
    ['{"start_date":"2025-02-30","end_date":"2025-03-01"}'] = { "start_date", "value_error.date" },
    ['{"start_date":"2025-01-01","end_date":"2025-13-01"}'] = { "end_date", "value_error.date" },
    ['{"start_date":"2023-02-29","end_date":"2025-03-01"}'] = { "start_date", "value_error.date" },
    ['{"start_date":"01/02/2025","end_date":"2025-03-01"}'] = { "start_date", "value_error.date" },
    ["{" .. good .. ',"options":7}'] = { "options", "type_error.dict" },
    ["{" .. good .. ',"options":[1]}'] = { "options", "type_error.dict" },
    ["{" .. good .. ',"options":{"page":0}}'] = { "options.page", "value_error.number.not_ge" },
    ["{" .. good .. ',"options":{"page":-1}}'] = { "options.page", "value_error.number.not_ge" },
    ["{" .. good .. ',"options":{"page":1.5}}'] = { "options.page", "type_error.integer" },
    ["{" .. good .. ',"options":{"page":1e300}}'] = { "options.page", "type_error.integer" },
    ["{" .. good .. ',"options":{"page":"1"}}'] = { "options.page", "type_error.integer" },
    ["{" .. good .. ',"options":{"items_per_page":0}}'] =
      { "options.items_per_page", "value_error.number.not_ge" },
    ["{" .. good .. ',"options":{"items_per_page":1001}}'] =
      { "options.items_per_page", "value_error.number.not_le" },
    ["{" .. good .. ',"options":{"items_per_page":true}}'] =
      { "options.items_per_page", "type_error.integer" },
  } do
    it("responds with 422 to " .. body, function()
      local status, response = search(api, helper.TUTORIAL, body)
      assert.equal(422, status)
      assert.equal(1, #response.detail)
      assert.equal(case[2], helper.blames(response, "body." .. case[1]))
    end)
  end

  it("responds with bad_request to a start after the end", function()
    local status, response = search(api, helper.TUTORIAL,
      { start_date = "2025-02-02", end_date = "2025-02-01" })
    assert.equal(422, status)
    assert.equal("bad_request", response.error.code)
    assert.equal("start_date", response.error.errors[1].location)
    assert.is_nil(response.detail)
  end)

  it("takes null and unknown fields for absent", function()
    local status, response = search(api, helper.TUTORIAL,
      "{" .. good .. ',"options":{"page":null,"sort":"asc"},"more":{}}')
    assert.equal(200, status)
    assert.equal(1, response.pagination.page)
  end)
end)

describe("sandbox generated earnings", function()
  local today = date.day_of(helper.NOON)

  local function rows_of(body, api)
    api = api or helper.new { webhook_delay = 0, history = "typical" }
    local login = api:login(body)
    local _, response, _, text = search(api, login.account_id, everything())
    return response.data.earnings, text
  end

  for platform, case in pairs {
    uber = { 60, "mxn", cash = false }, rappi = { 50, "cop", cash = true },
    didi = { 50, "mxn", cash = true }, indriver = { 20, "pen", cash = true },
    cabify = { 70, "pen", cash = false }, pedidos_ya = { 50, "ars", cash = false },
    ifood = { 45, "brl", cash = false }, didi_food = { 45, "mxn", cash = true },
  } do
    it("look like those of " .. platform, function()
      local history, currency = case[1], case[2]
      local rows, text = rows_of { platform = platform }
      assert.is_true(#rows < history)
      assert.is_true(#rows > history / 3)
      assert.equal(case.cash, not text:find('"cash_amount":null', 1, true))
      local last, cash_days = today, 0
      for _, row in ipairs(rows) do
        local day = date.parse(row.earning_date)
        assert.is_true(day < last and day >= today - history)
        last = day
        assert.equal(currency, row.currency)
        assert.is_true(row.amount > 0)
        assert.is_true(row.count_trips >= 1)
        assert.equal("integer", math.type(row.count_trips))
        if row.cash_amount then
          assert.is_true(row.cash_amount >= 0 and row.cash_amount <= row.amount)
          cash_days = cash_days + (row.cash_amount > 0 and 1 or 0)
        end
      end
      assert.equal(case.cash, cash_days > 0)
      for amount in text:gmatch('amount":([%d.]+)') do
        assert.truthy(amount:match("^%d+%.%d%d?$"), amount)
      end
    end)
  end

  it("cover 24 months by default, which the tutorial's search finds", function()
    local api = helper.new { webhook_delay = 0 }
    for _, platform in ipairs { "uber", "rappi", "didi", "indriver", "cabify", "pedidos_ya" } do
      local rows = rows_of({ platform = platform }, api)
      assert.is_true(date.parse(rows[#rows].earning_date) >= today - 730)
      assert.is_true(date.parse(rows[#rows].earning_date) < today - 720)
      assert.is_true(#rows > 730 / 2)
    end
    local login = api:login { platform = "uber" }
    local _, response = search(api, login.account_id, { start_date = "2024-09-01",
      end_date = "2026-03-01", options = { page = 1, items_per_page = 3 } })
    assert.equal(3, #response.data.earnings)
    assert.is_true(response.pagination.total_items > 100)
    assert.is_true(response.data.earnings[1].earning_date > "2025-06-10")
  end)

  it("are as long as a login asks, else as long as they were for that account", function()
    local api = helper.new { webhook_delay = 0 }
    local function oldest(days)
      local rows = rows_of({ platform = "uber", days = days }, api)
      return today - date.parse(rows[#rows].earning_date)
    end
    assert.is_true(oldest(1100) > 1090 and oldest(1100) <= 1100)
    assert.is_true(oldest(30) > 20 and oldest(30) <= 30)
    assert.is_true(oldest("typical") > 50 and oldest("typical") <= 60)
    local rows, text = rows_of({ platform = "uber", days = 0 }, api)
    assert.equal(0, #rows)
    assert.truthy(text:find('"earnings":[]', 1, true))

    local given = { platform = "uber", external_id = "e", identifier = "x", days = 100 }
    local first = rows_of(given, api)
    given.days = nil
    assert.same(first, (rows_of(given, api)))
    given.days = 200
    local longer = rows_of(given, api)
    assert.same(first, table.move(longer, 1, #first, 1, {}))
    assert.is_true(#longer > #first)
  end)

  for body, kind in pairs {
    ['{"platform":"uber","days":1101}'] = "value_error.number.not_le",
    ['{"platform":"uber","days":-1}'] = "value_error.number.not_ge",
    ['{"platform":"uber","days":1.5}'] = "type_error.integer",
    ['{"platform":"uber","days":"60"}'] = "type_error.integer",
    ['{"platform":"uber","days":[60]}'] = "type_error.integer",
  } do
    it("are rejected for " .. body, function()
      local status, response = helper.new():call("POST", "/sandbox/logins", body, helper.JSON)
      assert.equal(422, status)
      assert.equal(kind, helper.blames(response, "body.days"))
    end)
  end

  it("of the accounts that were there before are typical ones, whatever new logins have", function()
    local api = helper.new { accounts = 20, history = 1000 }
    for _, account in ipairs(api.sandbox.store.account.list) do
      if account.platform == "uber" and account.connected and account.history ~= "tutorial" then
        local _, response = search(api, account.account_id, everything())
        local oldest = response.data.earnings[#response.data.earnings].earning_date
        assert.is_true(date.day_of(account.connected) - date.parse(oldest) <= 60)
      end
    end
  end)

  it("rest on one or two weekdays, and are strong on weekends", function()
    local trips, days = { 0, 0 }, { 0, 0 }
    local api = helper.new { webhook_delay = 0 }
    for _ = 1, 40 do
      local rows = rows_of({ platform = "uber" }, api)
      local worked = {}
      for _, row in ipairs(rows) do
        local weekday = date.weekday(date.parse(row.earning_date))
        worked[weekday] = true
        local kind = weekday >= 6 and 2 or 1
        trips[kind], days[kind] = trips[kind] + row.count_trips, days[kind] + 1
      end
      local rest = 0
      for weekday = 1, 7 do
        rest = rest + (worked[weekday] and 0 or 1)
      end
      assert.is_true(rest == 1 or rest == 2)
    end
    assert.is_true(trips[2] / days[2] > 1.15 * trips[1] / days[1])
  end)

  it("have gaps beyond the rest days", function()
    local api, longest = helper.new { webhook_delay = 0 }, 0
    for _ = 1, 20 do
      local last
      for _, row in ipairs((rows_of({ platform = "uber" }, api))) do
        local day = date.parse(row.earning_date)
        longest = math.max(longest, last and last - day or 0)
        last = day
      end
    end
    assert.is_true(longest > 3)
  end)

  it("take the country's currency, without decimals where coins are out of use", function()
    local rows, text = rows_of { platform = "uber", country = "cl" }
    assert.equal("clp", rows[1].currency)
    for amount in text:gmatch('"amount":([%d.]+)') do
      assert.truthy(amount:match("^%d+%.0$"), amount)
    end
  end)

  it("differ between accounts", function()
    local api = helper.new { webhook_delay = 0 }
    local one, other = api:login { platform = "uber" }, api:login { platform = "uber" }
    local _, first = search(api, one.account_id, everything())
    local _, second = search(api, other.account_id, everything())
    assert.not_same(first.data.earnings, second.data.earnings)
  end)

  it("stay as they are while time passes", function()
    local api = helper.new { webhook_delay = 0 }
    local login = api:login { platform = "uber" }
    api.now = api.now + 40 * 86400
    local _, response = search(api, login.account_id, everything())
    assert.is_true(date.parse(response.data.earnings[1].earning_date) < today)
  end)

  it("are none after a login that failed", function()
    local rows, text = rows_of { identifier = "uber+banned@palenca-tests.com" }
    assert.equal(0, #rows)
    assert.truthy(text:find('"earnings":[]', 1, true))
  end)
end)
