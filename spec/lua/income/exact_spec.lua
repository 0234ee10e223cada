--- Exact quotients beyond 2^53, and amounts as decimals.
local api_amount = require("palenca.income.api_amount")
local exact = require("palenca.income.exact")
local histories = require("spec.support.income_histories")

local function digits(text)
  return exact.from_digits(text:gsub("-", ""), text:sub(1, 1) == "-")
end

describe("an exact quotient", function()
  it("is the largest whole number that is not above it", function()
    local random = histories.random(5)
    local function value()
      local text = ""
      for _ = 0, random(4) do
        text = text .. tostring(random(100000000))
      end
      return digits((random(2) == 0 and "-" or "") .. text)
    end
    local found = 0
    for _ = 1, 3000 do
      local a, b = value(), value()
      b.negative = false
      local quotient = exact.sign(b) > 0 and exact.floor_div(a, b)
      if quotient then
        found = found + 1
        -- a - quotient * b is at least 0 and below b
        local product, size, place = 0, math.abs(quotient), 0
        while size > 0 do
          product = exact.add(product, exact.shift(exact.times(b, size % 1e7), place))
          size, place = math.floor(size / 1e7), place + 1
        end
        local taken = { negative = quotient > 0 }
        for at = 1, quotient ~= 0 and #product or 0 do
          taken[at] = product[at]
        end
        local rest = exact.add(a, taken)
        assert.is_true(exact.sign(rest) >= 0 and exact.compare(rest, b) < 0)
      end
    end
    assert.is_true(found > 1000)
  end)

  it("is the same of numbers as of their digits, as are sums and products", function()
    local random = histories.random(7)
    local function value()
      local size = ({ 9, 1000, 2 ^ 26, 2 ^ 31, 2 ^ 53 })[random(5) + 1]
      return math.floor((random(2 ^ 31 - 2) * 2 ^ 22 + random(2 ^ 22)) % size)
    end
    local function written(a)
      return (exact.sign(a) < 0 and "-" or "") .. exact.digits(a)
    end
    for _ = 1, 5000 do
      local a, b, factor = value(), value(), value() % 900000000
      a = random(2) == 0 and 0 - a or a
      local big = digits(("%.0f"):format(a))
      assert.equal(written(exact.add(big, b)), written(exact.add(a, b)))
      assert.equal(written(exact.add(big, 0 - b)), written(exact.add(a, 0 - b)))
      assert.equal(written(exact.times(big, factor)), written(exact.times(a, factor)))
      if b > 0 then
        assert.equal(exact.floor_div(big, b), exact.floor_div(a, b))
      end
    end
  end)

  it("is exact at whole numbers and just below them", function()
    for _, factor in ipairs { 1, 3, 7, 1080, 9007199254740 } do
      for _, whole in ipairs { 1, 2, 999999999999999, 365 } do
        if factor * 1.0 * whole < 2 ^ 53 then
          assert.equal(whole, exact.floor_div(factor * whole, factor))
          assert.equal(whole - 1, exact.floor_div(factor * whole - 1, factor))
          assert.equal(-whole, exact.floor_div(-factor * whole, factor))
          assert.equal(-whole - 1, exact.floor_div(-factor * whole - 1, factor))
        end
      end
    end
    -- 999999999999999 x 365 / 1080 = 337962962962962.625
    assert.equal(337962962962962, exact.floor_div(exact.times(999999999999999, 365), 1080))
    assert.equal(-337962962962963, exact.floor_div(exact.times(-999999999999999, 365), 1080))
    assert.equal(9007199254740991, exact.floor_div(digits("9007199254740991"), 1))
    assert.is_nil(exact.floor_div(digits("9007199254740992"), 1))
    -- its estimate is below 2^53, and the last steps are single ones
    local many = exact.times(exact.times(46280989, 2 ^ 26), 2 ^ 27)
    assert.is_nil(exact.floor_div(many, 46280989))
    assert.equal(9007199254740991, exact.floor_div(exact.add(many, -1), 46280989))
    assert.is_nil(exact.floor_div(digits(("9"):rep(400)), 1))
    assert.equal(1, exact.floor_div(digits(("9"):rep(400)), digits(("9"):rep(400))))
    assert.equal(0, exact.floor_div(digits(("9"):rep(399)), digits(("9"):rep(400))))
    assert.equal(-1, exact.floor_div(digits("-1"), digits(("9"):rep(400))))
  end)
end)

describe("an amount", function()
  it("is the decimal that it names, digit by digit", function()
    for _, case in ipairs {
      { 179.0, 2, 17900 }, { 53.25, 2, 5325 }, { 4.35, 2, 435 }, { -4.35, 2, -435 },
      { "4.35", 2, 435 }, { "-0.05", 2, -5 }, { "007.10", 2, 710 }, { 0.29, 2, 29 },
      { 1.005, 2, 100, "5", false }, { "-1.005", 2, -100, "5", true }, { -0.001, 2, 0, "1", true },
      { 0.1 + 0.2, 2, 30, "000000000000004", false }, { 1e-7, 2, 0, "00001", false },
      { 1234.5, 0, 1234, "5", false }, { "1234.0", 0, 1234 }, { -0.0, 2, 0 }, { "-0", 2, 0 },
      { 9999999999999.99, 2, 999999999999999 }, { "0.0000", 2, 0 },
    } do
      local minor, extra, negative = api_amount.read(case[1], case[2])
      assert.equal(case[3], minor, tostring(case[1]))
      assert.equal(case[4], extra, tostring(case[1]))
      if extra then
        assert.equal(case[5], negative, tostring(case[1]))
      end
      assert.is_true(minor ~= 0 or 1 / minor > 0) -- no negative zero
    end
    for cents = -99999, 99999 do
      if api_amount.read(cents / 100, 2) ~= cents then
        error(("%d cents"):format(cents))
      end
    end
  end)

  it("is the same as another by value", function()
    for _, pair in ipairs { { 179, "179.00" }, { 179.0, 179 }, { "-5", -5 }, { "-0.50", -0.5 } } do
      assert.is_true(api_amount.is_same(pair[1], pair[2]))
    end
    for _, pair in ipairs { { 179, 180 }, { 0.5, -0.5 }, { "0.001", "-0.001" }, { 0 } } do
      assert.is_false(api_amount.is_same(pair[1], pair[2]))
    end
  end)
end)
