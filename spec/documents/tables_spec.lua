--- The other tables of the documents have what the code has, and nothing else.
local cjson = require("cjson")
local documents = require("spec.support.documents")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local palenca = require("palenca")
local process = require("spec.support.process")

local HOST, ACCESS = "core/host/README.md", "core/host/ACCESS.md"
local MODULE, SANDBOX = "lua/palenca/README.md", "lua/palenca/sandbox/README.md"

-- The rows below a heading, without the heads of the tables; each as its cells.
local function rows_of(path, title)
  local list, rows = {}, documents.rows_under(documents.read(path), title)
  for at, row in ipairs(rows) do
    local is_head = rows[at + 1] and rows[at + 1]:find("^|[-|]+|$")
    if not is_head and not row:find("^|[-|]+|$") then
      list[#list + 1] = documents.cells(row)
    end
  end
  return list
end

-- What is in backquotes.
local function words_of_text(text)
  local list = {}
  for word in text:gmatch("`([^`]+)`") do
    list[#list + 1] = word
  end
  return list
end

-- The same of a column.
local function words_of(path, title, column)
  local list = {}
  for _, cells in ipairs(rows_of(path, title)) do
    local words = words_of_text(cells[column] or "")
    table.move(words, 1, #words, #list + 1, list)
  end
  return list
end

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do
    set[name] = true
  end
  return set
end

local function sorted_keys(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

local function assert_same_set(expected, found)
  assert.same(sorted_keys(expected), sorted_keys(found))
end

local function module_source(name)
  return helper.read_file(assert(package.searchpath(name, package.path)))
end

describe("the module's page", function()
  local text = helper.read_file(MODULE)

  it("names every figure in three languages, in the table's order", function()
    local expected, found = {}, {}
    for at, figure in ipairs(require("palenca.income.labels").figures) do
      expected[at] = ("| `%s` | %s | %s | %s | %s |"):format(figure[1], figure.es[1],
        figure.pt[1], figure.en[1], figure.en[2])
    end
    local list = text:match("| field | español | português | English | [^\n]*\n[|-]+\n(.-)\n\n")
    for line in list:gmatch("[^\n]+") do
      found[#found + 1] = line
    end
    assert.same(expected, found)
  end)

  it("names every limit of a rule with its default", function()
    local found = {}
    for name, default in text:gmatch("\n| `([%l_]+)` | ([%d.]+) | ") do
      if name:find("_%l") and not name:find("^timeout") then
        found[name] = tonumber(default)
      end
    end
    found.ratio = tonumber(text:match("| installment | `ratio` ([%d.]+) |"))
    local expected = require("palenca.income.rule").read({ version = 1 })
    expected.version = nil
    for name in pairs(found) do
      found[name] = expected[name] and found[name]
    end
    assert.same(expected, found)
  end)

  it("has every kind of error", function()
    local kinds = module_source("palenca.errors")
      :match("%-%- @tfield string kind (.-)\n%-%- @tfield")
    local expected = {}
    for kind in kinds:gmatch("`([%l_]+)`") do
      expected[kind] = true
    end
    assert_same_set(expected, set_of(words_of(MODULE, "Kinds", 1)))
  end)

  it("has every code with its kind, who must act, and whether another try can help", function()
    local expected, found = {}, {}
    local codes = module_source("palenca.advice"):match("local codes = (%b{})")
    for code in codes:gmatch("\n  ([%l_]+) = {") do
      expected[code] = palenca.advice.of_call(code, "protocol")
    end
    local errors = require("palenca.errors")
    for _, cells in ipairs(rows_of(MODULE, "Codes")) do
      local code = cells[1]:match("`(.-)`")
      found[code] = true
      local known = assert(expected[code], code)
      assert.equal(known.actor, cells[3], code)
      assert.equal(known.can_repeat and "yes" or "no", cells[4], code)
      local wait = known.repeat_after
      assert.equal(not wait and "" or wait < 3600 and wait // 60 .. " min" or wait // 3600 .. " h",
        cells[5], code)
      if cells[2]:find("`") then
        assert.equal(errors.kind(code, 0), cells[2]:match("`(.-)`"), code)
      end
    end
    assert_same_set(expected, found)
  end)

  it("has every operation of a client", function()
    local client = palenca.new { api_key = "k", base_url = "http://127.0.0.1:1" }
    local expected, found = {}, {}
    for name, resource in pairs(client) do
      for operation in pairs(type(resource) == "table" and resource or {}) do
        expected[name .. ":" .. operation] = true
      end
    end
    for _, cells in ipairs(rows_of(MODULE, "Operations")) do
      local resource = cells[1]:match("client%.(%l+)")
      for operation in cells[1]:gmatch(":([%l_]+)[%({]") do
        if resource then
          found[resource .. ":" .. operation] = true
        end
      end
    end
    assert_same_set(expected, found)
  end)

  it("has every webhook action", function()
    local found = set_of(words_of(MODULE, "Older webhook actions", 1))
    for _, action in ipairs(words_of(MODULE, "Webhook actions", 1)) do
      found[action] = true
    end
    assert_same_set(require("palenca.sandbox.data.vendor_constants").events, found)
  end)

  it("has every field of an event", function()
    local data = { webhook_action = "login.success" }
    for _, name in ipairs { "account_id", "user_id", "external_id", "platform", "status_details",
      "webhook_id" } do
      data[name] = "x"
    end
    local expected = palenca.webhook.parse(cjson.encode({ data = data }))
    for _, name in ipairs { "id", "attempt", "replay", "received_at", "traceparent",
      "request_id", "reconciled" } do
      expected[name] = true -- what the program adds
    end
    assert_same_set(expected, set_of(words_of(MODULE, "Events", 1)))
  end)

  it("has every field of an account, a profile and a row of earnings", function()
    local source = module_source("palenca.sandbox.api.accounts")
    local function words(fields)
      local list = {}
      for word in fields:gmatch('"([%l_]+)"') do
        list[#list + 1] = word
      end
      return set_of(list)
    end
    local account = words(source:match("local account_fields = (%b{})"))
    account.user_id = true
    assert_same_set(account, set_of(words_of(MODULE, "An account", 1)))
    local profile = words(source:match("local profile_data_shape = render.shape (%b{})"))
    assert_same_set(profile, set_of(words_of(MODULE, "A profile", 1)))
    for _, cells in ipairs(rows_of(MODULE, "A profile")) do
      local part = cells[1]:match("^`([%l_]+)`$")
      local fields = part and part ~= "ids_info"
        and source:match("\n  " .. part .. " = render.shape (%b{})")
      if fields then
        assert_same_set(words(fields), set_of(words_of_text(cells[2])))
      end
    end
  end)

  it("has every option of a client, with its default", function()
    local source = module_source(package.searchpath("palenca.client.init", package.path)
      and "palenca.client.init" or "palenca.client")
    local types = source:match("local option_types = (%b{})")
    local expected = {}
    for name in types:gmatch("\n  ([%l_]+) = ") do
      expected[name] = true
    end
    local found = {}
    for _, cells in ipairs(rows_of(MODULE, "Client")) do
      if cells[4] then
        found[cells[1]:match("`(.-)`")] = true
      end
    end
    assert_same_set(expected, found)
    local client = palenca.new { api_key = "k" }
    for _, name in ipairs { "timeout", "max_retries", "rate_limit" } do
      assert.truthy(text:find(("\n| `%s` | %d |"):format(name, client[name]), 1, true), name)
    end
  end)

  it("has the numbers of pages in flight", function()
    local choose = require("palenca.client.pages_in_flight").choose
    local first, max = choose {}, choose { first = 1, recent = 1, before = 100 }
    for _, words in ipairs {
      ("\n| HTTP/2 | as many as the rest of the rate limit permits, at most %d:")
        :format(choose { http_version = 2 }),
      ("\n| HTTP/1.1 | %d; then one more with each page, at most %d, while"):format(first, max),
      ("\n| the limit permits fewer than %d | %d are requested,"):format(first, first),
    } do
      assert.truthy(text:find(words, 1, true), words)
    end
  end)
end)

describe("the changes", function()
  it("name the version of the header and that of the event store", function()
    local text = helper.read_file("rockspec/CHANGELOG.md")
    local version = helper.read_file("core/client/palenca.h"):match('PALENCA_VERSION "([^"]+)"')
    assert.equal(version, text:match("\n## ([%d.]+)\n"))
    local pipe = assert(io.popen("grep -rhoE 'define EVENT_SCHEMA_VERSION [0-9]+' core"))
    local schema = tonumber(pipe:read("a"):match("(%d+)%s*$"))
    pipe:close()
    assert.equal(schema, tonumber(text:match("schema (%d+)")))
  end)
end)

-- ---- the command line -------------------------------------------------------------------

-- The help of a command, in lines as long as they like.
local function help_of(...)
  local arguments = { ... }
  arguments[#arguments + 1] = "--help"
  local status, out = process.run(process.reader(), arguments)
  assert.equal(0, status, out)
  return out
end

local COMMANDS = { "serve", "dev", "sandbox", "run", "check", "trigger", "shadow",
  "forget", "reconcile", "income", "decide", "report", "earnings", "profile", "logins", "accounts",
  "users", "webhooks", "export" }
-- Of the program itself: they have no row.
local OWN = { "help", "version", "completion" }
local PARTS = {
  events = { "list", "show", "replay", "retry-dead", "stats", "purge", "backup", "restore" },
  decisions = { "list", "show", "explain", "verify", "replay" },
}

describe("the README's commands", function()
  it("are those of the program", function()
    local found = {}
    for _, cells in ipairs(rows_of("README.md", "Commands")) do
      local first = cells[1]:match("^`palenca ([%l-]+)")
      for words in cells[1]:gmatch("`([^`]+)`") do
        local name = words:gsub("^palenca ", ""):match("^[%l-]+")
        if PARTS[first] and name == first then
          name = words:match(" ([%l-]+)", #"palenca " + 1)
        end
        found[PARTS[first] and first .. " " .. name or name] = true
      end
    end
    local expected = set_of(COMMANDS)
    for command, names in pairs(PARTS) do
      for _, name in ipairs(names) do
        expected[command .. " " .. name] = true
      end
    end
    assert_same_set(expected, found)
    local help = help_of()
    for _, name in ipairs(COMMANDS) do
      assert.truthy(help:find("\n   " .. name .. " ", 1, true), name)
    end
  end)
end)

describe("the documents", function()
  -- Of other programs: a page may name theirs as well.
  local OTHERS = set_of { "--tree", "--prefix", "--deps-mode", "--lua-version", "--lua-dir",
    "--install", "--build", "--rounds", "--repeat", "--test", "--quiet", "--cflags", "--libs",
    "--lua", "--helper", "--seed", "--self-check", "--version", "--verbose", "--help", "--no-color",
    "--headless", "--no-pdf-header-footer", "--print-to-pdf", "--offline" }

  local known, help = {}, {}
  setup(function()
    for _, names in ipairs { COMMANDS, OWN } do
      for _, name in ipairs(names) do
        help[#help + 1] = help_of(name)
      end
    end
    for command, names in pairs(PARTS) do
      for _, name in ipairs(names) do
        help[#help + 1] = help_of(command, name)
      end
    end
    for option in table.concat(help):gmatch("%-%-[%l][%l-]+") do
      known[option] = true
    end
  end)

  it("name no option that there is not", function()
    for _, path in ipairs(documents.list()) do
      for option in helper.read_file(path):gmatch("%f[-%w]%-%-[%l][%l-]+") do
        assert.truthy(known[option] or OTHERS[option], path .. ": " .. option)
      end
    end
  end)

  it("have every option of serve, and the defaults that they name", function()
    local text = helper.read_file(HOST) .. helper.read_file(ACCESS)
    for option in help_of("serve"):gmatch("\n   (%-%-[%l-]+)") do
      local name = option:gsub("^%-%-", ""):gsub("%-", "_") -- of a client
      assert.truthy(text:find(option, 1, true) or OTHERS[option]
        or helper.read_file(MODULE):find("| `" .. name .. "` |", 1, true), option)
    end
    local flat = help_of("serve"):gsub("%s+", " ")
    for option, default in pairs { ["--max-attempts N"] = "8", ["--retry-wait SECONDS"] = "5",
      ["--cpu-timeout SECONDS"] = "5",
      ["--memory-limit MIB"] = "256", ["--handler-timeout SECONDS"] = "3600",
      ["--concurrency N"] = "64", ["--drain-timeout SECONDS"] = "30",
      ["--redelivery-window SECONDS"] = "300", ["--retention DAYS"] = "30",
      ["--decision-retention DAYS"] = "0", ["--recording-limit MIB"] = "4",
      ["--recording-retention DAYS"] = "30",
      ["--max-body BYTES"] = "65536", ["--max-header BYTES"] = "8192",
      ["--request-timeout SECONDS"] = "10", ["--idle-timeout SECONDS"] = "60",
      ["--max-connections N"] = "2048" } do
      local escaped = option:gsub("%-", "%%-")
      local at = assert(flat:find(" " .. escaped .. " %u"), option)
      local found = flat:match("Default: ([%d.]+)%.", at)
      assert.equal(default, found, option)
    end
  end)

  it("name no variable of the environment that the code does not read", function()
    local pipe = assert(io.popen("cat $(find lua core CMakeLists.txt -name '*.lua' -o -name '*.c' "
      .. "-o -name CMakeLists.txt -o -name '*.h')"))
    local code = pipe:read("a")
    pipe:close()
    local options = table.concat(help)
    for _, path in ipairs(documents.list()) do
      for name in helper.read_file(path):gmatch("PALENCA_[%u_%d]*[%u%d]") do
        local suffix = name:gsub("^PALENCA_", ""):lower()
        assert.truthy(code:find(name, 1, true) or options:find(name, 1, true)
          or code:find("\n  " .. suffix .. " = \"", 1, true), path .. ": " .. name)
      end
    end
  end)

  it("have every state of an event", function()
    local states = help_of("events", "list"):gsub("%s+", " "):match("in this state: (.-)%.")
    local expected = {}
    for state in states:gsub(" or ", ", "):gmatch("%l+") do
      expected[state] = true
    end
    local found = {}
    for _, cells in ipairs(rows_of(HOST, "States of an event")) do
      if cells[3] and cells[1]:find("^`%l+`$") then
        found[cells[1]:match("`(%l+)`")] = true
      end
    end
    assert_same_set(expected, found)
  end)
end)

-- ---- the sandbox ------------------------------------------------------------------------

describe("the sandbox's page", function()
  local stage = helper.stage()

  after_each(function()
    stage:clear()
  end)

  it("has every request below /sandbox", function()
    local _, url = stage:sandbox()
    local expected = {}
    for _, path in ipairs(cjson.decode(http.request("GET", url .. "/").body).paths) do
      if path:find(" /sandbox/", 1, true) then
        expected[path] = true
      end
    end
    local found = {}
    for _, path in ipairs(words_of(SANDBOX, "The HTTP API of the sandbox", 1)) do
      if path:find("^%u+ /sandbox/") then
        found[path] = true
      end
    end
    assert_same_set(expected, found)
  end)

  it("has every kind of fault, with its fields and their defaults", function()
    local _, url = stage:sandbox()
    local help = help_of("sandbox"):gsub("%s+", " "):match("Kinds: (.-)%.")
    local found = {}
    for _, cells in ipairs(rows_of(SANDBOX, "Faults")) do
      for kind in cells[1]:gmatch("`([%l_]+)`") do
        found[kind] = true
        local response = http.request("POST", url .. "/sandbox/faults",
          cjson.encode { kind = kind })
        local fault = cjson.decode(response.body).data
        for field, default in cells[3]:gmatch("`([%l_]+)` %(([^)]+)%)") do
          default = default:gsub("`", "")
          assert.equal(tonumber(default) or default, fault[field], kind .. " " .. field)
        end
      end
    end
    local expected = {}
    for kind in help:gmatch("[%l_]+") do
      expected[kind] = true
    end
    assert_same_set(expected, found)
  end)

  it("has every field of a login, of an event and of the settings", function()
    local _, url = stage:sandbox()
    local fields = { ["/sandbox/logins"] = "Fields of a login", ["/sandbox/events"] = "Trigger" }
    for path, title in pairs(fields) do
      local body = {}
      for _, name in ipairs(words_of(SANDBOX, title, 1)) do
        body[name] = 0 -- no field is a number that is 0 but `days`
      end
      body.code = nil
      local response = http.request("POST", url .. path, cjson.encode(body))
      assert.equal(422, response.status)
      assert.is_nil(response.body:find("is not known here", 1, true), response.body)
    end
    local settings = cjson.decode(http.request("GET", url .. "/sandbox/settings").body).data
    local found = {}
    for _, name in ipairs(words_of(SANDBOX, "Clock and settings", 1)) do
      found[name] = true
    end
    assert_same_set(settings, found)
  end)
end)
