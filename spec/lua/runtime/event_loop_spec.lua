--- Drives the engine from another event loop: that of examples/luv.lua, run by this Lua.
local helper = require("spec.lua.helper")
local process = require("spec.support.process")
local uv = require("luv")

describe("examples/luv.lua", function()
  local sandbox
  before_each(function() sandbox = helper.sandbox() end)
  after_each(function() sandbox:stop() end)

  local function run(accounts)
    local arguments = { "examples/luv.lua" }
    for _, account in ipairs(accounts) do
      arguments[#arguments + 1] = account
    end
    return process.run(uv.exepath(), arguments,
      { env = { PALENCA_API_KEY = sandbox.key, PALENCA_BASE_URL = sandbox.url } })
  end

  it("reads accounts side by side, while the loop goes on", function()
    sandbox:fault { kind = "latency", seconds = 0.1 }
    local status, out, err = run { helper.ACCOUNT, helper.UNKNOWN, helper.ACCOUNT }
    assert.same({ 0, "" }, { status, err })
    local line = helper.ACCOUNT:gsub("%-", "%%-")
      .. "  195 days, %d+%.%d%d mxn a month, by 3 requests\n"
    assert.truthy(out:find(line .. line), out)
    assert.truthy(out:find(helper.UNKNOWN .. "  not_found", 1, true), out)
    assert.is_true(tonumber(out:match("ticked (%d+) times")) >= 3, out)
  end)

  it("waits for a repeat as well", function()
    sandbox:fault { kind = "error", status = 503, times = 2 }
    local status, out, err = run { helper.ACCOUNT }
    assert.same({ 0, "" }, { status, err })
    assert.truthy(out:find("195 days", 1, true), out)
  end)

  it("reports the cause when nothing listens", function()
    local status, out = process.run(uv.exepath(), { "examples/luv.lua" }, { env = {
      PALENCA_API_KEY = "k", PALENCA_BASE_URL = "http://127.0.0.1:1", PALENCA_MAX_RETRIES = "0",
    } })
    assert.equal(0, status)
    assert.truthy(out:find("network", 1, true), out)
  end)
end)
