--- The README's words for figures and limits are those of the module.
local labels = require("palenca.income.labels")
local rule = require("palenca.income.rule")

local function read_readme()
  local file = assert(io.open("README.md", "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

describe("the README", function()
  local readme = read_readme()

  it("names every figure in three languages, in the table's order", function()
    local expected, found = {}, {}
    for at, figure in ipairs(labels.figures) do
      expected[at] = ("| `%s` | %s | %s | %s | %s |"):format(figure[1], figure.es[1],
        figure.pt[1], figure.en[1], figure.en[2])
    end
    local list = readme:match("| field | español | português | English | [^\n]*\n[|-]+\n(.-)\n\n")
    for line in list:gmatch("[^\n]+") do
      found[#found + 1] = line
    end
    assert.same(expected, found)
  end)

  it("names every limit of a rule with its default", function()
    local found = {}
    for name, default in readme:gmatch("\n| `([%l_]+)` | ([%d.]+) | ") do
      found[name] = tonumber(default)
    end
    found.ratio = tonumber(readme:match("| installment | `ratio` ([%d.]+) |"))
    local expected = rule.read({ version = 1 })
    expected.version = nil
    assert.same(expected, found)
  end)
end)
