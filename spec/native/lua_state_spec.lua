--- A program with Lua states that come and go, under valgrind: nothing is read that was freed, or
-- that was never written, whatever still runs when a state ends.
local process = require("spec.support.process")

local TESTS = process.program():match("^(.*)/bin/") .. "/spec/test_lua_state_"

describe("Lua states that come and go, under valgrind", function()
  for _, lua in ipairs { "lua54", "luajit" } do
    it("leave nothing behind, and take nothing with them: " .. lua, function()
      local status, _, said = process.run("/usr/bin/valgrind", {
        "--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite",
        TESTS .. lua,
      })
      assert.equal(0, status, said)
    end)
  end
end)
