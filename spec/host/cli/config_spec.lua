--- Options in a file: what outweighs what, and what is rejected.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("a file with options", function()
  local stage = helper.stage_for_each()
  local directory, path

  before_each(function()
    directory = stage:directory()
    path = directory .. "/config.lua"
  end)

  -- Runs the program in the directory, with the text as its file.
  local function palenca(text, arguments, env)
    process.write_file(path, text)
    local all = table.move(arguments, 1, #arguments, 1, {})
    all[#all + 1] = "--config"
    all[#all + 1] = path
    return process.run(process.program(), all, { env = env, cwd = directory })
  end

  -- The database that `events stats` fails to open says which one it was.
  local function database_of(text, arguments, env)
    local status, out, err = palenca(text, arguments, env)
    assert.are.same({ 1, "" }, { status, out })
    return err:match("cannot open [^:]-/?([^:/]*): No such file") or err
  end

  it("comes behind flags and variables, and before defaults", function()
    local text = 'return { db = "common.db", events = { stats = { db = "own.db" } } }'
    local stats = { "events", "stats" }
    assert.are.equal("own.db", database_of(text, stats))
    assert.are.equal("common.db", database_of(text, { "events", "list" }))
    assert.are.equal("set.db", database_of(text, stats, { PALENCA_DB = "set.db" }))
    assert.are.equal("own.db", database_of(text, stats, { PALENCA_DB = "" }))
    assert.are.equal("given.db", database_of(text, { "events", "stats", "--db", "given.db" }))
    assert.are.equal("given.db", database_of(text, { "events", "stats", "--db=given.db" }))
    assert.are.equal("palenca.db", database_of("return {}", stats))
  end)

  it("is named by a variable, too, which a flag outweighs", function()
    local other = directory .. "/other.lua"
    process.write_file(other, 'return { db = "other.db" }')
    local _, _, err = process.run(process.program(), { "events", "stats" },
      { env = { PALENCA_CONFIG = other } })
    assert.truthy(err:find("cannot open [^:]*/other%.db: "), err)
    assert.are.equal("flag.db", database_of('return { db = "flag.db" }', { "events", "stats" },
      { PALENCA_CONFIG = other }))
  end)

  it("sets flags, numbers, lists, and what stands before a script's arguments", function()
    process.write_file(path, [[return {
      environment = "sandbox",
      serve = { listen = "127.0.0.1:0", db = "kept.db", workers = 1, json = true,
        allow = { "192.0.2.7", "10.0.0.0/8" } },
      run = { base_url = "http://127.0.0.1:9" },
    }]])
    process.write_file(directory .. "/handlers.lua", "require('palenca').on('*', print)")
    local served = stage:start(process.program(), { "serve", directory .. "/handlers.lua",
      "--config=" .. path, "--db", directory .. "/kept.db" }, { env = { PALENCA_API_KEY = "k" } })
    local url = served:wait_output("stderr", '"url":"(http:[^"]*)"'):gsub("\\", "")
    local response = require("spec.support.http").request("POST", url, helper.body({}))
    assert.are.equal(403, response.status)
    assert.are.equal(0, served:stop())
    local status, out, err = process.run(process.program(), { "run", "--config", path,
      directory .. "/arguments.lua", "--config", "mine" })
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("arguments.lua", 1, true), err)
    process.write_file(directory .. "/arguments.lua", "print(...)")
    status, out, err = process.run(process.program(), { "run", "--config", path,
      directory .. "/arguments.lua", "--config", "mine" })
    assert.are.same({ 0, "--config\tmine\n", "" }, { status, out, err })
  end)

  it("leaves out an environment where a URL is given, and the reverse", function()
    local show = directory .. "/show.lua"
    process.write_file(show, "print(require('palenca').new({ api_key = 'k' }))")
    local function client(text, arguments, env)
      process.write_file(path, text)
      local status, out, err = process.run(process.program(),
        { "run", "--config", path, table.unpack(arguments) }, { env = env })
      assert.are.same({ 0, "" }, { status, err })
      return out
    end
    local text = 'return { base_url = "http://127.0.0.1:9" }'
    local plain = client("return {}", { "--environment", "production", show })
    assert.are.equal(plain, client(text, { "--environment", "production", show }))
    assert.are.equal(plain, client(text, { show }, { PALENCA_ENVIRONMENT = "production" }))
  end)

  it("rejects what it does not know, with the place", function()
    local cases = {
      ['return { serv = {} }'] = "unknown option 'serv'; did you mean 'serve'?",
      ['return { bd = "x" }'] = "unknown option 'bd'",
      ['return { serve = { worker = 2 } }'] = "unknown option 'serve.worker'; did you mean "
        .. "'workers'?",
      ['return { events = { list = { limt = 2 } } }'] = "unknown option 'events.list.limt'; did "
        .. "you mean 'limit'?",
      ['return { limit = 2 }'] = "unknown option 'limit'",
      ['return { [1] = 2 }'] = "unknown option '1'",
      ['return { serve = { workers = "many" } }'] = "serve.workers: 'many' is not a whole number "
        .. "from 1 to 1024",
      ['return { serve = { workers = 0 } }'] = "serve.workers: '0' is not a whole number",
      ['return { serve = { workers = { 2 } } }'] = "serve.workers: table",
      ['return { serve = { watch = "yes" } }'] = "serve.watch: 'yes' is not true or false",
      ['return { serve = { allow = { true } } }'] = "serve.allow: true is not a text or a number",
      ['return { db = false }'] = "db: false is not a text or a number",
      ['return { listen = "here" }'] = "listen: 'here' is not an address and port",
      ['return { db = os.getenv("HOME") }'] = "config.lua:1: attempt to index a nil value",
      ['return {'] = "config.lua:1: unexpected symbol near <eof>",
      ['return 7'] = "config.lua does not return a table",
      [''] = "config.lua does not return a table",
    }
    for text, problem in pairs(cases) do
      local status, out, err = palenca(text, { "events", "stats" })
      assert.are.same({ 1, "" }, { status, out }, text)
      assert.truthy(err:find("palenca: --config: ", 1, true), err)
      assert.truthy(err:find(problem, 1, true), err)
    end
    local status, _, err = process.run(process.program(), { "events", "stats", "--config",
      directory .. "/none.lua" })
    assert.are.equal(1, status)
    assert.truthy(err:find("--config: " .. directory .. "/none.lua: No such file", 1, true), err)
    status, _, err = process.run(process.program(), { "events", "stats", "--config" })
    assert.are.equal(2, status)
    assert.truthy(err:find("option '--config' requires an argument", 1, true), err)
  end)
end)
