--- The request by which `palenca serve` learns at its start, and with a new key, whether the API
-- takes the key.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local PROBE = "/v1/webhooks"

local SCRIPT = [[
  local palenca = require "palenca"
  local client = palenca.new{ max_retries = 0 }
  palenca.on("*", function(event) print("handled " .. event.account_id) end)]]

local WITHOUT_CLIENT = SCRIPT:gsub("local client[^\n]*", "")

describe("a key", function()
  local stage = helper.stage_for_each()

  -- Responds to each request with the status that the key has, 200 without one.
  local function api(statuses)
    return stage:server(function(request)
      local status = statuses[request.headers["x-api-key"]] or 200
      request.respond(status, status == 200 and '{"success":true,"data":[]}'
        or '{"success":false,"error":{"code":"unauthorized","message":"no"}}')
    end)
  end

  local function serve(url, options)
    options = options or {}
    local arguments = { "--admin", "127.0.0.1:0", "--workers", "3" }
    table.move(options.arguments or {}, 1, #(options.arguments or {}), 5, arguments)
    local env = { PALENCA_BASE_URL = url, PALENCA_API_KEY = options.key or "" }
    for name, value in pairs(options.env or {}) do
      env[name] = value
    end
    local served = stage:serve({ text = options.text or SCRIPT, arguments = arguments,
      directory = options.directory, env = env })
    local admin = served.stderr:match("metrics and health at (http://[%d.:]+)")
    function served.ready()
      local response = http.request("GET", admin .. "/readyz")
      return response.status, response.body
    end
    return served
  end

  local function handle(served, account)
    helper.post(served.url, { account_id = account })
    served:wait_output("stdout", "handled (" .. account .. ")")
  end

  it("that the API rejects is reported before an event comes", function()
    local server = api({ wrong = 401 })
    local served = serve(server.url, { key = "wrong" })
    local line = served:wait_output("stderr", "(palenca: error: the API at [^\n]*)\n")
    assert.equal(("palenca: error: the API at %s rejects the key (HTTP 401): put a valid one into "
      .. "the file of --api-key-file and send SIGHUP, or into PALENCA_API_KEY and start again")
      :format(server.url), line)
    local code, reasons = served.ready()
    assert.equal(503, code)
    assert.truthy(reasons:find('"key_rejected"', 1, true))
    handle(served, "a")
    assert.is_nil(served.stderr:find("wrong", 1, true))
  end)

  it("that may not do what the probe does is not reported", function()
    local server = api({ narrow = 403 })
    local served = serve(server.url, { key = "narrow" })
    server:wait_request(PROBE)
    handle(served, "a")
    assert.equal(200, (served.ready()))
    assert.equal(0, served:stop())
    assert.is_nil(served.stderr:find("error", 1, true), served.stderr)
  end)

  it("that is new at SIGHUP is tried, and the program ready again", function()
    local server = api({ old = 401, older = 401 })
    local directory = stage:directory()
    local file = process.write_file(directory .. "/key", "old")
    local served = serve(server.url, { directory = directory,
      arguments = { "--api-key-file", file } })
    served:wait_output("stderr", "(rejects the key)")
    assert.equal(503, (served.ready()))
    process.write_file(file, "older")
    served:kill("sighup")
    served:wait_output("stderr", "(script.lua reloaded)")
    helper.wait_lines(served, "stderr", "rejects the key", 2)
    process.write_file(file, "new")
    served:kill("sighup")
    helper.wait_lines(served, "stderr", "script.lua reloaded", 2)
    helper.ask_until(function()
      return served.ready() == 200
    end, "the program to be ready")
    assert.equal(2, select(2, served.stderr:gsub("rejects the key", "")))
  end)

  it("is tried once at the start, and not when the script is reloaded with the same", function()
    local server = api({})
    local served = serve(server.url, { key = "right" })
    local request = server:wait_request(PROBE)
    assert.same({ "GET", "right" }, { request.method, request.headers["x-api-key"] })
    handle(served, "a")
    served:kill("sighup")
    served:wait_output("stderr", "(script.lua reloaded)")
    handle(served, "b")
    assert.equal(0, served:stop())
    assert.equal(1, #server.requests)
    assert.is_nil(served.stderr:find("error", 1, true))
  end)

  it("of the environment is tried for a script that has made no client", function()
    local server = api({ wrong = 401 })
    local served = serve(server.url, { key = "wrong", text = WITHOUT_CLIENT })
    served:wait_output("stderr", "(rejects the key)")
    assert.equal(503, (served.ready()))
    handle(served, "a")
    assert.equal(0, served:stop())
  end)

  it("is not sent for a script without a client if nothing says where it is for", function()
    local proxy = api({})
    local served = serve("", { key = "right", text = WITHOUT_CLIENT,
      env = { PALENCA_PROXY = proxy.url } })
    handle(served, "a")
    assert.equal(0, served:stop())
    assert.equal(0, #proxy.requests)
  end)

  it("delays nothing if the API does not respond, and is not reported then", function()
    local server = stage:server(function() end)
    local served = serve(server.url, { key = "right" })
    server:wait_request(PROBE)
    assert.equal(200, (served.ready()))
    handle(served, "a")
    local began = uv.hrtime()
    assert.equal(0, served:stop())
    assert.is_true(uv.hrtime() - began < 20e9) -- the probe itself would wait for 30 s
    assert.is_nil(served.stderr:find("error", 1, true), served.stderr)

    server:close()
    served = serve(server.url, { key = "right" })
    handle(served, "b")
    assert.equal(200, (served.ready()))
    assert.equal(0, served:stop())
    assert.is_nil(served.stderr:find("error", 1, true), served.stderr)
  end)
end)
