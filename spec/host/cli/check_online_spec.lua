--- Runs `palenca check --online`: on a sandbox, on servers with another clock and without a valid
-- certificate, and on none.
local cjson = require("cjson")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("palenca check --online", function()
  local stage = helper.stage_for_each()

  local function sandbox(...)
    local _, url, key = stage:sandbox({ ... })
    return { PALENCA_BASE_URL = url, PALENCA_API_KEY = key }
  end

  -- What it says of each, and its exit status.
  local function check(env, ...)
    local status, out, err = process.run(process.program(), { "check", "--online", "--json", ... },
      { env = env })
    local found = {}
    for _, line in ipairs(helper.lines_of_json(out)) do
      found[line.check] = line
    end
    return found, status, err
  end

  -- One whose clock differs by so many seconds.
  local function server_at(offset)
    return stage:server(function(request)
      request.respond(200, cjson.encode({ success = true, data = { webhooks = {} } }), {
        ["content-type"] = "application/json",
        date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + offset),
      })
    end)
  end

  it("finds nothing wrong with a sandbox", function()
    local env = sandbox()
    local found, status, err = check(env)
    assert.are.same({ 0, "" }, { status, err })
    assert.are.equal(env.PALENCA_BASE_URL, found.address.message)
    assert.are.equal("none: the address is plain http", found.tls.message)
    assert.is_nil(found.tls.ok)
    for _, name in ipairs({ "address", "response", "key", "clock", "limit" }) do
      assert.is_true(found[name].ok, name)
    end
    local limit = found.limit.message
    assert.truthy(limit:find("^120 requests a minute, 119 left until %d%d:%d%d:%d%d$"), limit)
    local _, text = process.run(process.program(), { "check", "--online" }, { env = env })
    assert.truthy(text:find("\nkey       ok      accepted\n", 1, true), text)
    assert.truthy(text:find("\ntls       -       none: ", 1, true), text)
  end)

  it("finds a wrong key", function()
    local env = sandbox()
    env.PALENCA_API_KEY = "wrong"
    local found, status = check(env)
    assert.are.equal(1, status)
    assert.is_false(found.key.ok)
    assert.truthy(found.key.message:find("invalid_api_key", 1, true), found.key.message)
    assert.is_true(found.response.ok)
    assert.is_true(found.clock.ok)
  end)

  it("finds that there is no key", function()
    local _, status, err = check({ PALENCA_BASE_URL = "http://127.0.0.1:9" })
    assert.are.equal(1, status)
    assert.truthy(err:find("no API key: name a file with --api-key-file", 1, true), err)
  end)

  it("finds a limit that is used up, or lower than the client's", function()
    local env = sandbox("--rate-limit", "1")
    local found, status = check(env, "--rate-limit", "1")
    assert.are.equal(1, status)
    assert.truthy(found.limit.message:find("0 left .*: it is used up"), found.limit.message)
    found, status = check(env, "--rate-limit", "1")
    assert.are.equal(1, status)
    assert.is_false(found.limit.ok)
    assert.is_nil(found.key.ok)
    assert.are.equal("not known: the limit is used up", found.key.message)
    env = sandbox("--rate-limit", "60")
    found, status = check(env)
    assert.are.equal(1, status)
    assert.truthy(found.limit.message:find("59 left .*; %-%-rate%-limit is higher: 120$"),
      found.limit.message)
    found = check(env, "--rate-limit", "0")
    assert.truthy(found.limit.message:find("; %-%-rate%-limit is 0: none$"), found.limit.message)
    assert.are.equal(0, select(2, check(env, "--rate-limit", "60")))
  end)

  it("finds a clock that is behind or ahead", function()
    for offset, pattern in pairs({
      [3600] = "^this machine is 3[56]%d%d s behind the API",
      [-3600] = "^this machine is 3[56]%d%d s ahead of the API",
      [5] = "^within 10 s",
      [-5] = "^within 10 s",
    }) do
      local found, status = check({ PALENCA_BASE_URL = server_at(offset).url,
        PALENCA_API_KEY = "spec-key" })
      assert.truthy(found.clock.message:find(pattern), found.clock.message)
      assert.are.equal(math.abs(offset) <= 10, found.clock.ok)
      assert.are.equal(found.clock.ok and 0 or 1, status)
      assert.is_nil(found.limit.ok)
    end
  end)

  it("finds a certificate that is not valid, and a server that is not the API", function()
    local directory = stage:directory()
    local key, certificate = process.certificate(directory)
    local served = stage:palenca({ "serve", process.write_file(directory .. "/script.lua", ""),
      "--listen", "127.0.0.1:0", "--db", directory .. "/events.db", "--tls-cert", certificate,
      "--tls-key", key })
    local port = served:wait_output("stderr", "receiving webhooks at https://127%.0%.0%.1:(%d+)/")
    local env = { PALENCA_BASE_URL = "https://localhost:" .. port, PALENCA_API_KEY = "spec-key",
      PALENCA_PROXY = "" }
    local found, status = check(env)
    assert.are.equal(1, status)
    assert.is_false(found.tls.ok)
    assert.truthy(found.tls.message:find("certificate", 1, true), found.tls.message)
    assert.is_nil(found.key.ok)
    env.PALENCA_CA_FILE = certificate
    found, status = check(env)
    assert.are.equal(1, status)
    assert.is_true(found.tls.ok)
    assert.are.equal("the certificate is valid, TLS 1.3", found.tls.message)
    assert.is_false(found.key.ok)
    assert.truthy(found.key.message:find("^not known: "), found.key.message)
  end)

  it("finds that there is no network", function()
    local found, status = check({ PALENCA_BASE_URL = "http://127.0.0.1:" .. helper.free_port(),
      PALENCA_API_KEY = "spec-key" })
    assert.are.equal(1, status)
    assert.is_false(found.response.ok)
    for _, name in ipairs({ "tls", "key", "clock", "limit" }) do
      assert.is_nil(found[name].ok, name)
    end
  end)

  it("checks a script as well", function()
    local env = sandbox()
    local directory = stage:directory()
    local good = process.write_file(directory .. "/good.lua", "")
    local bad = process.write_file(directory .. "/bad.lua", "(")
    local function run(...)
      return process.run(process.program(), { "check", ... }, { env = env })
    end
    local status, out = run("--online", good)
    assert.are.equal(0, status)
    assert.truthy(out:find("limit .*\n.*good%.lua: ok, "), out)
    assert.are.equal(1, (run("--online", bad)))
    env.PALENCA_API_KEY = "wrong"
    assert.are.equal(1, (run("--online", good)))
  end)

  helper.it_rejects({
    { { "check" }, "missing argument 'SCRIPT'" },
    { { "check", "script.lua", "--json" }, "%-%-json goes with %-%-online" },
  })
end)
