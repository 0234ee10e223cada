--- The words for the codes of logins.
local api_values = require("palenca.util.api_values")
local login_words = require("palenca.host.cli.login_words")

describe("the words for the codes of logins", function()
  it("are there for every code that the API documents, and for no other", function()
    for code in pairs(api_values.status_details) do
      for _, language in ipairs({ "es", "pt" }) do
        local text = (login_words[code] or {})[language]
        assert.is_string(text, code)
        assert.is_nil(text:find("_", 1, true), text)
      end
    end
    for code in pairs(login_words) do
      assert.is_true(api_values.status_details[code], code)
    end
  end)
end)
