--- The lists of the console by filter and search, and what it needs to explain a login.
local advice = require("palenca.advice")
local faults = require("palenca.sandbox.delivery.faults")
local helper = require("spec.sandbox.helper")

local NO_KEY = { host = "127.0.0.1:8400", ["content-type"] = "application/json" }

describe("the console's lists", function()
  local api
  before_each(function() api = helper.new { seed = 7, webhook_delay = 0 } end)

  local function get(target, wanted)
    local status, response, _, text = api:call("GET", target, nil, NO_KEY)
    assert.equal(wanted or 200, status, text)
    return response.data, response
  end

  -- The number of entries with a query, and the totals of the page.
  local function counter(name)
    return function(query)
      local data, response = get("/sandbox/" .. name .. "?" .. query)
      assert.equal(#data[name], response.pagination.total_items)
      return #data[name]
    end
  end

  it("find deliveries by state, platform, and words of worker, webhook or event", function()
    api:webhook { name = "Scoring" }
    api:login { platform = "uber", external_id = "Ana-1" }
    api:login { platform = "didi_food", external_id = "bo-2" }
    api.sandbox:delivered(api.sandbox:next_delivery(), { status = 200 })
    local count = counter("deliveries")
    assert.equal(4, count(""))
    assert.equal(4, count("state=&platform=&search="))
    assert.equal(1, count("state=delivered"))
    assert.equal(3, count("state=queued"))
    assert.equal(2, count("platform=didi_food"))
    assert.equal(0, count("platform=didi"))
    assert.equal(2, count("search=ana"))
    assert.equal(2, count("search=DiDi%20food"))
    assert.equal(1, count("search=food%20SUCCESS"))
    assert.equal(4, count("search=scoring"))
    assert.equal(0, count("search=ana%20didi"))
    assert.equal(0, count("search=%25d"))
    local newest = get("/sandbox/deliveries").deliveries[1]
    assert.same({ "bo-2", "didi_food" }, { newest.external_id, newest.platform })
    get("/sandbox/deliveries?status=failed", 422)
  end)

  it("name no worker of a delivery without your id", function()
    api:webhook()
    api:login { platform = "uber" }
    for _, delivery in ipairs(get("/sandbox/deliveries").deliveries) do
      assert.is_nil(delivery.external_id)
    end
  end)

  it("find logins by words of id, worker, platform or outcome", function()
    local first = api:login { platform = "didi_food", external_id = "Ana-1" }
    api:login { identifier = "uber+banned@palenca-tests.com", external_id = "bo-2" }
    local count = counter("logins")
    assert.equal(1, count("search=ana"))
    assert.equal(1, count("search=" .. first.account_id))
    assert.equal(1, count("search=banned"))
    assert.equal(1, count("search=didi+food&status=success"))
    assert.equal(0, count("search=didi+food&status=error"))
  end)

  it("find requests by method, status, platform, and words of path or worker", function()
    local login = api:login { platform = "uber", external_id = "ana-1" }
    api:call("GET", "/v1/accounts/" .. login.account_id .. "/profile")
    api:call("GET", "/v1/accounts/" .. helper.UNKNOWN)
    api:call("POST", "/v1/users", { external_id = "bo-2" })
    local count = counter("requests")
    assert.equal(2, count("method=GET"))
    assert.equal(1, count("status=404"))
    assert.equal(1, count("status=4xx"))
    assert.equal(2, count("status=2xx"))
    assert.equal(0, count("status=5xx"))
    assert.equal(1, count("platform=uber"))
    assert.equal(1, count("search=profile"))
    assert.equal(1, count("search=ANA-1"))
    assert.equal(1, count("search=users&method=POST"))
    get("/sandbox/requests?state=404", 422)
  end)

  it("name the worker and the platform that a request is about, also once they are gone", function()
    local login = api:login { platform = "uber", external_id = "ana-1" }
    local list = {}
    for _, call in ipairs {
      { "GET", "/v1/accounts/" .. login.account_id, nil, "ana-1", "uber" },
      { "GET", "/v1/logins/" .. login.login_id, nil, "ana-1", "uber" },
      { "GET", "/v1/users/" .. login.user_id .. "/accounts", nil, "ana-1", nil },
      { "POST", "/v1/users/earnings/aggregated", { user_id = login.user_id }, "ana-1", nil },
      { "POST", "/v1/users", { external_id = "bo-2" }, "bo-2", nil },
      { "POST", "/v1/users", "[1]", nil, nil },
      { "POST", "/v1/users", '{"external_id": 3, "platform": "no-such"', nil, nil },
      { "GET", "/v1/platforms", nil, nil, nil },
    } do
      api:call(call[1], call[2], call[3])
      local newest = get("/sandbox/requests?items_per_page=1").requests[1]
      assert.same({ call[4], call[5] }, { newest.external_id, newest.platform }, call[2])
      list[#list + 1] = newest.request_id
    end
    api:call("DELETE", "/v1/users/" .. login.user_id)
    local first = get("/sandbox/requests/" .. list[1])
    assert.same({ "ana-1", "uber" }, { first.external_id, first.platform })
  end)

  it("name every platform, and the fields of each fault", function()
    local data = get("/sandbox/overview")
    assert.same({ "DiDi Food", "99", "Beat", "IMSS" }, { data.platform_names.didi_food,
      data.platform_names.noventa_nove, data.platform_names.beat, data.platform_names.imss })
    for kind, fields in pairs(faults.kinds) do
      assert.same(fields, data.fault_kinds[kind].fields)
      assert.same(faults.defaults[kind], data.fault_kinds[kind].defaults)
    end
  end)

  it("show a failed login with the module's advice, and others without", function()
    local function shown(body)
      return get("/sandbox/logins/" .. api:login(body).login_id)
    end
    for _, code in ipairs { "invalid_credentials", "login_refused", "banned" } do
      local found = shown { identifier = "uber+" .. code .. "@palenca-tests.com" }.advice
      local wanted = advice.of_login(code)
      assert.same({ wanted.actor, wanted.can_repeat, wanted.repeat_after, wanted.text.en },
        { found.actor, found.can_repeat, found.repeat_after, found.text })
    end
    assert.is_nil(shown { platform = "uber" }.advice)
    assert.is_nil(shown { identifier = "uber+incomplete@palenca-tests.com" }.advice)
  end)

  it("show a login to a platform of employment with its jobs", function()
    local login = api:login { platform = "imss" }
    local found = get("/sandbox/logins/" .. login.login_id).employment
    local _, response = api:call("GET", "/v1/accounts/" .. login.account_id .. "/employment")
    assert.same(response.data.employment_info, found.info)
    assert.same(response.data.employment_history, found.history)
    for _, body in ipairs { { platform = "uber" },
      { identifier = "imss+banned@palenca-tests.com" } } do
      assert.is_nil(get("/sandbox/logins/" .. api:login(body).login_id).employment)
    end
  end)
end)
