--- What the console and the widget page read: responses without a key, and the pages themselves.
local helper = require("spec.sandbox.helper")
local income = require("palenca.income")
local json = require("palenca.util.json")

local NO_KEY = { host = "127.0.0.1:8400", ["content-type"] = "application/json" }

describe("the console's responses", function()
  local api
  before_each(function() api = helper.new { seed = 7, webhook_delay = 0 } end)

  local function get(target, wanted)
    local status, response, _, text = api:call("GET", target, nil, NO_KEY)
    assert.equal(wanted or 200, status, text)
    return response.data, response, text
  end

  -- Delivers what is due, with a response.
  local function drain(outcome)
    local delivery = api.sandbox:next_delivery()
    while delivery do
      api.sandbox:delivered(delivery, outcome)
      delivery = api.sandbox:next_delivery()
    end
  end

  it("count what there is, and name what can be chosen", function()
    local before = get("/sandbox/overview").counts
    api:webhook()
    api:login { platform = "uber" }
    local data = get("/sandbox/overview")
    assert.equal(helper.KEY, data.api_key)
    assert.equal(7, data.seed)
    assert.same({
      users = before.users + 1, accounts = before.accounts + 1, logins = before.logins + 1,
      webhooks = 1, deliveries_pending = 2,
    }, data.counts)
    assert.equal("2025-06-20T12:00:00", data.now:sub(1, 19))
    local found = {}
    for _, list in ipairs { data.platforms, data.countries, data.widgets } do
      for _, one in ipairs(list) do
        found[one.code or one.id] = one.name
      end
    end
    assert.truthy(found.uber and found.mx and found[data.default_widget_id])
    assert.truthy(table.concat(data.actions, " "):find("login.success", 1, true))
    assert.equal("success", data.magic_cases[1])
  end)

  it("hold a question for changes until there is one, and name what changed", function()
    local at = get("/sandbox/changes").revision
    local function ask(final)
      local _, _, body, effects = api.sandbox:handle {
        method = "GET", path = "/sandbox/changes", query = "since=" .. at, headers = NO_KEY,
        body = "", final = final,
      }
      return body, effects
    end
    assert.same({ "", { hold = true } }, { ask() })
    assert.truthy(ask(true):find('"topics":[]', 1, true))
    api:login { platform = "uber" }
    local data = get("/sandbox/changes?since=" .. at)
    assert.is_true(data.revision > at)
    assert.truthy(table.concat(data.topics, " "):find("logins"))
    -- A page that was open before the sandbox began anew reads everything again.
    assert.same({ "logins", "settings" },
      get("/sandbox/changes?since=" .. data.revision + 5).topics)
  end)

  it("list the logins, newest first, by status and platform and in pages", function()
    api:login { platform = "uber" }
    api:login { platform = "rappi", identifier = "rappi+banned@palenca-tests.com" }
    local function platforms(query)
      local names = {}
      for _, login in ipairs(get("/sandbox/logins" .. query).logins) do
        names[#names + 1] = login.platform
      end
      return table.concat(names, " ")
    end
    assert.equal("rappi uber uber", platforms(""))
    assert.equal("rappi uber uber", platforms("?status=&platform="))
    assert.equal("rappi", platforms("?status=error"))
    assert.equal("uber uber", platforms("?platform=uber"))
    assert.equal("", platforms("?platform=uber&status=error"))
    assert.equal("", platforms("?platform=no-such"))
    assert.equal("uber", platforms("?page=2&items_per_page=1"))
    local _, response = get("/sandbox/logins?items_per_page=1")
    assert.same({ 1, 1, 3, 3 }, {
      response.pagination.page, response.pagination.items_per_page,
      response.pagination.total_items, response.pagination.total_pages,
    })
    get("/sandbox/logins?page=0", 422)
    get("/sandbox/logins?items_per_page=x", 422)
  end)

  it("show all of a login: account, profile, earnings and income that agree", function()
    api:webhook()
    local login = api:login { platform = "uber", external_id = "e-1" }
    local data = get("/sandbox/logins/" .. login.login_id)
    assert.equal("e-1", data.login.external_id)
    assert.equal(login.account_id, data.account.account_id)
    assert.equal("string", type(data.profile.profile.first_name))
    assert.equal(2, #data.deliveries)
    local cents, months = 0, 0
    for _, row in ipairs(data.earnings) do
      cents = cents + math.floor(row.amount * 100 + 0.5)
    end
    for _, month in ipairs(data.income.months) do
      months = months + month.total_minor
    end
    assert.is_true(cents > 0)
    assert.equal(cents, months)
  end)

  local function panel_of(body)
    local login = api:login(body)
    local status, _, _, text = api:call("GET", "/sandbox/logins/" .. login.login_id, nil,
      helper.JSON)
    assert.equal(200, status)
    return json.decode(text).data, text, login
  end

  it("show the income as the module computes it, to the byte, as of yesterday", function()
    for _, body in ipairs {
      { platform = "uber" }, { platform = "rappi", pattern = "declining" },
      { platform = "didi", pattern = "nulls", warning = "fleet_account" },
      { platform = "uber", days = 0 },
    } do
      local data, text, login = panel_of(body)
      local expected = income.analyze(income.merge { {
        rows = data.earnings, report = { complete = true, rows = #data.earnings },
        account = login.account_id, platform = body.platform, warning = body.warning,
      } }, { as_of = "2025-06-19" })
      local verdict = income.decide(expected, { version = "default" }, { installment = 0 })
      for name, value in pairs { income = expected, verdict = verdict } do
        local written = ('"%s":%s'):format(name, json.canonical(value))
        assert.truthy(text:find(written, 1, true), text)
      end
      assert.same(verdict:explain("en"), data.explanation)
      assert.equal(body.pattern or "steady", data.pattern)
    end
  end)

  it("show each figure with the words of the module's table", function()
    for _, pattern in ipairs { "steady", "nulls", "new" } do
      local data = panel_of { platform = "didi", pattern = pattern }
      local lines = {}
      for line in income.table(data.income):match("^(.-)\n\n"):gmatch("[^\n]+") do
        lines[#lines + 1] = line:gsub(" +", " ")
      end
      assert.equal("Currency mxn", table.remove(lines, 1))
      assert.equal(#lines, #data.figures)
      for at, figure in ipairs(data.figures) do
        assert.equal(lines[at], ("%s %s %s"):format(figure.label, figure.text or "-", figure.note))
      end
    end
  end)

  it("leave a row of today out of the income", function()
    local login = api:login { platform = "uber" }
    local target = "/sandbox/logins/" .. login.login_id
    local before = get(target)
    api:call("POST", "/sandbox/faults", { kind = "earning_added", times = 3 }, helper.JSON)
    for _ = 1, 3 do
      api:call("POST", "/v1/accounts/" .. login.account_id .. "/earnings/search",
        { start_date = "2025-01-01", end_date = "2025-06-30" })
    end
    local after = get(target)
    assert.is_true(after.earnings[1].earning_date >= "2025-06-20")
    assert.same({}, after.income.problems)
    assert.equal(before.verdict.outcome, after.verdict.outcome)
  end)

  it("show the verdict of a later day once time has passed", function()
    local login = api:login { platform = "uber" }
    local target = "/sandbox/logins/" .. login.login_id
    assert.equal("approve", get(target).verdict.outcome)
    api:call("POST", "/sandbox/clock", { advance = 40 * 86400 }, helper.JSON)
    local data = get(target)
    assert.equal("2025-07-29", data.income.as_of)
    assert.equal("decline", data.verdict.outcome)
    assert.equal("no_recent_income", data.verdict.reasons[1].code)
  end)

  it("name patterns, warnings and words in the overview", function()
    local data = get("/sandbox/overview")
    assert.same({ "declining", "duplicate_rows", "irregular", "new", "nulls", "seasonal", "steady",
      "stopped" }, data.patterns)
    assert.equal("steady", data.default_pattern)
    assert.same({ "fleet_account", "id_mismatch", "incomplete_profile_data", "rider_account" },
      data.warnings)
    assert.equal("Full weeks", data.income_words.weeks)
  end)

  it("show a login that failed with an account and nothing earned", function()
    local login = api:login { platform = "uber", identifier = "uber+banned@palenca-tests.com" }
    local data = get("/sandbox/logins/" .. login.login_id)
    assert.equal("error", data.account.status)
    assert.is_nil(data.profile)
    assert.same({}, data.earnings)
    for _, name in ipairs { "income", "verdict", "explanation", "figures" } do
      assert.is_nil(data[name])
    end
  end)

  it("list the deliveries by webhook and by login", function()
    local first, second = api:webhook(), api:webhook { name = "second" }
    local one, two = api:login { platform = "uber" }, api:login { platform = "didi" }
    local function count(query)
      return #get("/sandbox/deliveries" .. query).deliveries
    end
    assert.equal(8, count(""))
    assert.equal(4, count("?webhook_id=" .. first.webhook_id))
    assert.equal(4, count("?login_id=" .. two.login_id))
    assert.equal(2, count("?login_id=" .. one.login_id .. "&webhook_id=" .. second.webhook_id))
    assert.equal(0, count("?webhook_id=" .. helper.UNKNOWN))
  end)

  it("show a delivery with what was sent and what came back, and send it again", function()
    local webhook = api:webhook()
    api:login { platform = "uber" }
    local due = api.sandbox:next_delivery()
    api.sandbox:delivered(due, { status = 500, seconds = 0.012, body = "no\n" })
    local kept = get("/sandbox/deliveries?webhook_id=" .. webhook.webhook_id).deliveries
    local failed = kept[#kept]
    assert.same({ "login.created", 1, 500 }, { failed.action, failed.attempts, failed.last_status })
    assert.is_nil(failed.request) -- a list has no bodies
    assert.equal(30, failed.next_attempt_in)
    local data = get("/sandbox/deliveries/" .. failed.delivery_id)
    assert.equal("POST", data.request.method)
    assert.equal(due.url, data.request.url)
    assert.equal(due.body, data.request.body)
    assert.equal(1, #data.tries)
    assert.same({ 500, 12, "no\n" }, { data.tries[1].status, data.tries[1].ms, data.tries[1].body })

    local status, again = api:call("POST", "/sandbox/deliveries/" .. failed.delivery_id
      .. "/resend", "", NO_KEY)
    assert.equal(201, status)
    assert.equal(failed.delivery_id, again.data.resend_of)
    assert.not_equal(failed.delivery_id, again.data.delivery_id)
    local resent = api.sandbox:next_delivery()
    assert.equal(due.body, resent.body)
    api.sandbox:delivered(resent, { status = 200 })
    drain { status = 200 }
    assert.equal("delivered", get("/sandbox/deliveries/" .. again.data.delivery_id).state)
    assert.equal(1, #get("/sandbox/deliveries/" .. failed.delivery_id).tries)
  end)

  it("reject a resend without a receiver", function()
    local webhook = api:webhook()
    api:login { platform = "uber" }
    drain { status = 200 }
    local id = get("/sandbox/deliveries").deliveries[1].delivery_id
    api:call("DELETE", "/v1/webhooks/" .. webhook.webhook_id)
    local status, response = api:call("POST", "/sandbox/deliveries/" .. id .. "/resend", "", NO_KEY)
    assert.equal(404, status)
    assert.truthy(response.error.message:find("webhook", 1, true))
    assert.equal(0, api.sandbox:pending_deliveries())
  end)

  it("show the API's requests without the key, the newest first", function()
    api:call("GET", "/v1/accounts/" .. helper.TUTORIAL)
    api:call("POST", "/v1/users", { external_id = "e-2" })
    local list, _, text = get("/sandbox/requests")
    assert.is_nil(text:find(helper.KEY, 1, true))
    local newest = list.requests[1]
    assert.same({ "POST", "/v1/users", 201 }, { newest.method, newest.path, newest.status })
    local one, _, whole = get("/sandbox/requests/" .. newest.request_id)
    assert.is_nil(whole:find(helper.KEY, 1, true))
    assert.equal("…", one.request_headers["x-api-key"])
    assert.truthy(one.request_body:find("e-2", 1, true))
    assert.truthy(one.response_body:find("user_id", 1, true))
    -- Reading about requests is none.
    assert.equal(2, #get("/sandbox/requests").requests)
  end)

  it("show bytes that are no text as their number", function()
    api:call("POST", "/v1/users", "\255\254{")
    local one = get("/sandbox/requests").requests[1]
    assert.equal(422, one.status)
    assert.equal("(3 bytes that are not text)",
      get("/sandbox/requests/" .. one.request_id).request_body)
  end)

  it("keep the last 500 requests", function()
    for page = 1, 501 do
      api:call("GET", "/v1/platforms?n=" .. page)
    end
    local _, response = get("/sandbox/requests?items_per_page=1")
    assert.equal(500, response.pagination.total_items)
    assert.equal("n=501", response.data.requests[1].query)
    assert.equal("n=2", get("/sandbox/requests?page=500&items_per_page=1").requests[1].query)
  end)

  for target, what in pairs {
    ["/sandbox/logins/" .. helper.UNKNOWN] = "login",
    ["/sandbox/deliveries/" .. helper.UNKNOWN] = "delivery",
    ["/sandbox/requests/" .. helper.UNKNOWN] = "request",
  } do
    it("are 404 for a " .. what .. " that is unknown", function()
      local _, response = get(target, 404)
      assert.truthy(response.error.message:find(what, 1, true))
    end)
  end

  it("have the key in the overview and nowhere else", function()
    api:webhook()
    local login = api:login { platform = "uber" }
    for _, target in ipairs {
      "/sandbox/changes", "/sandbox/logins", "/sandbox/logins/" .. login.login_id,
      "/sandbox/deliveries", "/sandbox/requests", "/sandbox/settings", "/sandbox/faults",
      "/widget/config",
    } do
      local _, _, text = get(target)
      assert.is_nil(text:find(helper.KEY, 1, true), target)
    end
  end)
end)

describe("the widget's response", function()
  local api = helper.new()
  local function config(query)
    return api:call("GET", "/widget/config" .. query, nil, NO_KEY)
  end

  it("names the widget, the countries and the platforms", function()
    for _, query in ipairs { "", "?widget_id=", "?widget_id=" .. helper.WIDGET,
      "?widget_id=" .. helper.WIDGET:upper() } do
      local status, response = config(query)
      assert.equal(200, status)
      assert.equal(helper.WIDGET, response.data.widget.id)
      local uber
      for _, platform in ipairs(response.data.platforms) do
        uber = platform.code == "uber" and platform or uber
      end
      assert.same({ "phone", "email" }, uber.identifiers)
      assert.is_true(#uber.countries > 1)
    end
  end)

  it("rejects what is no id", function()
    local status, response, _, text = config("?widget_id=%3Cscript%3E")
    assert.equal(422, status)
    assert.is_nil(text:find("script", 1, true))
    assert.truthy(helper.blames(response, "widget_id") or response.error.message:find("UUID"))
  end)
end)

describe("where the widget leads to afterwards", function()
  local api = helper.new()
  local function config(target, more)
    return api:call("GET", "/widget/config?redirect_url=" .. target .. (more or ""), nil, NO_KEY)
  end

  for target, decoded in pairs {
    ["https%3A%2F%2Fexample.com%2Fstep-2%3Fa%3D1"] = "https://example.com/step-2?a=1",
    ["http://localhost:3000/next"] = "http://localhost:3000/next",
    [""] = false,
  } do
    it("is " .. tostring(decoded), function()
      local status, response = config(target)
      assert.equal(200, status)
      assert.equal(decoded or nil, response.data.widget.redirect_url)
      status, response = config(target, "&hide_redirect_url=true")
      assert.equal(200, status)
      assert.is_nil(response.data.widget.redirect_url)
      response = select(2, config(target, "&hide_redirect_url=false"))
      assert.equal(decoded or nil, response.data.widget.redirect_url)
    end)
  end

  for _, target in ipairs {
    "javascript%3Aalert(1)", "data%3Atext/html,x", "//example.com/", "/next", "example.com",
    "ftp://example.com/", "http://", "https://exa%0Ample.com/", "file:///etc/passwd",
  } do
    it("is not " .. target, function()
      local status, response = config(target)
      assert.equal(422, status)
      assert.equal("redirect_url", response.error.errors[1].location)
      assert.truthy(response.error.message:find("^redirect_url must be an "))
    end)
  end
end)

describe("the pages", function()
  local files = {
    ["widget.html"] = "<p>widget", ["console.html"] = "<p>console", ["icon.svg"] = "<svg/>",
    ["console.js"] = "void 0", ["theme.css"] = "p{}", ["secret.lua"] = "return 1",
  }
  local api = helper.new { assets = function(name) return files[name] end }

  local function page(method, path, query, accept)
    return api.sandbox:handle {
      method = method, path = path, query = query,
      headers = { host = "127.0.0.1:8400", accept = accept }, body = "",
    }
  end

  for path, name in pairs {
    ["/widget"] = "widget.html", ["/console"] = "console.html", ["/favicon.ico"] = "icon.svg",
    ["/assets/console.js"] = "console.js", ["/assets/theme.css"] = "theme.css",
  } do
    it("include " .. path .. ", bound by a policy", function()
      local status, headers, body = page("GET", path)
      assert.equal(200, status)
      assert.equal(files[name], body)
      local policy = headers["Content-Security-Policy"]
      assert.truthy(policy:find("default-src 'none'; script-src 'self'", 1, true))
      assert.is_nil(policy:find("unsafe", 1, true))
      assert.equal("nosniff", headers["X-Content-Type-Options"])
      assert.equal(200, (page("HEAD", path)))
    end)
  end

  it("let others frame the widget only", function()
    local function ancestors(path, query)
      local _, headers = page("GET", path, query)
      return headers["Content-Security-Policy"]:match("frame%-ancestors (.*)")
    end
    for _, path in ipairs { "/console", "/assets/console.js", "/favicon.ico" } do
      assert.equal("'none'", ancestors(path))
    end
    assert.is_nil(ancestors("/widget"))
    assert.is_nil(ancestors("/", "widget_id=" .. helper.WIDGET))
  end)

  it("include the widget at its public link, but not for a program", function()
    local link = "widget_id=" .. helper.WIDGET .. "&external_id=worker-1"
    local browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for _, method in ipairs { "GET", "HEAD" } do
      for _, query in ipairs { link, "external_id=", "widget_id=nonsense" } do
        for _, accept in ipairs { browser, "*/*", "text/html, application/json" } do
          local _, headers, body = page(method, "/", query, accept)
          assert.equal("<p>widget", body)
          assert.equal("text/html; charset=utf-8", headers["Content-Type"])
        end
      end
      local _, headers, body = page(method, "/", link, "application/json")
      assert.equal("application/json", headers["Content-Type"])
      assert.truthy(body:find('"name":"palenca sandbox"', 1, true))
    end
  end)

  it("lead a browser from / to the console, and list the paths for a program", function()
    local browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for _, method in ipairs { "GET", "HEAD" } do
      for _, query in ipairs { "", "lang=es" } do
        local status, headers = page(method, "/", query, browser)
        assert.same({ 302, "/console", "Accept" }, { status, headers.Location, headers.Vary })
        for _, accept in ipairs { "*/*", "application/json", "application/json, text/html", "" } do
          local body
          status, headers, body = page(method, "/", query, accept)
          assert.same({ 200, "application/json" }, { status, headers["Content-Type"] })
          assert.truthy(body:find('"name":"palenca sandbox"', 1, true))
        end
      end
    end
  end)

  for _, path in ipairs { "/assets/none.js", "/assets/secret.lua", "/assets/..%2fconsole.html",
    "/assets/console", "/assets/" } do
    it("do not include " .. path, function()
      local status, _, body = page("GET", path)
      assert.equal(404, status)
      assert.is_nil(body:find("return 1", 1, true))
    end)
  end
end)
