--- examples/spec, as a user runs it: by busted, in the directory of the scripts.
local process = require("spec.support.process")
local uv = require("luv")

local ROOT = uv.cwd()

describe("examples/spec", function()
  local function busted(directory)
    return process.run("busted", { "--lua=" .. uv.exepath(), "-o", "plainTerminal" }, {
      cwd = directory,
      env = { PALENCA_BASE_URL = "http://127.0.0.1:1", PALENCA_API_KEY = "" },
    })
  end

  it("passes without a network", function()
    local status, out, err = busted("examples")
    assert.equal(0, status, out .. err)
    assert.truthy(out:find("\n%d+ successes / 0 failures / 0 errors / 0 pending"), out)
  end)

  it("fails if a script has a misspelt field, option or action", function()
    local directory, remove = process.directory()
    finally(remove)
    process.run("/bin/cp", { "-R", ROOT .. "/examples/spec", directory })
    local function read(name)
      local file = assert(io.open(ROOT .. "/examples/" .. name))
      local text = file:read("*a")
      file:close()
      return text
    end
    for name, change in pairs {
      ["applicant.lua"] = { "account.platform", "account.plattform" },
      ["decide.lua"] = { "event.external_id", "event.extern_id" },
      ["rule.lua"] = { "max_gap", "max_gaps" },
    } do
      for _, script in ipairs { "applicant.lua", "decide.lua", "rule.lua" } do
        local text = read(script)
        if script == name then
          local from, to = text:find(change[1], 1, true)
          text = text:sub(1, from - 1) .. change[2] .. text:sub(to + 1)
        end
        process.write_file(directory .. "/" .. script, text)
      end
      local status, out = busted(directory)
      assert.is_true(status ~= 0, name)
      assert.truthy(out:find(change[2]:match("%w+$"), 1, true), out)
    end
  end)
end)
