--- Every way a call can fail, as the caller sees it: kind, code, status, message, attempts.
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local json = require("palenca.util.json")
local palenca = require("palenca")
local uv = require("luv")

local KEY = helper.KEY

-- Asserts that a call failed, with these fields and in these words; returns the error.
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
    errors_null = {
      {
        kind = "invalid", status = 422, code = "bad_request",
        errors = { { message = "is odd", location = "body.page" } },
      },
      "body.page: is odd",
    },
    rejected_200 = {
      {
        kind = "platform", status = 200, code = "platform_error",
        message = "The platform failed",
      },
      "platform: platform_error: The platform failed (HTTP 200",
    },
    long_length = { { kind = "network" } },
    short_length = { { kind = "protocol", status = 200 }, "not the API's JSON" },
    huge_body = { { kind = "protocol" }, "larger than the bound of 16777216 bytes" },
    huge_headers = { { kind = "protocol" } },
    huge_header = { { kind = "protocol" }, "the response's head has a line too long" },
  }
  for fault, case in pairs(cases) do
    it("is reported: " .. fault, function()
      local data, err = get(fault)
      failed(data, err, case[1], err.kind .. ": ", select(2, (table.unpack or unpack)(case)))
      assert.equal(1, err.attempts)
      assert.equal(1, faults:count("/" .. fault .. "/v1/users/u1"))
    end)
  end

  it("does no harm: a response that comes byte by byte, or with headers that come twice", function()
    for _, fault in ipairs { "drip", "same_headers" } do
      local data, meta = get(fault)
      assert.same({ ok = true }, data)
      assert.equal(200, meta.status)
    end
  end)

  it("leaves nothing behind for the next call", function()
    local client = faults:client("short_length")
    assert.is_nil((client.users:get("u1")))
    assert.same({ ok = true }, (client.users:get("u1")))
  end)

  it("without a response has no status", function()
    local _, err = get("reset")
    assert.is_nil(err.status)
    assert.is_nil(err.request_id)
    assert.is_nil(tostring(err):find("HTTP", 1, true))
    assert.truthy(tostring(err):find("%(%u+ to 127%.0%.0%.1:%d+, the API%)$"), tostring(err))
  end)

  it("names the request, for the API's support", function()
    local data, err = get("detail_text")
    failed(data, err, { request_id = "fault-request" }, "(HTTP 400, request fault-request)")
  end)

  it("has what the response says is wrong", function()
    local data, err = get("error:moved:301")
    failed(data, err, {
      kind = "protocol", code = "moved", status = 301, message = "About moved",
      errors = { { message = "look here", location = "body.field" } },
    }, "body.field: look here")
  end)

  it("that repeats the key is reported without it", function()
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

  it("of a creation is never followed by a second one", function()
    for _, fault in ipairs { "reset", "html_502" } do
      local client = faults:client(fault, { max_retries = 3 })
      local data, err = client.users:create { external_id = "once" }
      failed(data, err, { attempts = 1 })
      assert.equal(1, faults:count("/" .. fault .. "/v1/users"))
    end
  end)

  it("of a creation is not risked on a kept connection, which might be closed by now", function()
    local client = faults:client("good")
    assert.truthy(client.users:get("u1"))
    assert.truthy(client.users:create())
    assert.equal(2, faults:stats().connections)
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

describe("a response of the sandbox", function()
  local sandbox
  setup(function() sandbox = helper.sandbox() end)
  teardown(function() assert.equal(0, sandbox:stop()) end)
  before_each(function()
    sandbox:heal()
    sandbox:count()
  end)

  local function client(options)
    return sandbox:client(options)
  end

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
    too_fast = { 429, "rate_limited" },
  }
  for code, case in pairs(documented) do
    it(string.format("with code %s and status %d is of kind %s", code, case[1], case[2]), function()
      sandbox:fault { kind = "error", code = code, status = case[1] }
      local data, err = client().users:get(helper.USER)
      failed(data, err, { kind = case[2], code = code, status = case[1], attempts = 1 })
      assert.truthy(err.message:find("asked for", 1, true))
    end)
  end

  for kind, status in pairs { drop = false, cut = 200 } do
    it("that is lost is a network failure, and asked for again: " .. kind, function()
      -- over a connection that was kept, curl itself asks twice; a new sandbox has none
      local fresh = helper.sandbox()
      fresh:fault { kind = kind }
      for retries = 0, 1 do
        local data, err = fresh:client({ max_retries = retries }).users:get(helper.USER)
        failed(data, err, { kind = "network", attempts = retries + 1 })
        assert.equal(status or nil, err.status)
        assert.equal(status ~= false, tostring(err):find("HTTP", 1, true) ~= nil)
        assert.equal(retries + 1, fresh:count())
      end
      fresh:fault { kind = kind, times = 2 }
      local user, meta = fresh:client({ max_retries = 3 }).users:get(helper.USER)
      assert.equal(helper.USER, user.user_id)
      assert.equal(3, meta.attempts)
      assert.equal(0, fresh:stop())
    end)
  end

  it("that does not come becomes a timeout", function()
    sandbox:fault { kind = "latency", seconds = 600 }
    for _, timeout in ipairs { 0.2, 0.0001 } do
      local data, err = client({ timeout = timeout }).users:get(helper.USER)
      failed(data, err, { kind = "timeout", attempts = 1 })
      assert.is_nil(err.status)
    end
  end)

  local busy = { kind = "error", status = 503, code = "service_unavailable", retry_after = 0 }
  local limited = { kind = "error", status = 429, code = "too_many_requests", retry_after = 0 }

  local function once(fault)
    local copy = { times = 1 }
    for name, value in pairs(fault) do
      copy[name] = value
    end
    return copy
  end

  it("that fails is retried if it is idempotent, and reported if it keeps failing", function()
    sandbox:fault(busy)
    local data, err = client({ max_retries = 2 }).users:get(helper.USER)
    failed(data, err, { kind = "server", status = 503, attempts = 3, retry_after = 0 },
      "3 attempts")
    assert.equal(3, sandbox:count())
    data, err = client({ max_retries = 1 }).accounts:earnings(helper.ACCOUNT, helper.PERIOD)
      :page(1)
    failed(data, err, { kind = "server", attempts = 2 })
  end)

  for name, fault in pairs { busy = busy, limited = limited } do
    it("that fails once is asked for again: " .. name, function()
      sandbox:fault(once(fault))
      local user, meta = client({ max_retries = 3 }).users:get(helper.USER)
      assert.equal(helper.USER, user.user_id)
      assert.equal(2, meta.attempts)
      assert.equal(2, sandbox:count())
    end)
  end

  it("that fails is asked for again for PUT and DELETE too", function()
    local webhook = client().webhooks:create {
      url = "https://example.com", name = "n", is_sandbox = true, widget_id = helper.WIDGET,
    }
    sandbox:fault(once(busy))
    local changed, meta = client({ max_retries = 1 }).webhooks:update(webhook.webhook_id,
      { name = "m" })
    assert.equal("m", changed.name)
    assert.equal(2, meta.attempts)
    sandbox:fault(once(busy))
    changed, meta = client({ max_retries = 1 }).webhooks:delete(webhook.webhook_id)
    assert.equal("m", changed.name)
    assert.equal(2, meta.attempts)
  end)

  local lasting = {
    drop = { kind = "drop" }, cut = { kind = "cut" }, busy = busy,
    never = { kind = "latency", seconds = 600 },
  }
  for name, fault in pairs(lasting) do
    it("to a creation is never followed by a second one: " .. name, function()
      local options = { max_retries = 3, timeout = name == "never" and 0.2 or nil }
      sandbox:fault(fault)
      local before = sandbox:counts()
      sandbox:count()
      local data, err = client(options).users:create { external_id = "once" }
      failed(data, err, { attempts = 1 })
      data, err = client(options).webhooks:create {
        url = "https://example.com", name = "n", is_sandbox = true, widget_id = helper.WIDGET,
      }
      failed(data, err, { attempts = 1 })
      data, err = client(options):request("POST", "/v1/other", {})
      failed(data, err, { attempts = 1 })
      assert.equal(3, sandbox:count())
      -- a response that is lost says nothing of the work, which was done
      local made = name == "busy" and 0 or 1
      local after = sandbox:counts()
      assert.equal(before.users + made, after.users)
      assert.equal(before.webhooks + made, after.webhooks)
    end)
  end

  it("of 429 to a creation says that nothing was done, so that it is repeated", function()
    sandbox:fault(once(limited))
    local user, meta = client({ max_retries = 3 }).users:create()
    assert.truthy(user.user_id)
    assert.equal(2, meta.attempts)
  end)
end)

describe("the sandbox", function()
  local sandbox
  setup(function() sandbox = helper.sandbox() end)
  teardown(function() assert.equal(0, sandbox:stop()) end)

  local function client(options)
    return sandbox:client(options)
  end

  it("rejects a wrong key", function()
    local data, err = client({ api_key = KEY }).accounts:get(helper.ACCOUNT)
    failed(data, err, { kind = "auth", code = "invalid_api_key", status = 401, attempts = 1 })
    assert.truthy(err.request_id)
  end)

  it("rejects a request without a key", function()
    local response = palenca.http { url = sandbox.url .. "/v1/webhooks" }
    assert.equal(401, response.status)
    assert.equal("missing_api_key", json.decode(response.body).error.code)
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

  it("rejects a request in both of the API's forms", function()
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
  it("that is exhausted is reported, with the time to wait", function()
    local sandbox = helper.sandbox { "--rate-limit", "3" }
    local client = sandbox:client()
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
