--- Every public operation: its success, its status and its rejections have the published form.
local helper = require("spec.sandbox.helper")
local operations = require("spec.sandbox.operations")
local reader = require("spec.sandbox.reader")
local shapes = require("spec.sandbox.shapes")
local world = require("spec.sandbox.world")

local UUID_PATTERN = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+$"

-- What is published, but nothing that the sandbox plays ever fills.
local NEVER_FILLED = {
  "account.recommendation", "employment_info.end_of_rights",
  "login.bulk_id", "login.insights_status", "login.insights_status_details",
  "widget.background_color", "widget.border_radius", "widget.country",
  "widget.custom_privacy_url", "widget.font_family", "widget.primary_color",
  "widget.redirect_url", "widget.text_field_style", "widget.webhook_url",
  "widget.whatsapp_number",
}

local function title(operation)
  return operation.method .. " " .. operation.path
end

-- A body of the published form, if the operation takes one.
local function good_body(operation, made)
  local ask = operation.asks and operation.asks(made)[1]
  return ask and ask.body
end

-- The methods of each path, as published.
local function methods_by_path()
  local paths = {}
  for _, operation in ipairs(operations) do
    paths[operation.path] = paths[operation.path] or {}
    paths[operation.path][operation.method] = true
  end
  return paths
end

describe("the checker of shapes", function()
  local checker = shapes()
  local good = '{"account_id":"' .. helper.UNKNOWN .. '","earnings":[{"amount":179.0,'
    .. '"currency":"mxn","earning_date":"2025-03-14","cash_amount":null,"count_trips":6}]}'

  it("takes what is right", function()
    assert.equal("", checker:faults("earnings", good))
  end)

  for name, case in pairs {
    ["a missing name"] = { '"count_trips":6', '"more":6', "earnings[1].count_trips is missing" },
    ["an unknown name"] = { '"count_trips":6', '"count_trips":6,"tips":1',
      "response.earnings[1].tips is not known" },
    ["a string for a number"] = { "179.0", '"179.0"', "amount: number? wanted" },
    ["a number for a string"] = { '"mxn"', "7", "currency: currency wanted, 7 found" },
    ["an unknown word"] = { '"mxn"', '"xyz"', 'currency: currency wanted, "xyz" found' },
    ["a point in an integer"] = { '":6', '":6.0', "count_trips: integer wanted, 6.0 found" },
    ["null that may not be"] = { '"2025-03-14"', "null", "earning_date: date wanted, null found" },
    ["a day that does not exist"] = { "2025-03-14", "2025-02-30", "earning_date: date wanted" },
    ["an id that is none"] = { helper.UNKNOWN, "7", 'account_id: uuid wanted, "7" found' },
    ["an object for a list"] = { "%[(.*)%]", "%1", "earnings: [earning] wanted" },
    ["a list for an object"] = { "^(.*)$", "[%1]", "response: earnings wanted" },
    ["null for a list"] = { "%[(.*)%]", "null", "earnings: [earning] wanted, null found" },
    ["a name that comes twice"] = { '"count_trips":6', '"amount":1,"count_trips":6', "not JSON" },
    ["a text that goes on"] = { "$", "}", "not JSON at byte" },
    ["a text that is cut off"] = { "%]}$", "]", "not JSON" },
  } do
    it("finds " .. name, function()
      local bad, count = good:gsub(case[1]:gsub("%-", "%%-"), case[2])
      assert.equal(1, count)
      local faults = checker:faults("earnings", bad)
      assert.truthy(faults:find((case[3]:gsub("number%?", "number")), 1, true), faults)
    end)
  end

  it("finds a wrong item of a list, a wrong time, and a wrong one of two kinds", function()
    for kind, texts in pairs {
      ["[country]"] = { '["mx","xx"]', '{}', '"mx"' },
      timestamp = { '"2025-01-01"', '"2025-01-01T25:00:00Z"', '"2025-01-01 10:00:00"', "7" },
      ["date|null"] = { '"x"', "7" },
      object = { "[]", "null", '"x"' },
      url = { '"/x"', '"ftp://x"', "null" },
    } do
      for _, text in ipairs(texts) do
        assert.not_equal("", checker:faults(kind, text), kind .. " " .. text)
      end
    end
    assert.equal("", checker:faults("date|null", "null"))
    assert.equal("", checker:faults("[country]", "[]"))
  end)

  it("lists the names that never had a value", function()
    local fresh = shapes()
    fresh:faults("earnings", good)
    local unseen = "\n" .. table.concat(fresh:unseen(), "\n") .. "\n"
    assert.is_nil(unseen:find("\nearning.amount\n", 1, true))
    assert.truthy(unseen:find("\nearning.cash_amount\n", 1, true))
  end)

  it("has no kind that does not exist", function()
    for name, shape in pairs(checker.shapes) do
      for field, kind in pairs(shape) do
        -- an object without a name is no value of any of them, but a kind that is missing raises
        local ok, problem = pcall(checker.check, checker, (kind:gsub("^%[(.*)%]%??$", "%1")), {},
          name .. "." .. field, {})
        assert.is_true(ok, tostring(problem))
      end
    end
  end)
end)

describe("the operations of the sandbox", function()
  it("are the published ones", function()
    local published, found = {}, {}
    for at, operation in ipairs(operations) do
      published[at] = title(operation)
    end
    local _, index = helper.new():call("GET", "/")
    for _, path in ipairs(index.paths) do
      found[#found + 1] = path:find(" /v1/", 1, true) and path or nil
    end
    table.sort(published)
    table.sort(found)
    assert.equal(28, #published)
    assert.same(published, found)
  end)

  for path, methods in pairs(methods_by_path()) do
    it("have no other method at " .. path, function()
      local checker, api = shapes(), helper.new()
      for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
        if not methods[method] then
          local status, response, headers, text = api:call(method,
            (path:gsub("{[%w_]+}", helper.UNKNOWN)), {})
          assert.equal(405, status, method)
          assert.equal("", checker:faults("failure", text))
          assert.equal("method_not_allowed", response.error.code)
          local allowed = {}
          for word in headers.Allow:gmatch("%a+") do
            allowed[word] = true
          end
          assert.same(methods, allowed)
        end
      end
    end)
  end
end)

describe("the sandbox's responses to", function()
  local responses = {}

  -- All of them once, in this order: what is deleted at the end is read at the beginning.
  setup(function()
    local made = world.new()
    for at, operation in ipairs(operations) do
      responses[at] = operations.ask(operation, made)
    end
  end)

  for at, operation in ipairs(operations) do
    it(title(operation) .. " is as published", function()
      local checker = shapes()
      assert.is_true(#responses[at] > 0)
      for _, response in ipairs(responses[at]) do
        assert.equal(operation.status, response.status, response.target .. " " .. response.text)
        local kind = checker:response(response.kind, operation.paged)
        assert.equal("", checker:faults(kind, response.text), response.target)
        assert.equal("application/json", response.headers["Content-Type"])
        assert.truthy(response.headers["X-Request-Id"]:find(UUID_PATTERN))
      end
    end)
  end

  it("them all leaves no published field empty but these", function()
    local checker = shapes()
    for at, operation in ipairs(operations) do
      for _, response in ipairs(responses[at]) do
        checker:faults(checker:response(response.kind, operation.paged), response.text)
      end
    end
    -- rejections are looked at elsewhere, and an account with its user is an account
    local others = {
      failure = true, reason = true, reason_detail = true, invalid = true, fault = true,
      account_of_user = true,
    }
    local unseen = {}
    for _, name in ipairs(checker:unseen()) do
      unseen[#unseen + 1] = not others[name:match("^[^.]+")] and name or nil
    end
    assert.same(NEVER_FILLED, unseen)
  end)
end)

describe("the pages of", function()
  for _, operation in ipairs(operations) do
    if operation.paged then
      it(title(operation) .. " are reported as they are", function()
        local made = world.new()
        for _, response in ipairs(operations.ask(operation, made)) do
          local whole = reader.read(response.text)
          local pages, rows = whole.pagination, nil
          for _, value in pairs(whole.data) do
            rows = reader.is_list(value) and value or rows
          end
          local left = pages.total_items - (pages.page - 1) * pages.items_per_page
          assert.equal(math.max(0, math.min(pages.items_per_page, left)), #rows, response.target)
          assert.equal(math.ceil(pages.total_items / pages.items_per_page), pages.total_pages)
        end
      end)
    end
  end
end)

describe("what the sandbox rejects of", function()
  local made, checker
  setup(function()
    made, checker = world.new(), shapes()
  end)

  local function rejected(operation, id, body, headers, status, kind)
    local got, response, _, text = made.api:call(operation.method, operations.target(operation, id),
      body, headers)
    assert.equal(status, got, text)
    assert.equal("", checker:faults(kind, text))
    return response
  end

  for _, operation in ipairs(operations) do
    local name = operation.path:match("{([%w_]+)}")

    it(title(operation) .. (operation.open and " is nothing without a key" or " without its key"),
      function()
        for code, headers in pairs {
          missing_api_key = helper.JSON,
          invalid_api_key = { ["x-api-key"] = helper.KEY .. "x" },
        } do
          if operation.open then
            assert.equal(200, (made.api:call(operation.method, operation.path, nil, headers)))
          else
            local id = name and made[operation.ids][1] or ""
            local response = rejected(operation, id, good_body(operation, made), headers, 401,
              "failure")
            assert.equal(code, response.error.code)
          end
        end
      end)

    if name and not operation.any_id then
      it(title(operation) .. " with an id that nothing has", function()
        local response = rejected(operation, helper.UNKNOWN, good_body(operation, made), nil, 404,
          "failure")
        assert.equal("not_found", response.error.code)
      end)

      it(title(operation) .. " with an id that is none", function()
        local response = rejected(operation, "me", good_body(operation, made), nil, 422, "invalid")
        assert.equal("type_error.uuid", helper.blames(response, "path." .. name))
      end)
    end

    for at, wrong in ipairs(operation.wrong or {}) do
      it(("%s with a wrong %s (%d)"):format(title(operation), wrong[2], at), function()
        local response = rejected(operation, name and made[operation.ids][1], wrong[1], nil, 422,
          "invalid")
        assert.truthy(helper.blames(response, wrong[2]))
      end)
    end

    if operation.wrong then
      it(title(operation) .. " with a body that is no object", function()
        for _, body in ipairs { "{", "[]", "7", not operation.empty and "" or nil } do
          local response = rejected(operation, name and made[operation.ids][1], body, nil, 422,
            "invalid")
          assert.truthy(helper.blames(response, "body"))
        end
      end)
    end
  end

  it("any search that ends before it starts", function()
    for _, operation in ipairs(operations) do
      local body = good_body(operation, made)
      if body and body.start_date then
        body = world.period { start_date = "2025-02-02", end_date = "2025-02-01",
          external_id = world.MIXED }
        local response = rejected(operation, operation.ids and made.accounts[1], body, nil, 422,
          "failure")
        assert.equal("bad_request", response.error.code)
        assert.equal("start_date", response.error.errors[1].location)
      end
    end
  end)

  for _, case in ipairs {
    { "/v1/countries?only_active=maybe", "only_active" },
    { "/v1/accounts/" .. helper.TUTORIAL .. "/employment?page=0", "page" },
    { "/v1/accounts/" .. helper.TUTORIAL .. "/employment?items_per_page=x", "items_per_page" },
  } do
    it("GET " .. case[1], function()
      local status, response, _, text = made.api:call("GET", case[1])
      assert.equal(422, status)
      assert.equal("", checker:faults("invalid", text))
      assert.truthy(helper.blames(response, "query." .. case[2]))
    end)
  end
end)
