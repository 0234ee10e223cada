--- The estimate of how long the rest of a long command takes.
local time_left = require("palenca.host.cli.time_left")

describe("the estimate of the time that is left", function()
  it("goes by what was done since the start", function()
    assert.equal("about 60 s left", time_left(20, 20, 60))
    assert.equal("about 10 s left", time_left(1000, 1, 60))
    assert.equal("about 38 min left", time_left(10, 490, 46))
    assert.equal("about 2.5 h left", time_left(10, 1500, 60))
  end)

  it("is none at the start, at the end, and before anything was done", function()
    assert.is_nil(time_left(3, 100, 14))
    assert.is_nil(time_left(3, 0, 100))
    assert.is_nil(time_left(0, 100, 100))
  end)
end)
