--- What palenca.every accepts and rejects; without `palenca serve` it rejects all.
local helper = require("spec.lua.helper")

describe("palenca.every", function()
  local palenca, timers
  before_each(function()
    package.loaded["palenca.timers"] = nil
    package.loaded["palenca"] = nil
    palenca = require("palenca")
    timers = require("palenca.timers")
  end)

  it("is rejected without `palenca serve`, which the error names", function()
    helper.blames_caller(function() palenca.every(60, print) end, "palenca.every", "palenca serve")
    assert.same({}, timers.list())
  end)

  it("names what has no name by its interval, and numbers those of the same", function()
    timers.serve()
    palenca.every(60, print)
    palenca.every(60, { timeout = 5 }, print)
    palenca.every(0.5, nil, print)
    palenca.every(86400, { name = "report" }, print)
    local names = {}
    for i, timer in ipairs(timers.list()) do
      names[i] = timer.name
      assert.equal(timer, timers.find(timer.name))
      assert.equal(print, timer.body)
    end
    assert.same({ "every 60 s", "every 60 s (2)", "every 0.5 s", "report" }, names)
    assert.same({ "every 60 s", "every 60 s (2)", "every 0.5 s", "report (every 86400 s)" },
      timers.descriptions())
    assert.equal(5, timers.find("every 60 s (2)").timeout)
  end)

  it("rejects what is no interval, no option, no function, and a name that is taken", function()
    timers.serve()
    for _, interval in ipairs { 0, 0.09, -1, 31622401, 1 / 0, 0 / 0, "60", true, {} } do
      helper.blames_caller(function() palenca.every(interval, print) end, "palenca.every",
        "interval")
    end
    helper.blames_caller(function() palenca.every(nil, print) end, "interval")
    helper.blames_caller(function() palenca.every(60) end, "palenca.every", "function")
    helper.blames_caller(function() palenca.every(60, "print") end, "palenca.every")
    helper.blames_caller(function() palenca.every(60, { nam = "x" }, print) end, "nam")
    helper.blames_caller(function() palenca.every(60, { name = "" }, print) end, "name")
    helper.blames_caller(function() palenca.every(60, { name = 5 }, print) end, "name")
    helper.blames_caller(function() palenca.every(60, { name = "a\0b" }, print) end, "name")
    helper.blames_caller(function() palenca.every(60, { timeout = 0 }, print) end, "timeout")
    assert.same({}, timers.list())
    palenca.every(60, { name = "x" }, print)
    helper.blames_caller(function() palenca.every(60, { name = "x" }, print) end, "'x'")
    assert.equal(1, #timers.list())
  end)
end)
