--- JSON as the same bytes everywhere.
local canonical = require("palenca.util.json").canonical
local canonical_json = require("palenca.util.canonical_json")
local json = require("palenca.util.json")

local function array(list)
  return setmetatable(list, canonical_json.array_metatable)
end

describe("json.canonical", function()
  it("sorts keys by their bytes, at every depth", function()
    local value, keys = {}, {}
    for at = 1, 200 do
      local key = ("k%03d"):format(at * 37 % 200)
      value[key], keys[at] = at, ("k%03d"):format(at - 1)
    end
    local at = 0
    for key in canonical(value):gmatch('"([^"]*)":') do
      at = at + 1
      assert.equal(keys[at], key)
    end
    assert.equal('{"":0,"A":1,"B":{"a":1,"aa":2,"z":3},"a":2,"ab":3,"ñ":4}',
      canonical { a = 2, ab = 3, ["ñ"] = 4, A = 1, [""] = 0, B = { z = 3, aa = 2, a = 1 } })
  end)

  it("sorts the names of each row, also those with a zero in them", function()
    local row = canonical { b = 1, a = 2 }
    assert.equal('[{"a":2,"b":1},{"a":4,"b":3},{"a":5},{"a":1,"b":1,"c":1}]',
      canonical { { b = 1, a = 2 }, { a = 4, b = 3 }, { a = 5 }, { c = 1, b = 1, a = 1 } })
    for _ = 1, 2 do
      local list = { { b = 1, a = 2 }, { ["b\0a"] = 1 }, { ["a\0b"] = 1 }, { a = 2, b = 1 },
        { ["a\0b"] = 1, c = 2 }, { a = 1, b = 2, c = 3 }, { c = 2, ["a\0b"] = 1 } }
      assert.equal("[" .. row .. ',{"b\\u0000a":1},{"a\\u0000b":1},' .. row
        .. ',{"a\\u0000b":1,"c":2},{"a":1,"b":2,"c":3},{"a\\u0000b":1,"c":2}]', canonical(list))
    end
  end)

  it("writes the shortest number that reads back, as ECMAScript does", function()
    for text, value in pairs {
      ["0"] = -0.0, ["1"] = 1.0, ["-1"] = -1, ["179"] = 179.0, ["53.25"] = 53.25, ["0.1"] = 0.1,
      ["0.30000000000000004"] = 0.1 + 0.2, ["-0.1501"] = -0.1501, ["0.2333"] = 0.2333,
      ["0.000001"] = 1e-6, ["1e-7"] = 1e-7, ["-1.5e-9"] = -1.5e-9, ["1e+21"] = 1e21,
      ["100000000000000000000"] = 1e20, ["9007199254740991"] = 9007199254740991,
      ["9007199254740992"] = 2 ^ 53, ["1.7976931348623157e+308"] = 1.7976931348623157e308,
      ["5e-324"] = 5e-324, ["123456.789"] = 123456.789, ["0.333"] = 0.333,
    } do
      assert.equal(text, canonical(value))
    end
    local seed = 1
    for _ = 1, 5000 do
      seed = seed * 48271 % 2147483647
      local value = seed / 97 * 10 ^ (seed % 30 - 15)
      local text = canonical(value)
      assert(tonumber(text) + 0.0 == value, text)
      local digits = text:gsub("e.*", ""):gsub("[-.]", ""):gsub("^0+", ""):gsub("0+$", "")
      assert.equal((canonical_json.shortest(value)), digits)
    end
    for quarter = -9999, 9999 do
      local text = canonical(quarter / 10000)
      assert(tonumber(text) == quarter / 10000 and #text <= 7, text)
    end
  end)

  it("escapes what must be, and nothing else", function()
    assert.equal([["\"\\\b\t\n\f\r\u0000\u001f/ñ😀]] .. "\127\"",
      canonical("\"\\\b\t\n\f\r\0\31/ñ😀\127"))
  end)

  it("distinguishes lists from objects", function()
    assert.equal('[1,[],{},[null],{"a":[2]},true,"x"]',
      canonical { 1, array {}, {}, { json.null }, { a = { 2 } }, true, "x" })
    assert.equal("null", canonical(nil))
  end)

  it("is read back as it was", function()
    local value = { a = { 1, 2.5, "x", { b = false } }, c = "ñ" }
    assert.same(value, json.decode(canonical(value)))
  end)

  it("raises on what JSON cannot say", function()
    local circle = {}
    circle[1] = circle
    for _, value in ipairs {
      0 / 0, 1 / 0, -1 / 0, print, { print }, { [1] = 1, [3] = 3 }, { 1, a = 2 }, { [true] = 1 },
      { [2] = 1 }, { [0.5] = 1 }, circle,
    } do
      assert.has_error(function() canonical { a = value } end)
    end
  end)

  it("says what is wrong in words of its own, without a place in a file", function()
    local ok, problem = pcall(canonical, { print })
    assert.same({ false, "JSON has no value for a function" }, { ok, problem })
    ok, problem = pcall(canonical, { 0 / 0 })
    assert.same({ false, "JSON has no number that is not finite" }, { ok, problem })
  end)

  it("writes tables of many names in each other", function()
    local value, parts = {}, {}
    for at = 1, 3000 do
      value[("n%04d"):format(at)] = { b = { z = at, y = "y" }, a = at / 4 }
      parts[at] = ('"n%04d":{"a":%s,"b":{"y":"y","z":%d}}'):format(at, canonical(at / 4), at)
    end
    assert.equal("{" .. table.concat(parts, ",") .. "}", canonical(value))
  end)

  it("knows whether the same is read from it", function()
    local function is_exact(value)
      local text, found = canonical_json.encode_checked(value)
      assert.equal(canonical(value), text)
      return found
    end
    assert.is_true(is_exact { a = { 1, 0.5, -2 ^ 53, "x", true, array {}, array { 2 } }, b = {} })
    assert.is_false(is_exact { a = 2 ^ 54 })
    assert.is_false(is_exact { { a = json.null } })
    assert.is_false(is_exact { setmetatable({ a = 1 }, { __index = { b = 2 } }) })
  end)

  it("is the same under a locale with another decimal point and another order", function()
    local value = { ["Ä"] = 1.5, b = -0.1501, a = 0.1 + 0.2, B = 1e-7, ["ñ"] = { 1.25, 1e300 } }
    local expected = '{"B":1e-7,"a":0.30000000000000004,"b":-0.1501,"Ä":1.5,"ñ":[1.25,1e+300]}'
    assert.equal(expected, canonical(value))
    for _, name in ipairs { "de_DE.UTF-8", "es_ES.UTF-8", "pt_BR.UTF-8" } do
      os.setlocale(name) -- which of them there is, is the machine's
      local text = canonical(value)
      os.setlocale("C")
      assert.equal(expected, text)
    end
  end)
end)
