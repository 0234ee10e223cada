--- Every fault between client and server, under valgrind: nothing leaks, no descriptor is left.
local helper = require("spec.lua.helper")
local process = require("spec.support.process")

local WALK = [[
  local palenca = require("palenca")
  local url, account = %q, %q
  local function descriptors()
    -- not by io.popen: its own pipe may be open at both ends when they are counted
    local path = os.tmpname()
    os.execute("ls /proc/$PPID/fd | wc -l >" .. path)
    local file = assert(io.open(path))
    local count = file:read("a")
    file:close()
    os.remove(path)
    return count
  end
  local before = descriptors()
  for _, fault in ipairs {
    "good", "html_502", "cut_json", "reset", "garbage", "empty", "redirect", "detail_list", "drip",
    "long_length", "short_length", "same_headers", "huge_headers", "huge_header", "silence",
    "error:platform_error:500", "error:too_many_requests:429", "status:503",
  } do
    local client = palenca.new {
      api_key = "k", base_url = url .. "/" .. fault, timeout = fault == "silence" and 0.05 or 30,
      rate_limit = 0, max_retries = fault == "reset" and 1 or 0, on_attempt = function() end,
    }
    client.users:get("u1")
    client.users:create { external_id = "once" }
    local search = client.accounts:earnings(account,
      { start_date = "2025-01-01", end_date = "2025-02-01", items_per_page = 2 })
    search:next()
    search:stop()
  end
  for _, fault in ipairs { "pages", "short_page", "fail_page:3", "lose_once" } do
    local search = palenca.new {
      api_key = "k", base_url = url .. "/" .. fault, rate_limit = 0, max_retries = 0,
    }.accounts:earnings(account,
      { start_date = "2025-01-01", end_date = "2025-02-01", items_per_page = 2 })
    search:all()
  end
  require("palenca.runtime").use {} -- lets go of the engine
  collectgarbage()
  collectgarbage()
  print(before == descriptors() or before .. descriptors())
]]

describe("every fault under valgrind", function()
  local faults
  before_each(function() faults = helper.faults() end)
  after_each(function() assert.equal(0, faults:stop()) end)

  it("leaves no memory and no descriptor behind, and creates once", function()
    local status, out, err = process.run("/usr/bin/valgrind", {
      "--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite",
      "/usr/bin/lua5.4", "-e", WALK:format(faults.url, helper.ACCOUNT),
    })
    assert.equal(0, status, err)
    assert.equal("true\n", out)
    local creations = 0
    for path, count in pairs(faults:stats().paths) do
      if path:find("/v1/users$") and not path:find("silence", 1, true) then
        creations = creations + 1
        assert.equal(1, count, path)
      end
    end
    assert.equal(17, creations)
  end)
end)
