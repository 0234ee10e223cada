--- The usual JSON is read and written in one pass; what that leaves to lua-cjson and to Lua means
--- the same either way.
local canonical_json = require("palenca.util.canonical_json")
local cjson = require("cjson").new()
local core = require("palenca.core")
local json = require("palenca.util.json")

local math_type = math.type or type -- luacheck: ignore 143

cjson.decode_invalid_numbers(false)

local LISTS = getmetatable(json.array())

-- As lua-cjson decodes it, without the one pass.
local function by_cjson(text)
  local ok, value = pcall(cjson.decode, core.rewrite_json(text, true))
  if not ok then
    return nil, value
  end
  return core.plain(value, LISTS)
end

-- A text for a value, in which a number's type, the bits of a zero and what is a list can be seen.
local function shown(value)
  if type(value) ~= "table" then
    return type(value) == "number" and math_type(value) .. (" %.17g"):format(value)
      or type(value) .. " " .. tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = shown(key) .. " = " .. shown(item)
  end
  table.sort(parts)
  return (getmetatable(value) == LISTS and "list" or "") .. "{" .. table.concat(parts, "; ") .. "}"
end

local function assert_same_as_cjson(text)
  local value, problem = json.decode(text)
  local expected, expected_problem = by_cjson(text)
  assert.equal(shown(expected), shown(value), text)
  assert.equal(expected_problem ~= nil, problem ~= nil, text)
end

local PAGE = [=[ {"success":true,"data":{"earnings":[{"amount":101.01,"currency":"mxn","trips":1,
 "date":"2025-12-31","cash_amount":-1.50,"detail":null},{"amount":0,"currency":"Peso \u00f1 \"\\\/\b
\f\n\r\t\u0000\u20ac"},{},[],[null],[null,7,null,8.0]]},"a":1,"a":2,"b":3,"b":null,"pagination":{
"page":1,"total_items":123456789012345,"share":0.00000000000001},"error":false} ]=]
PAGE = PAGE:gsub("\\b\n", "\\b")

describe("decoding in one pass", function()
  it("takes what a response has", function()
    local is_taken, value = core.decode_json(PAGE, LISTS)
    assert.is_true(is_taken)
    assert.equal(shown(by_cjson(PAGE)), shown(value))
    assert.equal("Peso ñ \"\\/\b\f\n\r\t\0€", value.data.earnings[2].currency)
    assert.equal(LISTS, getmetatable(value.data.earnings[4]))
    assert.same({ a = 2 }, { a = value.a, b = value.b })
    assert.is_nil(getmetatable(value.data.earnings[3]))
  end)

  for _, text in ipairs {
    '"\\ud83d\\ude00"', '"\\ud83d"', "12345678901234567", "1e3", "0.1234567890123456", "01", "-",
    "1.", ".5", "+1", "tru", "nulll", "[1,]", '{"a":1,}', "{1:2}", '{"a" 1}', '"a', '"a\nb"', "",
    '"\\x"', '"\\u12g4"', '"\\u123', "{}\0", "1 2", "[", ("["):rep(101) .. ("]"):rep(101),
  } do
    it("leaves to lua-cjson " .. ("%q"):format(text:sub(1, 20)), function()
      assert.is_false((core.decode_json(text, LISTS)))
      assert_same_as_cjson(text)
    end)
  end

  it("reads each part of a text, and each text of which a byte is changed, as lua-cjson", function()
    local bytes = { '"', "\\", "{", "]", ",", ":", "0", "-", ".", "n", " ", "\n", "\1" }
    for at = 1, #PAGE do
      assert_same_as_cjson(PAGE:sub(1, at))
      for _, byte in ipairs(bytes) do
        assert_same_as_cjson(PAGE:sub(1, at - 1) .. byte .. PAGE:sub(at + 1))
      end
    end
  end)

  it("rounds a fraction as lua-cjson does", function()
    local digits = 1
    for at = 1, 3000 do
      digits = (digits * 69069 + 12345) % 2 ^ 32
      local text = ("%.0f"):format(digits)
      local point = at % #text
      text = (at % 3 == 0 and "-" or "") .. (point == 0 and "0" or text:sub(1, point))
        .. "." .. ("0"):rep(at % 5) .. text:sub(point + 1) .. "5"
      assert_same_as_cjson(text)
    end
  end)
end)

describe("encoding in one pass", function()
  local value = {
    options = { page = 1, items_per_page = 100, deep = { yes = true, no = false } },
    start_date = "2020-01-01", ["\"\\/\b\f\n\r\t\0\1\31\127ñ"] = "\"\\/\b\f\n\r\t\0\1\31\127ñ",
    min = -99999999999999, max = 99999999999999, zero = 0, empty = {},
  }

  it("writes a small object as lua-cjson does", function()
    for name, part in pairs(value) do -- one by one: lua-cjson has no order of names
      if name ~= "options" then
        assert.equal(cjson.encode({ [name] = part }), core.encode_json({ [name] = part }))
      end
    end
    assert.same(value, json.decode(json.encode(value)))
  end)

  it("has the names in the order of their bytes, wherever it is encoded", function()
    local names, parts, many = { "", "a", "a\0", "aa", "ab", "b", "B", "z", "Z", "ñ", "_" }, {}, {}
    for at = 100, 199 do
      names[#names + 1] = "n" .. at
    end
    local few = { ["ñ"] = 1, b = 1, aa = 1, ["a\0"] = 1, a = 1, Z = 1, inner = { y = 1, x = 1 } }
    local text = '{"Z":1,"a":1,"a\\u0000":1,"aa":1,"b":1,"inner":{"x":1,"y":1},"ñ":1}'
    assert.equal(text, core.encode_json(few))
    assert.equal('{"k":[' .. text .. "]}", json.encode { k = { few } })
    table.sort(names, canonical_json.is_before)
    for at, name in ipairs(names) do
      many[name], parts[at] = at, cjson.encode(name) .. ":" .. at
    end
    assert.equal("{" .. table.concat(parts, ",") .. "}", json.encode(many))
    assert.equal('{"1":"a","1.5":"d","10":"c","2":"b","x":"e"}',
      json.encode { "a", "b", [10] = "c", [1.5] = "d", x = "e" })
  end)

  it("leaves to Lua what is larger or else", function()
    local deep = {}
    for _ = 1, 101 do
      deep = { deep = deep }
    end
    for _, other in ipairs {
      { 1 }, { a = 0.5 }, { a = 1e14 }, { a = json.null }, { a = print }, json.array(), deep,
      { a = ("x"):rep(3000) }, { a = -1 * 0.0 }, { a = 0 / 0 }, { [1] = 2, a = 3 },
    } do
      assert.is_nil(core.encode_json(other))
    end
    assert.equal('{"a":"' .. ("x"):rep(3000) .. '"}', json.encode { a = ("x"):rep(3000) })
  end)

  it("fills its room to the last byte", function()
    for size = 2030, 2050 do
      local object = { a = ("/"):rep(100) .. ("x"):rep(size - 208) }
      assert.equal(size <= 2048, core.encode_json(object) ~= nil)
      assert.equal('{"a":"' .. ("\\/"):rep(100) .. object.a:sub(101) .. '"}', json.encode(object))
    end
  end)
end)
