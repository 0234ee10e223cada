--- The file with the API key, of every command that takes one.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local TUTORIAL = "cb39ee15-f29f-427d-9119-0c627575610d"
local COMMANDS = {
  { "earnings", TUTORIAL }, { "profile", TUTORIAL }, { "logins" }, { "accounts" }, { "users" },
  { "webhooks" }, { "income", TUTORIAL }, { "check", "--online" }, { "run", "script.lua" },
  { "decide", TUTORIAL, "--rule", "rule.lua", "--installment", "1" },
  { "export", "--accounts-file", "accounts.txt", "--out", "out" }, { "serve", "script.lua" },
}

-- With an option of the command, before the script's name, which ends them.
local function with_key_file(command, file)
  return { command[1], "--api-key-file", file, table.unpack(command, 2) }
end

describe("--api-key-file", function()
  local started, url, key, directory, remove

  setup(function()
    started, url, key = process.sandbox({ "--rate-limit", "0" })
    directory, remove = process.directory()
    process.write_file(directory .. "/accounts.txt", TUTORIAL .. "\n")
    process.write_file(directory .. "/rule.lua", 'return { version = "spec-1" }\n')
    process.write_file(directory .. "/script.lua", ([[
      local palenca = require "palenca"
      print(assert(palenca.new().accounts:get("%s")).platform)
    ]]):format(TUTORIAL))
  end)

  teardown(function()
    started:stop()
    remove()
  end)

  local function write_key(text, mode)
    local file = process.write_file(directory .. "/key", text)
    assert(process.run("/bin/chmod", { mode or "600", file }) == 0)
    return file
  end

  local function call(command, env)
    env = env or {}
    env.PALENCA_BASE_URL = url
    return process.run(process.program(), command, { env = env, cwd = directory })
  end

  it("is taken by every command that reads from the API, instead of the variable", function()
    local file = write_key(key .. "\n")
    for _, command in ipairs(COMMANDS) do
      if command[1] ~= "serve" then
        local status, out, err = call(with_key_file(command, file), { PALENCA_API_KEY = "wrong" })
        -- the income of a worker who stopped long ago is too low, or cannot be known
        assert.is_true(status == 0 or command[1] == "decide" and status >= 3, err .. out)
        assert.are.equal("", (err:gsub("palenca: 1 of 1 accounts\n", "")
          :gsub("palenca: [%a ]+ since [%d-]+; %-%-since for earlier\n", "")
          :gsub("palenca: warning: account [%x-]+: the data are of [^\n]+\n", "")))
      end
    end
  end)

  it("is taken by palenca serve, which never logs it", function()
    local stage = helper.stage()
    finally(function()
      stage:clear()
    end)
    local served = stage:serve({ text = ([[
      local palenca = require "palenca"
      palenca.on("*", function()
        palenca.log.info { message = assert(palenca.new().accounts:get("%s")).platform }
      end)
    ]]):format(TUTORIAL), arguments = { "--api-key-file", write_key(key) }, env = {
      PALENCA_BASE_URL = url, PALENCA_API_KEY = "wrong" } })
    helper.post(served.url, { account_id = "a1" })
    helper.wait_state(served.db, "a1", "done")
    served:wait_output("stderr", '"message":"(uber)"')
    assert.is_nil(served.stderr:find(key, 1, true))
  end)

  it("is read again by serve at SIGHUP, with the script, and kept if it cannot be", function()
    local stage = helper.stage()
    finally(function()
      stage:clear()
    end)
    local file = write_key("revoked")
    local served = stage:serve({ text = ([[
      local palenca = require "palenca"
      local client = palenca.new()
      palenca.on("*", { max_attempts = 1 }, function(event)
        local account, err = client.accounts:get("%s")
        print(event.account_id, account and account.platform or err.code)
      end)
    ]]):format(TUTORIAL), arguments = { "--api-key-file", file }, env = {
      PALENCA_BASE_URL = url } })
    local function assert_read(account_id, result)
      helper.post(served.url, { account_id = account_id })
      assert.are.equal(result, served:wait_output("stdout", account_id .. "\t(%S+)\n"))
    end
    assert_read("a1", "invalid_api_key")
    write_key(key)
    assert_read("a2", "invalid_api_key")
    served:kill("sighup")
    served:wait_output("stderr", "(/key reloaded\n.*%.lua reloaded: handles )")
    assert_read("a3", "uber")
    os.remove(file)
    served:kill("sighup")
    served:wait_output("stderr", "(reload of %S+/key failed, keeping the previous key: "
      .. "%-%-api%-key%-file: %S+/key: No such file or directory\n)")
    helper.wait_lines(served, "stderr", "%.lua reloaded: handles ", 2)
    assert_read("a4", "uber")
    -- one that the module rejects: the script does not load
    write_key("with a blank")
    served:kill("sighup")
    served:wait_output("stderr", "(keeping the previous version: [^\n]*spaces)")
    assert_read("a5", "uber")
    assert.are.equal(0, served:stop())
    assert.is_nil(served.stderr:find(key, 1, true))
  end)

  it("that holds none, or cannot be read, is a failure of each, with its name", function()
    for text, problem in pairs({ [""] = "holds no key", ["\n \r\n"] = "holds no key",
      ["one\ntwo\n"] = "holds more than one key" }) do
      local file = write_key(text)
      for _, command in ipairs(COMMANDS) do
        local status, out, err = call(with_key_file(command, file), { PALENCA_API_KEY = key })
        assert.are.same({ 1, "" }, { status, out })
        assert.truthy(err:find("--api-key-file: " .. file .. " " .. problem, 1, true), err)
      end
    end
    for _, command in ipairs(COMMANDS) do
      local status, _, err = call(with_key_file(command, "nowhere"), { PALENCA_API_KEY = key })
      assert.are.equal(1, status)
      assert.truthy(err:find("--api-key-file: nowhere: No such file", 1, true), err)
    end
    local status, _, err = call({ "webhooks", "--api-key-file", write_key("with a blank") })
    assert.are.equal(1, status)
    assert.truthy(err:find("the API key contains spaces", 1, true), err)
    assert.is_nil(err:find("with a blank", 1, true))
  end)

  it("that every user can read is used with a warning, and one of a group without", function()
    local file = write_key(" " .. key .. "\r\n", "644")
    local status, _, err = call({ "webhooks", "--api-key-file", file })
    assert.are.equal(0, status)
    assert.are.equal(("warning: %s can be read by every user of this machine; chmod 600 %s\n")
      :format(file, file), err)
    status, _, err = call({ "webhooks", "--api-key-file", file, "--json" })
    assert.are.equal(0, status)
    local line = helper.lines_of_json(err)[1]
    assert.are.same({ "secret_readable", "warning", file }, { line.event, line.level, line.file })
    status, _, err = call({ "webhooks", "--api-key-file", write_key(key, "640") })
    assert.are.same({ 0, "" }, { status, err })
  end)
end)
