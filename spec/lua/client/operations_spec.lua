--- Every public operation of the API that resources_spec has not, against the sandbox: what is
-- asked, what comes back, and what is rejected before anything is sent.
local helper = require("spec.lua.helper")
local json = require("palenca.util.json")

local PERIOD = { start_date = "2000-01-01", end_date = "2100-01-01" }

describe("the operations", function()
  local sandbox, client

  setup(function()
    sandbox = helper.sandbox()
    client = sandbox:client()
  end)
  teardown(function() assert.equal(0, sandbox:stop()) end)

  -- A worker who has connected an account.
  local function connect(fields)
    local response = helper.post_json(sandbox.url .. "/sandbox/logins", fields)
    assert.equal(201, response.status)
    return json.decode(response.body).data
  end

  local function not_found(data, err)
    assert.is_nil(data)
    assert.equal("not_found", err.kind)
  end

  -- All rows of a search that the API does not count.
  local function uncounted(pager)
    local rows, report = pager:all()
    assert.is_false(report.complete)
    assert.truthy(report.reason:find("does not say how many", 1, true))
    assert.equal(#rows, report.rows)
    assert.equal(1, report.readings)
    return rows
  end

  it("are all there, under their names", function()
    local names = {
      users = "create get delete accounts search aggregated_earnings",
      accounts = "get delete user reassign logins profile employment earnings events consignados",
      logins = "get search",
      widgets = "get",
      webhooks = "create list get update delete",
      consents = "get search",
      platforms = "list",
      countries = "list",
    }
    local count = 0
    for resource, methods in pairs(names) do
      for name in methods:gmatch("%S+") do
        assert.is_function(client[resource][name], resource .. ":" .. name)
        count = count + 1
      end
    end
    assert.equal(28, count)
  end)

  it("delete a user with its accounts", function()
    local login = connect { platform = "didi", external_id = "to be deleted" }
    assert.equal(1, #client.users:accounts(login.user_id).accounts)
    assert.equal(login.user_id, client.users:delete(login.user_id).user_id)
    not_found(client.users:get(login.user_id))
    not_found(client.accounts:get(login.account_id))
    not_found(client.users:delete(login.user_id))
  end)

  it("find users by day and by your own id", function()
    for number = 1, 5 do
      client.users:create { external_id = "searched " .. number }
    end
    local rows = uncounted(client.users:search {
      start_date = PERIOD.start_date, end_date = PERIOD.end_date, items_per_page = 2,
    })
    local found = {}
    for _, user in ipairs(rows) do
      assert.is_nil(found[user.user_id], "a user came twice")
      found[user.user_id] = user
    end
    local one = uncounted(client.users:search {
      start_date = PERIOD.start_date, end_date = PERIOD.end_date, external_id = "searched 3",
    })
    assert.equal(1, #one)
    assert.same(one[1], found[one[1].user_id])
    assert.same({}, uncounted(client.users:search {
      start_date = "2001-01-01", end_date = "2001-01-02",
    }))
    local count = 0
    for _ in client.users:search({
      start_date = PERIOD.start_date, end_date = PERIOD.end_date, items_per_page = 2,
    }):each() do
      count = count + 1
    end
    assert.equal(#rows, count)
    local second = client.users:search({
      start_date = PERIOD.start_date, end_date = PERIOD.end_date, items_per_page = 2,
    }):page(2)
    assert.same({ rows[3], rows[4] }, second)
  end)

  it("add up what a user's accounts earned", function()
    local first = connect { platform = "uber", external_id = "two accounts", country = "mx" }
    connect { platform = "didi", external_id = "two accounts", country = "mx" }
    local all = client.users:aggregated_earnings {
      external_id = "two accounts", start_date = PERIOD.start_date, end_date = PERIOD.end_date,
      details = true,
    }
    assert.equal(2, all.platforms_count)
    local sums = {}
    for _, day in ipairs(all.earnings) do
      for _, detail in ipairs(day.details) do
        local cents = math.floor(detail.amount * 100 + 0.5)
        sums[detail.account_id] = (sums[detail.account_id] or 0) + cents
      end
    end
    local cents = 0
    for row in client.accounts:earnings(first.account_id, PERIOD):each() do
      cents = cents + math.floor((row.amount or 0) * 100 + 0.5)
    end
    assert.equal(cents, sums[first.account_id])
    local plain = client.users:aggregated_earnings {
      user_id = first.user_id, start_date = PERIOD.start_date, end_date = PERIOD.end_date,
    }
    assert.equal(#all.earnings, #plain.earnings)
    assert.is_nil(plain.earnings[1].details)
  end)

  it("delete an account, but not its user", function()
    local login = connect { platform = "uber", external_id = "account to be deleted" }
    assert.equal(login.account_id, client.accounts:delete(login.account_id).account_id)
    not_found(client.accounts:profile(login.account_id))
    assert.equal(0, #client.users:accounts(login.user_id).accounts)
  end)

  it("read an account with its user, and the user", function()
    assert.is_nil(client.accounts:get(helper.ACCOUNT).user_id)
    assert.equal(helper.USER,
      client.accounts:get(helper.ACCOUNT, { add_user_id = true, language = "es" }).user_id)
    assert.equal(helper.USER, client.accounts:user(helper.ACCOUNT).user_id)
  end)

  it("reassign an account to another user, once", function()
    local login = connect { platform = "uber", external_id = "before" }
    local other = client.users:create { external_id = "after" }
    local moved = client.accounts:reassign(login.account_id, { user_id = other.user_id })
    assert.same({ login.user_id, other.user_id }, { moved.old_user_id, moved.new_user_id })
    assert.equal(other.user_id, client.accounts:user(login.account_id).user_id)
    moved = client.accounts:reassign(login.account_id, { external_id = "new", smart = true })
    assert.is_true(moved.old_user_deleted)
    assert.equal("new", client.accounts:user(login.account_id).external_id)
    sandbox:count()
    sandbox:fault { kind = "drop" }
    local data, err = sandbox:client({ max_retries = 3 }).accounts:reassign(login.account_id,
      { user_id = helper.USER })
    sandbox:heal()
    assert.is_nil(data)
    assert.equal(1, err.attempts)
    assert.equal(1, sandbox:count())
    assert.equal(helper.USER, client.accounts:user(login.account_id).user_id)
  end)

  it("read the logins of an account, one login, and all of a day", function()
    local login = connect { identifier = "rappi+banned@palenca-tests.com" }
    local of_account = client.accounts:logins(login.account_id, { language = "pt" }).logins
    assert.equal(1, #of_account)
    assert.equal("error", of_account[1].status)
    assert.equal("banned", of_account[1].status_details)
    assert.same(of_account[1], (client.logins:get(login.login_id)))
    assert.same(of_account[1], (client.logins:get(login.login_id, { language = "en" })))
    local ids = {}
    for _, one in ipairs(uncounted(client.logins:search(PERIOD))) do
      ids[one.id] = one
    end
    assert.same(of_account[1], ids[login.login_id])
    not_found(client.logins:get(helper.UNKNOWN))
  end)

  it("read an employment and the loans", function()
    local login = connect { platform = "imss", external_id = "employee" }
    local employment = client.accounts:employment(login.account_id)
    assert.equal("imss", employment.platform)
    assert.is_table(employment.employment_info)
    assert.truthy(#employment.employment_history > 0)
    assert.is_table(client.accounts:consignados(login.account_id))
  end)

  it("read every trip, which are those that the days count", function()
    local login = connect { platform = "rappi", external_id = "trips" }
    local days, trips = 0, {}
    for row in client.accounts:earnings(login.account_id, PERIOD):each() do
      days = days + (row.amount and row.count_trips or 0)
    end
    local rows, report = client.accounts:events(login.account_id, PERIOD):all()
    assert.is_true(report.complete)
    assert.equal(days, #rows)
    for _, trip in ipairs(rows) do
      assert.is_nil(trips[trip.event_id])
      trips[trip.event_id] = true
    end
  end)

  it("read consents by identity number, and all", function()
    local login = connect { platform = "uber", external_id = "consents" }
    local gov_id = client.accounts:get(login.account_id).gov_id
    local given = client.consents:get(gov_id).consents
    assert.equal(login.account_id, given[1].account_id)
    local found = 0
    for _, consent in ipairs(uncounted(client.consents:search { items_per_page = 3 })) do
      found = found + (consent.consent_id == given[1].consent_id and 1 or 0)
    end
    assert.equal(1, found)
    assert.same({}, client.consents:get("nobody/../x").consents)
  end)

  it("read widgets, platforms and countries", function()
    local widget = client.widgets:get(helper.WIDGET)
    assert.equal(helper.WIDGET, widget.id)
    local codes = {}
    for _, platform in ipairs(client.platforms:list()) do
      codes[platform.code] = platform
    end
    assert.equal("gig", codes.uber.category)
    local all = client.countries:list()
    local active = client.countries:list { only_active = true }
    assert.truthy(#active <= #all and #active > 0)
    for _, country in ipairs(active) do
      assert.is_true(country.is_active)
    end
    not_found(client.widgets:get(helper.UNKNOWN))
  end)

  describe("before anything is sent", function()
    before_each(function() sandbox:count() end)
    after_each(function() assert.equal(0, sandbox:count()) end)

    local function with(fields)
      local all = { start_date = "2025-01-01", end_date = "2025-01-31" }
      for name, value in pairs(fields) do
        all[name] = value ~= "absent" and value or nil
      end
      return all
    end

    local ids = {
      accounts = "delete user reassign logins employment consignados events",
      logins = "get", widgets = "get",
    }
    for resource, methods in pairs(ids) do
      for name in methods:gmatch("%S+") do
        it("reject what is no id: " .. resource .. ":" .. name, function()
          for _, id in ipairs { "", "x", helper.ACCOUNT .. "/x", 7, false } do
            helper.blames_caller(function() client[resource][name](client[resource], id) end,
              resource .. ":" .. name .. ": id must be")
          end
        end)
      end
    end

    it("reject an empty or dotted identity number or user's id", function()
      for _, id in ipairs { "", ".", "..", 5 } do
        helper.blames_caller(function() client.consents:get(id) end, "consents:get: id")
        helper.blames_caller(function() client.users:delete(id) end, "users:delete: id")
      end
    end)

    for _, case in ipairs {
      { "users", "search" }, { "users", "aggregated_earnings" }, { "logins", "search" },
    } do
      local what = case[1] .. ":" .. case[2]
      it("reject a wrong search: " .. what, function()
        local function rejects(fields, ...)
          helper.blames_caller(function() client[case[1]][case[2]](client[case[1]], fields) end,
            what, ...)
        end
        rejects(with { start_date = "absent" }, "'start_date' is missing")
        rejects(with { end_date = "2025-02-30" }, "end_date must be an existing date")
        rejects(with { start_date = "2025-02-01" }, "start_date (2025-02-01) is after end_date")
        rejects(with { from = "2025-01-01" }, "unknown field 'from'")
        rejects("2025", "takes a table")
      end)
    end

    it("reject fields that make no sense", function()
      helper.blames_caller(function() client.accounts:reassign(helper.ACCOUNT, {}) end,
        "accounts:reassign: either user_id or external_id")
      helper.blames_caller(function()
        client.accounts:reassign(helper.ACCOUNT, { user_id = helper.USER, external_id = "e" })
      end, "accounts:reassign: either")
      helper.blames_caller(function()
        client.accounts:get(helper.ACCOUNT, { language = "es\r\nx: y" })
      end, "accounts:get: language must be a language tag")
      helper.blames_caller(function() client.accounts:get(helper.ACCOUNT, { add_user_id = 1 }) end,
        "accounts:get: add_user_id must be true or false")
      helper.blames_caller(function() client.accounts:profile(helper.ACCOUNT, { x = 1 }) end,
        "accounts:profile: unknown field 'x'")
      helper.blames_caller(function() client.countries:list { active = true } end,
        "countries:list: unknown field 'active'")
      helper.blames_caller(function() client.consents:search { items_per_page = 0 } end,
        "consents:search: items_per_page must be")
      helper.blames_caller(function()
        client.users:create { widget_id = helper.WIDGET, connect_flow_id = helper.UNKNOWN }
      end, "users:create: widget_id and connect_flow_id")
    end)
  end)
end)

describe("a search that is not counted", function()
  local faults
  before_each(function() faults = helper.faults() end)
  after_each(function() assert.equal(0, faults:stop()) end)

  local function search(fault, options)
    return faults:client(fault, options).users:search {
      start_date = "2025-01-01", end_date = "2025-01-02", items_per_page = 2,
    }
  end

  local function requests(fault)
    return faults:count("/" .. fault .. "/v1/users/search")
  end

  it("ends with a page that is empty, however short the others are", function()
    local rows, report = search("uncounted:5"):all()
    assert.equal(5, #rows)
    assert.is_false(report.complete)
    assert.equal(4, requests("uncounted:5"))
  end)

  it("of a server that knows no pages is read twice", function()
    local rows = search("unpaged"):all()
    assert.equal(3, #rows)
    assert.equal(2, requests("unpaged"))
  end)

  it("is complete if the server counts after all", function()
    local rows, report = search("counted:4"):all()
    assert.equal(4, #rows)
    assert.is_true(report.complete)
    assert.is_nil(report.reason)
  end)

  it("whose rows move is read again, and then said to be incomplete", function()
    local _, report = search("moving"):all()
    assert.is_false(report.complete)
    assert.equal(3, report.readings)
    assert.truthy(report.reason:find("came twice", 1, true))
  end)

  it("whose pagination is no object is not understood", function()
    for _, method in ipairs { "all", "next", "page" } do
      local pager = search("pagination_number")
      local rows, err = pager[method](pager, 1)
      assert.is_nil(rows)
      assert.equal("protocol", err.kind)
      assert.truthy(err.message:find("pagination", 1, true))
    end
  end)

  it("hands its failure on", function()
    local rows, err = search("html_502"):all()
    assert.is_nil(rows)
    assert.equal("server", err.kind)
  end)
end)
