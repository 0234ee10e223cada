--- The sandbox's outside: options, keys, rate limit, routing, users, repeatability.
local helper = require("spec.sandbox.helper")
local sandbox = require("palenca.sandbox")

local uuid = "^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$"

describe("sandbox options", function()
  local function clock() return 0.0 end

  for name, options in pairs {
    ["no key"] = { clock = clock },
    ["empty key"] = { api_key = "", clock = clock },
    ["no clock"] = { api_key = "k" },
    ["fractional seed"] = { api_key = "k", clock = clock, seed = 1.5 },
    ["negative limit"] = { api_key = "k", clock = clock, rate_limit = -1 },
    ["negative delay"] = { api_key = "k", clock = clock, webhook_delay = -1 },
  } do
    it("rejects " .. name, function()
      assert.has_error(function() sandbox.new(options) end)
    end)
  end

  it("has defaults for the rest", function()
    local box = sandbox.new { api_key = "k", clock = clock }
    local status, headers = box:handle {
      method = "GET", path = "/v1/webhooks", headers = { ["x-api-key"] = "k" }, body = "",
    }
    assert.equal(200, status)
    assert.equal("120", headers["X-RateLimit-Limit"])
  end)
end)

describe("sandbox keys", function()
  local api
  before_each(function() api = helper.new() end)

  for name, case in pairs {
    ["missing"] = { {}, "missing_api_key" },
    ["empty"] = { { ["x-api-key"] = "" }, "missing_api_key" },
    ["wrong"] = { { ["x-api-key"] = "other" }, "invalid_api_key" },
  } do
    it("responds with 401 to a key that is " .. name, function()
      for _, target in ipairs { "/v1/webhooks", "/v1/nothing" } do
        local status, response, headers, text = api:call("GET", target, nil, case[1])
        assert.equal(401, status)
        assert.equal(case[2], response.error.code)
        assert.is_false(response.success)
        assert.truthy(text:find('"errors":[],', 1, true) or text:find('"errors":[]}', 1, true))
        assert.truthy(text:find('"data":null', 1, true))
        assert.equal("application/json", headers["Content-Type"])
        assert.truthy(headers["X-Request-Id"]:match(uuid))
        assert.is_nil(headers["X-RateLimit-Limit"])
      end
    end)
  end

  it("asks for none at / and /sandbox/logins", function()
    assert.equal(200, (api:call("GET", "/", nil, {})))
    assert.equal(201, (api:call("POST", "/sandbox/logins", { platform = "uber" }, {})))
  end)
end)

describe("sandbox rate limit", function()
  local function spend(api, count)
    local status, response, headers
    for _ = 1, count do
      status, response, headers = api:call("GET", "/v1/webhooks")
    end
    return status, headers, response
  end

  it("counts down, and rejects requests beyond the limit until the window ends", function()
    local api = helper.new { rate_limit = 3 }
    api.now = 1000.5
    local status, headers = spend(api, 1)
    assert.equal(200, status)
    assert.equal("3", headers["X-RateLimit-Limit"])
    assert.equal("2", headers["X-RateLimit-Remaining"])
    assert.equal("1060", headers["X-RateLimit-Reset"])
    assert.is_nil(headers["Retry-After"])
    status, headers = spend(api, 2)
    assert.equal(200, status)
    assert.equal("0", headers["X-RateLimit-Remaining"])

    local response
    api.now = 1030.25
    status, headers, response = spend(api, 1)
    assert.equal(429, status)
    assert.equal("too_many_requests", response.error.code)
    assert.equal("30", headers["Retry-After"])
    assert.equal("0", headers["X-RateLimit-Remaining"])
    assert.equal("1060", headers["X-RateLimit-Reset"])

    api.now = 1059.99
    assert.equal(429, (spend(api, 1)))
    api.now = 1060.0
    status, headers = spend(api, 1)
    assert.equal(200, status)
    assert.equal("2", headers["X-RateLimit-Remaining"])
    assert.equal("1120", headers["X-RateLimit-Reset"])
  end)

  it("counts unknown paths, and no request that is not authenticated", function()
    local api = helper.new { rate_limit = 2 }
    api:call("GET", "/v1/webhooks", nil, { ["x-api-key"] = "other" })
    api:call("GET", "/", nil)
    local status, _, headers = api:call("GET", "/v1/nothing")
    assert.equal(404, status)
    assert.equal("1", headers["X-RateLimit-Remaining"])
  end)

  it("starts afresh when the clock is set back", function()
    local api = helper.new { rate_limit = 1 }
    spend(api, 1)
    api.now = api.now - 3600
    assert.equal(200, (spend(api, 1)))
  end)

  it("is off at 0, headers and all", function()
    local status, headers = spend(helper.new { rate_limit = 0 }, 300)
    assert.equal(200, status)
    assert.is_nil(headers["X-RateLimit-Limit"])
    assert.is_nil(headers["X-RateLimit-Remaining"])
    assert.is_nil(headers["X-RateLimit-Reset"])
  end)
end)

describe("sandbox routing", function()
  local api
  before_each(function() api = helper.new() end)

  it("says at / what it is", function()
    for _, method in ipairs { "GET", "HEAD" } do
      local status, response, headers = api:call(method, "/", nil, {})
      assert.equal(200, status)
      assert.equal("palenca sandbox", response.name)
      local listed = table.concat(response.paths, "\n")
      assert.truthy(listed:find("POST /v1/accounts/{account_id}/earnings/search", 1, true))
      assert.truthy(listed:find("POST /sandbox/logins", 1, true))
      assert.equal("application/json", headers["Content-Type"])
    end
  end)

  it("responds with 404 to unknown paths", function()
    for _, target in ipairs {
      "/nothing", "/v1/", "/v1/user", "/v1/users/", "/sandbox", "/v1/webhooks/a/b", "/v1xusers",
    } do
      local status, response = api:call("GET", target)
      assert.equal(404, status, target)
      assert.equal("not_found", response.error.code)
    end
  end)

  for target, case in pairs {
    ["/v1/users"] = { "GET", "POST" },
    ["/v1/webhooks"] = { "DELETE", "POST, GET" },
    ["/v1/webhooks/" .. helper.UNKNOWN] = { "PATCH", "GET, PUT, DELETE" },
    ["/v1/accounts/" .. helper.TUTORIAL] = { "POST", "GET, DELETE" },
    ["/sandbox/logins"] = { "DELETE", "POST, GET" },
    ["/"] = { "POST", "GET, HEAD" },
  } do
    it("responds with 405 to a wrong method on " .. target, function()
      local status, response, headers = api:call(case[1], target)
      assert.equal(405, status)
      assert.equal("method_not_allowed", response.error.code)
      assert.equal(case[2], headers.Allow)
    end)
  end

  local by_id = {
    { "GET", "/v1/users/%s", "user_id" },
    { "GET", "/v1/users/%s/accounts", "user_id" },
    { "GET", "/v1/accounts/%s", "account_id" },
    { "GET", "/v1/accounts/%s/profile", "account_id" },
    { "POST", "/v1/accounts/%s/earnings/search", "account_id" },
    { "GET", "/v1/webhooks/%s", "webhook_id" },
    { "PUT", "/v1/webhooks/%s", "webhook_id" },
    { "DELETE", "/v1/webhooks/%s", "webhook_id" },
  }
  for _, case in ipairs(by_id) do
    local method, pattern, name = table.unpack(case)

    it(("responds with 404 to an unknown id: %s %s"):format(method, pattern), function()
      local status, response = api:call(method, pattern:format(helper.UNKNOWN), {})
      assert.equal(404, status)
      assert.equal("not_found", response.error.code)
    end)

    it(("responds with 422 to an id that is no UUID: %s %s"):format(method, pattern), function()
      for _, id in ipairs { "7", helper.UNKNOWN .. "0", "g" .. helper.UNKNOWN:sub(2) } do
        local status, response = api:call(method, pattern:format(id), {})
        assert.equal(422, status, id)
        assert.equal("type_error.uuid", helper.blames(response, "path." .. name))
      end
    end)
  end

  it("takes ids in capitals", function()
    assert.equal(200, (api:call("GET", "/v1/accounts/" .. helper.TUTORIAL:upper())))
  end)
end)

describe("sandbox bodies", function()
  local targets = {
    { "POST", "/v1/webhooks" },
    { "POST", "/v1/accounts/" .. helper.TUTORIAL .. "/earnings/search" },
    { "POST", "/sandbox/logins" },
    { "POST", "/v1/users", may_be_empty = true },
  }
  for name, case in pairs {
    ["empty"] = { "", "value_error.missing" },
    ["not JSON"] = { "{nope", "value_error.jsondecode" },
    ["followed by more"] = { "{} {}", "value_error.jsondecode" },
    ["not UTF-8"] = { '{"name":"\xff"}', "value_error.jsondecode" },
    ["a list"] = { "[]", "type_error.dict" },
    ["null"] = { "null", "type_error.dict" },
    ["a number"] = { "7", "type_error.dict" },
    ["a string"] = { '"{"', "type_error.dict" },
  } do
    it("responds with 422 to a body that is " .. name, function()
      local api = helper.new()
      for _, target in ipairs(targets) do
        if not (target.may_be_empty and case[1] == "") then
          local status, response = api:call(target[1], target[2], case[1])
          assert.equal(422, status, target[2])
          assert.equal(case[2], helper.blames(response, "body"), target[2])
        end
      end
    end)
  end
end)

describe("sandbox users", function()
  local api
  before_each(function() api = helper.new() end)

  it("creates and reads one", function()
    local status, response = api:call("POST", "/v1/users",
      { external_id = "worker/7", widget_id = helper.WIDGET, color = "ignored" })
    assert.equal(201, status)
    assert.is_true(response.success)
    assert.truthy(response.data.user_id:match(uuid))
    assert.equal("worker/7", response.data.external_id)
    assert.equal(helper.WIDGET, response.data.widget_id)
    local again, read = api:call("GET", "/v1/users/" .. response.data.user_id)
    assert.equal(200, again)
    assert.same(response.data, read.data)
  end)

  it("creates one from nothing, with nulls spelt out", function()
    for _, body in ipairs { "", "{}" } do
      local status, response, _, text = api:call("POST", "/v1/users", body)
      assert.equal(201, status)
      assert.truthy(text:find('"error":null', 1, true))
      assert.truthy(text:find('"external_id":null', 1, true))
      assert.truthy(response.data.widget_id:match(uuid))
    end
  end)

  it("takes connect_flow_id for widget_id, and an id of the caller's", function()
    local body = { connect_flow_id = helper.WIDGET, user_id = helper.UNKNOWN }
    local status, response = api:call("POST", "/v1/users", body)
    assert.equal(201, status)
    assert.equal(helper.WIDGET, response.data.widget_id)
    assert.equal(helper.UNKNOWN, response.data.user_id)
    status, response = api:call("POST", "/v1/users", body)
    assert.equal(422, status)
    assert.equal("bad_request", response.error.code)
    assert.equal("user_id", response.error.errors[1].location)
  end)

  it("creates another one each time", function()
    local _, one = api:call("POST", "/v1/users", { external_id = "x" })
    local _, other = api:call("POST", "/v1/users", { external_id = "x" })
    assert.not_equal(one.data.user_id, other.data.user_id)
  end)

  it("names every fault", function()
    local status, response = api:call("POST", "/v1/users",
      { external_id = 7, widget_id = "w", user_id = false })
    assert.equal(422, status)
    assert.equal(3, #response.detail)
    assert.equal("type_error.str", helper.blames(response, "body.external_id"))
    assert.equal("type_error.uuid", helper.blames(response, "body.widget_id"))
    assert.equal("type_error.uuid", helper.blames(response, "body.user_id"))
  end)

  it("lists the accounts, none at first", function()
    local _, user = api:call("POST", "/v1/users", {})
    local target = "/v1/users/" .. user.data.user_id .. "/accounts"
    local status, _, _, text = api:call("GET", target)
    assert.equal(200, status)
    assert.truthy(text:find('"accounts":[]', 1, true))
    local login = api:login { platform = "didi", user_id = user.data.user_id }
    local _, response = api:call("GET", target)
    assert.equal(user.data.user_id, response.data.user_id)
    assert.equal(1, #response.data.accounts)
    assert.equal(login.account_id, response.data.accounts[1].account_id)
    assert.equal("didi", response.data.accounts[1].platform)
  end)

  it("knows the tutorial's user", function()
    local _, response = api:call("GET", "/v1/users/" .. helper.TUTORIAL_USER .. "/accounts")
    assert.equal(helper.TUTORIAL, response.data.accounts[1].account_id)
  end)
end)

describe("sandbox repeatability", function()
  -- Everything there is to see of one small history, as one text.
  local function history(seed)
    local api = helper.new { seed = seed, rate_limit = 120, webhook_delay = 0 }
    local seen = {}
    local function see(method, target, body, headers)
      local status, response, response_headers, text = api:call(method, target, body, headers)
      seen[#seen + 1] = status .. text .. response_headers["X-Request-Id"]
      return response.data
    end
    see("POST", "/v1/webhooks", {
      url = "http://example.com", name = "n", widget_id = helper.WIDGET, is_sandbox = true,
      sign_request = true, events = { "login.success" },
    })
    local login = see("POST", "/sandbox/logins", { platform = "didi", external_id = "e" }, {})
    see("GET", "/v1/accounts/" .. login.account_id .. "/profile")
    see("POST", "/v1/accounts/" .. login.account_id .. "/earnings/search",
      { start_date = "2020-01-01", end_date = "2030-01-01" })
    return table.concat(seen, "\n"), login
  end

  it("responds with the same bytes for the same seed", function()
    assert.equal(history(5), (history(5)))
  end)

  it("generates other ids for another seed", function()
    local _, one = history(5)
    local _, other = history(6)
    assert.not_equal(one.account_id, other.account_id)
    assert.not_equal(one.login_id, other.login_id)
  end)

  it("generates ids that do not depend on earlier reads", function()
    local quiet, busy = helper.new(), helper.new()
    for _ = 1, 10 do
      busy:call("GET", "/v1/webhooks")
    end
    assert.same(quiet:login { platform = "uber" }, busy:login { platform = "uber" })
  end)

  it("never repeats a request id", function()
    local api, seen = helper.new(), {}
    for _ = 1, 500 do
      local _, _, headers = api:call("GET", "/v1/webhooks")
      assert.is_nil(seen[headers["X-Request-Id"]])
      seen[headers["X-Request-Id"]] = true
    end
  end)
end)
