--- What a test of palenca.testing sets for requests: responses and faults.
local palenca = require("palenca")
local testing = require("palenca.testing")

describe("palenca.testing", function()
  local test

  local function start()
    test = testing.start()
  end

  after_each(function()
    if test then test:stop() end
    test = nil
  end)

  describe("a fault", function()
    local worker, client

    before_each(function()
      start()
      worker, client = test:worker(), palenca.new { max_retries = 3, timeout = 10 }
    end)

    it("is met as often as the test says, and requests are retried as they really are", function()
      test:fault { status = 503, retry_after = 7, times = 2 }
      local began = test:now()
      local account, meta = client.accounts:get(worker.account_id)
      assert.same({ worker.account_id, 3 }, { account.account_id, meta.attempts })
      assert.is_true(test:now() - began >= 14 and test:now() - began < 16)
      test:fault { kind = "network", times = 4 }
      local _, err = client.accounts:get(worker.account_id)
      assert.same({ "network", 4 }, { err.kind, err.attempts })
      test:fault { kind = "network", times = 1 }
      _, err = client.users:create()
      assert.same({ "network", 1 }, { err.kind, err.attempts })
      test:fault { status = 500, code = "platform_error", path = "/v1/users*" }
      _, err = client.users:get("u")
      assert.same({ "platform", "platform_error", 500, 4 },
        { err.kind, err.code, err.status, err.attempts })
      assert.truthy(client.accounts:get(worker.account_id))
    end)

    it("is slow, up to the client's timeout and deadline", function()
      test:fault { delay = 11, times = 1, status = 500 }
      local began = test:now()
      local _, meta = client.accounts:get(worker.account_id)
      assert.equal(2, meta.attempts)
      assert.is_true(test:now() - began >= 10)
      test:fault { delay = 60 }
      began = test:now()
      local _, err = palenca.new({ deadline = 5 }).accounts:get(worker.account_id)
      assert.same({ "timeout", 5 }, { err.kind, test:now() - began })
    end)

    it("is observed by on_attempt", function()
      local seen = {}
      local watched = palenca.new { on_attempt = function(attempt)
        seen[#seen + 1] = { attempt.number, attempt.status, attempt.retry_in ~= nil, attempt.path }
      end }
      test:fault { times = 1 }
      assert.truthy(watched.countries ~= nil and watched.accounts:get(worker.account_id))
      local path = "/v1/accounts/" .. worker.account_id
      assert.same({ { 1, 503, true, path }, { 2, 200, false, path } }, seen)
    end)
  end)

  it("rejects what no request could meet, and says what none has met", function()
    start()
    local account = test:worker().account_id
    for text, set in pairs {
      ["test:fault: path: no operation of the API has the path '/accounts/*'; did you mean "
        .. "'/v1/accounts/*'?"] = { "fault", path = "/accounts/*" },
      ["test:respond: path: no operation of the API has the path '/v1/platfoms'; did you mean "
        .. "'/v1/platforms'?"] = { "respond", path = "/v1/platfoms" },
      ["did you mean '/v1/accounts/" .. account .. "/profile'?"] =
        { "fault", path = "/v1/accounts/" .. account .. "/profle" },
      ["did you mean '/v1/acc*'?"] = { "fault", path = "/v1/cac*" },
      ["test:fault: method must be one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, got 'GTE'; "
        .. "did you mean 'GET'?"] = { "fault", method = "GTE" },
      ["got 'PSOT'; did you mean 'POST'?"] = { "http", url = "https://a.example", method = "PSOT" },
      ["test:fault: code: no documented one is 'servce_unavailable'; did you mean "
        .. "'service_unavailable'?"] = { "fault", code = "servce_unavailable" },
      ["test:worker: currency: no currency is 'mxm'; did you mean 'mxn'?"] =
        { "worker", currency = "mxm" },
      ["test:worker: rows[1]: no currency is 'mnx'; did you mean 'mxn'?"] = { "worker",
        rows = { { earning_date = "2026-01-01", amount = 1, currency = "mnx" } } },
      ["test:worker: another worker has the account_id " .. account] =
        { "worker", account_id = account },
    } do
      local name = table.remove(set, 1)
      local _, problem = pcall(function() test[name](test, set) end)
      assert.truthy(problem:find("^spec/lua/testing/expectation_spec.lua:%d+: "), problem)
      assert.truthy(problem:find(text, 1, true), text .. "\n" .. problem)
    end
    test:respond { path = "/v1/other", data = {} }
    test:respond { path = "/v1/platforms", data = {}, optional = true }
    test:fault { path = "/v1/accounts/" .. account .. "*", code = "of_the_future", times = 1 }
    local _, err = palenca.new({ max_retries = 0 }).accounts:get(account)
    assert.equal("of_the_future", err.code)
    local _, problem = pcall(test.stop, test)
    assert.truthy(problem:find("expectation_spec.lua:%d+: no request has met this test:respond of "
      .. "/v1/other; call it"), problem)
    test = nil
  end)

  it("fails if no request of palenca.http meets a response that is not optional", function()
    start()
    test:http { url = "https://own.example/b", optional = true }
    test:http { url = "https://own.example/a", method = "POST" }
    test:http { url = "https://own.example/a", method = "PUT" }
    palenca.http { url = "https://own.example/a", method = "PUT" }
    local _, problem = pcall(test.stop, test)
    assert.truthy(tostring(problem):find("expectation_spec.lua:%d+: no request has met this "
      .. "test:http of POST https://own.example/a; call it"), problem)
    test = nil
  end)

  it("responds to any request with what the test sets, the last one first", function()
    start()
    local client = palenca.new { max_retries = 0 }
    test:respond { path = "/v1/platforms", data = palenca.json.array { { code = "uber" } } }
    assert.equal("uber", client.platforms:list()[1].code)
    test:respond { path = "/v1/platforms", status = 401, times = 1, body =
      '{"success": false, "error": {"code": "invalid_api_key", "message": "m"}}' }
    local _, err = client.platforms:list()
    assert.equal("auth", err.kind)
    assert.equal("uber", client.platforms:list()[1].code)
    assert.same({ list = { 1 } }, (function()
      test:respond { path = "/v1/own*", method = "POST", data = { list = { 1 } } }
      return (client:request("POST", "/v1/own/thing?x=1", {}))
    end)())
  end)

  describe("palenca.http", function()
    it("gets the response that the test sets, by its own rules", function()
      start()
      test:http { url = "https://own.example/a", json = { ok = true }, headers = { ETag = "5" } }
      local response = palenca.http { url = "https://own.example/a", headers = { Accept = "x" } }
      assert.same({ 200, "5", '{"ok":true}' },
        { response.status, response.headers.etag, response.body })
      assert.equal("x", test.http_requests[1].headers.Accept)
      test:http { url = "https://own.example/b*", kind = "timeout", delay = 3 }
      local _, err = palenca.http { url = "https://own.example/b?c", method = "PUT" }
      assert.same({ "timeout", 1 }, { err.kind, err.attempts })
      assert.has_error(function() palenca.http { url = "https://own.example/a", retries = 1 } end)
    end)
  end)
end)
