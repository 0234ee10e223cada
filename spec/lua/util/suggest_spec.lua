--- What is suggested for a mistyped name, on every Lua.
local helper = require("spec.lua.helper")
local palenca = require("palenca")
local suggest = require("palenca.util.suggest")

local platforms = { uber = true, uber_eats = true, rappi = true, didi = true, beat = true }

describe("suggestion", function()
  for name, meant in pairs({
    ["login.sucess"] = "login.success", -- left out
    ["login.successs"] = "login.success", -- put in
    ["login.succezs"] = "login.success", -- replaced
    ["login.scucess"] = "login.success", -- swapped
    ["logn.sucess"] = "login.success",
    ["Login.Success"] = "login.success",
    ["login.erorr"] = "login.error",
    ["login_error"] = "login.error",
  }) do
    it("for " .. name .. " is " .. meant, function()
      assert.equal(meant, suggest.nearest(name, { "login.success", "login.error", "user.created" }))
    end)
  end

  it("is the one with the same words in another order", function()
    local known = { "min_days_observed", "max_days_since_last", "min_active_weeks" }
    assert.equal("min_days_observed", suggest.nearest("min_observed_days", known))
    assert.is_nil(suggest.nearest("min_observed_weeks", known))
  end)

  it("is made from keys as well, the nearest one first", function()
    assert.equal("uber", suggest.nearest("ubr", platforms))
    assert.equal("uber_eats", suggest.nearest("ubereats", platforms))
    assert.equal("; did you mean 'rappi'?", suggest.text("rapi", platforms))
    assert.equal("mx", suggest.nearest("MX", { "mx" }))
  end)

  it("is none for what is far from all, too short, too long, or no text", function()
    for _, name in ipairs({ "tram", "xx", "", ("uber"):rep(1000), 5, true }) do
      assert.is_nil(suggest.nearest(name, platforms))
      assert.equal("", suggest.text(name, platforms))
    end
    assert.is_nil(suggest.nearest("xx", { "mx" }))
    assert.is_nil(suggest.nearest("xx", { "mxy" }))
  end)

  it("is one for two characters of three", function()
    assert.equal("dev", suggest.nearest("dv", { "decide", "dev" }))
    assert.equal("all", suggest.nearest("al", { "all" }))
  end)

  it("stands behind an unknown option", function()
    helper.blames_caller(function() palenca.new({ api_key = "k", timout = 3 }) end,
      "unknown field 'timout'", "did you mean 'timeout'?")
    helper.blames_caller(function() palenca.on("login.success", { max_atempts = 1 }, print) end,
      "did you mean 'max_attempts'?")
    local ok, raised = pcall(require("palenca.income.rule").read,
      { version = 1, min_day_observed = 3 })
    assert.is_false(ok)
    assert.truthy(raised:find("did you mean 'min_days_observed'?", 1, true), raised)
  end)
end)
