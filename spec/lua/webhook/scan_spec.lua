--- The scan of webhook bodies beside lua-cjson, on bodies that are changed at random.
--
-- SPEC_SEED chooses the changes. spec/webhook/compare does the same with many more.
local comparison = require("spec.support.webhook_comparison")
local core = require("palenca.core")

local SEED = tonumber(os.getenv("SPEC_SEED")) or os.time()

describe("the scan of webhook bodies", function()
  it("agrees with lua-cjson on what is JSON, seed " .. SEED, function()
    local result = comparison.run(50000, SEED)
    assert.is_nil(result.disagreement)
    for reason in pairs(comparison.reasons) do
      assert.is_true((result.outcomes[reason] or 0) > 0, reason)
    end
    for name, count in pairs(result.laxities) do
      assert.is_true(count > 0, name)
    end
  end)

  it("returns the fields that are text, decoded", function()
    assert.same({ action = "a\n", platform = "\195\177" }, core.scan_webhook(
      '{"data":{"webhook_action":"a\\n","account_id":7,"platform":"\\u00f1","user_id":"None"}}'))
  end)

  it("takes nothing but a string", function()
    for _, value in ipairs { {}, true, print } do
      assert.has_error(function() core.scan_webhook(value) end)
    end
  end)
end)
