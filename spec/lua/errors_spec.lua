--- Every way a call can fail, as the caller sees it: kind, code, status, message, attempts.
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local json = require("palenca.json")
local palenca = require("palenca")
local process = require("spec.support.process")
local uv = require("luv")

local KEY = helper.KEY

-- Asserts that a call failed, with these fields and in these words; answers the error.
local function failed(data, err, fields, ...)
  assert.is_nil(data)
  assert.is_true(errors.is(err))
  for name, value in pairs(fields) do
    assert.same(value, err[name], name .. ": " .. tostring(err))
  end
  for _, text in ipairs { ... } do
    assert.truthy(tostring(err):find(text, 1, true), tostring(err))
  end
  helper.holds_no(KEY, err)
  return err
end

describe("a fault", function()
  -- A new one each time: over a connection that was kept, curl itself asks twice.
  local faults
  before_each(function() faults = helper.faults() end)
  after_each(function() assert.equal(0, faults:stop()) end)

  local function get(fault, options)
    return faults:client(fault, options).users:get("u1")
  end

  local cases = {
    html_502 = { { kind = "server", status = 502 }, "web page", "HTTP 502" },
    html_200 = { { kind = "protocol", status = 200 }, "web page" },
    cut_json = { { kind = "protocol", status = 200 }, "not the API's JSON" },
    short_body = { { kind = "network" } },
    close = { { kind = "network" } },
    reset = { { kind = "network" } },
    garbage = { { kind = "protocol" } },
    empty = { { kind = "protocol", status = 200 }, "empty" },
    redirect = { { kind = "protocol", status = 302 } },
    bare_array = { { kind = "protocol", status = 200 } },
    bare_number = { { kind = "protocol", status = 200 } },
    detail_text = {
      { kind = "invalid", status = 400, message = "There was an error parsing the body" },
    },
    detail_number = { { kind = "invalid", status = 422 }, "not the API's JSON" },
    detail_list = {
      {
        kind = "invalid", status = 422, message = "the request is not valid",
        errors = {
          { message = "must be a number", location = "body.options.page" },
          { message = "is odd", location = "body.items.0" },
        },
      },
      "body.options.page: must be a number", "body.items.0: is odd",
    },
    refused_200 = {
      {
        kind = "platform", status = 200, code = "platform_error",
        message = "The platform failed",
      },
      "platform: platform_error: The platform failed (HTTP 200",
    },
    huge_body = { { kind = "protocol" }, "larger than the bound of 16777216 bytes" },
    huge_headers = { { kind = "protocol" } },
    huge_header = { { kind = "protocol" } },
  }
  for fault, case in pairs(cases) do
    it("is told of: " .. fault, function()
      local data, err = get(fault)
      failed(data, err, case[1], err.kind .. ": ", select(2, (table.unpack or unpack)(case)))
      assert.equal(1, err.attempts)
      assert.equal(1, faults:count("/" .. fault .. "/v1/users/u1"))
    end)
  end

  it("without an answer has no status", function()
    for _, fault in ipairs { "close", "reset" } do
      local _, err = get(fault)
      assert.is_nil(err.status)
      assert.is_nil(err.request_id)
      assert.is_nil(tostring(err):find("HTTP", 1, true))
    end
  end)

  it("names the request, for the API's support", function()
    local data, err = get("detail_text")
    failed(data, err, { request_id = "fault-request" }, "(HTTP 400, request fault-request)")
  end)

  local documented = {
    missing_api_key = { 401, "auth" }, invalid_api_key = { 401, "auth" },
    bad_request = { 422, "invalid" }, invalid_credentials = { 401, "platform" },
    platform_unavailable = { 503, "platform" }, too_many_requests = { 429, "rate_limited" },
    service_unavailable = { 503, "server" }, request_timeout = { 504, "timeout" },
    platform_error = { 422, "platform" }, invalid_otp = { 401, "platform" },
    expired_otp = { 401, "platform" }, email_not_validated = { 400, "platform" },
    invalid_phone_number = { 422, "invalid" }, invalid_email = { 422, "invalid" },
    lambda_error = { 503, "server" }, login_refused = { 400, "platform" },
    invalid_otp_auth_key = { 401, "platform" }, could_not_send_otp = { 401, "platform" },
    unable_to_get_performance = { 403, "platform" },
    recent_login_successful = { 412, "platform" }, invalid_otp_session = { 401, "platform" },
    -- not documented: the status decides
    brand_new = { 418, "invalid" }, not_yours = { 403, "auth" }, gone_away = { 404, "not_found" },
    slow_client = { 408, "timeout" }, slow_gateway = { 504, "timeout" }, broken = { 500, "server" },
    too_fast = { 429, "rate_limited" }, moved = { 301, "protocol" },
  }
  for code, case in pairs(documented) do
    it(string.format("with code %s and status %d is of kind %s", code, case[1], case[2]), function()
      local data, err = get("error:" .. code .. ":" .. case[1])
      failed(data, err, {
        kind = case[2], code = code, status = case[1], message = "About " .. code,
        errors = { { message = "look here", location = "body.field" } },
      }, "body.field: look here")
    end)
  end

  it("that repeats the key is told without it", function()
    local data, err = get("echo")
    failed(data, err, {
      kind = "auth", code = "invalid_api_key", message = "The key [key] is not known",
      request_id = "[key]",
    })
    assert.equal(KEY, faults:stats().last.headers["x-api-key"])
    data, err = faults:client("echo", { api_key = "%d+.*(magic)$" }).users:get("u1")
    assert.is_nil(data)
    assert.equal("The key [key] is not known", err.message)
  end)

  it("that never ends becomes a timeout", function()
    local data, err = get("never", { timeout = 0.2 })
    failed(data, err, { kind = "timeout", attempts = 1 })
    assert.is_nil(err.status)
    data, err = get("never", { timeout = 0.0001 })
    failed(data, err, { kind = "timeout" })
  end)

  describe("is tried again", function()
    it("where that is safe, and told of when it lasts", function()
      local data, err = get("unavailable", { max_retries = 2 })
      failed(data, err, { kind = "server", status = 503, attempts = 3, retry_after = 0 },
        "3 attempts")
      assert.equal(3, faults:count("/unavailable/v1/users/u1"))
    end)

    for _, fault in ipairs { "unavailable_once", "limited_once" } do
      it("until it is gone: " .. fault, function()
        local data, meta = faults:client(fault, { max_retries = 3 }).users:get("again")
        assert.is_true(data.ok)
        assert.equal(2, meta.attempts)
        assert.equal(2, faults:count("/" .. fault .. "/v1/users/again"))
      end)
    end

    it("as often as max_retries says, and not at all with 0", function()
      for retries = 0, 1 do
        local path = "u" .. retries
        local data, err = faults:client("close", { max_retries = retries }).users:get(path)
        failed(data, err, { kind = "network", attempts = retries + 1 })
        assert.equal(retries + 1, faults:count("/close/v1/users/" .. path))
      end
    end)

    it("for PUT, DELETE and searches too", function()
      local client = faults:client("unavailable_once", { max_retries = 1 })
      local _, meta = client.webhooks:update(helper.UNKNOWN, { name = "n" })
      assert.equal(2, meta.attempts)
      _, meta = faults:client("unavailable_once/d", { max_retries = 1 })
        .webhooks:delete(helper.UNKNOWN)
      assert.equal(2, meta.attempts)
      local data, err = faults:client("unavailable", { max_retries = 1 })
        .accounts:earnings(helper.ACCOUNT, helper.PERIOD):page(1)
      failed(data, err, { kind = "server", attempts = 2 })
    end)
  end)

  describe("of a creation", function()
    local options = { max_retries = 3 }

    for _, fault in ipairs { "close", "reset", "short_body", "unavailable", "html_502" } do
      it("is never followed by a second one: " .. fault, function()
        local client = faults:client(fault, options)
        local data, err = client.users:create { external_id = "once" }
        failed(data, err, { attempts = 1 })
        data, err = client.webhooks:create {
          url = "https://example.com", name = "n", is_sandbox = true,
        }
        failed(data, err, { attempts = 1 })
        data, err = client:request("POST", "/v1/other", {})
        failed(data, err, { attempts = 1 })
        for _, path in ipairs { "users", "webhooks", "other" } do
          assert.equal(1, faults:count("/" .. fault .. "/v1/" .. path))
        end
      end)
    end

    it("is never followed by a second one when it times out", function()
      local data, err = faults:client("never", { max_retries = 3, timeout = 0.2 }).users:create()
      failed(data, err, { kind = "timeout", attempts = 1 })
      assert.equal(1, faults:count("/never/v1/users"))
    end)

    it("is never sent over a kept connection, which might be closed by now", function()
      local fresh = helper.faults()
      local client = fresh:client("good")
      assert.truthy(client.users:get("u1"))
      assert.truthy(client.users:create())
      assert.equal(2, fresh:stats().connections)
      assert.equal(0, fresh:stop())
    end)

    it("is repeated after 429, which says that nothing was done", function()
      local data, meta = faults:client("limited_once", options).users:create()
      assert.is_true(data.ok)
      assert.equal(2, meta.attempts)
    end)
  end)
end)

describe("without a server", function()
  it("a call is a network failure, repeated even for a creation", function()
    local bound = uv.new_tcp() -- holds a port that nobody listens on
    bound:bind("127.0.0.1", 0)
    local client = palenca.new {
      api_key = KEY, base_url = "http://127.0.0.1:" .. bound:getsockname().port, max_retries = 1,
    }
    local data, err = client.users:get("u1")
    failed(data, err, { kind = "network", attempts = 2 })
    assert.is_nil(err.status)
    data, err = client.users:create()
    failed(data, err, { kind = "network", attempts = 2 })
    bound:close()
  end)
end)

describe("the sandbox", function()
  local sandbox, url, key
  setup(function() sandbox, url, key = process.sandbox { "--rate-limit", "0" } end)
  teardown(function() assert.equal(0, sandbox:stop()) end)

  local function client(options)
    local all = { api_key = key, base_url = url, rate_limit = 0, max_retries = 0 }
    for name, value in pairs(options or {}) do
      all[name] = value
    end
    return palenca.new(all)
  end

  it("refuses a wrong key", function()
    local data, err = client({ api_key = KEY }).accounts:get(helper.ACCOUNT)
    failed(data, err, { kind = "auth", code = "invalid_api_key", status = 401, attempts = 1 })
    assert.truthy(err.request_id)
  end)

  it("refuses a request without a key", function()
    local answer = palenca.http { url = url .. "/v1/webhooks" }
    assert.equal(401, answer.status)
    assert.equal("missing_api_key", json.decode(answer.body).error.code)
  end)

  it("does not find what is not there", function()
    for _, call in ipairs {
      function(c) return c.accounts:get(helper.UNKNOWN) end,
      function(c) return c.accounts:profile(helper.UNKNOWN) end,
      function(c) return c.users:get(helper.UNKNOWN) end,
      function(c) return c.webhooks:delete(helper.UNKNOWN) end,
      function(c) return c.accounts:earnings(helper.UNKNOWN, helper.PERIOD):all() end,
      function(c) return c:request("GET", "/v1/nothing") end,
    } do
      local data, err = call(client())
      failed(data, err, { kind = "not_found", code = "not_found", status = 404 })
    end
  end)

  it("refuses a request in both of the API's forms", function()
    local path = "/v1/accounts/" .. helper.ACCOUNT .. "/earnings/search"
    local data, err = client():request("POST", path,
      { start_date = "2024-09-02", end_date = "2024-09-01" })
    failed(data, err, { kind = "invalid", code = "bad_request", status = 422 })
    assert.equal("start_date", err.errors[1].location)
    data, err = client():request("POST", path, { start_date = "soon", end_date = "2024-09-01" })
    failed(data, err, { kind = "invalid", status = 422, message = "the request is not valid" })
    assert.is_nil(err.code)
    assert.equal("body.start_date", err.errors[1].location)
  end)
end)

describe("a rate limit", function()
  it("that is used up is told of, with the time to wait", function()
    local sandbox, url, key = process.sandbox { "--rate-limit", "3" }
    local client = palenca.new { api_key = key, base_url = url, rate_limit = 0, max_retries = 0 }
    for used = 1, 3 do
      local _, meta = client.webhooks:list()
      assert.equal(3, meta.rate_limit.limit)
      assert.equal(3 - used, meta.rate_limit.remaining)
    end
    local data, err = client.webhooks:list()
    failed(data, err, {
      kind = "rate_limited", code = "too_many_requests", status = 429, attempts = 1,
    })
    assert.is_true(err.retry_after > 0 and err.retry_after <= 60)
    assert.equal(0, sandbox:stop())
  end)
end)
