--- `palenca serve` under valgrind: what it takes in, rejects, handles and retries leaves no memory
-- behind, and nothing is read that was not written.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("*", { max_attempts = 2, retry_wait = 0.01 }, function(event)
    if event.platform == "fails" then
      error { message = "again" }
    end
    palenca.sleep(0.001)
  end)
]]

describe("palenca serve under valgrind", function()
  local stage = helper.stage_for_each()

  it("ends without an error", function()
    local directory = stage:directory()
    local script = process.write_file(directory .. "/script.lua", SCRIPT)
    local db = directory .. "/events.db"
    local served = stage:start("/usr/bin/valgrind", { "--quiet", "--error-exitcode=9",
      "--leak-check=full", "--errors-for-leak-kinds=definite", process.program(), "serve", script,
      "--listen", "127.0.0.1:0", "--db", db, "--workers", "2" },
      { env = { PALENCA_API_KEY = "spec-key" } })
    local url = served:wait_output("stderr", "receiving webhooks at (http://[%d.:]+/[%w/]+)")
    local counts = faults.loaded(faults.load(stage, url, { connections = 40, count = 400 }))
    assert.are.same({ 400, 0, 0 }, { counts.acked, counts.others, counts.broken })
    helper.post(url, { account_id = "failing", platform = "fails" })
    for _, body in ipairs({ "", "{", "[]", '{"data": {}}', ("x"):rep(70000) }) do
      assert.truthy(http.request("POST", url, body).status >= 400)
    end
    assert.are.equal(404, http.request("GET", url .. "/elsewhere").status)
    helper.connect(url):send("POST / HTTP/1.1\r\nContent-"):close() -- half a request
    helper.wait_state(db, "failing", "dead")
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)
