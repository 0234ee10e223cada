--- The sandbox's parts that have no socket to be reached through: JSON text, chance.
local json = require("palenca.util.json")
local random = require("palenca.sandbox.data.random")
local render = require("palenca.sandbox.data.render")
local router = require("palenca.sandbox.http.router")

describe("sandbox render", function()
  for expected, value in pairs {
    ["179.0"] = 179.0, ["0.3"] = 0.1 + 0.2, ["1.25"] = 1.25, ["0.0"] = -0.001, ["7"] = 7,
    ["-3.5"] = -3.5, ["100.0"] = 100.0, ["1000000.1"] = 1000000.1, ["-9"] = -9,
    ["true"] = true, ["false"] = false, ['"a/b"'] = "a/b", ['"\\\\/"'] = "\\/",
    ['"\\"\\n\\u0000ñ"'] = '"\n\0ñ',
    ["{}"] = {}, ["[]"] = render.array {}, ["[1,[],{}]"] = render.array { 1, render.array {}, {} },
    ['{"a":1,"b":2.0,"c":[true]}'] = { b = 2.0, a = 1, c = render.array { true } },
    ['{"x":{raw}}'] = { x = render.raw("{raw}") },
  } do
    it("writes " .. expected, function()
      assert.equal(expected, render.text(value))
    end)
  end

  it("writes nil as null", function()
    assert.equal("null", render.text(nil))
  end)

  it("writes a shape's fields in order, absent ones as null", function()
    local shape = render.shape { "z", "a", "m" }
    assert.equal('{"z":false,"a":null,"m":1.0}', shape({ m = 1.0, z = false, no = 1 }).text)
  end)

  it("writes strings that lua-cjson reads back", function()
    for _, text in ipairs { "\\", "/", "\\/", "\\\\//", '"/"', "</script>", "\127", "日本" } do
      assert.equal(text, json.decode(render.text(text)))
    end
  end)

  for name, value in pairs {
    NaN = 0 / 0, infinity = 1 / 0, ["a function"] = print,
  } do
    it("raises on " .. name, function()
      assert.has_error(function() render.text(value) end)
      assert.has_error(function() render.text { value } end)
    end)
  end
end)

describe("sandbox random", function()
  it("repeats a stream by its name only", function()
    assert.equal(random.new(1, "a"):uuid(), random.new(1, "a"):uuid())
    assert.not_equal(random.new(1, "a"):uuid(), random.new(2, "a"):uuid())
    assert.not_equal(random.new(1, "a"):uuid(), random.new(1, "b"):uuid())
  end)

  it("keeps to its bounds and reaches them", function()
    local stream, seen = random.new("bounds"), {}
    for _ = 1, 1000 do
      local number = stream:between(-2, 2)
      assert.is_true(number >= -2 and number <= 2)
      seen[number] = true
      local real = stream:real()
      assert.is_true(real >= 0 and real < 1)
    end
    for number = -2, 2 do
      assert.is_true(seen[number])
    end
  end)

  it("writes digits and UUIDs in their form", function()
    local stream = random.new("forms")
    for _ = 1, 200 do
      assert.truthy(stream:uuid():match(
        "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"))
      assert.truthy(stream:digits(5):match("^%d%d%d%d%d$"))
      assert.equal(64, #stream:hex(64))
    end
    assert.is_true(stream:chance(1))
    assert.is_false(stream:chance(0))
  end)
end)

describe("sandbox router", function()
  local function fixed() end
  local function named() end
  local routes = router.new {
    { "GET", "/a-b/fixed.txt", fixed, public = true },
    { "GET", "/a-b/{one}", named },
    { "PUT", "/a-b/{one}", named },
    { "GET", "/a-b/{one}/c/{two}", named },
  }

  it("takes the first pattern that fits", function()
    local route, values = routes:match("GET", "/a-b/fixed.txt")
    assert.same({ handler = fixed, public = true }, route)
    assert.same({}, values)
    route, values = routes:match("GET", "/a-b/fixedxtxt")
    assert.same({ handler = named }, route)
    assert.same({ one = "fixedxtxt" }, values)
  end)

  it("returns every named segment", function()
    assert.same({ one = "1", two = "2" }, select(2, routes:match("GET", "/a-b/1/c/2")))
  end)

  it("returns the methods of a path without this one", function()
    assert.same({ n = 2, nil, { "GET", "PUT" } }, table.pack(routes:match("POST", "/a-b/x")))
    assert.same({ n = 2 }, table.pack(routes:match("GET", "/a-b/x/c")))
    assert.same({ n = 2 }, table.pack(routes:match("GET", "/aab/x")))
  end)
end)
