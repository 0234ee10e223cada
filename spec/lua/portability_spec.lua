--- What the module's files are written in: each of them is read by every Lua, and as the same.
local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

describe("the module's files", function()
  local paths = {}
  local found = assert(io.popen("find lua/palenca -name '*.lua'"
    .. " -not -path 'lua/palenca/host/*' -not -path 'lua/palenca/sandbox/*'"))
  for path in found:lines() do
    paths[#paths + 1] = path
  end
  found:close()

  it("are compiled by this Lua", function()
    assert.is_true(#paths > 30)
    for _, path in ipairs(paths) do
      assert(loadfile(path))
    end
  end)

  it("have no escapes that Lua 5.1 takes for letters", function()
    for _, path in ipairs(paths) do
      local text = read(path):gsub("\\\\", "")
      assert.is_nil(text:match("\\[xzu][^\n]*"), path)
    end
  end)
end)
