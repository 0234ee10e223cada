--- Runs the commands that look at stored events and delete them, beside `palenca serve` and after.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local function palenca(...)
  return process.run(process.program(), { "events", ... })
end

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("login.error", { max_attempts = 1 }, function(event)
    error("no such worker: GOMC900101HDFRRL09", 0)
  end)
  palenca.on("login.incomplete", { retry_wait = 3600 }, function() error("later", 0) end)
]]

describe("palenca events", function()
  local stage, served

  local function id_of(account)
    for _, event in ipairs(helper.events(served.db)) do
      if event.account_id == account then
        return string.format("%d", event.id)
      end
    end
  end

  -- once: the tests below only read, except the last
  setup(function()
    stage = helper.stage()
    served = stage:serve({ text = SCRIPT })
    helper.post(served.url, { account_id = "a", external_id = "123.456.789-09" })
    helper.post(served.url, { account_id = "b", webhook_action = "login.error" })
    helper.post(served.url, { account_id = "a", webhook_action = "login.incomplete" })
    helper.post(served.url, { webhook_action = "login.created" })
    helper.wait_state(served.db, "b", "dead")
    helper.wait_lines(served, "stderr", "event %d+", 4)
    helper.ask_until(function()
      return #helper.events(served.db, { "--state", "retry" }) == 1
    end, "the retry")
  end)

  teardown(function()
    stage:clear()
  end)

  it("list has a heading and the newest first, with the platform", function()
    local status, out = palenca("list", "--db", served.db)
    local accounts = {}
    assert.are.equal(0, status)
    assert.truthy(out:find("^ID +RECEIVED +STATE +ATTEMPTS +ACTION +PLATFORM +ACCOUNT +ERROR\n"),
      out)
    for action, platform, account in out:gmatch(" +1  (%S+) +(%S+) +(%S+)") do
      accounts[#accounts + 1] = account .. " " .. platform .. " " .. action
    end
    assert.are.same({ "- uber login.created", "a uber login.incomplete", "b uber login.error",
      "a uber login.success" }, accounts, out)
    assert.are.equal("no events\n",
      select(2, palenca("list", "--db", served.db, "--platform", "didi")))
    assert.are.equal(4, #helper.events(served.db, { "--platform", "uber" }))
    local newest = select(2, palenca("list", "--db", served.db, "--json", "--limit", "1"))
    assert.truthy(newest:find('"action":"login.created"', 1, true), newest)
    assert.truthy(newest:find('"platform":"uber"', 1, true), newest)
  end)

  it("list colors states on a terminal, unless the user does not want it", function()
    local function on_terminal(env)
      local _, out = process.run("/usr/bin/script", { "-qec", process.program()
        .. " events list --state dead --db " .. served.db, "/dev/null" }, { env = env })
      return out:find("\27[1;31mdead    \27[0m", 1, true) ~= nil, out:find("\27", 1, true) ~= nil
    end
    assert.are.same({ true, true }, { on_terminal({ TERM = "xterm" }) })
    assert.are.same({ false, false }, { on_terminal({ TERM = "dumb" }) })
    assert.are.same({ false, false }, { on_terminal({ TERM = "xterm", NO_COLOR = "1" }) })
    assert.is_nil(select(2, palenca("list", "--db", served.db)):find("\27", 1, true))
  end)

  it("list lists those of an action, an account, a time, or all of these", function()
    local function accounts(...)
      local names = {}
      for i, event in ipairs(helper.events(served.db, { ... })) do
        names[i] = (event.account_id or "-") .. " " .. event.action
      end
      return table.concat(names, ", ")
    end
    local all = "a login.success, b login.error, a login.incomplete, - login.created"
    assert.are.equal(all, accounts())
    assert.are.equal(all, accounts("--since", "1h"))
    assert.are.equal(all, accounts("--since", "2020-02-29"))
    assert.are.equal("", accounts("--since", "2999-12-31T23:59:59Z"))
    assert.are.equal("a login.success, a login.incomplete", accounts("--account", "a"))
    assert.are.equal("a login.incomplete", accounts("--account", "a", "--limit", "1"))
    assert.are.equal("- login.created", accounts("--action", "login.created"))
    assert.are.equal("a login.incomplete", accounts("--account", "a", "--state", "retry",
      "--since", "1m", "--action", "login.incomplete"))
    assert.are.equal("", accounts("--account", "b", "--state", "done"))
  end)

  it("list knows times to the second", function()
    local event = helper.events(served.db)[1]
    local second = event.received_at:sub(1, 19)
    assert.are.equal(event.id, helper.events(served.db, { "--since", second .. "Z" })[1].id)
    local late = second:sub(1, 4) + 1 .. second:sub(5)
    assert.are.same({}, helper.events(served.db, { "--since", late }))
  end)

  it("show shows all of an event, identity numbers only if asked", function()
    local dead = id_of("b")
    local status, out, err = palenca("show", dead, "--db", served.db)
    assert.are.equal(0, status, err)
    for _, line in ipairs({ "id           " .. dead, "action       login.error",
      "account      b", "state        dead", "attempts     1", "replays      0",
      "error        no such worker: [identity number]" }) do
      assert.truthy(out:find("\n" .. line .. "\n", 1, true) or out:find(line, 1, true) == 1, out)
    end
    assert.truthy(out:find("finished at  %d%d%d%d%-"), out)
    assert.truthy(out:find('\n\n{.*"webhook_action":"login.error".*}\n$'), out)
    local done = id_of("a")
    out = select(2, palenca("show", "--json", done, "--db", served.db))
    local shown = helper.json.decode(out)
    assert.truthy(shown.body:find("[identity number]", 1, true))
    assert.is_nil(out:find("123.456.789-09", 1, true))
    assert.are.equal("done", shown.state)
    assert.are.equal(0, shown.replays)
    assert.is_nil(shown.retry_at)
    out = select(2, palenca("show", "--raw", "--json", done, "--db", served.db))
    assert.are.equal("123.456.789-09",
      helper.json.decode(helper.json.decode(out).body).data.external_id)
    local retry = helper.events(served.db, { "--state", "retry" })[1].id
    out = select(2, palenca("show", string.format("%d", retry), "--db", served.db))
    assert.truthy(out:find("retry at     %d%d%d%d%-"), out)
    status, out, err = palenca("show", "7", "--db", served.db)
    assert.are.same({ 1, "", "palenca: there is no event 7 in " .. served.db .. "\n" },
      { status, out, err })
  end)

  it("show hides identity numbers behind escapes, as keys and as values", function()
    local body = [[{"data":{"webhook_action":"login.created","account_id":"hidden",]]
      .. [["\n12345678909":"\tXEXX010101HNEXXXA4","a":["\u000a123.456.789-09",]]
      .. [["\u0031\u0032345678909","{\"b\":\"\\nXEXX010101AB1\"}"]}}]]
    local other = stage:serve({ text = "" })
    local response = http.request("POST", other.url, body)
    assert.are.equal(200, response.status, response.body)
    local id = string.format("%d", helper.wait_state(other.db, "hidden", "done").id)
    local masked = [[{"data":{"webhook_action":"login.created","account_id":"hidden",]]
      .. [["\n[identity number]":"\t[identity number]","a":["\u000a[identity number]",]]
      .. [["[identity number]","{\"b\":\"\\n[identity number]\"}"]}}]]
    local shown = select(2, palenca("show", id, "--db", other.db))
    assert.are.equal(masked, shown:match("\n\n(.*)\n$"))
    shown = select(2, palenca("show", "--json", id, "--db", other.db))
    assert.are.equal(masked, helper.json.decode(shown).body)
    shown = select(2, palenca("show", "--raw", id, "--db", other.db))
    assert.are.equal(body, shown:match("\n\n(.*)\n$"))
  end)

  it("list, show and stats hide identity numbers in action and account", function()
    local action, account = "login.XEXX010101HNEXXXA4", "12345678909"
    local uuid = "00000000-0000-4000-8000-aab010101abc" -- has the form of an RFC in it
    local other = stage:serve({ text = "" })
    helper.post(other.url, { webhook_action = action, account_id = account })
    helper.post(other.url, { webhook_action = "login.XEXX010101HNEXXXA5", account_id = uuid })
    helper.wait_state(other.db, uuid, "done")
    local id = string.format("%d", helper.wait_state(other.db, "[identity number]", "done").id)
    for _, json in ipairs({ false, "--json" }) do
      for _, command in ipairs({ { "list" }, { "show", id }, { "stats" } }) do
        table.move({ "--db", other.db, json or nil }, 1, 3, #command + 1, command)
        local out = select(2, palenca(table.unpack(command)))
        assert.truthy(out:find("login.[identity number]", 1, true), out)
        assert.is_nil(out:find("XEXX", 1, true), out)
        assert.is_nil(out:find(account, 1, true), out)
        assert.are.equal(command[1] == "list", out:find(uuid, 1, true) ~= nil)
      end
      local out = select(2, palenca("show", id, "--raw", "--db", other.db, json or nil))
      assert.truthy(out:find(json and '"action":"' .. action or "action       " .. action, 1, true))
      assert.truthy(out:find(json and '"account_id":"' .. account or "account      " .. account, 1,
        true))
    end
    -- what is asked for is what was received
    local asked = helper.events(other.db, { "--account", account, "--action", action })
    assert.are.equal(1, #asked)
    local stats = helper.json.decode((select(2, palenca("stats", "--db", other.db, "--json"))))
    assert.are.equal(2, stats.actions["login.[identity number]"].done)
  end)

  it("stats counts by state and action", function()
    local status, out = palenca("stats", "--json", "--db", served.db)
    assert.are.equal(0, status)
    local stats = helper.json.decode(out)
    assert.are.same({ received = 0, running = 0, retry = 1, done = 2, dead = 1 }, stats.states)
    assert.are.same({ received = 0, running = 0, retry = 0, done = 0, dead = 1 },
      stats.actions["login.error"])
    local retry = helper.events(served.db, { "--state", "retry" })[1]
    assert.are.equal(retry.received_at, stats.oldest_unfinished)
    assert.are.equal(uv.fs_stat(served.db).size, stats.file_size)
    out = select(2, palenca("stats", "--db", served.db))
    assert.truthy(out:find("\nlogin.error +0 +0 +0 +0 +1\n"), out)
    assert.truthy(out:find("\nall +0 +0 +1 +2 +1\n"), out)
  end)

  it("purge deletes finished events only, and only counts them with --dry-run", function()
    local status, out = palenca("purge", "--db", served.db)
    assert.are.equal(0, status)
    assert.truthy(out:find("^deleted 0 events, 0 bytes; the file is "), out)
    out = select(2, palenca("purge", "--older-than", "0", "--db", served.db))
    assert.truthy(out:find("^deleted 0 events, 0 bytes; .* now; kept 2 within the deduplication "),
      out)
    assert.are.equal(4, #helper.events(served.db))
    assert.are.equal(0, served:stop())
    served = stage:serve({ text = SCRIPT, directory = served.directory,
      arguments = { "--redelivery-window", "0" } })
    out = select(2, palenca("purge", "--older-than", "0", "--dry-run", "--json", "--db", served.db))
    local result = helper.json.decode(out)
    assert.are.same({ 2, 0 }, { result.events, result.kept })
    assert.is_true(result.dry_run)
    assert.are.equal(4, #helper.events(served.db))
    out = select(2, palenca("purge", "--older-than", "0", "--json", "--db", served.db))
    local done = helper.json.decode(out)
    assert.are.same({ result.events, result.bytes }, { done.events, done.bytes })
    assert.are.equal(2, #helper.events(served.db))
    assert.are.equal(1, (palenca("show", "1", "--db", served.db)))
    out = select(2, palenca("purge", "--older-than", "0", "--state", "dead", "--db", served.db))
    assert.truthy(out:find("^deleted 1 event, %d+ bytes"), out)
    -- who serves goes on
    helper.post(served.url, { account_id = "later" })
    helper.wait_state(served.db, "later", "done")
    assert.are.equal(0, served:stop())
    assert.are.equal(2, #helper.events(served.db))
  end)
end)

describe("palenca events, asked wrongly:", function()
  local directory, remove

  setup(function()
    directory, remove = process.directory()
  end)

  teardown(function()
    remove()
  end)

  for text, result in pairs({
    ["2026-02-30"] = "is not a date",
    ["yesterday"] = "is not a date",
    ["2026-02-03T25:00"] = "is not a date",
    ["5 days"] = "is not a date",
  }) do
    it("list rejects the time " .. text, function()
      local status, _, err = palenca("list", "--since", text)
      assert.are.equal(2, status)
      assert.truthy(err:find("--since: '" .. text .. "' " .. result, 1, true), err)
    end)
  end

  it("names the help of what was asked", function()
    for part, arguments in pairs({ ["list "] = { "list", "--state", "new" }, ["show "] = { "show" },
      [""] = { "shew" } }) do
      local status, _, err = palenca(table.unpack(arguments))
      assert.are.equal(2, status)
      assert.truthy(err:find("\nTry 'palenca events " .. part .. "--help'.\n", 1, true), err)
    end
  end)

  for _, command in ipairs({ "list", "stats", "purge", "retry-dead", "show 1", "replay 1" }) do
    it(command .. " says what is wrong with the file, and makes none", function()
      local words = {}
      for word in command:gmatch("%S+") do
        words[#words + 1] = word
      end
      local missing = directory .. "/missing.db"
      local status, out, err = palenca(table.unpack(table.move({ "--db", missing }, 1, 2,
        #words + 1, words)))
      assert.are.same({ 1, "" }, { status, out })
      assert.are.equal("palenca: cannot open " .. missing .. ": No such file or directory; say "
        .. "with --db where the database is\n", err)
      assert.is_nil(uv.fs_stat(missing))
    end)
  end

  it("and all other commands of the database say in which directory they looked for it", function()
    for _, command in ipairs({ "events list", "events backup copy.db", "decisions list",
      "decisions verify", "forget --user worker-1", "shadow script.lua", "reconcile" }) do
      local words = {}
      for word in command:gmatch("%S+") do
        words[#words + 1] = word
      end
      local status, out, err = process.run(process.program(), words,
        { cwd = directory, env = { PALENCA_API_KEY = "key" } })
      assert.are.same({ 1, "" }, { status, out }, command)
      assert.are.equal("palenca: cannot open " .. uv.fs_realpath(directory) .. "/palenca.db: No "
        .. "such file or directory; say with --db where the database is\n", err)
    end
  end)
end)

describe("palenca events list", function()
  local stage = helper.stage_for_each()

  it("shows what is stored, while it is served and after", function()
    local served = stage:serve({ text = [[
      require "palenca".on("login.error", {retry_wait = 3600}, function()
        error("two\nlines", 0)
      end)
    ]] })
    helper.post(served.url, { account_id = "a" })
    helper.post(served.url, { account_id = "b", webhook_action = "login.error" })
    helper.post(served.url, {})
    helper.wait_lines(served, "stderr", "event %d+", 3)
    helper.wait_state(served.db, "b", "retry")
    local last = helper.ask_until(function()
      local done = helper.events(served.db, { "--state", "done" })
      return #done == 2 and done[2]
    end, "two to be done")
    local list = helper.events(served.db)
    assert.are.same({ "a", "b" }, { list[1].account_id, list[2].account_id })
    assert.is_nil(list[3].account_id)
    assert.are.same(last, list[3])
    local names = {}
    for name in pairs(list[2]) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.are.same({ "account_id", "action", "attempts", "error", "id", "platform",
      "received_at", "state" },
      names)
    assert.are.equal("two\nlines", list[2].error)
    assert.truthy(list[1].received_at:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$"))
    assert.is_true(list[1].id < list[2].id and list[2].id < list[3].id)
    assert.are.equal(2, #helper.events(served.db, { "--limit", "2" }))
    assert.are.equal(3, #helper.events(served.db, { "--limit", "0" }))
    assert.are.equal(1, #helper.events(served.db, { "--state", "retry", "--limit", "5" }))
    assert.are.equal(0, #helper.events(served.db, { "--state", "dead" }))
    assert.are.equal(0, served:stop())
    local status, out = process.run(process.program(), { "events", "list" },
      { env = { PALENCA_DB = served.db } })
    assert.are.equal(0, status)
    assert.are.equal(4, select(2, out:gsub("\n", "")))
    assert.truthy(out:find("^ID +RECEIVED +STATE +ATTEMPTS +ACTION +PLATFORM +ACCOUNT +"
      .. "ERROR\n%d+ [^\n]+ done +1 +login.success +uber +%-\n"), out)
    assert.truthy(out:find("retry +1 +login.error +uber +b +two lines\n"), out)
    out = select(2, palenca("list", "--db", served.db, "--state", "dead"))
    assert.are.equal("no events\n", out)
  end)

  it("says what is wrong with the file, and makes none", function()
    local directory = stage:directory()
    local path = directory .. "/missing.db"
    local status, out, err = palenca("list", "--db", path)
    assert.are.equal(1, status)
    assert.are.equal("", out)
    assert.truthy(err:find("palenca: cannot open " .. path .. ": No such file", 1, true), err)
    assert.is_nil(uv.fs_stat(path))
    status, out, err = palenca("list", "--db",
      process.write_file(directory .. "/a.txt", "not a database at all"))
    assert.are.equal(1, status)
    assert.are.equal("", out)
    assert.truthy(err:find("not a database", 1, true), err)
  end)
end)
