--- Text of numbers under a locale with a decimal comma, and numbers that a double does not hold.
local helper = require("spec.lua.helper")
local json = require("palenca.util.json")
local locale = require("spec.support.locale")
local uv = require("luv")
local palenca = require("palenca")

-- What a process with the locale starts with: `comma()` sets it, `point()` takes it back.
local PRELUDE = ([[
  local function comma() assert(os.setlocale("NAME")) end
  local function point() assert(os.setlocale("C")) end
  local function from_c() SET_FROM_C end
  local function equal(wanted, got)
    if wanted ~= got then error(tostring(got) .. " instead of " .. tostring(wanted), 2) end
  end
  -- what is left of the user's own lua-cjson under this locale
  local function own_cjson_reads_fractions()
    equal(1234.5, require("cjson").decode("[1234.5]")[1])
  end
  local function check_json()
    local json = require("palenca.util.json")
    for _ = 1, 2 do
      local list = assert(json.decode('{"a":[1234.5,-0.25,1e3,0.1e-2,7]}')).a
      equal(1234.5, list[1]) equal(-0.25, list[2]) equal(1000, list[3]) equal(0.001, list[4])
      equal(5, #list)
      equal(2, #json.decode("[1,5]"))
      equal(nil, (json.decode("[1,5,]")))
      equal(nil, (json.decode('{"a":1,5}')))
      equal("[1.5,2.5]", json.encode { 1.5, 2.5 })
      equal('{"a":0.1}', json.encode { a = 0.1 })
      equal('{"1.5":1}', json.encode { [1.5] = 1 })
      equal('{"1234567890123456":1}', json.encode { [1234567890123456] = 1 })
      equal("1e+300", json.encode(1e300))
      equal("1234567890123456", json.encode(1234567890123456))
    end
  end
]]):gsub("SET_FROM_C", function() return locale.SET_FROM_C end):gsub("NAME", locale.NAME)

local function run(text, environment)
  for name, value in pairs(locale.environment) do
    environment = environment or {}
    environment[name] = value
  end
  local status, out, err = helper.run(PRELUDE .. text, environment)
  assert.same({ 0, "" }, { status, err })
  return out
end

-- A server of one connection; returns its port, and a function that returns what it has received.
local function server(response)
  local listener = uv.new_tcp()
  assert(listener:bind("127.0.0.1", 0))
  local received = ""
  listener:listen(8, function()
    local socket = uv.new_tcp()
    listener:accept(socket)
    socket:read_start(function(_, data)
      received = received .. (data or "")
      if received:find("}$") then
        socket:read_stop()
        socket:write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " .. #response
          .. "\r\n\r\n" .. response, function() socket:close() end)
        listener:close()
      end
    end)
  end)
  return listener:getsockname().port, function() return received end
end

describe("under a locale with a decimal comma", function()
  it("Lua itself writes a comma, where it does", function()
    local out = run("comma() io.write(string.format('%.1f', 1.5))")
    assert.equal(rawget(_G, "jit") and "1.5" or "1,5", out)
  end)

  for name, text in pairs {
    ["set before the module is loaded"] =
      "comma() check_json() own_cjson_reads_fractions()",
    ["set after the module was loaded"] =
      "require('palenca') comma() check_json() point() check_json() own_cjson_reads_fractions()",
    ["set from C before the module is loaded"] =
      "from_c() check_json() own_cjson_reads_fractions()",
    ["set from C after the module was loaded"] =
      "require('palenca') from_c() check_json()",
    ["under which the user has loaded lua-cjson"] =
      "comma() require('cjson') own_cjson_reads_fractions() check_json() "
      .. "own_cjson_reads_fractions()",
    ["under which the user has made another lua-cjson"] =
      "require('palenca') comma() local own = require('cjson').new() check_json() "
      .. "equal(0.5, own.decode('[0.5]')[1]) own_cjson_reads_fractions()",
    ["that is gone since the user has loaded lua-cjson"] =
      "comma() require('cjson') point() check_json() own_cjson_reads_fractions()",
    ["that is gone since the module was loaded"] =
      "comma() require('palenca') point() check_json() own_cjson_reads_fractions()",
    ["set before lua-cjson is loaded, and taken back, and set again"] =
      "comma() require('cjson') check_json() point() check_json() comma() check_json()",
  } do
    it("JSON is read and written as without one " .. name, function()
      run(text)
    end)
  end

  it("a client's options are read from the environment, and shown in errors", function()
    assert.equal("2.5 0.25", run([[
      comma()
      local palenca = require "palenca"
      local client = palenca.new { api_key = "k" }
      local _, problem = pcall(palenca.new, { api_key = "k", timeout = -0.5 })
      assert(problem:find("got -0.5", 1, true), problem)
      local ok
      ok, problem = pcall(palenca.every, 0.05, print)
      assert(not ok and not problem:find(",%d"), problem)
      local number_text = require "palenca.util.number_text"
      equal("1.50 x", number_text.format("%.2f %s", 1.5, "x"))
      equal("1.5", number_text.text(1.5))
      equal("3", number_text.text(6 / 2))
      equal("1234567890123456", number_text.text(1234567890123456))
      equal("inf", number_text.text(math.huge))
      equal("nil", number_text.text(nil))
      equal(nil, number_text.parse("1,5"))
      io.write(number_text.text(client.timeout), " ", number_text.text(number_text.parse("0.25")))
    ]], { PALENCA_TIMEOUT = "2.5" }))
  end)

  it("a script's log is JSON", function()
    run([[
      comma()
      local palenca = require "palenca"
      local lines = {}
      require("palenca.log").use_writer(function(line) lines[#lines + 1] = line end)
      palenca.log.info { amount = 1234.5, list = { 0.5, 1.5 }, empty = palenca.json.array(),
        [1.5] = "key" }
      local entry = assert(palenca.json.decode(lines[1]))
      equal(1234.5, entry.amount) equal(1.5, entry.list[2]) equal("key", entry["1.5"])
      assert(lines[1]:find('"empty":[]', 1, true), lines[1])
    ]])
  end)

  it("an income is what it is", function()
    assert.equal('179.50 {"share":0.605}', run([[
      comma()
      local palenca = require "palenca"
      local rows = palenca.json.decode('[{"amount":179.5,"currency":"mxn",'
        .. '"earning_date":"2025-03-14"}]')
      local minor = require("palenca.income.api_amount").read(rows[1].amount, 2)
      io.write(palenca.income.format(minor, "mxn"), " ", palenca.json.canonical { share = 0.605 })
    ]]))
  end)

  it("a request's numbers are written with a point", function()
    local port, received = server("{}")
    run(([[
      comma()
      assert(require("palenca").http { url = "http://127.0.0.1:%d/", json = { amount = 1234.5 },
        headers = { ["X-Amount"] = 0.5, ["X-Id"] = 1234567890123456 } })
    ]]):format(port))
    assert.truthy(received():find('{"amount":1234.5}', 1, true), received())
    assert.truthy(received():find("X-Amount: 0.5\r\n", 1, true), received())
    assert.truthy(received():find("X-Id: 1234567890123456\r\n", 1, true), received())
  end)
end)

-- The program's own threads have the C locale; what is its alone needs no more.
local PROGRAM_ONLY = { "/host/", "/sandbox/" }

local function sources(directory, pattern)
  local files = {}
  local list = assert(io.popen(("find %s -name '%s' | sort"):format(directory, pattern)))
  for path in list:lines() do
    local file = assert(io.open(path))
    files[path] = file:read("*a")
    file:close()
  end
  list:close()
  assert.truthy(next(files))
  return files
end

describe("the sources", function()
  it("of the module format fractions through number_text, or under the C locale", function()
    for path, text in pairs(sources("lua/palenca", "*.lua")) do
      local is_module = path ~= "lua/palenca/util/number_text.lua"
      for _, part in ipairs(PROGRAM_ONLY) do
        is_module = is_module and not path:find(part)
      end
      text = text:gsub("number_text%.format%b()", "")
      if is_module and text:find("[.:]format%(") then
        -- %f[ is a pattern's
        assert.is_nil(text:find("%%[-+ #0]*%d*%.?%d*[eEgG][^%w]"), path)
        assert.is_nil(text:find("%%[-+ #0]*%d*%.?%d*f[^%w%[]"), path)
      end
    end
  end)

  it("in C read no number with the process's locale, and write no fraction", function()
    for path, text in pairs(sources("core", "*.c")) do
      text = text:gsub("/%*.-%*/", "")
      for _, name in ipairs { "strtod", "strtof", "strtold", "atof", "sscanf", "setlocale" } do
        assert.is_nil(text:find("%f[%w_]" .. name .. "%("), path .. ": " .. name)
      end
      for directive in text:gmatch("%%[-+ #0]*%d*(%.?%d*l?[fgG])[^%w]") do
        assert.equal(".0f", directive, path)
      end
    end
  end)
end)

describe("core.in_c_locale", function()
  local core = require("palenca.core")

  it("returns what the function returns, and what it raises", function()
    assert.same({ true, 1, nil, 3 }, { core.in_c_locale(function(...) return ... end, 1, nil, 3) })
    local problem = {}
    assert.same({ false, problem }, { core.in_c_locale(error, problem) })
    assert.equal(200, select("#", core.in_c_locale(function()
      return (table.unpack or unpack)({}, 1, 199) -- luacheck: ignore 113
    end)))
    assert.is_false(pcall(core.in_c_locale))
  end)

  it("puts the locale back, whatever happens", function()
    run([[
      local core = require "palenca.core"
      comma()
      equal(",", core.decimal_point())
      equal(".", select(2, core.in_c_locale(core.decimal_point)))
      for _ = 1, 3 do
        core.in_c_locale(error)
        core.in_c_locale(core.in_c_locale, error)
        equal(",", core.decimal_point())
      end
      local ok = coroutine.wrap(function() return core.in_c_locale(coroutine.yield) end)()
      equal(false, ok)
      equal(",", core.decimal_point())
    ]])
  end)
end)

describe("numbers that a double does not hold", function()
  it("are text of the same digits", function()
    for text, wanted in pairs {
      ["9007199254740993"] = "9007199254740993", ["-9007199254740993"] = "-9007199254740993",
      ["9223372036854775807"] = "9223372036854775807",
      ["123456789012345678901234567890"] = "123456789012345678901234567890",
      ["1e400"] = "1e400", ["-1E999"] = "-1E999",
    } do
      assert.equal(wanted, (json.decode(text)))
      assert.same({ id = wanted, list = { wanted, 1 } },
        json.decode('{"id":' .. text .. ',"list":[' .. text .. " ,1]}"))
    end
  end)

  it("are numbers up to where each is exactly that", function()
    for _, text in ipairs {
      "9007199254740992", "-9007199254740992", "9007199254740991", "1234567890123456",
    } do
      local value = json.decode(text)
      assert.equal("number", type(value))
      assert.equal(text, string.format("%d", value))
      assert.equal(text, json.encode(value))
      assert.equal('{"id":' .. text .. "}", json.encode { id = value })
    end
    assert.equal(179, json.decode("179.0"))
    assert.equal(1000, json.decode("1e3"))
  end)

  it("are left alone in strings, and make no JSON of what is none", function()
    assert.equal("9007199254740993 []", json.decode('"9007199254740993 []"'))
    for _, text in ipairs { "{9007199254740993:1}", "[09007199254740993]", "[1e400x]" } do
      local value, problem = json.decode(text)
      assert.is_nil(value)
      assert.is_string(problem)
    end
  end)

  it("come in a webhook as text, but not in the place of text", function()
    local body = '{"data":{"webhook_action":"login.success","id":9007199254740993,'
      .. '"account_id":9007199254740993,"external_id":"9007199254740993","list":[]}}'
    local event = assert(palenca.webhook.parse(body))
    assert.equal("9007199254740993", event.data.id)
    assert.equal("9007199254740993", event.external_id)
    assert.is_nil(event.account_id)
    assert.equal("9007199254740993", event.data.account_id)
    assert.equal(body, event.body)
    local none, err = palenca.webhook.parse('{"data":{"webhook_action":9007199254740993}}')
    assert.is_nil(none)
    assert.truthy(err.message:find("webhook_action", 1, true))
  end)

  if math.type then -- luacheck: ignore 143
    it("are written with all digits where the Lua has them", function()
      for _, text in ipairs { "9007199254740993", "9223372036854775807", "-9223372036854775808" } do
        local value = math.tointeger(text) -- luacheck: ignore 143
        assert.equal(text, json.encode(value))
        assert.equal('{"id":' .. text .. "}", json.encode { id = value })
      end
    end)
  end
end)

describe("half a surrogate pair", function()
  it("is a replacement character in what the API says", function()
    assert.same({ "a�b", "�", "😀", "�x" },
      json.decode('["a\\ud800b","\\uDC00","\\ud83d\\ude00","\\ud83dx"]'))
  end)

  it("is no JSON where that is to be strict", function()
    assert.is_string((select(2, json.decode_strictly('"\\ud800"'))))
    assert.is_nil((palenca.webhook.parse(
      '{"data":{"webhook_action":"login.success","name":"\\ud800"}}')))
  end)
end)

describe("json.array", function()
  it("has a list written as one, even if it is empty", function()
    assert.equal("[]", json.encode(palenca.json.array {}))
    assert.equal("[]", json.encode(palenca.json.array()))
    assert.equal('{"a":[],"b":{}}', (json.encode { a = palenca.json.array {}, b = {} }
      :gsub('^{"b":{},"a":%[%]}$', '{"a":[],"b":{}}')))
    assert.equal('[1,"a",[]]', json.encode(palenca.json.array { 1, "a", palenca.json.array() }))
    local list = {}
    assert.equal(list, palenca.json.array(palenca.json.array(list)))
    list[1] = 1.5
    assert.equal("[1.5]", json.encode(list))
  end)

  it("raises for what is no list, when it is marked or written", function()
    helper.blames_caller(function() palenca.json.array("text") end, "palenca.json.array",
      "got 'text'")
    helper.blames_caller(function() palenca.json.array(setmetatable({}, {})) end, "metatable")
    assert.has_error(function() json.encode(palenca.json.array { a = 1 }) end)
    assert.has_error(function() json.encode(palenca.json.array { 1, nil, 3, nil, 5, [9] = 1 }) end)
  end)

  it("is what an empty list is read as, so that it is written again", function()
    for _, text in ipairs { "[]", "{}", '{"a":[]}', '{"a":[[],{}]}', '[[[ ]],{"b":{}}]' } do
      assert.equal((text:gsub(" ", "")), json.encode(json.decode(text)))
    end
    assert.same({}, json.decode("[]"))
    assert.is_nil(next(json.decode("[]")))
    assert.is_true(json.is_array(json.decode("[]")))
    assert.is_false(json.is_array(json.decode("{}")))
    assert.is_false(json.is_array("[]"))
  end)

  it("knows the lists of lua-cjson, where that has them", function()
    local cjson = require("cjson")
    if cjson.array_mt then
      assert.equal("[]", cjson.encode(json.decode("[]")))
      assert.equal("[]", json.encode(setmetatable({}, cjson.empty_array_mt)))
      assert.equal("[[]]", json.encode { cjson.empty_array })
    end
  end)

  it("is written so in a request's body", function()
    local port, received =
      server('{"success":true,"data":{"id":9007199254740993,"a":[]}}')
    assert.equal("9007199254740993 []", run(([[
      local palenca = require "palenca"
      local client = palenca.new { api_key = "k", base_url = "http://127.0.0.1:%d", rate_limit = 0 }
      local data = assert(client:request("POST", "/v1/x", { events = palenca.json.array {} }))
      io.write(data.id, " ", palenca.json.encode(data.a))
    ]]):format(port)))
    assert.truthy(received():find('{"events":[]}', 1, true), received())
  end)
end)
