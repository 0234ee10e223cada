--- How many pages of a search are in flight where nobody has said it: in the program, and in one
--- with an event loop of its own. `spec/lua/client/http2_spec.lua` has it elsewhere.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("over HTTP/2 a search", function()
  local ACCOUNT = "cb39ee15-f29f-427d-9119-0c627575610d"
  local directory, remove, server, env

  setup(function()
    local key, certificate
    directory, remove = process.directory()
    key, certificate = process.certificate(directory)
    server = process.start("node", { "spec/support/http2_server.mjs", key, certificate, "h2" })
    env = {
      SPEC_PORT = server:wait_output("stdout", "ports (%d+) %d+\n"),
      PALENCA_API_KEY = "spec-key", PALENCA_CA_FILE = certificate, PALENCA_RATE_LIMIT = "0",
      PALENCA_MAX_RETRIES = "0",
    }
  end)
  teardown(function()
    server:stop()
    remove()
  end)

  local function counted(what)
    return (server:wait_output("stdout", "/" .. what .. "/[^\n]* counted (%d+)\n"))
  end

  it("of a script has 64 pages in flight", function()
    local script = process.write_file(directory .. "/script.lua", ([[
      local palenca = require "palenca"
      local client = palenca.new {
        base_url = "https://localhost:" .. os.getenv "SPEC_PORT" .. "/count:64/script",
      }
      local rows, report = client.accounts:earnings("%s", {
        start_date = "2025-01-01", end_date = "2025-02-01", items_per_page = 1,
      }):all()
      print(#rows, report.complete)
    ]]):format(ACCOUNT))
    local status, out, err = process.run(process.program(), { "run", script }, { env = env })
    assert.same({ 0, "200\ttrue\n" }, { status, out }, err)
    assert.equal("64", counted("script"))
  end)

  it("of a handler has enough of them beside two others that read as well", function()
    local script = process.write_file(directory .. "/handlers.lua", ([[
      local palenca = require "palenca"
      palenca.on("*", function(event)
        local client = palenca.new {
          base_url = "https://localhost:" .. os.getenv "SPEC_PORT" .. "/count:20/"
            .. event.account_id,
        }
        local rows, report = client.accounts:earnings("%s", {
          start_date = "2025-01-01", end_date = "2025-02-01", items_per_page = 1,
        }):all()
        print(event.account_id, #rows, report.complete)
      end)
    ]]):format(ACCOUNT))
    local stage = helper.stage()
    finally(function() stage:clear() end)
    local served = stage:serve { path = script, env = env, arguments = { "--workers", "1" } }
    for _, account in ipairs { "one", "two", "three" } do
      helper.post(served.url, { account_id = account })
    end
    for _, account in ipairs { "one", "two", "three" } do
      served:wait_output("stdout", "(" .. account .. "\t200\ttrue\n)")
    end
  end)

  it("in another event loop has 64 pages in flight", function()
    env.PALENCA_BASE_URL = "https://localhost:" .. env.SPEC_PORT .. "/count:64/loop"
    process.run("lua5.4", { "examples/luv.lua", ACCOUNT }, { env = env })
    assert.equal("64", counted("loop"))
  end)
end)
