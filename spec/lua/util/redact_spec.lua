--- What is kept out of logs: identity numbers, and what steers a terminal.
local cjson = require("cjson")
local errors = require("palenca.errors")
local redact = require("palenca.util.redact")

describe("a text for a log", function()
  local numbers = {
    CURP = "XEXX010101HNEXXXA4", ["CURP in small letters"] = "xexx010101hnexxxa4",
    ["RFC of a person"] = "XEXX010101AB1", ["RFC of a company"] = "XEX010101AB1",
    CPF = "123.456.789-09", ["CPF as digits"] = "12345678909",
  }
  for name, number in pairs(numbers) do
    it("has no identity number: " .. name, function()
      for _, form in ipairs({ "%s", "is %s not", "'%s',", "(%s)", "%s\nx", "a=%s&b" }) do
        local text = redact.identity((form:gsub("%%s", number)))
        assert.is_nil(text:find(number, 1, true), text)
        assert.equal((form:gsub("%%s", "[identity number]")), text)
      end
    end)
  end

  local escapes = { "\\b", "\\f", "\\n", "\\r", "\\t", '\\"', "\\\\", "\\/", "\\u000a",
    "\\u000A", "\\u0000", "\\u00e1", "\\ud83d\\ude00", "\\u2028", "%0A", "%20", "%2f", "%C3%A1" }
  for _, escape in ipairs(escapes) do
    it("has none between escapes: " .. escape, function()
      for _, number in pairs(numbers) do
        for _, form in ipairs({ '"%s"', 'say: {"a":"x%sy"}', "%s", '{"%s":[{"%s":"%s"}]}' }) do
          local function filled(with)
            return (form:gsub("%%s", function() return escape .. with .. escape end))
          end
          assert.equal(filled("[identity number]"), redact.identity(filled(number)))
        end
      end
    end)
  end

  it("has none that is written in escapes", function()
    for _, number in pairs(numbers) do
      local written = number:gsub(".", function(c) return ("\\u%04x"):format(c:byte()) end)
      assert.equal('{"[identity number]":"a [identity number]\\u0020"}',
        redact.identity(('{"%s":"a %s\\u0020"}'):format(written, written)))
      written = number:gsub("[%d.]", function(c) return ("%%%02X"):format(c:byte()) end)
      assert.equal("/v1/consents/[identity number]?a=b",
        redact.identity("/v1/consents/" .. written .. "?a=b"))
    end
  end)

  it("has none in JSON within JSON, as a key and as a value, and stays JSON", function()
    for _, number in pairs(numbers) do
      local text = cjson.encode({
        ["\n" .. number .. "\t"] = { "\\" .. number, { number .. '"' } },
      })
      for depth = 1, 5 do
        local shown = redact.identity(text)
        assert.is_nil(shown:find(number, 1, true), shown)
        for _ = 2, depth do
          shown = cjson.decode(shown)[1]
        end
        assert.same({ ["\n[identity number]\t"] = { "\\[identity number]",
          { '[identity number]"' } } }, cjson.decode(shown))
        text = cjson.encode({ text })
      end
    end
  end)

  it("is masked soon, whatever it is", function()
    local began = os.clock()
    for _, text in ipairs({ ("\\"):rep(65536), "\\u005c" .. ("u005c"):rep(13000),
      ("%25"):rep(20000), ("\\n12345678909"):rep(5000), ("1"):rep(65536) })
    do
      redact.identity(text)
    end
    assert.is_true(os.clock() - began < 20)
  end)

  it("keeps what is none", function()
    for _, text in ipairs({
      "account 151a29ab-c492-4ad4-8c7f-15962cff3822", "event 17954472540001", "2025-03-14",
      "100222.43 mxn", "1234567890 123456789012", "127.0.0.1:8080", "HTTP 422",
      "\\u004112345678909", "C:\\new\\table 100 %", "\\", "\\u12", "%", "%2",
      "50%25 \\n \\u00e1",
    }) do
      assert.equal(text, redact.identity(text))
    end
  end)

  it("keeps an id whose last group looks like one, and masks a number beside it", function()
    local id = "0a1b2c3d-0000-4000-8000-dcc7910441a6"
    for _, form in ipairs({ "%s", "account %s: not_found", '"\\n%s\\u0020"', "%%2F%s%%3F",
      '{"a":"{\\"id\\":\\"%s\\"}"}' }) do
      local text = form:format(id)
      assert.equal(text, redact.identity(text))
    end
    for name, number in pairs(numbers) do
      assert.equal(id .. " [identity number] " .. id,
        redact.identity(("%s %s %s"):format(id, number, id)), name)
    end
    for _, text in ipairs({ "dcc7910441a6", "8000-dcc7910441a6", id:gsub("^.", "x"),
      id:sub(2), "0a1b2c3d-0000-4000-80000-dcc7910441a6" }) do
      assert.truthy(redact.identity(text):find("[identity number]", 1, true), text)
    end
  end)

  it("is masked in an error's text, and unmasked in its fields", function()
    local err = errors.new({ kind = "invalid", message = "XEXX010101HNEXXXA4 is taken",
      errors = { { location = "body.curp", message = "12345678909" } } })
    assert.equal("invalid: [identity number] is taken; body.curp: [identity number]",
      tostring(err))
    assert.equal("XEXX010101HNEXXXA4 is taken", err.message)
  end)

  it("has no bytes that are no text", function()
    for _, text in ipairs({ "", "plain\n", "ñ é ☺ 日 \240\159\152\128 \127", "\244\143\191\191" }) do
      assert.equal(text, redact.bytes(text))
    end
    assert.equal("a?b?", redact.bytes("a\0b\0"))
    assert.equal("?a", redact.bytes("\255a"))
    assert.equal("ñ??é?", redact.bytes("ñ\192\175é\195"))
    assert.equal("??????? ", redact.bytes("\237\160\128\244\144\128\128 "))
    assert.equal("x?y", redact.problem("x\200y", 10))
    assert.equal("x?y", redact.problem("x\0y", 10))
    assert.equal("a?b  […]", redact.problem("a\0b " .. ("x"):rep(100), 20))
    assert.equal("ab  […]", redact.problem("ab ñ" .. ("x"):rep(100), 4))
  end)

  -- each by itself, with nothing else in the line that has to be escaped
  for steering, shown in pairs({
    ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\0"] = "\\x00", ["\27"] = "\\x1b",
    ["\127"] = "\\x7f", ["\194\128"] = "\\u{80}", ["\194\155"] = "\\u{9b}",
    ["\216\156"] = "\\u{61c}",
    ["\226\128\142"] = "\\u{200e}", ["\226\128\168"] = "\\u{2028}", ["\226\128\174"] = "\\u{202e}",
    ["\226\129\166"] = "\\u{2066}", ["\226\129\169"] = "\\u{2069}", ["\255"] = "\\xff",
    ["\194"] = "\\xc2", ["\192\155"] = "\\xc0\\x9b", ["\224\130\155"] = "\\xe0\\x82\\x9b",
    ["\237\160\128"] = "\\xed\\xa0\\x80", ["\244\144\128\128"] = "\\xf4\\x90\\x80\\x80",
    ["\240\159\152"] = "\\xf0\\x9f\\x98",
  }) do
    it("shows instead of interpreting: " .. shown, function()
      assert.equal("a" .. shown .. "b", redact.escape_line("a" .. steering .. "b"))
      assert.equal(shown, redact.escape_line(steering))
    end)
  end

  it("is what it was if there is nothing to escape", function()
    for _, text in ipairs({ "", " ~", "ñ é ☺ 日 \240\159\152\128", "\244\143\191\191\194\160" }) do
      assert.equal(text, redact.escape_line(text))
    end
    assert.equal("a\nb\tc\\x1b\\r", redact.escape_line("a\nb\tc\27\r", true))
  end)

  it("stays JSON of the same meaning where it is JSON", function()
    local value = { "\n\r\t\27\127 \194\155 \226\128\174 ñ ☺ \240\159\152\128 \"\\" }
    local text = redact.escape_json(cjson.encode(value))
    assert.is_nil(text:find("[%c\127]"))
    assert.is_nil(text:find("\194\155", 1, true))
    assert.truthy(text:find("\\u009b \\u202e ñ ☺", 1, true), text)
    assert.same(value, cjson.decode(text))
    assert.equal('["a?b?"]', redact.escape_json('["a\0b\255"]'))
  end)

  it("has them listed as they are written there, but not what is part of an id", function()
    local text = '{"id":"0a1b2c3d-0000-4000-8000-abc123456d7e","a":"XEXX010101HNEXXXA4","b":'
      .. '["x\\n123.456.789-09",12345678909]}'
    local list = redact.identity_numbers(text)
    table.sort(list)
    assert.same({ "123.456.789-09", "12345678909", "XEXX010101HNEXXXA4" }, list)
    assert.same({}, redact.identity_numbers("nobody's"))
  end)
end)
