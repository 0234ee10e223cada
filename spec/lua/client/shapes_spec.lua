--- Responses of another shape than the API documents: each is data or an error, for every reader.
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local palenca = require("palenca")
local runtime = require("palenca.runtime")

-- Responds to every request with a body, or with what a function makes of its page.
local function serve(body, status)
  runtime.use {
    submit = function(request) return request end,
    wait = function(request)
      local page = tonumber(request.body and request.body:match('"page":(%d+)') or 1)
      local text = type(body) == "function" and body(page) or body
      return { status = status or 200, body = text, attempts = 1, request_id = "r" }
    end,
    cancel = function() end,
  }
end

local function client()
  return palenca.new { api_key = helper.KEY, base_url = "http://127.0.0.1:1" }
end

local function failed(data, err, kind)
  assert.is_nil(data)
  assert.is_true(errors.is(err))
  assert.equal(kind or "protocol", err.kind)
  assert.is_string(err.message)
  assert.is_string(tostring(err))
  assert.is_string(err:advice("es"))
  return err
end

local PERIOD = { start_date = "2025-01-01", end_date = "2025-02-01", items_per_page = 2 }

local searches = {
  users = function(c) return c.users:search(PERIOD) end,
  logins = function(c) return c.logins:search(PERIOD) end,
  consents = function(c) return c.consents:search { items_per_page = 2 } end,
  earnings = function(c) return c.accounts:earnings(helper.ACCOUNT, PERIOD) end,
  events = function(c) return c.accounts:events(helper.ACCOUNT, PERIOD) end,
}
local is_counted = { earnings = true, events = true }

local calls = {
  ["users:get"] = function(c) return c.users:get("u1") end,
  ["users:create"] = function(c) return c.users:create() end,
  ["users:aggregated_earnings"] = function(c)
    return c.users:aggregated_earnings { start_date = "2025-01-01", end_date = "2025-02-01" }
  end,
  ["accounts:profile"] = function(c) return c.accounts:profile(helper.ACCOUNT) end,
  ["accounts:employment"] = function(c) return c.accounts:employment(helper.ACCOUNT) end,
  ["logins:get"] = function(c) return c.logins:get(helper.UNKNOWN) end,
  ["webhooks:list"] = function(c) return c.webhooks:list() end,
  ["consents:get"] = function(c) return c.consents:get("X") end,
  ["widgets:get"] = function(c) return c.widgets:get(helper.WIDGET) end,
  ["platforms:list"] = function(c) return c.platforms:list() end,
}

describe("a response of another shape", function()
  after_each(function() runtime.use(nil) end)

  for name, call in pairs(calls) do
    it("is an error of " .. name .. ", or data", function()
      for _, body in ipairs {
        "", " ", "null", "5", "true", '"text"', "[]", "[1]", "{}", '{"data":null}', "<html></html>",
        '{"success":true,"data":5}', '{"success":true,"data":"text"}',
        '{"success":true,"data":false}', '{"success":true,"data":true}', '{"data":false}',
        '{"success":"true","data":{}}', '{"success":"false","data":{}}', '{"success":0,"data":{}}',
        '{"success":[],"data":{}}', '{"error":"boom","data":{}}', '{"error":{},"data":{}}',
        '{"success":false,"data":{}}', '{"success":true,"data":{}', "\255",
        ("["):rep(2000) .. ("]"):rep(2000),
      } do
        serve(body)
        failed(call(client()))
      end
      for _, body in ipairs {
        '{"success":true,"data":{"a":1}}', '{"success":true,"data":{"a":1},"data":{"a":1}}',
        '{"success":null,"error":null,"data":{"a":1}}', '{"data":{"a":1},"pagination":5}',
      } do
        serve(body)
        local data, meta = call(client())
        assert.same({ a = 1 }, data)
        assert.is_nil(meta.pagination)
      end
    end)
  end

  it("is whatever it is for an endpoint that is not known", function()
    for text, value in pairs { ["5"] = 5, ['"text"'] = "text", ["false"] = false } do
      serve('{"success":true,"data":' .. text .. "}")
      local data, meta = client():request("GET", "/v1/other")
      assert.equal(value, data)
      assert.equal(200, meta.status)
    end
  end)

  local function page(name, rows, pagination)
    return ('{"success":true,"data":{"%s":%s},"pagination":%s}'):format(name, rows, pagination)
  end

  -- Asserts that a search fails in each way to read it.
  local function fails(search)
    for _, method in ipairs { "all", "next", "page" } do
      local pager = search(client())
      failed(pager[method](pager, 1))
    end
    local ok, err = pcall(function()
      for _ in search(client()):each() do
        error("a row")
      end
    end)
    assert.is_false(ok)
    failed(nil, err)
  end

  for name, search in pairs(searches) do
    it("is an error of a search of " .. name .. ": its pagination is no object", function()
      for _, pagination in ipairs { "5", "0", "-1", "true", "false", '"text"', '""' } do
        serve(page(name, "[{}]", pagination))
        fails(search)
      end
    end)

    it("is an error of a search of " .. name .. ": its data or its rows", function()
      for _, data in ipairs { "5", '"text"', "true", "false" } do
        serve('{"success":true,"data":' .. data .. ',"pagination":{"page":1}}')
        fails(search)
      end
      for _, rows in ipairs {
        "5", '"text"', "true", "false", '["row"]', "[1]", "[null,{}]", '{"a":{}}', "[{},[],true]",
      } do
        serve(page(name, rows, '{"page":1,"items_per_page":2,"total_items":1,"total_pages":1}'))
        fails(search)
      end
    end)

    it("is never a complete search of " .. name .. " by its pagination's fields", function()
      local right = { page = "1", items_per_page = "2", total_items = "1", total_pages = "1" }
      for field in pairs(right) do
        for _, value in ipairs {
          "null", '"1"', "true", "[]", "{}", "-1", "1.5", "1e16", "1e999", "-1e999", "0.99",
          "9007199254740993", "99999999999999999999",
        } do
          local parts = {}
          for each, good in pairs(right) do
            parts[#parts + 1] = ('"%s":%s'):format(each, each == field and value or good)
          end
          local pagination = "{" .. table.concat(parts, ",") .. "}"
          serve(function(number)
            return page(name, number == 1 and '[{"a":1}]' or "[]", pagination)
          end)
          local rows, report = search(client()):all()
          assert.same({ { a = 1 } }, report.complete and rows or { { a = 1 } })
          -- of what the API does not count, one field is looked at
          local is_same = not is_counted[name] and field ~= "total_items"
          assert.equal(is_same, report.complete, pagination)
          assert.is_true(report.total_items == nil or type(report.total_items) == "number")
          assert.is_true(report.complete or type(report.reason) == "string")
        end
      end
    end)
  end

  it("whose count is of another page is not complete", function()
    for _, totals in ipairs {
      { "3", "2", "2" }, { "2", "3", "2" }, { "2", "2", "3" }, { "2", "2" },
    } do
      serve(function(number)
        local pagination = totals[number] and '{"total_items":' .. totals[number] .. "}" or "null"
        return page("users", number <= 2 and '[{"a":' .. number .. "}]" or "[]", pagination)
      end)
      local rows, report = searches.users(client()):all()
      assert.equal(2, #rows)
      assert.is_false(report.complete, table.concat(totals, " "))
    end
  end)

  it("whose rows move while their number stays is not complete", function()
    local reads = 0
    serve(function(number)
      reads = reads + 1
      local moved = reads > 1 -- 1 has gone, 5 has come
      local pages = moved and { '[{"a":2},{"a":3}]', '[{"a":4},{"a":5}]' }
        or { '[{"a":1},{"a":2}]' }
      return page("users", pages[number] or "[]", '{"total_items":4}')
    end)
    local rows, report = searches.users(client()):all()
    assert.equal(2, report.readings)
    assert.is_true(report.complete)
    assert.same({ { a = 2 }, { a = 3 }, { a = 4 }, { a = 5 } }, rows)
  end)
end)

describe("an error of another shape", function()
  after_each(function() runtime.use(nil) end)

  local function get(body, status)
    serve(body, status or 422)
    return failed(client().users:get("u1"), select(2, client().users:get("u1")), "invalid")
  end

  it("keeps the details that it has", function()
    local m = { { message = "m", location = "l" } }
    for errors_text, details in pairs {
      ['[null,{"message":"m","location":"l"}]'] = m,
      ['[null,null,{"message":"m","location":"l"},null]'] = m,
      ['[5,true,[],{},{"message":"m","location":"l"}]'] = m,
      ['["m"]'] = { { message = "m" } },
      ['[{"message":5,"location":"l"}]'] = { { location = "l" } },
      ['[{"message":"m","location":["a",null,0,{}]}]'] = { { message = "m", location = "a.0" } },
      ['[{"message":"m","location":7}]'] = { { message = "m", location = "7" } },
    } do
      local err = get('{"success":false,"error":{"code":"c","message":"said","errors":'
        .. errors_text .. "}}")
      assert.same({ "c", "said" }, { err.code, err.message })
      assert.same(details, err.errors, errors_text)
    end
  end)

  it("has none where there are none", function()
    for _, errors_text in ipairs { "5", "true", "false", "null", "[]", "{}", '"text"', "[null]" } do
      assert.is_nil(get('{"error":{"errors":' .. errors_text .. "}}").errors)
    end
  end)

  it("has a code and a message that are texts", function()
    for body, expected in pairs {
      ['{"error":{"code":5,"message":"m"}}'] = { "5", "m" },
      ['{"error":{"code":1234567890123456,"message":"m"}}'] = { "1234567890123456", "m" },
      ['{"error":{"code":{},"message":["m"]}}'] = { nil, "the API rejected the request" },
      ['{"error":{"code":"c","message":{}}}'] = { "c", "c" },
      ['{"error":{"code":"c","message":""}}'] = { "c", "c" },
      ['{"error":{"code":"","message":null}}'] = { nil, "the API rejected the request" },
      ['{"error":[]}'] = { nil, "the API rejected the request" },
      ['{"error":"boom"}'] = { nil, "boom" },
      ['{"success":false,"error":"boom","data":null}'] = { nil, "boom" },
      ['{"message":"Forbidden"}'] = { nil, "Forbidden" },
      ['{"message":"m","code":"c"}'] = { "c", "m" },
      ['{"error":5}'] = { nil, "the response is not the API's JSON" },
      ['{"error":"","message":5}'] = { nil, "the response is not the API's JSON" },
      ['{"detail":"d"}'] = { nil, "d" },
      ['{"detail":""}'] = { nil, "the response is not the API's JSON" },
      ['{"detail":{"code":"c","message":"m"}}'] = { "c", "m" },
    } do
      local err = get(body)
      assert.same(expected, { err.code, err.message }, body)
    end
  end)

  it("keeps what its detail says", function()
    for detail, details in pairs {
      ['[null,{"loc":["body",null,0],"msg":"m"}]'] = { { message = "m", location = "body.0" } },
      ['[{"loc":"body","msg":"m"}]'] = { { message = "m", location = "body" } },
      ['[{"loc":{},"msg":"m"}]'] = { { message = "m" } },
      ['[{"loc":[{}],"msg":5}]'] = false,
      ['["m"]'] = { { message = "m" } },
      ["[5,null]"] = false,
      ["{}"] = false,
    } do
      local err = get('{"detail":' .. detail .. "}")
      assert.equal("the request is not valid", err.message)
      assert.same(details or nil, err.errors, detail)
    end
  end)
end)
