--- Which handlers a script can register, and which of them an event reaches.
local helper = require("spec.lua.helper")

describe("palenca.on", function()
  local handlers, palenca
  before_each(function()
    package.loaded["palenca.handlers"] = nil
    package.loaded["palenca"] = nil
    palenca = require("palenca")
    handlers = require("palenca.handlers")
  end)

  local function called(action)
    local seen = {}
    for _, handler in ipairs(handlers.matching(action)) do
      seen[#seen + 1] = handler.handler()
    end
    return table.concat(seen, " ")
  end

  local function on(...)
    for _, action in ipairs { ... } do
      palenca.on(action, function() return action end)
    end
  end

  it("reaches the handlers of a name, its family and all, in their order", function()
    on("*", "login.success", "account.connected", "login.*", "login.error", "login.success")
    assert.equal("* login.success login.* login.success", called("login.success"))
    assert.equal("* login.* login.error", called("login.error"))
    assert.equal("* account.connected", called("account.connected"))
    assert.equal("* login.*", called("login.made_up"))
    assert.equal("*", called("earnings.updated"))
    assert.same({ "*", "login.success", "account.connected", "login.*", "login.error" },
      handlers.actions())
  end)

  it("takes no name for the beginning of another", function()
    on("login.success", "login.*")
    assert.equal("login.*", called("login.success2"))
    assert.equal("", called("login"))
    assert.equal("", called("logins.success"))
    assert.equal("", called("xlogin.success"))
    assert.equal("", called("LOGIN.success"))
  end)

  it("takes no dot for any character", function()
    on("login.success")
    assert.equal("", called("loginxsuccess"))
  end)

  it("reaches the catch-all with what nobody has heard of", function()
    on("*")
    for _, action in ipairs { "moon.landed", "x", "a.b.c", "é" } do
      assert.equal("*", called(action))
    end
  end)

  it("has none at first", function()
    assert.same({}, handlers.matching("login.success"))
    assert.same({}, handlers.actions())
  end)

  for _, action in ipairs {
    "", "login", "login.", ".success", "*.success", "**", "*.*", "login.s*", "login.*x",
    "login.**", "login success", " login.success", "login.success ", "log*", "login.success\n",
  } do
    it("rejects the action '" .. action .. "'", function()
      helper.blames_caller(function() palenca.on(action, function() end) end, "palenca.on")
      assert.same({}, handlers.actions())
    end)
  end

  it("takes options, and keeps those of each handler", function()
    palenca.on("login.success", { max_attempts = 3, timeout = 0.5, retry_wait = 1 }, print)
    palenca.on("login.*", {}, print)
    palenca.on("*", nil, print)
    local found = handlers.matching("login.success")
    assert.same({ 3, 0.5, 1 }, { found[1].max_attempts, found[1].timeout, found[1].retry_wait })
    for i = 2, 3 do
      assert.equal(print, found[i].handler)
      assert.is_nil(found[i].max_attempts or found[i].timeout or found[i].retry_wait)
    end
  end)

  it("names an option that is wrong", function()
    local wrong = {
      { { max_attempt = 3 }, "max_attempt" }, { { max_attempts = 0 }, "max_attempts" },
      { { max_attempts = 1.5 }, "max_attempts" }, { { max_attempts = "3" }, "max_attempts" },
      { { timeout = 0 }, "timeout" }, { { timeout = 86401 }, "timeout" },
      { { timeout = 0 / 0 }, "timeout" }, { { retry_wait = -1 }, "retry_wait" },
      { { [1] = 5 }, "1" }, { { concurrency = 0 }, "concurrency" },
      { { concurrency = 2.5 }, "concurrency" }, { { concurrency = "2" }, "concurrency" },
    }
    for _, case in ipairs(wrong) do
      helper.blames_caller(function() palenca.on("*", case[1], print) end, "palenca.on", case[2])
    end
    helper.blames_caller(function() palenca.on("*", 5, print) end, "palenca.on", "table")
    helper.blames_caller(function() palenca.on("*", { max_attempts = 0 }, print) end,
      "palenca.on: max_attempts must be a whole number from 1, got 0")
    helper.blames_caller(function() palenca.on("*", { timeout = "5 s" }, print) end,
      "up to 86400, got '5 s'")
    helper.blames_caller(function() palenca.on("*", { timeout = 1 }) end, "handler", "nil")
    assert.same({}, handlers.actions())
  end)

  it("keeps the minimum concurrency of an action, up to the maximum of counted actions", function()
    handlers.set_max_limits(32)
    palenca.on("login.*", { concurrency = 5 }, print)
    palenca.on("login.*", { concurrency = 3 }, print)
    palenca.on("login.*", { concurrency = 4 }, print)
    palenca.on("*", print)
    assert.same({ ["login.*"] = 3 }, handlers.concurrency_limits())
    for i = 2, 32 do
      palenca.on("made.up_" .. i, { concurrency = 1 }, print)
    end
    palenca.on("login.*", { concurrency = 1 }, print)
    helper.blames_caller(function()
      palenca.on("one.more", { concurrency = 1 }, print)
    end, "palenca.on", "at most 32 actions")
    assert.is_nil(handlers.concurrency_limits()["one.more"])
    palenca.on("one.more", print)
  end)

  it("rejects an action or a handler of a wrong type", function()
    for _, action in ipairs { 5, {}, true } do
      helper.blames_caller(function() palenca.on(action, function() end) end, "action")
    end
    helper.blames_caller(function() palenca.on(nil, function() end) end, "action")
    helper.blames_caller(function() palenca.on("login.success") end, "handler", "nil")
    helper.blames_caller(function() palenca.on("login.success", "print") end, "handler",
      "got 'print'")
    assert.same({}, handlers.actions())
  end)
end)

describe("palenca.sleep", function()
  local palenca = require("palenca")
  local uv = require("luv")

  it("waits for at least the requested time", function()
    local before = uv.hrtime()
    palenca.sleep(0.02)
    assert.is_true(uv.hrtime() - before >= 0.02e9)
    palenca.sleep(0)
  end)

  it("rejects what is no time to wait", function()
    for _, seconds in ipairs { -1, -0.001, 86401, math.huge, -math.huge, 0 / 0, "1", {}, true } do
      helper.blames_caller(function() palenca.sleep(seconds) end, "palenca.sleep", "seconds")
    end
    helper.blames_caller(function() palenca.sleep() end, "palenca.sleep")
  end)
end)
