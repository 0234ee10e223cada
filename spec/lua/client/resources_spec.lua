--- The operations of users, accounts and webhooks, against the sandbox, and the checks before them.
local helper = require("spec.lua.helper")
local palenca = require("palenca")
local process = require("spec.support.process")

local UUID = "^%x+%-%x+%-%x+%-%x+%-%x+$"

-- LuaJIT has no integers of their own: there whole numbers are all that can be asked for.
local function is_integer(value)
  if math.type then -- luacheck: ignore 143
    return math.type(value) == "integer" -- luacheck: ignore 143
  end
  return type(value) == "number" and value == math.floor(value)
end

describe("against the sandbox", function()
  local sandbox, client
  setup(function()
    local url, key
    sandbox, url, key = process.sandbox { "--rate-limit", "0" }
    client = palenca.new { api_key = key, base_url = url, rate_limit = 0, max_retries = 0 }
  end)
  teardown(function() assert.equal(0, sandbox:stop()) end)

  describe("users", function()
    it("are created and read back", function()
      local user, meta = client.users:create {
        external_id = "worker-7", widget_id = helper.WIDGET,
      }
      assert.equal(201, meta.status)
      assert.truthy(user.user_id:find(UUID))
      assert.equal("worker-7", user.external_id)
      assert.equal(helper.WIDGET, user.widget_id)
      assert.same(user, (client.users:get(user.user_id)))
    end)

    it("are created without any field", function()
      local user = client.users:create()
      assert.truthy(user.user_id:find(UUID))
      assert.is_nil(user.external_id)
      assert.truthy(client.users:create({}).user_id ~= user.user_id)
    end)

    it("have accounts", function()
      local response, meta = client.users:accounts(helper.USER)
      assert.equal(helper.USER, response.user_id)
      assert.equal(helper.ACCOUNT, response.accounts[1].account_id)
      assert.equal(200, meta.status)
    end)
  end)

  describe("accounts", function()
    it("are read", function()
      local account, meta = client.accounts:get(helper.ACCOUNT)
      assert.equal(helper.ACCOUNT, account.account_id)
      assert.equal("uber", account.platform)
      assert.equal("mx", account.country)
      assert.truthy(meta.request_id:find(UUID))
      assert.equal(1, meta.attempts)
    end)

    it("have a profile, with null as nil", function()
      local data = client.accounts:profile(helper.ACCOUNT)
      assert.equal(helper.ACCOUNT, data.account_id)
      assert.is_string(data.profile.first_name)
      assert.is_true(is_integer(data.metrics_info.lifetime_trips))
      local function walk(value)
        assert.is_not.equal("userdata", type(value))
        for _, item in pairs(type(value) == "table" and value or {}) do
          walk(item)
        end
      end
      walk(data)
    end)

    it("take an id in capitals", function()
      assert.truthy(client.accounts:get(helper.ACCOUNT:upper()))
    end)

    it("have rows and pages in whole numbers", function()
      local rows, meta = client.accounts:earnings(helper.ACCOUNT, helper.PERIOD):page(1)
      for _, row in ipairs(rows) do
        assert.is_true(is_integer(row.count_trips))
        assert.is_nil(row.cash_amount)
      end
      for _, name in ipairs { "page", "items_per_page", "total_items", "total_pages" } do
        assert.is_true(is_integer(meta.pagination[name]), name)
      end
      assert.is_true(is_integer(meta.status))
      assert.is_true(is_integer(meta.attempts))
    end)
  end)

  describe("webhooks", function()
    local function create(fields)
      local all = {
        url = "https://example.com/hook", name = "spec", widget_id = helper.WIDGET,
        is_sandbox = true,
      }
      for name, value in pairs(fields or {}) do
        all[name] = value
      end
      return assert(client.webhooks:create(all))
    end

    it("are created, listed, read, changed and deleted", function()
      local webhook = create { events = { "login.success" }, sign_request = true }
      assert.equal(64, #webhook.private_key)
      assert.same({ "login.success" }, webhook.events)
      local found
      for _, one in ipairs(client.webhooks:list().webhooks) do
        found = found or one.webhook_id == webhook.webhook_id
      end
      assert.is_true(found)
      assert.same(webhook, (client.webhooks:get(webhook.webhook_id)))
      local changed = client.webhooks:update(webhook.webhook_id,
        { name = "other", is_active = false })
      assert.equal("other", changed.name)
      assert.is_false(changed.is_active)
      assert.equal("https://example.com/hook", changed.url)
      assert.truthy(client.webhooks:delete(webhook.webhook_id))
      local gone, err = client.webhooks:get(webhook.webhook_id)
      assert.is_nil(gone)
      assert.equal("not_found", err.kind)
    end)

    it("take the widget under either of its names", function()
      local one = create()
      local other = assert(client.webhooks:create {
        url = "https://example.com/", name = "n", is_sandbox = true,
        connect_flow_id = helper.WIDGET,
      })
      for _, webhook in ipairs { one, other } do
        assert.equal(helper.WIDGET, webhook.widget_id)
        assert.equal(helper.WIDGET, webhook.connect_flow_id)
      end
    end)
  end)
end)

describe("responses", function()
  local faults
  setup(function() faults = helper.faults() end)
  teardown(function() assert.equal(0, faults:stop()) end)

  it("keep unknown fields, omit nulls, and distinguish integers", function()
    local data, meta = faults:client("rich").users:get("u1")
    assert.same({
      count = 3, rate = 0.5, inner = { new_field = "kept" }, list = { { trips = 9 } },
    }, data)
    assert.is_true(is_integer(data.count))
    assert.is_true(is_integer(data.list[1].trips))
    assert.same({ limit = 120, remaining = 119, reset = 1900000000 }, meta.rate_limit)
    assert.equal("fault-request", meta.request_id)
    assert.equal(200, meta.status)
  end)

  it("without a rate limit have none in meta", function()
    local _, meta = faults:client("good").users:get("u1")
    assert.is_nil(meta.rate_limit)
  end)

  it("send both names of the widget, whichever is given", function()
    local json = require("palenca.util.json")
    for _, name in ipairs { "widget_id", "connect_flow_id" } do
      local given = { [name] = helper.WIDGET }
      assert.truthy(faults:client("good").users:create(given))
      assert.same({ widget_id = helper.WIDGET, connect_flow_id = helper.WIDGET },
        json.decode(faults:stats().last.body))
      assert.same({ [name] = helper.WIDGET }, given)
    end
  end)

  it("are asked for under an id that cannot change the path", function()
    for id, segment in pairs {
      ["a/b"] = "a%2Fb", ["a?b#c"] = "a%3Fb%23c", ["a b"] = "a%20b", ["ñ"] = "%C3%B1",
      ["a\r\n"] = "a%0D%0A", ["%2e%2e"] = "%252e%252e", ["a%1"] = "a%251", ["..."] = "...",
    } do
      assert.truthy(faults:client("good").users:get(id))
      assert.equal("/good/v1/users/" .. segment, faults:stats().last.target)
    end
  end)
end)

describe("before anything is sent", function()
  local faults, client
  setup(function()
    faults = helper.faults()
    client = faults:client("good")
  end)
  teardown(function()
    assert.equal(0, faults:stats().requests)
    assert.equal(0, faults:stop())
  end)

  for what, id in pairs {
    ["an empty id"] = "", dots = "..", ["an id with a slash"] = helper.ACCOUNT .. "/x",
    ["a short id"] = helper.ACCOUNT:sub(1, -2), ["a long id"] = helper.ACCOUNT .. "0",
    ["an id with a line end"] = helper.ACCOUNT .. "\n", ["a number"] = 7, ["a table"] = {},
    ["a letter beyond f"] = (helper.ACCOUNT:gsub("^.", "g")), ["false"] = false,
  } do
    it("rejects " .. what .. " for an account or webhook", function()
      for _, method in ipairs { "get", "profile" } do
        helper.blames_caller(function() client.accounts[method](client.accounts, id) end,
          "accounts:" .. method .. ": id must be")
      end
      helper.blames_caller(function() client.accounts:earnings(id, helper.PERIOD) end,
        "accounts:earnings: id must be")
      for _, method in ipairs { "get", "update", "delete" } do
        helper.blames_caller(function() client.webhooks[method](client.webhooks, id) end,
          "webhooks:" .. method .. ": id must be")
      end
    end)
  end

  it("rejects a missing id, and a dot where a colon belongs", function()
    helper.blames_caller(function() client.accounts:get() end, "accounts:get: id", "nil")
    helper.blames_caller(function() client.accounts.get(helper.ACCOUNT) end,
      "accounts:get: call it with a colon, as in client.accounts:get(...)")
    helper.blames_caller(function() client.accounts.earnings(client, helper.ACCOUNT) end,
      "as in client.accounts:earnings(...)")
    helper.blames_caller(function() client.countries.list() end, "as in client.countries:list(...)")
    helper.blames_caller(function() client.request("GET", "/v1/platforms") end,
      "client:request: call it with a colon")
    helper.blames_caller(function() client.users:get() end, "users:get: id", "nil")
  end)

  it("rejects a user's id that is empty, dots or no text", function()
    for _, id in ipairs { "", ".", "..", 7, {}, true } do
      for _, method in ipairs { "get", "accounts" } do
        helper.blames_caller(function() client.users[method](client.users, id) end,
          "users:" .. method .. ": id")
      end
    end
  end)

  it("rejects an unknown field, and says which there are", function()
    helper.blames_caller(function() client.users:create { externalid = "x" } end,
      "users:create: unknown field 'externalid'", "external_id, user_id, widget_id")
    helper.blames_caller(function() client.webhooks:update(helper.UNKNOWN, { active = true }) end,
      "webhooks:update: unknown field 'active'")
    helper.blames_caller(function()
      client.accounts:earnings(helper.ACCOUNT, { from = "2024-09-01" })
    end, "accounts:earnings: unknown field 'from'")
  end)

  it("rejects a field of a wrong type", function()
    local function webhook(name, value)
      local fields = { url = "https://example.com/", name = "n", is_sandbox = true }
      fields[name] = value
      helper.blames_caller(function() client.webhooks:create(fields) end,
        "webhooks:create: " .. name .. " must be",
        type(value) == "string" and "got '" .. value .. "'"
          or "got " .. (type(value) == "table" and "a table" or value))
    end
    webhook("url", 5)
    webhook("name", "")
    webhook("is_sandbox", "true")
    webhook("widget_id", "b679c2fb")
    webhook("sign_request", 1)
    webhook("widget_id", "w")
    webhook("events", "login.success")
    webhook("events", {})
    webhook("events", { "login.success", 5 })
    helper.blames_caller(function() client.users:create { external_id = 7 } end, "external_id")
    helper.blames_caller(function() client.users:create("x") end, "users:create takes a table")
  end)

  it("misses a field that must be there", function()
    helper.blames_caller(function()
      client.webhooks:create { url = "https://example.com/", name = "n" }
    end, "webhooks:create: field 'is_sandbox' is missing")
    helper.blames_caller(function() client.accounts:earnings(helper.ACCOUNT) end,
      "accounts:earnings: fields 'end_date', 'start_date' are missing")
    helper.blames_caller(function()
      client.accounts:earnings(helper.ACCOUNT, { start_date = "2024-09-01" })
    end, "field 'end_date' is missing")
  end)

  for _, date in ipairs {
    "2025-02-29", "1900-02-29", "2024-02-30", "2024-13-01", "2024-00-10", "2024-04-31",
    "2024-01-00", "2024-1-1", "24-01-01", "2024-01-01T00:00:00", " 2024-01-01", "yesterday",
  } do
    it("rejects the date " .. date, function()
      helper.blames_caller(function()
        client.accounts:earnings(helper.ACCOUNT, { start_date = "2020-01-01", end_date = date })
      end, "accounts:earnings: end_date must be an existing date")
    end)
  end

  it("takes leap days, and a period of one day", function()
    for _, date in ipairs { "2024-02-29", "2000-02-29", "2024-12-31" } do
      assert.truthy(client.accounts:earnings(helper.ACCOUNT,
        { start_date = date, end_date = date }))
    end
  end)

  it("rejects a period that ends before it starts", function()
    helper.blames_caller(function()
      client.accounts:earnings(helper.ACCOUNT,
        { start_date = "2024-09-02", end_date = "2024-09-01" })
    end, "accounts:earnings: start_date (2024-09-02) is after end_date (2024-09-01)")
  end)

  it("rejects a page size or a page that is no whole number from 1", function()
    for _, value in ipairs { 0, -1, 2.5, 0 / 0, math.huge, "3", {} } do
      helper.blames_caller(function()
        client.accounts:earnings(helper.ACCOUNT, {
          start_date = "2024-09-01", end_date = "2024-09-01", items_per_page = value,
        })
      end, "accounts:earnings: items_per_page must be a whole number")
      local pager = client.accounts:earnings(helper.ACCOUNT, helper.PERIOD)
      helper.blames_caller(function() pager:page(value) end, "page must be a whole number")
    end
  end)
end)
