--- Mistakes in calls of the module: each message names the right way, and the line.
local helper = require("spec.lua.helper")
local palenca = require("palenca")

describe("a message says what to write instead", function()
  local client, pager
  local period = { start_date = "2024-09-01", end_date = "2024-10-01" }

  setup(function()
    client = palenca.new { api_key = "k", base_url = "http://127.0.0.1:9", max_retries = 0 }
    pager = client.accounts:earnings(helper.ACCOUNT, period)
  end)

  local function raises(body, ...)
    local line = debug.getinfo(body, "S").linedefined
    local ok, problem = pcall(body)
    assert.is_false(ok, "nothing was raised")
    for _, text in ipairs { ... } do
      assert.truthy(tostring(problem):find(text, 1, true), problem)
    end
    local blamed = tonumber(tostring(problem):match("mistakes_spec.lua:(%d+):"))
    assert.is_true(blamed ~= nil and blamed >= line and blamed <= line + 4, problem)
  end

  it("for a pager in place of its rows", function()
    local rows = "a pager is not the list of its rows: call :all() for that, or :each() or :next()"
    raises(function()
      for row in pager do print(row) end
    end, rows)
    raises(function()
      for _, row in ipairs(pager) do print(row) end
    end, type(pager) == "userdata" and "got userdata" or rows) -- of Lua 5.1
    raises(function()
      local first = pager[1]
      print(first)
    end, rows)
    raises(function()
      local account = pager.account_id
      print(account)
    end, rows)
  end)

  it("for a pager as an income's rows", function()
    assert.has_error(function()
      palenca.income.analyze(pager, { as_of = "2026-03-01" })
    end, "palenca.income: rows: expected a list of rows, got palenca pager: its rows come from "
      .. ":all(), :each() or :next()")
  end)

  it("for a mistyped function of a pager", function()
    raises(function()
      local rows = pager:al()
      print(rows)
    end, "a pager has no function 'al'; did you mean ':all()'?")
  end)

  it("for a mistyped field of the module, a client or an operation", function()
    raises(function() palenca.onn("login.success", print) end,
      "palenca has no field 'onn' (known: advice, ", "did you mean 'on'?")
    raises(function() palenca.income.analyse({}, {}) end,
      "palenca.income has no field 'analyse' (known: analyze, ", "did you mean 'analyze'?")
    raises(function() client.acounts:profile(helper.ACCOUNT) end,
      "a client has no field 'acounts'", "did you mean 'accounts'?")
    raises(function() client.accounts:profil(helper.ACCOUNT) end,
      "client.accounts has no field 'profil'", "did you mean 'profile'?")
  end)

  it("but not for options of a client that are not set, and the like of __name", function()
    assert.is_nil(client.deadline)
    assert.is_nil(client.api_key)
    assert.is_nil(palenca.__name)
    assert.is_nil(client.accounts.__name)
    assert.is_nil(pager.__name)
  end)

  it("for a resource that is called", function()
    raises(function()
      local account = client:accounts(helper.ACCOUNT)
      print(account)
    end, "client.accounts is not a function: it has operations, as in client.accounts:get(...)")
    raises(function() client.platforms() end, "as in client.platforms:list(...)")
  end)

  it("for a colon in place of the module's dot", function()
    raises(function() palenca:new { timeout = 3 } end, "palenca.new: call it with a dot, as in "
      .. "palenca.new(...)")
    raises(function() palenca:new() end, "palenca.new: call it with a dot")
    raises(function() palenca:on("login.success", print) end, "palenca.on: call it with a dot")
    raises(function() palenca:every(60, print) end, "palenca.every: call it with a dot")
    raises(function() palenca:http { url = "http://127.0.0.1:9/" } end,
      "palenca.http: call it with a dot")
    raises(function() palenca:sleep(1) end, "palenca.sleep: call it with a dot")
    raises(function() palenca:gather(print) end, "palenca.gather: call it with a dot")
  end)
end)

describe("an error of the API", function()
  local err

  setup(function()
    local client = palenca.new { api_key = "k", base_url = "http://127.0.0.1:9", max_retries = 0 }
    err = select(2, client.accounts:get(helper.ACCOUNT))
  end)

  it("can be a part of a text", function()
    assert.equal("failed: " .. tostring(err), "failed: " .. err)
    assert.equal(tostring(err) .. "!", err .. "!")
    assert.equal("1" .. tostring(err), 1 .. err)
    assert.equal(tostring(err) .. tostring(err), err .. err)
  end)

  it("is joined with no other value than text and numbers", function()
    local ok, problem = pcall(function() return (err .. {}) end)
    assert.is_false(ok)
    assert.truthy(problem:find("mistakes_spec.lua:%d+: attempt to concatenate a table value"),
      problem)
    assert.is_false((pcall(function() return (nil .. err) end)))
  end)
end)
