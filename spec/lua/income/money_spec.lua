--- Checks that amounts are written exactly.
local income = require("palenca.income")

describe("palenca.income", function()
  describe("format", function()
    it("writes exact decimals", function()
      assert.equal("1234.50", income.format(123450, "mxn"))
      assert.equal("0.05", income.format(5, "mxn"))
      assert.equal("-0.05", income.format(-5, "mxn"))
      assert.equal("-12.30", income.format(-1230))
      assert.equal("0.00", income.format(0, "brl"))
      assert.equal("1234", income.format(1234, "CLP"))
      assert.equal("-7", income.format(-7, "pyg"))
      assert.equal("90071992547409.91", income.format(9007199254740991, "mxn"))
      assert.equal("-90071992547409.91", income.format(-9007199254740991, "mxn"))
      assert.equal("0.00", income.format(-0.0))
      assert.equal("1.00", income.format(100.0))
    end)

    it("writes every cent", function()
      for _ = 1, 2000 do
        local cents = math.random(-1000000000, 1000000000)
        local sign, pesos, rest = income.format(cents, "mxn"):match("^(%-?)(%d+)%.(%d%d)$")
        assert.equal(cents, tonumber(sign .. pesos .. rest))
      end
    end)

    it("rejects what is not minor units", function()
      for _, bad in ipairs({ 1.5, "100", 2 ^ 53, -2 ^ 53, 1 / 0, 0 / 0, {} }) do
        assert.has_error(function() income.format(bad, "mxn") end)
      end
      assert.has_error(function() income.format(nil) end)
      assert.has_error(function() income.format(1, 2) end)
    end)
  end)
end)
