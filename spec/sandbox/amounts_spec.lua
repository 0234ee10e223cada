--- The sandbox's amounts agree with each other: trips, days, sums over accounts, currencies.
local date = require("palenca.util.date")
local helper = require("spec.sandbox.helper")
local world = require("spec.sandbox.world")

local function call(api, method, target, body)
  local status, response, _, text = api:call(method, target, body)
  assert.equal(200, status, text)
  return response.data, response.pagination
end

local function cents(amount)
  return math.floor(amount * 100 + 0.5)
end

local function earnings(api, account_id)
  return call(api, "POST", "/v1/accounts/" .. account_id .. "/earnings/search",
    world.period { options = { items_per_page = 1000 } }).earnings
end

local function trips(api, account_id, more)
  local data, pages = call(api, "POST", "/v1/accounts/" .. account_id .. "/events/search",
    world.period(more))
  return data.events, pages
end

describe("sandbox trips", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  -- All of them, put together from pages of an odd size.
  local function all_trips(account_id)
    local list, page = {}, 0
    repeat
      page = page + 1
      local found, pages = trips(api, account_id, {
        options = { page = page, items_per_page = 37 },
      })
      table.move(found, 1, #found, #list + 1, list)
    until page >= pages.total_pages
    return list
  end

  for _, platform in ipairs { "uber", "rappi", "didi", "ifood", "pedidos_ya" } do
    it("of " .. platform .. " add up to its days", function()
      local account_id = api:login({ platform = platform }).account_id
      local days = {}
      for _, trip in ipairs(all_trips(account_id)) do
        local written = trip.start_date:sub(1, 10)
        local day = days[written] or { amount = 0, cash = 0, count = 0 }
        days[written] = day
        day.amount = day.amount + cents(trip.amount)
        day.cash = day.cash + cents(trip.cash_amount or 0)
        day.count = day.count + 1
        assert.is_true((trip.cash_amount or 0) <= trip.amount)
        assert.equal((trip.cash_amount or 0) > 0 and "cash" or "card", trip.payment_method)
      end
      for _, row in ipairs(earnings(api, account_id)) do
        assert.same({
          amount = cents(row.amount), cash = cents(row.cash_amount or 0), count = row.count_trips,
        }, days[row.earning_date])
        days[row.earning_date] = nil
      end
      assert.same({}, days)
    end)
  end

  it("come the last one first, each once, and do not overlap", function()
    local account_id = api:login({ platform = "uber" }).account_id
    local seen, last = {}, nil
    for _, trip in ipairs(all_trips(account_id)) do
      assert.is_nil(seen[trip.event_id])
      seen[trip.event_id] = true
      local day, hour, minute, second = trip.start_date:match("^(.-)T(%d+):(%d+):(%d+)Z$")
      local start = date.parse(day) * 86400 + hour * 3600 + minute * 60 + second
      assert.is_true(not last or start + trip.duration_sec <= last, trip.start_date)
      last = start
    end
    assert.truthy(last)
  end)

  it("are those of the days that are asked for", function()
    local rows = earnings(api, helper.TUTORIAL)
    local found, pages = trips(api, helper.TUTORIAL,
      { start_date = rows[2].earning_date, end_date = rows[1].earning_date })
    assert.equal(rows[1].count_trips + rows[2].count_trips, #found)
    assert.equal(#found, pages.total_items)
    assert.equal(rows[1].earning_date, found[1].start_date:sub(1, 10))
    assert.equal(rows[2].earning_date, found[#found].start_date:sub(1, 10))
  end)

  it("say what was carried, and where", function()
    for platform, case in pairs {
      uber = { "ride", "America/Mexico_City" }, rappi = { "delivery", "America/Bogota" },
      ifood = { "delivery", "America/Sao_Paulo" }, cabify = { "ride", "America/Lima" },
    } do
      local trip = trips(api, api:login({ platform = platform }).account_id)[1]
      assert.same(case, { trip.type, trip.timezone })
    end
  end)

  it("are none where nothing was earned", function()
    local login = api:login { identifier = "uber+banned@palenca-tests.com" }
    local found, pages = trips(api, login.account_id)
    assert.same({}, found)
    assert.equal(0, pages.total_items)
  end)
end)

describe("sandbox sums over accounts", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0, history = "typical" } end)

  local function sums(body)
    return call(api, "POST", "/v1/users/earnings/aggregated", world.period(body))
  end

  it("are those of the accounts, day by day", function()
    local expected, ids = {}, {}
    for at, platform in ipairs { "uber", "didi", "didi_food" } do
      local login = api:login { platform = platform, external_id = "e" }
      ids[at] = login.account_id
      for _, row in ipairs(earnings(api, login.account_id)) do
        local day = expected[row.earning_date] or { amount = 0, trips = 0, accounts = 0 }
        expected[row.earning_date] = day
        day.amount = day.amount + cents(row.amount)
        day.trips = day.trips + row.count_trips
        day.accounts = day.accounts + 1
      end
    end
    api:login { identifier = "rappi+banned@palenca-tests.com", external_id = "e" }
    local data = sums { external_id = "e", options = { details = true } }
    assert.equal(3, data.platforms_count)
    for at, platform in ipairs(data.platforms) do
      assert.equal(ids[at], platform.account_id)
      assert.equal("2025-06-20", platform.last_successful_connection)
    end
    local last = "9999"
    for _, day in ipairs(data.earnings) do
      assert.is_true(day.earning_date < last)
      last = day.earning_date
      local sum = 0
      for _, detail in ipairs(day.details) do
        sum = sum + cents(detail.amount)
      end
      assert.equal("mxn", day.currency)
      assert.equal(sum, cents(day.amount))
      assert.same(expected[day.earning_date],
        { amount = sum, trips = day.count_trips, accounts = #day.details })
      assert.is_nil(day.currency_note)
      expected[day.earning_date] = nil
    end
    assert.same({}, expected)
  end)

  it("leave out the details unless asked, and name the user either way", function()
    local login = api:login { platform = "uber", external_id = "e" }
    local data = sums { external_id = "e" }
    assert.is_true(#data.earnings > 0)
    assert.is_nil(data.earnings[1].details)
    assert.same(data, sums { user_id = login.user_id })
    assert.same(data, sums { user_id = login.user_id, external_id = "other" })
    assert.same({}, sums({ external_id = "e", end_date = "2024-12-31" }).earnings)
  end)

  it("keep currencies apart, and say so", function()
    for _, country in ipairs { "mx", "co" } do
      api:login { platform = "uber", country = country, external_id = "e" }
    end
    local mixed = 0
    local days = sums({ external_id = "e" }).earnings
    for at, day in ipairs(days) do
      local twin = days[at + 1]
      if twin and twin.earning_date == day.earning_date then
        mixed = mixed + 1
        assert.same({ "cop", "mxn" }, { day.currency, twin.currency })
        assert.is_string(day.currency_note)
        assert.equal(day.currency_note, twin.currency_note)
      end
    end
    assert.is_true(mixed > 0 and #days > 2 * mixed)
  end)

  it("need somebody who is known", function()
    for body, status in pairs {
      [{}] = 422, [{ external_id = "nobody" }] = 404, [{ user_id = helper.UNKNOWN }] = 404,
    } do
      local got, response = api:call("POST", "/v1/users/earnings/aggregated", world.period(body))
      assert.equal(status, got)
      assert.equal(status == 404 and "not_found" or "bad_request", response.error.code)
    end
  end)
end)

describe("sandbox currencies", function()
  local currencies = {
    mx = "mxn", co = "cop", br = "brl", ar = "ars", cl = "clp", pe = "pen", us = "usd",
    cr = "crc", pa = "pab", ec = "usd", bo = "bob", ve = "ves", sv = "usd", ["do"] = "dop",
  }
  for country, currency in pairs(currencies) do
    it(("of %s are %s, in earnings and trips"):format(country, currency), function()
      local api = helper.new { webhook_delay = 0 }
      local account_id = api:login({ platform = "didi", country = country }).account_id
      local rows = earnings(api, account_id)
      assert.is_true(#rows > 0)
      for _, row in ipairs(rows) do
        assert.equal(currency, row.currency)
        assert.is_number(row.cash_amount)
      end
      assert.equal(currency, trips(api, account_id)[1].currency)
      local listed = call(api, "GET", "/v1/countries?only_active=false")
      for _, entry in ipairs(listed) do
        if entry.alpha_2 == country then
          assert.equal(currency:upper(), entry.currency)
        end
      end
    end)
  end

  it("name countries as in the published example", function()
    local list = call(helper.new(), "GET", "/v1/countries")
    local mexico = list[1]
    assert.same({ "mx", "mex", "MXN", "52", "America/Mexico_City", true },
      { mexico.alpha_2, mexico.alpha_3, mexico.currency, mexico.calling_code, mexico.timezone,
        mexico.is_active })
    assert.truthy(mexico.flag:find("^https://.*mx%.svg$"))
  end)
end)

describe("sandbox lists of", function()
  local function codes(list, name, wanted)
    local found, count = {}, 0
    for _, item in ipairs(list) do
      if wanted(item) then
        assert.is_nil(found[item[name]])
        found[item[name]] = true
        count = count + 1
      end
    end
    return found, count
  end
  local function every() return true end
  local function active(item) return item.is_active end

  it("countries leave out those that are not open unless asked", function()
    local api = helper.new()
    local open, few = codes(call(api, "GET", "/v1/countries"), "alpha_2", every)
    local all = call(api, "GET", "/v1/countries?only_active=false")
    local known, many = codes(all, "alpha_2", every)
    assert.equal(#world.COUNTRIES, many)
    assert.is_true(few < many and few > 0)
    for _, country in ipairs(world.COUNTRIES) do
      assert.is_true(known[country])
    end
    assert.same(open, (codes(all, "alpha_2", active)))
  end)

  it("platforms hold every published one once, and the widget those that are open", function()
    local api = helper.new()
    local list = call(api, "GET", "/v1/platforms")
    assert.equal(61, select(2, codes(list, "code", every)))
    local open = codes(list, "code", active)
    local widget = call(api, "GET", "/v1/widgets/" .. helper.WIDGET)
    local offered = {}
    for _, code in ipairs(widget.platforms) do
      offered[code] = true
    end
    assert.same(open, offered)
    local kinds = {}
    for _, platform in ipairs(list) do
      kinds[platform.code] = platform.category
    end
    assert.same({ "gig", "gig", "employment", "employment" },
      { kinds.uber, kinds.mercado_pago, kinds.imss, kinds.nom_sep_qro })
  end)
end)

describe("sandbox employment", function()
  local function of(platform, query)
    local api = helper.new { webhook_delay = 0 }
    local login = api:login { platform = platform, external_id = "e" }
    return call(api, "GET", "/v1/accounts/" .. login.account_id .. "/employment" .. (query or ""))
  end

  it("of formal platforms has jobs one after the other, which make the weeks", function()
    for platform, file in pairs {
      imss = "imss_employment_record", issste = "issste_employment_file",
      carteira_trabalho = false,
    } do
      local data, pages = of(platform)
      assert.equal(platform, data.platform)
      assert.equal(pages.total_items, #data.employment_history)
      local days, after = 0, date.day_of(helper.NOON)
      for at, job in ipairs(data.employment_history) do
        assert.equal(at == 1, job.end_date == nil)
        local first = date.parse(job.start_date)
        local last = job.end_date and date.parse(job.end_date) or after
        assert.is_true(first < last and last <= after)
        days, after = days + last - first, first
      end
      assert.equal(days // 7, data.employment_info.quoted_weeks)
      local files = data.employment_info.employment_files
      assert.equal(file and 1 or 0, #files)
      assert.equal(file or nil, files[1] and files[1].file_type)
    end
  end)

  it("comes in pages", function()
    local data = of("imss")
    local second, pages = of("imss", "?page=2&items_per_page=1")
    assert.same({ data.employment_history[2] }, second.employment_history)
    assert.equal(2, pages.page)
    assert.equal(#data.employment_history, pages.total_pages)
  end)

  it("of gig platforms is empty", function()
    local data, pages = of("uber")
    assert.is_nil(data.employment_info)
    assert.same({}, data.employment_history)
    assert.equal("e", data.external_id)
    assert.equal(0, pages.total_items)
  end)
end)
