--- Days as numbers, from and to text.
local date = require("palenca.util.date")

describe("a date", function()
  it("is a number that is one more than that of the day before", function()
    local expected = date.parse("1600-01-01")
    for year = 1600, 2400 do
      local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
      local lengths = { 31, is_leap and 29 or 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
      for month, length in ipairs(lengths) do
        assert(date.last_day(year, month) == length)
        for day = 1, 31 do
          local text = ("%04d-%02d-%02d"):format(year, month, day)
          local number = date.parse(text)
          if day > length then
            assert(number == nil, text)
          else
            assert(number == expected and date.text(number) == text, text)
            assert(date.number(year, month, day) == expected, text)
            expected = expected + 1
          end
        end
      end
    end
    assert.equal(0, date.parse("1970-01-01"))
    assert.same({ 0, 3, 1 }, { date.parts(date.parse("0000-03-01")) })
    assert.equal("9999-12-31", date.text(date.parse("9999-12-31")))
  end)

  it("of this century is read as others are, also the second time", function()
    for _ = 1, 2 do
      for _, text in ipairs { "2000-01-01", "2024-02-29", "2099-12-31" } do
        assert.equal(date.parse(text), date.parse_in_century(text))
      end
      for _, text in ipairs { "1999-12-31", "2100-01-01", "2023-02-29" } do
        assert.is_nil(date.parse_in_century(text), text)
      end
    end
    assert.is_nil(date.parse("2023-02-29"))
    assert.equal(date.parse("2100-01-01"), date.parse_in_century("2099-12-31") + 1)
  end)

  it("has a day of the week", function()
    assert.equal(4, date.weekday(0))
    assert.equal(5, date.weekday(date.parse("2025-03-14")))
    assert.equal(7, date.weekday(date.parse("1969-12-28")))
    assert.equal(1, date.weekday(date.parse("2026-11-23")))
  end)

  it("is not read from anything else", function()
    for _, text in ipairs { "", "2025-1-01", "2025-00-10", "2025-13-10", "2025-01-00",
      "2025-01-01 ", "2025-01-01T00:00:00", "20250101", "2O25-01-01", 20250101, {}, true } do
      assert.is_nil(date.parse(text), tostring(text))
      assert.is_nil(date.parse_in_century(text), tostring(text))
    end
    assert.is_nil(date.parse(nil))
    assert.is_nil(date.parse_in_century(nil))
  end)
end)

describe("an instant", function()
  it("falls on a day, and has a text", function()
    assert.equal(20259, date.day_of(1750420800.5))
    assert.equal(-1, date.day_of(-0.5))
    assert.equal("2025-06-20T23:59:59Z", date.timestamp(1750463999.9))
    assert.equal("1969-12-31T23:59:59Z", date.timestamp(-1))
    assert.equal("1970-01-01T00:01:02Z", date.timestamp(62))
  end)
end)
