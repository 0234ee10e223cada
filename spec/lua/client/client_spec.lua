--- A client's options, what it sends, what it hides, and how it connects.
local helper = require("spec.lua.helper")
local http = require("spec.support.http")
local json = require("palenca.util.json")
local palenca = require("palenca")

local KEY = helper.KEY

describe("palenca.new", function()
  local function rejects(options, ...)
    helper.blames_caller(function()
      local _ = palenca.new(options)
    end, "palenca.new", ...)
  end

  it("takes no unknown option", function()
    rejects({ api_key = KEY, api_kee = KEY }, "unknown field 'api_kee'", "base_url")
    rejects({ KEY }, "unknown field '1'")
  end)

  it("takes nothing but a table", function()
    rejects("key", "takes a table, got a string")
  end)

  -- what was passed is shown, but for a key
  for name, case in pairs {
    api_key = { 12345678, "a number" }, environment = { true, "true" },
    base_url = { {}, "a table" },
    timeout = { "30", "'30'" }, max_retries = { "3", "'3'" }, rate_limit = { false, "false" },
    allow_http = { "yes", "'yes'" },
  } do
    local value, shown = case[1], case[2]
    it("takes no " .. type(value) .. " as " .. name, function()
      rejects({ api_key = name ~= "api_key" and KEY or value, [name] = value }, name,
        "got " .. shown)
    end)
  end

  it("shows no identity number, and no more than the beginning of a long text", function()
    local function problem_of(id)
      return select(2, pcall(function()
        return palenca.new({ api_key = KEY }).accounts:get(id)
      end))
    end
    local problem = problem_of("GARC900517HDFRRS09")
    assert.is_nil(problem:find("GARC900517HDFRRS09", 1, true), problem)
    assert.truthy(problem:find("must be an id in UUID form, got '", 1, true), problem)
    assert.is_true(#problem_of(("a"):rep(1000)) < 250)
    assert.is_nil(problem_of("a\nb\27[2J"):find("[\n\27]"))
  end)

  for name, values in pairs {
    timeout = { 0, -1, 0 / 0, math.huge, 86401 },
    max_retries = { -1, 1.5, 101, math.huge },
    rate_limit = { -1, 0.5, 100001, 0 / 0 },
    pages_in_flight = { 0, 1.5, 101, 0 / 0 },
  } do
    for _, value in ipairs(values) do
      it("rejects " .. name .. " " .. value, function()
        rejects({ api_key = KEY, [name] = value }, name)
      end)
    end
  end

  for name, key in pairs {
    ["CR and LF"] = "abc\r\nX-Evil: 1", LF = "abc\n", space = "a b", zero = "a\0b",
    tab = "a\tb", ["another alphabet"] = "clé",
  } do
    it("rejects a key with " .. name .. ", and does not repeat it", function()
      local ok, message = pcall(palenca.new, { api_key = key })
      assert.is_false(ok)
      assert.truthy(message:find("API key", 1, true))
      assert.is_nil(message:find(key, 1, true))
    end)
  end

  it("rejects an empty key", function()
    rejects({ api_key = "" }, "api_key")
  end)

  for _, url in ipairs {
    "api.palenca.com", "//api.palenca.com", "ftp://api.palenca.com", "https://", "https:///v1",
    "https://user:pw@api.palenca.com", "https://api.palenca.com@evil.com", "https://a\\@b.com",
    "https://api.palenca.com?x=1", "https://api.palenca.com#x", "https://api.palenca.com/../x",
    "https://api.palenca.com/%2e%2e/x", "https://api.palenca.com:0", "https://h.com:65536",
    "https://h.com:x", "https://h.com:", "https://127.1", "https://0x7f.0.0.1", "https://h..com",
    "https://2130706433", "https:// h.com", "https://h.com/a b", "https://h.com/\r\nX: 1",
    "https://h.com\0.evil.com", "https://[::1", "HTTPS://h.com", "file:///etc/passwd",
  } do
    it("rejects the base URL " .. url:gsub("%c", "?"), function()
      rejects({ api_key = KEY, base_url = url }, "base_url: ")
    end)
  end

  it("rejects an empty base URL", function()
    rejects({ api_key = KEY, base_url = "" }, "base_url")
  end)

  for _, url in ipairs {
    "http://api.palenca.com", "http://10.0.0.1", "http://localhost.example.com",
    "http://127.0.0.1.example.com", "http://[::2]", "http://0.0.0.0",
  } do
    it("takes " .. url .. " only if http is allowed", function()
      rejects({ api_key = KEY, base_url = url }, "https", "in the clear")
      rejects({ api_key = KEY, base_url = url, allow_http = false }, "in the clear")
      assert.equal(url, palenca.new({ api_key = KEY, base_url = url, allow_http = true }).base_url)
    end)
  end

  it("takes http on this machine, and removes slashes at the end", function()
    for _, host in ipairs { "127.0.0.1:8400", "localhost", "[::1]:80", "127.9.9.9" } do
      local client = palenca.new { api_key = KEY, base_url = "http://" .. host .. "/x//" }
      assert.equal("http://" .. host .. "/x", client.base_url)
    end
  end)

  for _, host in ipairs { "7f3a9c2b1d0e", "7f3a9c2b1d0e:8400", "my_service", "a.b-c.3d" } do
    it("takes the host " .. host, function()
      local url = "https://" .. host
      assert.equal(url, palenca.new({ api_key = KEY, base_url = url }).base_url)
    end)
  end

  it("removes one /v1 at the end, which the paths of the operations have in them", function()
    for given, expected in pairs {
      ["https://api.palenca.com/v1"] = "https://api.palenca.com",
      ["https://api.palenca.com/v1/"] = "https://api.palenca.com",
      ["https://example.com/palenca/v1//"] = "https://example.com/palenca",
      ["https://example.com/v1/v1"] = "https://example.com/v1",
      ["https://example.com/v1/x"] = "https://example.com/v1/x",
      ["https://example.com/xv1"] = "https://example.com/xv1",
      ["https://v1"] = "https://v1",
    } do
      assert.equal(expected, palenca.new({ api_key = KEY, base_url = given }).base_url)
    end
  end)

  it("reads from an address with /v1 at its end, in options and in the environment", function()
    local sandbox = helper.sandbox()
    local options = { base_url = sandbox.url .. "/v1" }
    assert.truthy(sandbox:client(options).users:get(helper.USER))
    local status, out, err = helper.run([[
      local palenca = require("palenca")
      print(assert(palenca.new().users:get("]] .. helper.USER .. [[")).user_id)
    ]], { PALENCA_API_KEY = sandbox.key, PALENCA_BASE_URL = sandbox.url .. "/v1/" })
    assert.equal(0, sandbox:stop())
    assert.same({ 0, helper.USER .. "\n" }, { status, out }, err)
  end)

  it("knows the two environments, and no third", function()
    local function base_url(environment)
      return palenca.new({ api_key = KEY, environment = environment }).base_url
    end
    assert.equal("https://sandbox.palenca.com", base_url("sandbox"))
    assert.equal("https://api.palenca.com", base_url("production"))
    rejects({ api_key = KEY, environment = "staging" }, "environment", "sandbox", "production")
  end)
end)

describe("the environment", function()
  local PRINT = [[
    local client = require("palenca").new(%s)
    print(client.base_url, client.timeout, client.max_retries, client.rate_limit)
  ]]

  local function run(options, environment)
    return helper.run(PRINT:format(options), environment)
  end

  it("sets the options that are not passed", function()
    local status, output = run("", {
      PALENCA_API_KEY = KEY, PALENCA_BASE_URL = "https://example.com/", PALENCA_TIMEOUT = "2.5",
      PALENCA_MAX_RETRIES = "7", PALENCA_RATE_LIMIT = "60",
    })
    assert.equal(0, status)
    assert.equal("https://example.com\t2.5\t7\t60\n", output)
  end)

  it("is asked for the environment, and options go before it", function()
    local _, output = run("", { PALENCA_API_KEY = KEY, PALENCA_ENVIRONMENT = "production" })
    assert.equal("https://api.palenca.com\t30\t3\t120\n", output)
    _, output = run("{ environment = 'sandbox', timeout = 9 }", {
      PALENCA_API_KEY = KEY, PALENCA_ENVIRONMENT = "production", PALENCA_TIMEOUT = "1",
    })
    assert.equal("https://sandbox.palenca.com\t9\t3\t120\n", output)
  end)

  it("counts as unset where it is empty", function()
    local status, output = run("", {
      PALENCA_API_KEY = KEY, PALENCA_ENVIRONMENT = "", PALENCA_BASE_URL = "",
      PALENCA_TIMEOUT = "",
    })
    assert.equal(0, status)
    assert.equal("https://sandbox.palenca.com\t30\t3\t120\n", output)
  end)

  it("must hold a key if none is passed", function()
    for _, environment in ipairs { {}, { PALENCA_API_KEY = "" } } do
      local status, _, complaint = run("", environment)
      assert.equal(1, status)
      assert.truthy(complaint:find("^[^:\n]*: %(command line%):1: palenca.new: no API key"))
      assert.truthy(complaint:find("PALENCA_API_KEY", 1, true))
    end
  end)

  for name, values in pairs {
    TIMEOUT = { "soon", "-1", "0" }, MAX_RETRIES = { "many", "1.5", "-1" },
    RATE_LIMIT = { "no", "100001" }, BASE_URL = { "http://example.com" }, ENVIRONMENT = { "test" },
  } do
    for _, value in ipairs(values) do
      it("is rejected with " .. name .. "=" .. value .. ", and the caller is blamed", function()
        local status, _, complaint = run("",
          { PALENCA_API_KEY = KEY, ["PALENCA_" .. name] = value })
        assert.equal(1, status)
        assert.truthy(complaint:find("^[^:\n]*: %(command line%):1: "), complaint)
        assert.is_nil(complaint:find(KEY, 1, true))
      end)
    end
  end

  it("cannot switch plain http on", function()
    local status = run("{ base_url = 'http://example.com' }",
      { PALENCA_API_KEY = KEY, PALENCA_ALLOW_HTTP = "true" })
    assert.equal(1, status)
  end)
end)

describe("a client", function()
  it("is read-only", function()
    local faults = helper.faults()
    local options = { max_retries = 0, pages_in_flight = 3 }
    local client = faults:client("good", options)
    for name, value in pairs {
      base_url = "http://127.0.0.1:1", timeout = 1, deadline = 1, max_retries = 5, rate_limit = 1,
      pages_in_flight = 1, max_response = 1, min_tls = "1.2", ca_file = "x", proxy = "x",
      on_attempt = print, api_key = "other", request = print,
    } do
      local before = client[name]
      helper.blames_caller(function() client[name] = value end, "client is read-only", name)
      assert.equal(before, client[name])
    end
    helper.blames_caller(function() client.anything_else = true end, "client is read-only",
      "anything_else")
    assert.same({ 0, 3 }, { client.max_retries, client.pages_in_flight })
    options.max_retries = 5
    assert.equal(0, client.max_retries)
    assert.truthy(client.users:get("u1"))
    assert.equal(helper.KEY, faults:stats().last.headers["x-api-key"])
    assert.equal(0, faults:stop())
  end)
end)

describe("the key", function()
  it("is not in anything that a client holds or prints", function()
    local client = palenca.new { api_key = KEY, environment = "production" }
    assert.equal("palenca client of https://api.palenca.com", tostring(client))
    helper.holds_no(KEY, client)
  end)

  it("is not in a client that has been used, nor in its pager", function()
    local faults = helper.faults()
    local client = faults:client("pages")
    local pager = client.accounts:earnings(helper.ACCOUNT, helper.PERIOD)
    assert.truthy(pager:next())
    helper.holds_no(KEY, client)
    helper.holds_no(KEY, pager)
    assert.equal(KEY, faults:stats().last.headers["x-api-key"])
    assert.equal(0, faults:stop())
  end)
end)

describe("requests", function()
  local faults
  setup(function() faults = helper.faults() end)
  teardown(function() assert.equal(0, faults:stop()) end)

  it("carry the key, who asks, and what is wanted", function()
    assert.truthy(faults:client("good").users:get("u1"))
    local last = faults:stats().last
    assert.equal("GET", last.method)
    assert.equal("/good/v1/users/u1", last.target)
    assert.equal(KEY, last.headers["x-api-key"])
    assert.equal("palenca/" .. palenca.version, last.headers["user-agent"])
    assert.equal("application/json", last.headers.accept)
    assert.is_nil(last.headers["content-type"])
    assert.equal("", last.body)
  end)

  it("are the same whatever is collected and made meanwhile", function()
    local one = faults:client("good", { ca_file = "/none/" .. "such.pem" })
    for round = 1, 5 do
      faults:client("good", { api_key = ("other"):rep(round) })
      collectgarbage()
      assert.truthy(one.users:get("u1"))
      local last = faults:stats().last
      assert.equal(KEY, last.headers["x-api-key"])
      assert.equal("application/json", last.headers.accept)
      assert.is_nil(last.headers["accept-language"])
      assert.truthy(one.accounts:get(helper.ACCOUNT, { language = "pt" }))
      last = faults:stats().last
      assert.equal("pt", last.headers["accept-language"])
      assert.equal(KEY, last.headers["x-api-key"])
    end
  end)

  it("carry a body as JSON", function()
    assert.truthy(faults:client("good").users:create { external_id = "Ñandú \"7\"" })
    local last = faults:stats().last
    assert.equal("POST", last.method)
    assert.equal("application/json", last.headers["content-type"])
    assert.same({ external_id = "Ñandú \"7\"" }, json.decode(last.body))
    assert.is_nil(last.headers.expect)
  end)

  it("go over one connection where repeating them is safe", function()
    local fresh = helper.faults()
    local client = fresh:client("good")
    for _ = 1, 4 do
      assert.truthy(client.users:get("u1"))
    end
    local stats = fresh:stats()
    assert.equal(4, stats.requests)
    assert.equal(1, stats.connections)
    assert.equal(0, fresh:stop())
  end)

  it("are not redirected, so that the key goes nowhere else", function()
    local data, err = faults:client("redirect").users:get("u1")
    assert.is_nil(data)
    assert.equal(302, err.status)
    assert.equal("protocol", err.kind)
    assert.equal(0, faults:count("/redirected/v1/users"))
    assert.equal(1, faults:count("/redirect/v1/users/u1"))
  end)

  describe("of any other endpoint", function()
    it("take a method, a path with a query, and a body", function()
      local data, meta = faults:client("good"):request("PATCH", "/v1/things/1?a=b%20c", { x = 1 })
      assert.is_true(data.ok)
      assert.equal(200, meta.status)
      local last = faults:stats().last
      assert.equal("PATCH", last.method)
      assert.equal("/good/v1/things/1?a=b%20c", last.target)
      assert.same({ x = 1 }, json.decode(last.body))
    end)

    it("can delete, and get an empty response", function()
      local data, meta = faults:client("no_content"):request("DELETE", "/v1/things/1")
      assert.same({}, data)
      assert.equal(204, meta.status)
    end)

    for _, path in ipairs {
      "", "v1", "//evil.com/x", "/v1/../x", "/v1/.", "/v1/%2e%2E/x", "/a b", "/a#b", "/a\\b",
      "/a\r\nX: 1", "/a\0b", "/ñ", "https://evil.com/",
    } do
      it("take no path " .. (path:gsub("%c", "?")), function()
        local client = faults:client("good")
        local before = faults:stats().requests
        helper.blames_caller(function() client:request("GET", path) end, "client:request", "path")
        assert.equal(before, faults:stats().requests)
      end)
    end

    it("take no wrong method or body", function()
      local client = faults:client("good")
      for _, method in ipairs { "", "get", "GET /", "G\r\nX", ("A"):rep(17), 5, {} } do
        helper.blames_caller(function() client:request(method, "/v1") end, "method")
      end
      helper.blames_caller(function() client:request() end, "method")
      helper.blames_caller(function() client:request("POST", "/v1", "{}") end, "body", "string")
    end)
  end)
end)

describe("the fault server", function()
  it("ends with its input, and counts only what others ask", function()
    local faults = helper.faults()
    assert.equal(0, faults:stats().requests)
    assert.equal(200, http.request("GET", faults.url .. "/good/x").status)
    assert.equal(404, http.request("GET", faults.url .. "/nothing").status)
    local stats = faults:stats()
    assert.equal(2, stats.requests)
    assert.equal(2, stats.connections)
    assert.equal(0, faults:stop())
  end)
end)
