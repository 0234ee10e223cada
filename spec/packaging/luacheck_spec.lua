--- luacheck's std for scripts: a field that `palenca` does not have is a warning.
local palenca = require("palenca")
local process = require("spec.support.process")
local uv = require("luv")

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

describe("luacheck's std", function()
  local directory, remove

  before_each(function()
    directory, remove = process.directory()
    process.write_file(directory .. "/.luacheckrc", ([[
stds.palenca = dofile("%s/lua/palenca/luacheck.lua")
std = "max+palenca"
]]):format(uv.cwd()))
  end)
  after_each(function() remove() end)

  local function luacheck(text)
    process.write_file(directory .. "/script.lua", text)
    return process.run("luacheck", { "--no-color", "--no-cache", "script.lua" },
      { cwd = directory })
  end

  it("warns of a field that palenca does not have, however it is reached", function()
    for text, warning in pairs {
      ["local palenca = require 'palenca'\npalenca.onn('*', print)"] = "2:1: .*field 'onn'",
      ["local p = require(\"palenca\")\nlocal i = p.income\nprint(i.analyse)"] =
        "3:7: .*field 'income.analyse'",
      ["print(require 'palenca'.log.infos)"] = "1:7: .*field 'log.infos'",
      ["local palenca = require 'palenca'\npalenca.version = 'x'"] =
        "2:1: .*setting read%-only field 'version'",
    } do
      local status, out = luacheck(text)
      assert.equal(1, status, out)
      assert.truthy(out:find(warning), out)
      assert.truthy(out:find("Total: 1 warning / 0 errors", 1, true), out)
    end
  end)

  it("has every field of palenca, and no other", function()
    local lines = { "local palenca = require 'palenca'" }
    local std, count = dofile("lua/palenca/luacheck.lua").read_globals.palenca.fields, 0
    for name, value in pairs(palenca) do
      lines[#lines + 1] = ("print(palenca.%s)"):format(name)
      assert.truthy(std[name], name)
      for part in pairs(type(value) == "table" and value or {}) do
        lines[#lines + 1] = ("print(palenca.%s.%s)"):format(name, part)
        assert.truthy(std[name].fields[part], part)
      end
      for part in pairs(std[name].fields or {}) do
        assert.is_not_nil(value[part], name .. "." .. part)
      end
      count = count + 1
    end
    local status, out = luacheck(table.concat(lines, "\n") .. "\n")
    assert.equal(0, status, out)
    for _ in pairs(std) do
      count = count - 1
    end
    assert.equal(0, count)
  end)

  it("accepts the examples, and reads of another require what is there", function()
    for _, name in ipairs { "applicant", "decide", "earnings", "income", "notify", "webhook" } do
      local status, out = luacheck(read("examples/" .. name .. ".lua"))
      assert.equal(0, status, out)
    end
    assert.equal(0, (luacheck("local other = require 'other'\nprint(other.onn)")))
    assert.equal(2, (luacheck("local palenca = require 'palenca'\npalenca.on(")))
  end)
end)
