--- Connections that `palenca serve` opens before a handler calls the API, as a real TLS server sees
-- them.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local KEY = "sk-0123-not-for-logs"

local SCRIPT = [[
  local palenca = require "palenca"
  local client = palenca.new{ rate_limit = 0, max_retries = 0 }
  palenca.on("ACTION", function(event)
    local address = os.getenv "BEFORE_CALL"
    if address then palenca.http{ url = address } end
    local account, err = client.accounts:get(event.account_id)
    if not account then palenca.log.info{ message = "no account", kind = err.kind } end
  end)
]]

local ACCOUNT = "cb39ee15-f29f-427d-9119-0c627575610d"

describe("a worker of palenca serve", function()
  local stage = helper.stage_for_each()
  local directory, certificate, key

  before_each(function()
    directory = stage:directory()
    key, certificate = process.certificate(directory)
  end)

  local function start_api(kind)
    local api = stage:start("node",
      { "spec/support/connection_server.mjs", key, certificate, kind })
    api.url = "https://localhost:" .. api:wait_output("stdout", "port (%d+)\n")
    return api
  end

  -- With a client, the first connection is that of the key's probe: it is closed when this returns.
  local function serve(url, options)
    local served = stage:serve({
      text = (options.script or SCRIPT):gsub("ACTION", options.action or "login.success"),
      directory = directory, arguments = { "--workers", tostring(options.workers or 1) },
      env = { PALENCA_BASE_URL = url, PALENCA_CA_FILE = certificate, PALENCA_API_KEY = KEY,
        BEFORE_CALL = options.before_call },
    })
    if options.api then
      helper.wait_lines(options.api, "stdout", "shut 1\n", 1)
      assert.truthy(options.api.stdout:find("request 1 GET /v1/webhooks " .. KEY .. "\n", 1, true))
    end
    return served
  end

  local function count(api, pattern)
    return select(2, api.stdout:gsub(pattern, ""))
  end

  local function post(served, action, account)
    helper.post(served.url, { webhook_action = action, account_id = account or ACCOUNT })
  end

  local function wait_done(served, number)
    helper.ask_until(function()
      return #helper.events(served.db, { "--state", "done" }) == number
    end, number .. " events to be done")
  end

  for kind, needed in pairs({ h2 = 1, http1 = 5 }) do
    it("connects when a login has started, and sends nothing, with " .. kind, function()
      local api = start_api(kind)
      local served = serve(api.url, { api = api, workers = 2 })
      post(served, "login.created")
      helper.wait_lines(api, "stdout", "open ", 1 + 2 * needed) -- of each worker
      wait_done(served, 1)
      assert.are.equal(1, count(api, "request "))
      post(served, "login.success")
      post(served, "login.success", "0b39ee15-f29f-427d-9119-0c627575610d")
      helper.wait_lines(api, "stdout", "request %d+ GET /v1/accounts/" .. ".", 2)
      wait_done(served, 3)
      assert.are.equal(1 + 2 * needed, count(api, "open "), api.stdout)
      assert.are.equal(0, served:stop())
    end)
  end

  it("connects before the first call of a handler that waits for something else", function()
    local api = start_api("h2")
    local other = stage:server(function(request)
      request.respond(200, "{}")
    end)
    local served = serve(api.url, { api = api, before_call = other.url .. "/" })
    post(served, "login.success")
    helper.wait_lines(api, "stdout", "request 2 ", 1)
    wait_done(served, 1)
    api:kill("sigusr2")
    helper.wait_lines(api, "stdout", "ended\n", 1)
    other.on_request = function() end
    post(served, "login.success")
    local waited_for = other:wait_request("/", 2)
    helper.wait_lines(api, "stdout", "open ", 3)
    assert.are.equal(2, count(api, "request "))
    waited_for.respond(200, "{}")
    helper.wait_lines(api, "stdout", "request 3 ", 1)
    wait_done(served, 2)
    assert.are.equal(3, count(api, "open "), api.stdout)
    assert.are.equal(0, served:stop())
  end)

  it("does not connect for a script without a handler of its end, or without a client", function()
    local api = start_api("http1")
    local served = serve(api.url, { api = api, action = "login.error" })
    post(served, "login.created")
    post(served, "login.error")
    helper.wait_lines(api, "stdout", "request 2 ", 1)
    wait_done(served, 2)
    assert.are.equal(2, count(api, "open "), api.stdout)
    assert.are.equal(0, served:stop())

    served = serve(api.url, { script = [[
      local palenca = require "palenca"
      palenca.on("ACTION", function(event)
        if event.replay then return end
        palenca.new{ rate_limit = 0 }.accounts:get(event.account_id)
      end)
    ]] })
    helper.wait_lines(api, "stdout", "shut 3\n", 1) -- the probe of the configured key
    post(served, "login.created", "1b39ee15-f29f-427d-9119-0c627575610d")
    post(served, "login.success", "1b39ee15-f29f-427d-9119-0c627575610d")
    helper.wait_lines(api, "stdout", "request 4 ", 1)
    wait_done(served, 4)
    assert.are.equal(4, count(api, "open "), api.stdout)
    assert.are.equal(0, served:stop())
  end)

  it("takes no harm from an API that is away, and says nothing of it", function()
    local served = serve("https://127.0.0.1:9", {})
    post(served, "login.created")
    post(served, "login.success")
    served:wait_output("stderr", "no account")
    wait_done(served, 2)
    assert.are.equal(0, served:stop())
    assert.is_nil(served.stderr:find(KEY, 1, true))
    assert.is_nil(served.stderr:find("127.0.0.1:9", 1, true), served.stderr)
  end)
end)
