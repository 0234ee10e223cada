--- Settings of `palenca serve` that make no sense: each is rejected by name before anything is
-- opened, and none is taken for one that lets everybody in.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

-- A setting as flag and variable, and values that are wrong. An empty variable counts as not set,
-- but where it says who may come in.
local function option(name, ...)
  return { flag = name, variable = "PALENCA_" .. name:sub(3):upper():gsub("%-", "_"), ... }
end

local function guard(name, ...)
  local entry = option(name, ...)
  entry.guards = true
  return entry
end

local SECONDS_MOST = "86400.1"
local settings = {
  option("--listen", " ", "localhost", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "unix:",
    "unix:here", "a b:80"),
  option("--path", " ", "hooks", "/a b", "/a?b", "/a%20b"),
  option("--workers", " ", "0", "1025", "-1", "1.5", "1e99", "two"),
  option("--concurrency", " ", "0", "100001", "-1"),
  option("--max-attempts", " ", "0", "2147483649", "nan"),
  option("--retry-wait", " ", "0", SECONDS_MOST, "-1", "5s"),
  option("--handler-timeout", " ", "0", SECONDS_MOST, "-1", "inf"),
  option("--cpu-timeout", " ", "0", SECONDS_MOST, "0.0001"),
  option("--memory-limit", " ", "15", "1048577", "64.5"),
  option("--drain-timeout", " ", "-1", "1000001", "1h"),
  option("--redelivery-window", " ", "-0.1", "1000001"),
  option("--retention", " ", "-1", "100001"),
  option("--max-body", " ", "0", "67108865", "64k"),
  option("--max-header", " ", "1023", "1048577"),
  -- what is less than a millisecond would be none, and so the default
  option("--request-timeout", " ", "0", "0.0009", SECONDS_MOST),
  option("--idle-timeout", " ", "0", "0.0009", SECONDS_MOST),
  option("--max-connections", " ", "0", "2147483649"),
  option("--max-connections-per-address", " ", "-1", "2147483649"),
  option("--db", " ", "\t"),
  option("--rate-limit", " ", "-1", "0.5"),
  guard("--allow", " ", ",", " ,\t, ", "localhost", "10.0.0.0/33", "10.0.0.1/", "::/129", "*"),
  guard("--trusted-proxy", " ", ",", ", ,", "localhost", "10.0.0.0/33", "*"),
  guard("--tls-cert", " "),
  guard("--tls-key", " "),
  guard("--signature-header", " ", "X Y", "X:", "a,b"),
  guard("--signature-digest", " ", "md5", "SHA256"),
  guard("--signature-encoding", " ", "base32", "Hex"),
  guard("--signature-prefix", " ", " v1=", ("x"):rep(32)),
}
for _, entry in ipairs(settings) do
  if entry.guards then
    table.insert(entry, 1, "")
  end
end

-- Secrets are no flags. What the file holds, or the variable.
local FILES = { "", " ", "\n\n", " \r\n\t\n", "\0", "one two\1three four" }
local PATH_FILES = { "short", "0123456789abcdef\n0123456789abcdef", "0123456789abcde/f" }


-- Runs the command line again and again within one process, since there are hundreds of mistakes.
local RUNNER = [[
  local json = require "palenca.util.json"
  local cli = require "palenca.host.cli"
  local env, stderr
  os.getenv = function(name) return env[name] end
  io.stderr = { write = function(_, text) stderr = stderr .. text end }
  for line in io.lines((...)) do
    local case = json.decode(line)
    env, stderr = case.env, ""
    local status = cli(table.unpack(case.arguments))
    io.write(json.encode({ status = status, stderr = stderr }), "\n")
  end
]]

describe("palenca serve rejects", function()
  local directory, remove, cases

  setup(function()
    directory, remove = process.directory()
  end)

  teardown(function()
    remove()
  end)

  before_each(function()
    cases = {}
  end)

  local function add(arguments, env, name)
    local all = { "serve", directory .. "/no-script.lua", "--db", directory .. "/no.db" }
    if env.PALENCA_DB or arguments[1] == "--db" then
      all[3], all[4] = nil, nil
    end
    table.move(arguments, 1, #arguments, #all + 1, all)
    env["-"] = "-" -- an empty object would be a list
    cases[#cases + 1] = { arguments = all, env = env, name = name }
  end

  local function judge()
    local lines = {}
    for at, case in ipairs(cases) do
      lines[at] = helper.json.encode(case)
    end
    local file = process.write_file(directory .. "/cases", table.concat(lines, "\n"))
    local status, out, err = process.run(process.program(),
      { "run", process.write_file(directory .. "/runner.lua", RUNNER), file }, { cwd = directory })
    assert.are.equal(0, status, err)
    local results = helper.lines_of_json(out)
    assert.are.equal(#cases, #results)
    for at, case in ipairs(cases) do
      local stderr = results[at].stderr
      local what = lines[at] .. "\n" .. stderr
      assert.are.equal(2, results[at].status, what)
      assert.truthy(stderr:find(case.name, 1, true), what)
      assert.truthy(stderr:find("\nTry 'palenca serve --help'.\n", 1, true), what)
      assert.is_nil(stderr:find("traceback", 1, true), what)
    end
    assert.is_nil(io.open(directory .. "/no.db"), "something was created")
  end

  for _, entry in ipairs(settings) do
    it(entry.flag .. " with what it cannot be", function()
      for _, value in ipairs(entry) do
        add({ entry.flag .. "=" .. value }, {}, entry.flag)
        if not value:find("^%-") then
          add({ entry.flag, value }, {}, entry.flag)
        end
        add({}, { [entry.variable] = value }, "$" .. entry.variable)
      end
      add({ entry.flag, "" }, {}, entry.flag)
      add({ entry.flag }, {}, entry.flag)
      judge()
    end)
  end

  it("what may be given once, twice", function()
    for flag, value in pairs({ ["--signature-header"] = "X", ["--signature-digest"] = "sha1",
      ["--path-secret-file"] = "f", ["--webhook-secret-file"] = "f" })
    do
      add({ flag, value, flag, value }, {}, "option '" .. flag .. "' must be used at most 1 time")
    end
    judge()
  end)

  it("an address that is wrong among good ones", function()
    add({ "--allow", "10.0.0.1", "--allow", "" }, {}, "--allow")
    add({ "--allow", "10.0.0.1,10.0.0.2" }, {}, "--allow")
    add({}, { PALENCA_ALLOW = "10.0.0.1, nonsense" }, "$PALENCA_ALLOW: 'nonsense'")
    judge()
  end)

  it("where the API is, with what it cannot be", function()
    for _, value in ipairs({ "", " ", "api.palenca.com", "ftp://x", "http://", "http://a b" }) do
      add({ "--base-url", value }, {}, "--base-url")
    end
    for _, value in ipairs({ "", " ", "staging" }) do
      add({ "--environment", value }, {}, "--environment")
    end
    judge()
  end)

  it("secrets of nothing", function()
    local header = { "--signature-header", "X-Signature" }
    for at, content in ipairs(FILES) do
      local file = process.write_file(directory .. "/secret-" .. at, content)
      add({ "--webhook-secret-file", file }, {}, "--webhook-secret-file")
      add({ "--webhook-secret-file", file, table.unpack(header) }, {}, "--webhook-secret-file")
      add({ "--path-secret-file", file }, {}, "--path-secret-file")
      add({}, { PALENCA_PATH_SECRET = content }, "$PALENCA_PATH_SECRET")
      add(header, { PALENCA_WEBHOOK_SECRET = content }, "$PALENCA_WEBHOOK_SECRET")
      add({}, { PALENCA_WEBHOOK_SECRET = content }, "$PALENCA_WEBHOOK_SECRET")
    end
    for _, content in ipairs(PATH_FILES) do
      add({}, { PALENCA_PATH_SECRET = content }, "$PALENCA_PATH_SECRET")
    end
    for _, flag in ipairs({ "--webhook-secret-file", "--path-secret-file" }) do
      add({ flag, "" }, {}, flag)
      add({ flag, " " }, {}, flag)
    end
    judge()
  end)

  it("half of what a check of signatures takes", function()
    add({ "--signature-header", "X-Signature" }, {}, "--webhook-secret-file")
    add({}, { PALENCA_WEBHOOK_SECRET = "secret" }, "--signature-header")
    add({ "--signature-digest", "sha256" }, {}, "--signature-header")
    add({ "--signature-encoding", "hex" }, {}, "--signature-header")
    add({ "--signature-prefix", "v1=" }, {}, "--signature-header")
    add({}, { PALENCA_SIGNATURE_PREFIX = "v1=" }, "--signature-header")
    judge()
  end)

  it("half of what TLS takes", function()
    add({ "--tls-cert", "file" }, {}, "--tls-key")
    add({ "--tls-key", "file" }, {}, "--tls-cert")
    add({}, { PALENCA_TLS_KEY = "file" }, "--tls-cert")
    judge()
  end)

  it("to let everybody in for want of a name, as a process of its own", function()
    for variable in pairs({ PALENCA_ALLOW = 1, PALENCA_PATH_SECRET = 1, PALENCA_TRUSTED_PROXY = 1,
      PALENCA_WEBHOOK_SECRET = 1, PALENCA_SIGNATURE_HEADER = 1 })
    do
      local status, out, err = process.run(process.program(), { "serve", "no-script.lua" },
        { env = { [variable] = " " }, cwd = directory })
      assert.are.same({ 2, "" }, { status, out })
      assert.truthy(err:find("$" .. variable, 1, true), err)
    end
    assert.is_nil(io.open(directory .. "/palenca.db"), "something was created")
  end)
end)

it("palenca serve takes an empty variable for one that is not set", function()
  local stage = helper.stage()
  local env = {}
  for _, entry in ipairs(settings) do
    if not entry.guards then
      env[entry.variable] = ""
    end
  end
  local served = stage:serve({ text = "", env = env })
  helper.post(served.url)
  assert.are.equal(0, served:stop(), served.stderr)
  stage:clear()
end)
