--- JSON as the module's users see it.
local json = require("palenca.util.json")

-- LuaJIT has no integers of their own.
local math_type = math.type or function() -- luacheck: ignore 143
  return nil
end

describe("json.decode", function()
  it("decodes null as nil, wherever it is", function()
    assert.same({ nil, nil }, { json.decode("null") })
    assert.same({ a = { c = { {} } } }, json.decode('{"a":{"b":null,"c":[{"d":null}]},"e":null}'))
  end)

  it("decodes whole numbers as integers where the Lua has them", function()
    local value = json.decode('{"a":6,"b":[1,{"c":2}],"d":0.5,"e":-3,"f":179.0,"g":1e3}')
    assert.same({ a = 6, b = { 1, { c = 2 } }, d = 0.5, e = -3, f = 179, g = 1000 }, value)
    if math_type(1) then
      for _, number in ipairs { value.a, value.b[1], value.b[2].c, value.e, value.f, value.g } do
        assert.equal("integer", math_type(number))
      end
      assert.equal("float", math_type(value.d))
      assert.equal("integer", math_type((json.decode("7"))))
    end
  end)

  it("does so as deep as lua-cjson reads", function()
    local value = json.decode(('{"a":null,"b":7.0,"c":'):rep(900) .. "[null,8]" .. ("}"):rep(900))
    for _ = 1, 900 do
      assert.is_nil(value.a)
      assert.equal("7", tostring(value.b))
      value = value.c
    end
    assert.same({ [2] = 8 }, value)
    assert.equal("8", tostring(value[2]))
  end)

  it("keeps text, whatever is in it", function()
    assert.equal("ñ\n\0\"/", json.decode('"\\u00f1\\n\\u0000\\"\\/"'))
    assert.equal("😀", json.decode('"\\ud83d\\ude00"'))
  end)

  for _, text in ipairs {
    "", " ", "{", "[1,]", '{"a"}', "nul", "'a'", "{} x", "NaN", "[Infinity]", "-nan", "0x10",
    "<html>", '"a', ("["):rep(2000) .. ("]"):rep(2000),
  } do
    it("names the error in " .. text:sub(1, 12), function()
      local value, problem = json.decode(text)
      assert.is_nil(value)
      assert.is_string(problem)
    end)
  end

  it("distinguishes null from a failure", function()
    assert.equal(nil, (select(2, json.decode("null"))))
    assert.is_string((select(2, json.decode("nulll"))))
  end)
end)

describe("json.encode", function()
  it("writes what JSON has", function()
    assert.equal("null", json.encode(nil))
    assert.equal("null", json.encode(json.null))
    assert.equal("true", json.encode(true))
    assert.equal("false", json.encode(false))
    assert.equal('"a\\"b\\n"', json.encode('a"b\n'))
    assert.equal("[1,2,3]", json.encode({ 1, 2, 3 }))
    assert.equal("{}", json.encode({}))
    assert.equal('{"a":null}', json.encode({ a = json.null }))
    assert.equal("0.1", json.encode(0.1))
    assert.equal("0", json.encode(0))
    assert.equal("-5", json.encode(-5))
  end)

  it("loses no digit of a number", function()
    for _, number in ipairs {
      9007199254740991, -9007199254740991, 100000000000001, 1234567890123.45, 0.1 + 0.2, 1 / 3,
      5e-324, 1.7976931348623157e308, 2 ^ 60, 179.25,
    } do
      assert.equal(number, json.decode(json.encode(number)), json.encode(number))
    end
    assert.equal("9007199254740991", json.encode(9007199254740991))
    assert.equal("1234567890123.45", json.encode(1234567890123.45))
    assert.equal("100000000000000", json.encode(1e14))
  end)

  it("loses none inside of an object, whatever else is there", function()
    for text, number in pairs {
      ["99999999999999"] = 99999999999999, ["-99999999999999"] = -99999999999999,
      ["100000000000000"] = 1e14, ["-100000000000000"] = -1e14,
      ["9007199254740991"] = 9007199254740991, ["1234567890123.45"] = 1234567890123.45, ["6"] = 6,
    } do
      assert.equal('{"n":' .. text .. "}", json.encode { n = number })
      assert.equal('{"o":{"n":' .. text .. "}}", json.encode { o = { n = number } })
      assert.equal('{"o":[' .. text .. "]}", json.encode { o = { number } })
    end
    assert.equal('{"o":{}}', json.encode { o = {} })
    assert.equal('{"o":["a",true]}', json.encode { o = { "a", true } })
    assert.equal('{"o":{"a\\"":"\\n"}}', json.encode { o = { ['a"'] = "\n" } })
  end)

  it("writes a zero without a sign, wherever it is", function()
    local zero = -1 * 0.0
    assert.equal(-math.huge, 1 / zero)
    assert.equal("0", json.encode(zero))
    assert.equal('{"n":0}', json.encode { n = zero })
    assert.equal('{"o":{"n":0}}', json.encode { o = { n = zero } })
    assert.equal("[0,0.5]", json.encode { zero, 0.5 })
  end)

  it("writes a list with holes as an object", function()
    assert.same({ ["1"] = "a", ["1000"] = "b" },
      json.decode(json.encode({ [1] = "a", [1000] = "b" })))
  end)

  it("comes back from where it went", function()
    local value = { list = { { x = 1.5 }, { y = "é\0" } }, deep = { a = { b = { c = true } } } }
    assert.same(value, json.decode(json.encode(value)))
  end)

  it("raises on what JSON cannot say", function()
    local circle = {}
    circle.circle = circle
    for name, value in pairs {
      ["function"] = print, nan = 0 / 0, infinity = math.huge, ["minus infinity"] = -math.huge,
      thread = coroutine.create(function() end), circle = circle, userdata = io.stderr,
    } do
      assert.has_error(function() json.encode(value) end, nil, name)
      assert.has_error(function() json.encode({ inner = { value } }) end, nil, name)
    end
    assert.has_error(function() json.encode({ [true] = 1 }) end)
  end)

  it("leaves the settings of the user's own lua-cjson alone", function()
    local cjson = require("cjson")
    assert.equal(cjson.null, cjson.decode("null"))
    assert.is_false(pcall(cjson.encode, { [1] = 1, [1000] = 2 }))
  end)
end)
