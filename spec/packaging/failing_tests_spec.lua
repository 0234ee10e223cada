--- Runs busted as spec/run does, on a test that fails.
local process = require("spec.support.process")
local uv = require("luv")

describe("a test that fails", function()
  it("is reported, and ends what it has left open", function()
    local directory, remove = process.directory()
    finally(remove)
    local path = process.write_file(directory .. "/failing_spec.lua", [[
      local process = require("spec.support.process")
      local uv = require("luv")
      it("fails", function()
        io.stderr:write(process.start("/bin/sleep", { "600" }).pid, "\n")
        for _ = 1, 50 do
          uv.new_tcp():close() -- is not closed before the loop runs
        end
        error("the reason")
      end)]])
    local status, out, err = process.run("busted", { "--lua=" .. uv.exepath(),
      "--helper=spec/support/globals.lua", "-o", "plainTerminal", path })
    assert.are.equal(1, status, out .. err)
    assert.truthy(out:find("\nfails\n[^\n]*: the reason\n"), out .. err)
    local pid = tonumber(err:match("^(%d+)\n"))
    assert.are.equal("ESRCH", select(3, uv.kill(pid, 0)), err)
  end)
end)
