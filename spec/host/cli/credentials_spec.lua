--- Keys and secrets that a service manager passes as files: $CREDENTIALS_DIRECTORY.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local SECRET = "a-secret-of-24-letters.."
local ACCOUNT = "cb39ee15-f29f-427d-9119-0c627575610e" -- which the sandbox does not have
local CALLING = [[
  local palenca = require "palenca"
  local client = palenca.new()
  palenca.on("*", function(event)
    print(select(2, client.accounts:get(event.account_id)).kind)
  end)
]]

describe("the credentials of a service", function()
  local stage = helper.stage_for_each()
  local directory

  before_each(function()
    directory = stage:directory()
  end)

  local function credential(name, text)
    local path = process.write_file(directory .. "/palenca." .. name, text)
    assert(process.run("/bin/chmod", { "400", path }) == 0)
  end

  local function serve(env, arguments, text)
    env.CREDENTIALS_DIRECTORY = directory
    env.PALENCA_API_KEY = env.PALENCA_API_KEY or ""
    return stage:serve({ text = text, env = env, arguments = arguments })
  end

  it("hold the key, if no variable does", function()
    local _, url, key = stage:sandbox()
    credential("api-key", key .. "\n")
    local served = serve({ PALENCA_BASE_URL = url }, nil, CALLING)
    helper.post(served.url, { account_id = ACCOUNT })
    served:wait_output("stdout", "(not_found)")
    assert.are.equal(0, served:stop(), served.stderr)
    served = serve({ PALENCA_BASE_URL = url, PALENCA_API_KEY = "wrong" }, nil, CALLING)
    helper.post(served.url, { account_id = ACCOUNT })
    served:wait_output("stdout", "(auth)")
  end)

  -- What the unit runs at each start.
  it("are tried by check --online, which reports a key that the API rejects", function()
    local _, url, key = stage:sandbox()
    local function check(text)
      os.remove(directory .. "/palenca.api-key")
      credential("api-key", text)
      return process.run(process.program(), { "check", "--online" },
        { env = { CREDENTIALS_DIRECTORY = directory, PALENCA_BASE_URL = url } })
    end
    local status, out, err = check(key)
    assert.are.equal(0, status, out .. err)
    status, out = check("wrong")
    assert.are.equal(1, status)
    assert.truthy(out:find("\nkey +FAILED +auth: "), out)
  end)

  it("hold the secrets of path and signature", function()
    credential("path-secret", SECRET)
    credential("webhook-secret", "one\ntwo\n")
    local served = serve({}, { "--signature-header", "X-Signature" })
    local address = served.url:match("^(http://[^/]+)")
    assert.truthy(served.stderr:find("/webhooks/palenca/<secret>,", 1, true), served.stderr)
    assert.are.equal(404, http.request("POST", address .. "/webhooks/palenca", "{}").status)
    assert.are.equal(401, http.request("POST", address .. "/webhooks/palenca/" .. SECRET,
      helper.body()).status)
    assert.is_nil(served.stderr:find("warning", 1, true), served.stderr)
  end)

  it("hold certificate and key of TLS", function()
    local key, certificate = process.certificate(directory)
    assert(os.rename(key, directory .. "/palenca.tls-key"))
    assert(os.rename(certificate, directory .. "/palenca.tls-cert"))
    local served = stage:palenca({ "serve", process.write_file(directory .. "/script.lua", ""),
      "--listen", "127.0.0.1:0", "--db", directory .. "/events.db" },
      { env = { CREDENTIALS_DIRECTORY = directory } })
    served:wait_output("stderr", "receiving webhooks at (https://)")
  end)

  it("do not stand in for an empty variable that restricts access", function()
    credential("webhook-secret", "one")
    local status, _, err = process.run(process.program(), { "serve", "script.lua" },
      { env = { CREDENTIALS_DIRECTORY = directory, PALENCA_WEBHOOK_SECRET = "" } })
    assert.are.equal(2, status)
    assert.truthy(err:find("$PALENCA_WEBHOOK_SECRET is set, but empty", 1, true), err)
  end)

  it("are left alone where there are none", function()
    local served = serve({})
    assert.is_nil(served.stderr:find("secret", 1, true), served.stderr)
  end)
end)
