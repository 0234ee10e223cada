--- The cells of the CSV that commands write of the API's rows.
local cjson = require("cjson")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("cells of CSV", function()
  it("are quoted where they must be, and no formula", function()
    local stage = helper.stage()
    finally(function()
      stage:clear()
    end)
    local server = stage:server(function(request)
      request.respond(200, cjson.encode({ success = true, data = { users = request.body:find(
        '"page":1') and {
          { user_id = "u1", external_id = 'a "b", c' }, { user_id = "u2", external_id = "=1+1" },
          { user_id = "u3", external_id = "+520004507181" },
          { user_id = "u4", external_id = "@SUM(A1)" }, { user_id = "u5", external_id = "-5.50" },
          { user_id = "u6", external_id = "two\nlines\27[2J" },
          { user_id = "u7", external_id = "12345678909" },
        } or {} } }), { ["content-type"] = "application/json" })
    end)
    local status, out, err = process.run(process.program(), { "users", "--csv" },
      { env = { PALENCA_API_KEY = "spec-key", PALENCA_BASE_URL = server.url } })
    assert.are.equal(0, status, err)
    assert.are.equal(table.concat({ "user_id,external_id,widget_id", 'u1,"a ""b"", c",',
      "u2,'=1+1,", "u3,+520004507181,", "u4,'@SUM(A1),", "u5,-5.50,", "u6,two\\nlines\\x1b[2J,",
      "u7,[identity number],", "" }, "\n"), out)
  end)
end)
