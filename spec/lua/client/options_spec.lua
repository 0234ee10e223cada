--- The options of a client that say how it gets there: deadline, bound, TLS, proxy, and the hook
-- that sees each attempt.
local helper = require("spec.lua.helper")
local palenca = require("palenca")
local process = require("spec.support.process")

describe("a deadline", function()
  local sandbox
  before_each(function() sandbox = helper.sandbox() end)
  after_each(function() assert.equal(0, sandbox:stop()) end)

  it("ends a call without a response", function()
    sandbox:fault { kind = "latency", seconds = 600 }
    local data, err = sandbox:client({ deadline = 1, max_retries = 5 }).users:get(helper.USER)
    assert.is_nil(data)
    assert.equal("timeout", err.kind)
    assert.equal(1, err.attempts)
  end)

  it("ends the waits between attempts, with the last response", function()
    sandbox:fault { kind = "error", status = 503, retry_after = 30 }
    local data, err = sandbox:client({ deadline = 20, max_retries = 5 }).users:get(helper.USER)
    assert.is_nil(data)
    assert.equal("server", err.kind)
    assert.equal(503, err.status)
    assert.equal(1, err.attempts)
  end)

  it("ends the wait for a turn under the rate limit", function()
    assert.truthy(sandbox:client({ rate_limit = 1 }).users:get(helper.USER))
    local data, err = sandbox:client({ deadline = 0.2, rate_limit = 1 }).users:get(helper.USER)
    assert.is_nil(data)
    assert.equal("timeout", err.kind)
    assert.equal(0, err.attempts)
    assert.truthy(err.message:find("deadline", 1, true))
  end)
end)

describe("the rate limit", function()
  it("is shared by all clients of a key, and by no other", function()
    local sandbox = helper.sandbox()
    local function client(deadline, key)
      return sandbox:client { api_key = key, deadline = deadline, rate_limit = 2 }
    end
    local before = { client(0.2), client(0.2) }
    assert.truthy(client().users:get(helper.USER))
    assert.truthy(client().users:get(helper.USER))
    for _, full in ipairs { before[1], before[2], client(0.2) } do
      local _, err = full.users:get(helper.USER)
      assert.equal("timeout", err.kind)
      assert.equal(0, err.attempts)
    end
    local _, err = client(nil, "another-key").users:get(helper.USER)
    assert.equal("auth", err.kind)
    assert.equal(0, sandbox:stop())
  end)
end)

describe("the pace of a key", function()
  -- nothing is sent but the first request, to where nobody responds
  local function outcome(new_engine, deadline)
    local engine = new_engine()
    engine:submit {
      method = "GET", url = "http://127.0.0.1:1/", rate_limit_key = "kept", rate_limit = 1,
      deadline = deadline,
    }
    local result = process.poll_for(function()
      engine:step(0)
      return engine:take()
    end, "a result")
    engine:close()
    return result.kind, result.attempts
  end

  it("is kept when an engine ends, with or without a thread of its own", function()
    local core = require("palenca.core")
    assert.same({ "network", 1 }, { outcome(core.engine_thread) })
    for _, new_engine in ipairs { core.engine_thread, core.engine } do
      assert.same({ "timeout", 0 }, { outcome(new_engine, 0.05) })
    end
  end)
end)

describe("the size limit of a response", function()
  it("is the caller's to choose", function()
    local sandbox = helper.sandbox()
    assert.truthy(sandbox:client({ max_response = 10000 }).accounts:get(helper.ACCOUNT))
    local data, err = sandbox:client({ max_response = 100 }).accounts:get(helper.ACCOUNT)
    assert.equal(0, sandbox:stop())
    assert.is_nil(data)
    assert.equal("protocol", err.kind)
    assert.truthy(err.message:find("larger than the bound of 100 bytes", 1, true))
  end)
end)

describe("a hook", function()
  local sandbox, seen
  before_each(function()
    sandbox = helper.sandbox()
    seen = {}
  end)
  after_each(function() assert.equal(0, sandbox:stop()) end)

  local function client(options)
    options.on_attempt = function(attempt)
      seen[#seen + 1] = attempt
    end
    return sandbox:client(options)
  end

  it("sees each attempt", function()
    sandbox:fault { kind = "error", status = 503, retry_after = 0, times = 2 }
    local _, meta = client({ max_retries = 3 }).users:get(helper.USER)
    assert.equal(3, #seen)
    for number, attempt in ipairs(seen) do
      assert.equal("GET", attempt.method)
      assert.equal("/v1/users/" .. helper.USER, attempt.path)
      assert.equal(number, attempt.number)
      assert.equal(number < 3 and 503 or 200, attempt.status)
      assert.is_nil(attempt.kind)
      assert.is_true(attempt.seconds >= 0 and attempt.seconds < 60)
      assert.equal(number < 3, attempt.retry_in ~= nil)
      assert.is_string(attempt.request_id)
    end
    assert.equal(meta.request_id, seen[3].request_id)
    helper.holds_no(sandbox.key, seen)
  end)

  it("sees that nothing came", function()
    sandbox:fault { kind = "drop" }
    client({}).users:create()
    assert.equal(1, #seen)
    assert.same({ "POST", "/v1/users", "network" },
      { seen[1].method, seen[1].path, seen[1].kind })
    assert.is_nil(seen[1].status)
    assert.is_nil(seen[1].request_id)
    assert.is_nil(seen[1].retry_in)
  end)

  it("sees every page, and no identity number", function()
    local search = client({}).accounts:earnings(helper.ACCOUNT, {
      start_date = "2025-03-01", end_date = "2025-03-14", items_per_page = 5,
    })
    for page = 1, 3 do
      assert.truthy(search:page(page))
    end
    assert.equal(3, #seen)
    assert.equal(3, sandbox:count())
    client({}).consents:get("GOMC800101HDFMRR09")
    local path = seen[#seen].path
    assert.truthy(path:find("^/v1/consents/"), path)
    assert.is_nil(path:find("GOMC800101", 1, true), path)
  end)

  it("may abort what it watches: the waiting call raises", function()
    sandbox:fault { kind = "error", status = 503, retry_after = 50 }
    local pager
    local one = sandbox:client {
      max_retries = 1, on_attempt = function(attempt)
        seen[#seen + 1] = attempt
        pager:stop()
      end,
    }
    pager = one.accounts:earnings(helper.ACCOUNT, helper.PERIOD)
    local ok, problem = pcall(pager.next, pager)
    assert.same({ false, "the call was aborted" }, { ok, problem })
    assert.equal(1, #seen)
    assert.is_nil(pager:next())
    sandbox:heal()
    assert.truthy(one.users:get(helper.USER))
    assert.equal(2, sandbox:count())
  end)

  it("changes nothing by failing, and its failure is logged", function()
    local status, out, err = helper.run(([[
      local palenca = require "palenca"
      local client = palenca.new {
        api_key = "%s", base_url = "%s", on_attempt = function() error("my hook") end,
      }
      print(client.users:get("%s").user_id)
    ]]):format(sandbox.key, sandbox.url, helper.USER))
    assert.equal(0, status, err)
    assert.equal(helper.USER .. "\n", out)
    assert.truthy(err:find("on_attempt has failed", 1, true), err)
    assert.truthy(err:find("my hook", 1, true), err)
  end)
end)

describe("before a client is made", function()
  for name, values in pairs {
    deadline = { 0, -1, "5", 1e9 }, max_response = { 0, 1.5, "x" }, min_tls = { "1.1", 1.2, "" },
    ca_file = { "", 5 }, proxy = { 5, true }, on_attempt = { "f", {} },
  } do
    it("rejects a wrong " .. name, function()
      for _, value in ipairs(values) do
        helper.blames_caller(function()
          palenca.new { api_key = helper.KEY, [name] = value }
        end, "palenca.new", name .. " must be")
      end
    end)
  end
end)

describe("TLS", function()
  local directory, remove, key, certificate, server

  setup(function()
    directory, remove = process.directory()
    key, certificate = process.certificate(directory)
  end)
  teardown(function() remove() end)
  after_each(function() server:stop() end)

  local function start(...)
    server = process.start("openssl", {
      "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-www", ...,
    })
    return "https://127.0.0.1:" .. server:wait_output("stdout", "ACCEPT [^\n]*:(%d+)\n")
  end

  local function get(url, options)
    options.api_key, options.base_url, options.max_retries = helper.KEY, url, 0
    return palenca.new(options).users:get("u1")
  end

  it("is verified: an untrusted certificate is rejected", function()
    local url = start()
    local data, err = get(url, {})
    local response, problem = palenca.http { url = url .. "/" }
    assert.is_nil(data)
    assert.equal("network", err.kind)
    assert.truthy(err.message:find("certificate", 1, true), err.message)
    assert.is_nil(err.status)
    assert.is_nil(response)
    assert.equal("network", problem.kind)
    assert.truthy(problem.message:find("certificate", 1, true), problem.message)
    assert.is_nil(server.stdout:find(helper.KEY, 1, true))
  end)

  it("takes the certificates that the caller names", function()
    local _, err = get(start(), { ca_file = certificate })
    -- the server's own page, so that TLS was agreed on
    assert.equal("protocol", err.kind)
    assert.equal(200, err.status)
  end)

  it("takes them in palenca.http, too, and from the environment", function()
    local url = start() .. "/"
    assert.equal(200, palenca.http({ url = url, ca_file = certificate }).status)
    assert.is_nil(palenca.http { url = url })
    local status, out, err = helper.run(
      ("print(require('palenca').http({ url = '%s' }).status)"):format(url),
      { PALENCA_CA_FILE = certificate })
    assert.same({ 0, "200\n" }, { status, out }, err)
  end)

  it("has a lowest version that palenca.http's caller chooses, 1.2 if it does not", function()
    local url = start("-tls1_2") .. "/"
    assert.equal(200, palenca.http({ url = url, ca_file = certificate }).status)
    local response, err = palenca.http { url = url, ca_file = certificate, min_tls = "1.3" }
    assert.is_nil(response)
    assert.equal("network", err.kind)
  end)

  -- Debian's curl reads them anew for each connection, 20 ms of work, if it has a directory of
  -- them too.
  it("reads the certificates once, not for each connection", function()
    local copy = directory .. "/copy.pem"
    local file = assert(io.open(certificate))
    process.write_file(copy, file:read("*a"))
    file:close()
    local client = palenca.new {
      api_key = helper.KEY, base_url = start(), max_retries = 0, ca_file = copy,
    }
    local _, err = client.users:get("u1")
    assert.equal(200, err.status, tostring(err))
    os.remove(copy)
    _, err = client.users:get("u1") -- the server has closed the first connection
    assert.equal(200, err.status, tostring(err))
  end)

  it("is at least 1.3, unless the caller allows 1.2", function()
    local url = start("-tls1_2")
    local _, err = get(url, { ca_file = certificate })
    assert.equal("network", err.kind)
    assert.is_nil(err.status)
    _, err = get(url, { ca_file = certificate, min_tls = "1.2" })
    assert.equal(200, err.status)
  end)

  it("is not tried with a file of certificates that is not there, or holds none", function()
    local url = start()
    local empty = process.write_file(directory .. "/empty.pem", "nothing\n")
    for _, file in ipairs { directory .. "/none.pem", empty } do
      for _, call in ipairs {
        function(ca_file) return palenca.http { url = url, ca_file = ca_file, max_retries = 2 } end,
        function(ca_file)
          return palenca.new({
            api_key = helper.KEY, base_url = url, ca_file = ca_file, max_retries = 2,
          }).users:get("u1")
        end,
      } do
        local response, err = call(file)
        assert.is_nil(response)
        assert.equal("network", err.kind)
        assert.equal(1, err.attempts)
        assert.truthy(err.message:find(file, 1, true), err.message)
      end
    end
    assert.is_nil(server.stdout:find("GET", 1, true))
  end)
end)

describe("a proxy", function()
  it("is asked if the caller names one, even for this machine", function()
    local sandbox, faults = helper.sandbox(), helper.faults()
    local client = sandbox:client { proxy = faults.url }
    local _, err = client.users:get(helper.USER)
    assert.equal(404, err.status) -- of the fault server, which knows no fault of this name
    assert.equal(0, sandbox:count())
    assert.truthy(sandbox:client({ proxy = "" }).users:get(helper.USER))
    assert.equal(0, faults:stop())
    assert.equal(0, sandbox:stop())
  end)

  it("of the environment is not asked for this machine, whatever else the address holds", function()
    local faults, proxy = helper.faults(), helper.faults()
    local status, out, err = helper.run(([[
      local http = require("palenca").http
      for _, url in ipairs {
        "http://me:secret@127.0.0.1:%s/good/", "http://me@localhost:%s/good/",
        "http://127.0.0.1:%s/good/@example.com", "http://LOCALHOST:%s/good/?a@b",
      } do
        local response, err = http { url = url }
        print(response and response.status or err)
      end
      print(http({ url = "http://localhost@server.invalid/good/" }).status)
    ]]):gsub("%%s", faults.url:match("%d+$")), { http_proxy = proxy.url, no_proxy = "" })
    assert.same({ 0, ("200\n"):rep(4) .. "404\n" }, { status, out }, err)
    assert.equal(1, proxy:stats().requests)
    assert.equal(4, faults:stats().requests)
    assert.equal(0, faults:stop())
    assert.equal(0, proxy:stop())
  end)

  for _, case in ipairs { { 407, 1 }, { 403, 1 }, { 502, 2 } } do
    it("that rejects the connection with " .. case[1] .. " is not the API", function()
      local proxy = helper.faults()
      local url = ("https://status-%d.invalid"):format(case[1])
      local client = palenca.new {
        api_key = helper.KEY, base_url = url, proxy = proxy.url, max_retries = 1, timeout = 20,
      }
      local data, err = client.users:create { external_id = "w" }
      local response, problem = palenca.http {
        url = url .. "/", body = "x", proxy = proxy.url, max_retries = 1,
      }
      assert.is_nil(data)
      assert.is_nil(response)
      for _, one in ipairs { err, problem } do
        assert.equal("network", one.kind, tostring(one))
        assert.truthy(one.message:find("the proxy at 127.0.0.1 port " .. proxy.url:match("%d+$"), 1,
          true), one.message)
        assert.truthy(one.message:find("status " .. case[1], 1, true), one.message)
        assert.equal(case[2], one.attempts)
        assert.is_nil(one.status)
        assert.is_nil(one.request_id)
        assert.is_nil(one.retry_after)
      end
      assert.equal(0, proxy:stop())
    end)
  end
end)
