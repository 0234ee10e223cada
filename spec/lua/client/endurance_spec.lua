--- Many calls through one client, good and bad: memory and descriptors stay as they were.
local helper = require("spec.lua.helper")

-- What the subprocess measures with, after its client has warmed up.
local MEASURE = [[
  local palenca = require("palenca")
  local function first_line(path, pattern)
    local file = assert(io.open(path))
    local found = file:read("*a"):match(pattern)
    file:close()
    return tonumber(found)
  end
  local function measure()
    collectgarbage()
    collectgarbage()
    -- not by io.popen: its own pipe may be open at both ends when they are counted
    local path = os.tmpname()
    os.execute("ls /proc/$PPID/fd | wc -l >" .. path)
    local fds = first_line(path, "%d+")
    os.remove(path)
    return first_line("/proc/self/status", "VmRSS:%s+(%d+)"), fds, collectgarbage("count")
  end
]]

describe("10,000 calls through one client", function()
  local sandbox
  before_each(function() sandbox = helper.sandbox() end)
  after_each(function() assert.equal(0, sandbox:stop()) end)

  it("leave memory and descriptors as they were", function()
    local status, out, err = helper.run(MEASURE .. ([[
      local client = palenca.new { rate_limit = 0, max_retries = 0 }
      local account, unknown = %q, %q
      local function work(count)
        for at = 1, count do
          if at %% 10 == 0 then
            local data, problem = client.accounts:get(unknown)
            assert(not data and problem.kind == "not_found")
          elseif at %% 10 == 1 then
            assert(#client.accounts:earnings(account,
              { start_date = "2025-01-01", end_date = "2025-03-14" }):page(1) > 0)
          else
            assert(client.accounts:get(account).account_id == account)
          end
        end
      end
      work(1000)
      local rss, fds, lua = measure()
      work(10000)
      local rss_after, fds_after, lua_after = measure()
      print(rss_after - rss, fds_after - fds, math.floor(lua_after - lua))
    ]]):format(helper.ACCOUNT, helper.UNKNOWN),
      { PALENCA_API_KEY = sandbox.key, PALENCA_BASE_URL = sandbox.url })
    assert.equal(0, status, err)
    local rss, fds, lua = out:match("^(%-?%d+)%s+(%-?%d+)%s+(%-?%d+)")
    -- The sanitizer keeps what was freed for a while, to notice its use.
    if not os.getenv("SPEC_SANITIZED") then
      assert.is_true(tonumber(rss) < 1024, "KiB more: " .. rss)
    end
    assert.equal("0", fds)
    assert.is_true(tonumber(lua) < 64, "KiB of Lua more: " .. lua)
  end)
end)
