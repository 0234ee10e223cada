--- Makes the reference with LDoc and looks for every name that a script can reach.
local documents = require("spec.support.documents")
local errors = require("palenca.errors")
local palenca = require("palenca")
local process = require("spec.support.process")

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

describe("the reference", function()
  local directory, remove, scratch, status, said
  setup(function()
    directory, remove = process.directory()
    -- where ldoc puts its templates is named after HOME, in /tmp; from 1.5 on, it is in TMPDIR
    scratch = "/tmp/ldoc" .. directory:gsub("/", "_")
    status, said = process.run("/bin/sh", { "-c",
      'exec ldoc --fatalwarnings -c spec/support/config.ld -d "$0" . 2>&1', directory },
      { env = { HOME = directory, TMPDIR = directory } })
  end)
  teardown(function()
    remove()
    process.run("/bin/rm", { "-rf", scratch })
  end)

  local function documented(page)
    local names = {}
    for name in read(directory .. "/" .. page .. ".html"):gmatch('<a name = "([^"]+)"') do
      names[name] = true
    end
    return names
  end

  local function assert_all(page, values, prefix)
    local names, count = documented(page), 0
    for name in pairs(values) do
      if not name:find("^_") then
        assert.truthy(names[(prefix or "") .. name], page .. " lacks " .. (prefix or "") .. name)
        count = count + 1
      end
    end
    assert.is_true(count > 0, page)
  end

  it("is made without a warning", function()
    assert.equal(0, status, said)
    assert.is_nil(said:find("warning", 1, true), said)
  end)

  it("has names as they are written, whatever marks they have", function()
    local page = read(directory .. "/modules/palenca.handlers.html")
    for _, name in ipairs { "login.*", "*", "palenca serve --help" } do
      assert.truthy(page:find("<code>" .. name .. "</code>", 1, true), name)
    end
    local _, found = process.run("/bin/sh", { "-c",
      "grep -rnE '<em>|&[mn]dash;' --include=*.html " .. directory
        .. " | grep -vE '\\(<em>(optional|default)</em>'" })
    assert.equal("", found)
  end)

  it("has the pages that the documents link", function()
    local count = 0
    for _, path in ipairs(documents.list()) do
      for page in read(path):gmatch("%(build/reference/([^)#]+)") do
        read(directory .. "/" .. page)
        count = count + 1
      end
    end
    assert.is_true(count > 0)
  end)

  it("has all of palenca and its parts", function()
    assert_all("modules/palenca", palenca)
    for _, name in ipairs { "advice", "income", "json", "log", "webhook" } do
      assert_all("modules/palenca." .. name, palenca[name])
    end
    assert_all("modules/palenca.handlers", { on = palenca.on })
    assert_all("modules/palenca.timers", { every = palenca.every })
    assert_all("modules/palenca.http", { http = true })
    assert_all("modules/palenca.runtime", require("palenca.runtime"))
    local calls = require("palenca.runtime.calls")
    assert_all("modules/palenca.runtime.calls", calls)
    assert_all("modules/palenca.runtime.calls", getmetatable(calls.new()).__index,
      "Calls:")
    assert_all("modules/palenca.testing", (require("palenca.testing")))
    assert_all("modules/palenca.errors", errors)
    assert_all("modules/palenca.errors",
      getmetatable(errors.new { kind = "network", message = "m" }).__index, "Error:")
  end)

  it("has every operation, and what a search returns", function()
    local client = palenca.new { api_key = "k", base_url = "http://127.0.0.1:1" }
    assert_all("classes/palenca.client", { new = true }, "palenca.client.")
    local options = getmetatable(client).__index
    assert_all("classes/palenca.client", getmetatable(options).__index, "Client:")
    local own_page = { users = true, accounts = true, logins = true, webhooks = true }
    local operations = 0
    for name, resource in pairs(client) do
      if type(resource) == "table" then
        local page = "modules/palenca.client.resources." .. (own_page[name] and name or "lookups")
        assert_all(page, resource, not own_page[name] and name .. ":" or nil)
        for _ in pairs(resource) do
          operations = operations + 1
        end
      end
    end
    assert.equal(28, operations)
    local pager = client.accounts:earnings("cb39ee15-f29f-427d-9119-0c627575610d",
      { start_date = "2024-09-01", end_date = "2024-09-02" })
    assert_all("classes/palenca.client.pager", getmetatable(pager).__index, "Pager:")
    pager:stop()
  end)
end)
