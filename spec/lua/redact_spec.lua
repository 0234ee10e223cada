--- What is kept out of logs: identity numbers, and what steers a terminal.
local cjson = require("cjson")
local errors = require("palenca.errors")
local redact = require("palenca.redact")

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

  it("is masked in an error's text, and whole in its fields", function()
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

  it("has no characters that make a line or steer a terminal", function()
    assert.equal("a?b?c?d", redact.line("a\nb\tc\27d"))
    assert.equal("a?b?c?d?", redact.line("a\194\155b\226\128\174c\226\129\166d\127"))
    -- each by itself, with nothing else in the line that has to go
    for _, steering in ipairs { "\n", "\27", "\127", "\194\155", "\226\128\174", "\226\129\166" } do
      assert.equal("a?b", redact.line("a" .. steering .. "b"))
    end
    assert.equal("ñ é ☺ 日", redact.line("ñ é ☺ 日"))
    assert.equal("a\nb\tc?", redact.line("a\nb\tc\27", true))
  end)
end)
