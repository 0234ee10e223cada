--- What is kept out of logs: identity numbers, and what steers a terminal.
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

  it("keeps what is none", function()
    for _, text in ipairs({
      "account 151a29ab-c492-4ad4-8c7f-15962cff3822", "event 17954472540001", "2025-03-14",
      "100222.43 mxn", "1234567890 123456789012", "127.0.0.1:8080", "HTTP 422",
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

  it("has no characters that make a line or steer a terminal", function()
    assert.equal("a?b?c?d", redact.line("a\nb\tc\27d"))
    assert.equal("a?b?c?d?", redact.line("a\194\155b\226\128\174c\226\129\166d\127"))
    assert.equal("ñ é ☺ 日", redact.line("ñ é ☺ 日"))
    assert.equal("a\nb\tc?", redact.line("a\nb\tc\27", true))
  end)
end)
