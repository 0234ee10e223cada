--- Runs the commands of the program that end by themselves: help, wrong usage, run, check.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local function palenca(arguments, options)
  return process.run(process.program(), arguments, options)
end

describe("the program", function()
  it("prints its version", function()
    local status, out = palenca({ "--version" })
    assert.are.equal(0, status)
    assert.truthy(out:find("^palenca %d+%.%d+%.%d+\n$"), out)
  end)

  it("prints the versions of its libraries with --verbose", function()
    local version = select(2, palenca({ "--version" }))
    for _, arguments in ipairs { { "--version", "--verbose" }, { "--verbose", "--version" } } do
      local status, out, err = palenca(arguments)
      assert.are.same({ 0, "", version }, { status, err, out:match("^[^\n]*\n") })
      local libraries = {}
      for name, number in out:sub(#version + 1):gmatch("(%S+) +(%d+%.[%w.]+)[^\n]*\n") do
        libraries[#libraries + 1] = name
        assert.truthy(tonumber(number:match("^%d+%.%d+")), out)
      end
      assert.are.same({ "Lua", "libcurl", "OpenSSL", "SQLite", "libuv", "zlib", "lua-cjson",
        "lua-argparse" }, libraries, out)
      assert.are.equal(1 + #libraries, select(2, out:gsub("\n", "")), out)
      assert.truthy(out:find("\nLua +5%.4%.%d+\n"), out)
    end
    local _, help = palenca({ "--help" })
    assert.truthy(help:find("--verbose +With %-%-version"), help)
  end)

  it("says which command is meant, or which there are", function()
    for line, problem in pairs {
      ["events"] = "a command is required, one of backup, list, purge, replay, restore, "
        .. "retry-dead, show, stats",
      ["dv x.lua"] = "unknown command 'dv'; did you mean 'dev'?",
      ["x.lua"] = "unknown command 'x.lua'; a script is run by 'palenca dev x.lua', or by serve, "
        .. "run or check",
      ["sandbox --fault latncy"] = "--fault: 'latncy' is none of the kinds cut, drop, "
        .. "earning_added, earning_corrected, earning_removed, error, latency, webhook_delay, "
        .. "webhook_duplicate, webhook_lose, webhook_reorder; did you mean 'latency'?",
      ["logins --since 2026-03-02 --until 2026-03-01"] =
        "--since (2026-03-02) is after the last day that is read (2026-03-01)",
      ["income --rows x --since 2026-03-02 --as-of 2026-03-01"] =
        "--since (2026-03-02) is after the last day that counts (2026-03-01)",
    } do
      local arguments = {}
      for word in line:gmatch("%S+") do
        arguments[#arguments + 1] = word
      end
      local status, out, err = palenca(arguments)
      assert.are.same({ 2, "" }, { status, out })
      assert.are.equal("palenca: " .. problem, err:match("^[^\n]*"))
    end
  end)

  it("says how a key is given, where it cannot be an option", function()
    for _, arguments in ipairs {
      { "serve", "x.lua", "--api-key", "k" }, { "check", "x.lua", "--api-key=k" },
      { "users", "--api-key", "k" },
    } do
      local status, out, err = palenca(arguments)
      assert.are.same({ 2, "", "palenca: unknown option '--api-key'; a key is given in a file, by "
        .. "--api-key-file, or in $PALENCA_API_KEY" }, { status, out, err:match("^[^\n]*") })
    end
  end)

  it("knows no --verbose with a command", function()
    local lines = { { "--verbose", "check", "x.lua" }, { "check", "x.lua", "--verbose" } }
    for _, arguments in ipairs(lines) do
      local status, out, err = palenca(arguments)
      assert.are.same({ 2, "" }, { status, out })
      assert.truthy(err:find("--verbose goes with --version", 1, true), err)
    end
  end)

  it("names its commands", function()
    local status, out, err = palenca({ "--help" })
    assert.are.equal(0, status)
    assert.are.equal("", err)
    for _, name in ipairs({ "serve", "dev", "sandbox", "run", "check", "trigger", "events" }) do
      assert.truthy(out:find("\n   " .. name, 1, true), name)
    end
  end)

  local client = { "--environment", "--base-url", "--rate-limit" }
  local serving = { "SCRIPT", "--listen", "--path", "--workers", "--concurrency",
    "--drain-timeout", "--db", "--json" }
  local helps = {
    { "serve", serving, client, { "--max-body", "--max-header", "--request-timeout",
      "--idle-timeout", "--max-connections", "--max-connections-per-address", "--trusted-proxy",
      "--allow", "--tls-cert", "--tls-key", "--path-secret-file", "--signature-header",
      "--signature-digest", "--signature-encoding", "--signature-prefix",
      "--webhook-secret-file" } },
    { "dev", serving, { "--sandbox-listen", "--api-key", "--seed", "--webhook-delay", "--login",
      "--once" } },
    { "sandbox", { "--listen", "--api-key", "--seed", "--accounts", "--webhook-delay", "--fast",
      "--rate-limit", "--fault", "--data", "--json" } },
    { "run", { "SCRIPT", "ARG" }, client },
    { "check", { "SCRIPT" } },
    { "trigger", { "ACTION", "--sandbox", "--url", "--chain", "--times", "--accounts", "--platform",
      "--country", "--set", "status_details", "--json" } },
    { "events", { "list" } },
    { "events list", { "--db", "--state", "--action", "--account", "--since", "--limit",
      "--json" } },
    { "events show", { "ID", "--db", "--raw", "--json" } },
    { "events replay", { "ID", "--db", "--json" } },
    { "events retry-dead", { "--db", "--action", "--since", "--json" } },
    { "events stats", { "--db", "--json" } },
    { "events purge", { "--db", "--older-than", "--state", "--dry-run", "--json" } },
  }
  for _, case in ipairs(helps) do
    for _, flag in ipairs({ "--help", "-h" }) do
      it("explains " .. case[1] .. " with " .. flag, function()
        local arguments = {}
        for word in (case[1] .. " " .. flag):gmatch("%S+") do
          arguments[#arguments + 1] = word
        end
        local status, out, err = palenca(arguments)
        assert.are.equal(0, status)
        assert.are.equal("", err)
        for i = 2, #case do
          for _, option in ipairs(case[i]) do
            assert.truthy(out:find(option, 1, true), option)
          end
        end
        for line in out:gmatch("[^\n]+") do
          assert.is_true(#line <= 96, line)
        end
      end)
    end
  end

  local wrong = {
    { {}, "Usage: palenca" },
    { { "servee", "x.lua" }, "servee" },
    { { "--nonsense" }, "%-%-nonsense" },
    { { "serve" }, "[Ss][Cc][Rr][Ii][Pp][Tt]" },
    { { "serve", "x.lua", "y.lua" }, "too many arguments" },
    { { "serve", "x.lua", "--lisen", "127.0.0.1:1" }, "%-%-listen" },
    { { "serve", "x.lua", "--listen" }, "%-%-listen" },
    { { "serve", "x.lua", "--listen", "8080" }, "'8080' is not an address and port" },
    { { "serve", "x.lua", "--listen", "127.0.0.1:65536" }, "is not an address and port" },
    { { "serve", "x.lua", "--path", "webhooks" }, "'webhooks' is not a path" },
    { { "serve", "x.lua", "--workers", "0" }, "'0' is not a whole number from 1" },
    { { "serve", "x.lua", "--concurrency", "1.5" }, "is not a whole number from 1" },
    { { "serve", "x.lua", "--drain-timeout", "-1" }, "." },
    { { "serve", "x.lua", "--rate-limit", "many" }, "'many' is not a whole number from 0" },
    { { "serve", "x.lua", "--base-url", "https://u:p4ss@h h" }, "url[^'\n]*: this is not a URL" },
    { { "sandbox", "--webhook-delay", "soon" }, "'soon' is not a number of seconds" },
    { { "sandbox", "--api-key", "two words" }, "a key is made of printable characters" },
    { { "sandbox", "extra" }, "too many arguments" },
    { { "run" }, "[Ss][Cc][Rr][Ii][Pp][Tt]" },
    { { "run", "--nonsense", "x.lua" }, "%-%-nonsense" },
    { { "trigger", "login" }, "'login' is not an event's name" },
    { { "trigger", "login.success", "--url", "somewhere" }, "'somewhere' is not a URL" },
    { { "events" }, "." },
    { { "events", "list", "--state", "lost" }, "must be one of 'received'" },
    { { "events", "list", "--limit", "-1" }, "." },
    { { "events", "show" }, "missing argument 'id'" },
    { { "events", "show", "first" }, "'first' is not an event's id" },
    { { "events", "replay" }, "missing argument 'ids'" },
    { { "events", "replay", "1", "0" }, "'0' is not an event's id" },
    { { "events", "purge", "--state", "retry" }, "must be one of 'done', 'dead'" },
    { { "events", "purge", "--older-than", "ever" }, "'ever' is not a number of days from 0" },
    { { "serve", "x.lua", "--retention", "-1" }, "." },
    { { "serve", "x.lua", "--retention", "0.003" }, "shorter than %-%-redelivery%-window 300" },
    { { "dev", "x.lua", "--retention", "1", "--redelivery-window", "86401" }, "run again" },
    { { "serve", "x.lua", "--redelivery-window", "long" }, "'long' is not a number of seconds" },
  }
  helper.it_rejects(wrong)
end)

describe("palenca", function()
  local stage = helper.stage_for_each()
  local directory

  before_each(function()
    directory = stage:directory()
  end)

  local function script(text, name)
    return process.write_file(directory .. "/" .. (name or "script.lua"), text)
  end

  describe("run", function()
    it("warns of handlers, which it does not run", function()
      script([[
        local palenca = require "palenca"
        palenca.on("login.success", print)
        palenca.on("login.error", print)]], "handlers.lua")
      local status, out, err = palenca({ "run", "handlers.lua" }, { cwd = directory })
      assert.are.same({ 0, "" }, { status, out })
      assert.are.equal("handlers.lua: warning: its handlers (login.success, login.error) run in "
        .. "'palenca dev' and 'palenca serve' only\n", err)
    end)

    it("hands over all arguments behind the script", function()
      local path = script("print(select('#', ...), ...) print(arg[0], #arg, arg[2])")
      local status, out, err = palenca({ "run", "--rate-limit", "7",
        "--base-url=http://127.0.0.1:1", path, "a", "--rate-limit", "-h", "--", "two words", "" })
      assert.are.equal(0, status, err)
      assert.are.equal("6\ta\t--rate-limit\t-h\t--\ttwo words\t\n" .. path
        .. "\t6\t--rate-limit\n", out)
    end)

    -- One that is no library, and ones without what is needed.
    local libraries = {
      { name = "damaged", reason = "libcurl.so.4: file too short" },
      { name = "incomplete", source = "void curl_global_init(void) {}",
        reason = "libcurl.so.4 has no function curl_version_info" },
      { name = "too old", reason = "libcurl.so.4 is version 7.81.0, and 7.87 or later is needed" },
    }

    -- All functions that the program looks for, and a version of before 7.87.
    libraries[3].source = [[
      static const struct { int age; const char *version; unsigned number; } info =
        { 9, "7.81.0", 0x075100 };
      const void *curl_version_info(int now) { (void)now; return &info; }]]
    for name in helper.read_file("core/client/lazy_curl.c"):gmatch('{"(curl_[%w_]+)"') do
      if name ~= "curl_version_info" then
        libraries[3].source = libraries[3].source .. ("void %s(void) {}\n"):format(name)
      end
    end

    for _, library in ipairs(libraries) do
      it("says what is wrong with a libcurl that is " .. library.name, function()
        local built = directory .. "/libcurl.so.4"
        process.write_file(built, "")
        if library.source then
          local source = process.write_file(directory .. "/curl.c", library.source)
          assert.are.equal(0, (process.run("/usr/bin/cc", { "-shared", "-fPIC", "-w", "-o", built,
            source })))
        end
        local status, out, err = palenca({ "run", script([[
          local palenca = require "palenca"
          for _ = 1, 2 do
            local _, problem = palenca.http{url = "http://127.0.0.1:9/"}
            print(problem.kind, problem.message)
          end
        ]]) }, { env = { LD_LIBRARY_PATH = directory } })
        assert.are.equal(0, status, err)
        local line = "^network\tlibcurl could not be loaded: [^\n]*"
        assert.truthy(out:find(line .. library.reason:gsub("%p", "%%%0") .. "\n"), out)
        assert.are.equal(out:match("^[^\n]+\n"):rep(2), out)
      end)
    end

    it("reports an error with the script's line, exit 1", function()
      local status, out, err = palenca({ "run", script("print 'started'\nerror 'my reason'") })
      assert.are.equal(1, status)
      assert.are.equal("started\n", out)
      assert.truthy(err:find("^palenca: [^\n]*script%.lua:2: my reason"), err)
      status, out, err = palenca({ "run", script("local x = = 1") })
      assert.are.equal("", out)
      assert.are.equal(1, status)
      assert.truthy(err:find("script.lua:1: unexpected symbol", 1, true), err)
      local compiled = process.write_file(directory .. "/compiled.lua", string.dump(function() end))
      status, out, err = palenca({ "run", compiled })
      assert.are.same({ 1, "" }, { status, out })
      assert.truthy(err:find("compiled.lua: attempt to load a binary chunk", 1, true), err)
      status, out, err = palenca({ "run", directory .. "/missing.lua" })
      assert.are.equal("", out)
      assert.are.equal(1, status)
      assert.truthy(err:find("missing.lua", 1, true), err)
    end)

    it("ends with the status that the script asks for", function()
      assert.are.equal(7, (palenca({ "run", script("io.write 'x' os.exit(7)") })))
    end)

    it("finds what stands beside the script", function()
      script("return { name = ... }", "beside.lua")
      local path = script("print(require 'beside'.name)")
      assert.are.equal("beside\n", select(2, palenca({ "run", path })))
      local status, out = palenca({ "run", "script.lua" }, { cwd = directory })
      assert.are.equal(0, status)
      assert.are.equal("beside\n", out)
    end)

    it("finds it in a directory of any name", function()
      for _, name in ipairs({ "a?b", "a;b", "a b", "it's \"it\"", "100%d", "ñandú", "?", ";;" }) do
        local inner = directory .. "/" .. name
        assert(uv.fs_mkdir(inner, 448))
        assert(uv.fs_mkdir(inner .. "/parts", 448))
        process.write_file(inner .. "/beside.lua", "return (...)")
        process.write_file(inner .. "/parts/init.lua", "return (...)")
        process.write_file(inner .. "/parts/part.lua", "return (...)")
        process.write_file(inner .. "/broken.lua", "= 1")
        local path = process.write_file(inner .. "/script.lua", [[
          print((require "beside"), (require "parts"), (require "parts.part"))
          local _, problem = pcall(require, "broken")
          print(problem:match "^error loading module 'broken' from file '(.*)':\n\t")
          _, problem = pcall(require, "missing")
          print(problem:match "no file '(.*/missing%.lua)'\n\tno file '.*/missing/init%.lua'")
        ]])
        local status, out, err = palenca({ "run", path })
        assert.are.equal(0, status, err)
        assert.are.equal("beside\tparts\tparts.part\n" .. inner .. "/broken.lua\n",
          out:match("^.-\n.-\n"))
        assert.truthy(out:find(inner .. "/missing.lua", 1, true), out)
      end
    end)

    it("works as a single file in an empty directory", function()
      local copy = directory .. "/copied"
      assert(uv.fs_copyfile(process.program(), copy))
      assert(uv.fs_chmod(copy, 493))
      local path = script([[
        local palenca = require "palenca"
        print(palenca.version, require "cjson".encode{1}, palenca.webhook.sign("a", "b"))
        for _, name in ipairs{"income", "client", "sandbox", "runtime.blocking"} do
          require("palenca." .. name)
        end
      ]])
      local status, out, err = process.run("/usr/bin/env", { "-i", copy, "run", path },
        { cwd = directory })
      assert.are.equal(0, status, err)
      assert.truthy(out:find("^%d+%.%d+%.%d+\t%[1%]\t%x+\n$"), out)
    end)

    it("takes flags before the environment before defaults", function()
      local path = script("print(require 'palenca'.new{api_key = 'k'})")
      local function base(arguments, env)
        table.insert(arguments, 1, "run")
        arguments[#arguments + 1] = path
        return (select(2, palenca(arguments, { env = env })):gsub("\n", ""))
      end
      local env = { PALENCA_BASE_URL = "http://127.0.0.1:1" }
      assert.are.equal("palenca client of https://sandbox.palenca.com", base({}))
      assert.are.equal("palenca client of https://api.palenca.com",
        base({ "--environment", "production" }))
      assert.are.equal("palenca client of https://api.palenca.com",
        base({}, { PALENCA_ENVIRONMENT = "production" }))
      assert.are.equal("palenca client of http://127.0.0.1:1", base({}, env))
      assert.are.equal("palenca client of http://127.0.0.1:2",
        base({ "--base-url", "http://127.0.0.1:2" }, env))
      assert.are.equal("palenca client of https://api.palenca.com",
        base({ "--environment", "production" }, env))
      assert.are.equal("palenca client of https://sandbox.palenca.com",
        base({}, { PALENCA_BASE_URL = "", PALENCA_ENVIRONMENT = "" }))
    end)

    it("rejects two places at once", function()
      local path = script("print(require 'palenca'.new{api_key = 'k'})")
      local status, _, err = palenca({ "run", path }, { env = {
        PALENCA_BASE_URL = "http://127.0.0.1:1", PALENCA_ENVIRONMENT = "production" } })
      assert.are.equal(1, status)
      assert.truthy(err:find("base_url and environment are both set", 1, true), err)
      assert.are.equal(1, (palenca({ "run", "--base-url", "http://127.0.0.1:1", "--environment",
        "production", path })))
    end)

    it("takes what stands behind two dashes as the script and its arguments", function()
      local path = script("print(...)")
      local _, out = palenca({ "run", "--", path, "--a", "b" })
      assert.are.equal("--a\tb\n", out)
    end)

    it("rejects settings of the environment that make no sense", function()
      local status, _, err = palenca({ "run", script("") }, { env = { PALENCA_RATE_LIMIT = "x" } })
      assert.are.equal(2, status)
      assert.truthy(err:find("'x' is not a whole number", 1, true), err)
    end)
  end)

  describe("check", function()
    it("loads a script, sends nothing, needs no key", function()
      local server = stage:server()
      local status, out, err = palenca({ "check", script([[
        local palenca = require "palenca"
        local client = palenca.new{base_url = os.getenv "SPEC_URL"}
        local user, problem = pcall(client.users.get, client.users, "x")
        palenca.on("login.success", print)
        palenca.on("login.*", print)
        palenca.on("*", print)
      ]]) }, { env = { SPEC_URL = server.url } })
      assert.are.equal(0, status, err)
      assert.truthy(out:find("script.lua: ok, handles login.success, login.*, *\n", 1, true), out)
      assert.are.equal("", err)
      assert.are.equal(0, #server.requests)
    end)

    it("reports a script that sends something while it loads", function()
      local server = stage:server()
      local path = script("\nrequire 'palenca'.http{url = os.getenv 'SPEC_URL'}")
      local status, _, err = palenca({ "check", path }, { env = { SPEC_URL = server.url } })
      assert.are.equal(1, status)
      assert.truthy(err:find("palenca check sends no requests", 1, true), err)
      assert.are.equal(0, #server.requests)
    end)

    it("lists that dead letters are handled", function()
      local status, out, err = palenca({ "check", script([[
        require "palenca".on("login.success", print)
        require "palenca".on_dead(print)
      ]]) })
      assert.are.equal(0, status, err)
      assert.truthy(out:find("ok, handles login.success, dead letters (palenca.on_dead)\n", 1,
        true), out)
    end)

    it("warns of actions that nobody sends", function()
      local status, out, err = palenca({ "check", script([[
        require "palenca".on("login.sucess", print)
        require "palenca".on("logins.*", print)
      ]]) })
      assert.are.equal(0, status)
      assert.truthy(out:find("ok, handles login.sucess, logins.*", 1, true), out)
      assert.truthy(err:find("warning: no documented event fits 'login.sucess'", 1, true), err)
      assert.truthy(err:find("warning: no documented event fits 'logins.*'", 1, true), err)
    end)

    it("comes to its end whatever the script does to end or to hold it", function()
      for text, reason in pairs({
        ["os.exit(0)"] = "script.lua:1: os.exit is not available",
        ["os.exit(0, true)"] = "script.lua:1: os.exit is not available",
        ["while true do end"] = "script.lua: stopped after 0.1 s of CPU time",
        ["while true do pcall(os.exit) end"] = "script.lua: stopped after 0.1 s of CPU time",
        ["coroutine.yield()"] = "script.lua: yielded",
        ["require 'palenca'.sleep(9)"] = "palenca check sends no requests",
        ["error(setmetatable({}, { __tostring = function() while true do end end }))"] =
          "script.lua: stopped after 0.1 s of CPU time",
        ["local s = 'x' while true do s = s .. s end"] = "not enough memory",
      }) do
        local status, out, err = palenca({ "check", script(text), "--cpu-timeout", "0.1",
          "--memory-limit", "16" })
        assert.are.same({ 1, "" }, { status, out }, text)
        assert.truthy(err:find("^palenca: ") and err:find(reason, 1, true), err)
      end
    end)

    it("reports a script without handlers, and one that does not load", function()
      local status, out = palenca({ "check", script("") })
      assert.are.equal(0, status)
      assert.truthy(out:find("it handles no event", 1, true), out)
      for text, reason in pairs({
        ["local x = = 1"] = "script.lua:1: unexpected symbol",
        ["\nerror 'oh'"] = "script.lua:2: oh",
        ["require 'palenca'.on('login.success')"] = "script.lua:1: palenca.on: handler must be",
      }) do
        local failed, _, err = palenca({ "check", script(text) })
        assert.are.equal(1, failed)
        assert.truthy(err:find(reason, 1, true), err)
      end
      assert.are.equal(1, (palenca({ "check", directory .. "/missing.lua" })))
    end)
  end)
end)
