--- Requests of a script to its owner's own systems.
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local json = require("palenca.util.json")
local palenca = require("palenca")
local uv = require("luv")

describe("palenca.http", function()
  local faults
  setup(function() faults = helper.faults() end)
  teardown(function() assert.equal(0, faults:stop()) end)

  local function last()
    return faults:stats().last
  end

  it("gets what is at an address", function()
    local response = palenca.http { url = faults.url .. "/good/x?y=1" }
    assert.equal(200, response.status)
    assert.equal("application/json", response.headers["content-type"])
    assert.is_true(json.decode(response.body).data.ok)
    assert.equal("GET", last().method)
    assert.equal("/good/x?y=1", last().target)
    assert.equal("", last().body)
  end)

  it("carries no key of the API", function()
    palenca.http { url = faults.url .. "/good/" }
    assert.is_nil(last().headers["x-api-key"])
  end)

  it("posts a body as it is", function()
    local body = "a=1&b=\0\1\255"
    local response = palenca.http { url = faults.url .. "/status:200/", body = body }
    assert.equal(body, response.body)
    assert.equal("POST", last().method)
    assert.equal(tostring(#body), last().headers["content-length"])
  end)

  it("posts JSON", function()
    for _, value in ipairs { { a = { 1, 2 }, b = "ñ" }, "text", 5, true, false } do
      local response = palenca.http { url = faults.url .. "/status:200/", json = value }
      assert.same(value, json.decode(response.body))
      assert.equal("POST", last().method)
      assert.equal("application/json", last().headers["content-type"])
    end
  end)

  it("leaves a content type of the caller's in place", function()
    palenca.http {
      url = faults.url .. "/good/", json = {}, headers = { ["content-TYPE"] = "application/x" },
    }
    assert.equal("application/x", last().headers["content-type"])
    assert.equal("{}", last().body)
  end)

  for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" } do
    it("sends " .. method .. ", with a body and without", function()
      local url = faults.url .. "/status:200/"
      local response = palenca.http { url = url, method = method, body = "abc" }
      assert.equal(method, response.headers["x-seen"])
      assert.equal("abc", response.body)
      response = palenca.http { url = url, method = method }
      assert.equal(method, response.headers["x-seen"])
      assert.equal("", response.body)
    end)
  end

  it("sends HEAD", function()
    local response = palenca.http { url = faults.url .. "/status:200/", method = "HEAD" }
    assert.equal(200, response.status)
    assert.equal("HEAD", response.headers["x-seen"])
    assert.equal("", response.body)
  end)

  it("sends headers, numbers and empty ones too", function()
    palenca.http {
      url = faults.url .. "/good/",
      headers = { ["X-Number"] = 5, ["X-Empty"] = "", ["X-Text"] = "a\tb é" },
    }
    assert.equal("5", last().headers["x-number"])
    assert.equal("", last().headers["x-empty"])
    assert.equal("a\tb é", last().headers["x-text"])
  end)

  it("sends a header as often as it has values", function()
    palenca.http { url = faults.url .. "/good/", headers = { ["X-Many"] = { "a", 2, "" } } }
    assert.same({ "a", "2", "" }, last().values["x-many"])
  end)

  it("sends what a template was made with, whatever becomes of the caller's table", function()
    local core, runtime = require("palenca.core"), require("palenca.runtime")
    local values = { ("a"):rep(50), ("b"):rep(50) }
    local template = core.template { headers = { ["X-Many"] = values, ["X-One"] = "1" } }
    values[1], values[2] = nil, nil
    collectgarbage()
    collectgarbage()
    runtime.wait(runtime.submit {
      template = template, method = "GET", url = faults.url .. "/good/",
    })
    assert.same({ ("a"):rep(50), ("b"):rep(50) }, last().values["x-many"])
    assert.equal("1", last().headers["x-one"])
  end)

  it("has every cookie, and other headers that come twice as one", function()
    local headers = palenca.http({ url = faults.url .. "/cookies/" }).headers
    assert.same({ "a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT", "b=2" }, headers["set-cookie"])
    assert.equal("one, two", headers["x-twice"])
    assert.equal("one two three: 3", headers["x-folded"])
    for name in pairs(headers) do
      assert.truthy(name:find("^[%l%d-]+$"), name)
    end
  end)

  it("finds a header under its name in any case", function()
    local headers = palenca.http({ url = faults.url .. "/good/" }).headers
    assert.equal("application/json", headers["Content-Type"])
    assert.equal("application/json", headers["CONTENT-TYPE"])
    assert.is_nil(headers["X-None"])
    assert.is_nil(headers[1])
  end)

  it("takes half of a compressed body for no response", function()
    local response, err = palenca.http { url = faults.url .. "/half_gzip/" }
    assert.is_nil(response)
    assert.equal("protocol", err.kind)
    assert.truthy(err.message:find("truncated", 1, true), err.message)
  end)

  for _, status in ipairs { 201, 302, 400, 401, 404, 429, 500, 503, 599 } do
    it("hands on status " .. status .. ", once", function()
      local path = "/status:" .. status .. "/once"
      local response, err = palenca.http { url = faults.url .. path, body = "why" }
      assert.is_nil(err)
      assert.equal(status, response.status)
      assert.equal("why", response.body)
      assert.equal(1, faults:count(path))
    end)
  end

  it("does not follow a redirect", function()
    local response = palenca.http { url = faults.url .. "/redirect/" }
    assert.equal(302, response.status)
    assert.equal("/redirected/v1/users", response.headers.location)
    assert.equal(0, faults:count("/redirected/v1/users"))
  end)

  it("reports a server that does not speak HTTP", function()
    local response, err = palenca.http { url = faults.url .. "/garbage/" }
    assert.is_nil(response)
    assert.equal("protocol", err.kind)
    assert.truthy(#err.message > 0)
  end)

  describe("to a server that fails", function()
    local sandbox
    before_each(function() sandbox = helper.sandbox() end)
    after_each(function() assert.equal(0, sandbox:stop()) end)

    local function request(given)
      given.url = sandbox.url .. "/v1/webhooks"
      given.headers = { ["x-api-key"] = sandbox.key }
      return palenca.http(given)
    end

    it("retries only if configured to", function()
      sandbox:fault { kind = "error", status = 503, retry_after = 0, times = 1 }
      assert.equal(200, request({ max_retries = 2 }).status)
      assert.equal(2, sandbox:count())
      sandbox:fault { kind = "error", status = 503, retry_after = 0, times = 1 }
      assert.equal(503, request({}).status)
    end)

    for _, kind in ipairs { "drop", "cut" } do
      it("reports the cause, and repeats idempotent requests only: " .. kind, function()
        sandbox:fault { kind = kind }
        for method, attempts in pairs { GET = 3, POST = 1, PATCH = 1 } do
          local response, err = request { method = method, max_retries = 2 }
          assert.is_nil(response)
          assert.is_true(errors.is(err))
          assert.equal("network", err.kind)
          assert.equal(attempts, err.attempts)
          assert.equal(attempts, sandbox:count())
        end
      end)
    end

    it("reports a timeout", function()
      sandbox:fault { kind = "latency", seconds = 600 }
      local response, err = request { timeout = 0.2 }
      assert.is_nil(response)
      assert.equal("timeout", err.kind)
    end)
  end)

  it("reports that nothing listens", function()
    local bound = uv.new_tcp()
    bound:bind("127.0.0.1", 0)
    local host = "127.0.0.1:" .. bound:getsockname().port
    local response, err = palenca.http {
      url = "http://user:secret@" .. host .. "/people/7?q=1", method = "PUT",
    }
    bound:close()
    assert.is_nil(response)
    assert.equal("network", err.kind)
    -- whose it is, without what may be personal
    assert.equal("PUT to " .. host .. ", by palenca.http", err.sent_to)
    assert.truthy(tostring(err):find("(PUT to " .. host .. ", by palenca.http)", 1, true))
    assert.is_nil(tostring(err):find("people", 1, true) or tostring(err):find("secret", 1, true))
    assert.equal(1, err.attempts)
  end)

  describe("rejects, before it sends anything,", function()
    local before
    setup(function() before = faults:stats().requests end)
    teardown(function() assert.equal(before, faults:stats().requests) end)

    local function rejects(options, ...)
      helper.blames_caller(function() local _ = palenca.http(options) end, "palenca.http", ...)
    end

    local function with(more)
      local all = { url = faults.url .. "/good/" }
      for name, value in pairs(more) do
        all[name] = value
      end
      return all
    end

    for _, url in ipairs {
      "example.com", "/x", "ftp://example.com", "file:///etc/passwd", "http://", "http:///x",
      "http://a b", "http://a/b c", "http://a/\r\nX: 1", "HTTP://a", "gopher://a", " http://a",
      "http://a:99999/", "http://a:b/", "http://[::1/", "http://?x", "http://a..b/",
      "http://127.1/",
      "http://a@b@127.0.0.1/", "http://a\\@127.0.0.1/", "http://127.0.0.1\0.example/",
      "http://me:pass word@127.0.0.1/", "http://me:%00@127.0.0.1/", "http://localhost./",
    } do
      it("the address " .. url:gsub("%c", "?"), function()
        rejects({ url = url }, "url")
      end)
    end

    it("an address that is missing or no text", function()
      rejects({}, "url")
      rejects({ url = 5 }, "url")
      rejects("http://example.com/", "table")
      rejects(nil, "table")
    end)

    it("unknown options and wrong types", function()
      rejects(with { verify = false }, "unknown field 'verify'")
      rejects(with { body = {} }, "body")
      rejects(with { timeout = "1" }, "timeout")
      rejects(with { timeout = 0 }, "timeout")
      rejects(with { max_retries = -1 }, "max_retries")
      rejects(with { max_retries = 1e6 }, "max_retries")
      rejects(with { headers = "X: 1" }, "headers")
      rejects(with { body = "x", json = {} }, "body or json")
    end)

    for _, method in ipairs { "get", "GET /", "G\r\nX: 1", "", ("A"):rep(17) } do
      it("the method '" .. method:gsub("%c", "?") .. "'", function()
        rejects(with { method = method }, "method")
      end)
    end

    for _, value in ipairs { "a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\127" } do
      it(string.format("the header value %q", value), function()
        rejects(with { headers = { ["X-A"] = value } }, "header")
      end)
    end

    for _, name in ipairs { "", "a b", "a:b", "a\r\nb", "a\0b", "ñ", "a\n" } do
      it(string.format("the header name %q", name), function()
        rejects(with { headers = { [name] = "x" } }, "header")
      end)
    end

    for _, name in ipairs {
      "Content-Length", "content-length", "TRANSFER-ENCODING", "Connection", "Keep-Alive",
      "Proxy-Connection", "Expect", "Upgrade", "TE", "Trailer", "Host",
    } do
      it("the header " .. name .. ", which is made from the request", function()
        rejects(with { headers = { [name] = "3" }, body = "longer" }, name)
        rejects(with { headers = { [name] = { "3" } } }, name)
      end)
    end

    it("a header that is set twice, in different case", function()
      rejects(with { headers = { ["Content-Type"] = "a/b", ["content-type"] = "c/d" } },
        "header content-type is set twice")
    end)

    it("lists of values that are empty or hold anything else", function()
      rejects(with { headers = { ["X-A"] = {} } }, "X-A", "empty")
      rejects(with { headers = { ["X-A"] = { "a", {} } } }, "headers")
      rejects(with { headers = { ["X-A"] = { "a", "b\n" } } }, "X-A")
    end)

    it("headers that are no text", function()
      rejects(with { headers = { "x" } }, "headers")
      rejects(with { headers = { X = true } }, "headers")
      rejects(with { headers = { X = {} } }, "headers")
    end)

    it("what JSON cannot say", function()
      assert.has_error(function() palenca.http(with { json = { f = print } }) end)
      assert.has_error(function() palenca.http(with { json = 0 / 0 }) end)
    end)
  end)
end)
